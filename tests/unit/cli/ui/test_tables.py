"""Tables for people: what is left out on a narrow terminal, and that no id is ever broken."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest
from rich.console import Console

from jada.cli.commands import status
from jada.cli.ui import console
from jada.cli.ui.console import out
from jada.cli.ui.duration import local_times
from jada.cli.ui.tables import Column, fitted, show_table
from jada.inventory.fleet.config import Fleet
from jada.tasks.state import State

COLUMNS = (Column("host"), Column("role", 2), Column("model", 1), Column("why", wraps=True))
MODEL = "claude-sonnet-4-5-20250929"
WHY = "its settings.json was edited by hand on /home/agent/.claude/settings.json"
ROWS = [("specialist-1", "specialist", MODEL, WHY), ("a", "orchestrator", "x", "")]


@pytest.mark.parametrize(
    ("width", "shown"),
    [(1000, ("host", "role", "model", "why")), (88, ("host", "model", "why")), (70, ("host", "role", "why"))],
)
def test_columns_go_by_importance_as_far_as_there_is_room(width: int, shown: tuple[str, ...]) -> None:
    widths = fitted(COLUMNS, ROWS, width)
    assert widths is not None
    assert tuple(COLUMNS[at].name for at in widths) == shown
    assert sum(widths.values()) + 2 * (len(widths) - 1) <= width
    # A text is as wide as its longest word at least, a word as it is.
    assert widths[0] == 12
    assert widths[3] >= 34


def test_where_not_even_the_important_ones_fit_there_are_none() -> None:
    assert fitted(COLUMNS, ROWS, 30) is None
    assert fitted(COLUMNS, [], 30) is not None


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """A terminal's text; its console is set by on()."""
    monkeypatch.setattr(console.Printer, "is_terminal", True)
    yield io.StringIO()
    del out.__dict__["console"]


def on(screen: io.StringIO, width: int) -> None:
    out.__dict__["console"] = Console(file=screen, width=width, highlight=False, soft_wrap=True, force_terminal=False)


@pytest.mark.parametrize("width", [20, 40, 60, 80, 100, 140])
def test_no_word_of_a_table_is_ever_broken(screen: io.StringIO, width: int) -> None:
    on(screen, width)
    show_table(COLUMNS, ROWS)
    lines = screen.getvalue().splitlines()
    assert any("specialist-1" in line for line in lines)
    assert any("/home/agent/.claude/settings.json" in line for line in lines)
    assert all(len(line) <= max(width, 40) for line in lines)
    hidden = [line for line in lines if line.startswith("No room for: ")]
    assert any(MODEL in line for line in lines) or "model" in hidden[0]


def test_o_wide_and_a_pipe_leave_nothing_out(screen: io.StringIO) -> None:
    on(screen, 40)
    show_table(COLUMNS, ROWS, is_wide=True)
    assert len(screen.getvalue().splitlines()) == 3


def test_a_long_line_goes_on_at_a_word_as_far_in_as_it_began(screen: io.StringIO) -> None:
    on(screen, 40)
    out.print(f"    [bold]Fix:[/] jada heal --limit specialist-1, then look at {MODEL} there\nx")
    assert screen.getvalue().splitlines() == [
        "    Fix: jada heal --limit specialist-1,",
        "    then look at",
        f"    {MODEL} there",
        "x",
    ]


def test_the_status_ends_with_a_total() -> None:
    active: dict[str, object] = {"error": None, "state": "active", "model_running": MODEL, "drift": []}
    rows: list[dict[str, object]] = [
        active,
        active,
        {**active, "model_running": "", "drift": ["J105"]},
        {"error": "web-4 is off"},
    ]
    assert status.total(rows) == (
        f"4 hosts: 3 active, 1 unreachable; 2 on {MODEL}, 1 on a model that is not known; 1 drifted."
    )


def test_the_model_on_disk_has_to_be_seen_where_it_is_not_the_one_that_runs() -> None:
    row = {"error": None, "model_on_disk": MODEL, "model_running": MODEL}
    ranks = {column.name: column.rank for column in status._columns([row, {"error": "x"}])}
    assert ranks[status.ON_DISK] > ranks["up"]
    ranks = {column.name: column.rank for column in status._columns([row, {**row, "model_running": "other"}])}
    assert ranks[status.ON_DISK] < ranks["release"]


def test_a_host_that_is_being_changed_says_so_and_by_whom(host: Callable[..., State]) -> None:
    fleet, holder = Fleet("f", Path("fleet.yml"), (), ()), "ann@box since 2026-11-24T12:00:00+00:00 for release r1"
    rows = []
    for lock in ("", holder):
        facts = status._facts(host(running_transaction=lock, process={"soft": 1}), fleet, "r", date(2026, 11, 24))
        rows.append({"host": "web-1", "role": "r", "error": None, **facts})
    found, changing = rows
    assert (found["state"], found["changing_by"], found["drift"]) == ("active", None, ["J301"])
    assert (changing["state"], changing["changing_by"], changing["drift"]) == ("changing", holder, [])
    assert status._cells(changing, "s")[3] == "[yellow]being changed[/]"
    assert list(status._about(rows)) == [f"[yellow]![/] being changed by {local_times(holder)} (web-1)"]
    assert "1 being changed" in status.total(rows)


def test_a_model_on_disk_that_could_not_be_seen_is_not_none(host: Callable[..., State]) -> None:
    blind = host(unseen="it was cut off", settings={"text": None})
    facts = status._facts(blind, Fleet("f", Path("fleet.yml"), (), ()), "r", date(2026, 11, 24))
    assert facts["model_on_disk"] is None
    assert status._cells({"host": "web-1", "role": "r", "error": None, **facts}, "s")[4] == "unknown"


def test_few_hosts_are_named_and_many_counted() -> None:
    assert console.named(["a", "b"]) == "a, b"
    assert console.named([*"abcdefgh"]) == "8 hosts"
