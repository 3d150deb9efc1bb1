# One look at a host: prints all that jada judges it by, and changes nothing. POSIX sh with coreutils, awk and
# systemd; needs root. jada puts these before it: UNIT, SETTINGS, HEALTH and PROBE (may be empty), PROJECTS (folders,
# one a line), HISTORY (yes or empty) and MASK (mask.awk).
# A line is "name=text" or "name:=base64". No value of a settings file leaves the host unmasked, save the models, and
# of environments and command lines only what names a model or where settings are read.
export LC_ALL=C
HOME_OF_JADA=/var/lib/jada
NAMES='ANTHROPIC_MODEL|ANTHROPIC_DEFAULT_MODEL|CLAUDE_CONFIG_DIR|HOME'

say() { printf '%s=%s\n' "$1" "$2"; }
say64() { printf '%s:=' "$1"; base64 -w0; printf '\n'; }

# gzip because a mask compresses to almost nothing.
masked() { awk "$MASK" "$1" | gzip -c; }

look_at_json() {
    say "$1.path" "$2"
    stat -L -c "$1.size=%s
$1.changed=%.9Z" "$2"
    masked "$2" | say64 "$1.masked"
}

# The file belongs to the pool of those that may name a model; tasks/effective.py ranks them.
layer() {
    [ -f "$1" ] && [ "$1" != "$SETTINGS" ] || return 0
    look_at_json "layer$((layers = ${layers:-0} + 1))" "$1"
}

look_at_file() {
    [ -e "$2" ] || return 0
    stat -L -c "$1.owner=%u:%g
$1.mode=%a" "$2"
    say "$1.sha256" "$(sha256sum <"$2" | cut -d' ' -f1)"
}

# The agents of some folders: path, name and model of each frontmatter, separated by tabs. One without a description is
# no agent to the Claude CLI.
agents_in() {
    find -L "$@" -name '*.md' -type f -exec awk '
        function value(text) { sub(/^[a-z]+:[ \t]*/, "", text); sub(/[ \t]+#.*/, "", text); gsub(/["\047\r]|[ \t]+$/, "", text); return text }
        FNR == 1 { name = model = described = ""; open = $0 ~ /^---[ \r]*$/; next }
        open && /^---[ \r]*$/ { if (name && described) print FILENAME "\t" name "\t" model; open = 0 }
        open && /^name:/ { name = value($0) }
        open && /^description:/ { described = 1 }
        open && /^model:/ { model = value($0) }' {} + 2>/dev/null
}

# The options of a command line that decide the model, one word a line on stdin.
options() {
    awk -v prefix="$1" '
        BEGIN { split("model settings agent setting-sources", names, " "); for (i in names) known["--" names[i]] = names[i] }
        last in known { print prefix known[last] "=" $0; last = ""; next }
        { at = index($0, "="); word = substr($0, 1, at - 1) }
        at && word in known { print prefix known[word] "=" substr($0, at + 1) }
        { last = $0 }'
}

unit=$(systemctl show "$UNIT" --property="LoadState,User,MainPID,NRestarts,ActiveState,SubState,Result,\
ExecMainStatus,ActiveEnterTimestampMonotonic,WorkingDirectory,FragmentPath,DropInPaths,NeedDaemonReload,LimitNOFILESoft,\
Environment,EnvironmentFiles,UnsetEnvironment,ExecStart")
of_unit() { printf '%s\n' "$unit" | sed -n "s/^$1=//p"; }
printf '%s\n' "$unit" | grep -vE '^(Environment|EnvironmentFiles|UnsetEnvironment|ExecStart)=' | sed 's/^/unit./'
# Without the lines that show command lines: those may carry secrets.
systemctl status "$UNIT" --no-pager --lines=0 2>/dev/null | grep -E '^ *(Loaded|Drop-In|Active|Main PID):|\.conf$' |
    say64 status

user=$(of_unit User)
user=${user:-root}
home=$(getent passwd "$user" | cut -d: -f6)
pid=$(of_unit MainPID)
case $SETTINGS in \~/*) SETTINGS=$home/${SETTINGS#\~/} ;; esac
say user "$user"
say home "$home"

if [ -d /run/systemd/system ]; then say systemd yes; else say systemd no; fi
say uptime "$(cut -d' ' -f1 /proc/uptime)"
say now "$(date +%s.%N)"
say hz "$(getconf CLK_TCK)"
say boot "$(cat /proc/sys/kernel/random/boot_id)"
say nr_open "$(cat /proc/sys/fs/nr_open)"
# CAP_SYS_RESOURCE is bit 24 (capabilities(7)): with it PID 1 may raise a hard limit, up to fs.nr_open.
pid1_caps=$(sed -n 's/^CapEff:[[:space:]]*//p' /proc/1/status)
say can_raise "$(( (0x$pid1_caps >> 24) & 1 ))"
hard_limit() { sed -n 's/^Max open files *[^ ]* *\([^ ]*\).*/\1/p' "/proc/$1/limits"; }
say hard_pid1 "$(hard_limit 1)"
say hard_login "$(hard_limit $$)"

say settings.path "$SETTINGS"
if [ -e "$SETTINGS" ]; then
    say settings.real "$(readlink -f "$SETTINGS")"
    stat -L -c 'settings.owner=%u:%g
settings.mode=%a
settings.size=%s
settings.changed=%.9Z' "$SETTINGS"
    say settings.sha256 "$(sha256sum <"$SETTINGS" | cut -d' ' -f1)"
    masked=$(masked "$SETTINGS" | base64 -w0)
    printf 'settings.masked:=%s\n' "$masked"
    # What an operator would type to check, on the masked text: the lines are those of the real file.
    printf %s "$masked" | base64 -d | gunzip | cut -c1-200 | grep -n '"model"' | say64 settings.grep
else
    say settings.real "$(readlink -m "$SETTINGS")"
fi

# --- how the process was started, and how it would be now ---------------------------------------------------------

if [ "$pid" -gt 0 ] && [ -r "/proc/$pid/stat" ]; then
    sed -n 's/^Max open files *\([^ ]*\) *\([^ ]*\).*/process.soft=\1\nprocess.hard=\2/p' "/proc/$pid/limits"
    # Field 22 of proc_pid_stat(5), counted behind the command's closing bracket: clock ticks since boot.
    say process.ticks "$(sed 's/.*) //' "/proc/$pid/stat" | cut -d' ' -f20)"
    cwd=$(readlink "/proc/$pid/cwd")
    say running.cwd "$cwd"
    process_env=$(tr '\n\0' ' \n' <"/proc/$pid/environ" | grep -E "^($NAMES)=")
    [ -z "$process_env" ] || printf '%s\n' "$process_env" | sed 's/^/running.env./'
    running=$(tr '\n\0' ' \n' <"/proc/$pid/cmdline" | options running.argv.)
    flag=$(printf '%s\n' "$running" | sed -n 's/^running.argv.settings=//p' | tail -n 1)
    # `--settings` takes a file, or the settings themselves.
    case $flag in
        '') ;;
        *'{'*)
            running=$(printf '%s\n' "$running" | sed 's/^running.argv.settings=.*/running.argv.settings=(on the command line)/')
            say inline.path "(on the command line)"
            say inline.size "${#flag}"
            printf %s "$flag" | masked - | say64 inline.masked ;;
        /*) layer "$flag" ;;
        *) layer "$cwd/$flag" ;;
    esac
    printf '%s\n' "$running"
fi

# "!" or "-" before it: it may be missing.
start=$(of_unit WorkingDirectory | sed 's/^[!-]//')
case $start in \~) start=$home ;; '') start=/ ;; esac
say fresh.cwd "$start"
fresh=$(of_unit ExecStart | sed -n 's/.* argv\[\]=\(.*\) ; ignore_errors=.*/\1/p' | tr ' ' '\n' | options fresh.argv.)
flag=$(printf '%s\n' "$fresh" | sed -n 's/^fresh.argv.settings=//p' | tail -n 1)
case $flag in
    # systemd shows the words without their quotes: such settings can be read from the process alone.
    '' | *[{}\"]*) fresh=$(printf '%s\n' "$fresh" | grep -v '^fresh.argv.settings=') ;;
    /*) layer "$flag" ;;
    *) layer "$start/$flag" ;;
esac
printf '%s\n' "$fresh"

# Where the unit's own files set what matters, in the order systemd reads them: file, name, value. A command may span
# lines; a variable may stand in quotes.
# shellcheck disable=SC2046 # paths of unit files hold no blanks
awk -v names="^($NAMES)=" '
    { line = more $0; more = "" }
    /\\$/ { more = substr(line, 1, length(line) - 1) " "; next }
    line ~ /^[ \t]*LimitNOFILE[ \t]*=/ { sub(/^[^=]*=[ \t]*/, "", line); print FILENAME "\tLimitNOFILE\t" line }
    line ~ /^[ \t]*Environment[ \t]*=/ {
        sub(/^[^=]*=[ \t]*/, "", line)
        gsub(/["\047]/, "", line)
        count = split(line, words, /[ \t]+/)
        for (i = 1; i <= count; i++) if (words[i] ~ names)
            print FILENAME "\t" substr(words[i], 1, index(words[i], "=") - 1) "\t" substr(words[i], index(words[i], "=") + 1)
    }' $(of_unit FragmentPath) $(of_unit DropInPaths) /dev/null 2>/dev/null | say64 unit.sets
# Weakest first: systemd's own environment, the unit's, its EnvironmentFiles.
fresh_env=$(
    systemctl show-environment 2>/dev/null | grep -E "^($NAMES)=" | sed 's/=/	/; s/^/systemctl show-environment	/'
    of_unit Environment | tr ' ' '\n' | tr -d '"' | grep -E "^($NAMES)=" | sed 's/=/	/; s/^/Environment=	/'
    of_unit EnvironmentFiles | sed 's/ (ignore_errors=[a-z]*)$//' | while read -r pattern; do
        # shellcheck disable=SC2086 # systemd.exec(5): a pattern stands for the files it matches
        awk -v names="^($NAMES)=" '{ sub(/^[ \t]+/, ""); sub(/[ \t\r]+$/, "") }
            $0 ~ names { at = index($0, "="); value = substr($0, at + 1); gsub(/^["\047]|["\047]$/, "", value)
                print FILENAME "\t" substr($0, 1, at - 1) "\t" value }' $pattern /dev/null 2>/dev/null
    done
)
printf '%s\n' "$fresh_env" | say64 fresh.env
say fresh.unset "$(of_unit UnsetEnvironment)"

# --- the files that may name a model ------------------------------------------------------------------------------

IFS='
'
MANAGED=/etc/claude-code
for file in "$MANAGED/managed-settings.json" "$MANAGED"/managed-settings.d/*.json; do layer "$file"; done
# A file that is gone shows in its folder alone.
say managed.changed "$(stat -c %.9Z "$MANAGED" "$MANAGED/managed-settings.d" 2>/dev/null | sort -n | tail -n 1)"


folders=$(printf '%s\n' "$start" "$cwd" "$home" | sort -u)
configs=$(
    {
        printf '%s\n' "$home/.claude"
        printf '%s\n' "$process_env" | sed -n 's/^CLAUDE_CONFIG_DIR=//p; s/^HOME=\(.*\)/\1\/.claude/p'
        printf '%s\n' "$fresh_env" | sed -n 's/.*	CLAUDE_CONFIG_DIR	//p; s/.*	HOME	\(.*\)/\1\/.claude/p'
    } | sort -u
)
projects=$(
    for folder in $PROJECTS; do
        case $folder in \~/*) folder=$home/${folder#\~/} ;; esac
        for each in "$folder" "$folder"/*/; do [ ! -d "${each%/}/.claude" ] || printf '%s\n' "${each%/}"; done
    done
)
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
for folder in "$MANAGED" $folders $projects; do set -- "$@" "${folder%/}/.claude/agents"; done
for folder in $configs; do set -- "$@" "$folder/agents"; done
agents_in "$@" | sort -u | say64 agents
IFS=' 	
'

# --- beside the service -------------------------------------------------------------------------------------------

# What a login of the user gets: its limits through PAM, by runuser and not by su, which would have logind and the user's
# own systemd begin a session at each look; not the user's profile, which is code that a look has no business to run.
# shellcheck disable=SC2016
login=$(env -i PATH="$PATH" FILE="$SETTINGS" timeout 5 runuser -s /bin/sh "$user" -c \
    'echo "login.nofile=$(ulimit -n)"
    [ ! -e "$FILE" ] || [ -r "$FILE" ] || echo settings.denied=yes' 2>&1 </dev/null) || say login.error "$(printf %s "$login" | tail -n 1)"
printf '%s\n' "$login" | grep -E '^(login|settings)\.'
# Read by pam_env(8) at each login.
sed -nE 's/^[[:space:]]*(export[[:space:]]+)?(ANTHROPIC_(DEFAULT_)?MODEL)="?([^"#]*)"?.*/login.env.\2=\4/p' /etc/environment 2>/dev/null

# Open sessions of the Claude CLI: its processes are called "claude", or "node" with a claude script.
for comm in $(grep -lxE 'claude|node' /proc/[0-9]*/comm 2>/dev/null); do
    each=${comm%/comm}
    [ "${each#/proc/}" != "$pid" ] && [ -r "$each/stat" ] || continue
    [ "$(cat "$comm" 2>/dev/null)" = claude ] || tr '\0' '\n' <"$each/cmdline" | sed -n 2,3p |
        grep -qE '(^|/)claude(\.js|-code/.*)?$' || continue
    # Fields 7 and 22: the terminal's device number, and the birth in clock ticks.
    # shellcheck disable=SC2046 # two numbers
    set -- $(sed 's/.*) //' "$each/stat" 2>/dev/null | cut -d' ' -f5,20)
    [ "$#" -eq 2 ] || continue
    model=$(tr '\n\0' ' \n' <"$each/cmdline" | options '' | sed -n 's/^model=//p' | tail -n 1)
    say "session$((sessions = ${sessions:-0} + 1))" "${each#/proc/} $2 $1 $(stat -c %U "$each") $model"
done

dropin=/etc/systemd/system/$UNIT.d/50-jada.conf
look_at_file dropin "$dropin"
look_at_file limits /etc/security/limits.d/50-jada.conf

if [ -n "$HEALTH" ]; then
    if answer=$(curl -fsS --max-time 3 "$HEALTH" 2>&1); then
        say health.size "${#answer}"
        printf %s "$answer" | masked - | say64 health.masked
    else
        printf %s "$answer" | say64 health.error
    fi
fi
if [ -n "$PROBE" ]; then
    if answer=$(cd "$start" && timeout 20 runuser -s /bin/sh "$user" -c "$PROBE" 2>/dev/null </dev/null); then
        case $answer in
            *'{'* | *[[:space:]]*) ;;
            # Nothing but a model; anything else is shown masked.
            *) answer="{\"model\":\"$answer\"}" ;;
        esac
        say probe.size "${#answer}"
        printf %s "$answer" | masked - | say64 probe.masked
    else
        say probe.error "exit code $?"
    fi
fi

for place in settings:"$(dirname "$SETTINGS")" state:/var/lib etc:/etc; do
    say "free.${place%%:*}" "$(df -Pk "${place#*:}" 2>/dev/null | awk 'NR == 2 { print $4 }')"
done

if [ -d "$HOME_OF_JADA" ]; then
    say release.current "$(basename "$(readlink "$HOME_OF_JADA/current")" 2>/dev/null)"
    for file in manifest.json result after; do
        [ -e "$HOME_OF_JADA/current/$file" ] && say64 "release.$file" <"$HOME_OF_JADA/current/$file"
    done
    [ -e "$HOME_OF_JADA/previous/manifest.json" ] && say64 release.previous <"$HOME_OF_JADA/previous/manifest.json"
    [ -e "$HOME_OF_JADA/held" ] && say64 held <"$HOME_OF_JADA/held"
    if [ -L "$HOME_OF_JADA/transaction" ]; then
        say transaction "$(basename "$(readlink "$HOME_OF_JADA/transaction")")"
    fi
    if [ -e "$HOME_OF_JADA/lock" ] && ! flock -n -s "$HOME_OF_JADA/lock" true; then
        say64 lock <"$HOME_OF_JADA/lock"
    fi
fi
if [ -n "$HISTORY" ]; then
    for manifest in "$HOME_OF_JADA"/releases/*/manifest.json; do
        [ -e "$manifest" ] || continue
        number=$((${number:-0} + 1))
        say64 "history$number.manifest" <"$manifest"
        say64 "history$number.result" <"${manifest%/*}/result" 2>/dev/null
    done
fi
say end ok
