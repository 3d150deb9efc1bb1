"""Those who look on while a rollout goes on: the view on a terminal, lines elsewhere, scripts, and hooks."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from jada import reason
from jada.cli.rollout.board import Board, render
from jada.cli.rollout.events import Event, Kind, Observer, as_row, in_words
from jada.cli.rollout.hooks import Hooked
from jada.cli.rollout.show import host_line
from jada.cli.ui.console import emit_json_line, err, escape, out
from jada.cli.ui.streams import is_utf8
from jada.tasks.plan import Request

if TYPE_CHECKING:
    from rich.console import Group

    from jada.inventory.fleet.config import Fleet

# Events that stay on a terminal when the view is gone, and those with which something went wrong.
LASTING = (Kind.HOST_END, Kind.WAVE_PASSED, Kind.WAVE_FAILED, Kind.PROMOTED, Kind.ROLLBACK)
GRAVE = (Kind.WAVE_FAILED, Kind.ROLLBACK)
# Times in a second that the view is drawn anew.
FRAMES = 4


@contextmanager
def observed(fleet: Fleet, request: Request, command: str, board: Board, as_json: bool) -> Iterator[Observer]:
    """Gives the function that is told each event. Whoever looks on ends no change: what fails there is told once, and
    left out from then on. Hooks that are under way at the end are waited for.
    """

    def as_facts(event: Event) -> dict[str, Any]:
        return as_row(event, request, command, datetime.now(UTC).isoformat(timespec="milliseconds"))

    is_drawn = err.is_terminal and not (as_json and out.is_terminal)
    sinks: list[Observer] = [_lines(as_facts, board, is_drawn)]
    if as_json:
        sinks.append(lambda event: emit_json_line("events", as_facts(event)))
    hooked = Hooked(fleet, request, command)
    sinks.append(hooked)

    def observe(event: Event) -> None:
        board.apply(event, time.monotonic())
        for sink in tuple(sinks):
            try:
                sink(event)
            except Exception as error:  # whatever it is, it is no trouble of the host's whose event this is
                sinks.remove(sink)
                with suppress(Exception):
                    err.print(f"[yellow]Warning[/] what goes on is not told in full: {escape(reason(error))}")

    try:
        if is_drawn:
            with _drawn(board):
                yield observe
        else:
            yield observe
    finally:
        hooked.close()


def _lines(as_facts: Callable[[Event], dict[str, Any]], board: Board, is_drawn: bool) -> Observer:
    """Prints events as lines; of hosts that all change at once, how each ended alone."""

    def tell(event: Event) -> None:
        text = in_words(event, board.waves)
        is_told = event.kind in LASTING if is_drawn else board.bakes or err.is_json or event.kind is Kind.HOST_END
        if not (text and is_told):
            return
        if event.kind is Kind.HOST_END:
            line = host_line(event.host, event.outcome is not None and event.outcome.ok, event.text)
        else:
            line = f"[red]{escape(text)}[/]" if event.kind in GRAVE else escape(text)
        err.print(line, facts=as_facts(event))

    return tell


@contextmanager
def _drawn(board: Board) -> Iterator[None]:
    from rich.console import Group
    from rich.live import Live

    def draw() -> Group:
        size = err.console.size
        return Group(*render(board, time.monotonic(), size.width, size.height, is_utf8(sys.stderr)))

    # stdout is for scripts, and whatever is printed on stderr knows of the view.
    with Live(
        get_renderable=draw, console=err.console, refresh_per_second=FRAMES, transient=True,
        redirect_stdout=False, redirect_stderr=False,
    ):  # fmt: skip
        err.is_drawn_on = True
        try:
            yield
        finally:
            err.is_drawn_on = False
