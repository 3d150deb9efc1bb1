"""The page of `jada report`, as the text of one file: what it says, and that words stay words."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from lxml import etree
from lxml import html as lxml_html

from jada import Host, HostError
from jada.cli.drift.evaluate import DriftReport, EvaluatedFinding, HostDrift, Status, evaluate
from jada.cli.records.drift import Episode
from jada.cli.records.model import NetworkEntry
from jada.cli.report.html import html
from jada.cli.report.page import Page
from jada.inventory.fleet.config import Fleet
from jada.inventory.fleet.state import SharedState
from jada.tasks import FILES
from jada.tasks.checks import Finding
from jada.tasks.codes import CODES
from jada.tasks.state import State

OLD, NEW = "20261124-120000-aaaa", "20261125-120000-bbbb"
FLEET = Fleet("f", Path("fleet.yml"), (), ())
MakeHost = Callable[..., State]


def parsed(page: Page) -> etree._Element:
    return lxml_html.document_fromstring(html(page))


def text(node: etree._Element) -> str:
    return " ".join(node.text_content().split())


def matrix(page: Page) -> dict[str, dict[str, str]]:
    """The words of each row of the matrix, by host and the first word of the column's heading."""
    tree = parsed(page)
    heads = [text(head).split()[0] for head in tree.xpath("//table[@class='matrix']/thead//th")]
    rows = [[text(cell) for cell in row] for row in tree.xpath("//table[@class='matrix']/tbody/tr")]
    return {row[0]: dict(zip(heads[1:], row[1:], strict=True)) for row in rows}


def timeline(page: Page) -> list[str]:
    return [text(row) for row in parsed(page).xpath("//ol[@class='timeline']/li")]


def about(page: Page, host: str) -> str:
    """The text of the page about one host."""
    (found,) = (
        part for part in parsed(page).xpath("//details[starts-with(@class, 'host')]") if part.find(".//h3").text == host
    )
    return text(found)


def test_words_of_hosts_and_people_never_become_markup(page: Page, whole: Page) -> None:
    for tree in (parsed(whole), parsed(page)):
        assert not tree.xpath("//script | //img | //i | //@onmouseover | //@onerror | //@style | //iframe | //form")
    assert tree.xpath("//section//b") == []
    content = tree.text_content()
    for words in ("ann@<script>alert(1)</script>", 'quoted" onmouseover="alert(3)', "<b>no route</b>", "</svg>this"):
        assert words in content
    assert len(tree.xpath("//svg")) == len(tree.xpath("//ol[@class='timeline']/li"))


def test_nothing_may_be_loaded_or_run_and_no_style_but_its_own(page: Page) -> None:
    tree = parsed(page)
    (policy,) = tree.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")
    (style,) = tree.xpath("//style")
    digest = base64.b64encode(hashlib.sha256(style.text.encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert not tree.xpath("//@src | //link")
    assert all(link.startswith("#") for link in tree.xpath("//@href"))
    assert "url(" not in style.text
    assert "@import" not in style.text


def luminance(colour: str) -> float:
    channels = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return sum(weight * value for weight, value in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_lines_of_the_chart_stand_out_from_every_paper() -> None:
    """3 to 1, as WCAG wants of drawings; axe looks at texts alone."""
    style = (FILES / "report" / "report.css").read_text()
    schemes = [dict(re.findall(r"--(paper|s\d): (#[0-9a-f]{6}|#fff);", block)) for block in style.split(":root {")[1:4]]
    assert [len(scheme) for scheme in schemes] == [7, 7, 7]
    for scheme in schemes:
        paper = luminance(scheme.pop("paper").replace("#fff", "#ffffff"))
        for colour in scheme.values():
            dark, light = sorted((luminance(colour), paper))
            assert (light + 0.05) / (dark + 0.05) >= 3


def test_every_link_leads_to_one_place_on_the_page(whole: Page) -> None:
    tree = parsed(whole)
    ids = tree.xpath("//@id")
    assert len(ids) == len(set(ids))
    assert {link.removeprefix("#") for link in tree.xpath("//@href")} <= set(ids)
    assert not [anchor for anchor in ids if " " in anchor]


def test_the_matrix_has_columns_for_what_was_found_only(page: Page) -> None:
    found = {evaluated.finding.code for row in page.drift.hosts for evaluated in row.findings}
    assert set(next(iter(matrix(page).values()))) == {"Checked", *found}
    assert matrix(page)["shadowed-1"] == {
        "Checked": "✗ drifted",
        **dict.fromkeys(found, "· not found"),
        "J103": "✗ error",
        "J301": "○ accepted",
    }


def test_of_several_findings_of_one_code_the_gravest_is_shown(page: Page) -> None:
    row = next(row for row in page.drift.hosts if row.host == "shadowed-1")
    accepted = next(evaluated for evaluated in row.findings if evaluated.finding.code == "J301")
    both = replace(row, findings=(accepted, EvaluatedFinding(accepted.finding)))
    assert matrix(replace(page, drift=replace(page.drift, hosts=(both,))))["shadowed-1"]["J301"] == "✗ error"


def test_hosts_with_nothing_to_tell_are_no_rows_but_are_on_the_page(page: Page) -> None:
    assert not {"fine-1", "fine-2"} & set(matrix(page))
    (plain,) = parsed(page).xpath("//details[@class='plain']")
    assert text(plain) == "✓ in sync 2 hosts, nothing found fine-1 fine-2"
    assert "claude-sonnet-4.6" in about(page, "fine-1")


@pytest.mark.parametrize(("name", "own"), [("off-1", "J408"), ("gone-1", "J405"), ("new-1", "J404")])
def test_a_host_that_was_not_judged_is_nowhere_fine(page: Page, name: str, own: str) -> None:
    row = matrix(page)[name]
    assert {mark for code, mark in row.items() if code not in ("Checked", own)} == {"? not known"}
    assert "✓" not in "".join(row.values()) + about(page, name)


def test_an_unreachable_host_says_so_and_what_to_do(page: Page) -> None:
    part = about(page, "off-1")
    assert part.startswith("? not checked off-1")
    assert "off-1 can't be reached: <b>no route</b>" in part
    assert "see whether it runs" in part
    assert "Nothing is known of what it runs." in part


def test_a_fleet_that_was_not_seen_at_all_shows_no_tick(host: MakeHost) -> None:
    seen: dict[str, State | HostError] = {"web-1": HostError("web-1 can't be reached")}
    at = datetime(2027, 1, 15, tzinfo=UTC)
    drift = evaluate(FLEET, [Host("web-1", "192.0.2.1", "static")], seen, {}, at)
    tree = parsed(Page(fleet=FLEET, drift=drift, states={}, since=at - timedelta(days=30), who="ann@ops"))
    assert text(tree.xpath("//h1")[0]) == "? 0 of 1 host in sync; 1 not checked"
    assert "✓" not in text(tree)
    assert tree.xpath("//title")[0].text == "0 of 1 host in sync; 1 not checked – f – jada report"


def test_the_chain_says_what_counts_and_why_the_rest_does_not(page: Page) -> None:
    rows = [
        [text(cell) for cell in row]
        for row in parsed(page).xpath("//div[@id='host-shadowed-1']//table[@class='chain']/tbody/tr")
    ]
    assert rows == [
        ["→ yes", "claude-opus-5'<img src=x onerror=alert(2)>", "model in /etc/claude-code/managed-settings.json"],
        ["no, outranked", "claude-sonnet-4.6", "model in /home/agent/.claude/settings.json"],
        ["no, outranked", "the Claude CLI's own default", "no place that names one"],
    ]


def test_the_running_process_has_a_chain_of_its_own_where_it_differs(page: Page, host: MakeHost) -> None:
    state = host()
    assert state.process
    launch = replace(state.process.spec, argv={"model": "claude-opus-5"})
    changed = host(process={"spec": launch})
    part = about(replace(page, states={**page.states, "fine-1": changed}), "fine-1")
    assert "Where the process that runs would take its model from, if it read the files again" in part
    assert "claude-opus-5--model on the command line" in part
    assert "process that runs" not in about(page, "fine-1")


def test_the_timeline_tells_releases_and_drift_the_newest_first(page: Page) -> None:
    rows = timeline(page)
    flapping = rows[0]
    assert [row.split()[2] for row in rows if "not resolved" in row] == ["J408", "J102", "J111", "J404", "J405", "J103"]
    (shadowed,) = (row for row in rows if "J103" in row)
    assert "J408 not-checked on off-1, 5 times, the last 2027-01-15 08:10 until now, not resolved" in flapping
    assert "2026-12-26 08:10 to 2026-12-26 15:22 (resolved); 2026-12-30 20:10 to" in flapping
    assert "J103 model-shadowed on shadowed-1, 2027-01-12 08:10 until now, not resolved" in shadowed
    rollback, upgrade = (at for at, row in enumerate(rows) if row.startswith("◆"))
    assert rows[rollback].startswith("◆ rollback, 2027-01-14 08:10: 7 in progress or cut off. By bob@ops.")
    assert rows[upgrade].startswith("◆ upgrade to claude-sonnet-4.6, 2026-12-26 08:10: 6 verified, 1 failed and rolled")
    assert "By ann@<script>alert(1)</script>: “try <script>alert(1)</script>”. 20261226-081000-cccc" in rows[upgrade]


def test_what_hosts_had_at_the_same_times_is_one_row(page: Page) -> None:
    (many,) = (row for row in timeline(page) if "old-0" in row)
    assert "old-0, old-1, old-2, old-3, old-4, 2027-01-03 08:10 to 2027-01-03 20:10 (resolved)" in many
    assert "3 more hosts" in many


def test_what_this_look_found_and_what_it_ended_is_on_the_timeline(page: Page) -> None:
    gone_by = Episode(
        fleet=page.drift.fleet,
        host="fine-2",
        code="J205",
        opened_at="2027-01-10T00:00:00+00:00",
        severity="error",
        expected="a",
        actual="b",
        fix="",
    )
    rows = timeline(replace(page, episodes=(*page.episodes, gone_by)))
    assert any("J404 host-new on new-1, 2027-01-15 08:10 until now" in row for row in rows)
    assert any("J205 daemon-reload-needed on fine-2, 2027-01-10 00:00 to 2027-01-15 08:10 (resolved)" in row
               for row in rows)  # fmt: skip


def test_what_an_unchecked_host_had_is_neither_resolved_nor_said_to_go_on(page: Page) -> None:
    before = Episode(
        fleet=page.drift.fleet,
        host="off-1",
        code="J102",
        opened_at="2027-01-10T00:00:00+00:00",
        severity="error",
        expected="a",
        actual="b",
        fix="",
    )
    (row,) = (row for row in timeline(replace(page, episodes=(before,))) if "J102 model-on-disk on off-1" in row)
    assert "2027-01-10 00:00 until nobody knows when: not checked now" in row
    assert "not resolved" not in row


def test_bars_lie_where_their_time_is(page: Page) -> None:
    def bars(words: str) -> list[tuple[float, float]]:
        (row,) = (item for item in parsed(page).xpath("//ol[@class='timeline']/li") if words in text(item))
        return [(float(bar.get("x")), float(bar.get("width"))) for bar in row.xpath(".//rect")]

    # 30 days are 1000 wide. Found before them: cut off at the left. Found now: as narrow as can be, at the right.
    assert bars("J103") == [(900, 100)]
    assert bars("J204") == [(0, 800)]
    assert bars("J404") == [(996, 4)]
    assert bars("J408") == [(333.3, 10), (483.3, 10), (700, 10), (933.3, 10), (996, 4)]


def test_no_check_in_all_that_time_is_no_peace(page: Page) -> None:
    assert "2 checks before this one, 1 of which could not check every host" in text(parsed(page))
    assert "no check before this one, so that nothing is known of drift" in text(parsed(replace(page, checks=())))


def test_the_record_is_that_of_this_machine_or_of_the_team(page: Page) -> None:
    team = replace(page, fleet=replace(page.fleet, state=SharedState("bucket", "jada")))
    assert "as the record of this machine has it" in text(parsed(page))
    assert "as the record of the team has it" in text(parsed(team))


def test_a_page_about_some_hosts_says_so(page: Page) -> None:
    assert "only the hosts of --limit web-*" in text(parsed(replace(page, only="--limit web-*")))
    assert "only the hosts" not in text(parsed(page))


def test_five_hundred_hosts_with_every_finding_stay_a_file_to_mail(host: MakeHost) -> None:
    findings = tuple(
        EvaluatedFinding(Finding.of(code, "claude-sonnet-4.6", "claude-opus-5 in settings.json"))
        for code in CODES.values()
    )
    rows = tuple(HostDrift(f"web-{number}", "web", Status.DRIFTED, findings[number % 5 :: 5]) for number in range(500))
    at = datetime(2027, 1, 15, tzinfo=UTC)
    page = Page(
        fleet=FLEET,
        drift=DriftReport("f", at, rows),
        states={row.host: host() for row in rows},
        since=at - timedelta(days=30),
        who="ann@ops",
    )
    assert len(matrix(page)) == 500
    assert len(html(page)) < 4_000_000


def test_a_host_that_is_being_changed_is_nowhere_fine(host: MakeHost, page: Page) -> None:
    states = {"web-1": host(running_transaction="ann@<b>ops</b>"), "web-2": host(process={"soft": 1024})}
    hosts = [Host(name, "192.0.2.1", "static", role="r") for name in states]
    page = replace(page, drift=evaluate(FLEET, hosts, states, {}, page.drift.at), states=states)
    assert text(parsed(page).xpath("//h1")[0]) == "✗ 0 of 2 hosts in sync; 1 drifted, 1 being changed"
    row = matrix(page)["web-1"]
    assert {mark for code, mark in row.items() if code not in ("Checked", "J409")} == {"? not known"}
    assert "✓" not in "".join(row.values()) + about(page, "web-1")


def test_a_host_that_is_being_changed_for_ever_is_not_known(host: MakeHost, page: Page) -> None:
    locked = host(running_transaction="ann@ops since 2026-01-01T00:00:00Z for release r")
    states = {"web-1": locked, "web-2": host(process={"soft": 1024})}
    hosts = [Host(name, "192.0.2.1", "static", role="r") for name in states]
    page = replace(page, drift=evaluate(FLEET, hosts, states, {}, page.drift.at), states=states)
    assert {mark for code, mark in matrix(page)["web-1"].items() if code not in ("Checked", "J408")} == {"? not known"}


@pytest.mark.parametrize(
    "at", ["yesterday", "", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "\x1b\ud800"]
)
def test_a_forged_time_in_the_record_spoils_no_page(page: Page, at: str) -> None:
    good, *others = page.done
    forged = replace(good, entry=replace(good.entry, at=at, reason="forged"))
    text = html(replace(page, done=(forged, *others)))
    assert "forged" not in text
    assert html(replace(page, done=(replace(good, entry=replace(good.entry, at="2027-01-01T00:00:00")),)))


def test_a_release_tells_in_what_the_network_was_other_after_it(page: Page) -> None:
    first, *others = page.done
    entries = tuple(
        NetworkEntry(release=first.entry.id, host=host, code="J502", expected="nothing new", actual="<b>in tcp 22</b>")
        for host in ("web-1", "web-2", *(f"gone-{number}" for number in range(9)))
    )
    changed = replace(page, done=(replace(first, networks=entries), *others))
    (row,) = (row for row in timeline(changed) if first.entry.id in row)
    assert "! network J502 ports-changed: expected nothing new, saw <b>in tcp 22</b> (web-1, web-2, gone-0" in row
    assert "and 6 more hosts)" in row
    assert not any("network" in row for row in timeline(page))
