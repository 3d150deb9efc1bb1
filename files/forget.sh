# Takes away all that jada has left on this host, or, with DRY, only tells it. settings.json stays as it is, and the service
# runs on: what the drop-in gave it ends with its next start. Runs as root.
#
# Prints `trace PATH` for each thing that goes, `kept PATH` for a file in such a place that is none of jada's, and at last
# `forgotten`, `found` (DRY), `locked WHY` or `refused WHY`: then nothing was touched; or `failed WHY`: then what is told is
# gone, and the rest is found again.
#
# All of it lies where root alone writes. Should any of it lead elsewhere, or belong to others, it is refused.
export LC_ALL=C
umask 077
NL='
'
RECOVERY=/etc/systemd/system/jada-recover.service
WANTED=/etc/systemd/system/multi-user.target.wants/jada-recover.service
# What is under way may be killed, but not this.
trap '' HUP PIPE
traces='' kept='' locked='' gone='' stuck=''

over() { # RESULT [WHY]
    printf '%s' "$traces" "$kept"
    printf '%s\n' "$1${2:+ $2}"
    exit 0
}

failed() { # WHY
    traces=$gone
    over failed "$@"
}

is_roots() { [ -d "$1" ] && [ ! -L "$1" ] && [ "$(stat -c %u "$1")" = 0 ]; }

# A file of jada's own: it says so in its first line.
is_ours() {
    [ -f "$1" ] && [ ! -L "$1" ] || return 1
    IFS= read -r first <"$1" || :
    case $first in '# Written by jada'*) ;; *) return 1 ;; esac
}

add() { traces="${traces}trace $1$NL"; }

# A file, and what a change that was cut off left beside it.
consider() { # PATH
    folder=${1%/*}
    { [ ! -e "$folder" ] && [ ! -L "$folder" ]; } || is_roots "$folder" || over refused "$folder is not a folder of root's"
    if is_ours "$1"; then
        add "$1"
    elif [ -e "$1" ] || [ -L "$1" ]; then
        kept="${kept}kept $1$NL"
    fi
    for left in "$1.jada-new" "$1.jada-old"; do [ ! -f "$left" ] || [ -L "$left" ] || add "$left"; done
}

# Every unit that a release was of has had a drop-in; the service of fleet.yml comes first.
units() {
    printf '%s\n' "$UNIT"
    for place in "$HOME_OF_JADA"/releases/*/place; do [ ! -f "$place" ] || sed -n 3p "$place"; done
}

for folder in "$HOME_OF_JADA" "$HOME_OF_JADA.forgotten"; do
    [ -e "$folder" ] || [ -L "$folder" ] || continue
    is_roots "$folder" || over refused "$folder is not a folder of root's"
    # What others have mounted in there is not jada's.
    mounted=$(awk -v top="$folder" '$2 == top || index($2, top "/") == 1 { print $2; exit }' /proc/self/mounts)
    [ -z "$mounted" ] || over refused "something is mounted at $mounted"
    add "$folder"
done
if [ -d "$HOME_OF_JADA" ]; then
    unwritable="$HOME_OF_JADA can't be written: is the disk full or read-only?"
    # exec would end the whole shell.
    for file in lock held.lock; do printf '' 2>/dev/null >>"$HOME_OF_JADA/$file" || over refused "$unwritable"; done
    # Neither a change nor a lock comes about meanwhile. What waits for one of these finds nothing there afterwards.
    exec 9>>"$HOME_OF_JADA/lock" 8>>"$HOME_OF_JADA/held.lock"
    flock -w 2 9 || over locked "being changed by $(head -c 300 "$HOME_OF_JADA/lock" | tr '\n' ' ')"
    flock -w 10 8 || over locked "another is locking or freeing it"
    [ ! -e "$HOME_OF_JADA/transaction" ] ||
        over refused "a change was cut off half-way there; \`jada rollback\` or \`jada heal\` undoes it first"
    if [ -e "$HOME_OF_JADA/held" ]; then
        ends='' by='' since=''
        { read -r ends; IFS= read -r by; IFS= read -r since; } 2>/dev/null <"$HOME_OF_JADA/held"
        # As files/lock.sh reads it.
        case $ends in
            '' | 0* | *[!0-9]* | ?????????????*) over locked "locked by ${by:-somebody} since $since" ;;
            *) [ "$(date +%s)" -ge "$ends" ] || over locked "locked by ${by:-somebody} since $since" ;;
        esac
    fi
    if [ -z "$DRY" ]; then
        later=$(pass_fence)
        case $? in
            0) ;;
            3) over locked "$later" ;;
            *) over refused "$unwritable" ;;
        esac
    fi
    locked=yes
fi
every=$(units | awk '!seen[$0]++')
set -f
IFS=$NL
for unit in $every; do
    # Root wrote it down; but a name that leads elsewhere is none.
    case $unit in */* | -* | *[!A-Za-z0-9_:.@\\-]*) continue ;; *.service) ;; *) continue ;; esac
    consider "/etc/systemd/system/$unit.d/${LIMITS##*/}"
done
consider "$LIMITS"
consider "$RECOVERY"
if [ -L "$WANTED" ] && [ "$(readlink "$WANTED")" = "../${RECOVERY##*/}" ]; then add "$WANTED"; fi
[ -z "$DRY" ] || over found
[ -n "$traces" ] || over forgotten
# What lies beside other people's files goes first: should the host go down now, the rest is found again.
for line in $traces; do
    path=${line#trace }
    case $path in
        "$HOME_OF_JADA" | "$HOME_OF_JADA.forgotten") continue ;;
    esac
    if rm -f "$path"; then gone="$gone$line$NL"; else stuck=${stuck:-$path}; fi
    # The folder that jada made for it.
    case $path in */*.service.d/*) rmdir "${path%/*}" 2>/dev/null || : ;; esac
done
systemctl daemon-reload 9>&- 8>&- || failed "systemctl daemon-reload failed, so units are as they were"
[ -z "$stuck" ] || failed "$stuck can't be removed"
remove() { rm -rf "$HOME_OF_JADA.forgotten"; }
# In one step: half of it would be a record with damage.
remove && { [ -z "$locked" ] || { mv -T "$HOME_OF_JADA" "$HOME_OF_JADA.forgotten" && remove; }; } ||
    failed "$HOME_OF_JADA can't be removed"
sync
printf '%s\n' "forgotten by $HOLDER" | timeout 5 logger -t jada 2>/dev/null
over forgotten
