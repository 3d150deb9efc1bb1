"""Findings of all processes of a service, and of one that sees other files than the look."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from jada.tasks import checks, effective
from jada.tasks.asked import Asked
from jada.tasks.evidence import Kind, evidence_of
from jada.tasks.served import Answers, Served
from jada.tasks.state import Member, ModelReport, ProcessSpec, Settings, State

Host = Callable[..., State]
MODEL, OPUS = "claude-sonnet-4.6", "claude-opus-5"
NOW = 1_800_000_000.0
MOST = 1_048_576
UNASKED = {"report": ModelReport()}
ANSWER = Asked(model=MODEL, version="2.1.332", is_running=True)
SETTINGS = "/home/agent/.claude/settings.json"
# The process is not the one the release started.
OTHER_START = {"result": ()}


def member(pid: int = 300, age: float = 90, soft: int = MOST, is_cli: bool = False, is_left: bool = False) -> Member:
    return Member(pid, NOW - age, soft, is_cli, is_left)


def with_members(*members: Member) -> dict[str, Any]:
    return {"process": {"members": members}}


def seen(state: State, code: str) -> list[str]:
    return [finding.actual for finding in checks.drift(state) if finding.code == code]


def codes(state: State) -> list[str]:
    return [finding.code for finding in checks.drift(state)]


def test_a_service_of_many_processes_is_in_sync(host: Host) -> None:
    assert codes(host(**with_members(member(), member(301, 50), member(302, 40, soft=MOST + 1)))) == []


def test_a_process_that_an_earlier_start_left_behind(host: Host) -> None:
    state = host(**with_members(member(), member(200, 5000, 1024, is_left=True), member(201, 6000, is_left=True)))
    (finding,) = checks.drift(state)
    assert finding.code == "J118"
    assert finding.is_error
    assert finding.actual == "2 of 3 began before it, the oldest at 2027-01-15 06:20 UTC: 201 200"
    assert finding.fix_on("web-1").startswith("on web-1: kill 201 200; ")
    assert not finding.fixed_by.is_by_heal


def test_of_many_that_were_left_some_are_named(host: Host) -> None:
    left = (member(pid, 5000, is_left=True) for pid in range(100, 130))
    (text,) = seen(host(**with_members(member(), *left)), "J118")
    assert text.endswith("100 101 102 103 104 105 106 107 108 109 …")


@pytest.mark.parametrize(
    ("main", "others", "expected"),
    [
        (MOST, (MOST, 1024, 4096), "1024 in /proc/301/limits; fewer than that in 2 of 4 processes"),
        (1024, (MOST,), "1024 in /proc/300/limits; fewer than that in 1 of 2 processes"),
        (1024, (), "1024 in /proc/300/limits"),
        # More than it was given is the main process's alone to have wrong.
        (2 * MOST, (MOST,), "2097152 in /proc/300/limits"),
    ],
)
def test_the_limits_of_each(host: Host, main: int, others: tuple[int, ...], expected: str) -> None:
    members = (member(soft=main), *(member(301 + at, soft=soft) for at, soft in enumerate(sorted(others))))
    assert seen(host(process={"soft": main, "members": members}), "J301") == [expected]


def test_the_oldest_process_of_the_cli_decides_what_was_read(host: Host) -> None:
    """The files changed 100 s ago."""
    new = with_members(member(), member(301, 80, is_cli=True), member(302, 70, is_cli=True))
    assert codes(host(**UNASKED, **OTHER_START, **new)) == []
    old = with_members(member(), member(301, 80, is_cli=True), member(302, 200, is_cli=True))
    state = host(**UNASKED, **OTHER_START, asked=ANSWER, **old)
    told = "1 of 2 processes of the Claude CLI are older than they are, and nothing tells which model was read"
    assert seen(state, "J106") == [told]
    assert [each.kind for each in evidence_of(state)] == [Kind.DERIVED]
    # What starts the CLI, and is not it, reads no settings.
    other = with_members(member(age=200), member(301, 80, is_cli=True))
    assert evidence_of(host(**UNASKED, **OTHER_START, asked=ANSWER, **other))[0].kind is Kind.ASKED


def test_where_the_process_sees_other_files_nothing_is_derived(host: Host) -> None:
    state = host(**UNASKED, own_view=(SETTINGS,))
    assert evidence_of(state) == ()
    assert checks.running_model(state) == ""
    why = f"nothing tells that of process 300, which sees other files than the host has at {SETTINGS}"
    assert seen(state, "J112") == [why]
    assert codes(state) == ["J112"]


def test_there_no_file_of_the_host_is_blamed_and_the_command_line_counts(host: Host) -> None:
    managed = Settings("/etc/claude-code/managed-settings.json", text=f'{{"model": "{OPUS}"}}')
    state = host(own_view=(SETTINGS,), layers=(managed,))
    # A session by hand is none of the service's, and sees what the host has.
    assert codes(state) == ["J110"]
    start = effective.resolve(state, effective.next_start(state))
    assert (start.model, start.winner.where) == (effective.UNKNOWN, f"other files than the host's, such as {SETTINGS}")
    named = ProcessSpec(argv={"model": OPUS}, cwd="/srv")
    pinned = host(**UNASKED, own_view=(SETTINGS,), process={"spec": named}, next_start=named)
    assert checks.running_model(pinned) == OPUS
    assert codes(pinned) == ["J103", "J105"]


@pytest.mark.parametrize(
    "known",
    [
        {"asked": ANSWER, **UNASKED},
        {},
        {
            "served": Served(
                since=NOW,
                answers=(
                    Answers(
                        model=MODEL,
                        requested=MODEL,
                        of_subagents=False,
                        count=1,
                        first=NOW,
                        last=NOW,
                        tokens_in=1,
                        written_to_cache=0,
                        read_from_cache=0,
                        tokens_out=1,
                    ),
                ),
            ),
            **UNASKED,
        },
    ],
    ids=["asked", "reported", "served"],
)
def test_there_what_is_observed_counts(host: Host, known: dict[str, Any]) -> None:
    assert codes(host(own_view=(SETTINGS,), **known)) == []


def test_there_the_cli_says_that_it_is_another_model(host: Host) -> None:
    state = host(**UNASKED, own_view=(SETTINGS,), asked=Asked(model=OPUS, version="2.1.332", is_running=True))
    assert codes(state) == ["J105", "J103"]
