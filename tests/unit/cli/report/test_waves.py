"""Rollouts on the page: their waves, and the verdicts of their probes."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from lxml import html as lxml_html

from jada.cli.records.model import HostOutcome, RolloutEntry
from jada.cli.report.html import html
from jada.cli.report.page import Page
from jada.cli.report.waves import rollouts
from tests.unit.cli.report.conftest import MakeDone, probe, rollout

NAMES = ("web-1", "web-2", "web-3")


@pytest.fixture
def entry(page: Page) -> RolloutEntry:
    return rollout(page.drift.at, NAMES, {})


def with_one(page: Page, done: MakeDone, entry: RolloutEntry, outcome: HostOutcome = HostOutcome.VERIFIED) -> Page:
    return replace(page, done=(done(1, dict.fromkeys(NAMES, outcome), "claude-opus-5", entry),))


def test_each_wave_has_its_hosts_and_what_became_of_them(page: Page, done: MakeDone, entry: RolloutEntry) -> None:
    outcomes = {"web-1": HostOutcome.VERIFIED, "web-2": HostOutcome.ROLLED_BACK, "web-3": HostOutcome.NOT_STARTED}
    (shown,) = rollouts(replace(page, done=(done(1, outcomes, "claude-opus-5", entry),)))
    assert shown.waves
    assert [(wave.number, wave.hosts, dict(wave.outcomes), wave.not_begun) for wave in shown.waves] == [
        (1, ("web-1",), {HostOutcome.VERIFIED: 1}, 0),
        (2, ("web-2",), {HostOutcome.ROLLED_BACK: 1}, 0),
        (3, ("web-3",), {}, 1),
    ]


def test_a_page_about_some_hosts_has_their_part_of_the_waves(page: Page, done: MakeDone, entry: RolloutEntry) -> None:
    some = replace(page, done=(done(1, {"web-2": HostOutcome.VERIFIED}, "claude-opus-5", entry),))
    (table,) = lxml_html.document_fromstring(html(some)).xpath("//table[@class='waves']/tbody")
    assert " ".join(table.text_content().split()) == "2 of 3web-21 verifiednone was measured"


@pytest.mark.parametrize(
    ("changes", "word", "waits"),
    [
        ({"status": "done"}, "done", False),
        ({"status": "running"}, "cut off", True),
        ({"status": "paused"}, "paused", True),
        ({"status": "rolled_back"}, "rolled back", False),
        ({"status": "superseded"}, "superseded", False),
        ({"status": "forged"}, "not known", False),
    ],
)
def test_a_rollout_that_waits_for_somebody_says_so_in_the_head(
    page: Page, done: MakeDone, entry: RolloutEntry, changes: dict[str, Any], word: str, waits: bool
) -> None:
    shown = with_one(page, done, replace(entry, **changes))
    assert [(each.mark.word, each.waits) for each in rollouts(shown)] == [(word, waits)]
    assert ("waits for you" in html(shown)) is waits


def test_a_rollout_that_somebody_carries_out_waits_for_nobody(whole: Page, done: MakeDone, entry: RolloutEntry) -> None:
    running = with_one(whole, done, replace(entry, status="running", wave=1, baking=1))
    (shown,) = rollouts(running)
    assert (shown.mark.word, shown.waits, shown.is_baking) == ("running", False, True)
    assert shown.waves
    assert [wave.is_here for wave in shown.waves] == [False, True, False]
    assert "2 of 3, bakes" in html(running)
    # Nobody knows of one whose lease can't be asked for.
    unknown = replace(running, lease=None, lease_trouble="s3://b gives no answer")
    assert not rollouts(unknown)[0].waits


def test_of_the_verdicts_of_a_probe_the_gravest_is_its_mark(page: Page, done: MakeDone, entry: RolloutEntry) -> None:
    measured = {
        "web-1": [probe("requests", "passed", "0 of 4"), probe("cpu", "inconclusive", "not measured yet", "observe")],
        "web-2": [probe("requests", "failed", "4 of 4 <b>")],
        "web-3": [probe("requests", "error", "no answer")],
    }
    values = json.loads(entry.values_json)
    values["groups"][0]["waves"] = [list(NAMES)]
    one = replace(entry, values_json=json.dumps(values), measured_json=json.dumps(measured))
    (shown,) = rollouts(with_one(page, done, one))
    assert shown.waves
    lines = [(line.probe, line.mark.word, line.counts, line.told, line.is_enforced) for line in shown.waves[0].probes]
    assert lines == [
        ("requests", "failed", "1 failed, 1 not measured, 1 passed", "4 of 4 <b>", True),
        ("cpu", "inconclusive", "1 inconclusive", "not measured yet", False),
    ]
    assert "4 of 4 &lt;b&gt;" in html(with_one(page, done, one))


@pytest.mark.parametrize(
    "measured", ["", "[]", "null", '{"web-1": 1}', '{"web-1": [1, {"probe": "x"}, {"verdict": []}]}', "[" * 100_000]
)
def test_a_record_that_nobody_can_have_written_spoils_no_page(
    page: Page, done: MakeDone, entry: RolloutEntry, measured: str
) -> None:
    shown = with_one(page, done, replace(entry, measured_json=measured))
    assert [wave.probes for wave in rollouts(shown)[0].waves or ()] == [(), (), ()]
    assert "none was measured" in html(shown)


def test_waves_of_another_version_are_not_known(page: Page, done: MakeDone, entry: RolloutEntry) -> None:
    shown = with_one(page, done, replace(entry, values_json="{}"))
    assert rollouts(shown)[0].waves is None
    assert "written down by another version of jada" in html(shown)
