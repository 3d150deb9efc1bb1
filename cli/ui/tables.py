"""Tables for people: columns go by the width of the terminal, and no host, model or release id is ever broken."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, TypeVar

import click

from jada.cli.ui.console import UNBOUND, escape, folded, out, styled

if TYPE_CHECKING:
    from rich.text import Text

F = TypeVar("F", bound=Callable[..., Any])

# Between two columns; and as narrow as a text is made before another column is left out.
GAP, LEAST_TEXT = 2, 20


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table. Where there is no room for all, those of a low `rank` are shown first, and 0 always.

    A cell stands on one line, unless the column `wraps`: then it may go on at a blank.
    """

    name: str
    rank: int = 0
    wraps: bool = False


def wide_option(command: F) -> F:
    """-o wide, for a command that shows a table."""
    return click.option("-o", "form", type=click.Choice(["wide"]), help="Every column, however long the lines.")(
        command
    )


def show_table(
    columns: Sequence[Column], rows: Iterable[Sequence[str]], is_wide: bool = False, hint: str = "-o wide"
) -> None:
    """Prints a plain table; cells may hold our markup. `hint` says how to see the columns that had no room."""
    for line in table_lines(columns, rows, is_wide, hint):
        out.print(line)


def table_lines(
    columns: Sequence[Column], rows: Iterable[Sequence[str]], is_wide: bool = False, hint: str = "-o wide"
) -> list[Text]:
    """The lines of a table for the width of the terminal."""
    from rich.text import Text

    texts = [list(row) for row in rows]
    cells = [[styled(cell) for cell in row] for row in texts]
    widths = fitted(columns, [[cell.plain for cell in row] for row in cells], UNBOUND if is_wide else out.console.width)
    if widths is None:
        pairs = [
            f"[bold]{escape(column.name)}[/] {cell}" for row in texts for column, cell in zip(columns, row, strict=True)
        ]
        return [out.folded(styled(f"{'  ' if at % len(columns) else ''}{pair}")) for at, pair in enumerate(pairs)]
    heads = [Text(column.name, style="bold") for column in columns]
    lines = [line for row in (heads, *cells) for line in _lines([(row[at], width) for at, width in widths.items()])]
    if hidden := [column.name for at, column in enumerate(columns) if at not in widths]:
        lines.append(out.folded(styled(f"[dim]No room for: {escape(', '.join(hidden))}; all: {escape(hint)}[/]")))
    return lines


def fitted(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int) -> dict[int, int] | None:
    """The columns that there is room for, by number, and how wide each is; None where the most important ones have
    none. Pure.
    """
    from rich.cells import cell_len

    whole = [max(map(cell_len, (column.name, *(row[at] for row in rows)))) for at, column in enumerate(columns)]
    least = [
        min(whole[at], max(LEAST_TEXT, *(cell_len(word) for row in rows for word in row[at].split() or [""]), 0))
        if column.wraps and rows
        else whole[at]
        for at, column in enumerate(columns)
    ]
    spare, shown = width + GAP, set[int]()
    for at in sorted(range(len(columns)), key=lambda at: columns[at].rank):
        if least[at] + GAP <= spare:
            shown.add(at)
            spare -= least[at] + GAP
        elif not columns[at].rank:
            return None
    widths = {}
    for at in sorted(shown):
        widths[at] = min(whole[at], least[at] + spare)
        spare -= widths[at] - least[at]
    return widths


def _lines(cells: Sequence[tuple[Text, int]]) -> Iterator[Text]:
    """A row: each cell in a column of its width, and the rest of those that wrap below."""
    from rich.text import Text

    parts = (folded(cell, width) for cell, width in cells)
    for line in zip_longest(*parts):
        padded = []
        for (_, width), part in zip(cells, line, strict=True):
            text = part or Text()
            text.pad_right(width - text.cell_len)
            padded.append(text)
        joined = Text(" " * GAP).join(padded)
        joined.rstrip()
        yield joined
