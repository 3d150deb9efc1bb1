"""Output: one console for people, and JSON for scripts; and how foreign text is shown in each."""

from __future__ import annotations

import math
import os
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import click

from jada import Exit, JadaError
from jada.cli.ui.run_id import run_id
from jada.cli.ui.streams import is_utf8

if TYPE_CHECKING:
    from pathlib import Path

    from _typeshed import DataclassInstance
    from rich.console import Console
    from rich.status import Status
    from rich.text import Text

    D = TypeVar("D", bound=DataclassInstance)

K = TypeVar("K")
V = TypeVar("V")

# Letters and marks that nobody sees (Unicode's Default_Ignorable_Code_Point), beside those that Python escapes itself.
INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
# Brackets and backslashes of foreign text on their way through rich's markup: no text has these noncharacters, for
# visible() leaves none.
SHELTERS = {"[": "\ufdd0", "\\": "\ufdd1"}
SHELTER = str.maketrans(SHELTERS)
UNSHELTER = str.maketrans({shelter: char for char, shelter in SHELTERS.items()})
# Parts of our own markup, with shelters in it, that may be foreign text that was forgotten.
UNSAFE = re.compile(f"[^\n{''.join(SHELTERS.values())}]+")
SURROGATE = re.compile("[\ud800-\udfff]")
# A runner of GitHub Actions obeys `::` after blanks at the start of a line, and its older form, `##[`, anywhere in one.
# Colours don't hide it.
ORDER = re.compile(r"^((?:[^\S\n]|\x1b\[[0-9;]*m)*):(?=(?:\x1b\[[0-9;]*m)*:)", re.MULTILINE)
OLD_ORDER, SHOWN_ORDER, JSON_ORDER = "##[", r"#\x23[", r"#\u0023["
# Wider than any table: a cell that is folded begins a line with whatever it holds.
UNBOUND = 1_000_000

MOST_NAMES = 6
WORD = re.compile(r"\S+\s*")
# All before the words of a line: blanks and a sign of ours, or that of a diff.
BEGIN = re.compile(r" *(?:[✓✗•!] |[+-](?=[^+-]))?")
# A terminal that says it is narrower folds lines itself.
LEAST_WIDTH = 20


def visible(text: str) -> str:
    """Foreign text as one line that can neither command nor deceive: the way all of it is shown, wherever it is shown.

    Control, bidi, zero-width and unassigned characters, blanks other than the space, line ends and lone surrogates
    become escapes such as \\x1b, \\n, \\u202e and \\ud800, and so does `##[`, which a runner of GitHub Actions obeys
    wherever it stands. What is visible already stays as it is.
    """
    if not (text.isprintable() and (text.isascii() or not INVISIBLE.search(text))):
        text = "".join(char if char.isprintable() and not INVISIBLE.match(char) else _escaped(char) for char in text)
    return text.replace(OLD_ORDER, SHOWN_ORDER)


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode()


def all_visible(value: D) -> D:
    """A value with each text in it as visible() shows it, so that it can be kept and told; no text is an error."""
    from dataclasses import fields, replace

    names = [field.name for field in fields(value) if field.type == "str"]
    return replace(value, **{name: visible(getattr(value, name)) for name in names})


class Printer:
    """stdout or stderr through rich, which is imported for the first line: help and completion do without it.

    What is printed is our own markup, with each foreign text in it from escape(). One that was forgotten is shown with
    its brackets, but moves no cursor and ends no command.
    """

    # Each message is an object of JSON, for whoever collects logs.
    is_json = False
    # Something that moves is on the terminal: whatever else would move there as well is left out.
    is_drawn_on = False

    def __init__(self, stderr: bool = False) -> None:
        self._stderr = stderr

    @cached_property
    def console(self) -> Console:
        from rich.console import Console

        # Into a pipe or a file, lines and tables are as wide as they need to be.
        width = None if self._stderr or sys.stdout.isatty() else UNBOUND
        console = Console(highlight=False, soft_wrap=True, width=width, stderr=self._stderr)
        if self._stderr:
            # rich's own would silence stdout and leave.
            console.on_broken_pipe = lambda: None  # type: ignore[method-assign]
        return console

    @property
    def is_terminal(self) -> bool:
        return not self.is_json and (sys.stderr if self._stderr else sys.stdout).isatty()

    def print(self, *lines: object, facts: Mapping[str, Any] | None = None) -> None:
        """Prints lines; as JSON they are one message, with the `facts` that they tell."""
        # Text beside the answer may get lost; it must not end a change that is under way on hosts.
        with suppress(OSError) if self._stderr else written():
            if self.is_json:
                self.log("\n".join(styled(str(line)).plain for line in lines), facts=facts)
                return
            with self.console.capture() as printed:
                self.console.print(*(self.folded(styled(line)) if isinstance(line, str) else line for line in lines))
            self.console.file.write(without_orders(printed.get()))
            self.console.file.flush()

    def log(self, text: str, level: str = "info", facts: Mapping[str, Any] | None = None) -> None:
        """Writes a message as an object of JSON on a line of its own, of the form docs/schemas/log.json."""
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        form = {"schema": "jada.log/1", "at": at, "level": level, "run": run_id(), "message": text, "event": facts}
        click.echo(json_text(form, ascii_only=not is_utf8(sys.stderr), indent=None), err=True)

    def folded(self, text: Text) -> Text:
        """On a terminal, lines that go on at a word, below where their own words began."""
        from rich.text import Text

        if not self.is_terminal:
            return text
        lines = []
        for line in text.split("\n", allow_blank=True):
            begin = BEGIN.match(line.plain)
            at = begin.end() if begin else 0
            first, *rest = folded(line[at:], max(self.console.width - at, LEAST_WIDTH))
            lines += [Text.assemble(line[:at], first), *(Text.assemble(" " * at, part) for part in rest)]
        return Text("\n").join(lines)

    def status(self, text: str) -> Status:
        """A line with a spinner, gone when done."""
        return self.console.status(text, spinner=spinner())


out = Printer()
err = Printer(stderr=True)


def escape(text: str) -> str:
    """Foreign text for our markup, to be printed by a Printer or in a table: visible, whatever brackets it has."""
    return visible(text).translate(SHELTER)


def styled(markup: str) -> Text:
    """Our markup as rich's text, with the foreign texts in it as they are."""
    from rich.errors import MarkupError
    from rich.text import Text

    markup = UNSAFE.sub(lambda found: visible(found[0]), markup)
    try:
        text = Text.from_markup(markup, emoji=False)
    except MarkupError:
        text = Text(markup)
    # As long as before, so that the styles stay where they are.
    text.plain = text.plain.translate(UNSHELTER)
    return text


def folded(text: Text, width: int) -> list[Text]:
    """A text as lines that end between two words; a word is never broken, however long. rich would break or cut it."""
    from rich.cells import cell_len

    starts, room = [], width
    for word in WORD.finditer(text.plain):
        if cell_len(word[0].rstrip()) > room < width:
            starts.append(word.start())
            room = width
        room -= cell_len(word[0])
    lines = list(text.divide(starts))
    for line in lines:
        line.rstrip()
    return lines


def without_orders(text: str) -> str:
    """Lines as they are, but for what a runner of GitHub Actions obeys: its first sign becomes an escape."""
    return ORDER.sub(r"\1\\x3a", text).replace(OLD_ORDER, SHOWN_ORDER)


def spinner() -> str:
    """The name of rich's spinner that the terminal can show."""
    return "dots" if is_utf8(sys.stderr) else "line"


def emit_json(
    command: str,
    fleet: str | None,
    code: Exit,
    data: Mapping[str, Any],
    at: datetime | None = None,
    indent: int | None = 2,
) -> None:
    """Prints one JSON object of the form that docs/schemas/ has for the command, told now or `at` a moment in UTC; on
    one line where `indent` is None.
    """
    timestamp = (at or datetime.now(UTC)).isoformat(timespec="seconds")
    facts = {"schema": f"jada.{command}/1", "fleet": fleet, "at": timestamp, "exit": int(code), **data}
    put(json_text(facts, ascii_only=not is_utf8(sys.stdout), indent=indent) + "\n")


def emit_json_line(command: str, data: Mapping[str, Any]) -> None:
    """Prints one of many JSON objects, on a line of its own, of the form that docs/schemas/ has for the command."""
    text = json_text({"schema": f"jada.{command}/1", **data}, ascii_only=not is_utf8(sys.stdout), indent=None)
    put(text + "\n")


def nulled(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of JSON with null for each value that is "": absent has one form there."""
    return {key: None if value == "" else value for key, value in row.items()}


def put(text: str) -> None:
    """Prints what programs read, orders to a runner of GitHub Actions too, as it is. Raises JadaError."""
    with written():
        click.echo(text, nl=False)


@contextmanager
def written() -> Iterator[None]:
    """Raises JadaError when stdout takes no more; a broken pipe stays a BrokenPipeError."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise JadaError(f"stdout can't be written: {error.strerror}", "send it elsewhere: jada … >FILE") from None


def json_text(data: Any, ascii_only: bool = False, indent: int | None = 2) -> str:
    """JSON that every parser reads and no terminal or runner obeys: what visible() escapes is escaped JSON's own way.

    Lone surrogates, which UTF-8 and many parsers refuse, are told as visible() shows them, numbers that JSON has not
    as null.
    """
    # Help and completion do without it.
    import json

    text = json.dumps(_tellable(data), indent=indent, ensure_ascii=ascii_only).replace(OLD_ORDER, JSON_ORDER)
    return "\n".join(map(_json_line, text.split("\n")))


def _json_line(line: str) -> str:
    if line.isprintable() and (line.isascii() or not INVISIBLE.search(line)):
        return line
    import json

    return "".join(char if visible(char) == char else json.dumps(char)[1:-1] for char in line)


def _tellable(data: Any) -> Any:
    if isinstance(data, str):
        return SURROGATE.sub(lambda found: _escaped(found[0]), data)
    if isinstance(data, float):
        return data if math.isfinite(data) else None
    if isinstance(data, dict):
        return {_tellable(key): _tellable(value) for key, value in data.items()}
    return [_tellable(value) for value in data] if isinstance(data, list | tuple) else data


def write_file(path: Path, text: str, mode: int | None = 0o644) -> None:
    """Writes a file in one step: whoever reads it finds the old or the new. Raises JadaError.

    Without a mode, it is for those that the umask leaves.
    """
    try:
        if path.exists() and not path.is_file():
            # A pipe, or /dev/stdout as one: nothing can be put in its place.
            path.write_text(text, encoding="utf-8", errors="backslashreplace")
        else:
            _replace(path.resolve(), text, mode)
    except OSError as error:
        from shlex import quote

        folder = path.absolute().parent
        hint = f"ls -ld {quote(str(folder))}" if folder.is_dir() else f"mkdir -p {quote(str(folder))}"
        raise JadaError(f"{path} can't be written: {error.strerror}", hint) from None


def _replace(path: Path, text: str, mode: int | None) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        # Others may have laid something there, where they may write too.
        part.unlink(missing_ok=True)
        # For nobody else before it has its mode.
        made = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666 if mode is None else 0o600)
        with os.fdopen(made, "w", encoding="utf-8", errors="backslashreplace") as opened:
            opened.write(text)
        if mode is not None:
            part.chmod(mode)
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise


@contextmanager
def progress(text: str, total: int) -> Iterator[Callable[[], None]]:
    """Gives the function to call for each host that comes in: it moves a bar on a terminal's stderr, gone when done;
    none where something else is drawn there.
    """
    if err.is_drawn_on or not err.is_terminal:
        yield lambda: None
        return
    # Here, because its import takes as long as two connections.
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(spinner()),
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
        out.print(out.folded(Text("    " + shorten_masks(visible(line)), style=style)))


def debugged() -> bool:
    """True if somebody wants to see tracebacks."""
    return bool(os.environ.get("JADA_DEBUG"))


def plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def named(hosts: Sequence[str]) -> str:
    """The hosts by name, or how many they are where nobody would read them all."""
    return ", ".join(hosts) if len(hosts) <= MOST_NAMES else plural(len(hosts), "host")


def grouped(pairs: Iterable[tuple[K, V]]) -> dict[K, list[V]]:
    """The second of each pair by the first, in the order they come."""
    groups: dict[K, list[V]] = defaultdict(list)
    for key, value in pairs:
        groups[key].append(value)
    return groups


def since(started: float, now: float) -> str:
    """An age such as "42 s", "17 min", "5 h" or "12 d"."""
    if not math.isfinite(now - started):
        return "not known"
    age = max(0, now - started)
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if age >= 2 * size:
            return f"{age // size:.0f} {unit}"
    return f"{age:.0f} s"


def shorten_masks(line: str) -> str:
    """A line with each run of masked characters as three dots."""
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
