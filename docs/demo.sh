#!/bin/sh
# The main job on the rehearsal fleet, as `make demo` runs it: every command is shown before it is run.
set -eu
: "${JADA_LAB_HOSTS:=3}"
# Of its own name: the lab that somebody rehearses on is left alone.
export JADA_LAB=demo

say() { printf '\n\033[1m# %s\033[0m\n' "$*"; }
run() { printf '\033[36m$ %s\033[0m\n' "$*"; "$@"; }
expect() { # CODE COMMAND...: a command whose exit code is part of the story
    want=$1; shift
    printf '\033[36m$ %s\033[0m\n' "$*"
    code=0; "$@" || code=$?
    printf '(exit code %s)\n' "$code"
    [ "$code" -eq "$want" ] || { echo "demo: expected exit code $want" >&2; exit 1; }
}

say "A fleet of $JADA_LAB_HOSTS real systemd hosts on this machine, behind an emulated AWS endpoint"
printf '\033[36m$ export JADA_LAB=%s\033[0m\n' "$JADA_LAB"
run jada lab down
run jada lab up --hosts "$JADA_LAB_HOSTS"
JADA_FLEET=$(jada lab status --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["fleet_file"])')
export JADA_FLEET
say "Which hosts are there? boto3 asks EC2 and Lightsail, all regions side by side"
run jada hosts
run jada status
say "What would an upgrade change?"
run jada upgrade --to sonnet-4.6 --dry-run
say "Change it, on all hosts, and see it run"
run jada upgrade --to sonnet-4.6 --yes
expect 0 jada drift
say "Somebody edits a file by hand: drift finds it"
run jada lab ssh specialist-1 "sudo sed -i s/claude-sonnet-4.6/claude-opus-5/ /home/agent/.claude/settings.json"
expect 3 jada drift
say "An incident: everything back, byte for byte"
run jada rollback --yes
say "All run what they did before; that fleet.yml asks for another model, drift says too"
expect 3 jada drift
run jada status
say "A model that makes the agent crash two seconds after its start: the host puts itself back"
run jada lab ssh specialist-1 "echo '{\"crash_after\": 2, \"models\": [\"claude-haiku-4.5\"]}' | sudo tee /etc/jada-agent.json"
expect 4 jada upgrade --to haiku-4.5 --limit specialist-1 --yes
run jada status
say "That was the main job. The fleet stays up for you to play with:"
echo "  export JADA_FLEET=$JADA_FLEET"
echo "  .venv/bin/jada status      (or: . .venv/bin/activate)"
echo "  .venv/bin/jada lab down --name $JADA_LAB"
