"""Ways to make a host lie, each on a real host: found with the right code, or harmless and not reported.

A host gets a release once, from the real `jada upgrade`. Each case then changes something on it, looks with the very
script that goes over ssh, judges, and puts everything back; the hosts work through the cases side by side. The service
is not asked over HTTP unless the case says so: that would give most lies away too easily.
"""

from __future__ import annotations

import base64
import gzip
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from jada import ModelCheck, Service
from jada.inventory.lab import machine
from jada.inventory.lab.machine import Machine
from jada.tasks import checks
from jada.tasks.checks import Finding
from jada.tasks.engines.look import read_look
from jada.tasks.state import State
from jada.tasks.transaction import look_script
from tests.conftest import SUITE

if TYPE_CHECKING:
    from tests.conftest import Lab

pytestmark = pytest.mark.lab

MODEL = "claude-opus-5"
UNIT = "jada-agent.service"
HEALTH = "http://127.0.0.1:8787/healthz"

# The words that the cases are written with: $S settings.json, $H the home, $U the agent's user, $D the unit's drop-ins.
WORDS = """
set -e
S={settings} H={home} U={user} D=/etc/systemd/system/jada-agent.service.d
M=/etc/claude-code; E=/etc/default/jada-agent; P=$H/Documents/repos
put() {{ mkdir -p "$(dirname "$1")"; cat >"$1"; }}
json() {{ python3 -c "import json; f = open('$S', 'r+', encoding='utf-8-sig'); d = json.load(f)
$1
f.seek(0); f.truncate(); json.dump(d, f)"; }}
end_with() {{ python3 -c "
import sys; t = open('$S').read().rstrip(); open('$S', 'w').write(t[:-1] + sys.argv[1])" "$1"; }}
limit_to() {{ su -s /bin/sh $U -c "prlimit --pid $(systemctl show -p MainPID --value jada-agent) --nofile=$1:"; }}
managed() {{ echo "$1" | put $M/managed-settings.json; }}
dropin() {{ {{ echo "[Service]"; printf '%s\\n' "$@"; }} >$D/60-x.conf; }}
run_with() {{ dropin ExecStart= "ExecStart=/usr/local/bin/jada-agent $1"; }}
wrapped() {{ {{ echo '#!/bin/sh'; printf '%s\\n' "$@"; }} >/srv/wrap; chmod 755 /srv/wrap
dropin ExecStart= ExecStart=/srv/wrap; }}
load() {{ systemctl daemon-reload; }}
ready() {{ for i in $(seq 1000); do curl -fs {health} >/dev/null && return 0; sleep 0.05; done; exit 1; }}
restart() {{ systemctl daemon-reload; systemctl restart jada-agent; ready; }}
"""
KEEP = """
rm -rf /root/kept; mkdir /root/kept
cp -a $S /root/kept/settings; cp -a $D/50-jada.conf /root/kept/dropin; cp -a /etc/environment /root/kept/environment
cp -a /etc/security/limits.d/50-jada.conf /root/kept/limits; cp -a $D/../jada-agent.service /root/kept/unit
"""
PUT_BACK = """
for pid in $(cat /run/stand-ins 2>/dev/null); do kill $pid 2>/dev/null || :; done
[ ! -d /root/jada ] || mv -T /root/jada /var/lib/jada
rm -rf /run/stand-ins $M $E $P /.claude /srv/* $D/*.conf /etc/security/limits.d/* /var/lib/jada/transaction
rm -rf /run/systemd/system/*.d; cp -aT --remove-destination /root/kept/unit $D/../jada-agent.service
find $H/.claude -mindepth 1 -delete
cp -a /root/kept/settings $S; cp -a /root/kept/dropin $D/50-jada.conf; cp -a /root/kept/environment /etc/environment
cp -a /root/kept/limits /etc/security/limits.d/50-jada.conf
systemctl unset-environment ANTHROPIC_MODEL
systemctl daemon-reload
limit_to 20000 2>/dev/null || :
"""


@dataclass(frozen=True)
class Lie:
    """`codes`: the findings, no more and no less; `service`: how jada is set up, where it matters."""

    name: str
    codes: str
    script: str
    service: Mapping[str, Any]
    restarts: bool = False


def lie(name: str, codes: str, script: str, restarts: bool = False, **service: Any) -> Lie:
    return Lie(name, codes, script, service, restarts)


# Processes that look like the CLI: by their name, or as a script of node's. One is a person's, at a terminal.
OPEN_BEFORE = """
rm -rf /srv/*; cp /bin/sleep /srv/claude; cp /usr/bin/python3 /srv/node
echo 'import time; time.sleep(1000)' >/srv/claude.js
PTY="import pty; pty.spawn(['/srv/claude', '1000'])"
setsid su -s /bin/sh bitnami -c "python3 -c \\"$PTY\\"" >/dev/null 2>&1 </dev/null &
setsid /srv/node /srv/claude.js >/dev/null 2>&1 </dev/null &
for i in $(seq 1000); do set -- $(grep -lxE 'claude|node' /proc/[0-9]*/comm); [ $# -lt 2 ] || break; sleep 0.05; done
for comm in "$@"; do basename "${comm%/comm}"; done >/run/old
"""
CLAUDE = "cp /bin/sleep /srv/claude; /srv/claude 1000 >/dev/null 2>&1 & echo $! >>/run/stand-ins"
AGENT = "put $H/.claude/agents/x.md <<'EOF'\n---\nname: rev\ndescription: x\nmodel: {}\n---\nx\nEOF\n"

LIES = [
    # Each layer that decides the model.
    lie("the model is edited", "J102", "sed -i s/claude-opus-5/claude-x/ $S"),
    lie("the model is removed", "J102", "json \"del d['model']\""),
    lie("the model is not a string", "J102", "json \"d['model'] = 5\""),
    lie("a duplicate key with another model, the last one", "J102", 'end_with \', "model": "claude-x"}\''),
    lie("a comma too many", "J101", "end_with ',}'"),
    lie("half a file", "J101", "truncate -s 40 $S"),
    lie("an empty file", "J101", "truncate -s 0 $S"),
    lie("env is a string", "J101", "json \"d['env'] = 'x'\""),
    lie("the user may not read it", "J101 J107", "chown 65534:0 $S; chmod 000 $S"),
    lie("everybody may read it", "J107", "chmod 644 $S"),
    lie("an env block in the file itself", "J103", "json \"d.setdefault('env', {})['ANTHROPIC_MODEL'] = 'claude-x'\""),
    lie("managed settings", "J103", 'managed \'{"model": "claude-x"}\''),
    lie("managed settings in .d", "J103", 'echo \'{"model": "claude-x"}\' | put $M/managed-settings.d/10-x.json'),
    lie(
        "an env block in managed settings",
        "J103",
        'managed \'{"env": {"ANTHROPIC_MODEL": "claude-x"}}\'',
    ),
    lie("managed settings that are not JSON", "J101", "echo '{' | put $M/managed-settings.json"),
    lie("settings of the project it works in", "J103", 'echo \'{"model": "claude-x"}\' | put /.claude/settings.json'),
    lie("local settings of the project", "J103", 'echo \'{"model": "claude-x"}\' | put /.claude/settings.local.json'),
    lie(
        "local settings at home, where it works",
        "J103",
        "dropin 'WorkingDirectory=~'; load;echo '{\"model\": \"claude-x\"}' | put $H/.claude/settings.local.json",
    ),
    lie("availableModels without it", "J108", "json \"d['availableModels'] = ['haiku', 'claude-opus-4']\""),
    lie(
        "managed availableModels without it",
        "J108",
        'managed \'{"availableModels": ["sonnet"]}\'',
    ),
    lie("modelOverrides", "J109", "json \"d['modelOverrides'] = {'claude-opus-5': 'arn:x'}\""),
    lie("an agent with a model", "J103", AGENT.format("claude-x") + "json \"d['agent'] = 'rev'\""),
    lie("the EnvironmentFile", "J103", "echo TOKEN=lab-secret >$E; echo ' ANTHROPIC_MODEL=\"claude-x\"' >>$E"),
    lie("a variable over two lines", "J103", "printf 'ANTHROPIC_MODEL=claude-\\\\\nx' >$E"),
    lie(
        "a foreign drop-in's Environment",
        "J103",
        "dropin 'Environment=A=lab-secret \"ANTHROPIC_MODEL=claude-x\"'; load",
    ),
    lie(
        "--model in the unit",
        "J103",
        "run_with '--model claude-x --key lab-secret'; load",
    ),
    lie(
        "--settings in the unit",
        "J103",
        "echo '{\"model\": \"claude-x\"}' >/srv/s.json;run_with '--settings=/srv/s.json'; load",
    ),
    lie("systemd's own environment", "J103", "systemctl set-environment ANTHROPIC_MODEL=claude-x"),
    lie("CLAUDE_CONFIG_DIR", "J104", "mkdir -p /srv/c; cp $S /srv/c/; echo CLAUDE_CONFIG_DIR=/srv/c >$E"),
    lie(
        "CLAUDE_CONFIG_DIR in an env block", "J104", "json \"d.setdefault('env', {})['CLAUDE_CONFIG_DIR'] = '/srv/c'\""
    ),
    lie("another HOME", "J104", "echo HOME=/srv/h >$E"),
    # Sessions by hand.
    lie(
        "a project's settings",
        "J110",
        'echo \'{"model": "claude-x"}\' | put $P/one/.claude/settings.json',
        projects=("~/Documents/repos",),
    ),
    lie(
        "an env block in a project's local settings",
        "J110",
        'echo \'{"env": {"ANTHROPIC_MODEL": "claude-x"}}\' | put $P/.claude/settings.local.json',
        projects=("~/Documents/repos",),
    ),
    lie("the environment at login", "J110", "echo ANTHROPIC_MODEL=claude-x >>/etc/environment"),
    # The service and its files.
    lie(
        "an Environment that is not loaded",
        "J205",
        "dropin 'Environment=ANTHROPIC_MODEL=x'",
    ),
    lie("our drop-in is edited", "J204 J205", "echo '# x' >>$D/50-jada.conf"),
    lie("our drop-in is edited and loaded", "J204", "echo '# x' >>$D/50-jada.conf; load"),
    lie("our drop-in is gone", "J204 J205", "rm $D/50-jada.conf"),
    lie("our drop-in is another's", "J204 J410", "chown 1:1 $D/50-jada.conf"),
    lie("the record is gone", "J401", "mv -T /var/lib/jada /root/jada"),
    lie("a change was cut off", "J402", "echo x >/var/lib/jada/transaction"),
    lie("the unit is masked", "J208", "ln -sf /dev/null $D/../jada-agent.service; load"),
    lie("the unit has a bad setting", "J208", "dropin ExecStart=; load"),
    lie("the unit's user is gone", "J209", "dropin User=ghost; load"),
    lie("an EnvironmentFile is gone", "J209", "dropin EnvironmentFile=/etc/gone EnvironmentFile=-/etc/too; load"),
    lie("the folder it works in is gone", "J209", "dropin WorkingDirectory=/gone; load"),
    # Open files.
    lie(
        "a limit for all services, in another folder",
        "J206",
        "dropin LimitNOFILE=512:1024; put /run/systemd/system/service.d/60-x.conf <$D/60-x.conf; rm $D/60-x.conf; load",
    ),
    lie(
        "the limit of the process",
        "J301",
        "limit_to 1024",
    ),
    lie(
        "a foreign drop-in's limit",
        "J206",
        "dropin 'LimitNOFILE=512:1024'; load",
    ),
    lie("the limit at login", "J302", 'echo "$U soft nofile 512" >/etc/security/limits.d/zz.conf'),
    lie("our limits file is edited", "J204 J302", "sed -i s/20000/600/ /etc/security/limits.d/50-jada.conf"),
    # The process that runs.
    lie("the command says another model", "J105", ":", model_check=ModelCheck(command="echo claude-x")),
    lie("the command fails", "J105", ":", model_check=ModelCheck(command="echo claude-opus-5; exit 3")),
    lie("the URL is dead", "J105", ":", model_check=ModelCheck(url="http://127.0.0.1:1/")),
    lie("the service is stopped", "J202", "systemctl stop jada-agent", restarts=True),
    lie(
        "the service was killed",
        "J203",
        "kill -9 $(systemctl show -p MainPID --value jada-agent); sleep 1; ready",
        restarts=True,
    ),
    lie(
        "managed settings, restarted",
        "J103 J105",
        'managed \'{"model": "claude-x"}\'; restart',
        restarts=True,
    ),
    lie(
        "managed settings, restarted and gone again",
        "J106",
        'managed \'{"model": "claude-x"}\'; restart; sleep 0.1; rm $M/*.json',
        restarts=True,
    ),
    lie(
        "edited, restarted, edited back",
        "J106",
        "sed -i s/claude-opus-5/claude-x/ $S; restart; sleep 0.1; sed -i s/claude-x/claude-opus-5/ $S",
        restarts=True,
    ),
    lie(
        "edited, restarted, edited back, and asked",
        "J105",
        "sed -i s/claude-opus-5/claude-x/ $S; restart; sed -i s/claude-x/claude-opus-5/ $S",
        restarts=True,
        model_check=ModelCheck(url=HEALTH),
    ),
    lie(
        "edited, restarted, and put back with its old time",
        "J106",
        "sed -i s/claude-opus-5/claude-x/ $S; restart; sleep 0.1; cp -a /root/kept/settings $S",
        restarts=True,
    ),
    lie(
        "settings on the command line",
        "J103 J105",
        r"""run_with "--settings '{\"model\": \"claude-x\", \"env\": {\"TOKEN\": \"lab-secret\"}}'"; restart""",
        restarts=True,
    ),
    lie(
        "a script exports the model and becomes the service",
        "J103 J105",
        "wrapped 'export ANTHROPIC_MODEL=claude-x' 'exec python3 /usr/local/bin/jada-agent'; restart",
        restarts=True,
    ),
    lie(
        "a script exports the model, and starts the service",
        "J103 J105",
        "wrapped 'export ANTHROPIC_MODEL=claude-x' 'python3 /usr/local/bin/jada-agent' ':'; restart",
        restarts=True,
    ),
    lie(
        "a unit that has ended, and counts as active",
        "J210",
        "dropin Type=oneshot RemainAfterExit=yes Restart=no ExecStart= ExecStart=/bin/true"
        ";load; systemctl restart jada-agent",
        restarts=True,
    ),
    lie(
        "a unit without a main process",
        "J103 J105",
        "wrapped 'ANTHROPIC_MODEL=claude-x setsid python3 /usr/local/bin/jada-agent >/dev/null 2>&1 &'"
        ";dropin Type=oneshot RemainAfterExit=yes Restart=no ExecStart= ExecStart=/srv/wrap; restart",
        restarts=True,
    ),
    lie("the environment of the process", "J105", "echo ANTHROPIC_MODEL=claude-x >$E; restart; rm $E", restarts=True),
    lie(
        "the command line of the process",
        "J105",
        "run_with '--model claude-x';restart; rm $D/60-x.conf; load",
        restarts=True,
    ),
]

HARMLESS = [
    lie("nothing", "", ":"),
    lie("nothing, and asked", "", ":", model_check=ModelCheck(url=HEALTH)),
    lie("a touch", "", "touch $S"),
    lie("the CLI's own rewriting", "", "json \"d = {'x': 1, **dict(sorted(d.items()))}\""),
    lie("a BOM", "", "printf '\\357\\273\\277' >/srv/x; sed '1s/^\\xef\\xbb\\xbf//' $S >>/srv/x; cat /srv/x >$S"),
    lie("CRLF", "", "sed -i 's/\\r*$/\\r/' $S; chown --reference=/root/kept/settings $S"),
    lie("a duplicate key with another model, not the last one", "", 'sed -i \'0,/{/s//{"model":"claude-x",/\' $S'),
    lie("a symbolic link to the same", "", "cp -a $S /srv/s; ln -sf /srv/s $S"),
    lie("managed settings with the same model", "", 'managed \'{"model": "claude-opus-5"}\''),
    lie("managed settings without a model", "", 'managed \'{"env": {"A": "b"}}\''),
    lie("a hidden managed file", "", 'echo \'{"model": "x"}\' | put $M/managed-settings.d/.x.json'),
    lie(
        "local settings at home, where it does not work",
        "",
        'echo \'{"theme": "x"}\' | put $H/.claude/settings.local.json',
    ),
    lie("availableModels with it", "", "json \"d['availableModels'] = ['opus']\""),
    lie("modelOverrides of another", "", "json \"d['modelOverrides'] = {'claude-opus-4-6': 'arn:x'}\""),
    lie("an agent that inherits", "", AGENT.format("inherit") + "json \"d['agent'] = 'rev'\""),
    lie("an agent that nobody plays", "", AGENT.format("claude-x")),
    lie("a lower-ranking default", "", "echo ANTHROPIC_DEFAULT_MODEL=claude-x >$E"),
    lie("an empty variable", "", "echo ANTHROPIC_MODEL= >$E"),
    lie("a comment", "", "echo '#ANTHROPIC_MODEL=claude-x' >$E"),
    lie("another variable that names one", "", "dropin 'Environment=\"NOTE=use ANTHROPIC_MODEL=claude-x here\"'; load"),
    # Behind a backslash a comment goes on, but since systemd 254 it does not.
    lie(
        "a comment over two lines",
        "" if SUITE in ("bullseye", "bookworm") else "J103",
        "printf '# no \\\\\nANTHROPIC_MODEL=claude-x' >$E",
    ),
    lie("a variable that others are quoted in", "", "printf 'NOTE=\"a\nANTHROPIC_MODEL=claude-x\n\"' >$E"),
    lie("a variable that is set anew", "", "printf 'ANTHROPIC_MODEL=claude-x\nANTHROPIC_MODEL=claude-opus-5' >$E"),
    lie("a key that JSON writes otherwise", "", 'sed -i \'s/"model"/"mod\\\\u0065l"/\' $S'),
    lie("the user by its number", "", "dropin User=$(id -u $U); load"),
    lie(
        "a script takes the model away, and starts the service",
        "",
        "wrapped 'unset ANTHROPIC_MODEL' 'python3 /usr/local/bin/jada-agent' ':'"
        ";echo ANTHROPIC_MODEL=claude-x >$E; restart",
        restarts=True,
    ),
    lie(
        "a unit without a main process that runs it",
        "",
        "wrapped 'setsid python3 /usr/local/bin/jada-agent >/dev/null 2>&1 &'"
        ";dropin Type=oneshot RemainAfterExit=yes Restart=no ExecStart= ExecStart=/srv/wrap; restart",
        restarts=True,
        model_check=ModelCheck(url=HEALTH),
    ),
    lie(
        "a variable that is taken back",
        "",
        "echo ANTHROPIC_MODEL=claude-x >$E;dropin 'UnsetEnvironment=ANTHROPIC_MODEL'; load",
    ),
    lie(
        "a foreign drop-in about other things",
        "",
        "dropin 'Nice=5' 'Environment=A=b'; load",
    ),
    lie(
        "a foreign limit that is clamped to ours",
        "",
        "dropin 'LimitNOFILE=2147483646'; load",
    ),
    lie(
        "a foreign limit that ours comes after",
        "",
        "printf '[Service]\\nLimitNOFILE=512\\n' >$D/40-x.conf; load",
    ),
    lie(
        "a project that names no model",
        "",
        'echo \'{"env": {"A": "b"}}\' | put $P/one/.claude/settings.json',
        projects=("~/Documents/repos",),
    ),
    lie("a session begun after the change", "", CLAUDE),
    lie("the command says it", "", ":", model_check=ModelCheck(command="echo claude-opus-5")),
    lie(
        "the probe says it in JSON",
        "",
        ":",
        model_check=ModelCheck(command='echo "{\\"model\\": \\"claude-opus-5\\", \\"token\\": \\"x\\"}"'),
    ),
    lie("a restart by hand", "", "restart", restarts=True),
]


def look(host: Machine, **service: Any) -> State:
    """Looks at a host with the same release, by the script that jada sends."""
    service_of_case = Service(unit=UNIT, **service)
    process = machine.inside(host, look_script(service_of_case))
    state = read_look(service_of_case, process.stdout.splitlines())
    assert b"lab-secret" not in gzip.decompress(base64.b64decode(process.stdout))
    assert "lab-secret" not in repr(state)
    return state


def words(host: Machine) -> str:
    return WORDS.format(settings=host.settings, home=host.home, user=host.user or "root", health=HEALTH)


def told(host: Machine, case: Lie) -> tuple[Finding, ...] | Exception:
    """The findings of one case; the host is as before afterwards."""
    try:
        machine.inside(host, words(host) + case.script)
        return checks.drift(look(host, **case.service))
    except Exception as error:
        return error
    finally:
        machine.inside(host, words(host) + PUT_BACK + ("restart" if case.restarts else ""))


def tell_all(host: Machine, cases: list[Lie]) -> dict[str, tuple[Finding, ...] | Exception]:
    return {case.name: told(host, case) for case in cases}


@pytest.fixture(scope="module")
def released(whole_lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """Every host with a release of MODEL; on the first, two `claude` sessions that were open before."""
    whole_lab.reset()
    machine.inside(whole_lab.hosts[0], OPEN_BEFORE)
    own_record = {"XDG_STATE_HOME": str(tmp_path_factory.mktemp("state"))}
    whole_lab.jada("upgrade", "--to", "opus-5", "--yes", env=own_record)
    for host in whole_lab.hosts:
        machine.inside(host, words(host) + KEEP)
    return whole_lab


@pytest.fixture(scope="module")
def seen(released: Lab) -> dict[str, tuple[Finding, ...] | Exception]:
    """The findings of each case. Cases that restart the service come last: they end the release's own process."""
    open_before = checks.drift(look(released.hosts[0]))
    machine.inside(released.hosts[0], "kill $(cat /run/old); rm /run/old")
    cases = sorted((*LIES, *HARMLESS), key=lambda case: case.restarts)
    count = len(released.hosts)
    with ThreadPoolExecutor(count) as pool:
        parts = pool.map(tell_all, released.hosts, (cases[number::count] for number in range(count)))
    findings: dict[str, tuple[Finding, ...] | Exception] = {"sessions left open": open_before}
    for part in parts:
        findings.update(part)
    return findings


@pytest.mark.parametrize("case", [*LIES, *HARMLESS], ids=lambda case: case.name)
def test_a_host_that_lies_is_found_out(seen: dict[str, Any], case: Lie) -> None:
    findings = seen[case.name]
    if isinstance(findings, Exception):
        raise findings
    assert [finding.code for finding in findings] == case.codes.split(), findings


def test_sessions_left_open_are_found(seen: dict[str, Any]) -> None:
    findings = seen["sessions left open"]
    assert [(finding.code, finding.is_drift) for finding in findings] == [("J111", False)] * 2
    texts = sorted(re.sub(r"\d+", "N", finding.actual) for finding in findings)
    assert texts == [
        "claude N of bitnami on pts/N, open for N.N h",
        "claude N of root without a terminal, open for N.N h",
    ]


def test_what_a_look_shows_is_told_before_anything_is_restarted(released: Lab) -> None:
    limited, bare, stopped = (host.name for host in released.hosts[:3])
    running = "systemctl show jada-agent --property=MainPID,ActiveEnterTimestampMonotonic"
    # A drop-in that systemd has not even read yet.
    dropin = "/etc/systemd/system/jada-agent.service.d/override.conf"
    released.run(limited, f"printf '[Service]\\nLimitNOFILE=4096\\n' >{dropin}")
    released.run(bare, "mv /usr/bin/curl /usr/bin/curl-away")
    released.run(stopped, "systemctl stop jada-agent")
    before = [released.run(name, running) for name in (limited, bare)]
    try:
        output = released.jada("upgrade", "--to", "haiku-4.5", "--dry-run", exit_code=1)
        assert f"Refused {limited}: {dropin} is read after jada's own" in " ".join(output.split())
        assert (
            f"Refused {bare}: what runs after the change could not be told: `model_check.url` of fleet.yml, curl is"
            in " ".join(output.split())
        )
        assert "does not run now (inactive, success): this starts it" in " ".join(output.split())
        released.jada("upgrade", "--to", "haiku-4.5", "--yes", "--limit", f"{limited},{bare}", exit_code=1)
        assert [released.run(name, running) for name in (limited, bare)] == before
        released.jada("upgrade", "--to", "opus-5[1m]", "--yes", "--limit", stopped)
        assert released.model(stopped) == "claude-opus-5[1m]"
    finally:
        released.run(limited, f"rm {dropin}")
        released.run(bare, "mv /usr/bin/curl-away /usr/bin/curl")
