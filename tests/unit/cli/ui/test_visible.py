"""Foreign text, wherever it is shown: it is seen, and neither obeyed nor mistaken for something else."""

from __future__ import annotations

import ast
import json
import re
import sqlite3
import xml.etree.ElementTree as ET
from collections.abc import Callable
from contextlib import closing
from dataclasses import astuple, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from jada import Exit, Host, HostError
from jada.cli.drift import check, formats
from jada.cli.drift.evaluate import DriftReport, EvaluatedFinding, HostDrift, Status, evaluate
from jada.cli.drift.log import DriftLog
from jada.cli.records.sqlite import prepare
from jada.cli.records.store import LocalStore
from jada.cli.report.html import html
from jada.cli.report.page import Page
from jada.cli.ui import console, explanation
from jada.cli.ui.console import Printer, emit_json, err, escape, json_text, out, print_diff, put, since, visible
from jada.cli.ui.tables import Column, show_table
from jada.inventory.fleet.config import Fleet
from jada.tasks import codes
from jada.tasks.checks import Finding
from jada.tasks.release import Desired
from jada.tasks.state import State
from tests.forms import checked

MODEL = "claude-sonnet-4.6"

AT = datetime(2026, 11, 24, 12, 30, tzinfo=UTC)
# Each would do something to a terminal, a log, a parser or a reader's eye.
EVIL = (
    "\x1b[2J\x1b]0;title\x07\r\n::error::x\t\x00\x7f\x9b31m\u061c\u200b\u200e\u200f\u2028\u2029\u202e\u2066\u2069"
    "\ufeff\ufffe\ud800\udcff\u00ad\u3164\u115f\ufe0f\u2800\xa0\U000e0041\U0001fffe[/x][red]\\[bold]a\\"
)
DANGERS = frozenset(EVIL) - frozenset("[2J]0;title::error::x31m/xbolda\\d")


def dangers(text: str) -> set[str]:
    """The characters of it that may do harm; our own line ends do none."""
    return set(text) & (DANGERS - {"\n"})


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("web-1", "web-1"),
        ("Grüße 世界 – ✓ …", "Grüße 世界 – ✓ …"),
        ("a\nb\r\tc", r"a\nb\r\tc"),
        ("\x1b[31m", r"\x1b[31m"),
        ("\x9b", r"\x9b"),
        ("\u202emodel", r"\u202emodel"),
        ("a\u200bb", r"a\u200bb"),
        ("\ufeff", r"\ufeff"),
        ("\u2028\u2029", r"\u2028\u2029"),
        ("\ud800", r"\ud800"),
        ("claude\ufe0f", r"claude\ufe0f"),
        ("claude\xa0", r"claude\xa0"),
        ("\U000e0041", r"\U000e0041"),
        ("\\x1b", "\\x1b"),
        ("a##[stop-commands]x", r"a#\x23[stop-commands]x"),
        ("###[[", r"##\x23[["),
        ("# # [##", "# # [##"),
    ],
)
def test_what_can_not_be_seen_is_escaped_and_the_rest_stays(text: str, shown: str) -> None:
    assert visible(text) == shown
    assert visible(shown) == shown


def test_every_character_there_is_becomes_one_line_that_can_be_written() -> None:
    for start in range(0, 0x110000, 4096):
        shown = visible("".join(map(chr, range(start, start + 4096))))
        assert shown.isprintable()
        shown.encode()


def test_markup_around_foreign_text_holds_whatever_brackets_and_backslashes_that_has(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Also across two texts, neither of which is markup alone."""
    texts = ["[/x]", "[/", "]", "a[bold", "a\\", "a\\\\", "a\\\\\\", ":skull:", "[link=x]", "[@click=x]", ""]
    for first in texts:
        for second in texts:
            out.print(f"{escape(first)}[red]{escape(second)}[/] {escape(first)} b]")
            assert capsys.readouterr().out == f"{first}{second} {first} b]\n"


def test_a_text_that_nobody_escaped_ends_no_command_and_moves_no_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    for printer in (out, err):
        printer.print(f"[bold]{EVIL}[/]")
    show_table([Column("a")], [[EVIL]])
    output = capsys.readouterr()
    assert not dangers(output.out + output.err)
    assert "[/x]" in output.out


def test_a_cell_is_not_folded_so_none_of_it_begins_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    show_table([Column("a"), Column("b", wraps=True)], [["1", escape("x" * 500 + "::error::x")]])
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_a_diff_shows_what_a_file_holds_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    print_diff(["--- /a", f"+{EVIL}"])
    output = capsys.readouterr().out
    assert not dangers(output)
    assert len(output.splitlines()) == 2


@pytest.mark.parametrize("ascii_only", [True, False])
def test_json_says_everything_and_every_parser_reads_it(ascii_only: bool) -> None:
    text = json_text({EVIL: [EVIL, "Grüße", float("inf"), float("nan"), 1.5, None, True]}, ascii_only)
    assert not dangers(text)
    text.encode("ascii" if ascii_only else "utf-8")
    ((key, value),) = json.loads(text, parse_constant=pytest.fail).items()
    # A lone surrogate is in no UTF-8, and strict parsers take none: it is told in words.
    assert key == value[0] == EVIL.replace("\ud800", r"\ud800").replace("\udcff", r"\udcff")
    assert value[1:] == ["Grüße", None, None, 1.5, None, True]


def test_json_on_stdout_is_one_object_that_can_be_written(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    emit_json("models", EVIL, Exit.OK, {"models": []})
    assert checked(capsysbinary.readouterr().out.decode())["schema"] == "jada.models/1"


def test_an_age_that_no_clock_tells_is_not_known() -> None:
    assert since(float("-inf"), 0) == since(0, float("inf")) == since(float("nan"), float("inf")) == "not known"


# Each part of what a runner of GitHub Actions obeys: `::` after blanks, and `##[` anywhere.
ORDERS = ("::stop-commands::pwn", " ::error::x", "##[stop-commands]pwn", "x##[error]y", "##", "#", "[error]", "::", ":")


def orders(text: str) -> list[str]:
    """The lines that a runner obeys (its ActionCommand.TryParseV2 and TryParse)."""
    return [line for line in text.splitlines() if line.strip().startswith("::") or "##[" in line]


@pytest.mark.parametrize("printer", [out, err])
@pytest.mark.parametrize("forced", [False, True], ids=["plain", "in colour"])
def test_no_line_is_an_order_to_a_runner(
    printer: Printer, forced: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever foreign text stands, and whatever stands beside it."""
    if forced:
        monkeypatch.setenv("FORCE_COLOR", "1")
    fresh = Printer(stderr=printer is err)
    for first in ORDERS:
        for second in ORDERS:
            fresh.print(f"{escape(first)}{escape(second)}", f"a\n  [bold]{escape(first)}[/]{escape(second)}")
            show_table([Column(""), Column("")], [["", escape(first)], [escape(first), escape(second)]])
            fresh.print(f"{first}{second}\n[red]{first}[/]")
            print_diff([f"{first}{second}"])
    output = capsys.readouterr()
    plain = re.sub(r"\x1b\[[0-9;]*m", "", output.out + output.err)
    assert not orders(plain)
    assert r"\x3a:stop-commands::pwn" in plain


def test_two_colons_within_a_line_stay(capsys: pytest.CaptureFixture[str]) -> None:
    out.print("fe80::1 [bold]a::b[/]\n: :")
    assert capsys.readouterr().out == "fe80::1 a::b\n: :\n"


def test_no_json_is_an_order_to_a_runner(capsys: pytest.CaptureFixture[str]) -> None:
    put(json_text({order: [order, {order: order}] for order in ORDERS}))
    text = capsys.readouterr().out
    assert not orders(text)
    assert json.loads(text)["##[stop-commands]pwn"][1] == {"##[stop-commands]pwn": "##[stop-commands]pwn"}


def test_an_explanation_is_no_order_to_a_runner(host: Callable[..., State], capsys: pytest.CaptureFixture[str]) -> None:
    for order in ORDERS:
        state = host(settings={"text": json.dumps({"model": order})}, report={"model": order})
        name = "ANTHROPIC_MODEL"
        outranked = replace(state, next_start=replace(state.next_start, env={name: "m"}, where={name: order}))
        for line in explanation.lines("a", outranked):
            out.print(line)
    assert not orders(capsys.readouterr().out)


def test_annotations_of_ours_are_orders_and_nothing_in_them_is(capsys: pytest.CaptureFixture[str]) -> None:
    found = (EvaluatedFinding(Finding.of(codes.MODEL_ON_DISK, "##[error]x", "::error::y")),)
    put(formats.github(DriftReport("f", AT, (HostDrift("::a", "", Status.DRIFTED, found),))))
    text = capsys.readouterr().out
    assert text.startswith("::error title=%3A%3Aa")
    assert "##[" not in text


def evil_drift() -> DriftReport:
    findings = (
        EvaluatedFinding(Finding.of(codes.MODEL_ON_DISK, EVIL, EVIL, EVIL)),
        EvaluatedFinding(Finding.of(codes.SESSION_STALE, EVIL, EVIL)),
    )
    unreachable = HostDrift(
        EVIL + "2", "", Status.NOT_CHECKED, (EvaluatedFinding(Finding.of(codes.NOT_CHECKED, "an answer", EVIL)),)
    )
    return DriftReport(EVIL, AT, (HostDrift(EVIL, EVIL, Status.DRIFTED, findings), unreachable))


def test_what_hosts_say_is_kept_as_it_is_shown() -> None:
    found = replace(evil_drift(), fleet="f", hosts=tuple(replace(row, host="a") for row in evil_drift().hosts[:1]))
    with closing(sqlite3.connect(":memory:")) as connection:
        prepare(connection)
        log = DriftLog(LocalStore(connection))
        log.add(found, ["webhook"])
        log.add(found, ["webhook"])
        _, episodes = log.since("f", "")
        assert not any(dangers("".join(astuple(episode))) for episode in episodes)
        assert len(episodes) == len(log.pending("f", "webhook")) + 1 == 2


def test_no_format_of_a_check_is_broken_by_what_hosts_say(capsys: pytest.CaptureFixture[str]) -> None:
    found = evil_drift()
    github, junit = formats.github(found), formats.junit(found, {})
    sarif, prometheus = formats.sarif(found, Path("fleet.yml")), formats.prometheus(found, lambda _: "")
    markdown = formats.markdown(found, EVIL)
    check.show(found)
    for text in (github, junit, sarif, prometheus, markdown, capsys.readouterr().out):
        assert not dangers(text)
        text.encode()
    assert [line.split(" ")[0] for line in github.splitlines()] == ["::error", "::notice", "::error"]
    ET.fromstring(junit)  # noqa: S314 - ours
    json.loads(sarif)
    (label,) = {
        sample.labels["fleet"] for family in text_string_to_metric_families(prometheus) for sample in family.samples
    }
    assert label == visible(EVIL)


def test_the_page_shows_what_hosts_say_as_text(host: Callable[..., State], page: Page) -> None:
    state = host(
        unit={"active": EVIL},
        settings={"text": json.dumps({"model": EVIL})},
        report={"model": EVIL},
        process={"started": float("inf")},
        release={"at": EVIL, "who": EVIL, "reason": EVIL, "before": Desired(MODEL, 1)},
    )
    seen: dict[str, State | HostError] = {"a": state, "b": HostError(EVIL, EVIL)}
    hosts = [Host(name, "192.0.2.1", "static", role="r") for name in seen]
    drift = evaluate(Fleet(EVIL, Path("fleet.yml"), (), ()), hosts, seen, {}, AT)
    text = html(replace(page, drift=drift, states={"a": state}, only=EVIL))
    # Blanks and line ends are the template's own.
    assert not dangers(text)
    text.encode()
    assert "&lt;" not in visible(EVIL)
    assert "::error::x" in text


def test_an_explanation_shows_what_hosts_say_as_text(
    host: Callable[..., State], capsys: pytest.CaptureFixture[str]
) -> None:
    state = host(settings={"text": json.dumps({"model": EVIL})}, report={"model": EVIL}, login={"error": EVIL})
    lines = list(explanation.lines("a", state))
    for line in lines:
        out.print(line)
    assert not dangers(capsys.readouterr().out)
    row = {"host": "web-1", "role": EVIL, "error": None, **explanation.explanation_dict("web-1", state)}
    emit_json("explain", EVIL, Exit.OK, {"hosts": [row], "inventory_age_seconds": None})
    assert not dangers(capsys.readouterr().out)


def test_nothing_but_escape_or_words_of_ours_stands_in_what_is_printed() -> None:
    """A value in an f-string of a call of print is escaped there, or has the name of something known to be safe."""
    # Of escaped parts, made a line before; a span that was checked; a date made here.
    names = {"mark", "title", "subject", "shown", "holder", "ending", "was", "tally", "fleet", "at", "who"}
    names |= {"missed", "every", "ended", "verb"}
    wrong = []
    for file in sorted(Path(console.__file__).parents[1].rglob("*.py")):
        calls = (node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call))
        printed = [call for call in calls if ast.unparse(call.func) in ("out.print", "err.print")]
        for value in (
            node.value for call in printed for node in ast.walk(call) if isinstance(node, ast.FormattedValue)
        ):
            words = ast.unparse(value)
            is_safe = words in names or "escape(" in words or words.startswith(("plural(", "summary("))
            if not is_safe and file.name != "lab.py":
                wrong.append(f"{file.name}: {words}")
    assert not wrong
