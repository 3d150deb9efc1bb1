# Tells which services of this host may be an agent, each on a line: first those of which a process is the Claude CLI, then
# those that run and are called so. Runs as root; changes nothing. What tasks/services.py reads ends with `end`.
{
    # The kernel's name of a process is its own word, and so is the control group's; both are only compared and told.
    for comm in $(grep -lx claude /proc/[0-9]*/comm 2>/dev/null); do cat "${comm%/comm}/cgroup" 2>/dev/null; done |
        awk -F/ '!/\/user\.slice\// { for (at = 2; at <= NF; at++) if ($at ~ /\.service$/) { print $at; next } }'
    systemctl list-units --type=service --state=running --plain --no-legend 2>/dev/null | awk '
        $1 ~ /claude|agent/ && $1 !~ /^(ssh-|amazon-|qemu-guest-|google-|snap\.|gpg-|zabbix-|puppet|datadog-)/ { print $1 }'
} | awk '!seen[$0]++' | head -n 20
echo end
