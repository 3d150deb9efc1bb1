# Locks a host against changes by jada, or frees it: `jada lock`, `jada unlock`. WHO does so, SINCE when and WHY ("" frees);
# after LASTS seconds ("" never) the lock ends by itself, by this host's own clock, which people read as UNTIL. A lock that
# another than WHO has put on stays, unless FORCE. Runs as root. Prints the lock that there was, and at last what came of
# it: jada-held or jada-refused.
#
# The file `held` in HOME_OF_JADA has five lines: when it ends in Unix seconds or 0, who, since, until, why. What else is there is a
# lock of somebody unknown, and never ends: transaction.sh and tasks/operator_lock.py read it likewise.
umask 077
held=$HOME_OF_JADA/held
# One at a time looks and writes. The lock of a transaction is another one: people may lock a host that is being changed.
unwritable() {
    echo "${held%/*} can't be written: is the disk full or read-only?"
    exit 2
}
mkdir -p "${held%/*}" && touch "${held%/*}/held.lock" || unwritable
exec 9>>"${held%/*}/held.lock"
flock -w 10 9 || { echo "another is locking or freeing it"; exit 2; }
ends='' who='' expired=''
if [ -e "$held" ]; then
    { read -r ends; IFS= read -r who; } <"$held"
    case $ends in '' | 0* | *[!0-9]* | ?????????????*) ;; *) [ "$(date +%s)" -lt "$ends" ] || expired=yes ;; esac
    if [ -z "$expired" ]; then
        printf '%s\n' "$(cat "$held")"
        [ "$who" = "$WHO" ] || [ -n "$FORCE" ] || { echo jada-refused; exit 0; }
    fi
fi
if [ -n "$WHY" ]; then
    ends=0
    [ -z "$LASTS" ] || ends=$(($(date +%s) + LASTS))
    printf '%s\n' "$ends" "$WHO" "$SINCE" "$UNTIL" "$WHY" >"$held.new.$$" && sync "$held.new.$$" &&
        mv -f "$held.new.$$" "$held" && sync "${held%/*}" || { rm -f "$held.new.$$"; false; }
else
    rm -f "$held"
fi || unwritable
# For whoever asks this host alone later on: whose lock it was, too.
printf '%s\n' "$([ -n "$WHY" ] && echo "locked" || echo unlocked) by $WHO${WHY:+: $WHY}${who:+; it was locked by $who}" | logger -t jada 2>/dev/null
echo jada-held
