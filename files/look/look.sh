# One look at a host: prints all that jada judges it by, and changes nothing. POSIX sh with coreutils, util-linux, awk and
# systemd; needs root. tasks/transaction.py puts together what it is made of: assignments of what is asked, of jada's
# places on a host (tasks/paths.py) and of the awk programs, the files beside this one, and at last the call of look.
# What leaves is frames (shared.sh): root's up to "end", then those that the service's user's own half said (user.sh); all
# as one line of base64 of gzip, so that any byte survives. No value of a settings file leaves the host unmasked, save the
# models, and of environments and command lines only what names a model or where settings are read.
# A process costs a host as much as a hundred lines of shell do: what the shell can do by itself, it does. A function
# costs none.
# Bytes of the command line of a process of the unit, of its environment, and of all that is read of those. Processes of
# the unit; words of one, and options that decide the model; bytes of one of those, and of settings in quotes: as long as
# execve(2) takes a word.
MOST_OF_PROCESS=1048576
MOST_OF_PROCESSES=8388608
MOST_MEMBERS=500
MOST_WORDS=10000
MOST_OPTIONS=50
MOST_OF_OPTION=4096
MOST_OF_INLINE=131072
# Open sessions that are told, and bytes of the command line of one, of which there may be many.
MOST_SESSIONS=50
MOST_OF_COMMAND=65536
# Bytes of an answer to a question. Of a whole look, the controller takes no more than it wants (tasks/frames.py), and then
# closes the pipe.
MOST_OF_ANSWER=65536
# Seconds and bytes of the half for the service's user, which is that user's own process: it may stop it, or flood. The
# bytes leave room for root's half, whatever they are and however they pack (tasks/frames.py).
LONGEST_OF_USER=18
MOST_OF_USER=11534336

# In the order of the frames. Without a user of this very unit, nothing of the service is looked at. Above each function
# stands what it reads and sets, of what others read and set, and the names of the frames that it prints.
# prints: end
look() {
    set -f
    IFS=$NL
    busy=''
    is_free || busy=yes
    machine
    unit
    if service_user; then manager; members; running_process; next_start; else stat_files; fi
    own_files
    releases
    kernel_files_and_report
    [ -z "$uid" ] || { settings_files; ask_command; [ -z "$ASK" ] || ask_cli; login; sessions; }
    transaction_lock
    say end ok
    half_of_user
}

# prints: instance
machine() {
    find_instance
    [ -z "$instance" ] || say instance "$instance"
}

# What the service's user owns, read as that user: its word, behind root's end.
# reads: uid gid home start cwd configs named foreign SETTINGS PROJECTS AS_USER
# prints: end
half_of_user() {
    [ -n "$uid" ] || { say end ok; return; }
    folders=
    for folder in "$start" "$cwd" "$home"; do
        if [ -n "$folder" ] && is_plain "$folder" && ! has "$folders" "$folder"; then folders=$folders$NL$folder; fi
    done
    set -- sh -c "$AS_USER" look "$SETTINGS" "$home" "$configs" "$folders" "$PROJECTS" "$named" "$foreign" \
        "$cwd"
    [ "$uid" = 0 ] || set -- setpriv --reuid "$uid" --regid "$gid" --init-groups --no-new-privs "$@"
    # It gets a pipe of its own, for it could take from one what root said before. The limit is that of the shell between,
    # which can always be killed: the user's process may wait for a file system of its user's.
    # shellcheck disable=SC2016 # for the shell within
    timeout -k 1 "$LONGEST_OF_USER" sh -c 'most=$1; shift; "$@" | head -c "$most"' look "$MOST_OF_USER" "$@" \
        </dev/null 2>/dev/null
}
