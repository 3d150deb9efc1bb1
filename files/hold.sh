# Locks a host against changes by jada, or frees it: `jada lock`, `jada unlock`. HELD says by whom, since when and why;
# empty frees. Runs as root; prints what held the host before.
umask 077
held=/var/lib/jada/held
cat "$held" 2>/dev/null
if [ -n "$HELD" ]; then
    mkdir -p "${held%/*}" && printf '%s\n' "$HELD" >"$held.new" && sync "$held.new" && mv -f "$held.new" "$held" && sync "${held%/*}"
else
    rm -f "$held"
fi && echo "jada-held" || exit 2
