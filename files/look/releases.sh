# What jada itself left on the host.

# Whether no transaction runs. Asked at the beginning and at the end: what was seen while one ran is half of each state.
is_free() { [ ! -f "$HOME_OF_JADA/lock" ] || flock -n -s 9 9<"$HOME_OF_JADA/lock"; }

# reads: HISTORY
# sets: files_to_say
# prints: release.id release.manifest.json
releases() {
    files_to_say=''
    [ -d "$HOME_OF_JADA" ] || return 0
    follow current
    [ -z "$id" ] || say release.id "$id"
    for file in manifest.json place result after; do add_file "release.$file" "releases/$id/$file"; done
    [ -z "$id" ] || [ -f "$HOME_OF_JADA/releases/$id/manifest.json" ] || say release.manifest.json ''
    follow previous
    add_file release.previous "releases/$id/manifest.json"
    add_file held held
    add_file transaction transaction
    [ -z "$HISTORY" ] || { history; snapshots; }
}

# reads: busy
# prints: lock
transaction_lock() {
    [ -d "$HOME_OF_JADA" ] || return 0
    [ -z "$busy" ] && is_free && return
    holder=
    IFS= read -r holder <"$HOME_OF_JADA/lock" || :
    say lock "$holder"
}

# prints: historyN.id
history() {
    number=0
    set +f
    for manifest in "$HOME_OF_JADA"/releases/*/manifest.json; do
        [ -e "$manifest" ] || continue
        number=$((number + 1)) id=${manifest%/*}
        id=${id##*/}
        say "history$number.id" "$id"
        add_file "history$number.manifest" "releases/$id/manifest.json"
        for file in place result; do add_file "history$number.$file" "releases/$id/$file"; done
    done
    set -f
}

# The releases that have a whole snapshot: all three lines of what there was, and each copy with the hash that its line has
# (files/change/transaction.sh, copy_originals). What could not be read has no copy.
# prints: whole+
snapshots() {
    whole='' copies='' hashes='' torn=''
    set +f
    for folder in "$HOME_OF_JADA"/releases/*/before; do
        lines=0
        while IFS=' ' read -r name hash _ _ _ path; do
            case $hash:$path in
                *: | unreadable:*) break ;;
                absent:*) ;;
                *) copies=$copies$NL$folder/$name hashes=$hashes$NL"$hash  $folder/$name" ;;
            esac
            lines=$((lines + 1))
        done 2>/dev/null <"$folder/files"
        [ "$lines" -lt 3 ] || [ ! -s "${folder%/*}/place" ] || whole=$whole$NL$folder
    done
    set -f
    # shellcheck disable=SC2086 # a path a line
    [ -z "$copies" ] || copies=$NL$(sha256sum $copies 2>/dev/null)
    for line in $hashes; do has "$copies" "$line" || torn=$torn$NL${line#*  }; done
    for folder in $whole; do
        case $torn in *"$NL$folder/"*) continue ;; esac
        folder=${folder%/before}
        say whole+ "${folder##*/}"
    done
}

# Sets $id to what one of jada's files points to.
follow() { # NAME
    id=
    [ ! -f "$HOME_OF_JADA/$1" ] || read -r id <"$HOME_OF_JADA/$1"
}

# sets: files_to_say
add_file() { # NAME FILE
    [ ! -f "$HOME_OF_JADA/$2" ] || files_to_say=$files_to_say$NL"$1 $HOME_OF_JADA/$2"
}
