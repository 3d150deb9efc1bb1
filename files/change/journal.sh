# The service's journal for people, with secrets masked: goes behind host.sh. A line begins with the time in microseconds, the
# model and the release of its entry, "-" where it has none.

# Where FOLLOW is given, it goes on until stdin ends, as it does when nobody reads any more.
entries() { # FOLLOW OPTION...
    follow=$1
    shift
    set -- journalctl -q -a --no-pager -o json --output-fields=MESSAGE,SYSLOG_IDENTIFIER,JADA_MODEL,JADA_RELEASE \
        -u "$UNIT" "$@"
    {
        known_values
        if [ -n "$follow" ]; then
            "$@" -f 2>/dev/null </dev/null &
            cat >/dev/null
            kill "$!"
        else
            timeout -k 1 10 "$@" 2>/dev/null </dev/null
        fi
    } 9>&- | masked_at_once
}

# mawk reads a block at a time unless it is told otherwise; no other awk has that option.
masked_at_once() {
    case $(awk -W version 2>&1 </dev/null | head -n 1) in mawk*) set -- -W interactive ;; *) set -- ;; esac
    awk "$@" -v entries=yes "$MASK_LOG" 9>&-
}
