# One change of one host, all or nothing: puts new files in place, restarts the service, and believes the change only
# when the service has settled and answers. On any failure it puts the snapshot back by itself. POSIX sh with
# coreutils, flock and systemd; needs root. jada puts the assignments named in tasks/transaction.py before it.
#
# /var/lib/jada/lock                  held (flock) while a transaction runs; says by whom and why
# /var/lib/jada/transaction           link to the release being made; there only while it is not finished
# /var/lib/jada/current, previous     links to the last two releases that were completed
# /var/lib/jada/releases/ID/          manifest.json, before/ (the bytes there were), after (hashes), result, log
#
# Exit: 0 done; 10 failed, the host is as it was before; 11 failed and so did the restore; 12 refused, nothing was
# touched; 13 locked by someone else; 14 an earlier transaction had been cut off and was undone first.
export LC_ALL=C
umask 077
set -u
# The link to the controller may die at any moment: that is no reason to stop half-way.
trap '' HUP PIPE

HOME_OF_JADA=/var/lib/jada
RELEASES=$HOME_OF_JADA/releases
DIR=$RELEASES/$RELEASE
DROPIN=/etc/systemd/system/$UNIT.d/50-jada.conf
LIMITS=/etc/security/limits.d/50-jada.conf

say() {
    { printf '%s\n' "$*" || :; } 2>/dev/null
    [ ! -d "$DIR" ] || printf '%s %s\n' "$(date -u +%FT%TZ)" "$*" >>"$DIR/log" 2>/dev/null || :
}

step() { say "step $1"; }

refuse() {
    say "result refused"
    say "reason $*"
    [ ! -d "$DIR" ] || [ -e "$DIR/complete" ] || rm -rf "$DIR"
    exit 12
}

# Flushes files and folders to the disk: `sync FILE` is fsync(2) since coreutils 8.24.
flush() { sync "$@" 2>/dev/null || sync; }

hash_of() { if [ -e "$1" ]; then sha256sum <"$1" | cut -d' ' -f1; else echo absent; fi; }

link_to() { ln -s "$1" "$2.new" && mv -fT "$2.new" "$2"; }

# --- the service ------------------------------------------------------------------------------------------------

show() { systemctl show "$UNIT" --property="$1" --value; }

restart_service() { timeout "$RESTART_TIMEOUT" systemctl restart "$UNIT" 9>&-; }

# The service counts as settled when the same process has been active for SETTLE seconds, and says the right model.
settled() {
    pid=$(show MainPID)
    restarts=$(show NRestarts)
    left=$(( $1 * 2 ))
    while :; do
        [ "$(show ActiveState)" = active ] || { why="$UNIT is $(show ActiveState) ($(show Result)) after the restart"; return 1; }
        [ "$(show MainPID)" = "$pid" ] && [ "$(show NRestarts)" = "$restarts" ] ||
            { why="$UNIT crashed within ${1}s of its restart and was started again by systemd"; return 1; }
        [ "$left" -gt 0 ] || return 0
        left=$((left - 1))
        sleep 0.5 9>&-
    done
}

# Field 22 of proc_pid_stat(5): a process that was born at other ticks is another process.
birth_of() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }

answers() {
    [ -n "$HEALTH" ] && [ -n "$MODEL" ] || return 0
    tries=20
    while :; do
        answer=$(curl -fsS --max-time 3 "$HEALTH" 2>/dev/null 9>&-) && break
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || { why="$HEALTH did not answer within 10s of the restart"; return 1; }
        sleep 0.5 9>&-
    done
    case $(printf %s "$answer" | tr -d '[:space:]') in *"\"model\":\"$MODEL\""*) return 0 ;; esac
    why="$HEALTH does not answer with model $MODEL after the restart"
    return 1
}

has_limit() {
    [ -n "$NOFILE" ] || return 0
    soft=$(sed -n 's/^Max open files *\([^ ]*\).*/\1/p' "/proc/$(show MainPID)/limits" 2>/dev/null)
    [ "$soft" = "$NOFILE" ] || { why="the process may open ${soft:-?} files, not $NOFILE"; return 1; }
}

# --- the snapshot -----------------------------------------------------------------------------------------------

# Keeps one file's bytes, owner, mode and times in FOLDER, or the fact that there was none.
keep() { # FOLDER NAME PATH
    if [ -e "$3" ]; then
        cp -a "$3" "$1/$2" && [ "$(hash_of "$3")" = "$(hash_of "$1/$2")" ] || return 1
        printf '%s %s %s\n' "$2" "$(hash_of "$3")" "$3" >>"$1/files"
    else
        printf '%s absent %s\n' "$2" "$3" >>"$1/files"
    fi
}

# Puts the files of a snapshot back: content, owner, mode and times.
put_back() { # FOLDER
    while read -r name hash path; do
        [ "$name" != settings ] || path=$REAL
        if [ "$hash" = absent ]; then
            [ ! -e "$path" ] || { rm -f "$path" && flush "$(dirname "$path")"; } || return 1
            [ "$name" != dropin ] || rmdir "$(dirname "$path")" 2>/dev/null || :
        elif [ "$(hash_of "$path")" != "$hash" ] || [ "$(stat -c %u:%g:%a "$path")" != "$(stat -c %u:%g:%a "$1/$name")" ]; then
            mkdir -p "$(dirname "$path")" && cp -a "$1/$name" "$path.jada-new" && flush "$path.jada-new" &&
                mv -fT "$path.jada-new" "$path" && flush "$(dirname "$path")" || return 1
        fi
        [ "$(hash_of "$path")" = "$hash" ] || return 1
    done <"$1/files"
}

# NeedDaemonReload alone does not tell: systemd 252 answers "no" when the drop-in's folder is new to it.
reload_if_needed() {
    if [ "$(hash_of "$DROPIN")" != "$DROPIN_LOADED" ] || [ "$(show NeedDaemonReload)" = yes ]; then
        systemctl daemon-reload 9>&-
    fi
}

# --- undoing ----------------------------------------------------------------------------------------------------

# Puts the snapshot of the unfinished release in DIR back and has the service run on it.
restore() {
    trap '' INT TERM
    step restore
    rm -f "$REAL.jada-new" "$DROPIN.jada-new" "$LIMITS.jada-new"
    put_back "$DIR/before" || {
        say "result broken"
        say "reason $1; and the snapshot in $DIR/before could not be put back"
        exit 11
    }
    systemctl daemon-reload 9>&-
    if [ -e "$DIR/restarting" ]; then
        systemctl reset-failed "$UNIT" 2>/dev/null
        case $(cat "$DIR/was") in
            active)
                restart_service && settled "$((SETTLE < 2 ? SETTLE : 2))" || {
                    say "result broken"
                    say "reason $1; the old files are back, but $UNIT does not run on them either: see journalctl -u $UNIT"
                    exit 11
                } ;;
            inactive | failed) systemctl stop "$UNIT" 9>&- ;;
            *) restart_service ;;
        esac
    fi
    printf 'failed %s\n' "$1" >"$DIR/result"
    rm -f "$HOME_OF_JADA/transaction"
    flush "$HOME_OF_JADA"
}

fail() {
    trap - EXIT
    restore "$1"
    say "result restored"
    say "reason $1"
    exit 10
}

# --- the change -------------------------------------------------------------------------------------------------

# Writes stdin to PATH as one atomic step; an existing file keeps its owner, mode and attributes.
replace() { # PATH OWNER MODE
    if [ -e "$1" ]; then cp -a "$1" "$1.jada-new"; else : >"$1.jada-new" && chown "$2" "$1.jada-new" && chmod "$3" "$1.jada-new"; fi &&
        cat >"$1.jada-new" && flush "$1.jada-new" && mv -fT "$1.jada-new" "$1" && flush "$(dirname "$1")"
}

change_settings() {
    [ "$(hash_of "$REAL")" = "$EXPECTED" ] || fail "$SETTINGS was changed by someone else in the same moment"
    if [ ! -e "$REAL" ]; then
        folder=$(dirname "$REAL")
        [ -d "$folder" ] || { mkdir -p "$folder" && chown "$OWNER" "$folder" && chmod 700 "$folder"; } || return 1
    fi
    size=$(stat -c %s "$REAL" 2>/dev/null || echo 0)
    {
        { [ ! -e "$REAL" ] || head -c "$OFFSET" "$REAL"; } && printf %s "$INSERT" | base64 -d &&
            { [ ! -e "$REAL" ] || tail -c "+$((OFFSET + LENGTH + 1))" "$REAL"; }
    } >"$DIR/settings.new" || return 1
    [ "$(stat -c %s "$DIR/settings.new")" = "$((size - LENGTH + INSERTED))" ] || return 1
    replace "$REAL" "$OWNER" 600 <"$DIR/settings.new" && rm -f "$DIR/settings.new"
}

change_file() { # PATH BASE64
    (umask 022 && mkdir -p "$(dirname "$1")") && printf %s "$2" | base64 -d | replace "$1" root:root 644
}

main() {
    mkdir -p "$RELEASES" || { say "result refused"; say "reason $RELEASES can't be made: is the disk full or read-only?"; exit 12; }
    # Opened for appending, so that a second operator can't empty what the first wrote there.
    exec 9>>"$HOME_OF_JADA/lock"
    flock -n 9 || { say "result locked"; say "reason $(cat "$HOME_OF_JADA/lock")"; exit 13; }
    printf '%s' "$HOLDER" >"$HOME_OF_JADA/lock"

    step check
    [ "$(systemctl show "$UNIT" --property=LoadState --value)" = loaded ] || refuse "$UNIT is not a service of this host"
    [ ! -L "$HOME_OF_JADA/transaction" ] || recover
    [ "$(basename "$(readlink "$HOME_OF_JADA/current" || echo none)")" = "${CURRENT:-none}" ] ||
        refuse "another release was made on this host since it was looked at"
    [ "$(hash_of "$REAL")" = "$EXPECTED" ] || refuse "$SETTINGS was changed by someone else since it was looked at"
    mkdir "$DIR" && mkdir "$DIR/before" || refuse "$DIR can't be made: is the disk full or read-only?"

    step snapshot
    show ActiveState >"$DIR/was" && printf '%s' "$MANIFEST" | base64 -d >"$DIR/manifest.json" &&
        keep "$DIR/before" settings "$REAL" && keep "$DIR/before" dropin "$DROPIN" && keep "$DIR/before" limits "$LIMITS" &&
        printf '%s\n' "$REAL" >"$DIR/real" && flush "$DIR/before"/* "$DIR"/* "$DIR" "$RELEASES" ||
        refuse "the snapshot could not be written to $DIR: is the disk full?"
    link_to "releases/$RELEASE" "$HOME_OF_JADA/transaction" && flush "$HOME_OF_JADA" || refuse "$HOME_OF_JADA can't be written"

    trap 'fail "the transaction was stopped by a signal"' INT TERM
    trap 'fail "the transaction ended unexpectedly"' EXIT

    DROPIN_LOADED=$(hash_of "$DROPIN")
    if [ -n "$RESTORES" ]; then
        step files
        put_back "$RELEASES/$RESTORES/before" || fail "the files of the release before $RESTORES could not be put back"
    else
        step settings
        change_settings || fail "$SETTINGS could not be written"
        step dropin
        change_file "$DROPIN" "$DROPIN_BYTES" || fail "$DROPIN could not be written"
        step limits
        change_file "$LIMITS" "$LIMITS_BYTES" || fail "$LIMITS could not be written"
    fi
    step reload
    reload_if_needed || fail "systemctl daemon-reload failed"
    step restart
    : >"$DIR/restarting" && flush "$DIR" || fail "$DIR can't be written"
    systemctl reset-failed "$UNIT" 2>/dev/null
    restart_service || fail "systemctl restart $UNIT failed (it is $(show ActiveState), $(show Result))"
    step settle
    settled "$SETTLE" || fail "$why"
    step verify
    answers || fail "$why"
    has_limit || fail "$why"
    settled 0 && [ "$(show MainPID)" = "$pid" ] || fail "$UNIT crashed while it was being verified"

    step commit
    {
        keep_hashes && printf 'done %s %s %s\n' "$pid" "$(birth_of "$pid")" "$(cat /proc/sys/kernel/random/boot_id)" >"$DIR/result" &&
            : >"$DIR/complete" && rm -f "$DIR/restarting" && flush "$DIR"/* "$DIR"
    } || fail "the release could not be recorded in $DIR"
    if [ -L "$HOME_OF_JADA/current" ]; then
        link_to "$(readlink "$HOME_OF_JADA/current")" "$HOME_OF_JADA/previous" || fail "$HOME_OF_JADA can't be written"
    fi
    link_to "releases/$RELEASE" "$HOME_OF_JADA/current" || fail "$HOME_OF_JADA can't be written"
    # From here on the new release stands, whatever happens.
    trap '' INT TERM
    trap - EXIT
    rm -f "$HOME_OF_JADA/transaction"
    flush "$HOME_OF_JADA"
    prune
    say "result done"
}

# Ids sort by time; the current and the previous release stay whatever their age.
prune() {
    for id in $(ls "$RELEASES" | head -n "-$KEEP"); do
        [ "$id" = "$RELEASE" ] || [ "$id" = "$CURRENT" ] || rm -rf "${RELEASES:?}/$id"
    done
}

# What each file is once the release stands: name, hash, owner, mode.
keep_hashes() {
    for pair in settings:"$REAL" dropin:"$DROPIN" limits:"$LIMITS"; do
        path=${pair#*:}
        printf '%s %s %s\n' "${pair%%:*}" "$(hash_of "$path")" "$(stat -c '%u:%g %a' "$path" 2>/dev/null)"
    done >"$DIR/after"
}

# A transaction that was cut off (power, kill -9): back to its snapshot, or, had it been committed, only tidied up.
recover() {
    unfinished=$(basename "$(readlink "$HOME_OF_JADA/transaction")")
    if [ "$(basename "$(readlink "$HOME_OF_JADA/current" || echo none)")" = "$unfinished" ]; then
        rm -f "$HOME_OF_JADA/transaction"
        return 0
    fi
    say "recovering $unfinished"
    (
        DIR=$RELEASES/$unfinished
        REAL=$(cat "$DIR/real")
        : >"$DIR/restarting"
        restore "it was cut off half-way"
    ) || exit $?
    # What was looked at was the half-changed host: whoever asked has to look again.
    say "result recovered"
    say "reason an earlier transaction ($unfinished) had been cut off half-way; the host is back as it was before it"
    exit 14
}

main
