"""A host's own CLI is asked as the service that it is, and the host is afterwards as it was before, byte for byte."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from dataclasses import replace

import pytest

from jada import Service
from jada.inventory.lab import claude, machine
from jada.inventory.lab.machine import Machine
from jada.tasks.asked import Asked, read_asked
from jada.tasks.look_reader import read
from jada.tasks.served import Served
from jada.tasks.settings import Splice, Splices
from jada.tasks.transaction import as_service, ask_script, look_script
from tests.claude import hosts
from tests.claude.configurations import CONFIGURATIONS
from tests.claude.conftest import ClaudeLab
from tests.claude.hosts import DESIRED
from tests.conftest import eventually

pytestmark = pytest.mark.claude
BY_NAME = {configuration.name: configuration for configuration in CONFIGURATIONS}
SERVICE = Service()
API = "http://127.0.0.1:8787"
# The service's own processes stand still; what is left to change by itself is the journal's, and the clock's.
STAND_STILL = "systemctl kill --signal=%s jada-agent; sleep 0.2"
SEEN = """
find / -xdev \\( -path /proc -o -path /sys -o -path /var/log/journal -o -path /run \\) -prune -o \
    -printf '%p %y %i %C@ %s %m %U:%G %l\\n' | sort
find /tmp /run /dev/shm /home /root -xdev \\( -path /run/log -o -path /run/systemd \\) -prune -o \
    -printf '%p %y %i %C@ %s %m %U:%G %l\\n' | sort
find /home /root /etc /srv /tmp -xdev -type f -exec sha256sum {} + | sort
processes=$(for each in /proc/[0-9]*; do echo "${each#/proc/} $(readlink $each/exe)"; done)
echo "$processes" | grep -v 'dash$'
cat /proc/self/mountinfo
"""


def ask(host: Machine, service: Service = SERVICE, splices: Splices = ()) -> Asked:
    script = "{\n" + ask_script(service, splices) + "}\n"
    return read_asked(machine.inside(host, """sh -c 'eval "$(cat)"'""", stdin=script).stdout.splitlines())


def of(claude_lab: ClaudeLab, user: str) -> Machine:
    """A host whose service is that user's."""
    return next(host for host in claude_lab.hosts if host.user == user)


@pytest.mark.telling
@pytest.mark.parametrize("user", ["agent", ""], ids=["of a user", "of root"])
def test_nothing_on_the_host_changes(claude_lab: ClaudeLab, user: str) -> None:
    host = of(claude_lab, user)
    configuration = replace(
        BY_NAME["as released"],
        user={
            "model": DESIRED,
            "hooks": {"SessionStart": [{"hooks": [{"type": "command", "command": "id >/tmp/hook"}]}]},
        },
    )
    hosts.lay(host, configuration)
    machine.inside(host, STAND_STILL % "STOP")
    try:
        before = machine.inside(host, SEEN).stdout
        asked = ask(host)
        edited = ask(host, splices=(Splice(10, len(DESIRED) + 2, '"claude-haiku-4-5"'),))
        after = machine.inside(host, SEEN).stdout
    finally:
        machine.inside(host, STAND_STILL % "CONT")
    assert (asked.model, asked.is_running, asked.error) == (DESIRED, True, "")
    assert edited.model == "claude-haiku-4-5"
    assert after == before


def test_the_file_of_settings_would_be_dropped(claude_lab: ClaudeLab) -> None:
    """The host says itself whether a change would take."""
    host = of(claude_lab, "agent")
    hosts.lay(host, BY_NAME["dropped: permissions.defaultMode is mistyped"])
    model = ask(host, splices=(Splice(0, 0, ""),)).model
    assert model
    assert model != DESIRED


def test_a_process_with_programs_of_its_own_is_not_entered(claude_lab: ClaudeLab) -> None:
    """Root runs there what it runs here, or nothing."""
    host = of(claude_lab, "agent")
    own = "mkdir -p /srv/bin; cp -a /usr/bin/mount /srv/bin/; "
    for unit in ("BindReadOnlyPaths=/srv/bin/mount:/usr/bin/mount", "PrivateUsers=yes"):
        hosts.lay(host, replace(BY_NAME["as released"], unit=(unit,), script=own))
        asked = ask(host)
        assert asked.model == ""
        assert "of its own" in asked.error


@pytest.mark.telling
def test_an_answer_stands_until_what_it_was_given_on_changes(claude_lab: ClaudeLab) -> None:
    host = of(claude_lab, "agent")
    hosts.lay(host, BY_NAME["as released"])

    def asked() -> tuple[str, bool]:
        """The model that the CLI names, and whether it was asked before."""
        (row,) = json.loads(claude_lab.jada("drift", "--json", "--limit", host.name))["hosts"]
        (piece,) = (piece for piece in row["evidence"] if piece["kind"] == "asked")
        return piece["model"], piece["asked_at"] is not None

    assert [asked() for _ in range(3)] == [(DESIRED, False), (DESIRED, True), (DESIRED, True)]
    machine.inside(host, f"echo '{{}}' >{host.home}/.claude/settings.local.json; systemctl restart jada-agent")
    assert [asked() for _ in range(2)] == [(DESIRED, False), (DESIRED, True)]


def test_which_options_take_a_word(claude_lab: ClaudeLab) -> None:
    """As the CLI itself tells; it has some that it does not tell of, too."""
    told = machine.inside(of(claude_lab, "agent"), f"{claude.PROGRAM} --help").stdout
    options = re.findall(r"^ {2}(-\S.*?)(?: {2,}.*)?$", told, re.MULTILINE)
    names = {name: option.endswith(">") for option in options for name in re.findall(r"(?<!\S)--?[\w-]+", option)}
    assert names["--model"]
    assert not names["--print"]
    words = " ".join(names)
    script = f"{as_service()}for name in {words}; do if takes_word $name; then printf '%s\\n' $name; fi; done"
    found = subprocess.run(["sh"], input=script, capture_output=True, text=True, check=True).stdout.split()
    assert set(found) == {name for name, takes in names.items() if takes}


def test_a_service_without_a_process(claude_lab: ClaudeLab) -> None:
    host = of(claude_lab, "agent")
    hosts.lay(host, BY_NAME["as released"])
    machine.inside(host, "systemctl stop jada-agent")
    assert ask(host).error == "the service has no process to ask it as"


@pytest.mark.telling
def test_the_answers_of_the_service_are_counted(claude_lab: ClaudeLab) -> None:
    """By its own transcripts, and not by what its user does by hand in another folder."""
    host = of(claude_lab, "agent")
    assert hosts.lay(host, BY_NAME["as released"])[0] == DESIRED
    by_hand = f"cd; ANTHROPIC_API_KEY=x ANTHROPIC_BASE_URL={API} claude -p x --model claude-haiku-4-5 </dev/null"
    machine.inside(host, f"su -s /bin/sh agent -c {shlex.quote(by_hand)}")
    served: list[Served] = []

    def answered() -> bool:
        script = look_script(SERVICE)
        output = machine.inside(host, "sh", stdin=script).stdout.splitlines()
        served[:] = [read(SERVICE.unit, output, SERVICE.model_check).served]
        return served[0].count > 0

    eventually(answered)
    assert {answers.model for answers in served[0].answers} == {DESIRED}


def test_no_secret_is_on_a_command_line(claude_lab: ClaudeLab) -> None:
    """What is in the environment of the service, or in a settings file that it names, can't be read in `ps`."""
    host = of(claude_lab, "agent")
    hosts.lay(host, replace(BY_NAME["as released"], files={"/srv/s.json": {"env": {"A": "lab-secret"}}},
                            flags="--settings /srv/s.json"))  # fmt: skip
    watch = "timeout 60 sh -c 'while :; do cat /proc/[0-9]*/cmdline; done' 2>/dev/null >/run/lines & "
    question = 'eval "$(cat)" >/dev/null; kill $!; grep -ac lab-secre[t] /run/lines; rm /run/lines'
    watched = machine.inside(host, watch + question, stdin=ask_script(SERVICE), check=False)
    assert watched.stdout == "0\n"
