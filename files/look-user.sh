# The half of a look that reads what the service's user owns, as that user: with no more rights than its own, it can turn
# no name in there against anyone. Runs behind look-shared.sh and MASK. The user can make this process say anything: the
# controller keeps its words apart from root's.
# Lists have an item a line; NAMED are settings files that a command line names, ENVIRONMENTS those EnvironmentFiles that
# are not root's alone.
SETTINGS=$1 home=$2 configs=$3 folders=$4 PROJECTS=$5 NAMED=$6 ENVIRONMENTS=$7
# Folders deep and files of agents/ that are read, and for how many seconds; people have a dozen, in one folder.
DEPTH=5
MOST_OF_AGENT=131072
MOST_OF_AGENTS=1048576
LONGEST_FOR_AGENTS=5
MOST_PROJECTS=400

layer() {
    [ -e "$1" ] && [ "$1" != "$SETTINGS" ] && is_plain "$1" || return 0
    has "$layers" "$1" || layers=$layers$NL$1
}

# Says each part of a path that is a link; sets $folders_above to each folder above where it leads.
walk() { # PATH REAL
    at='' rest=${1#/}
    while [ -n "$rest" ]; do
        at=$at/${rest%%/*}
        [ ! -L "$at" ] || say link+ "$at"
        case $rest in */*) rest=${rest#*/} ;; *) rest= ;; esac
    done
    folders_above=$NL/ at=${2%/*}
    ! is_plain "$at" || while [ -n "$at" ]; do folders_above=$folders_above$NL$at at=${at%/*}; done
}

# The agents of some folders: path, name and model of each frontmatter. One without a description is no agent to the CLI.
# Those that `find` would meet by way of a link to / are on other file systems, or too deep, or take too long.
agents_in() {
    timeout "$LONGEST_FOR_AGENTS" find -L "$@" -xdev -maxdepth "$DEPTH" -name '*.md' ! -name "*$NL*" -type f \
        -size "-${MOST_OF_AGENT}c" -exec awk "$SAY"'
        function value(text) { sub(/^[a-z]+:[ \t]*/, "", text); sub(/[ \t]+#.*/, "", text); gsub(/["\047\r]|[ \t]+$/, "", text); return text }
        FNR == 1 { name = model = described = ""; open = $0 ~ /^---[ \r]*$/; next }
        open && /^---[ \r]*$/ {
            open = 0
            if (length(name model) > 1024) say("over+", "agents: a name or model is longer than 1024 bytes")
            else if (name && described && FILENAME !~ /\n/) say("agent+", FILENAME "\n" name "\n" model)
        }
        open && /^name:/ { name = value($0) }
        open && /^description:/ { described = 1 }
        open && /^model:/ { model = value($0) }' {} + 2>/dev/null
    [ $? -ne 124 ] || over "agents: not all of them could be read in $LONGEST_FOR_AGENTS s"
}

look() {
    set -f
    IFS=$NL
    for file in $ENVIRONMENTS; do
        [ -f "$file" ] || continue
        text=$(head -c "$((MOST_OF_VALUE + 1))" "$file")
        [ "${#text}" -le "$MOST_OF_VALUE" ] || { over "$file has more than $MOST_OF_VALUE bytes"; continue; }
        for line in $(printf '%s\n' "$text" | environment_file -); do fresh "$file" "$line"; done
    done
    real=$(readlink -m "$SETTINGS")
    say settings.real "$real"
    walk "$SETTINGS" "$real"

    for file in $NAMED; do layer "$file"; done
    for folder in $configs; do layer "$folder/settings.json"; done
    for folder in $folders; do
        [ "${folder%/}/.claude" = "$home/.claude" ] || layer "${folder%/}/.claude/settings.json"
        layer "${folder%/}/.claude/settings.local.json"
    done
    set +f
    for folder in $PROJECTS; do
        case $folder in \~/*) folder=$home/${folder#\~/} ;; esac
        for each in "$folder" "$folder"/*/; do
            each=${each%/}
            [ -d "$each/.claude" ] && is_plain "$each" || continue
            [ $((several = ${several:-0} + 1)) -le "$MOST_PROJECTS" ] || { over "projects: more than $MOST_PROJECTS"; break 2; }
            projects=$projects$NL$each
        done
    done
    set -f
    for folder in $projects; do
        for file in "$folder/.claude/settings.json" "$folder/.claude/settings.local.json"; do
            [ -f "$file" ] && grep -qsE '"(model|agent|env|availableModels|modelOverrides)"|\\u00' "$file" && layer "$file"
        done
    done
    set --
    for folder in $folders $projects; do
        [ ! -d "${folder%/}/.claude/agents" ] || set -- "$@" "${folder%/}/.claude/agents"
    done
    for folder in $configs; do [ ! -d "$folder/agents" ] || set -- "$@" "$folder/agents"; done
    if [ $# -gt 0 ]; then
        agents=$(agents_in "$@" | tr '\0' ' ' | head -c "$((MOST_OF_AGENTS + 1))"; echo x)
        if [ "${#agents}" -le "$MOST_OF_AGENTS" ]; then
            printf %s "${agents%x}"
        else
            over "agents: more than $MOST_OF_AGENTS bytes of names, so none is told"
        fi
    fi

    if [ ! -e "$SETTINGS" ]; then
        [ ! -L "$SETTINGS" ] || say settings.dangling yes
        at=${SETTINGS%/*}
        while [ ! -d "${at:-/}" ]; do at=${at%/*}; done
        # What lies in a folder that may not be entered is not known to be absent.
        [ -x "${at:-/}" ] || say settings.problem "its user may not enter ${at:-/}"
    fi
    tell_files "$SETTINGS"
    say end ok
}

look
