"""The CLI of a service is asked as the service's user, who means harm: what that user can do about it ends there."""

from __future__ import annotations

from pathlib import Path

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
# A mount below a folder of the user's, who lays a link to root's folder in its place before the n-th time that root mounts
# something; and then whatever came to lie outside the home.
SWAP = """
mkdir -p /etc/jada-canary/data /srv/data /home/agent/own/data; chown -R agent: /home/agent/own
mount --make-rprivate /
mount --bind /srv/data /home/agent/own/data
count=0
mount() {{
    count=$((count + 1))
    [ "$count" != {number} ] || setpriv --reuid=agent --regid=agent --clear-groups --no-new-privs sh -c \
        'cd /home/agent && mv own aside && ln -s /etc/jada-canary own'
    command mount "$@"
}}
(in_sandbox "$(id -u agent)" "$(id -g agent)" '' /home/agent cat /proc/self/mountinfo)
echo "ended $?"
cut -d ' ' -f 5 /proc/self/mountinfo | grep -F canary
"""
# As it comes from ask.sh: in namespaces of its own.
APART = "exec 8</dev/null; unshare -m -n -p -i -f --kill-child sh -s"


def in_sandbox(victim: Victim, command: str, folders: str = "/home/agent") -> str:
    """The output of a command of the agent's user in the sandbox."""
    call = f"in_sandbox \"$(id -u agent)\" \"$(id -g agent)\" '' {folders} {command}\n"
    return victim.root(APART, stdin=SANDBOX + call, check=False)


@pytest.mark.parametrize("number", range(1, 9))
def test_nothing_is_mounted_where_a_link_of_the_user_leads(victim: Victim, number: int) -> None:
    try:
        output = victim.root(APART, stdin=SANDBOX + SWAP.format(number=number), check=False)
        assert "ended" in output
        assert "/etc/jada-canary" not in output
        # The user could: else nothing was tried.
        victim.root("test -L /home/agent/own")
    finally:
        victim.root("rm -rf /etc/jada-canary /srv/data; cd /home/agent && rm -rf own aside")


def test_who_holds_the_pipe_of_an_answer_holds_up_nobody(victim: Victim, tmp_path: Path) -> None:
    """Another process of the same user opens it, and has it open for as long as it likes."""
    victim.user(f"printf '%s\\n' '#!/bin/sh' \"echo '{INIT}'\" 'sleep 3' >asked; chmod 755 asked")
    hold = """
while :; do
    for each in $(pgrep -u agent -f 'jada: its environment'); do
        if exec 9>/proc/$each/fd/1; then touch /home/agent/holds; exec sleep 1000; fi
    done 2>/dev/null
done"""
    victim.root(f"systemd-run --quiet --collect --unit=holder --uid=agent bash -c {quoted(hold)}")
    try:
        script = ask_script(Service(cli="~/asked")).replace("LONGEST_OF_ASK=30", "LONGEST_OF_ASK=5")
        output = victim.root('eval "$(cat)"', stdin="{\n" + script + "}\n")
        assert read_asked(output.splitlines()).model == "claude-x"
        victim.root("test -e /home/agent/holds && systemctl is-active --quiet holder && pgrep -u agent -x sleep")
    finally:
        victim.root("systemctl stop holder; rm -f /home/agent/holds /home/agent/asked")


def test_what_is_asked_begins_no_more_processes_than_it_may(victim: Victim) -> None:
    """However many its user has already."""
    some = "i=0; while [ $i -lt {count} ]; do sleep 1000 & i=$((i + 1)); done; echo all of them"
    victim.root(f"systemd-run --quiet --collect --unit=many --uid=agent sh -c {quoted(some.format(count=600))}' ; wait'")
    try:
        eventually(lambda: int(victim.root("pgrep -c -u agent -x sleep", check=False)) >= 600, "they do not begin")
        assert in_sandbox(victim, f"sh -c {quoted(some.format(count=100))}") == "all of them\n"
        assert "all" not in in_sandbox(victim, f"sh -c {quoted(some.format(count=1000))}")
    finally:
        victim.root("systemctl stop many")


def quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
