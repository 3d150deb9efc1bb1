# One look at a host: prints all that jada judges it by, and changes nothing. POSIX sh with coreutils, awk and
# systemd; needs root. jada puts these before it: UNIT, SETTINGS, HEALTH and PROBE (may be empty), PROJECTS (folders,
# one a line), HISTORY and EVIDENCE (yes or empty) and MASK (mask.awk).
# A line is "name=text", or "name+=text" for one line of several; all of them leave as one line of base64 of gzip, so that
# any byte survives. No value of a settings file leaves the host unmasked, save the models, and of environments and
# command lines only what names a model or where settings are read.
# A process costs a host as much as a hundred lines of shell do: what the shell can do by itself, it does.
export LC_ALL=C
HOME_OF_JADA=/var/lib/jada
MANAGED=/etc/claude-code
NAMES='ANTHROPIC_MODEL|ANTHROPIC_DEFAULT_MODEL|CLAUDE_CONFIG_DIR|HOME'
TAB='	'
NL='
'
BLANKS=" $TAB$NL"

# Never more than a line, or a value could pass for another field.
say() { printf '%s=%s\n' "$1" "${2%%"$NL"*}"; }

say_file() { # NAME FILE
    [ -e "$2" ] || return 0
    while IFS= read -r line || [ -n "$line" ]; do printf '%s+=%s\n' "$1" "$line"; done <"$2"
}

names_what_matters() {
    case $1 in ANTHROPIC_MODEL=* | ANTHROPIC_DEFAULT_MODEL=* | CLAUDE_CONFIG_DIR=* | HOME=*) ;; *) return 1 ;; esac
}

# The file belongs to the pool of those that may name a model; tasks/effective.py ranks them.
layer() {
    [ -f "$1" ] && [ "$1" != "$SETTINGS" ] || return 0
    layers=$layers$NL$1
}

# A file that `--settings` names, for a process that works in the folder.
layer_from() { case $2 in /*) layer "$2" ;; *) layer "$1/$2" ;; esac } # FOLDER FILE

has() { case $1$NL in *"$NL$2$NL"*) ;; *) return 1 ;; esac } # LIST ITEM

# Where the settings of the service are then, if a variable of it says that they are elsewhere.
moves() { # NAME=VALUE
    case $1 in
        CLAUDE_CONFIG_DIR=*) config=${1#*=} ;;
        HOME=*) config=${1#*=}/.claude ;;
        *) return ;;
    esac
    has "$configs" "$config" || configs=$configs$NL$config
}

# The agents of some folders: path, name and model of each frontmatter, separated by tabs. One without a description is
# no agent to the Claude CLI.
agents_in() {
    find -L "$@" -name '*.md' -type f -exec awk '
        function value(text) { sub(/^[a-z]+:[ \t]*/, "", text); sub(/[ \t]+#.*/, "", text); gsub(/["\047\r]|[ \t]+$/, "", text); return text }
        FNR == 1 { name = model = described = ""; open = $0 ~ /^---[ \r]*$/; next }
        open && /^---[ \r]*$/ { if (name && described) print "agents+=" FILENAME "\t" name "\t" model; open = 0 }
        open && /^name:/ { name = value($0) }
        open && /^description:/ { described = 1 }
        open && /^model:/ { model = value($0) }' {} + 2>/dev/null
}

# The options of a command line that decide the model, one word a line on stdin.
options() { # PREFIX
    last=
    while IFS= read -r word; do
        case $last in
            --model | --settings | --agent | --setting-sources) say "$1${last#--}" "$word"; last=; continue ;;
        esac
        case $word in
            --model=* | --settings=* | --agent=* | --setting-sources=*)
                option=${word%%=*}
                say "$1${option#--}" "${word#*=}" ;;
        esac
        last=$word
    done
}

# Without the lines that show command lines: those may carry secrets.
look_at_status() {
    for line in $(systemctl status "$UNIT" --no-pager --lines=0 2>/dev/null); do
        case $line in
            *' Loaded: '* | *' Drop-In: '* | *' Active: '* | *' Main PID: '* | *.conf) printf 'status+=%s\n' "$line" ;;
        esac
    done
}

look() {
# --- the service, as systemd sees it ------------------------------------------------------------------------------

set -f
IFS=$NL
pid=0
for line in $(systemctl show "$UNIT" --property="LoadState,User,MainPID,NRestarts,ActiveState,SubState,Result,\
ExecMainStatus,ActiveEnterTimestampMonotonic,WorkingDirectory,FragmentPath,DropInPaths,NeedDaemonReload,LimitNOFILESoft,\
Environment,EnvironmentFiles,UnsetEnvironment,ExecStart"); do
    text=${line#*=}
    case $line in
        Environment=*) environment=$text; continue ;;
        EnvironmentFiles=*) environment_files=$environment_files$NL${text%" (ignore_errors="*}; continue ;;
        UnsetEnvironment=*) say fresh.unset "$text"; continue ;;
        ExecStart=*) commands=$commands$NL$text; continue ;;
        User=*) user=$text ;;
        MainPID=*) pid=$text ;;
        # "!" or "-" before it: it may be missing.
        WorkingDirectory=*) start=${text#[-!]} ;;
        FragmentPath=* | DropInPaths=*) unit_files="$unit_files $text" ;;
    esac
    say "unit.${line%%=*}" "$text"
done
[ -z "$EVIDENCE" ] || look_at_status
user=${user:-root}
IFS=:
# shellcheck disable=SC2046 # the fields of passwd(5)
set -- $(getent passwd "$user")
home=$6
IFS=$NL
case $SETTINGS in \~/*) SETTINGS=$home/${SETTINGS#\~/} ;; esac
say user "$user"
say home "$home"
case $start in \~) start=$home ;; '') start=/ ;; esac
say fresh.cwd "$start"

# --- the kernel's own words ---------------------------------------------------------------------------------------

say now "$(date +%s.%N)"
# CAP_SYS_RESOURCE is bit 24 of CapEff (capabilities(7)): with it PID 1 may raise a hard limit, up to fs.nr_open.
# The birth of a process is field 22 of proc_pid_stat(5), counted behind the command's closing bracket: in clock ticks
# since boot. /etc/environment is read by pam_env(8) at each login.
awk -v pid="$pid" -v shell="$$" '
    function first(file,   line) { getline line <file; close(file); return line }
    function soft_and_hard(of,   file, line) {
        file = "/proc/" of "/limits"
        hard = ""
        while ((getline line <file) > 0) if (sub(/^Max open files */, "", line)) { split(line, words, " "); soft = words[1]; hard = words[2] }
        close(file)
        return hard != ""
    }
    BEGIN {
        split(first("/proc/uptime"), words, " ")
        print "uptime=" words[1]
        print "boot=" first("/proc/sys/kernel/random/boot_id")
        print "nr_open=" first("/proc/sys/fs/nr_open")
        while ((getline line <"/proc/1/status") > 0) if (sub(/^CapEff:[ \t]*/, "", line))
            print "can_raise=" (index("13579bdf", substr(line, length(line) - 6, 1)) ? 1 : 0)
        if (soft_and_hard(1)) print "hard_pid1=" hard
        if (soft_and_hard(shell)) print "hard_login=" hard
        if (pid > 0 && soft_and_hard(pid)) print "process.soft=" soft "\nprocess.hard=" hard
        if (pid > 0 && (line = first("/proc/" pid "/stat")) != "") {
            sub(/.*\) /, "", line)
            split(line, words, " ")
            print "process.ticks=" words[20]
        }
        while ((getline line <"/etc/environment") > 0) {
            sub(/^[ \t]*(export[ \t]+)?/, "", line)
            if (line ~ /^ANTHROPIC_(DEFAULT_)?MODEL=/) {
                at = index(line, "=")
                value = substr(line, at + 1)
                sub(/^"/, "", value)
                sub(/["#].*/, "", value)
                print "login.env." substr(line, 1, at - 1) "=" value
            }
        }
    }'

# --- how the process was started, and how it would be now ---------------------------------------------------------

if [ -e "$SETTINGS" ]; then found=$SETTINGS; fi
configs=$NL$home/.claude
if [ "$pid" -gt 0 ] && [ -r "/proc/$pid/stat" ]; then
    # shellcheck disable=SC2046 # two lines
    set -- $(readlink -m "/proc/$pid/cwd" "$SETTINGS")
    cwd=$1
    say running.cwd "$cwd"
    for word in $(tr '\n\0' ' \n' <"/proc/$pid/environ"); do
        if names_what_matters "$word"; then
            say "running.env.${word%%=*}" "${word#*=}"
            moves "$word"
        fi
    done
    for line in $(tr '\n\0' ' \n' <"/proc/$pid/cmdline" | options running.argv.); do
        flag=${line#running.argv.settings=}
        # `--settings` takes a file, or the settings themselves.
        case $line in
            running.argv.settings=*'{'*)
                line='running.argv.settings=(on the command line)'
                say inline.path "(on the command line)"
                say inline.size "${#flag}"
                printf %s "$flag" | awk "$MASK" label=inline.masked - ;;
            running.argv.settings=*) layer_from "$cwd" "$flag" ;;
        esac
        printf '%s\n' "$line"
    done
else
    set -- '' "$(readlink -m "$SETTINGS")"
fi
say settings.path "$SETTINGS"
say settings.real "$2"

for command in $commands; do
    words=${command##*" argv[]="}
    words=${words%" ; ignore_errors="*}
    case $words in *--model* | *--settings* | *--agent* | *--setting-sources*) ;; *) continue ;; esac
    for line in $(printf '%s\n' "$words" | tr ' ' '\n' | options fresh.argv.); do
        flag=${line#fresh.argv.settings=}
        case $line in
            # systemd shows the words without their quotes: such settings can be read from the process alone.
            fresh.argv.settings= | fresh.argv.settings=*[{}\"]*) continue ;;
            fresh.argv.settings=*) layer_from "$start" "$flag" ;;
        esac
        printf '%s\n' "$line"
    done
done

# Where the unit's own files set what matters, in the order systemd reads them: file, name, value. A command may span
# lines; a variable may stand in quotes.
IFS=$BLANKS
# shellcheck disable=SC2086 # paths of unit files hold no blanks
awk -v names="^($NAMES)=" '
    { line = more $0; more = "" }
    /\\$/ { more = substr(line, 1, length(line) - 1) " "; next }
    line ~ /^[ \t]*LimitNOFILE[ \t]*=/ { sub(/^[^=]*=[ \t]*/, "", line); print "unit.sets+=" FILENAME "\tLimitNOFILE\t" line }
    line ~ /^[ \t]*Environment[ \t]*=/ {
        sub(/^[^=]*=[ \t]*/, "", line)
        gsub(/["\047]/, "", line)
        count = split(line, words, /[ \t]+/)
        for (i = 1; i <= count; i++) if (words[i] ~ names)
            print "unit.sets+=" FILENAME "\t" substr(words[i], 1, index(words[i], "=") - 1) "\t" substr(words[i], index(words[i], "=") + 1)
    }' $unit_files /dev/null 2>/dev/null

# What a fresh start would get, weakest first: systemd's own environment, the unit's, its EnvironmentFiles.
fresh() { # PLACE NAME=VALUE
    names_what_matters "$2" || return 0
    printf 'fresh.env+=%s\t%s\t%s\n' "$1" "${2%%=*}" "${2#*=}"
    moves "$2"
}
IFS=$NL
for line in $(systemctl show-environment 2>/dev/null); do fresh 'systemctl show-environment' "$line"; done
IFS=' '
for word in $environment; do
    word=${word#\"}
    fresh Environment= "${word%\"}"
done
IFS=$NL
set --
set +f
# systemd.exec(5): a pattern stands for the files it matches.
for file in $environment_files; do [ ! -f "$file" ] || set -- "$@" "$file"; done
set -f
[ $# -eq 0 ] || for line in $(awk -v names="^($NAMES)=" '
    { sub(/^[ \t]+/, ""); sub(/[ \t\r]+$/, "") }
    $0 ~ names { at = index($0, "="); value = substr($0, at + 1); gsub(/^["\047]|["\047]$/, "", value)
        print FILENAME "\t" substr($0, 1, at) value }' "$@" 2>/dev/null); do
    fresh "${line%%"$TAB"*}" "${line#*"$TAB"}"
done

# --- the files that may name a model ------------------------------------------------------------------------------

set +f
if [ -d "$MANAGED" ]; then
    for file in "$MANAGED/managed-settings.json" "$MANAGED"/managed-settings.d/*.json; do layer "$file"; done
    # A file that is gone shows in its folder alone.
    say managed.changed "$(stat -c %.9Z "$MANAGED" "$MANAGED/managed-settings.d" 2>/dev/null | sort -n | tail -n 1)"
fi
folders=
for folder in "$start" "$cwd" "$home"; do
    [ -z "$folder" ] || has "$folders" "$folder" || folders=$folders$NL$folder
done
for folder in $PROJECTS; do
    case $folder in \~/*) folder=$home/${folder#\~/} ;; esac
    for each in "$folder" "$folder"/*/; do [ ! -d "${each%/}/.claude" ] || projects=$projects$NL${each%/}; done
done
set -f
for folder in $configs; do layer "$folder/settings.json"; done
for folder in $folders; do
    [ "${folder%/}/.claude" = "$home/.claude" ] || layer "${folder%/}/.claude/settings.json"
    layer "${folder%/}/.claude/settings.local.json"
done
for folder in $projects; do
    for file in "$folder/.claude/settings.json" "$folder/.claude/settings.local.json"; do
        grep -qsE '"(model|agent|env|availableModels|modelOverrides)"' "$file" && layer "$file"
    done
done
set --
for folder in "$MANAGED" $folders $projects; do
    [ ! -d "${folder%/}/.claude/agents" ] || set -- "$@" "${folder%/}/.claude/agents"
done
for folder in $configs; do [ ! -d "$folder/agents" ] || set -- "$@" "$folder/agents"; done
[ $# -eq 0 ] || agents_in "$@"

dropin=/etc/systemd/system/$UNIT.d/50-jada.conf
limits=/etc/security/limits.d/50-jada.conf
if [ -e "$dropin" ]; then found=$found$NL$dropin; fi
if [ -e "$limits" ]; then found=$found$NL$limits; fi
# shellcheck disable=SC2086 # a path a line
if [ -n "$found" ]; then
    for line in $(sha256sum $found 2>/dev/null); do
        # A backslash before the line says that there are some in the path.
        line=${line#\\}
        case $line in
            *"  $dropin") say dropin.sha256 "${line%% *}" ;;
            *"  $limits") say limits.sha256 "${line%% *}" ;;
            *) say settings.sha256 "${line%% *}" ;;
        esac
    done
fi
# shellcheck disable=SC2086 # a path a line
[ -z "$found$layers" ] || for line in $(stat -L -c '%f %u:%g %a %s %.9Z %n' $found $layers 2>/dev/null); do
    path=${line#* * * * * }
    IFS=' '
    # shellcheck disable=SC2086
    set -- $line
    IFS=$NL
    case $path in
        "$dropin") name=dropin ;;
        "$limits") name=limits ;;
        "$SETTINGS") name=settings ;;
        *) name=layer$((number = ${number:-0} + 1)); say "$name.path" "$path" ;;
    esac
    printf '%s\n' "$name.owner=$2" "$name.mode=$3" "$name.changed=$5"
    # What is no regular file (a folder, a pipe) is not read; it counts as empty.
    case $1 in 8*) say "$name.size" "$4" ;; *) say "$name.size" 0; continue ;; esac
    case $name in settings | layer*) to_mask=$to_mask${NL}label=$name.masked$NL$path ;; esac
done

# shellcheck disable=SC2086 # a label or a path a line
set -- $to_mask
if [ -n "$HEALTH" ]; then
    if answer=$(curl -fsS --max-time 3 "$HEALTH" 2>&1); then
        say health.size "${#answer}"
        set -- "$@" label=health.masked -
    else
        say health.error "$answer"
    fi
fi
[ $# -eq 0 ] || printf %s "$answer" | awk "$MASK" "$@"
if [ -n "$PROBE" ]; then
    if answer=$(cd "$start" && timeout 20 runuser -s /bin/sh "$user" -c "$PROBE" 2>/dev/null </dev/null); then
        case $answer in
            *'{'* | *[[:space:]]*) ;;
            # Nothing but a model; anything else is shown masked.
            *) answer="{\"model\":\"$answer\"}" ;;
        esac
        say probe.size "${#answer}"
        printf %s "$answer" | awk "$MASK" label=probe.masked -
    else
        say probe.error "exit code $?"
    fi
fi

# --- beside the service -------------------------------------------------------------------------------------------

# What a login of the user gets: its limits through PAM, by runuser and not by su, which would have logind and the user's
# own systemd begin a session at each look; not the user's profile, which is code that a look has no business to run.
# shellcheck disable=SC2016
login=$(FILE=$SETTINGS timeout 5 runuser -s /bin/sh "$user" -c \
    'echo "login.nofile=$(ulimit -n)"
    [ ! -e "$FILE" ] || [ -r "$FILE" ] || echo settings.denied=yes' 2>&1 </dev/null) || say login.error "${login##*"$NL"}"
for line in $login; do
    case $line in login.nofile=* | settings.denied=*) printf '%s\n' "$line" ;; esac
done

# Open sessions of the Claude CLI: its processes are called "claude", or "node" with a claude script.
set +f
for comm in $(grep -lxE 'claude|node' /proc/[0-9]*/comm 2>/dev/null); do
    each=${comm%/comm}
    [ "${each#/proc/}" != "$pid" ] && [ -r "$each/stat" ] || continue
    [ "$(cat "$comm" 2>/dev/null)" = claude ] || tr '\0' '\n' <"$each/cmdline" | sed -n 2,3p |
        grep -qE '(^|/)claude(\.js|-code/.*)?$' || continue
    # Fields 7 and 22: the terminal's device number, and the birth in clock ticks.
    IFS=' '
    # shellcheck disable=SC2046 # two numbers
    set -- $(sed 's/.*) //' "$each/stat" 2>/dev/null | cut -d' ' -f5,20)
    IFS=$NL
    [ "$#" -eq 2 ] || continue
    model=$(tr '\n\0' ' \n' <"$each/cmdline" | options '' | sed -n 's/^model=//p' | tail -n 1)
    say "session$((sessions = ${sessions:-0} + 1))" "${each#/proc/} $2 $1 $(stat -c %U "$each") $model"
done

if [ -d "$HOME_OF_JADA" ]; then
    for file in manifest.json result after; do say_file "release.$file" "$HOME_OF_JADA/current/$file"; done
    say_file release.previous "$HOME_OF_JADA/previous/manifest.json"
    say_file held "$HOME_OF_JADA/held"
    if [ -L "$HOME_OF_JADA/transaction" ]; then
        unfinished=$(readlink "$HOME_OF_JADA/transaction")
        say transaction "${unfinished##*/}"
    fi
    if [ -e "$HOME_OF_JADA/lock" ] && ! flock -n -s 9 9<"$HOME_OF_JADA/lock"; then
        say_file lock "$HOME_OF_JADA/lock"
    fi
fi
if [ -n "$HISTORY" ]; then
    number=0
    for manifest in "$HOME_OF_JADA"/releases/*/manifest.json; do
        [ -e "$manifest" ] || continue
        number=$((number + 1))
        say_file "history$number.manifest" "$manifest"
        say_file "history$number.result" "${manifest%/*}/result"
    done
fi
say end ok
}

look | gzip -c | base64 -w0
