# Measures what probes of fleet.yml ask of a host, and changes nothing there. Goes behind root's half of a look; the answers are
# frames, as those of a look are.
# Seconds for one journal, and entries of that which are counted.
LONGEST_OF_COUNT=5
MOST_ENTRIES=10000

# prints: end
measure() {
    set -f
    IFS=$NL
    uid='' group=''
    { unit; service_user || :; } >/dev/null
    this_start
    [ -z "$CGROUP" ] || control_group
    eval "set -- $JOURNALS"
    while [ $# -ge 4 ]; do count_entries "$1" "$2" "$3" "$4"; shift 4; done
    [ -z "$uid" ] || [ -z "$MEASURE_AS_USER" ] || measure_of_user
    say end ok
    say end ok
}

# When it is, by the kernel's own clock, and which start of the service runs since when.
# reads: UNIT
# sets: invocation
# prints: at start active
this_start() {
    invocation=''
    for line in $(systemctl show "$UNIT" --property=InvocationID,ActiveEnterTimestampMonotonic); do
        case $line in
            InvocationID=*) invocation=${line#*=} ;;
            ActiveEnterTimestampMonotonic=*) say active "${line#*=}" ;;
        esac
    done
    say start "$invocation"
    while IFS=' ' read -r uptime _; do say at "$uptime"; done <"$ROOT/proc/uptime"
}

# reads: group
# prints: cpu memory
control_group() {
    folder=$ROOT/sys/fs/cgroup$group
    [ -r "$folder/cpu.stat" ] || folder=$ROOT/sys/fs/cgroup/unified$group
    [ -n "$group" ] && [ -r "$folder/cpu.stat" ] || return 0
    while IFS=' ' read -r name number; do [ "$name" != usage_usec ] || say cpu "$number"; done <"$folder/cpu.stat"
    [ -r "$folder/memory.current" ] || return 0
    while read -r number; do say memory "$number"; done <"$folder/memory.current"
}

# Counts entries of this start, and those of systemd about it, of the last so many seconds, or (0) all. What is no entry is
# journalctl's own trouble; it ends with 1 where no entry has the pattern.
# reads: invocation
# prints: journal+
count_entries() { # NUMBER SECONDS PRIORITY PATTERN
    number=$1 since=$2 priority=$3 pattern=$4
    # journald itself vouches for the first; the other anybody on the host can write, but not as the process of systemd.
    set -- "_SYSTEMD_INVOCATION_ID=$invocation" + "INVOCATION_ID=$invocation" _PID=1
    [ -z "$pattern" ] || set -- "--grep=$pattern" "$@"
    [ -z "$priority" ] || set -- "--priority=$priority" "$@"
    [ "$since" = 0 ] || set -- "--since=-${since}s" "$@"
    counted=$({
        timeout -k 1 "$LONGEST_OF_COUNT" journalctl -q --no-pager -o json --output-fields=PRIORITY -n "$MOST_ENTRIES" "$@" \
            2>&1 </dev/null
        # The last line may be cut off where the time was up.
        printf '\n%s\n' "$?"
    } | awk '/^[{]/ { count++; next } { odd += last != ""; last = $0 } END { print count + 0; print odd ? "odd" : last == 1 ? 0 : last }')
    say journal+ "$number$NL$counted"
}

# What the user leaves behind may hold this pipe for as long as it likes; nobody waits for that. The URLs may hold passwords.
# reads: user start MEASURE_AS_USER LONGEST_OF_MEASURE
# prints: of_user of_user.code
measure_of_user() {
    # shellcheck disable=SC2016 # for the user's shell
    answer=$({
        printf %s "$MEASURE_AS_USER" | START=$start timeout -k 1 "$LONGEST_OF_MEASURE" runuser -s /bin/sh "$user" -c \
            'cd "$START" && unset START && eval "$(cat)" </dev/null' 2>/dev/null
        printf '\n%s' "$?"
    } | timeout -k 1 "$((LONGEST_OF_MEASURE + 2))" cat | head -c "$((MOST_OF_ANSWER + 100))"; printf '\nx')
    split_answer of_user || return 0
    say of_user "$answer"
    [ "$code" = 0 ] || say of_user.code "$code"
}
