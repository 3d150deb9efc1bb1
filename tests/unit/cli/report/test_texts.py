"""Moments, texts and ids as the page shows them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from jada.cli.report.texts import anchor, offset, shown, tick, time

WINTER, SUMMER = datetime(2027, 1, 15, 8, 10, tzinfo=UTC), datetime(2026, 7, 1, 8, 10, tzinfo=UTC)
BERLIN, KOLKATA = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Kolkata")


def test_a_moment_is_told_in_its_zone_with_the_offset() -> None:
    assert time(WINTER, BERLIN) == '<time datetime="2027-01-15T09:10:00+01:00">2027-01-15 09:10 +01:00</time>'
    assert time("2027-01-15T08:10:00+00:00", KOLKATA).endswith(">2027-01-15 13:40 +05:30</time>")


def test_the_usual_offset_is_left_out_and_another_is_not() -> None:
    usual = offset(WINTER, BERLIN)
    assert usual == "+01:00"
    assert ">2027-01-15 09:10</time>" in time(WINTER, BERLIN, usual)
    assert ">2026-07-01 10:10 +02:00</time>" in time(SUMMER, BERLIN, usual)


@pytest.mark.parametrize("words", ["yesterday", "", "<b>now</b>", "9999-12-31T23:59:59-14:00"])
def test_words_that_are_no_moment_stay_words(words: str) -> None:
    assert time(words, BERLIN) == words
    assert type(time(words, BERLIN)) is str


def test_a_moment_that_is_not_known_is_told_as_that() -> None:
    assert time(None, UTC) == "not known"


def test_an_axis_of_days_has_days_and_one_of_hours_has_hours() -> None:
    assert tick(WINTER, BERLIN, timedelta(days=2)) == "2027-01-15"
    assert tick(WINTER, BERLIN, timedelta(hours=47)) == "09:10"


def test_two_hosts_never_share_an_id() -> None:
    names = ["web-1", "web 1", "web%201", "web/1", "wéb", "web\ud800"]
    ids = [anchor(name) for name in names]
    assert len(set(ids)) == len(names)
    assert all(found.isascii() and " " not in found for found in ids)


def test_what_nobody_sees_becomes_visible_and_numbers_stay_numbers() -> None:
    assert shown("a\u202eb") == "a\\u202eb"
    assert shown(7) == 7
