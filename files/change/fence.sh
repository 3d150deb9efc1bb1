# The numbers of rollout leases that this host has met. A jada that was cut off from its lease, or slept, may still believe
# that it holds it: what it sends is refused here once the host has met a later one.
#
# The file `fence` in HOME_OF_JADA has a line for each STORE of leases: STORE NUMBER STATE HOLDER. A change that has no number
# closes them: then whoever has that very number comes too late as well. What else stands there counts for nothing.

# Keeps the NUMBER of HOLDER's lease of the STORE, or of a change without one (STORE is "") that it was made. Fails with 3
# and prints who came after it, if the host has met a later one; with another number where nothing can be kept.
pass_fence() {
    (
        umask 077
        flock -w 10 8 || exit 1
        fence=$HOME_OF_JADA/fence lines=
        if [ -f "$fence" ]; then
            while read -r store number state holder; do
                case $number in '' | *[!0-9]* | ????????????????*) continue ;; esac
                if [ -z "$STORE" ]; then
                    [ "$state" = closed ] || state=closed holder=$HOLDER
                elif [ "$store" = "$STORE" ]; then
                    [ "$NUMBER $state" != "$number open" ] || exit 0
                    [ "$NUMBER" -gt "$number" ] || {
                        [ "$state" = closed ] && echo "a change without a lease has come to this host since: $holder" ||
                            echo "another rollout, number $number, has come to this host since: $holder"
                        exit 3
                    }
                    continue
                fi
                lines="$lines$store $number $state $holder$NL"
            done <"$fence"
        fi
        [ -z "$STORE" ] || lines="$STORE $NUMBER open $HOLDER$NL$lines"
        [ -n "$lines" ] || exit 0
        # A fleet whose record has moved leaves a line behind; one of ten moves ago is nobody's.
        printf %s "$lines" | head -n 10 >"$fence.new" && flush "$fence.new" && mv -f "$fence.new" "$fence" &&
            flush "$HOME_OF_JADA"
    ) 2>/dev/null 8>>"$HOME_OF_JADA/fence.lock" 9>&-
}
