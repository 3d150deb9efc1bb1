# The service's journal for people, with secrets masked: goes behind host.sh. A line begins with the time in microseconds, the
# model and the release of its entry, "-" where it has none.

# Seconds for a journal, and bytes that are read of an entry.
LONGEST_OF_JOURNAL=10
MOST_OF_ENTRY=100000

# Where FOLLOW is given, it goes on until stdin ends, as it does when nobody reads any more. What journalctl leaves out then
# is a field of 4096 bytes or more: no tool that ends long lines is sure to pass on short ones at once.
# The last line is NOT_WHOLE (tasks/journal.py) where the journal was not read to its end.
entries() { # FOLLOW OPTION...
    follow=$1
    shift
    set -- journalctl -q --no-pager -o json --output-fields=MESSAGE,SYSLOG_IDENTIFIER,JADA_MODEL,JADA_RELEASE \
        -u "$UNIT" "$@"
    {
        known_values
        if [ -n "$follow" ]; then
            "$@" -f 2>/dev/null </dev/null &
            cat >/dev/null
            # It may have ended by itself, and its number be another's by now.
            [ "$(cat "/proc/$!/comm" 2>/dev/null)" != journalctl ] || kill "$!"
        else
            {
                timeout -k 1 "$LONGEST_OF_JOURNAL" "$@" -a 2>/dev/null </dev/null
                case $? in 124 | 137) printf '\n%s\n' "$NOT_WHOLE" ;; esac
            } | cut -b "-$MOST_OF_ENTRY"
        fi
    } 9>&- | masked_at_once
}

# mawk reads a block at a time unless it is told otherwise, and then takes a long line again for each part of it that comes;
# no other awk has that option.
masked_at_once() {
    case $follow$(awk -W version 2>&1 </dev/null | head -n 1) in yesmawk*) set -- -W interactive ;; *) set -- ;; esac
    awk "$@" -v entries=yes -v most="$MOST_OF_ENTRY" -v not_whole="$NOT_WHOLE" "$MASK_LOG" 9>&-
}
