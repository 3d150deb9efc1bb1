"""The page of `jada report` in a real browser: it loads nothing, complains of nothing, and is open to everybody."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, sync_playwright
from playwright.sync_api import Page as Tab

from jada.cli.report.html import html
from jada.cli.report.page import Page

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
# A browser by itself asks its maker for updates and the like; what the page asks for is counted all the same.
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")
pytestmark = pytest.mark.skipif(
    BROWSER is None and not os.environ.get("CI"), reason="no Chromium: apt-get install chromium"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    assert BROWSER, "no Chromium on this machine, and these tests have to run here"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def file(whole: Page, tmp_path: Path) -> Path:
    (tmp_path / "fleet.html").write_text(html(whole), encoding="utf-8")
    return tmp_path / "fleet.html"


@pytest.fixture
def tab(request: pytest.FixtureRequest, browser: Browser, file: Path) -> Iterator[Tab]:
    """The page opened, in the light scheme where the test names none; whatever it asks for or complains of fails the
    test.
    """
    requests, complaints = [], []
    scheme: Literal["light", "dark"] = getattr(request, "param", "light")
    with browser.new_context(color_scheme=scheme, viewport={"width": 1280, "height": 900}) as context:
        context.on("request", lambda request: requests.append(request.url))
        tab = context.new_page()
        tab.on("console", lambda message: complaints.append(message.text))
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.on("dialog", lambda dialog: complaints.append(dialog.message))
        tab.goto(file.as_uri())
        yield tab
    assert requests == [file.as_uri()]
    assert complaints == []


in_both_schemes = pytest.mark.parametrize("tab", ["light", "dark"], indirect=True)


def session(tab: Tab) -> list[str]:
    return list(tab.locator("details.host[open] h3").all_inner_texts())


@in_both_schemes
def test_both_colour_schemes_are_drawn(tab: Tab) -> None:
    paper = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    is_dark = tab.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    assert paper == ("rgb(20, 22, 26)" if is_dark else "rgb(255, 255, 255)")


@in_both_schemes
@pytest.mark.parametrize("width", [400, 1200])
def test_axe_finds_nothing_wrong_with_any_part_of_it_opened(tab: Tab, width: int) -> None:
    """Contrast too: every text has 4.5 to 1, in both colour schemes."""
    tab.set_viewport_size({"width": width, "height": 900})
    tab.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    results = Axe().run(tab, options={"resultTypes": ["violations", "incomplete", "passes"]})
    assert results.response["violations"] == [], results.generate_report()
    contrast = {kind: [result for result in results.response[kind] if result["id"] == "color-contrast"]
                for kind in ("passes", "incomplete")}  # fmt: skip
    assert len(contrast["passes"][0]["nodes"]) > 200
    doubts = {check["data"]["messageKey"] for found in contrast["incomplete"] for node in found["nodes"]
              for check in node["any"]}  # fmt: skip
    # It takes a sign or a digit alone for no text, a drawing for a picture, and sees not what has to be scrolled to.
    assert doubts <= {"nonBmp", "shortTextContent", "elmPartiallyObscured", "imgNode"}


@in_both_schemes
def test_axe_would_find_pale_text(tab: Tab) -> None:
    tab.evaluate("document.documentElement.style.setProperty('--quiet', '#777')")
    tab.evaluate("document.documentElement.style.setProperty('--raised', '#888')")
    found = {violation["id"] for violation in Axe().run(tab).response["violations"]}
    assert "color-contrast" in found


@pytest.mark.parametrize("key", ["Enter", "Space"])
def test_the_keyboard_reaches_and_opens_every_host(tab: Tab, page: Page, key: str) -> None:
    for _ in range(200):
        tab.keyboard.press("Tab")
        if tab.evaluate("document.activeElement === document.body"):
            break
        if tab.evaluate("document.activeElement.matches('details.host > summary')"):
            assert tab.evaluate("getComputedStyle(document.activeElement).outlineWidth") == "3px"
            tab.keyboard.press(key)
    assert sorted(session(tab)) == sorted(row.host for row in page.drift.hosts)


def test_the_first_key_offers_to_skip_to_the_hosts(tab: Tab) -> None:
    tab.keyboard.press("Tab")
    skip = tab.locator(".skip")
    assert skip.evaluate("one => one === document.activeElement")
    box = skip.bounding_box()
    assert box
    assert box["x"] >= 0
    tab.keyboard.press("Enter")
    assert tab.url.endswith("#matrix")


def test_a_host_in_the_matrix_leads_to_its_details_which_open(tab: Tab) -> None:
    for name in ("shadowed-1", 'quoted" onmouseover="alert(3)'):
        tab.locator(".matrix").get_by_role("link", name=name, exact=True).click()
        assert name in session(tab)
        assert tab.locator("details.host[open] .about").last.is_visible()


@pytest.mark.parametrize("width", [400, 1280])
def test_only_wide_tables_scroll_sideways(tab: Tab, width: int) -> None:
    tab.set_viewport_size({"width": width, "height": 900})
    tab.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert tab.evaluate("document.documentElement.scrollWidth") == width


def test_the_headings_of_a_long_matrix_stay_in_sight(tab: Tab) -> None:
    tab.set_viewport_size({"width": 400, "height": 200})
    region = tab.locator(".tall")
    region.evaluate("one => one.scrollTo(300, 150)")
    corner = tab.locator(".matrix thead th").first
    assert region.evaluate("one => [one.scrollLeft, one.scrollTop]") == [300, 150]
    inside = region.evaluate("one => [one.getBoundingClientRect().x, one.getBoundingClientRect().y]")
    seen = corner.evaluate("one => [one.getBoundingClientRect().x, one.getBoundingClientRect().y]")
    assert [seen[0] - inside[0], seen[1] - inside[1]] == [1, 1]


def test_on_paper_a_host_in_sync_is_one_line_and_the_others_are_open(tab: Tab, page: Page) -> None:
    chains = tab.locator(".chain")
    assert not any(chains.nth(at).is_visible() for at in range(chains.count()))
    tab.emulate_media(media="print")
    folded = tab.locator("details.folded")
    assert folded.locator("h3").all_inner_texts() == ["fine-1", "fine-2"]
    height = tab.evaluate("parseFloat(getComputedStyle(document.body).lineHeight)")
    assert all(box and box["height"] < 1.5 * height for box in (each.bounding_box() for each in folded.all()))
    open_ones = tab.locator("details.host:not(.folded) .chain")
    assert open_ones.count() == len(page.states) - 2
    assert all(each.is_visible() for each in open_ones.all())
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_the_first_sheet_has_the_verdict_the_needs_the_locks_and_the_models(tab: Tab) -> None:
    """A sheet of A4 in its own units is as wide and high as what the margins of 14 mm leave of it."""
    millimetre = 96 / 25.4
    tab.emulate_media(media="print")
    tab.set_viewport_size({"width": round(182 * millimetre), "height": 900})
    for part in ("h1", ".needs", ".held", ".models"):
        box = tab.locator(part).bounding_box()
        assert box
        assert box["y"] + box["height"] < 269 * millimetre
    assert tab.pdf(prefer_css_page_size=True).startswith(b"%PDF-")


def test_the_chart_fits_any_width_and_its_names_are_apart(tab: Tab) -> None:
    for width in (400, 1200):
        tab.set_viewport_size({"width": width, "height": 900})
        names = [box for each in tab.locator(".labels text").all() if (box := each.bounding_box())]
        assert len(names) == 2
        assert all(box["x"] + box["width"] <= width for box in names)
        upper, lower = sorted(box["y"] for box in names)
        assert lower - upper >= min(box["height"] for box in names)
        plot = tab.locator(".plot").bounding_box()
        assert plot
        assert plot["width"] > width / 3
