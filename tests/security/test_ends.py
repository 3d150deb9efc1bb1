"""Everything has an end and a size: a large, endless or stuck thing on one host is told, and ends there and here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jada import ModelCheck
from jada.inventory.lab import machine
from jada.inventory.lab.machine import OLD_MODEL
from jada.tasks import checks
from jada.tasks.state import State
from tests.conftest import eventually
from tests.security.conftest import ATTACK, Victim

pytestmark = pytest.mark.lab
S = ".claude/settings.json"

# Until so many have begun that a look does not read them all.
MANY = 'for i in $(seq 1000); do [ "$(pgrep -xc claude)" -le 50 ] || break; sleep 0.1; done'
# Files that the service's user lays, and the look's words on them: a finding's text, or a part that it did not read.
LAID = {
    "settings.json is a pipe": (f"rm {S}; mkfifo {S}", "it is not a regular file"),
    "settings.json is endless": (f"ln -sf /dev/zero {S}", "it is not a regular file"),
    "settings.json has 2 GB": (f"truncate -s 2G {S}", "more than the 8388608 that jada reads"),
    "agents is /": ("ln -s / .claude/agents", ""),
    "agents is /proc": ("ln -s /proc .claude/agents", ""),
    "agents leads to itself": ("mkdir .claude/agents; ln -s . .claude/agents/a; ln -s .. .claude/agents/b", ""),
    "an agent has 20 GB": ("mkdir .claude/agents; truncate -s 20G .claude/agents/x.md", ""),
    "an agent is a pipe": ("mkdir .claude/agents; mkfifo .claude/agents/x.md", ""),
    "a thousand sessions": (
        "cp /bin/sleep claude; for i in $(seq 200); do setsid ./claude 100 >/dev/null 2>&1 & done; " + MANY,
        "sessions: more than 50",
    ),
    "sessions with long command lines": (
        "cp /usr/bin/python3 claude; x=$(head -c 100000 /dev/zero | tr '\\0' x); for i in $(seq 60); do "
        "setsid ./claude -c 'import time; time.sleep(100)' $x $x $x >/dev/null 2>&1 & done; " + MANY,
        "sessions: more than 50",
    ),
    "a thousand projects": (
        "mkdir -p repos; cd repos; for i in $(seq 600); do mkdir -p $i/.claude; done",
        "projects: more",
    ),
    "a project's settings are a pipe": ("mkdir -p repos/a/.claude; mkfifo repos/a/.claude/settings.json", ""),
}


@pytest.mark.parametrize(("lay", "expected"), LAID.values(), ids=LAID)
def test_what_the_user_lays_is_read_to_an_end(victim: Victim, lay: str, expected: str) -> None:
    victim.user(lay)
    try:
        state = victim.look(projects=("~/repos",))
    finally:
        victim.root("pkill -KILL -x claude", check=False)
    assert expected in state.settings.problem + "; ".join(state.unread)
    assert checks.running_model(state) is not None


# More of everything than a look takes: settings that do not pack, agents, a command line in the unit's control group.
MUCH = r"""
much='import base64, os; print("{\"%s\": 1}" % base64.b85encode(os.urandom(6600000)).decode())'
for i in 1 2 3 4 5; do python3 -c "$much" >$i.json; done
mkdir -p .claude/agents
for i in $(seq 5001); do printf -- '---\nname: a\ndescription: x\nmodel: m\n---\n' >.claude/agents/$i.md; done
cp /usr/bin/python3 claude
setsid ./claude -c 'import time; time.sleep(300)' $(printf -- '--settings=/home/agent/%s.json ' 1 2 3 4 5) \
    $(yes -- --model=x | head -n 55000) >/dev/null 2>&1 &
"""
# A probe that leaves a program behind, with its pipe.
LEAVING = "sleep 100 & echo claude-x"
# The processes of the unit's control group, whichever hierarchy is mounted where.
MEMBERS = "$(ls -d /sys/fs/cgroup/systemd$G/cgroup.procs /sys/fs/cgroup$G/cgroup.procs 2>/dev/null | head -n 1)"


def test_whatever_the_user_makes_much_of_there_is_a_way_back(victim: Victim) -> None:
    assert victim.upgrade()[1]["outcome"] == "verified"
    victim.user(MUCH)
    try:
        eventually(lambda: victim.root("pgrep -u agent -x claude", check=False) != "", "it did not start")
        pid = victim.root("pgrep -u agent -x claude").strip()
        victim.root(f"G=$(systemctl show -P ControlGroup jada-agent); echo {pid} > {MEMBERS}")
        state = victim.look(model_check=ModelCheck(command=LEAVING))
        assert state.report.model == "claude-x"
        assert state.process is not None
        assert state.process.speaker == int(pid)
        unread = "; ".join(state.unread)
        for word in ("more than 50 options", "settings files: more than", "agent: more than 5000"):
            assert word in unread
        _, host, output = victim.on_this_host("rollback")
        assert victim.model() == OLD_MODEL
        # A process that outlives the restart, for systemd did not start it, is told, and nothing else is wrong.
        wrong = {finding["code"] for finding in host["findings"] if finding["severity"] == "error"}
        assert (host["outcome"], wrong) in (("verified", set()), ("unproven", {"J118"})), output
    finally:
        victim.root("pkill -KILL -u agent -x 'claude|sleep'", check=False)


# Servers in place of the health check: each answers in a way that has no end, or breaks off.
SERVER = """
import socket, time
server = socket.create_server(("127.0.0.1", 8788)); open("up", "w").close()
while True:
    there, _ = server.accept()
    try:
        there.recv(4096)
        {answer}
    except OSError:
        pass
    there.close()
"""
ANSWERS = {
    "endless": (
        "there.sendall(b'HTTP/1.1 200 OK\\r\\n\\r\\n{')\n"
        '        while True: there.sendall(b\'"k":"lab-secret",\' * 9999)',
        "an answer of more than 64 KB",
    ),
    "a drip": (
        "there.sendall(b'HTTP/1.1 200 OK\\r\\n\\r\\n')\n        while True: there.sendall(b' '); time.sleep(0.1)",
        "did not answer within 3 s",
    ),
    "broken off": (
        "there.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Length: 9999\\r\\n\\r\\n{\"k\": \"lab-secret' + b'x' * 4096)",
        "curl ended with 18",
    ),
    "silence": ("time.sleep(60)", "did not answer within 3 s"),
    "nested": ("there.sendall(b'HTTP/1.1 200 OK\\r\\n\\r\\n' + b'[' * 60000)", "no JSON"),
    "half a letter": (
        'there.sendall(b\'HTTP/1.1 200 OK\\r\\n\\r\\n{"model": "\\\\ud800"}\')',
        "can't be the id of one",
    ),
}


@pytest.mark.parametrize(("answer", "expected"), ANSWERS.values(), ids=ANSWERS)
def test_an_answer_has_an_end_and_tells_no_secret(victim: Victim, tmp_path: Path, answer: str, expected: str) -> None:
    machine.inside(victim.host, "cat >/home/agent/server.py", stdin=SERVER.replace("{answer}", answer))
    victim.root(f"{ATTACK} python3 server.py")
    try:
        eventually(lambda: victim.user("ls up 2>/dev/null", check=False) != "", "the server did not start")
        file = victim.fleet_with(tmp_path, model_check="{url: 'http://127.0.0.1:8788/'}")
        code, _, output = victim.jada("drift", "--json", "--limit", victim.host.name, fleet_file=file)
        assert code == 3, output
        victim.look(model_check=ModelCheck(url="http://127.0.0.1:8788/"))
        report = victim.look(model_check=ModelCheck(url="http://127.0.0.1:8788/")).report
        assert (report.model, expected in report.error) == ("", True), report
        code, _, output = victim.jada("explain", victim.host.name, fleet_file=file)
        assert code == 0
    finally:
        victim.root("systemctl kill -s KILL attacker")


def test_a_half_that_its_user_stops_ends_with_all_its_processes(victim: Victim) -> None:
    """The half that runs as the user can be stopped by that user at any time; here for good. Root's is told."""
    end = victim.in_background("pkill -STOP -u agent -f look_as_use[r]")
    looks: list[State] = []

    def is_cut_off() -> bool:
        looks.append(victim.look())
        return bool(looks[-1].unseen)

    try:
        # Now and then the attacker comes too late.
        eventually(is_cut_off, "the half was never stopped")
    finally:
        end()
    seen = looks[-1]
    assert (seen.unseen, seen.user, seen.process is None) == ("it was cut off", "agent", False)
    assert victim.root("pgrep -u agent -f look_as_use[r]", check=False) == ""


# A host whose root answers every command of jada's with this.
FLOODS = {
    "without an end": "exec yes flood",
    "a line without an end": "exec tr '\\0' x </dev/zero",
    "a bomb": "exec python3 -c 'import gzip, base64; print(base64.b64encode(gzip.compress(bytes(10**8))).decode())'",
    "on the other stream": "yes flood | head -c 100000000 >&2; echo x",
    "not a text": "head -c 100000 /dev/urandom",
    "sudo's question": "echo 'sudo: a password is required'; echo 'sudo: a password is required' >&2; exit 5",
    "nothing": "exit 0",
}


@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS)
def test_what_a_host_floods_ends_here_too(victim: Victim, flood: str) -> None:
    # Only what jada sends: the lab's own way in uses the shell too.
    script = f"""#!/bin/bash\n[ "$2" = 'eval "$(cat)"' ] || exec /bin/sh "$@"\n{flood}\n"""
    machine.inside(victim.host, "cat >/usr/local/sbin/sh; chmod 755 /usr/local/sbin/sh", stdin=script)
    try:
        code, report, output = victim.jada("status", "--json")
    finally:
        victim.root("rm /usr/local/sbin/sh")
    assert code == 1, output
    assert "password:" not in output
    rows = {row["host"]: row["error"] for row in report["hosts"]}
    assert rows.pop(victim.host.name), output
    assert set(rows.values()) == {None}
    assert json.dumps(report)
