# Edits of a text, which never leaves the host whole: each OFFSET LENGTH INSERT puts INSERT in the place of LENGTH bytes. They
# come in the order of the text. POSIX sh with coreutils.

# The text of the file with all of them made.
edited() { # FILE [OFFSET LENGTH INSERT] ...
    text=$1 at=0
    shift
    while [ $# -gt 0 ]; do
        [ "$1" -ge "$at" ] && tail -c "+$((at + 1))" "$text" | head -c "$(($1 - at))" && printf %s "$3" || return 1
        at=$(($1 + $2))
        shift 3
    done
    tail -c "+$((at + 1))" "$text"
}
