# A place from which nothing is written to the host: every file system in it is read-only, and over the folders that a process
# has to write to, and over what is mounted below them, lie overlays that are gone when it ends. Runs as root, in namespaces of
# its own (ask.sh). POSIX sh with coreutils and util-linux.
NL='
'
# Bytes and files that may be written to the overlays, threads that may be begun, and exit codes: what could not be done
# (tasks/asked.py).
MOST_WRITTEN=64m
MOST_FILES=20k
MOST_THREADS=500
NOT_READ_ONLY=60
NO_OVERLAY=61
NO_PROC=62

# Runs a command as that user, which can leave nothing behind in those folders, a line each, nor anywhere else.
in_sandbox() { # UID GID GROUPS FOLDERS COMMAND ...
    user_id=$1 group_id=$2 groups=--clear-groups folders=$4
    [ -z "$3" ] || groups=--groups=$3
    shift 4
    set -f
    cd /
    # The namespaces that it came from.
    exec 7<&- 8<&-
    mount -a -o remount,bind,ro || exit "$NOT_READ_ONLY"
    mounts=''
    while IFS=' ' read -r _ _ _ _ at _; do mounts=$mounts$NL$at; done </proc/self/mountinfo
    # There, for nobody's files are in /proc; /proc itself comes over it.
    mount -t tmpfs -o "mode=700,size=$MOST_WRITTEN,nr_inodes=$MOST_FILES" jada /proc || exit "$NO_OVERLAY"
    number=0 covered=''
    IFS=$NL
    for folder in $folders; do cover "$folder" || [ "$folder" = /tmp ] || exit "$NO_OVERLAY"; done
    cd /
    mount -t proc proc /proc || exit "$NO_PROC"
    # It is the first to go where memory is short.
    echo 1000 >/proc/self/oom_score_adj
    mount -o remount,bind,ro /proc || exit "$NO_PROC"
    # The limit is on all threads of that user, of which there may be as many as there are on the host.
    IFS=' /'
    read -r _ _ _ _ threads _ </proc/loadavg
    IFS=$NL
    set -- --reuid="$user_id" --regid="$group_id" "$groups" --no-new-privs env -i PATH="$PATH" "$@"
    # It may read what root may, and can do no more.
    [ "$user_id" != 0 ] || set -- --bounding-set=-all,+dac_read_search --inh-caps=-all "$@"
    prlimit --nproc=$((threads + MOST_THREADS)) setpriv "$@"
}

# Lays an overlay over a folder in its very place, and over each mount below it, which comes on top again: it is given another
# name before.
# reads: mounts
# sets: number covered
cover() { # FOLDER
    cd -P "$1" 2>/dev/null || return 0
    top=$(env pwd -P)
    # Over / itself nothing can be laid.
    [ "$top" != / ] || return 0
    for other in $covered; do case $top/ in "$other"/*) return 0 ;; esac; done
    taken=''
    for at in $mounts; do
        case $at in "$top"/*) ! is_in "$taken" "$at" || continue ;; *) continue ;; esac
        take || return 1
        taken=$taken$NL$at
    done
    enter "$top" && overlay . || return 1
    covered=$covered$NL$top
    for at in $taken; do
        if [ -d "/proc/taken$at" ]; then
            enter "$at" && { overlay "/proc/taken$at" || mount -c --bind "/proc/taken$at" .; } || return 1
        else
            enter_of_root "${at%/*}" && mount -c --bind "/proc/taken$at" "./${at##*/}" || return 1
        fi
    done
}

is_in() { case $1$NL in *"$NL$2$NL"*) ;; *) return 1 ;; esac } # LIST ITEM

# Fails where the way leads elsewhere: names below are then of this very folder. Asked of the kernel: bash works out $PWD
# before it goes there.
enter() { cd -P "${1:-/}" 2>/dev/null && [ "$(env pwd -P)" = "${1:-/}" ]; } # FOLDER

# The same, of a folder in which nobody but root can lead a name elsewhere: a mount over a file goes by its name.
enter_of_root() { # FOLDER
    enter "$1" && case $(stat -c %u:%A .) in 0:d????[!w]??[!w]?) ;; *) return 1 ;; esac
}

# A mount by another name. Whoever owns the folder above may put a link in its place at any moment: a folder is entered, and
# is what is mounted then, wherever its name leads.
# reads: at
take() {
    mkdir -p "/proc/taken${at%/*}" || return 1
    if enter "$at"; then
        mkdir -p "/proc/taken$at" && mount -c --bind . "/proc/taken$at"
    else
        enter_of_root "${at%/*}" && [ -f "./${at##*/}" ] && [ ! -L "./${at##*/}" ] && : >"/proc/taken$at" &&
            mount -c --bind "./${at##*/}" "/proc/taken$at"
    fi
}

# Over the present folder.
# sets: number
overlay() { # LOWER
    number=$((number + 1))
    mkdir "/proc/$number" "/proc/$number/upper" "/proc/$number/work" && chown --reference=. "/proc/$number/upper" &&
        chmod --reference=. "/proc/$number/upper" &&
        mount -c -t overlay -o "nodev,nosuid,lowerdir=$1,upperdir=/proc/$number/upper,workdir=/proc/$number/work" jada .
}
