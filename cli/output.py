"""What people see: one console, and JSON for scripts."""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jada import JadaError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.status import Status
    from rich.table import Table


class Printer:
    """stdout or stderr through rich, which is imported for the first line: help and completion do without it."""

    def __init__(self, stderr: bool = False) -> None:
        self._stderr = stderr

    @cached_property
    def console(self) -> Console:
        from rich.console import Console

        # Into a pipe or a file, lines and tables are as wide as they need to be.
        width = None if self._stderr or sys.stdout.isatty() else 300
        return Console(highlight=False, soft_wrap=True, width=width, stderr=self._stderr)

    @property
    def is_terminal(self) -> bool:
        return (sys.stderr if self._stderr else sys.stdout).isatty()

    def print(self, *lines: object) -> None:
        self.console.print(*lines)

    def status(self, text: str) -> Status:
        """A line with a spinner, gone when done."""
        return self.console.status(text)


out = Printer()
err = Printer(stderr=True)


def escape(text: str) -> str:
    """Text that rich prints as it is, whatever brackets it has."""
    from rich.markup import escape as escape_markup

    return escape_markup(text)


def visible(text: str) -> str:
    """The text with control, bidi and surrogate characters written as escapes."""
    return "".join(
        one.encode("unicode_escape").decode() if unicodedata.category(one) in ("Cc", "Cf", "Cs", "Zl", "Zp") else one
        for one in text
    )


def emit_json(command: str, data: dict[str, Any]) -> None:
    """Prints one JSON object; `schema` names the command and the version of its form."""
    click.echo(json.dumps({"schema": f"jada.{command}/1", **data}, indent=2, ensure_ascii=False))


def write_file(path: Path, text: str, for_all: bool = True) -> None:
    """Writes a file in one step: whoever reads it finds the old or the new. Raises JadaError.

    It is for all to read, or for those that the umask leaves.
    """
    try:
        if path.exists() and not path.is_file():
            # A pipe, or /dev/stdout as one: nothing can be put in its place.
            path.write_text(text, encoding="utf-8")
        else:
            _replace(path.resolve(), text, for_all)
    except OSError as error:
        raise JadaError(f"{path} can't be written: {error.strerror}") from None


def _replace(path: Path, text: str, for_all: bool) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        part.write_text(text, encoding="utf-8")
        if for_all:
            part.chmod(0o644)
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise


def table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> Table:
    """A plain table; cells may hold rich markup. Cells are never cut: on a narrow terminal they wrap."""
    from rich.table import Table

    made = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold")
    for row in rows:
        made.add_row(*row)
    return made


@contextmanager
def progress(text: str, total: int) -> Iterator[Callable[[], None]]:
    """What to call for each host that comes in: it moves a bar on stderr, where that is a terminal, gone when done."""
    if not err.is_terminal:
        yield lambda: None
        return
    # Here, because its import takes as long as two connections.
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=err.console, transient=True) as bar:
        task = bar.add_task(text, total=total)
        yield lambda: bar.advance(task)


def print_diff(lines: Iterable[str]) -> None:
    """One change, coloured as `git diff` does; runs of masked text are shortened."""
    from rich.text import Text

    styles = {"-": "red", "+": "green"}
    for line in lines:
        style = "bold" if line.startswith("---") else styles.get(line[:1], "")
        out.print(Text("    " + _shorten_masks(line), style=style))


def plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def since(started: float, now: float) -> str:
    """An age such as "42 s", "17 min", "5 h" or "12 d"."""
    age = max(0, now - started)
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if age >= 2 * size:
            return f"{age // size:.0f} {unit}"
    return f"{age:.0f} s"


def _shorten_masks(line: str) -> str:
    parts = line.split("*")
    if len(parts) < 4:
        return line
    shown, masked = parts[0], 0
    for part in parts[1:]:
        masked += 1
        if part:
            shown += "•••" + part
            masked = 0
    return shown + ("•••" if masked else "")
