# Asks the service's own Claude CLI which model it would ask for, as the service: with the user, environment, folder, options
# and mount namespace of the process that asks for a model. The CLI names its model before it asks anybody for anything.
# It runs in a sandbox (sandbox.sh) from which nothing is written, and which ends with it; what it says is its user's word.
# Seconds: where settings of the vendor's server count, the CLI tries for six to get them anew; of a busy host, far more.
LONGEST_OF_ASK=30
# Exit codes: what keeps it from being asked (tasks/asked.py).
NO_PROCESS=50
OF_OTHER_USERS=51
OTHER_TOOLS=52
NOT_OF_SERVICE=53

# reads: speaker
# prints: asked.by asked.size asked.masked asked.code
ask_cli() {
    # What the process runs may hand this pipe to others, who hold it for as long as they like; nobody waits for that.
    answer=$({
        { cd "$ROOT/proc/$speaker" && exec 8<ns/mnt; } || { printf '\n%s' "$NO_PROCESS"; exit; }
        ask_as_process ''
        printf '\n%s' "$?"
    } 2>/dev/null | timeout -k 1 "$((LONGEST_OF_ASK + 5))" cat | head -c "$((MOST_OF_ANSWER + 100))"; printf '\nx')
    # There was nothing to open.
    [ "$answer" != "${NL}x" ] || answer="$NL$NO_PROCESS${NL}x"
    split_answer asked || return 0
    if [ "$code" != 0 ]; then say asked.code "$code"; return; fi
    say asked.by "${answer%%"$NL"*}"
    answer=${answer#*"$NL"}
    say_masked asked "${answer%"$NL"}"
}

# Without a REQUEST, it has no network.
# reads: cwd home configs CLI SETTINGS EDITS IN_SANDBOX AS_SERVICE
ask_as_process() { # REQUEST
    request=$1
    find_process || return $?
    [ -z "$request" ] || in_its_network
    case $CLI in \~/*) CLI=$home/${CLI#\~/} ;; esac
    { read -r comm; } <"$process/comm"
    set -- sh -c "$IN_SANDBOX" sandbox "$user_id" "$group_id" "$groups" "$home$configs$NL/tmp" \
        sh -c "$AS_SERVICE" ask "$ENVIRONMENT_OF_IT" "$comm" "$program" "$CLI" "${cwd:-/}" "$SETTINGS" "$request"
    eval "set -- \"\$@\" $EDITS"
    if [ -n "$request" ]; then as_process '' "$@"; else as_process -n "$@"; fi
}

# Root enters a mount namespace only where it then runs what it would run here, and none of a user's own making. It stands in
# the process's folder of /proc: another process that gets its number later is not what is read there.
# reads: uid
# sets: process program comm enter
find_process() {
    process=. enter='' comm=''
    export PATH=/usr/sbin:/usr/bin:/sbin:/bin
    # shellcheck disable=SC2046 # a link a line
    set -- $(readlink /proc/self/ns/user "$process/ns/user" /proc/self/ns/mnt /proc/self/fd/8 "$process/ns/mnt" "$process/exe")
    [ $# -eq 6 ] && [ "$4" = "$5" ] && read_ids || return "$NO_PROCESS"
    [ "$1" = "$2" ] || return "$OF_OTHER_USERS"
    # A user can have a set-uid program run, with a library of its own; a service of root's may run as whom it likes.
    [ -z "$mixed" ] && { [ "$user_id" = "$uid" ] || [ "$uid" = 0 ]; } || return "$NOT_OF_SERVICE"
    [ "$3" = "$4" ] || { has_same_tools || return "$OTHER_TOOLS"; enter='nsenter --mount=/proc/self/fd/8 --'; }
    program=$6
}

# Runs a command in namespaces of its own, of which it gets some `more`. The words and the environment of the process come by
# stdin, for some of that is secret. The memory of a process may be a file that its user never lets anybody read.
# reads: process enter
as_process() { # MORE COMMAND ...
    more=$1
    shift
    IFS=' '
    {
        timeout -k 1 3 head -c "$MOST_OF_PROCESS" "$process/cmdline"
        printf '%s\0' "$ENVIRONMENT_OF_IT"
        timeout -k 1 3 head -c "$MOST_OF_PROCESS" "$process/environ"
    } | tr "$BETWEEN\\0" " $BETWEEN" |
        timeout -k 1 "$LONGEST_OF_ASK" $enter unshare -m -p -i $more -f --kill-child "$@"
}

# Fails where the process is gone.
# reads: process
# sets: user_id group_id groups; mixed where it has the rights of others too, as what a set-uid program runs
read_ids() {
    user_id='' group_id='' groups='' mixed=''
    unset IFS
    while read -r name real effective saved of_files rest; do
        # shellcheck disable=SC2086 # numbers
        case $name in
            Uid:) user_id=$real ;;
            Gid:) group_id=$real ;;
            Groups:) set -- $real $effective $saved $of_files $rest; IFS=, groups=$*; unset IFS; continue ;;
            *) continue ;;
        esac
        [ "$real $real $real" = "$effective $saved $of_files" ] || mixed=yes
    done <"$process/status"
    IFS=$NL
    [ -n "$group_id" ]
}

# Whether what root runs in the process's view of files, and the libraries of it, are the very files that it runs here.
# reads: process
has_same_tools() {
    set -- / /usr /usr/bin /usr/sbin /usr/lib /usr/lib64 /bin /sbin /lib /lib64 /etc/ld.so.cache /etc/ld.so.preload
    IFS=' '
    while read -r _ _ _ _ at _; do
        case $at in /usr/* | /bin/* | /sbin/* | /lib*) set -- "$@" "$at" ;; esac
    done <"$process/mountinfo"
    IFS=$NL
    here=$(stat -L -c %d:%i "$@" 2>/dev/null)
    for at in "$@"; do set -- "$@" "$process/root$at"; shift; done
    [ "$here" = "$(stat -L -c %d:%i "$@" 2>/dev/null)" ]
}

# The same question alone.
# prints: end
ask_alone() {
    set -f
    IFS=$NL
    speaker=0
    { unit; ! service_user || { members; running_process; }; } >/dev/null
    ask_cli
    say end ok
    say end ok
}
