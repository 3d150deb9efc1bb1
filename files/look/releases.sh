# What jada itself left on the host.

# Whether no transaction runs. Asked at the beginning and at the end: what was seen while one ran is half of each state.
is_free() { [ ! -f "$HOME_OF_JADA/lock" ] || flock -n -s 9 9<"$HOME_OF_JADA/lock"; }

# reads: HISTORY busy
# prints: release.id release.manifest.json release.place release.result release.after release.previous held transaction
#         lock
releases() {
    [ -d "$HOME_OF_JADA" ] || return 0
    follow current
    [ -z "$id" ] || say release.id "$id"
    for file in manifest.json place result after; do say_file "release.$file" "$HOME_OF_JADA/releases/$id/$file"; done
    [ -z "$id" ] || [ -f "$HOME_OF_JADA/releases/$id/manifest.json" ] || say release.manifest.json ''
    follow previous
    say_file release.previous "$HOME_OF_JADA/releases/$id/manifest.json"
    say_file held "$HOME_OF_JADA/held"
    say_file transaction "$HOME_OF_JADA/transaction"
    [ -z "$busy" ] && is_free || say_file lock "$HOME_OF_JADA/lock"
    [ -z "$HISTORY" ] || { history; snapshots; }
}

# prints: historyN.id historyN.manifest historyN.place historyN.result
history() {
    number=0
    set +f
    for manifest in "$HOME_OF_JADA"/releases/*/manifest.json; do
        [ -e "$manifest" ] || continue
        number=$((number + 1)) folder=${manifest%/*}
        say "history$number.id" "${folder##*/}"
        say_file "history$number.manifest" "$manifest"
        for file in place result; do say_file "history$number.$file" "$folder/$file"; done
    done
    set -f
}

# The releases that have a whole snapshot: all three lines of what there was, and each copy with the hash that its line has
# (files/change/transaction.sh, copy_originals). What could not be read has no copy.
# prints: whole+
snapshots() {
    whole='' copies='' torn=''
    set +f
    for folder in "$HOME_OF_JADA"/releases/*/before; do
        lines=0
        while IFS=' ' read -r name hash _ _ _ path; do
            case $hash:$path in
                *: | unreadable:*) break ;;
                absent:*) ;;
                *) copies="$copies$hash  $folder/$name$NL" ;;
            esac
            lines=$((lines + 1))
        done 2>/dev/null <"$folder/files"
        [ "$lines" -lt 3 ] || [ ! -s "${folder%/*}/place" ] || whole=$whole$NL$folder
    done
    set -f
    [ -z "$copies" ] || good=$NL$(printf %s "$copies" | sha256sum -c 2>/dev/null)
    for line in $copies; do
        has "$good" "${line#*  }: OK" || torn=$torn$NL${line#*  }
    done
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

# A file of root's own. One that can't be read, or not to its end, is not told as one that is not there.
say_file() { # NAME FILE
    [ -f "$2" ] || return 0
    text=
    while IFS= read -r line || [ -n "$line" ]; do
        text=$text$line$NL
        [ "${#text}" -le "$MOST_OF_VALUE" ] || { text="longer than $MOST_OF_VALUE bytes"; break; }
    done <"$2"
    say "$1" "${text%"$NL"}"
}
