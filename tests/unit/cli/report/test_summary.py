"""The head of the page: the verdict, what needs a person, and who holds the fleet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from lxml import etree
from lxml import html as lxml_html

from jada.cli.drift.evaluate import DriftReport, EvaluatedFinding, HostDrift, Status
from jada.cli.report.html import html
from jada.cli.report.page import Page
from jada.cli.report.summary import held, needs, verdict
from jada.inventory.fleet.accept import Acceptance
from jada.inventory.lease import Holder
from jada.tasks import codes
from jada.tasks.checks import Finding
from jada.tasks.operator_lock import OperatorLock
from jada.tasks.state import State

AT = datetime(2027, 1, 15, tzinfo=UTC)
MakeHost = Callable[..., State]


def text(node: etree._Element) -> str:
    return " ".join(node.text_content().split())


def head(page: Page) -> str:
    """The words of the page down to the models."""
    tree = lxml_html.document_fromstring(html(page))
    return " ".join(text(part) for part in tree.xpath("//header | //section[@aria-labelledby='needs']"))


@pytest.mark.parametrize(
    ("statuses", "sign", "words"),
    [
        ([Status.IN_SYNC] * 3, "✓", "3 of 3 hosts in sync"),
        ([Status.IN_SYNC], "✓", "1 of 1 host in sync"),
        ([Status.IN_SYNC, Status.IN_SYNC, Status.DRIFTED], "✗", "2 of 3 hosts in sync; 1 drifted"),
        ([Status.IN_SYNC, Status.NOT_CHECKED], "?", "1 of 2 hosts in sync; 1 not checked"),
        ([Status.IN_SYNC, Status.UNPROVEN], "?", "1 of 2 hosts in sync; 1 unproven"),
        ([Status.IN_SYNC, Status.CHANGING], "↻", "1 of 2 hosts in sync; 1 being changed"),
        ([Status.NOT_CHECKED, Status.DRIFTED], "✗", "0 of 2 hosts in sync; 1 drifted, 1 not checked"),
        ([Status.IN_SYNC, Status.GONE], "✓", "1 of 1 host in sync; 1 gone"),
        ([Status.GONE], "–", "0 of 0 hosts in sync; 1 gone"),
        ([], "–", "0 of 0 hosts in sync"),
    ],
)
def test_only_hosts_in_sync_are_fine(statuses: list[Status], sign: str, words: str) -> None:
    rows = tuple(HostDrift(f"web-{number}", "r", status) for number, status in enumerate(statuses))
    mark, said = verdict(DriftReport("f", AT, rows))
    assert (mark.symbol, said) == (sign, words)


def row(host: str, *findings: EvaluatedFinding) -> HostDrift:
    return HostDrift(host, "r", Status.DRIFTED, findings)


def test_a_need_is_told_once_for_all_its_hosts_the_gravest_first() -> None:
    stays = EvaluatedFinding(Finding.of(codes.MODEL_RETIRES, "a model that stays", "x retires"))
    shadowed = [EvaluatedFinding(Finding.of(codes.MODEL_SHADOWED, "a", seen)) for seen in ("b", "c")]
    rows = [row("web-1", stays, shadowed[0]), row("web-2", stays, shadowed[1]), row("web-3", stays)]
    found = needs(rows)
    assert [(need.code, need.mark.word, need.hosts) for need in found] == [
        ("J103", "error", ("web-1", "web-2")),
        ("J121", "warning", ("web-1", "web-2", "web-3")),
    ]
    assert [need.told for need in found] == [(("a", "b"), ("a", "c")), (("a model that stays", "x retires"),)]


def test_the_fix_of_a_need_names_its_host_where_there_is_one() -> None:
    own = Finding.of(codes.MODEL_SHADOWED, "a", "b", "jada heal --limit HOST")
    other = Finding.of(codes.MODEL_SHADOWED, "a", "b", "jada upgrade --limit HOST")
    fixes = [
        [need.fix for need in needs(rows)]
        for rows in (
            [row("web 1", EvaluatedFinding(own))],
            [row("web-1", EvaluatedFinding(own)), row("web-2", EvaluatedFinding(own))],
            [row("web-1", EvaluatedFinding(own)), row("web-2", EvaluatedFinding(other))],
        )
    ]
    assert fixes == [["jada heal --limit 'web 1'"], ["jada heal --limit HOST"], [codes.MODEL_SHADOWED.fix]]


def test_what_is_accepted_or_no_drift_needs_nobody() -> None:
    accepted = EvaluatedFinding(
        Finding.of(codes.MODEL_SHADOWED, "a", "b"), Acceptance("J103", ("*",), "ok", date(2027, 3, 1), 3)
    )
    note = EvaluatedFinding(Finding.of(codes.OPERATOR_LOCK, "no lock", "locked"))
    assert needs([row("web-1", accepted, note)]) == []


def test_a_page_without_any_need_says_so(page: Page) -> None:
    rows = (HostDrift("web-1", "r", Status.IN_SYNC),)
    quiet = replace(page, drift=replace(page.drift, hosts=rows), states={})
    assert "Nothing that jada looks for needs a person." in head(quiet)
    assert "Nothing that jada" not in head(page)


def test_more_needs_than_a_sheet_has_room_for_are_counted(page: Page) -> None:
    kinds = [kind for kind in codes.CODES.values() if kind.severity == "error"][:11]
    rows = (row("web-1", *(EvaluatedFinding(Finding.of(kind, "a", "b")) for kind in kinds)),)
    assert "And 3 more findings, all by host and check." in head(replace(page, drift=replace(page.drift, hosts=rows)))


def test_the_head_tells_of_whom_and_when_it_is(whole: Page) -> None:
    words = head(whole)
    assert "✗ 3 of 7 hosts in sync; 3 drifted, 1 not checked, 1 gone" in words
    assert "as it was at 2027-01-15 08:10 +00:00, seen by cyn@<script>alert(1)</script> with jada 0." in words


def test_times_are_those_of_a_zone_which_is_told_once(whole: Page) -> None:
    """That of a release in summer time says its own offset."""
    berlin = replace(whole, zone=ZoneInfo("Europe/Berlin"))
    assert "at 2027-01-15 09:10 +01:00, seen" in head(berlin)
    assert "since 2027-01-15 09:00, for" in head(berlin)
    (first, *others) = berlin.done
    summer = replace(first, entry=replace(first.entry, at="2026-07-01T10:00:00+00:00"))
    assert "2026-07-01 12:00 +02:00" in html(replace(berlin, done=(summer, *others)))


def test_whoever_holds_the_fleet_is_told_with_since_when_and_why(whole: Page) -> None:
    nasty = "<script>alert(1)</script>"
    words = head(whole)
    assert f"Rollout lease{nasty}, since 2027-01-15 08:00, for {nasty}" in words
    assert f"Lockedfine-2, by {nasty}, since 2027-01-14 10:00: “{nasty}”" in words
    unknown = head(replace(whole, lease=None, lease_trouble="s3://b gives no answer"))
    assert "Rollout leasenot known who holds it: s3://b gives no answer" in unknown


def test_nobody_holds_a_fleet_without_locks(page: Page) -> None:
    assert "Who holds the fleet" not in head(page)
    assert "Who holds the fleet" in head(replace(page, lease=Holder("somebody")))


def test_hosts_under_the_same_lock_or_change_are_told_together(page: Page, host: MakeHost) -> None:
    lock = OperatorLock("ann@ops", "2027-01-01T00:00:00+00:00", "", "audit")
    states = {
        "web-1": host(operator_lock=lock), "web-2": host(operator_lock=lock), "web-3": host(running_transaction="bob\n")
    }  # fmt: skip
    found = held(replace(page, states=states))
    assert found.locked == {lock: ["web-1", "web-2"]}
    assert found.changing == {"bob\\n": ["web-3"]}
