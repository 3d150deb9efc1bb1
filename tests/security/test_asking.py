"""The CLI of a service is asked as the service's user, who means harm: what that user can do about it ends there."""

from __future__ import annotations

import shlex

import pytest

from jada import Service
from jada.tasks import FILES
from jada.tasks.asked import read_asked
from jada.tasks.transaction import ask_script
from tests.conftest import eventually
from tests.security.conftest import Victim

pytestmark = pytest.mark.lab
SANDBOX = (FILES / "look/sandbox.sh").read_text()
INIT = '{"type":"system","subtype":"init","model":"claude-x","claude_code_version":"2.1.332"}'
# As it comes from ask.sh: in namespaces of its own.
APART = "unshare -m -n -p -i -f --kill-child sh -s"
# The user waits for a word to lay a link to root's folder in the place of a folder.
USER_WAITS = f"""
mkfifo /run/jada-go /run/jada-gone
setpriv --reuid=agent --regid=agent --clear-groups sh -c 'read -r _ && cd /home/agent && mv own aside &&
    ln -s /etc/jada-canary own; echo >&5' </run/jada-go 5>/run/jada-gone &
exec 4>/run/jada-go 3</run/jada-gone 8</dev/null
{APART}
"""
# There is a mount below that folder. The user does it before the n-th time that root mounts something.
SWAP = """
exec 9</proc/self/mountinfo
mount --make-rprivate /
mount --bind /srv/data /home/agent/own/data
count=0
mount() {{
    count=$((count + 1))
    [ "$count" != {number} ] || {{ echo >&4; read -r _ <&3; }}
    command mount "$@"
}}
(in_sandbox "$(id -u agent)" "$(id -g agent)" '' /home/agent cat /proc/self/mountinfo)
echo "ended $?"
cat <&9
"""


# Takes the pipe from the shell that asks, which is that user's process: pidfd_getfd(2), which Python has no name for.
HOLD = """
import ctypes, os, subprocess, time
look_for = ["pgrep", "-o", "-u", "agent", "-f", "jada: its [e]nvironment"]
while not (found := subprocess.run(look_for, capture_output=True).stdout):
    time.sleep(0.1)
assert ctypes.CDLL(None).syscall(438, os.pidfd_open(int(found)), 1, 0) > 0
open("/srv/held/pipe", "w")
time.sleep(100)
os.unlink("/srv/held/pipe")
"""


def in_sandbox(victim: Victim, command: str, folders: str = "/home/agent") -> str:
    """The output of a command of the agent's user in the sandbox."""
    call = f'in_sandbox "$(id -u agent)" "$(id -g agent)" \'\' {folders} {command}\n'
    return victim.root(f"exec 8</dev/null; {APART}", stdin=SANDBOX + call, check=False)


@pytest.mark.parametrize("number", range(1, 8))
def test_nothing_is_mounted_where_a_link_of_the_user_leads(victim: Victim, number: int) -> None:
    """Of a mount below the home, the name is looked up again and again; the user owns the folder that it is in."""
    try:
        victim.root("mkdir -p /etc/jada-canary/data /srv/data /home/agent/own/data; chown -R agent: /home/agent/own")
        output = victim.root(USER_WAITS, stdin=SANDBOX + SWAP.format(number=number))
        assert "ended " in output
        assert "jada-canary" not in output
        # Else nothing was tried.
        victim.root("test -L /home/agent/own")
    finally:
        victim.root("rm -rf /etc/jada-canary /srv/data /run/jada-go /run/jada-gone; cd /home/agent && rm -rf own aside")


def test_who_holds_the_pipe_of_an_answer_holds_up_nobody(victim: Victim) -> None:
    """Another process of the same user opens it, and has it open for as long as it likes."""
    waits = f"#!/bin/sh\nwhile [ ! -e /srv/held/pipe ]; do sleep 0.1; done\necho '{INIT}'\n"
    victim.root("install -d -o agent /srv/held; cat >/home/agent/asked; chmod 755 /home/agent/asked", stdin=waits)
    # Not by systemd, as which what runs on a lab host has no pidfd_getfd(2).
    as_agent = "setpriv --reuid=agent --regid=agent --clear-groups"
    holder = victim.root(f"{as_agent} python3 -c {shlex.quote(HOLD)} </dev/null >/dev/null 2>&1 & echo $!").strip()
    try:
        script = ask_script(Service(cli="~/asked")).replace("LONGEST_OF_ASK=30", "LONGEST_OF_ASK=10")
        output = victim.root('eval "$(cat)"', stdin="{\n" + script + "}\n")
        asked = read_asked(output.splitlines())
        assert (asked.model, asked.error) == ("claude-x", "")
        victim.root("test -e /srv/held/pipe")
    finally:
        victim.root(f"kill {holder}; rm -rf /srv/held")


def test_what_is_asked_begins_no_more_processes_than_it_may(victim: Victim) -> None:
    """However many its user has already."""
    some = "i=0; while [ $i -lt {count} ]; do sleep 1000 & i=$((i + 1)); done; echo all of them"
    victim.root(
        f"systemd-run --quiet --collect --unit=many --uid=agent sh -c {shlex.quote(some.format(count=600) + '; wait')}"
    )
    try:
        eventually(lambda: int(victim.root("pgrep -c -u agent -x sleep", check=False)) >= 600, "they do not begin")
        assert in_sandbox(victim, f"sh -c {shlex.quote(some.format(count=100))}") == "all of them\n"
        # The kernel counts those of the whole machine that the lab is on.
        threads = int(victim.root("cut -d/ -f2 /proc/loadavg | cut -d' ' -f1"))
        assert "all" not in in_sandbox(victim, f"sh -c {shlex.quote(some.format(count=threads + 300))}")
    finally:
        victim.root("systemctl stop many")
