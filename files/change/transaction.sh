# One change of one host, all or nothing: puts new files in place, restarts the service, and believes the change only
# when the service has settled and answers. On any failure it puts the snapshot back by itself. Runs behind host.sh.
#
# Exit: 0 done; 10 failed, the host is as it was before; 11 failed and so did the restore; 12 refused, nothing was
# touched; 13 locked by someone else, or a later rollout has come; 14 an earlier transaction had been cut off and was undone
# first.

# What was written beside a file takes its place, as one atomic step.
finish() { mv -fT "$1.jada-new" "$1" && flush "${1%/*}/"; } # PATH

unchanged() { [ "$(settings_hash)" = "$EXPECTED" ]; }

# The file keeps its owner, mode and attributes. What it is to be is put together from the snapshot.
change_settings() {
    [ "$SETTINGS_HASH" = "$EXPECTED" ] || changed_meanwhile
    eval "edited \"\$original\" $EDITS" >"$DIR/new" || return 1
    [ "$(stat -c %s "$DIR/new")" = "$SIZE" ] || return 1
    # The hash is on the disk before the file is: without it, a way back would take the new text for somebody else's.
    hash_of "$DIR/new" >"$DIR/written" && flush "$DIR/written" "$DIR" || return 1
    [ -z "$PLACED" ] || unchanged || changed_meanwhile
    settings change "$EXPECTED" "$owner" "$mode" <"$DIR/new"
    case $? in
        0) rm -f "$DIR/new" ;;
        3) changed_meanwhile ;;
        *) return 1 ;;
    esac
}

# Nothing was written: the way back leaves somebody else's text alone.
changed_meanwhile() {
    rm -f "$DIR/written"
    fail "$SETTINGS was changed by someone else in the same moment"
}

# A file of jada's own: root's, and for everybody to read.
change_file() { # PATH TEXT
    (
        umask 022
        [ -d "${1%/*}" ] || mkdir -p "${1%/*}"
        printf %s "$2" >"$1.jada-new"
    ) 2>/dev/null && flush "$1.jada-new" && finish "$1"
}

lock() {
    { [ -d "$RELEASES" ] || mkdir -p "$RELEASES"; } 2>/dev/null && printf '' 2>/dev/null >>"$HOME_OF_JADA/lock" ||
        refuse "$HOME_OF_JADA can't be written: is the disk full or read-only?"
    # Opened for appending, so that a second operator can't empty what the first wrote there.
    exec 9>>"$HOME_OF_JADA/lock"
    # A look may hold it for a moment.
    if ! flock -w 2 9; then
        say "result locked"
        say "reason $(cat "$HOME_OF_JADA/lock")"
        exit 13
    fi
    printf '%s' "$HOLDER" 2>/dev/null >"$HOME_OF_JADA/lock"
    if [ -z "$FORCE" ] && is_held; then
        say "result locked"
        say "reason ${by:-somebody} since $since: $why"
        exit 13
    fi
    later=$(pass_fence)
    case $? in
        0) ;;
        3)
            say "result fenced"
            say "reason $later"
            exit 13 ;;
        # On a full disk too there is a way back.
        *) [ -n "$RESTORES" ] || refuse "$HOME_OF_JADA can't be written: is the disk full or read-only?" ;;
    esac
}

# Whether people have locked the host (files/lock.sh); one that is to end by itself does so by this host's clock.
is_held() {
    ends='' by='' since='' why=''
    [ -e "$HOME_OF_JADA/held" ] || return 1
    { read -r ends; IFS= read -r by; IFS= read -r since; read -r _; IFS= read -r why; } 2>/dev/null <"$HOME_OF_JADA/held"
    case $ends in '' | 0* | *[!0-9]* | ?????????????*) ;; *) [ "$(date +%s)" -lt "$ends" ] ;; esac
}

check() {
    read_unit
    [ -n "$loaded" ] || refuse "systemctl does not work there"
    [ "$loaded" = loaded ] || refuse "$UNIT is not a service of this host"
    if is_unfinished; then
        unfinished=$(pointed transaction)
        recover
        # What was looked at was the half-changed host: whoever asked has to look again.
        say "result recovered"
        say "reason an earlier transaction ($unfinished) had been cut off half-way and was undone first"
        exit 14
    fi
    [ "$(pointed current)" = "${CURRENT:-none}" ] ||
        refuse "another release was made on this host since it was looked at"
    read_settings_facts || refuse "$SETTINGS is not changed: $why"
    [ -n "$folder_owner" ] || [ ! -e "$FOLDER" ] || refuse "$SETTINGS is not changed: a link leads to its folder, $FOLDER"
    if [ -n "$RESTORES" ]; then
        # A way back takes the file as it finds it: nothing that its user said of it before decides.
        EXPECTED=$(settings_hash)
    else
        unchanged || refuse "$SETTINGS was changed by someone else since it was looked at"
    fi
    [ "$kind" != absent ] || [ "$EXPECTED" = absent ] || refuse "$SETTINGS is not changed: it comes and goes"
    [ "$kind $EXPECTED" != "file absent" ] || refuse "$SETTINGS is not changed: its own user can't get to it"
    [ -z "$RESTORES" ] || [ "$(cat "$RELEASES/$RESTORES/place")" = "$(place)" ] || refuse_other_place
}

# A snapshot goes back to the place it was taken of, and to no other.
refuse_other_place() {
    place_of "$RELEASES/$RESTORES"
    refuse "its snapshot is of $FOLDER/$NAME of user $USER_ID, for $UNIT, and not of what the service reads now"
}

# Keeps the bytes, owner, mode and times of the files in DIR/before, or the fact that there was none, with their hashes.
copy_originals() {
    set --
    # What its user may not read, or nobody would want to keep, has its second name for the way back, and no copy.
    SETTINGS_HASH=$EXPECTED original=/dev/null
    if [ "$kind" = file ] && [ "$EXPECTED" != unreadable ] && [ "$size" -le "$MOST_OF_SETTINGS" ]; then
        original=$DIR/before/settings
        settings read >"$original" || return 1
        set -- "$original"
    fi
    for pair in $OWN_FILES; do
        path=${pair#*:} copy=$DIR/before/${pair%%:*}
        [ -e "$path" ] || continue
        cp -a "$path" "$copy" || return 1
        set -- "$@" "$path" "$copy"
    done
    # shellcheck disable=SC2046 # a hash of settings.json's copy, and two of each other file
    [ $# -eq 0 ] || set -- $(hashes_of "$@")
    if [ "$original" != /dev/null ]; then
        [ -n "${1:-}" ] || return 1
        SETTINGS_HASH=$1
        shift
    fi
    printf 'settings %s %s %s %s %s\n' "$SETTINGS_HASH" "$owner" "$mode" "${time:-0}" "$NAME" >"$DIR/before/files" || return 1
    for pair in $OWN_FILES; do
        path=${pair#*:} hash=absent
        if [ -e "$path" ]; then
            [ -n "${1:-}" ] && [ "$1" = "${2:-}" ] || return 1
            hash=$1
            shift 2
        fi
        printf '%s %s - - - %s\n' "${pair%%:*}" "$hash" "$path" >>"$DIR/before/files" || return 1
        [ "$path" != "$DROPIN" ] || DROPIN_LOADED=$hash
    done
}

# A second name for each file, which stays with the old one when another takes its place: that makes the way back a mere
# rename, which works on a full disk too.
link_originals() {
    for pair in $OWN_FILES; do
        path=${pair#*:}
        [ ! -e "$path" ] || ln -f "$path" "$path.jada-old" 2>/dev/null || cp -a "$path" "$path.jada-old" || return 1
    done
    # A file that root placed comes back from the snapshot alone.
    [ "$kind" = absent ] || [ -n "$PLACED" ] || settings link_original </dev/null || {
        why="what its user's processes do in $FOLDER fails, or takes too long"
        return 1
    }
}

# Complete and on the disk before the first change. A file then says that a change is under way: what is put beside
# other people's files comes after it, so that it never stays behind.
snapshot() {
    mkdir "$DIR" "$DIR/before" && { [ -n "$folder_owner" ] || touch_file "$DIR/before/no-folder"; } &&
        printf '%s\n' "$active" >"$DIR/was" && place >"$DIR/place" &&
        printf %s "$MANIFEST" >"$DIR/manifest.json" && printf %s "$RECOVER" >"$DIR/recover" && copy_originals &&
        flush "$DIR/before"/* "$DIR"/* "$DIR" "$RELEASES" && point transaction "$RELEASE" &&
        flush "$HOME_OF_JADA" && watch_over_boot && link_originals
}

# The unit that undoes the change should the host go down in the middle of it; most hosts have it from the release before.
watch_over_boot() {
    [ -e "$WANTS/${RECOVERY##*/}" ] && [ "$(cat "$RECOVERY")$NL" = "$RECOVER_UNIT" ] || {
        change_file "$RECOVERY" "$RECOVER_UNIT" && mkdir -p "$WANTS" &&
            ln -sfn "../${RECOVERY##*/}" "$WANTS/${RECOVERY##*/}" && flush "$WANTS"
    }
}

# Where in the text the models stand is the user's word. What root placed is masked here too, as the look does it, from the
# very copy that is edited: with another text, the edits would fall elsewhere in it.
is_as_shown() {
    [ -n "$PLACED" ] && [ -z "$RESTORES" ] || return 0
    [ "$kind" = absent ] || [ "$original" != /dev/null ] || return 1
    # A text may be made to take an awk for ever.
    masked=$(timeout -k 1 "$LONGEST_VERB" awk "$MASK_AWK$MASK_FILES_AWK" "$original" 9>&- |
        head -c "$(stat -c %s "$original")" | sha256sum)
    [ "${masked%% *}" = "$MASKED_HASH" ]
}

# Nothing has been changed yet: takes the snapshot away again.
abort_untouched() {
    close_transaction
    refuse "$*"
}

change_files() {
    if [ -n "$RESTORES" ]; then
        step files
        [ "$SETTINGS_HASH" = "$EXPECTED" ] || changed_meanwhile
        hash_of "$RELEASES/$RESTORES/before/settings" >"$DIR/written" && flush "$DIR/written" "$DIR" ||
            fail "$DIR can't be written"
        # The copies beside the files are for the way back from this change, not for this change.
        restore_files "$RELEASES/$RESTORES/before" || fail "the files from before release $RESTORES could not be put back"
        return 0
    fi
    step settings
    change_settings || fail "$SETTINGS could not be written"
    step dropin
    change_file "$DROPIN" "$DROPIN_TEXT" || fail "$DROPIN could not be written"
    step limits
    change_file "$LIMITS" "$LIMITS_TEXT" || fail "$LIMITS could not be written"
}

commit() {
    read -r boot </proc/sys/kernel/random/boot_id
    keep_hashes && printf 'done %s %s %s\n' "$pid" "$(birth_of "$pid")" "$boot" >"$DIR/result" &&
        touch_file "$DIR/complete" && flush "$DIR"/* "$DIR" || return 1
    [ -z "$CURRENT" ] || point previous "$CURRENT" || return 1
    point current "$RELEASE"
}

main() {
    lock
    step check
    check
    trap 'abort_untouched "the transaction was stopped by a signal"' INT TERM
    step snapshot
    why="is the disk full or read-only?"
    snapshot || abort_untouched "the snapshot could not be made: $why"
    is_as_shown || abort_untouched "$SETTINGS is not changed: root finds another text in it than its user showed"
    trap 'fail "the transaction was stopped by a signal"' INT TERM
    trap 'fail "the transaction ended unexpectedly"' EXIT
    change_files
    step reload
    reload_if_needed || fail "systemctl daemon-reload failed"
    step restart
    touch_file "$DIR/restarting" && flush "$DIR" || fail "$DIR can't be written"
    # A way back needs no service to run that did not run before: the look behind it tells.
    runs || { [ -n "$RESTORES" ] && [ "$(cat "$DIR/was")" != active ]; } || fail "$why"
    step commit
    commit || fail "the release could not be recorded in $DIR"
    # From here on the new release stands, whatever happens.
    trap '' INT TERM
    trap - EXIT
    step tidy
    rm -f "$DIR/restarting"
    close_transaction
    prune
    say "result done"
}

runs() {
    restart_service || { read_unit; why="systemctl restart $UNIT failed (it is $active, $result)"; return 1; }
    step settle
    settled "$SETTLE" || return 1
    settled_as=$first
    step verify
    wait_for_model && has_limit || return 1
    settled 0 && [ "$first" = "$settled_as" ] || { why="$UNIT crashed while it was being verified"; return 1; }
}

# What each file is once the release stands: name, hash, owner, mode.
keep_hashes() {
    set --
    for pair in $OWN_FILES; do [ ! -e "${pair#*:}" ] || set -- "$@" "${pair#*:}"; done
    [ $# -eq 0 ] || { hashes=$(hashes_of "$@") && owners=$(stat -c '%u:%g %a' "$@"); } || return 1
    read_settings_facts
    if [ "$kind" = file ]; then
        printf 'settings %s %s %s\n' "$(settings_hash)" "$owner" "$mode"
    else
        echo 'settings absent'
    fi >"$DIR/after" || return 1
    for pair in $OWN_FILES; do
        if [ -e "${pair#*:}" ]; then
            printf '%s %s %s\n' "${pair%%:*}" "${hashes%%"$NL"*}" "${owners%%"$NL"*}"
            hashes=${hashes#*"$NL"} owners=${owners#*"$NL"}
        else
            printf '%s absent\n' "${pair%%:*}"
        fi
    done >>"$DIR/after"
}

# Ids sort by time; the current and the previous release stay whatever their age.
prune() {
    set -- "$RELEASES"/*
    while [ $# -gt "$KEEP" ]; do
        [ "${1##*/}" = "$RELEASE" ] || [ "${1##*/}" = "$CURRENT" ] || rm -rf "$1"
        shift
    done
}

# Why a start failed: what the service said until the way back began.
tell_journal() {
    [ -e "$DIR/restarting" ] || return 0
    read_unit
    set -- --since "@$(stat -c %.6Y "$DIR/restarting")"
    [ ! -e "$DIR/restored" ] || set -- "$@" --until "@$(stat -c %.6Y "$DIR/restored")"
    journal "$MOST_LOG" "$@" | while IFS= read -r line; do say "log $line"; done
}

# In a child of its own: should that be killed in the middle, this shell is still there to undo what it began. A signal
# to both is the child's: this one waits for what it says, for nobody reads on when it is gone.
trap : INT TERM
(main)
code=$?
if [ "$code" -gt 14 ] && is_unfinished; then
    exec 9>>"$HOME_OF_JADA/lock"
    flock -w 10 9 && recover
    if [ "$(pointed current)" = "$RELEASE" ]; then
        say "result done"
        exit 0
    fi
    say "result restored"
    say "reason the transaction was killed in the middle"
    exit 10
fi
case $code in 10 | 11) tell_journal ;; esac
exit "$code"
