"""Bars of the timeline: where they begin, how wide they are, and what follows what."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from jada.cli.records.drift import Episode
from jada.cli.report.page import Page
from jada.cli.report.timeline import LEAST, WIDTH, events


def episode(page: Page, opened: float, closed: float) -> Episode:
    """An episode from so many days ago to so many."""
    begin, end = (page.drift.at - timedelta(days=days) for days in (opened, closed))
    return Episode(
        fleet="f", host="old-1", code="J102", opened_at=begin.isoformat(), closed_at=end.isoformat(),
        resolution="resolved", severity="error", expected="a", actual="b", fix="c",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("opened", "closed", "bar"),
    [
        (30, 0, (0.0, WIDTH)),
        (15, 0, (WIDTH / 2, WIDTH / 2)),
        (99, 15, (0.0, WIDTH / 2)),
        (15, 15, (WIDTH / 2, LEAST)),
        (0, 0, (WIDTH - LEAST, LEAST)),
        (-5, -9, (WIDTH - LEAST, LEAST)),
    ],
)
def test_a_bar_is_on_the_drawing_and_wide_enough_to_be_seen(
    page: Page, opened: float, closed: float, bar: tuple[float, float]
) -> None:
    quiet = replace(page, drift=replace(page.drift, hosts=()), episodes=(episode(page, opened, closed),), done=())
    (event,) = events(quiet)
    assert event.bars == (bar,)


def test_what_is_still_so_comes_before_what_has_ended_and_the_newest_first(page: Page) -> None:
    found = events(page)
    assert [event.last for event in found] == sorted((event.last for event in found), reverse=True)
    assert found[0].spans[-1][1] is None
    assert {event.kind for event in found if event.done} == {"release"}
