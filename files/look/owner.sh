# Files of root's own: which those are, jada's among them, and what the kernel and the unit's files say.

# Those paths that nobody but root can change or lead elsewhere: root reads no others. Our own two are asked for with them.
# reads: DROPIN LIMITS
# sets: owned
sort_by_owner() { # PATH ...
    ways='' unsafe='' owned='' printed=''
    for path in "$@"; do
        walk "$path" || unsafe=$unsafe$NL$path
        for step in $steps; do has "$ways" "$step" || ways=$ways$NL$step; done
    done
    # shellcheck disable=SC2086 # a path a line
    for line in $(stat -c '%u:%g/%A %a %n' $ways $DROPIN $LIMITS 2>/dev/null); do
        path=${line#* * }
        case $path in
            "$DROPIN") say_owner dropin "${line%" $path"}" ;;
            "$LIMITS") say_owner limits "${line%" $path"}" ;;
        esac
        case ${line%% *} in
            # A link; a folder like /tmp, where others can't take away what is root's; what no others may write to.
            0:*/l* | 0:*/d????????[tT] | 0:0/????????[!w]? | 0:*/?????[!w]??[!w]?) ;;
            *) unsafe=$unsafe$NL$path ;;
        esac
    done
    for path in "$@"; do
        walk "$path" || continue
        for step in $steps; do ! has "$unsafe" "$step" || continue 2; done
        owned=$owned$NL$path
    done
}

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

# In one process for both (kernel.awk, unit-sets.awk).
# reads: pid speaker units
# prints: now uptime boot nr_open can_raise hard_pid1 hard_login process.soft process.hard process.ticks speaker.ticks
#         login.env.NAME unit.sets+
kernel_and_unit_files() {
    say now "$(date +%s.%N)"
    # shellcheck disable=SC2086 # a path a line
    awk -v pid="$pid" -v speaker="$speaker" -v shell="$$" -v names="^($NAMES)=" -v root="$ROOT" \
        "$SAY_AWK$KERNEL_AWK$UNIT_SETS_AWK" $units /dev/null 2>/dev/null
}
