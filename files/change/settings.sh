# What a transaction does in the folder of settings.json: one verb a call, as the user whose file it is, who can thereby
# turn no name in there against anyone. POSIX sh with coreutils.
# Where root itself placed the file there, or gave it a group that its user is not in, all of them run as root
# (PLACED=yes). Root opens no name in there: it works in a folder of its own beside the file, which nobody else can enter or
# move elsewhere. What it reads gets a second name in it first, and is looked at there; what it made there gets its name.
# What has more than MOST bytes counts as unreadable. A call is VERB FOLDER NAME and more; FOLDER has no link in it. Exit: 0 done, 3 not what was expected there.
export LC_ALL=C
umask 077
verb=$1 folder=$2 name=$3
shift 3
old=$name.jada-old new=$name.jada-new

# Names below are of this very folder, wherever its path leads in a moment. Asked of the kernel: bash works out $PWD before
# it goes there.
enter() { CDPATH='' cd -P -- "$1" 2>/dev/null && [ "$(readlink /proc/self/cwd)" = "$1" ]; }

is_file() { [ -f "./$1" ] && [ ! -L "./$1" ]; }

hash_of() {
    if is_file "$1" && [ "$(stat -c %s "./$1")" -le "$MOST" ]; then
        # shellcheck disable=SC2046 # the hash, and a dash
        set -- $(sha256sum <"./$1")
        echo "${1:-unreadable}"
    elif [ -e "./$1" ] || [ -L "./$1" ]; then
        echo unreadable
    else
        echo absent
    fi
}

# Whether the file is the one of a snapshot: bytes, owner and mode.
is_like() { # NAME HASH OWNER MODE
    is_file "$1" && [ "$(hash_of "$1") $(stat -c '%u:%g %a' "./$1")" = "$2 $3 $4" ]
}

dress() { # NAME OWNER MODE TIME
    chown "$2" "./$1" && chmod "$3" "./$1" && { [ -z "$4" ] || date_from "$4" "./$1"; } && sync "./$1"
}

# uutils takes whole seconds only.
date_from() { touch -m -d "@$1" "$2" 2>/dev/null || touch -m -d "@${1%.*}" "$2"; } # TIME FILE

# The text on stdin under the name for what is new, with the present file's access lists and the like, if there is one.
make() { # OWNER MODE TIME
    [ -d "$folder" ] || mkdir -p "$folder"
    enter "$folder" && rm -f "./$new" && { ! is_file "$name" || [ ! -r "./$name" ] || cp -aT "./$name" "./$new"; } &&
        { [ ! -e "./$new" ] || [ -w "./$new" ] || chmod u+w "./$new"; } && cat >"./$new" && dress "$new" "$@"
}

enter_ours() { enter "$folder/$new" && [ "$(stat -c %u:%a .)" = 0:700 ]; }

leave_ours() { rm -f ./made ./taken && cd -P .. && rmdir "./$new"; }

# What was left of ours under that name goes, and what the user laid there, but for a folder.
make_ours() {
    if enter_ours; then leave_ours; fi
    enter "$folder" && { rm -f "./$new"; mkdir "./$new"; } 2>/dev/null && enter_ours
}

place() { # OWNER MODE TIME
    make_ours && cat >./made && dress made "$@" && mv -fT ./made "../$name" &&
        leave_ours && sync .
}

# Prints what a command says of the very file, which is root's or the user's and nothing but a file.
take() { # COMMAND ...
    make_ours && ln -PT "../$name" ./taken && set -- "$@" ./taken &&
        facts=$(stat -c '%f %u %s' ./taken) && [ "${facts##* }" -le "$MOST" ] &&
        case ${facts% *} in 8*" 0" | 8*" $USER_ID") "$@" ;; *) false ;; esac
    taken=$?
    leave_ours && return "$taken"
}

hash_by_root() {
    enter "$folder" || { echo absent; return; }
    [ -e "./$name" ] || [ -L "./$name" ] || { echo absent; return; }
    # shellcheck disable=SC2046 # the hash, and a name
    set -- $(take sha256sum)
    echo "${1:-unreadable}"
}

finish() { mv -fT "./$new" "./$name" && sync .; }

case $verb in
    hash)
        if [ "$PLACED" = yes ]; then hash_by_root; elif enter "$folder"; then hash_of "$name"; else echo absent; fi ;;
    read)
        if [ "$PLACED" = yes ]; then take cat; else enter "$folder" && is_file "$name" && exec cat <"./$name"; fi ;;
    # A second name, which stays with the file when another takes its place: that makes the way back a mere rename, which
    # works on a full disk too.
    link_original)
        enter "$folder" && rm -f "./$old" && is_file "$name" &&
            { ln -T "./$name" "./$old" 2>/dev/null || cp -aT "./$name" "./$old"; } &&
            # The name may have become a link's meanwhile.
            { is_file "$old" || { rm -f "./$old"; false; }; } ;;
    # EXPECTED OWNER MODE: the text on stdin takes the place of the file with that hash.
    change)
        if [ "$PLACED" = yes ]; then place "$2" "$3" ''; exit; fi
        make "$2" "$3" '' || exit 1
        # As late as can be: only a write within the next milliseconds could still be lost.
        [ "$(hash_of "$name")" = "$1" ] || exit 3
        finish ;;
    # HASH OWNER MODE TIME: the file is again as it was; its text is on stdin.
    restore)
        if [ "$PLACED" = yes ]; then shift; place "$@"; exit; fi
        if enter "$folder"; then
            ! is_like "$name" "$1" "$2" "$3" || exit 0
            if is_like "$old" "$1" "$2" "$3"; then mv -fT "./$old" "./$name" && sync .; exit; fi
        fi
        # What could not be read has no copy: it is back by its second name, or not at all.
        [ "$1" != unreadable ] || exit 1
        shift
        make "$@" && finish ;;
    remove) ! enter "$folder" || { rm -f "./$name" && sync .; } ;;
    # Nothing of ours stays behind; nor does the folder, if OURS is yes and the file is not there.
    remove_temp_files) # OURS
        enter "$folder" || exit 0
        rm -f "./$old"
        if [ "$PLACED" != yes ]; then rm -f "./$new"; elif enter_ours; then leave_ours; fi
        [ "$1" != yes ] || [ -e "./$name" ] || { cd -P .. && rmdir "./${folder##*/}" 2>/dev/null; } || : ;;
esac
