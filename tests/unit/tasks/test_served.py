"""Answers, fallbacks and failures counted (tasks/served.py)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from jada.tasks.frames import LookError
from jada.tasks.served import Failures, Fallbacks, Served, is_same, tally

SONNET, HAIKU = "claude-sonnet-4-6", "claude-haiku-4-5"
BEGAN = datetime(2026, 11, 26, 2, 0, 0, tzinfo=UTC).timestamp()


def row(
    kind: str, one: str, other: str = "", minute: int = 1, side: str = "", tokens: str = "0 0 0 0"
) -> tuple[str, ...]:
    return (kind, f"2026-11-26T02:{minute:02}:00.000Z", side, one, other, *tokens.split())


def test_answers_are_counted_by_what_was_asked_and_what_answered() -> None:
    rows = [
        row("answer", SONNET, SONNET, minute=3, tokens="10 4 5 1"),
        row("answer", SONNET, SONNET, minute=2, tokens="20 0 1 2"),
        row("answer", SONNET, HAIKU),
        row("answer", SONNET, SONNET, side="side"),
    ]
    served = tally(rows, BEGAN)
    assert [(one.model, one.count) for one in served.own] == [(SONNET, 2), (HAIKU, 1)]
    first = served.own[0]
    assert (first.first, first.last) == (BEGAN + 120, BEGAN + 180)
    assert (first.tokens_in, first.written_to_cache, first.read_from_cache, first.tokens_out) == (30, 4, 6, 3)
    assert [one.of_subagents for one in served.answers] == [False, False, True]
    assert (served.count, served.failed) == (3, 0)


def test_what_came_before_the_process_is_not_its() -> None:
    rows = [row("answer", SONNET, SONNET, minute=1), row("answer", SONNET, HAIKU, minute=5)]
    assert [one.model for one in tally(rows, BEGAN + 120).answers] == [HAIKU]
    assert tally([], BEGAN) == Served(since=BEGAN)


def test_what_the_process_before_it_answered_last_is_none_of_its() -> None:
    """A birth is told to within some hundredths of a second, and a CLI has no answer that soon."""
    rows = [row("answer", SONNET, HAIKU, minute=1), row("answer", SONNET, SONNET, minute=2)]
    assert [one.model for one in tally(rows, BEGAN + 59.9).answers] == [SONNET]
    assert len(tally(rows, BEGAN + 59.7).answers) == 2


def test_fallbacks_and_failures() -> None:
    rows = [
        row("fallback", SONNET, HAIKU, minute=1),
        row("fallback", SONNET, HAIKU, minute=2),
        row("retried", "529"),
        row("failed", "404", SONNET),
        row("failed", "404", HAIKU, minute=4),
        row("failed", "0"),
    ]
    served = tally(rows, BEGAN)
    assert served.fallbacks == (Fallbacks(original=SONNET, model=HAIKU, count=2, last=BEGAN + 120),)
    assert set(served.failures) == {
        Failures(status=529, retried=True, count=1, last=BEGAN + 60),
        Failures(status=404, retried=False, count=2, last=BEGAN + 240),
        Failures(status=0, retried=False, count=1, last=BEGAN + 60),
    }
    assert served.failed == 3


@pytest.mark.parametrize(
    "wrong",
    [
        row("talk", SONNET, SONNET),
        row("answer", SONNET, "a model"),
        row("answer", "\x1b[31m", SONNET),
        row("failed", "40x"),
        row("failed", "1000"),
        row("answer", SONNET, SONNET, tokens="1 0 0 -1"),
        ("answer", "yesterday", "", SONNET, SONNET, "0", "0"),
    ],
)
def test_what_no_transcript_says(wrong: tuple[str, ...]) -> None:
    with pytest.raises(LookError):
        tally([wrong], BEGAN)


@pytest.mark.parametrize(
    ("asked", "answered", "same"),
    [
        (SONNET, SONNET, True),
        (SONNET, HAIKU, False),
        ("claude-haiku-4-5", "claude-haiku-4-5-20251001", True),
        ("claude-sonnet-4-6[1m]", SONNET, True),
        ("claude-sonnet-4.6", SONNET, True),
        ("us.anthropic.claude-sonnet-4-6-v1:0", SONNET, True),
        ("anthropic/claude-sonnet-4-6", "claude-sonnet-4-5", False),
        ("claude-sonnet-4-5@20250929", "claude-sonnet-4-5-20250929", True),
        ("arn:aws:bedrock:us-east-1:1:inference-profile/x", SONNET, True),
        ("claude-opus-4-1", "claude-opus-4-1-mini", False),
    ],
)
def test_a_model_by_its_other_names(asked: str, answered: str, same: bool) -> None:
    assert is_same(asked, answered) is same


def test_a_part_of_the_time_is_counted_as_the_whole_is() -> None:
    rows = [
        row("answer", SONNET, SONNET, minute=1, tokens="10 0 0 1"),
        row("answer", SONNET, HAIKU, minute=2, tokens="20 5 7 2"),
        row("failed", "404", SONNET, minute=3),
        row("fallback", SONNET, HAIKU, minute=4),
    ]
    served = tally(rows, BEGAN)
    assert served.between(0, BEGAN + 3600) == served
    assert (served.last, Served().last) == (BEGAN + 240, 0.0)
    part = served.between(BEGAN + 60, BEGAN + 180)
    assert part == tally(rows[1:3], BEGAN)
    assert part.between(0, BEGAN + 3600) == part
    assert served.between(BEGAN + 240, BEGAN + 3600) == Served(since=BEGAN)
    # Nor is anything of before the process.
    assert tally(rows, BEGAN + 120).between(0, BEGAN + 3600) == tally(rows, BEGAN + 120)
