"""What people see: one console, and JSON for scripts."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from jada import JadaError

# Into a pipe or a file, lines and tables are as wide as they need to be.
out = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 300)
err = Console(highlight=False, soft_wrap=True, stderr=True)

__all__ = ["emit_json", "err", "escape", "out", "plural", "print_diff", "progress", "since", "table", "write_file"]


def emit_json(command: str, data: dict[str, Any]) -> None:
    """Prints one JSON object; `schema` names the command and the version of its form."""
    click.echo(json.dumps({"schema": f"jada.{command}/1", **data}, indent=2, ensure_ascii=False))


def write_file(path: Path, text: str) -> None:
    """Writes a file in one step, for others to read: whoever reads it finds the old or the new. Raises JadaError."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        part.write_text(text, encoding="utf-8")
        part.chmod(0o644)
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise JadaError(f"{path} can't be written: {error.strerror}") from None


def table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> Table:
    """A plain table; cells may hold rich markup. Cells are never cut: on a narrow terminal they wrap."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold")
    for row in rows:
        made.add_row(*row)
    return made


@contextmanager
def progress(text: str, total: int) -> Iterator[Progress]:
    """A bar on stderr while hosts come in, gone when done; nothing where stderr is not a terminal."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        bar.add_task(text, total=total)
        yield bar


def print_diff(lines: Iterable[str]) -> None:
    """One change, coloured as `git diff` does; runs of masked text are shortened."""
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
