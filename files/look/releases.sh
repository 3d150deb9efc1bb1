# What jada itself left on the host.

# Whether no transaction runs. Asked at the beginning and at the end: what was seen while one ran is half of each state.
is_free() { [ ! -f "$HOME_OF_JADA/lock" ] || flock -n -s 9 9<"$HOME_OF_JADA/lock"; }

# reads: HISTORY busy
# prints: release.manifest.json release.place release.result release.after release.previous held transaction lock
releases() {
    [ -d "$HOME_OF_JADA" ] || return 0
    follow current
    for file in manifest.json place result after; do say_file "release.$file" "$HOME_OF_JADA/releases/$id/$file"; done
    [ -z "$id" ] || [ -f "$HOME_OF_JADA/releases/$id/manifest.json" ] || say release.manifest.json ''
    follow previous
    say_file release.previous "$HOME_OF_JADA/releases/$id/manifest.json"
    say_file held "$HOME_OF_JADA/held"
    say_file transaction "$HOME_OF_JADA/transaction"
    [ -z "$busy" ] && is_free || say_file lock "$HOME_OF_JADA/lock"
    [ -z "$HISTORY" ] || history
}

# prints: historyN.manifest historyN.place historyN.result
history() {
    number=0
    set +f
    for manifest in "$HOME_OF_JADA"/releases/*/manifest.json; do
        [ -e "$manifest" ] || continue
        number=$((number + 1))
        say_file "history$number.manifest" "$manifest"
        for file in place result; do say_file "history$number.$file" "${manifest%/*}/$file"; done
    done
    set -f
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
