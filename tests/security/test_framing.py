"""Names and values of a host stay what they are: none becomes another field, line, command or escape."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator

import pytest

from jada.inventory.lab import machine
from jada.tasks import checks
from jada.tasks.state import State
from tests.security.conftest import Victim, cases

pytestmark = pytest.mark.lab
LIMITS = "cat /etc/security/limits.d/50-jada.conf"
AGENT = "---\\nname: rev\\ndescription: x\\nmodel: claude-x\\n---\\n"
# As the old wire had it, where a line was a field; and as a frame of the new one.
FORGED = {
    "a line for root's limits": "x\nuser+=root hard nofile 1\nzz",
    "a field of root's, as a line": "x\nunit.sets=none\nsettings.real=/etc/passwd\nzz",
    "a field of root's, as a frame": "x\nuser 4\nroot\nend 2\nok\n",
    "an end, and another beginning": "x\nend 2\nok\nsettings.path 11\n/etc/passwd\nend 2\nok\n",
    "an escape": "x\x1b]0;owned\x07\x1b[2J",
    "not UTF-8": "x\udcff\udcfe",
    "another line of a workflow": "x\n::error::y",
}
NAMES = cases(FORGED, "a field of root's, as a line", "an end, and another beginning", "another line of a workflow")


def lay(victim: Victim, folder: str) -> None:
    """An agent in a folder of that name; a slash in it makes one more."""
    victim.makedirs(f".claude/agents/{folder}")
    victim.user(f"printf -- '{AGENT}' >agent.md; find .claude/agents -type d -exec cp agent.md {{}}/x.md \\;")


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_folders_name_is_no_field(victim: Victim, name: str) -> None:
    before = victim.look()
    lay(victim, name)
    state = victim.look()
    assert facts(state) == facts(before)
    assert checks.drift(state) == checks.drift(before)
    assert victim.upgrade()[1]["outcome"] == "verified"
    assert victim.root(LIMITS).splitlines()[1:] == ["agent soft nofile 20000", "agent hard nofile 20000"]
    code, _, output = victim.jada("explain", victim.host.name)
    assert (code, "\x1b" in output, "\n::" in output) == (0, False, False)


def facts(state: State) -> tuple[object, ...]:
    """The values by root, on which root's work depends."""
    return (
        state.user,
        state.uid,
        state.home,
        state.settings,
        state.unit.settings,
        state.dropin,
        state.limits,
        state.release,
    )


@pytest.mark.parametrize("name", ["a\nuser 4\nroot\nend 2\nok", "a\nsettings.real=/etc/passwd", "a\x1b[2J", "a\t\tb"])
def test_a_working_folders_name_is_no_field(victim: Victim, name: str) -> None:
    """The process chooses it itself, after its start."""
    before = victim.look()
    victim.makedirs(name)
    victim.user(f"printf %s '{name}' >name")
    victim.root(
        "mkdir -p /etc/systemd/system/jada-agent.service.d; printf '[Service]\\nExecStart=\\nExecStart=%s\\n' "
        '"/bin/sh -c \'cd /home/agent; cd \\"\\$\\$(cat name)\\"; exec /usr/local/bin/jada-agent\'" '
        ">/etc/systemd/system/jada-agent.service.d/60-x.conf; systemctl daemon-reload; systemctl restart jada-agent"
    )
    victim.ready()
    state = victim.look()
    assert state.process is not None
    assert (state.user, state.settings, state.release) == (before.user, before.settings, None)
    if "\n" in name:
        assert any("line break" in text for text in state.unread)
    else:
        assert state.process.spec.cwd == f"/home/agent/{name}"
    code, _, output = victim.jada("explain", victim.host.name)
    assert (code, "\x1b" in output) == (0, False)


def test_a_value_of_the_environment_is_no_field(victim: Victim) -> None:
    victim.root("printf 'ANTHROPIC_MODEL=\"claude-x\\nuser 4\\nroot\"\\n' >/etc/default/jada-agent")
    victim.root("systemctl restart jada-agent")
    victim.ready()
    assert victim.look().user == "agent"


def test_a_file_of_variables_of_the_users_is_read_as_the_user(victim: Victim) -> None:
    """Its content counts; the place that it leads to does not."""
    victim.root(
        "mkdir -p /etc/systemd/system/jada-agent.service.d; printf '[Service]\\nEnvironmentFile=-/home/agent/env\\n' "
        ">/etc/systemd/system/jada-agent.service.d/60-x.conf; systemctl daemon-reload; "
        "echo 'ANTHROPIC_MODEL=roots-secret' >/root/env; chmod 600 /root/env"
    )
    try:
        victim.user("echo ANTHROPIC_MODEL=claude-x >env")
        assert victim.look().next_start.env["ANTHROPIC_MODEL"] == "claude-x"
        victim.user("ln -sf /root/env env")
        assert "ANTHROPIC_MODEL" not in victim.look().next_start.env
    finally:
        victim.root("rm /root/env")


# In place of what runs the user's half of a look, which the user may trace: it says what it likes.
SPEAKER = """#!/bin/sh
case "$*" in *look_as_user*) exec cat /run/forged ;; esac
exec /usr/bin/setpriv "$@"
"""


@pytest.fixture
def speak(victim: Victim) -> Iterator[Callable[..., None]]:
    """Has the user's half say this from now on, after a look's own words on the place of settings.json."""

    def say(**fields: str) -> None:
        frames = "".join(f"{name.replace('__', '.')} {len(text)}\n{text}\n" for name, text in fields.items())
        machine.inside(victim.host, "cat >/run/forged", stdin=frames + "end 2\nok\n")
        machine.inside(victim.host, "cat >/usr/local/sbin/setpriv; chmod 755 /usr/local/sbin/setpriv", stdin=SPEAKER)

    yield say
    victim.root("rm -f /usr/local/sbin/setpriv /run/forged")


@pytest.mark.parametrize("field", ["user", "home", "settings__path", "unit__MainPID", "release__result"])
def test_the_users_half_of_a_look_speaks_for_the_user_alone(
    victim: Victim, speak: Callable[..., None], field: str
) -> None:
    speak(**{field: "/"})
    code, report, output = victim.jada("status", "--json")
    rows = {row["host"]: row for row in report["hosts"]}
    assert code == 0, output
    assert "J411" in rows[victim.host.name]["drift"]
    assert f"{field.replace('__', '.')} is no field of a look" in victim.look().unseen
    assert [name for name, row in rows.items() if "J411" in row["drift"]] == [victim.host.name]


@pytest.mark.parametrize(
    "real",
    ["/etc/jada-trap.json", "/home/agent/placed.json", "/home/agent/../../etc/jada-trap.json", "/home/agentx/a.json"],
)
def test_where_a_link_leads_is_no_reason_for_root_to_write_there(
    victim: Victim, speak: Callable[..., None], real: str
) -> None:
    """The user says that its settings are a file of root's, with all that the plan wants to hear."""
    text = '{"model": "claude-x"}'
    for path in ("/etc/jada-trap.json", "/home/agent/placed.json"):
        machine.inside(victim.host, f"cat >{path}; chmod 644 {path}", stdin=text)
    try:
        speak(
            settings__real=real, settings__owner="0:0", settings__mode="644", settings__links="1",
            settings__changed="1", settings__size=str(len(text)), settings__masked=text + '"',
            settings__sha256=hashlib.sha256(text.encode()).hexdigest(),
        )  # fmt: skip
        before = victim.everything(), victim.root("cat /home/agent/placed.json")
        _, host, output = victim.upgrade()
        assert host["outcome"] == "rejected", output
        assert (victim.everything(), victim.root("cat /home/agent/placed.json")) == before
    finally:
        victim.root("rm -f /etc/jada-trap.json /home/agent/placed.json")
