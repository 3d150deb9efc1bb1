"""The history of drift: what begins and what ends with a check, and that everybody is told once."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from jada import JadaError
from jada.cli.drift import notices
from jada.cli.drift.evaluate import DriftReport, EvaluatedFinding, HostDrift, Status
from jada.cli.drift.log import NEW, RESOLVED, DriftLog, Notice
from jada.cli.records.drift import Episode
from jada.cli.records.sqlite import prepare
from jada.cli.records.store import LocalStore
from jada.inventory.fleet.accept import Acceptance
from jada.tasks import codes
from jada.tasks.checks import Finding

AT = datetime(2026, 11, 24, 12, tzinfo=UTC)
ACCEPTANCE = Acceptance("J301", ("*",), "why", date(2026, 12, 31), 1)
LIMIT = EvaluatedFinding(Finding.of(codes.LIMIT_IN_FORCE, "1048576 open files", "1024"))
MODEL = EvaluatedFinding(Finding.of(codes.MODEL_ON_DISK, "claude-a", "claude-b"))
SESSION = EvaluatedFinding(Finding.of(codes.SESSION_STALE, "no older session", "pid 7"))
UNREACHABLE = EvaluatedFinding(Finding.of(codes.NOT_CHECKED, "an answer", "web-1 can't be reached"))
KEY_CHANGED = EvaluatedFinding(Finding.of(codes.HOST_KEY_CHANGED, "an answer", "web-1 shows another key"))
GONE = EvaluatedFinding(Finding.of(codes.HOST_GONE, "a host", "not found"))


@pytest.fixture
def log() -> Iterator[DriftLog]:
    with closing(sqlite3.connect(":memory:")) as connection:
        prepare(connection)
        yield DriftLog(LocalStore(connection))


def check(minute: int, *findings: EvaluatedFinding, status: Status = Status.DRIFTED, whole: bool = True) -> DriftReport:
    """A check of web-1 so many minutes past noon."""
    return DriftReport("f", AT + timedelta(minutes=minute), (HostDrift("web-1", "r", status, findings),), whole)


def events(log: DriftLog, target: str = "webhook") -> list[tuple[str, str, str]]:
    """The notices that a target has not got, which it then gets."""
    pending = log.pending("f", target)
    log.delivered(target, pending)
    return [(notice.event, notice.episode.code, notice.episode.resolution) for notice in pending]


def run(log: DriftLog, *checks: DriftReport) -> list[tuple[str, str, str]]:
    """The news of the last of these checks."""
    for report in checks:
        events(log)
        log.add(report, ["webhook"])
    return events(log)


def test_a_finding_is_told_once_for_as_long_as_it_lasts(log: DriftLog) -> None:
    assert run(log, check(0, MODEL)) == [(NEW, "J102", "")]
    assert run(log, check(15, MODEL), check(30, MODEL)) == []
    assert run(log, check(45, status=Status.IN_SYNC)) == [(RESOLVED, "J102", "resolved")]
    assert run(log, check(60, status=Status.IN_SYNC)) == []
    assert run(log, check(75, MODEL)) == [(NEW, "J102", "")]


def test_what_changes_in_a_finding_is_no_news(log: DriftLog) -> None:
    other = EvaluatedFinding(replace(MODEL.finding, actual="claude-c"))
    assert run(log, check(0, MODEL), check(15, other)) == []


def test_a_host_that_can_not_be_checked_keeps_its_findings(log: DriftLog) -> None:
    assert run(log, check(0, MODEL), check(15, UNREACHABLE, status=Status.NOT_CHECKED)) == [(NEW, "J408", "")]
    assert run(log, check(30, MODEL)) == [(RESOLVED, "J408", "resolved")]


def test_another_reason_for_not_being_checked_is_news(log: DriftLog) -> None:
    unreachable = check(0, UNREACHABLE, status=Status.NOT_CHECKED)
    found = run(log, unreachable, check(15, KEY_CHANGED, status=Status.NOT_CHECKED))
    assert found == [(NEW, "J406", ""), (RESOLVED, "J408", "resolved")]


def test_an_accepted_finding_ends_as_accepted_and_begins_again_when_that_expires(log: DriftLog) -> None:
    accepted = replace(LIMIT, acceptance=ACCEPTANCE)
    assert run(log, check(0, LIMIT), check(15, accepted, status=Status.IN_SYNC)) == [(RESOLVED, "J301", "accepted")]
    assert run(log, check(30, replace(accepted, expired=True))) == [(NEW, "J301", "")]


def test_notes_are_kept_and_not_told(log: DriftLog) -> None:
    assert run(log, check(0, SESSION, status=Status.IN_SYNC)) == []
    assert run(log, check(15, status=Status.IN_SYNC)) == []
    _, episodes = log.since("f", "")
    assert [(episode.code, episode.resolution) for episode in episodes] == [("J111", "resolved")]


def test_a_host_that_is_gone_takes_its_findings_with_it(log: DriftLog) -> None:
    assert run(log, check(0, MODEL), check(15, GONE, status=Status.GONE)) == [(RESOLVED, "J102", "gone")]


@pytest.mark.parametrize(("whole", "expected"), [(True, [(RESOLVED, "J102", "gone")]), (False, [])])
def test_a_check_of_other_hosts_ends_nothing(log: DriftLog, whole: bool, expected: list[tuple[str, str, str]]) -> None:
    others = DriftReport("f", AT + timedelta(minutes=15), (HostDrift("web-2", "r", Status.IN_SYNC),), whole)
    assert run(log, check(0, MODEL), others) == expected


def test_other_fleets_have_their_own_history(log: DriftLog) -> None:
    other = replace(check(15, status=Status.IN_SYNC), fleet="g")
    assert run(log, check(0, MODEL), other) == []
    assert log.since("g", "") == ([log.since("g", "")[0][0]], [])


def test_several_findings_of_one_code_are_one_episode(log: DriftLog) -> None:
    second = EvaluatedFinding(replace(MODEL.finding, actual="claude-c"))
    log.add(check(0, MODEL, second), [])
    (episode,) = log.since("f", "")[1]
    assert (episode.expected, episode.actual) == ("claude-a", "claude-b; claude-c")


def test_each_target_is_told_by_itself(log: DriftLog) -> None:
    log.add(check(0, MODEL), ["webhook", "SNS topic"])
    assert events(log, "webhook") == [(NEW, "J102", "")]
    assert events(log, "SNS topic") == [(NEW, "J102", "")]


def test_since_has_what_was_open_at_some_time_since(log: DriftLog) -> None:
    run(log, check(0, MODEL), check(15, LIMIT), check(30, LIMIT), check(45, status=Status.IN_SYNC))
    checks, episodes = log.since("f", (AT + timedelta(minutes=20)).isoformat(timespec="seconds"))
    assert [(episode.code, episode.opened_at[11:16], episode.closed_at[11:16]) for episode in episodes] == [
        ("J301", "12:15", "12:45")
    ]
    assert [(check.at[11:16], check.in_sync, check.drifted, check.not_checked) for check in checks] == [
        ("12:30", 0, 1, 0),
        ("12:45", 1, 0, 0),
    ]


def test_what_could_not_be_sent_is_sent_the_next_time_with_what_came_since(log: DriftLog) -> None:
    def fails(subject: str, text: str) -> None:
        raise JadaError("it answered HTTP 500", "ask them")

    sent: list[str] = []
    log.add(check(0, MODEL), ["webhook"])
    (error,) = notices.notify("f", log, {"webhook": fails})
    assert error.message == "The webhook of fleet.yml was not told: it answered HTTP 500"
    log.add(check(15, MODEL, LIMIT), ["webhook"])
    assert notices.notify("f", log, {"webhook": lambda _, text: sent.append(text)}) == []
    assert [line.split(":")[1] for line in sent[0].splitlines()] == [
        " web-1 J102 model-on-disk", " web-1 J301 limit-in-force"
    ]  # fmt: skip
    assert notices.notify("f", log, {"webhook": fails}) == []


def test_a_message_says_what_is_new_and_what_is_over(log: DriftLog) -> None:
    run(log, check(0, MODEL))
    log.add(check(15, LIMIT), ["webhook"])
    subject, text = notices.message("f", log.pending("f", "webhook"))
    assert subject == "jada drift: f: 1 new, 1 resolved"
    assert text.splitlines() == [
        "NEW error: web-1 J301 limit-in-force: expected 1048576 open files, saw 1024. Fix: jada heal --limit web-1",
        "RESOLVED: web-1 J102 model-on-disk, found 2026-11-24T12:00:00+00:00",
    ]


def test_a_long_message_is_cut_and_says_so(log: DriftLog) -> None:
    log.add(check(0, MODEL), ["webhook"])
    (notice,) = log.pending("f", "webhook")
    many = [Notice(NEW, replace(notice.episode, host=f"web-{number}")) for number in range(100)]
    subject, text = notices.message("f", many)
    assert "100 new" in subject
    lines = text.splitlines()
    assert len(lines) == notices.MOST_LINES + 1
    assert lines[-1] == f"… and {100 - notices.MOST_LINES} more: jada drift --since 1d"


def test_what_a_host_says_makes_no_line_of_a_notice() -> None:
    foreign = "x\nRESOLVED: web-1 J102\r\x1b[2K\u202edrow\ud800" + "y" * 10_000
    episode = Episode(
        fleet="f",
        host="web\n1",
        code="J102",
        opened_at="t",
        severity="error",
        expected=foreign,
        actual=foreign,
        fix="fix " + "z" * 10_000,
    )
    subject, text = notices.message("f\nBcc: all", [Notice(NEW, episode), Notice(RESOLVED, episode)])
    assert len(subject.splitlines()) == 1
    assert len(text.splitlines()) == 2
    assert len(text) < 2 * notices.MOST_CHARACTERS
    assert not set(text) & {"\x1b", "\r", "\u202e", "\ud800"}


def test_a_change_under_way_begins_nothing_and_ends_nothing(log: DriftLog) -> None:
    changing = check(
        15, EvaluatedFinding(Finding.of(codes.CHANGE_UNDER_WAY, "no change", "ann")), status=Status.CHANGING
    )
    log.add(check(0, MODEL, SESSION), ["webhook"])
    before = log.since("f", "")[1]
    assert run(log, changing) == []
    assert log.since("f", "")[1] == before
    assert run(log, check(30, status=Status.IN_SYNC)) == [(RESOLVED, "J102", "resolved")]


def test_an_unreachable_host_that_is_then_being_changed_waits_for_the_next_check_too(log: DriftLog) -> None:
    changing = check(
        15, EvaluatedFinding(Finding.of(codes.CHANGE_UNDER_WAY, "no change", "ann")), status=Status.CHANGING
    )
    assert run(log, check(0, UNREACHABLE, status=Status.NOT_CHECKED), changing) == []
    assert run(log, check(30, status=Status.IN_SYNC)) == [(RESOLVED, "J408", "resolved")]
