"""Comparisons on the page: verdicts in words, and intervals that are drawn."""

from __future__ import annotations

from dataclasses import replace

import pytest
from lxml import etree
from lxml import html as lxml_html

from jada.cli.compare.comparison import Comparison, Subject, judge
from jada.cli.records.model import ComparisonEntry, ServedEntry
from jada.cli.report.comparisons import compared
from jada.cli.report.html import html
from jada.cli.report.page import Page
from jada.cli.report.timeline import LEAST

OLD, NEW = "20261124-120000-aaaa", "20261125-120000-bbbb"


def parsed(page: Page) -> etree._Element:
    return lxml_html.document_fromstring(html(page))


def text(node: etree._Element) -> str:
    return " ".join(node.text_content().split())


def comparison(failed: int, of: int = 400) -> Comparison:
    """A comparison of two releases, of which A failed in one of a hundred; its arms try to be more than words."""
    entry = ComparisonEntry(
        fleet="f", subject=f"release {OLD} {NEW}", alpha=0.05, margin=0.02, since=1.8e9, at="2027-01-15T08:00:00+00:00",
        who="ann@<script>",
    )  # fmt: skip
    blank = ServedEntry(
        fleet="f", subject=entry.subject, host="a", process="p", release=OLD, model="<b>m</b>", counted_until=0
    )
    counted = [
        replace(blank, requests=of, failed=of // 100),
        replace(blank, host="b", release=NEW, requests=of, failed=failed),
    ]
    return judge(Subject.of_key(entry.subject), entry, counted, is_over=False, unseen={})


def comparisons(page: Page) -> list[str]:
    return [text(part) for part in parsed(page).xpath("//div[@class='comparison']")]


def test_comparisons_are_on_the_page_with_their_verdicts_in_words(page: Page) -> None:
    assert comparisons(page) == []
    assert not parsed(page).xpath("//*[@id='comparisons']")
    worse, few = comparisons(replace(page, comparisons=(comparison(40), comparison(0, of=60))))
    assert worse.startswith("✗ worse B is worse: more of its requests fail (400 requests in the smaller arm).")
    assert "fixed by ann@<script> at 2027-01-15 08:00:00+00:00" in worse
    assert f"B: {NEW}<b>m</b>, 1 host, 400 requests" in worse
    assert "failed1.0 % (4)10.0 % (40)+9.0 points (+4.1 to +13.9) ✗ worse" in worse
    assert "fallbacks0.0 % (0)0.0 % (0)+0.0 points (-1.1 to +1.1) ✓ equivalent" in worse
    assert few.startswith("? not enough data Not enough data: have 60 of about ")
    (nothing,) = comparisons(replace(page, comparisons=(comparison(0, of=0),)))
    assert "failednot knownnot knownnot known ? not enough data" in nothing


def test_an_interval_is_drawn_within_its_drawing(page: Page) -> None:
    for shown in (comparison(40), comparison(0), comparison(400)):
        tree = parsed(replace(page, comparisons=(shown,)))
        for bar in tree.xpath("//div[@class='comparison']//svg"):
            spans = [(float(rect.get("x")), float(rect.get("width"))) for rect in bar.xpath("./rect")]
            assert all(left >= 0 and left + width <= 1000.1 for left, width in spans)
            # No difference is in the middle, the margin on both its sides.
            assert [left for left, _ in spans[1:]] == [500.0, pytest.approx(1000 - spans[3][0]), spans[3][0]]


def test_an_interval_that_is_too_narrow_to_be_seen_is_drawn_all_the_same() -> None:
    (failed, *_) = compared(comparison(4_000, of=400_000)).measures
    assert failed.width >= LEAST
    assert (failed.mark.word, failed.interval) == ("equivalent", "+0.0 points (-0.1 to +0.1)")
