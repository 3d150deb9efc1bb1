"""A block of lines that is made anew again and again: on a terminal in its own place, elsewhere one below the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NoReturn

from jada.cli.ui.console import err, out, styled
from jada.cli.ui.duration import local

if TYPE_CHECKING:
    from rich.text import Text


def repeat(seconds: int, act: Callable[[], None]) -> NoReturn:
    """Does something every so many seconds, or as soon as it was done; only Ctrl-C, or a reader who leaves, ends it."""
    while True:
        until = time.monotonic() + seconds
        act()
        time.sleep(max(0.0, until - time.monotonic()))


def watch(seconds: int, look: Callable[[], Sequence[Text]]) -> NoReturn:
    """Shows the lines of a look every so many seconds."""

    def block() -> list[Text]:
        lines = look()
        at = local(datetime.now(UTC).isoformat())
        return [styled(f"[bold]{at}[/], a look every {seconds} s until Ctrl-C"), *lines]

    if not out.is_terminal:

        def put() -> None:
            for line in (*block(), ""):
                out.print(line)

        repeat(seconds, put)
    from rich.console import Group
    from rich.live import Live

    # What is said on stderr has to be read: it stays.
    with Live(console=out.console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False) as live:
        # No bar moves beside it.
        err.is_drawn_on = True
        try:
            repeat(seconds, lambda: live.update(Group(*fitting(block(), out.console.height)), refresh=True))
        finally:
            err.is_drawn_on = False


def fitting(lines: Sequence[Text], height: int) -> list[Text]:
    """As many lines as a terminal has room for, and how many are left out. Pure."""
    from rich.text import Text

    # The cursor stands below the last one.
    room = max(2, height - 1)
    shown = list(lines)
    if len(lines) > room:
        more = len(lines) - room + 1
        shown = [*lines[: room - 1], Text(f"{more} more lines: make the terminal higher, or choose hosts by --limit")]
    for line in shown:
        # A line that goes on below would take the place of another.
        line.no_wrap, line.overflow = True, "ellipsis"
    return shown
