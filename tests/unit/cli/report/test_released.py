"""The chart of models over time: what the record says, and where it is drawn."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from lxml import html as lxml_html

from jada.cli.drift.evaluate import DriftReport, HostDrift, Status
from jada.cli.records.model import HostOutcome
from jada.cli.report import released
from jada.cli.report.html import html
from jada.cli.report.page import NoModel, Page
from jada.cli.report.released import GROUND, HEIGHT, LINE, TOP, Chart, Stroke, chart
from tests.unit.cli.report.conftest import MakeDone

OPUS, SONNET = "claude-opus-5", "claude-sonnet-4.6"


@pytest.fixture
def ten(page: Page) -> Page:
    """Ten hosts in sync, nothing of which is in the record."""
    rows = tuple(HostDrift(f"web-{number}", "r", Status.IN_SYNC) for number in range(10))
    return replace(page, drift=DriftReport("f", page.drift.at, rows), states={}, episodes=(), done=())


def drawn(page: Page) -> Chart:
    found = chart(page)
    assert found
    return found


def counts(page: Page) -> list[dict[str | NoModel, int]]:
    return [{model: count for model, count in at.hosts.items() if count} for at in drawn(page).moments]


def hosts(first: int, last: int, outcome: HostOutcome = HostOutcome.VERIFIED) -> dict[str, HostOutcome]:
    return dict.fromkeys((f"web-{number}" for number in range(first, last)), outcome)


def test_hosts_go_from_one_model_to_another_with_each_release(ten: Page, done: MakeDone) -> None:
    before = {f"web-{number}": SONNET for number in range(8)}
    shown = replace(ten, released=before, done=(done(20, hosts(0, 3), OPUS), done(10, hosts(8, 10), SONNET)))
    assert counts(shown) == [{SONNET: 8}, {SONNET: 5, OPUS: 3}, {SONNET: 7, OPUS: 3}]
    assert [at.release for at in drawn(shown).moments] == ["", *(done.entry.id for done in shown.done)]
    assert [(line.short, line.count) for line in drawn(shown).lines] == [("sonnet-4.6", 7), ("opus-5", 3)]


def test_a_host_that_went_back_or_was_not_begun_is_where_it_was(ten: Page, done: MakeDone) -> None:
    outcomes = hosts(0, 1) | hosts(1, 2, HostOutcome.ROLLED_BACK) | hosts(2, 3, HostOutcome.NOT_STARTED)
    shown = replace(ten, released={f"web-{number}": SONNET for number in range(3)}, done=(done(5, outcomes, OPUS),))
    assert counts(shown)[-1] == {SONNET: 2, OPUS: 1}


@pytest.mark.parametrize("outcome", [HostOutcome.IN_PROGRESS, HostOutcome.ROLLBACK_FAILED])
def test_after_a_change_that_was_cut_off_nobody_knows(ten: Page, done: MakeDone, outcome: HostOutcome) -> None:
    shown = replace(ten, released={"web-0": SONNET}, done=(done(5, hosts(0, 1, outcome), OPUS),))
    assert counts(shown)[-1] == {NoModel.NOT_KNOWN: 1}


def test_hosts_that_are_there_no_more_are_left_out(ten: Page, done: MakeDone) -> None:
    gone = HostDrift("web-1", "", Status.GONE)
    rows = (*(row for row in ten.drift.hosts if row.host != "web-1"), gone)
    shown = replace(
        ten, drift=replace(ten.drift, hosts=rows), done=(done(5, hosts(0, 2) | {"old": HostOutcome.DONE}, OPUS),)
    )
    assert counts(shown) == [{OPUS: 1}]


def test_the_chart_begins_with_the_first_release_that_is_known(ten: Page, done: MakeDone) -> None:
    first, second = done(4, hosts(0, 1), OPUS), done(2, hosts(1, 2), OPUS)
    (line,) = drawn(replace(ten, done=(first, second))).lines
    assert drawn(replace(ten, done=(first, second))).ticks[0] == first.at
    assert line.strokes == (
        Stroke(0.0, 110.0, 50.0, 110.0), Stroke(50.0, 110.0, 50.0, TOP), Stroke(50.0, TOP, 100.0, TOP)
    )  # fmt: skip


def test_a_line_ends_with_its_last_host(ten: Page, done: MakeDone) -> None:
    shown = replace(ten, released={"web-0": SONNET}, done=(done(15, hosts(0, 1), OPUS),))
    old, new = drawn(shown).lines
    assert old.strokes == (Stroke(0.0, TOP, 50.0, TOP), Stroke(50.0, TOP, 50.0, GROUND))
    assert new.strokes == (Stroke(50.0, GROUND, 50.0, TOP), Stroke(50.0, TOP, 100.0, TOP))
    assert (old.count, new.count) == (0, 1)


def test_lines_of_as_many_hosts_do_not_hide_each_other(ten: Page, done: MakeDone) -> None:
    shown = replace(ten, done=(done(9, hosts(0, 2), SONNET), done(9, hosts(2, 4), OPUS)))
    ends = [line.end for line in drawn(shown).lines]
    assert len(set(ends)) == 2


def test_the_names_beside_the_lines_are_apart_and_on_the_drawing(ten: Page, done: MakeDone) -> None:
    every = tuple(done(9 - number, hosts(number, number + 1), f"model-{number}") for number in range(6))
    places = sorted(line.label for line in drawn(replace(ten, done=every)).lines)
    assert len(places) == 6
    assert all(lower - upper >= LINE for upper, lower in pairwise(places))
    assert places[0] >= TOP
    assert places[-1] <= HEIGHT


def test_more_models_than_can_be_told_apart_are_counted_together(ten: Page, done: MakeDone) -> None:
    every = tuple(done(9 - number, hosts(number, number + 1), f"model-{number}") for number in range(9))
    lines = drawn(replace(ten, done=every)).lines
    assert len(lines) == released.MOST_LINES
    assert [line.count for line in lines if line.model is NoModel.OTHERS] == [4]


def test_a_record_without_a_release_of_these_hosts_is_no_chart(ten: Page, done: MakeDone) -> None:
    assert chart(ten) is None
    assert "Models over time" not in html(ten)
    assert chart(replace(ten, done=(done(5, {"other": HostOutcome.VERIFIED}, OPUS),))) is None


@pytest.mark.parametrize("days", [-1, 45])
def test_a_clock_that_is_ahead_draws_nothing_beside_the_chart(ten: Page, done: MakeDone, days: float) -> None:
    (line,) = drawn(replace(ten, done=(done(days, hosts(0, 1), OPUS),))).lines
    assert all(0 <= at <= 100 for stroke in line.strokes for at in (stroke.x1, stroke.x2))


def test_who_does_not_see_the_chart_has_its_numbers_as_a_table(whole: Page) -> None:
    tree = lxml_html.document_fromstring(html(whole))
    (image,) = tree.xpath("//*[@role='img']")
    assert image.get("aria-label") == (
        "A line in steps for each of 2 models; the numbers are in the table below. Now: 1 on sonnet-4.6, 2 on opus-5."
    )
    rows = [[cell.text_content() for cell in row] for row in tree.xpath("//details[@class='numbers']//tr")]
    assert rows == [
        ["From", "By release", SONNET, OPUS],
        ["2026-12-16 08:10", "earlier ones", "2", "0"],
        ["2027-01-13 08:10", whole.done[-1].entry.id, "1", "2"],
    ]
    assert whole.drift.at - whole.since == timedelta(days=30)
