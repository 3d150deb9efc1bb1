# The half of a look that reads what the service's user owns, as that user: with no more rights than its own, it can turn
# no name in there against anyone. Runs behind shared.sh and the awk programs. The user can make this process say anything:
# the controller keeps its words apart from root's.
# Folders deep and files of agents/ that are read, and for how many seconds; people have a dozen, in one folder.
DEPTH=5
MOST_OF_AGENT=131072
MOST_OF_AGENTS=1048576
LONGEST_FOR_AGENTS=5
MOST_PROJECTS=400

# Lists have an item a line; NAMED are settings files that a command line names, ENVIRONMENTS those EnvironmentFiles that
# are not root's alone.
# prints: end
look_as_user() { # SETTINGS HOME CONFIGS FOLDERS PROJECTS NAMED ENVIRONMENTS WORKS_IN
    SETTINGS=$1 home=$2 configs=$3 folders=$4 PROJECTS=$5 named=$6 environments=$7 works_in=$8
    set -f
    IFS=$NL
    users_environment_files
    way_to_settings
    list_projects
    list_layers
    agents
    transcripts
    [ -e "$SETTINGS" ] || no_settings
    settings_files "$SETTINGS"
    say end ok
}

# reads: environments
# sets: configs
users_environment_files() {
    for file in $environments; do
        [ -f "$file" ] || continue
        text=$(head -c "$((MOST_OF_VALUE + 1))" "$file")
        [ "${#text}" -le "$MOST_OF_VALUE" ] || { over "$file has more than $MOST_OF_VALUE bytes"; continue; }
        for line in $(printf '%s\n' "$text" | environment_file -); do next_variable "$file" "$line"; done
    done
}

# Each part of the path that is a link, where it leads, and each folder above that.
# reads: SETTINGS
# sets: folders_above
# prints: link+ settings.real
way_to_settings() {
    folder='' rest=${SETTINGS#/} real=$SETTINGS
    # No process where there is nothing to follow.
    case $SETTINGS/ in [!/]* | *//* | */./* | */../*) real= ;; esac
    while [ -n "$rest" ]; do
        folder=$folder/${rest%%/*}
        if [ -L "$folder" ]; then
            real=
            say link+ "$folder"
        fi
        case $rest in */*) rest=${rest#*/} ;; *) rest= ;; esac
    done
    [ -n "$real" ] || real=$(readlink -m "$SETTINGS")
    say settings.real "$real"
    folders_above=$NL/ folder=${real%/*}
    is_plain "$folder" || return 0
    while [ -n "$folder" ]; do folders_above=$folders_above$NL$folder folder=${folder%/*}; done
}

# What lies in a folder that may not be entered is not known to be absent.
# reads: SETTINGS
# prints: settings.dangling settings.problem
no_settings() {
    [ ! -L "$SETTINGS" ] || say settings.dangling yes
    folder=${SETTINGS%/*}
    while [ ! -d "${folder:-/}" ]; do folder=${folder%/*}; done
    [ -x "${folder:-/}" ] || say settings.problem "its user may not enter ${folder:-/}"
}

# reads: PROJECTS home
# sets: projects
list_projects() {
    projects='' count=0
    set +f
    for folder in $PROJECTS; do
        case $folder in \~/*) folder=$home/${folder#\~/} ;; esac
        for project in "$folder" "$folder"/*/; do
            project=${project%/}
            [ -d "$project/.claude" ] && is_plain "$project" || continue
            [ $((count += 1)) -le "$MOST_PROJECTS" ] || { over "projects: more than $MOST_PROJECTS"; break 2; }
            projects=$projects$NL$project
        done
    done
    set -f
}

# The settings files that may name a model, other than settings.json.
# reads: named configs folders projects home
# sets: layers
list_layers() {
    layers=''
    for file in $named; do layer "$file"; done
    for folder in $configs; do layer "$folder/settings.json"; done
    for folder in $folders; do
        [ "${folder%/}/.claude" = "$home/.claude" ] || layer "${folder%/}/.claude/settings.json"
        layer "${folder%/}/.claude/settings.local.json"
    done
    for folder in $projects; do
        for file in "$folder/.claude/settings.json" "$folder/.claude/settings.local.json"; do
            [ -f "$file" ] && grep -qsE '"(model|agent|env|availableModels|modelOverrides)"|\\u00' "$file" &&
                layer "$file"
        done
    done
}

# sets: layers
layer() { # FILE
    [ -e "$1" ] && [ "$1" != "$SETTINGS" ] && is_plain "$1" || return 0
    has "$layers" "$1" || layers=$layers$NL$1
}

# reads: folders projects configs
agents() {
    set --
    for folder in $folders $projects; do
        [ ! -d "${folder%/}/.claude/agents" ] || set -- "$@" "${folder%/}/.claude/agents"
    done
    for folder in $configs; do [ ! -d "$folder/agents" ] || set -- "$@" "$folder/agents"; done
    [ $# -gt 0 ] || return 0
    text=$(agents_in "$@" | tr '\0' ' ' | head -c "$((MOST_OF_AGENTS + 1))"; echo x)
    if [ "${#text}" -le "$MOST_OF_AGENTS" ]; then
        printf %s "${text%x}"
    else
        over "agents: more than $MOST_OF_AGENTS bytes of names, so none is told"
    fi
}

# Agents that `find` would meet by way of a link to / are on other file systems, or too deep, or take too long.
# prints: agent+
agents_in() { # FOLDER ...
    timeout "$LONGEST_FOR_AGENTS" find -L "$@" -xdev -maxdepth "$DEPTH" -name '*.md' ! -name "*$NL*" -type f \
        -size "-${MOST_OF_AGENT}c" -exec awk "$SAY_AWK$AGENTS_AWK" {} + 2>/dev/null
    [ $? -ne 124 ] || over "agents: not all of them could be read in $LONGEST_FOR_AGENTS s"
}
