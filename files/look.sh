# One look at a host: prints all that jada judges it by, and changes nothing. POSIX sh with coreutils, awk and
# systemd; needs root. jada puts these before it: UNIT, SETTINGS, HEALTH (may be empty), HISTORY (yes or empty)
# and MASK (mask.awk).
# A line is "name=text" or "name:=base64". No value of a settings file leaves the host unmasked, save the models.
export LC_ALL=C
HOME_OF_JADA=/var/lib/jada

say() { printf '%s=%s\n' "$1" "$2"; }
say64() { printf '%s:=' "$1"; base64 -w0; printf '\n'; }

# A JSON file, masked; gzip because a mask compresses to almost nothing.
look_at_json() {
    [ -e "$2" ] || return 0
    say "$1.path" "$2"
    say "$1.size" "$(stat -L -c %s "$2")"
    awk "$MASK" "$2" | gzip -c | say64 "$1.masked"
}

look_at_file() {
    [ -e "$2" ] || return 0
    stat -L -c "$1.owner=%u:%g
$1.mode=%a" "$2"
    say "$1.sha256" "$(sha256sum <"$2" | cut -d' ' -f1)"
}

systemctl show "$UNIT" --property="LoadState,User,MainPID,NRestarts,ActiveState,SubState,Result,ExecMainStatus,\
ActiveEnterTimestampMonotonic,WorkingDirectory,FragmentPath,DropInPaths,NeedDaemonReload,LimitNOFILE" | sed 's/^/unit./'
# Without the lines that show command lines: those may carry secrets.
systemctl status "$UNIT" --no-pager --lines=0 2>/dev/null | grep -E '^ *(Loaded|Drop-In|Active|Main PID):|\.conf$' |
    say64 status

user=$(systemctl show "$UNIT" --property=User --value)
user=${user:-root}
home=$(getent passwd "$user" | cut -d: -f6)
pid=$(systemctl show "$UNIT" --property=MainPID --value)
case $SETTINGS in \~/*) SETTINGS=$home/${SETTINGS#\~/} ;; esac
say user "$user"
say home "$home"

if [ -d /run/systemd/system ]; then say systemd yes; else say systemd no; fi
say now "$(date +%s.%N)"
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
settings.mtime=%.9Y' "$SETTINGS"
    say settings.sha256 "$(sha256sum <"$SETTINGS" | cut -d' ' -f1)"
    masked=$(awk "$MASK" "$SETTINGS" | gzip -c | base64 -w0)
    printf 'settings.masked:=%s\n' "$masked"
    # What an operator would type to check, on the masked text: the lines are those of the real file.
    printf %s "$masked" | base64 -d | gunzip | cut -c1-200 | grep -n '"model"' | say64 settings.grep
else
    say settings.real "$(readlink -m "$SETTINGS")"
fi
for file in /etc/claude-code/managed-settings.json /etc/claude-code/managed-settings.d/*.json \
    "${SETTINGS%.json}.local.json"; do
    [ -e "$file" ] && look_at_json "layer$((layer = ${layer:-0} + 1))" "$file"
done

dropin=/etc/systemd/system/$UNIT.d/50-jada.conf
look_at_file dropin "$dropin"
look_at_file limits /etc/security/limits.d/50-jada.conf

if [ "$pid" -gt 0 ] && [ -r "/proc/$pid/stat" ]; then
    sed -n 's/^Max open files *\([^ ]*\) *\([^ ]*\).*/process.soft=\1\nprocess.hard=\2/p' "/proc/$pid/limits"
    # Field 22 of proc_pid_stat(5), counted behind the command's closing bracket: clock ticks since boot.
    ticks=$(sed 's/.*) //' "/proc/$pid/stat" | cut -d' ' -f20)
    say process.ticks "$ticks"
    say process.hz "$(getconf CLK_TCK)"
    say uptime "$(cut -d' ' -f1 /proc/uptime)"
    tr '\0' '\n' <"/proc/$pid/environ" | grep -E '^(ANTHROPIC_MODEL|ANTHROPIC_DEFAULT_MODEL|CLAUDE_CONFIG_DIR)=' |
        sed 's/^/env./'
    tr '\0' '\n' <"/proc/$pid/cmdline" | awk '
        /^--model=/ { sub(/^--model=/, ""); print "argv.model=" $0 }
        last == "--model" { print "argv.model=" $0 }
        { last = $0 }'
fi

if [ -n "$HEALTH" ]; then
    if answer=$(curl -fsS --max-time 3 "$HEALTH" 2>&1); then
        say health.size "${#answer}"
        printf %s "$answer" | awk "$MASK" | gzip -c | say64 health.masked
    else
        printf %s "$answer" | say64 health.error
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
