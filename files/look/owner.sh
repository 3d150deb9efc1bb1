# Files of root's own: which those are, jada's among them, and what the kernel and the unit's files say.

# Owners of files, in one process for all that root asks: of the paths, it reads those that nobody but root can change or
# lead elsewhere, and no others. A managed settings file that is gone shows in the time of its folder alone. A process's
# folder in /proc is as old as the first look at it: that is now (by %Y, for uutils' %Z has whole seconds).
# reads: DROPIN LIMITS MANAGED home
# sets: owned
# prints: now managed.changed+
stat_files() { # PATH ...
    ways='' unsafe='' owned='' printed=''
    way_to_home
    for path in "$@"; do
        walk "$path" || unsafe=$unsafe$NL$path
        add_steps
    done
    # shellcheck disable=SC2086 # a path a line
    for line in $(stat -c '%u:%g/%A %a %.9Z %.9Y %n' $ways $DROPIN $LIMITS $MANAGED $MANAGED/managed-settings.d /proc/self/ \
        2>/dev/null); do
        path=${line#* * * * } line=${line%" $path"}
        modified=${line##* } line=${line% *}
        changed=${line##* } line=${line% *}
        case $path in
            "$DROPIN") say_owner dropin "$line" ;;
            "$LIMITS") say_owner limits "$line" ;;
            "$MANAGED" | "$MANAGED/managed-settings.d")
                has "$printed" "$path" || say managed.changed+ "$changed"
                printed=$printed$NL$path ;;
            /proc/self/) say now "$modified"; continue ;;
        esac
        is_roots_own "${line%% *}" || unsafe=$unsafe$NL$path
    done
    say_home
    for path in "$@"; do
        walk "$path" && is_safe || continue
        owned=$owned$NL$path
    done
}

# A link; a folder like /tmp, where others can't take away what is root's; what no others may write to.
is_roots_own() { # UID:GID/PERMISSIONS
    case $1 in 0:*/l* | 0:*/d????????[tT] | 0:0/????????[!w]? | 0:*/?????[!w]??[!w]?) ;; *) return 1 ;; esac
}

# reads: steps
# sets: ways
add_steps() { for step in $steps; do has "$ways" "$step" || ways=$ways$NL$step; done; }

# reads: steps unsafe
is_safe() { for step in $steps; do ! has "$unsafe" "$step" || return 1; done; }

# Every folder and link on the way to a file, and the file: a link is followed part by part. Fails where it leads nowhere.
# sets: steps
walk() { # PATH
    steps='' place='' rest=${1#/} hops=0
    while [ -n "$rest" ]; do
        part=${rest%%/*}
        case $rest in */*) rest=${rest#*/} ;; *) rest= ;; esac
        case $part in '' | .) continue ;; ..) place=${place%/*}; continue ;; esac
        place=$place/$part
        steps=$steps$NL$place
        [ -L "$place" ] || continue
        # As many as the kernel follows (path_resolution(7)).
        [ $((hops += 1)) -le 40 ] || return 1
        target=$(readlink "$place")
        case $target in
            *"$NL"*) return 1 ;;
            /*) place='' rest=${target#/}${rest:+/$rest} ;;
            *) place=${place%/*} rest=$target${rest:+/$rest} ;;
        esac
    done
}

# The home is where links lead, if those and the folders above are root's: else its user would lead root elsewhere.
# reads: home
# sets: steps_of_home real_home ways
way_to_home() {
    steps_of_home='' real_home=$home
    walk "$home" || return 0
    real_home=${place:-/} steps=${steps%"$NL$place"}
    steps_of_home=$steps
    add_steps
}

# reads: uid home steps_of_home real_home unsafe
# prints: home.real
say_home() {
    [ -n "$uid" ] || return 0
    steps=$steps_of_home
    is_safe || real_home=$home
    say home.real "$real_home"
}

# Of one of our files, once, unless it is none.
# reads: printed
# prints: dropin.owner dropin.mode limits.owner limits.mode
say_owner() { # NAME "UID:GID/PERMISSIONS MODE"
    case $2 in */-*) ;; *) return ;; esac
    has "$printed" "$1" && return
    printed=$printed$NL$1
    say "$1.owner" "${2%%/*}"
    say "$1.mode" "${2##* }"
}

# reads: DROPIN LIMITS
# prints: dropin.sha256 limits.sha256
own_files() {
    set --
    for file in "$DROPIN" "$LIMITS"; do
        if [ -f "$file" ] && [ ! -L "$file" ]; then set -- "$@" "$file"; fi
    done
    [ $# -gt 0 ] || return 0
    for line in $(sha256sum "$@" 2>/dev/null); do
        # A backslash before the line says that there are some in the path.
        line=${line#\\}
        case $line in *"$LIMITS") say limits.sha256 "${line%% *}" ;; *) say dropin.sha256 "${line%% *}" ;; esac
    done
}

# What awk says, all in one process (root-files.awk, kernel.awk, view.awk, report.awk, unit-sets.awk).
# reads: CHECK_URL uid files_to_say pid speaker members configs cwd SETTINGS MANAGED units
# prints: release.manifest.json release.place release.result release.after release.previous held transaction
#         historyN.manifest historyN.place historyN.result uptime boot nr_open can_raise hard_pid1 hard_login process.soft
#         process.hard process.ticks speaker.ticks member+ own_view+ login.env.NAME report.size report.masked report.code
#         report.http unit.sets+
kernel_files_and_report() {
    places=''
    [ -z "$uid" ] || ! has_own_view || places_of_settings
    # shellcheck disable=SC2086 # a path a line
    set -- awk -v pid="$pid" -v speaker="$speaker" -v shell="$$" -v names="^($NAMES)=" -v root="$ROOT" \
        -v most_of_value="$MOST_OF_VALUE" -v most_of_answer="$MOST_OF_ANSWER" \
        "$SAY_AWK$MASK_AWK$PROC_AWK$KERNEL_AWK$VIEW_AWK$ROOT_FILES_AWK$REPORT_AWK$UNIT_SETS_AWK" $units
    if [ -n "$uid" ] && [ -n "$CHECK_URL" ]; then
        ask_url | head -c "$((MOST_OF_ANSWER + 100))" |
            FILES=$files_to_say MEMBERS=$members PLACES=$places "$@" answers=1 -
    else
        FILES=$files_to_say MEMBERS=$members PLACES=$places "$@" /dev/null
    fi 2>/dev/null
}

# Whether the process that asks for a model has mounts, or a root, of its own.
# reads: speaker
has_own_view() {
    [ -e "$ROOT/proc/$speaker/ns/mnt" ] || return 1
    # shellcheck disable=SC3013 # dash, bash and busybox know it
    [ ! "$ROOT/proc/$speaker/ns/mnt" -ef "$ROOT/proc/self/ns/mnt" ] || [ ! "$ROOT/proc/$speaker/root/" -ef "$ROOT/" ]
}

# Where that process would look for what decides the model.
# reads: SETTINGS MANAGED configs cwd
# sets: places
places_of_settings() {
    places=$NL$SETTINGS$NL$MANAGED/managed-settings.json$NL$MANAGED/managed-settings.d
    for config in $configs $cwd/.claude; do
        places=$places$NL$config/settings.json$NL$config/settings.local.json$NL$config/agents
    done
}
