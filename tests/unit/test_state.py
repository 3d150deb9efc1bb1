"""Reading what one look at a host printed."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Iterable

import pytest

from jada.tasks.state import INLINE, Answer, LookError, OpenSession, State, read

UNIT = "jada-agent.service"
LEAST = {
    "user": "agent",
    "home": "/home/agent",
    "uptime": "1000.0",
    "now": "5000.0",
    "boot": "b",
    "nr_open": "1048576",
    "can_raise": "1",
    "hard_pid1": "524288",
    "hard_login": "524288",
    "settings.path": "/home/agent/.claude/settings.json",
    "settings.real": "/home/agent/.claude/settings.json",
    "unit.MainPID": "300",
    "process.ticks": "90000",
    "end": "ok",
}


def packed(lines: Iterable[str]) -> list[str]:
    return [base64.b64encode(gzip.compress("\n".join(lines).encode())).decode()]


def look(**more: str) -> State:
    """A look that saw `more`, "." written as "__"; of a text of several lines, each is a line of the look."""
    seen = {**LEAST, **{name.replace("__", "."): text for name, text in more.items()}}
    lines = [
        f"{name}{'+' * (len(parts) > 1)}={part}"
        for name, text in seen.items()
        for parts in [text.split("\n")]
        for part in parts
    ]
    return read(UNIT, packed(lines), health_asked=False, probe_asked=True)


def table(*rows: str) -> str:
    return "\n".join(row.replace(" | ", "\t") for row in rows)


def test_a_look_that_was_cut_off_is_no_look() -> None:
    with pytest.raises(LookError, match="cut off"):
        read(UNIT, packed(["user=agent"]), health_asked=False)
    with pytest.raises(LookError, match="can't be read"):
        read(UNIT, packed(["now=x", "end=ok"]), health_asked=False)


def test_times_are_from_the_kernels_clock() -> None:
    found = look()
    assert found.process is not None
    assert found.process.started == 5000.0 - (1000.0 - 900.0)


def test_a_fresh_start_has_the_last_value_and_where_it_is_set() -> None:
    drop_in = "/etc/systemd/system/jada-agent.service.d/60-x.conf"
    rows = ("Environment= | ANTHROPIC_MODEL | a", "Environment= | HOME | /x", "/etc/default/x | HOME | /y")
    found = look(**{"unit__sets": table(f"{drop_in} | ANTHROPIC_MODEL | a"), "fresh__env": table(*rows)}).fresh
    assert found.env == {"ANTHROPIC_MODEL": "a", "HOME": "/y"}
    assert found.where == {"ANTHROPIC_MODEL": f"Environment= of {drop_in}", "HOME": "/etc/default/x"}


@pytest.mark.parametrize(
    ("unset", "left"), [("A ANTHROPIC_MODEL", {}), ("ANTHROPIC_MODEL=b", {"ANTHROPIC_MODEL": "a"})]
)
def test_unset_environment_takes_back(unset: str, left: dict[str, str]) -> None:
    rows = table("Environment= | ANTHROPIC_MODEL | a")
    assert look(**{"fresh__env": rows, "fresh__unset": unset}).fresh.env == left


def test_what_the_unit_only_hints_at_is_taken_from_the_process() -> None:
    hint = {"fresh__argv__model": "$MODEL", "running__argv__model": "claude-x", "running__argv__settings": INLINE}
    assert look(**hint).fresh.argv == {"model": "claude-x", "settings": INLINE}
    assert look(fresh__argv__model="$MODEL").fresh.argv == {}


@pytest.mark.parametrize(
    ("device", "tty"), [("34816", "pts/0"), ("34819", "pts/3"), ("35072", "pts/256"), ("1025", "tty1"), ("0", "")]
)
def test_open_sessions(device: str, tty: str) -> None:
    assert look(session1=f"77 95000 {device} bob claude-x", session2="78 95000 0 ann ").sessions == (
        OpenSession(77, 4950.0, 95000, tty, "bob", "claude-x"),
        OpenSession(78, 4950.0, 95000, "", "ann", ""),
    )


def test_what_a_probe_answers() -> None:
    answer = '{"model": "m"}'
    assert look(probe__masked=f'{answer}"', probe__size=str(len(answer))).probe == Answer(asked=True, model="m")
    assert look(probe__error="exit code 3").probe == Answer(asked=True, error="exit code 3")


def test_a_login_that_is_refused_says_why() -> None:
    assert look(login__nofile="512", login__env__ANTHROPIC_MODEL="x").login.env == {"ANTHROPIC_MODEL": "x"}
    assert look(login__error="su: Permission denied").login.error == "su: Permission denied"
