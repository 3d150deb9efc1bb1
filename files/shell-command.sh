# Somebody's own command, as root, with all that it says and its exit code. POSIX sh with coreutils and awk; within the
# way of run-command.sh. tasks/shell.py assigns COMMAND, INPUT, LONGEST and MOST_OUTPUT before it.

# As over ssh: the agent may give no home, and run-command.sh's are its own.
unset LC_ALL
umask 022
export HOME="${HOME:-/root}"
cd "$HOME" || cd /
FOLDER=$(mktemp -d /run/jada-ssm/shell.XXXXXXXXXX) || exit 1
trap 'rm -rf "$FOLDER"' EXIT

printf %s "$INPUT" | base64 -d >"$FOLDER/in"
# Not on a command line, which everybody here can read in `ps`, and which has an end.
printf '%s\n' "$COMMAND" >"$FOLDER/command"
began=$(date +%s)
{
    {
        timeout -k 1 "$LONGEST" sh "$FOLDER/command" <"$FOLDER/in" 3>&-
        echo "$?" >"$FOLDER/code"
    } 2>&1 >&3 3>&- | head -c "$MOST_OUTPUT" >"$FOLDER/err"
} 3>&1 | head -c "$MOST_OUTPUT" >"$FOLDER/out"
code=$(cat "$FOLDER/code")

case $code in
    124 | 137) [ "$(($(date +%s) - began))" -lt "$LONGEST" ] || code=late ;;
esac
# More than that ends it, or is lost.
for name in out err; do
    [ "$(wc -c <"$FOLDER/$name")" -lt "$MOST_OUTPUT" ] || code=flood
done
echo "$code"
[ "$code" != flood ] || exit 0
awk '{ print "o" $0 }' "$FOLDER/out"
awk '{ print "e" $0 }' "$FOLDER/err"
