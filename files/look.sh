# One look at a host: prints all that jada judges it by, and changes nothing. POSIX sh with coreutils, util-linux, awk and
# systemd; needs root. jada puts these before it: UNIT, SETTINGS, HEALTH and PROBE (may be empty), PROJECTS (folders,
# one a line), HISTORY and EVIDENCE (yes or empty), MASK (mask.awk), AS_USER (the half for the service's user, see
# look-user.sh), look-shared.sh and instance.sh.
# What leaves is frames (look-shared.sh): root's up to "end", then those that the service's user's own half said; all as
# one line of base64 of gzip, so that any byte survives. No value of a settings file leaves the host unmasked, save the
# models, and of environments and command lines only what names a model or where settings are read.
# A process costs a host as much as a hundred lines of shell do: what the shell can do by itself, it does.
HOME_OF_JADA=/var/lib/jada
MANAGED=/etc/claude-code
DROPIN=/etc/systemd/system/$UNIT.d/50-jada.conf
LIMITS=/etc/security/limits.d/50-jada.conf
# Bytes of an answer to a question, and open sessions that are told. Of a whole look, the controller takes no more than it
# wants (tasks/frames.py), and then closes the pipe.
MOST_OF_ANSWER=65536
MOST_SESSIONS=50
# Bytes of the command line of such a session, of which there may be many; of that of a process of the unit, and of its
# environment. Processes of the unit, and bytes of all of their command lines; words of one, and options that decide the
# model; bytes of one of those, and of settings in quotes: as long as execve(2) takes a word.
MOST_OF_COMMAND=65536
MOST_OF_PROCESS=1048576
MOST_MEMBERS=500
MOST_OF_COMMANDS=4194304
MOST_WORDS=10000
MOST_OPTIONS=50
MOST_OF_OPTION=4096
MOST_OF_INLINE=131072
# Seconds and bytes of the half for the service's user, which is that user's own process: it may stop it, or flood. The
# bytes leave room for root's half, whatever they are and however they pack (tasks/frames.py).
LONGEST_OF_USER=18
MOST_OF_USER=11534336

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

# A file that `--settings` names, for a process that works in the folder: it may be anybody's.
named_from() { # FOLDER FILE
    case $2 in /*) set -- "$2" ;; *) set -- "$1/$2" ;; esac
    ! is_plain "$1" || named=$named$NL$1
}

# Sets $option to NAME=VALUE where the words given so far, one a call, end with an option that decides the model; $last is
# for the next word.
option_in() { # WORD
    option=
    case $last in
        --model | --settings | --agent | --setting-sources) option=${last#--}=$1 last=; return ;;
    esac
    case $1 in
        --model=* | --settings=* | --agent=* | --setting-sources=*) option=${1#--} ;;
    esac
    last=$1
}

# Sets $words to those of a list as `systemctl show` prints it, a line each: one that needs it stands in double quotes,
# with a backslash before what a shell would read.
unquote() { # LIST
    words='' rest=$1
    while [ -n "$rest" ]; do
        case $rest in
            ' '*) rest=${rest#?}; continue ;;
            '"'*) rest=${rest#?} word= ;;
            *)
                words=$words$NL${rest%%' '*}
                case $rest in *' '*) rest=${rest#*' '} ;; *) rest= ;; esac
                continue ;;
        esac
        while :; do
            part=${rest%%[\\\"]*}
            word=$word$part rest=${rest#"$part"}
            case $rest in
                \\*) rest=${rest#?}; word=$word${rest%"${rest#?}"} rest=${rest#?} ;;
                *) rest=${rest#?}; break ;;
            esac
        done
        words=$words$NL$word
    done
}

# Without the lines that show command lines: those may carry secrets.
look_at_status() {
    for line in $(systemctl status "$UNIT" --no-pager --lines=0 2>/dev/null); do
        case $line in
            *' Loaded: '* | *' Drop-In: '* | *.conf) say status+ "$line" ;;
            *' Active: '*) say status+ "$line"; break ;;
        esac
    done
}

# Sets $steps to every folder and link on the way to a file, and the file: a link is followed part by part.
walk() { # PATH
    steps='' at='' rest=${1#/} hops=0
    while [ -n "$rest" ]; do
        part=${rest%%/*}
        case $rest in */*) rest=${rest#*/} ;; *) rest= ;; esac
        case $part in '' | .) continue ;; ..) at=${at%/*}; continue ;; esac
        at=$at/$part
        steps=$steps$NL$at
        [ -L "$at" ] || continue
        # As many as the kernel follows (path_resolution(7)).
        [ $((hops += 1)) -le 40 ] || return 1
        target=$(readlink "$at")
        case $target in
            *"$NL"*) return 1 ;;
            /*) at='' rest=${target#/}${rest:+/$rest} ;;
            *) at=${at%/*} rest=$target${rest:+/$rest} ;;
        esac
    done
}

# Says owner and mode of one of our files, once, unless it is none.
ours() { # NAME "UID:GID/PERMISSIONS MODE"
    case $2 in */-*) ;; *) return ;; esac
    has "$told" "$1" && return
    told=$told$NL$1
    say "$1.owner" "${2%%/*}"
    say "$1.mode" "${2##* }"
}

# Sets $owned to those paths that nobody but root can change or lead elsewhere: root reads no others.
sort_by_owner() { # PATH ...
    ways='' unsafe='' owned=''
    for path in "$@"; do
        walk "$path" || unsafe=$unsafe$NL$path
        for at in $steps; do has "$ways" "$at" || ways=$ways$NL$at; done
    done
    # Our own two are asked for with the others.
    # shellcheck disable=SC2086 # a path a line
    for line in $(stat -c '%u:%g/%A %a %n' $ways $DROPIN $LIMITS 2>/dev/null); do
        at=${line#* * }
        case $at in
            "$DROPIN") ours dropin "${line%" $at"}" ;;
            "$LIMITS") ours limits "${line%" $at"}" ;;
        esac
        case ${line%% *} in
            # A link; a folder like /tmp, where others can't take away what is root's; what no others may write to.
            0:*/l* | 0:*/d????????[tT] | 0:0/????????[!w]? | 0:*/?????[!w]??[!w]?) ;;
            *) unsafe=$unsafe$NL$at ;;
        esac
    done
    for path in "$@"; do
        walk "$path" || continue
        for at in $steps; do ! has "$unsafe" "$at" || continue 2; done
        owned=$owned$NL$path
    done
}

# Answers of the service are masked; curl's own words are numbers, which the controller puts into words.
ask_health() {
    # The URL may hold a password: curl reads it from stdin, for its command line is for everybody to see.
    answer=$({ printf 'url = "%s"\n' "$HEALTH" | curl -q -fsS --max-time 3 --proto '=http,https' -w '\n%{http_code}' -K - 2>/dev/null
        printf '\n%s' "$?"; } | head -c "$((MOST_OF_ANSWER + 100))"; printf '\nx')
    answer=${answer%?x}
    if [ "${#answer}" -gt "$MOST_OF_ANSWER" ]; then say health.code long; return; fi
    code=${answer##*"$NL"} answer=${answer%"$NL"*}
    # Bytes that the shell drops count for head.
    case $code in *[!0-9]* | '') code=long ;; esac
    http=${answer##*"$NL"} answer=${answer%"$NL"*}
    if [ "$code" = 0 ]; then
        say health.size "${#answer}"
        printf %s "$answer" | awk "$MASK" label=health.masked -
    else
        say health.code "$code"
        say health.http "$http"
    fi
}

# What the command leaves behind may hold its pipe for as long as it likes; nobody waits for that.
ask_probe() {
    # shellcheck disable=SC2016 # for the user's shell
    answer=$({ printf %s "$PROBE" | START=$start timeout -k 1 20 runuser -s /bin/sh "$user" -c \
        'cd "$START" && unset START && eval "$(cat)" </dev/null' 2>/dev/null
        printf '\n%s' "$?"; } | timeout -k 1 25 cat | head -c "$((MOST_OF_ANSWER + 100))"; printf '\nx')
    answer=${answer%?x}
    if [ "${#answer}" -gt "$MOST_OF_ANSWER" ]; then say probe.code long; return; fi
    code=${answer##*"$NL"} answer=${answer%"$NL"*}
    case $code in *[!0-9]* | '') code=long ;; esac
    if [ "$code" != 0 ]; then say probe.code "$code"; return; fi
    answer=${answer%"$NL"}
    case $answer in
        *'{'* | *[[:space:]]*) ;;
        # Nothing but a model; anything else is shown masked.
        *) answer="{\"model\":\"$answer\"}" ;;
    esac
    say probe.size "${#answer}"
    printf %s "$answer" | awk "$MASK" label=probe.masked -
}

# What systemd has for every service, and where it looks for units.
look_at_manager() {
    COMMENTS_GO_ON=
    for line in $(systemctl show --property=Version,UnitPath,Environment); do
        text=${line#*=}
        case $line in
            Version=*) [ "${text%%[!0-9]*}" -ge 254 ] 2>/dev/null || COMMENTS_GO_ON=yes ;;
            UnitPath=*) unit_path=$text ;;
            Environment=*) manager_environment=$text ;;
        esac
    done
}

# Sets $user_is_known if there is a user that this very unit runs as: of one that systemd can't load, it knows no user.
look_at_unit() {
    pid=0
    for line in $(systemctl show "$UNIT" --property="LoadState,LoadError,User,MainPID,NRestarts,ActiveState,SubState,Result,\
ExecMainStatus,ActiveEnterTimestampMonotonic,WorkingDirectory,FragmentPath,DropInPaths,NeedDaemonReload,LimitNOFILESoft,\
TimeoutStopUSec,TimeoutStartUSec,\
Environment,PassEnvironment,EnvironmentFiles,UnsetEnvironment,ExecStart,Type,ControlGroup,Names,RootDirectory,RootImage"); do
        text=${line#*=}
        case $line in
            Environment=*) environment=$text; continue ;;
            PassEnvironment=*) passed=$text; continue ;;
            EnvironmentFiles=*) environment_files=$environment_files$NL$text; continue ;;
            UnsetEnvironment=*) unset=$text; continue ;;
            ExecStart=*)
                commands=$commands$NL$text program=${text#*path=}
                program=${program%%" ; argv[]="*}
                continue ;;
            Names=*) unit_names=$text; continue ;;
            ControlGroup=*) group=$text; continue ;;
            RootDirectory=* | RootImage=*) own_root=$own_root$text; continue ;;
            LoadState=*) loaded=$text ;;
            User=*) user=$text ;;
            MainPID=*) pid=$text ;;
            WorkingDirectory=*) start=$text ;;
            FragmentPath=*) fragment=$text ;;
            DropInPaths=*) dropins=$text ;;
        esac
        say "unit.${line%%=*}" "$text"
    done
    [ -z "$EVIDENCE" ] || look_at_status
    set --
    if [ "$loaded" = loaded ]; then
        IFS=:
        # shellcheck disable=SC2046 # the fields of passwd(5)
        set -- $(getent passwd "${user:-root}")
        IFS=$NL
    fi
    [ $# -ge 6 ] || { pid=0; return; }
    user_is_known=yes user=$1 uid=$3 gid=$4 home=$6
    case $SETTINGS in \~/*) SETTINGS=$home/${SETTINGS#\~/} ;; esac
    # "!" or "-" before it: it may be missing.
    may_lack_start=
    case $start in [-!]*) may_lack_start=yes start=${start#?} ;; esac
    case $start in \~) start=$home ;; '') start=/ ;; esac
    say settings.path "$SETTINGS"
    say user "$user"
    say uid "$uid"
    say gid "$gid"
    say home "$home"
    say fresh.cwd "$start"
}

# Sets $members to the processes of the unit's control group, the main one first, and $pid to the first of them where
# systemd knows no main one: that of a unit of Type=oneshot, or of one that forks and does not say.
look_at_group() {
    members=
    [ "$pid" = 0 ] || members=$NL$pid
    [ -n "$group" ] || return 0
    folder=/sys/fs/cgroup/systemd$group
    [ -d "$folder" ] || folder=/sys/fs/cgroup$group
    set +f
    for file in "$folder/cgroup.procs" "$folder"/*/cgroup.procs "$folder"/*/*/cgroup.procs; do
        [ -r "$file" ] || continue
        while read -r member; do
            [ $((several = ${several:-0} + 1)) -le "$MOST_MEMBERS" ] || { over "$UNIT: more than $MOST_MEMBERS processes"; break 2; }
            case $member in 0 | *[!0-9]*) ;; *) has "$members" "$member" || members=$members$NL$member ;; esac
        done 2>/dev/null <"$file"
    done
    set -f
    # shellcheck disable=SC2086 # a process a line
    set -- $members
    [ "$pid" != 0 ] || pid=${1:-0}
}

# The command lines of those. Sets $speaker to the process that asks for a model: the Claude CLI's or, behind what only
# starts others, the first that does more; and $flags to its options. Their user can have them say anything here.
look_at_commands() {
    speaker='' first='' wrapped='' flags='' of_all=0
    for member in $members; do
        comm=''
        { read -r comm; } 2>/dev/null <"/proc/$member/comm"
        case $comm in
            claude | node) ;;
            *) [ -z "$first" ] || [ "$member" = "$pid" ] || continue ;;
        esac
        # A line for each word, behind its number.
        words=$(head -c "$MOST_OF_PROCESS" "/proc/$member/cmdline" 2>/dev/null | grep -zan '' | tr '\n\0' ' \n')
        [ $((of_all += ${#words})) -le "$MOST_OF_COMMANDS" ] || { over "$UNIT: more than $MOST_OF_COMMANDS bytes of command lines"; break; }
        look_at_command
        case $member in "$pid" | "$first" | "$speaker") flags=$flags$of_this ;; esac
        [ -z "$speaker" ] || break
    done
    speaker=${speaker:-${first:-$pid}}
}

look_at_command() {
    last='' of_this='' options=0
    for word in $words; do
        count=${word%%:*} word=${word#*:}
        [ "$count" -le "$MOST_WORDS" ] || { over "process $member: more than $MOST_WORDS words"; break; }
        if [ "$count" = 1 ]; then
            # Until it is seen that this is still what systemd started, and no script has put another in its place.
            [ "$member" != "$pid" ] || wrapped=yes
            [ "$comm" != claude ] || speaker=$member
            # A script's comm is its own name, and its first word that of what runs it.
            program_of=${word##*/}
            case ${program_of#-} in
                sh | bash | dash | ash | ksh | zsh | busybox | su | sudo | runuser | setpriv | timeout | flock) ;;
                tini | dumb-init | script | screen | SCREEN | tmux*) ;;
                *) : "${first:=$member}" ;;
            esac
        fi
        if [ "$count" -le 3 ]; then
            case $comm:$count:$word in
                node:[23]:claude | node:[23]:*/claude | node:[23]:claude.js | node:[23]:*/claude.js | \
                    node:[23]:claude-code/* | node:[23]:*/claude-code/*) speaker=$member ;;
            esac
            [ "$member" != "$pid" ] || [ "${word##*/}" != "${program##*/}" ] || wrapped=
        fi
        option_in "$word"
        [ -n "$option" ] || continue
        [ $((options += 1)) -le "$MOST_OPTIONS" ] || { over "process $member: more than $MOST_OPTIONS options"; break; }
        of_this=$of_this$NL$member:$option
    done
}

# How that process was started, and in what it differs from the main one.
look_at_process() {
    configs=$NL$home/.claude speaker=$pid
    [ -z "$members" ] || look_at_commands
    # shellcheck disable=SC2046 # two lines
    set -- $(readlink -f "$home" "/proc/$speaker/cwd")
    say home.real "$1"
    { [ "$pid" -gt 0 ] && [ -r "/proc/$pid/stat" ]; } || return 0
    if [ $# -eq 2 ]; then cwd=$2; else over "the process works in a folder that is gone, or has a line break in its name"; fi
    say process.pid "$pid"
    say running.cwd "$cwd"
    [ -z "$wrapped" ] || say running.wrapped yes
    for word in $(head -c "$MOST_OF_PROCESS" "/proc/$speaker/environ" | tr '\n\0' ' \n'); do
        names_what_matters "$word" || continue
        case $running in *"$NL${word%%=*}$NL"*) continue ;; esac
        running=$running$NL${word%%=*}$NL
        say "running.env.${word%%=*}" "${word#*=}"
        moves "$word"
    done
    for flag in $flags; do
        case $flag in "$speaker:"*) flag=${flag#*:} ;; *) continue ;; esac
        value=${flag#settings=}
        case $flag in
            settings=*'{'*) most=$MOST_OF_INLINE ;;
            *) most=$MOST_OF_OPTION ;;
        esac
        [ "${#value}" -le "$most" ] || { over "process $speaker: an option is longer than $most bytes"; continue; }
        # `--settings` takes a file, or the settings themselves.
        case $flag in
            settings=*'{'*)
                inline=$value
                flag='settings=(on the command line)' ;;
            settings=*) named_from "$cwd" "$value" ;;
        esac
        say "running.argv+" "${flag%%=*}$NL${flag#*=}"
    done
    if [ "$speaker" != "$pid" ]; then
        say speaker.pid "$speaker"
        running=
        for word in $(head -c "$MOST_OF_PROCESS" "/proc/$pid/environ" | tr '\n\0' ' \n'); do
            names_what_matters "$word" || continue
            case $running in *"$NL${word%%=*}$NL"*) continue ;; esac
            running=$running$NL${word%%=*}$NL
            say "main.env.${word%%=*}" "${word#*=}"
        done
    fi
    [ -n "$inline" ] || return 0
    say inline.path "(on the command line)"
    say inline.size "${#inline}"
    printf %s "$inline" | awk "$MASK" label=inline.masked -
}

# How the service would be started now, weakest first: systemd's own environment, what it passes on of its own process,
# the unit's, its EnvironmentFiles.
look_at_start() {
    for command in $commands; do
        words=${command##*" argv[]="}
        words=${words%" ; ignore_errors="*}
        case $words in *--model* | *--settings* | *--agent* | *--setting-sources*) ;; *) continue ;; esac
        last=
        IFS=' '
        for word in $words; do
            option_in "$word"
            case $option in
                # systemd shows the words without their quotes: such settings can be read from the process alone.
                '' | settings= | settings=*[{}\"]*) continue ;;
                settings=*) named_from "$start" "${option#settings=}" ;;
            esac
            say fresh.argv+ "${option%%=*}$NL${option#*=}"
        done
        IFS=$NL
    done
    unquote "$manager_environment"
    for word in $words; do fresh 'systemctl show-environment' "$word"; done
    IFS=' '
    for name in $passed; do
        names_what_matters "$name=" || continue
        IFS=$NL
        for word in $(tr '\n\0' ' \n' </proc/1/environ); do
            case $word in "$name="*) fresh PassEnvironment= "$word" ;; esac
        done
    done
    IFS=$NL
    unquote "$environment"
    for word in $words; do fresh Environment= "$word"; done
    unquote "$unset"
    for word in $words; do
        case $word in *=*) names_what_matters "$word" ;; *) names_what_matters "$word=" ;; esac && say fresh.unset+ "$word"
    done
    set +f
    for file in $environment_files; do
        may_lack=${file##*" (ignore_errors="} file=${file%" (ignore_errors="*} several=
        # systemd.exec(5): a pattern stands for the files it matches.
        for each in $file; do [ ! -f "$each" ] || several=$several$NL$each; done
        environments=$environments$several
        [ -n "$several" ] || [ "$may_lack" = 'yes)' ] || [ "$pid" = 0 ] || lacks EnvironmentFile "$file"
    done
    if [ -d "$MANAGED" ]; then
        for file in "$MANAGED/managed-settings.json" "$MANAGED"/managed-settings.d/*.json; do
            [ ! -f "$file" ] || managed=$managed$NL$file
        done
        # A file that is gone shows in its folder alone.
        say managed.changed "$(stat -c %.9Z "$MANAGED" "$MANAGED/managed-settings.d" 2>/dev/null | sort -n | tail -n 1)"
    fi
    set -f
    # A folder or a program is looked for where the process sees it: what a start makes, such as RuntimeDirectory=, is
    # there.
    if [ -z "$own_root" ] && [ -e "/proc/$pid/root/" ]; then
        [ -n "$may_lack_start" ] || ! is_gone "/proc/$pid/root$start" || lacks WorkingDirectory "$start"
        [ -z "$program" ] || ! is_gone "/proc/$pid/root$program" || lacks ExecStart "$program"
    fi
    find_unit_files
    # shellcheck disable=SC2086 # a path a line
    sort_by_owner $unit_files $environments $managed
    for file in $unit_files $managed; do
        has "$owned" "$file" || over "$file: others than root can change it or lead it elsewhere, so root does not read it"
    done
    for file in $environments; do
        if has "$owned" "$file"; then
            for line in $(environment_file "$file"); do fresh "$file" "$line"; done
        else
            # Read as the user; this says where in the order its lines belong.
            say fresh.env+ "$file$NL$NL"
            foreign=$foreign$NL$file
        fi
    done
    for file in $managed; do if has "$owned" "$file"; then layers=$layers$NL$file; fi; done
    units=
    for file in $unit_files; do if has "$owned" "$file"; then units=$units$NL$file; fi; done
}

# Even root can't look into some folders (FUSE, NFS): of what is in those, nothing is known.
is_gone() { [ ! -e "$1" ] && [ -d "${1%/*}" ] && [ -x "${1%/*}" ]; }

# What the unit needs to be started, and is not there.
lacks() { say unit.lacks+ "$1$NL$2"; } # SETTING PATH

# Sets $unit_files to the unit's files as systemd would read them now, which need not be those that it has read: of the
# drop-ins of one name, that of the first folder counts (systemd.unit(5)). Sorting them is left to the controller.
find_unit_files() {
    unit_files='' dropin_names='' families=''
    [ ! -f "$fragment" ] || unit_files=$NL$fragment
    IFS=' '
    for name in $unit_names; do
        type=.${name##*.} name=${name%.*} instance=''
        case $name in *@*) instance=@${name#*@} name=${name%%@*} ;; esac
        while :; do
            families="$families $name$instance$type"
            [ -z "$instance" ] || families="$families $name@$type"
            # a-b-c.service, a-b-.service, a-.service
            name=${name%-}
            case $name in *-*) name=${name%-*}- ;; *) break ;; esac
        done
    done
    set +f
    for folder in $unit_path; do
        for name in $families; do add_dropins "$folder/$name.d"/*.conf; done
    done
    for folder in $unit_path; do add_dropins "$folder/${UNIT##*.}.d"/*.conf; done
    # shellcheck disable=SC2086
    add_dropins $dropins
    set -f
    IFS=$NL
}

add_dropins() {
    for file in "$@"; do
        { [ -e "$file" ] || [ -L "$file" ]; } && ! has "$dropin_names" "${file##*/}" && is_plain "$file" || continue
        dropin_names=$dropin_names$NL${file##*/}
        # An empty one, or a link to /dev/null, only hides others of its name.
        [ ! -f "$file" ] || unit_files=$unit_files$NL$file
    done
}

# What the kernel says, and where the unit's own files set what matters, in the order systemd reads them: file, name, value.
# In one process. A command may span lines; a variable may stand in quotes.
look_at_kernel_and_unit_files() {
    say now "$(date +%s.%N)"
    # CAP_SYS_RESOURCE is bit 24 of CapEff (capabilities(7)): with it PID 1 may raise a hard limit, up to fs.nr_open.
    # The birth of a process is field 22 of proc_pid_stat(5), counted behind the command's closing bracket: in clock ticks
    # since boot. /etc/environment is read by pam_env(8) at each login.
    # shellcheck disable=SC2086 # a path a line
    awk -v pid="$pid" -v speaker="$speaker" -v shell="$$" -v names="^($NAMES)=" "$SAY"'
        function first(file,   line) { getline line <file; close(file); return line }
        function birth(of,   line) {
            if (!(line = first("/proc/" of "/stat"))) return ""
            sub(/.*\) /, "", line)
            split(line, words, " ")
            return words[20]
        }
        function soft_and_hard(of,   file, line) {
            file = "/proc/" of "/limits"
            hard = ""
            while ((getline line <file) > 0) if (sub(/^Max open files */, "", line)) { split(line, words, " "); soft = words[1]; hard = words[2] }
            close(file)
            return hard != ""
        }
        BEGIN {
            split(first("/proc/uptime"), words, " ")
            say("uptime", words[1])
            say("boot", first("/proc/sys/kernel/random/boot_id"))
            say("nr_open", first("/proc/sys/fs/nr_open"))
            while ((getline line <"/proc/1/status") > 0) if (sub(/^CapEff:[ \t]*/, "", line))
                say("can_raise", index("13579bdf", substr(line, length(line) - 6, 1)) ? 1 : 0)
            if (soft_and_hard(1)) say("hard_pid1", hard)
            if (soft_and_hard(shell)) say("hard_login", hard)
            if (pid > 0 && soft_and_hard(pid)) { say("process.soft", soft); say("process.hard", hard) }
            if (pid > 0) say("process.ticks", birth(pid))
            if (speaker != pid) say("speaker.ticks", birth(speaker))
            while ((getline line <"/etc/environment") > 0) {
                sub(/^[ \t]*(export[ \t]+)?/, "", line)
                if (line ~ /^ANTHROPIC_(DEFAULT_)?MODEL=/) {
                    at = index(line, "=")
                    value = substr(line, at + 1)
                    sub(/^"/, "", value)
                    sub(/["#].*/, "", value)
                    login[substr(line, 1, at - 1)] = value
                }
            }
            for (name in login) say("login.env." name, login[name])
        }
        # The words of a line, as systemd takes them apart (extract-word.c): quotes may stand anywhere.
        function take_words(text,   at, c, quote, open) {
            count = 0
            for (at = 1; at <= length(text); at++) {
                c = substr(text, at, 1)
                if (!quote && c ~ /[ \t]/) { open = 0; continue }
                if (!open) { open = 1; item[++count] = "" }
                if (c == "\\") item[count] = item[count] substr(text, ++at, 1)
                else if (c == quote) quote = ""
                else if (!quote && (c == "\"" || c == "\047")) quote = c
                else item[count] = item[count] c
            }
        }
        FNR == 1 { more = ""; in_service = 0 }
        { sub(/\r$/, "") }
        /^[ \t]*[#;]/ { next }
        { line = more $0; more = "" }
        /\\$/ { more = substr(line, 1, length(line) - 1) " "; next }
        line ~ /^[ \t]*\[/ { in_service = line ~ /^[ \t]*\[Service\]/ }
        !in_service { next }
        line ~ /^[ \t]*LimitNOFILE[ \t]*=/ {
            sub(/^[^=]*=[ \t]*/, "", line)
            sub(/[ \t]+$/, "", line)
            say("unit.sets+", FILENAME "\nLimitNOFILE\n" line)
        }
        line ~ /^[ \t]*Environment[ \t]*=/ {
            sub(/^[^=]*=[ \t]*/, "", line)
            take_words(line)
            if (!count) say("unit.sets+", FILENAME "\nEnvironment\n")
            for (i = 1; i <= count; i++) if (item[i] ~ names && item[i] !~ /\n/)
                say("unit.sets+", FILENAME "\n" substr(item[i], 1, index(item[i], "=") - 1) "\n" substr(item[i], index(item[i], "=") + 1))
        }' $units /dev/null 2>/dev/null
}

look_at_our_files() {
    set --
    for file in "$DROPIN" "$LIMITS"; do
        if [ -f "$file" ] && [ ! -L "$file" ]; then set -- "$@" "$file"; fi
    done
    [ $# -gt 0 ] || return 0
    for line in $(sha256sum "$@" 2>/dev/null); do
        # A backslash before the line says that there are some in the path.
        line=${line#\\}
        case $line in *"$LIMITS") say limits.sha256 "${line%% *}" ;; *) say dropin.sha256 "${line%% *}" ;; esac
    done
}

# What a login of the user gets: its limits through PAM, by runuser and not by su, which would have logind and the user's
# own systemd begin a session at each look; not the user's profile, which is code that a look has no business to run.
look_at_login() {
    # shellcheck disable=SC2016
    login=$(timeout -k 1 5 runuser -s /bin/sh "$user" -c 'echo "nofile=$(ulimit -n)"' 2>&1 </dev/null | timeout -k 1 8 head -c 4096)
    case $login in
        *nofile=*) login=${login##*nofile=}; say login.nofile "${login%%"$NL"*}" ;;
        *) say login.error "${login##*"$NL"}" ;;
    esac
}

# Open sessions of the Claude CLI: its processes are called "claude", or "node" with a claude script.
look_at_sessions() {
    set +f
    for comm in $(grep -lxE 'claude|node' /proc/[0-9]*/comm 2>/dev/null); do
        each=${comm%/comm}
        ! has "$members" "${each#/proc/}" && [ -r "$each/stat" ] || continue
        [ $((tried = ${tried:-0} + 1)) -le "$MOST_SESSIONS" ] || { over "sessions: more than $MOST_SESSIONS processes are called claude or node"; break; }
        [ "$(cat "$comm" 2>/dev/null)" = claude ] || head -c "$MOST_OF_COMMAND" "$each/cmdline" | tr '\0' '\n' | sed -n 2,3p |
            grep -qE '(^|/)claude(\.js|-code/.*)?$' || continue
        # Fields 7 and 22: the terminal's device number, and the birth in clock ticks.
        IFS=' '
        # shellcheck disable=SC2046 # two numbers
        set -- $(sed 's/.*) //' "$each/stat" 2>/dev/null | cut -d' ' -f5,20)
        IFS=$NL
        [ "$#" -eq 2 ] || continue
        model='' last=''
        for word in $(head -c "$MOST_OF_COMMAND" "$each/cmdline" | tr '\n\0' ' \n'); do
            option_in "$word"
            case $option in model=*) model=${option#model=} ;; esac
            [ "${#model}" -le "$MOST_OF_OPTION" ] || { over "process ${each#/proc/}: an option is longer than $MOST_OF_OPTION bytes"; model=; break; }
        done
        say session+ "${each#/proc/}$NL$2$NL$1$NL$(stat -c %U "$each")$NL$model"
    done
    set -f
}

# Whether no transaction runs. Asked at the beginning and at the end: what was seen while one ran is half of each state.
is_free() { [ ! -f "$HOME_OF_JADA/lock" ] || flock -n -s 9 9<"$HOME_OF_JADA/lock"; }

# Sets $id to what one of jada's files points to.
follow() { # NAME
    id=
    [ ! -f "$HOME_OF_JADA/$1" ] || read -r id <"$HOME_OF_JADA/$1"
}

look_at_jada() {
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
    [ -n "$HISTORY" ] || return 0
    number=0
    set +f
    for manifest in "$HOME_OF_JADA"/releases/*/manifest.json; do
        [ -e "$manifest" ] || continue
        number=$((number + 1)) folder=${manifest%/*}
        say "history$number.id" "${folder##*/}"
        say_file "history$number.manifest" "$manifest"
        for file in place result; do say_file "history$number.$file" "$folder/$file"; done
    done
    look_at_snapshots
    set -f
}

# Says which releases have a whole snapshot: all three lines of what there was, and each copy with the hash that its line
# has (files/transaction.sh, keep). What could not be read has no copy.
look_at_snapshots() {
    snapshots='' copies='' torn=''
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
        [ "$lines" -lt 3 ] || [ ! -s "${folder%/*}/place" ] || snapshots=$snapshots$NL$folder
    done
    [ -z "$copies" ] || good=$NL$(printf %s "$copies" | sha256sum -c 2>/dev/null)
    for line in $copies; do
        has "$good" "${line#*  }: OK" || torn=$torn$NL${line#*  }
    done
    for folder in $snapshots; do
        case $torn in *"$NL$folder/"*) continue ;; esac
        folder=${folder%/before}
        say whole+ "${folder##*/}"
    done
}

look_at_machine() {
    find_instance
    [ -z "$instance" ] || say instance "$instance"
}

# In the order of the frames; what the user's own half says comes behind root's end.
look() {
    set -f
    IFS=$NL
    is_free || busy=yes
    look_at_machine
    look_at_unit
    if [ -n "$user_is_known" ]; then
        look_at_manager
        look_at_group
        look_at_process
        look_at_start
    fi
    look_at_kernel_and_unit_files
    look_at_our_files
    if [ -n "$user_is_known" ]; then
        tell_files
        [ -z "$HEALTH" ] || ask_health
        [ -z "$PROBE" ] || ask_probe
        look_at_login
        look_at_sessions
    fi
    look_at_jada
    say end ok
    [ -n "$user_is_known" ] || { say end ok; return; }
    for folder in "$start" "$cwd" "$home"; do
        if [ -n "$folder" ] && is_plain "$folder" && ! has "$folders" "$folder"; then folders=$folders$NL$folder; fi
    done
    set -- sh -c "$AS_USER" look "$SETTINGS" "$home" "$configs" "$folders" "$PROJECTS" "$named" "$foreign"
    [ "$uid" = 0 ] || set -- setpriv --reuid "$uid" --regid "$gid" --init-groups --no-new-privs "$@"
    # It gets a pipe of its own, for it could take from one what root said before.
    timeout -k 1 "$LONGEST_OF_USER" "$@" </dev/null 2>/dev/null |
        timeout -k 1 "$((LONGEST_OF_USER + 2))" head -c "$MOST_OF_USER"
}

look | gzip -c | base64 -w0
