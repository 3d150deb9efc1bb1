# The questions to a host before a change, which change nothing there. Goes behind ask.sh; the answers are frames, as those of
# a look are.
# What else is no reason to ask its endpoint (tasks/probe.py): of a service that is another program, nobody knows whom it asks.
NOT_THE_CLI=54

# reads: WHY_NOT REQUEST MODEL_ID
# prints: endpoint.code end
probe() {
    set -f
    IFS=$NL
    speaker=0 uid='' configs='' is_cli=''
    { unit; ! service_user || { members; running_process; }; } >/dev/null
    if [ -n "$WHY_NOT" ]; then :; elif [ -n "$is_cli" ]; then say_answer endpoint probe_endpoint; else say endpoint.code "$NOT_THE_CLI"; fi
    probe_disks
    [ -z "$REQUEST" ] || say_answer request ask_as_process "$MODEL_ID"
    say end ok
    say end ok
}

# The answer of something that runs as the process.
# reads: speaker
# prints: endpoint.answer endpoint.code request.answer request.code
say_answer() { # NAME FUNCTION ARGUMENT ...
    asked_for=$1
    shift
    # As in ask_cli, nobody waits for what the process hands this pipe to.
    answer=$({
        { cd "$ROOT/proc/$speaker" && exec 8<ns/mnt 7<ns/net; } || { printf '\n%s' "$NO_PROCESS"; exit; }
        "$@"
        printf '\n%s' "$?"
    } 2>/dev/null | timeout -k 1 "$((LONGEST_OF_ASK + 5))" cat | head -c "$((MOST_OF_ANSWER + 100))"; printf '\nx')
    [ "$answer" != "${NL}x" ] || answer="$NL$NO_PROCESS${NL}x"
    split_answer "$asked_for" || return 0
    if [ "$code" = 0 ]; then say "$asked_for.answer" "$answer"; else say "$asked_for.code" "$code"; fi
}

# Whether the endpoint of the service knows a model: the status of HTTP, what curl ended with, and whether the text of the
# answer names the model. It is asked in the network of the process; all else is that of a sandbox, with no folder to write to.
# reads: uid home MODEL_ID FILES_WITH_ENV HAS_HELPER IN_SANDBOX ENDPOINT_AS_SERVICE
probe_endpoint() {
    find_process || return $?
    in_its_network
    as_process '' sh -c "$IN_SANDBOX" sandbox "$user_id" "$group_id" "$groups" '' \
        sh -c "$ENDPOINT_AS_SERVICE" ask "$ENVIRONMENT_OF_IT" "$home" "$MODEL_ID" "$HAS_HELPER" "$FILES_WITH_ENV"
}

# Where the process has a network of its own, that is entered too.
# sets: enter
in_its_network() {
    # shellcheck disable=SC2046 # a link a line
    set -- $(readlink /proc/self/ns/net /proc/self/fd/7)
    [ "$1" = "$2" ] || enter="nsenter --net=/proc/self/fd/7${enter:+ --mount=/proc/self/fd/8} --"
}

# The folder of settings.json as the service's user, who may have it lead anywhere, or to a file system that never answers.
# reads: uid gid SETTINGS HOME_OF_JADA
probe_disks() {
    place=$HOME_OF_JADA
    [ -d "$place" ] || place=${place%/*}
    say_disk "$place" "$(stat -f -c '%a %S %d %c' "$place" 2>/dev/null)"
    say_disk /etc "$(stat -f -c '%a %S %d %c' /etc 2>/dev/null)"
    [ -n "$uid" ] || return 0
    place=${SETTINGS%/*}
    set -- stat -f -c '%a %S %d %c' "$place"
    [ "$uid" = 0 ] || set -- setpriv --reuid "$uid" --regid "$gid" --init-groups --no-new-privs "$@"
    say_disk "$place" "$(timeout -k 1 5 "$@" 2>/dev/null </dev/null | head -c 100)"
}

# prints: disk+
say_disk() { # PATH "BLOCKS SIZE INODES OF-ALL"
    IFS=' '
    # shellcheck disable=SC2086 # numbers
    set -- "$1" $2
    IFS=$NL
    [ $# -eq 5 ] || return 0
    # One that begins with 0 is octal to a shell, or its end.
    case " $2 $3 $4 $5" in *[!0-9\ ]* | *' 0'[0-9]*) return ;; esac
    { [ "${#4}" -le 18 ] && [ "${#5}" -le 18 ] && is_plain "$1"; } || return 0
    # Network file systems tell nearly 2^63 bytes, and their user may tell more than a shell can count.
    free=999999999999999999
    [ $((${#2} + ${#3})) -gt 18 ] || free=$(($2 * $3))
    say disk+ "$1$NL$free$NL$4$NL$5"
}
