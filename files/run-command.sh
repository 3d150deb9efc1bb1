# The way of a script to a host through Systems Manager's Run Command, and of its answer back. POSIX sh with coreutils, gzip
# and awk, as root. tasks/run_command.py assigns TOKEN, CHANGES, LONGEST, MOST_SAID, PAYLOAD and CHECKSUM before it.
export LC_ALL=C
umask 077
# Of this boot alone, and root's: nobody else can make a folder there.
SPOOLS=/run/jada-ssm
SPOOL=$SPOOLS/$TOKEN

# What is packed of the scripts. Where there is a checksum, it fits into no command: those before this one have laid its
# parts down.
payload() {
    if [ "$CHECKSUM" ]; then cat "$SPOOL.parts"/*; else printf %s "$PAYLOAD"; fi
}

is_whole() {
    [ -z "$CHECKSUM" ] || [ "$(payload 2>/dev/null | sha256sum)" = "$CHECKSUM  -" ]
}

# The script that is meant for this host. First stand the lines in which that of an instance differs from the common one
# ("ID LINE TEXT"; line 0 only names it), then "-", then the common one. Fails where this instance is not named.
mine() {
    # shellcheck disable=SC2153 # assigned before
    payload | base64 -d | gunzip | awk -v me="${AWS_SSM_INSTANCE_ID:-none}" '
        !common && $0 == "-" { common = 1; if (!(0 in own)) exit 1; next }
        !common { if ($1 == me) { at = $2; sub(/^[^ ]+ [^ ]+ /, ""); own[at] = $0 } next }
        { at = ++line; print (at in own) ? own[at] : $0 }'
}

# The script runs, and all it said is packed beside its head: token, exit code, length and checksum.
answer() {
    if ! is_whole; then
        echo "error=the parts of its script are not all there, or not whole; nothing of it was run" >"$SPOOL/said"
        code=1
    elif mine >"$SPOOL/script"; then
        # shellcheck disable=SC2016 # for the shell within
        timeout -k 1 "$LONGEST" sh -c 'eval "$(cat)"' jada <"$SPOOL/script" >"$SPOOL/said" 2>/dev/null
        code=$?
    else
        echo "error=the agent of Systems Manager there does not say which instance it is" >"$SPOOL/said"
        code=1
    fi
    gzip -c <"$SPOOL/said" | base64 -w0 >"$SPOOL/packed"
    hash=$(sha256sum <"$SPOOL/packed")
    { echo "jada-answer $TOKEN $code $(wc -c <"$SPOOL/packed") ${hash%% *}"; cat "$SPOOL/packed"; } >"$SPOOL/answer.new"
    rm -rf "$SPOOL/script" "$SPOOL/said" "$SPOOL/packed" "$SPOOL.parts"
    mv "$SPOOL/answer.new" "$SPOOL/answer"
}

mkdir -p "$SPOOLS"
# What nobody came for. Without an answer it may still run, for the 48 hours that AWS has for a command: to take its folder
# away would be to let it run again.
find "$SPOOLS" -mindepth 1 -maxdepth 1 \( -mmin +2880 -o -mmin +60 -exec test -e '{}/answer' \; \) -exec rm -rf {} +
# A command whose sending got no answer is sent again: it runs once all the same, and both give its answer.
until [ -e "$SPOOL/answer" ]; do
    if mkdir "$SPOOL" 2>/dev/null; then answer || exit 1; else sleep 1; fi
done
head -c "$MOST_SAID" "$SPOOL/answer"
# Kept: the rest of a long answer, and what must not run again.
[ -n "$CHANGES" ] || [ "$(wc -c <"$SPOOL/answer")" -gt "$MOST_SAID" ] || rm -rf "$SPOOL"
