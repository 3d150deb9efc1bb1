# What a transaction and the recovery from one that was cut off share. POSIX sh with coreutils, flock and systemd;
# needs root. tasks/transaction.py puts assignments before it, of what is wanted and of jada's places (tasks/paths.py), and
# transaction.sh or a call of recover_at_boot behind it.
#
# In HOME_OF_JADA:
#   lock                  held (flock) while a transaction runs; says by whom and why
#   held                  there while people have locked the host (`jada lock`); says by whom and why
#   held.lock             held (flock) while somebody does so, or frees it
#   fence, fence.lock     the numbers of rollout leases that were met here (fence.sh), and a flock on it
#   transaction           the id of the release being made; there only while it is not finished
#   current, previous     the ids of the last two releases that were completed
#   releases/ID/          manifest.json, place (whose file the snapshot is of, and where), before/ (the bytes there were),
#                         written and after (hashes), recover, result, log
# What is in the folder of settings.json belongs to the service's user: settings.sh works there, as that user. All else is
# root's own.
export LC_ALL=C
umask 077
set -u
# The link to the controller may die at any moment: that is no reason to stop half-way.
trap '' HUP PIPE

RELEASES=$HOME_OF_JADA/releases
DIR=$RELEASES/$RELEASE
# Jada's own files beside settings.json, by the names that a snapshot has for them.
OWN_FILES="dropin:$DROPIN limits:$LIMITS"
# Seconds for a verb of settings.sh, whose process is the user's and may be stopped by it.
LONGEST_VERB=20
# Bytes of a settings.json that are kept; a look takes no longer one.
MOST_OF_SETTINGS=8388608
# Bytes of settings.json, and of an environment, whose values are known where a journal is masked.
MOST_KNOWN=1000000
EDITED=
NL='
'
RECOVERY=/etc/systemd/system/jada-recover.service
WANTS=/etc/systemd/system/multi-user.target.wants

# The log has seconds since the boot: a clock may jump, and to ask for the date costs a process each time.
say() {
    case $1 in "result "*) journal_result "${1#* }" ;; esac
    { printf '%s\n' "$*" || :; } 2>/dev/null
    [ ! -d "$DIR" ] || { read -r uptime _ </proc/uptime; printf '%s %s\n' "$uptime" "$*" >>"$DIR/log"; } 2>/dev/null || :
}

# One line in the host's own journal for each change, `journalctl -t jada`. Nobody waits for it.
journal_result() { # RESULT
    { printf '%s: %s\n' "${JOURNAL_LINE-}" "$1" | timeout -k 1 5 systemd-cat -t jada; } >/dev/null 2>&1 9>&- &
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

# `:` and exec end the whole shell when their redirection fails; this does not.
touch_file() { printf '' >"$1" 2>/dev/null; }

hash_of() {
    [ -e "$1" ] || { echo absent; return; }
    # shellcheck disable=SC2046
    set -- $(sha256sum <"$1")
    echo "${1:-unreadable}"
}

# Files that hold an id, for a link to a folder can't be replaced in one step by every mv (uutils coreutils).
point() { # NAME ID
    printf '%s\n' "$2" 2>/dev/null >"$HOME_OF_JADA/$1.new" && flush "$HOME_OF_JADA/$1.new" &&
        mv -fT "$HOME_OF_JADA/$1.new" "$HOME_OF_JADA/$1"
}

# The id in such a file; "none" where there is none.
pointed() { # NAME
    id=
    [ ! -f "$HOME_OF_JADA/$1" ] || read -r id <"$HOME_OF_JADA/$1"
    echo "${id:-none}"
}

is_unfinished() { [ -e "$HOME_OF_JADA/transaction" ]; }

# --- settings.json ----------------------------------------------------------------------------------------------

# A verb of settings.sh: as the service's user, or as root where the file is PLACED by root. The user may trace its own
# process: it gets no pipe of root's but one for an answer, which is bounded, and is not waited for when the time is up.
settings() { # VERB ...
    verb=$1
    shift
    set -- sh -c "$SETTINGS_SH" settings "$verb" "$FOLDER" "$NAME" "$@"
    [ "$USER_ID" = 0 ] || [ -n "$PLACED" ] ||
        set -- setpriv --reuid "$USER_ID" --regid "$GROUP_ID" --init-groups --no-new-privs "$@"
    # One that can't be killed, for it waits for a file system of its user's, keeps the inner timeout, but not the outer.
    set -- timeout -k 1 "$((LONGEST_VERB + 4))" timeout -k 2 "$LONGEST_VERB" "$@"
    case $verb in
        hash | read)
            PLACED=$PLACED USER_ID=$USER_ID MOST=$MOST_OF_SETTINGS "$@" 2>/dev/null 9>&- </dev/null |
                timeout -k 1 "$((LONGEST_VERB + 5))" head -c "$MOST_OF_SETTINGS" 9>&- ;;
        *) PLACED=$PLACED USER_ID=$USER_ID MOST=$MOST_OF_SETTINGS "$@" >/dev/null 2>&1 9>&- ;;
    esac
}

settings_hash() {
    set -- "$(settings hash)"
    case $1 in
        absent) ;;
        *[!0-9a-f]* | '') set -- unreadable ;;
        *) [ "${#1}" = 64 ] || set -- unreadable ;;
    esac
    echo "$1"
}

# Owner, mode and time of the file by root's own look at the name, which opens nothing; $why it is none to write to.
read_settings_facts() {
    kind=absent owner=$USER_ID:$GROUP_ID mode=600 time='' size=0 why='' folder_owner=
    # A file system of the user's own may let this wait for ever: the limit is that of a shell which waits for none.
    # shellcheck disable=SC2016 # for the shell within
    facts=$(timeout -k 1 "$LONGEST_VERB" sh -c '{
        CDPATH="" cd -P -- "$1" && [ "$(readlink /proc/self/cwd)" = "$1" ] && stat -c "%f %u:%g %a %h %.9Y %s" . "./$2"
    } | cat' facts "$FOLDER" "$NAME" 2>/dev/null 9>&-)
    case $? in 124 | 137) why="its folder can't be looked at within $LONGEST_VERB s"; return 1 ;; esac
    # shellcheck disable=SC2086 # fields without blanks
    set -- $facts
    folder_owner=${2-}
    folder_owner=${folder_owner%%:*}
    case ${folder_owner:-0} in 0 | "$USER_ID") ;; *) why="its folder belongs to another user, $folder_owner"; return 1 ;; esac
    if [ $# -gt 6 ]; then
        kind=file owner=$8 time=${11} size=${12}
        # A mode beyond rwx has no place on a file that others may have named.
        mode=00$9 mode=${mode#"${mode%???}"}
        case $7 in 8*) ;; *) why="it is no regular file"; return 1 ;; esac
        case ${owner%%:*} in
            "$USER_ID") ;;
            0) [ "${10}" = 1 ] || { why="it is a file of root's that has other names too"; return 1; } ;;
            *) why="it belongs to another user, ${owner%%:*}"; return 1 ;;
        esac
    fi
    place_for "$owner"
}

# Sets PLACED if the user could not make such a file there: it is root's, or of a foreign group, or the folder is root's.
place_for() { # OWNER
    PLACED=
    [ "$USER_ID" != 0 ] || return 0
    if [ "${1%%:*}" = 0 ] || [ "${folder_owner:-$USER_ID}" = 0 ]; then
        PLACED=yes
    elif [ "${1#*:}" != "$GROUP_ID" ]; then
        case " $(id -G "$USER_ID" 2>/dev/null) " in *" ${1#*:} "*) ;; *) PLACED=yes ;; esac
    fi
    # Where a link leads is the user's word, and no reason for root to write there.
    [ -z "$PLACED" ] || [ -z "$LINKED" ] || { PLACED='' why="a link leads to it, and it is not its user's alone"; return 1; }
}

# Whose file it is, where it is, and of which service: what a snapshot is bound to, a line each.
place() { printf '%s\n' "$USER_ID" "$GROUP_ID" "$UNIT" "$LINKED" "$FOLDER" "$NAME"; }

# Takes that from what an earlier release wrote down.
place_of() { # RELEASE-FOLDER
    { read -r USER_ID && read -r GROUP_ID && read -r UNIT && read -r LINKED && IFS= read -r FOLDER && IFS= read -r NAME; } <"$1/place"
}

# --- the service ------------------------------------------------------------------------------------------------

# All that is asked of systemd, in one call and read by the shell itself: a process more costs the host a few ms.
read_unit() {
    loaded='' active='' result='' pid=0 restarts='' needs_reload='' group='' stood_still=0
    # No here-document: some shells write those to a file, and the disk may be full. No value has a space.
    for pair in $(systemctl show "$UNIT" --property="LoadState,ActiveState,Result,MainPID,NRestarts,NeedDaemonReload,\
ControlGroup,InactiveEnterTimestampMonotonic"); do
        case $pair in
            LoadState=*) loaded=${pair#*=} ;;
            ActiveState=*) active=${pair#*=} ;;
            Result=*) result=${pair#*=} ;;
            MainPID=*) pid=${pair#*=} ;;
            NRestarts=*) restarts=${pair#*=} ;;
            NeedDaemonReload=*) needs_reload=${pair#*=} ;;
            ControlGroup=*) group=${pair#*=} ;;
            InactiveEnterTimestampMonotonic=*) stood_still=${pair#*=} ;;
        esac
    done
    # Where systemd knows no main process (Type=oneshot, or one that forks), the first of its control group stands for it.
    [ "$pid" = 0 ] && [ -n "$group" ] || return 0
    for procs in "/sys/fs/cgroup/systemd$group/cgroup.procs" "/sys/fs/cgroup$group/cgroup.procs"; do
        [ ! -r "$procs" ] || { read -r pid <"$procs" && return 0; } 2>/dev/null
    done
    pid=0
}

# A unit that was started too often is forgiven that, and tried once more; not one whose restart hangs.
restart_service() {
    timeout "$RESTART_TIMEOUT" systemctl restart "$UNIT" 9>&- || {
        [ $? -ne 124 ] && systemctl reset-failed "$UNIT" 2>/dev/null 9>&- &&
            timeout "$RESTART_TIMEOUT" systemctl restart "$UNIT" 9>&-
    } || return
    # Of a unit that systemd was about to start again it goes on counting, whoever starts it; it may have been so since
    # anybody asked.
    systemctl reset-failed "$UNIT" 2>/dev/null 9>&- || :
}

# The service counts as settled when the same process has been active for SETTLE seconds, and says the right model.
settled() {
    read_unit
    first=$pid/$restarts
    left=$(( $1 * 2 ))
    while :; do
        [ "$active" = active ] || { why="$UNIT is $active ($result) after the restart"; return 1; }
        [ "$pid/$restarts" = "$first" ] ||
            { why="$UNIT crashed within ${1}s of its restart and was started again by systemd"; return 1; }
        [ "$left" -gt 0 ] || return 0
        left=$((left - 1))
        sleep 0.5 9>&-
        read_unit
    done
}

# Field 22 of proc_pid_stat(5): a process that was born at other ticks is another process.
birth_of() {
    read -r stat 2>/dev/null <"/proc/$1/stat" || return 0
    # shellcheck disable=SC2086 # numbers
    set -- ${stat##*) }
    echo "${20}"
}

# A service that is rolled back is waited for too, but not judged: that is done by the look that follows.
wait_for_model() {
    [ -n "$CHECK_URL" ] || return 0
    # Often at first, for most services answer within a second; none does at once.
    tries=28
    while :; do
        if [ "$tries" -gt 18 ]; then sleep 0.1 9>&-; else sleep 0.5 9>&-; fi
        # The URL may hold a password, and a command line is for everybody to see; an answer has an end.
        answer=$(printf 'url = "%s"\n' "$CHECK_URL" | curl -q -fsS --max-time 3 --proto '=http,https' -K - 2>/dev/null 9>&- |
            head -c 65536)
        [ -z "$answer" ] || break
        tries=$((tries - 1))
        why="$CHECK_URL_TOLD did not answer within 10s of the restart"
        [ "$tries" -gt 0 ] || { [ -z "$MODEL" ]; return; }
    done
    [ -n "$MODEL" ] || return 0
    # Of a long context, asked for with [1m], a service may tell nothing: the Claude CLI does not send it.
    short=${MODEL%'[1m]'}
    case $(printf %s "$answer" | tr -d '[:space:]') in
        *"\"model\":\"$MODEL\""* | *"\"model\":\"$short\""*) return 0 ;;
    esac
    why="$CHECK_URL_TOLD does not answer with model $MODEL after the restart"
    return 1
}

# What settings.json and the process's environment hold, a line each: it goes before a journal that is masked
# (files/change/mask-log.awk).
known_values() {
    settings read | head -c "$MOST_KNOWN" | tr '\n\0' '\001\001'
    echo
    timeout -k 1 3 head -c "$MOST_KNOWN" "/proc/$pid/environ" 2>/dev/null | tr '\n\0' '\001\002'
    echo
}

# The last lines of the service's journal, with secrets masked.
journal() { # COUNT OPTION...
    count=$1
    shift
    {
        known_values
        timeout -k 1 10 journalctl -q --no-pager --no-hostname -o short-iso -u "$UNIT" -n "$count" "$@" 2>/dev/null </dev/null
    } 9>&- | awk "$MASK_LOG" 9>&-
}

has_limit() {
    [ -n "$NOFILE" ] || return 0
    soft=
    while read -r max open files one _; do
        [ "$max $open $files" != "Max open files" ] || soft=$one
    done 2>/dev/null <"/proc/$pid/limits"
    [ "$soft" = "$NOFILE" ] || { why="the process may open ${soft:-?} files, not $NOFILE"; return 1; }
    fewer=$(members | awk -v root= -v least="$NOFILE" -v stood_still="$stood_still" "$LIMITS_AWK")
    [ -z "$fewer" ] || { why="$fewer processes of $UNIT may open fewer files than $NOFILE"; return 1; }
}

# The processes of the unit, one a line.
members() {
    echo "$pid"
    for folder in "/sys/fs/cgroup/systemd$group" "/sys/fs/cgroup$group"; do
        [ -n "$group" ] && [ -d "$folder" ] || continue
        cat "$folder/cgroup.procs" "$folder"/*/cgroup.procs "$folder"/*/*/cgroup.procs 2>/dev/null
    done
}

# --- the snapshot -----------------------------------------------------------------------------------------------

# The hashes of files, one a line, by one process.
hashes_of() (
    set -f
    IFS=$NL
    # shellcheck disable=SC2046 # a file a line
    for line in $(sha256sum "$@"); do
        # A backslash before the line says that there are some in the path.
        line=${line#\\}
        echo "${line%% *}"
    done
)

# Whether both are there with the same bytes, owner and mode.
same_file() {
    [ -e "$1" ] && [ -e "$2" ] || return 1
    # shellcheck disable=SC2046 # a hash and an owner each
    set -- $(hashes_of "$1" "$2") $(stat -c %u:%g:%a "$1" "$2")
    [ $# -eq 4 ] && [ "$1" = "$2" ] && [ "$3" = "$4" ]
}

# What somebody else made of settings.json after the change of it: kept in the release's folder before it is replaced.
keep_edit() {
    [ -e "$DIR/written" ] || return 0
    hash=$(settings_hash)
    [ "$hash" = absent ] || [ "$hash" = "$(hash_of "$DIR/before/settings")" ] || [ "$hash" = "$(cat "$DIR/written")" ] || {
        settings read >"$DIR/settings.edited" &&
            EDITED="; $FOLDER/$NAME was changed by someone else meanwhile, that text is kept in $DIR/settings.edited"
    }
}

# Puts the files of a snapshot back: content, owner, mode and times. One that can't be put back keeps no other from it.
restore_files() { # FOLDER
    bad=
    while read -r name hash was was_mode was_time path; do
        case $name in
            # Not changed yet by this release: it is as it was, or somebody else's.
            settings) [ ! -e "$DIR/written" ] || restore_settings "$1/settings" ;;
            *) restore_file "$1/$name" ;;
        esac || bad=yes
    done <"$1/files"
    [ -z "$bad" ]
}

restore_settings() { # COPY
    read_settings_facts && place_for "$was" || return 1
    if [ "$hash" = absent ]; then
        settings remove </dev/null
    elif [ "$(settings_hash) $owner $mode" != "$hash $was $was_mode" ]; then
        settings restore "$hash" "$was" "$was_mode" "$was_time" <"$1"
    fi && [ "$(settings_hash)" = "$hash" ]
}

# One of root's own.
restore_file() { # COPY
    folder=${path%/*}
    if [ "$hash" = absent ]; then
        [ ! -e "$path" ] || { rm -f "$path" && flush "$folder"; } || return 1
    elif ! same_file "$path" "$1"; then
        if same_file "$path.jada-old" "$1"; then
            mv -fT "$path.jada-old" "$path"
        else
            { [ -d "$folder" ] || mkdir -p "$folder"; } && cp -a "$1" "$path.jada-new" && flush "$path.jada-new" &&
                mv -fT "$path.jada-new" "$path"
        fi && flush "$folder" || return 1
    fi
    [ "$(hash_of "$path")" = "$hash" ]
}

remove_temp_files() {
    set --
    for pair in $OWN_FILES recovery:"$RECOVERY"; do set -- "$@" "${pair#*:}.jada-new" "${pair#*:}.jada-old"; done
    rm -f "$@"
    [ -e "$DROPIN" ] || rmdir "${DROPIN%/*}" 2>/dev/null || :
    # The folder that jada made for settings.json, where neither is wanted any more.
    ours=
    for snapshot in "$DIR" "$RELEASES/${RESTORES:-none}"; do
        [ ! -e "$snapshot/before/no-folder" ] || ours=yes
    done
    settings remove_temp_files "$ours" </dev/null || :
}

# What is left to do once a release stands or has been undone: the transaction is over.
close_transaction() {
    remove_temp_files
    rm -f "$HOME_OF_JADA/transaction"
    flush "$HOME_OF_JADA"
}

# NeedDaemonReload alone does not tell: systemd 252 answers "no" when the drop-in's folder is new to it.
reload_if_needed() {
    if [ "$(hash_of "$DROPIN")" != "$DROPIN_LOADED" ] || { read_unit && [ "$needs_reload" = yes ]; }; then
        systemctl daemon-reload 9>&-
    fi
}

# --- undoing ----------------------------------------------------------------------------------------------------

# Puts the snapshot of the unfinished release in DIR back and has the service run on it; fails if it does not, and exits
# where the files can't be put back.
restore() {
    trap '' INT TERM
    step restore
    touch_file "$DIR/restored" || :
    keep_edit
    restore_files "$DIR/before" || {
        say "result broken"
        say "reason $1; and the snapshot in $DIR/before could not be put back"
        exit 11
    }
    systemctl daemon-reload 9>&-
    runs=yes
    if [ -e "$DIR/restarting" ]; then
        case $(cat "$DIR/was") in
            active)
                # Waited for as long as any start, and then judged by the look that follows.
                MODEL=
                restart_service && settled "$SETTLE" && wait_for_model || runs= ;;
            inactive | failed) systemctl stop "$UNIT" 9>&- ;;
            *) restart_service ;;
        esac
    fi
    # The files are back: what is done there next, by hand or by another release, is not to be undone once more.
    end_of_failed "$1"
    [ -n "$runs" ]
}

# Marks the release in DIR as one that never was, and takes away what it left beside the files.
end_of_failed() {
    printf 'failed %s\n' "$1" 2>/dev/null >"$DIR/result"
    close_transaction
}

fail() {
    trap - EXIT
    restore "$1" || {
        say "result broken"
        say "reason $1; rolled back, but $UNIT does NOT run on the old files either"
        exit 11
    }
    say "result restored"
    say "reason $1$EDITED"
    exit 10
}

# A transaction that was cut off (power, kill -9): back to its snapshot, or, had it been committed, only tidied up.
# Exits when that failed.
recover() {
    unfinished=$(pointed transaction)
    if [ "$(pointed current)" = "$unfinished" ]; then
        close_transaction
        return 0
    fi
    say "recovering $unfinished"
    (
        DIR=$RELEASES/$unfinished RESTORES=
        place_of "$DIR"
        # It may have been of another unit.
        DROPIN=${DROPIN%/*/*}/$UNIT.d/${DROPIN##*/} OWN_FILES="dropin:$DROPIN limits:$LIMITS"
        touch_file "$DIR/restarting"
        restore "it was cut off half-way" || :
    ) || exit $?
}

# Run by jada-recover.service when the host went down in the middle: before the agent starts, so nothing is restarted.
recover_at_boot() {
    exec 9>>"$HOME_OF_JADA/lock"
    flock -w 60 9 || exit 11
    is_unfinished || exit 0
    DIR=$RELEASES/$(pointed transaction)
    read_settings_facts
    [ "$(pointed current)" = "${DIR##*/}" ] || {
        step recover
        keep_edit
        restore_files "$DIR/before" || exit 11
        systemctl daemon-reload
        printf 'failed the host went down in the middle\n' >"$DIR/result"
    }
    close_transaction
}
