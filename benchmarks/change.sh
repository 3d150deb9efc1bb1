# The floor of a change: what must be done on a host at the very least, in one exec, with no way back if it fails.
# NEW is the model; runs as root on a lab host.
set -eu
settings=/home/agent/.claude/settings.json
sed "s/\(\"model\" *: *\"\)claude-[^\"]*/\1$NEW/" "$settings" >"$settings.new"
chown --reference="$settings" "$settings.new"
chmod --reference="$settings" "$settings.new"
mv "$settings.new" "$settings"
mkdir -p /etc/systemd/system/jada-agent.service.d
printf '[Service]\nLimitNOFILE=20000\nLogExtraFields=JADA_MODEL=%s\n' "$NEW" \
    >/etc/systemd/system/jada-agent.service.d/60-bench.conf
systemctl daemon-reload
systemctl restart jada-agent
for _ in $(seq 200); do
    case $(curl -fs http://127.0.0.1:8787/healthz) in *"\"$NEW\""*) echo "changed"; exit 0 ;; esac
    sleep 0.1
done
# 1 is what sudo ends with.
exit 2
