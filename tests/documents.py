"""Pages as what is in them: fenced blocks, `jada` command lines, and outputs that are what a run prints now.

A comment of HTML right above a block says what the test has to know of it:

    <!-- setup: COMMAND -->      run in a shell before the block, and shown nowhere; may stand there more than once
    <!-- not run: WHY -->        can't be run here; its command lines have to parse all the same
    <!-- no fleet.yml: WHAT -->  a block of YAML that is something else
    <!-- exit: 3 -->             the exit code of its last command, where no `echo $?` shows it
    <!-- answers: y -->          typed at its questions
    <!-- screen: NAME -->        its picture is docs/screens/NAME.svg
"""

from __future__ import annotations

import difflib
import hashlib
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import dropwhile, groupby
from pathlib import Path

import click

from jada.cli.main import jada

ELIDED = "…"
ORDERS = ("setup", "not run", "no fleet.yml", "exit", "answers", "screen")
_FENCED = re.compile(
    r"(?P<above>(?:^[ ]*<!--[^\n]*-->\n)*)"
    r"^(?P<indent>[ ]*)```(?P<kind>\w*)\n(?P<text>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
_ORDER = re.compile(rf"<!-- ({'|'.join(ORDERS)}): (.+?) -->")
_INLINE = re.compile(r"(?<!`)`([^`]+)`(?!`)", re.DOTALL)
_COMMAND = re.compile(r"(?:^|[;|&(] *)(?:sudo )?(?:[A-Z_]+=\S+ )*jada [A-Za-z-]")
RELEASE = re.compile(r"\b\d{8}-\d{6}-[0-9a-f]{4}\b")
# What differs from run to run, and from machine to machine.
_VARYING = (
    (RELEASE, "ID"),
    (re.compile(r"\b20\d\d-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?: ?[+-]\d\d:?\d\d|Z| UTC)?)?"), "TIME"),
    (re.compile(r"\b\d\d:\d\d:\d\d\b"), "TIME"),
    (re.compile(r"\bi-[0-9a-f]{17}\b"), "INSTANCE"),
    (re.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}\b"), "ADDRESS"),
    (re.compile(r"\bann@\w+"), "ann@HOST"),
    (re.compile(r"\bSHA256:\S{43}"), "FINGERPRINT"),
    (re.compile(r"\bAAAA[\w+/=]{20,}"), "KEY"),
    (re.compile(r"\bv?\d+\.\d+\.\d+\b"), "VERSION"),
    (re.compile(r"\b(?=[0-9a-f]*\d)[0-9a-f]{8,}\b"), "HEX"),
    (re.compile(r"\b\d+(?:\.\d+)? (?:ms|s|min|h|d|%|[KMG]B|[KMG]iB)(?!\w)"), "AMOUNT"),
    (re.compile(r"\b\d+:\d\d\b"), "CLOCK"),
    (re.compile(r"\b(pid|process|run|port) \d+\b", re.IGNORECASE), r"\1 N"),
    (re.compile(r"\b\d{4,}\b"), "N"),
    (re.compile(r"[─━═-]{3,}"), "---"),
)
# Hosts are told as they come in: lines that begin with one of these may stand in any order beside each other.
_MARK = re.compile(r"\s*[✓✗•!▶▲] ")


@dataclass(frozen=True)
class Block:
    """A fenced block: its lines without what they are indented by, and the place of its text in the page."""

    page: str
    line: int
    kind: str
    text: str
    indent: str
    start: int
    end: int
    orders: tuple[tuple[str, str], ...]

    def order(self, name: str) -> str:
        return next((value for key, value in self.orders if key == name), "")

    @property
    def setups(self) -> list[str]:
        return [value for key, value in self.orders if key == "setup"]

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"


@dataclass(frozen=True)
class Step:
    """A command of a console block, and what it is to print."""

    command: str
    output: tuple[str, ...]


def blocks(page: str, text: str) -> list[Block]:
    """The fenced blocks of a page, from the top."""
    found = []
    for match in _FENCED.finditer(text):
        indent = match["indent"]
        lines = (line.removeprefix(indent) for line in match["text"].splitlines(keepends=True))
        orders = tuple((order[1], order[2]) for order in _ORDER.finditer(match["above"]))
        line = text.count("\n", 0, match.start("indent")) + 1
        start, end = match.span("text")
        found.append(Block(page, line, match["kind"], "".join(lines), indent, start, end, orders))
    return found


def steps(block: Block) -> list[Step]:
    """The commands of a console block, each with the lines up to the next one."""
    found: list[tuple[str, list[str]]] = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        else:
            assert found, f"{block.place}: no command stands above {line!r}"
            found[-1][1].append(line)
    return [Step(command, tuple(output)) for command, output in found]


def rewritten(text: str, changes: Iterable[tuple[Block, str]]) -> str:
    """A page with other texts in some of its blocks."""
    for block, new in sorted(changes, key=lambda change: -change[0].start):
        lines = "".join(f"{block.indent}{line}".rstrip() + "\n" for line in new.splitlines())
        text = text[: block.start] + lines + text[block.end :]
    return text


def normal(lines: Iterable[str]) -> list[str]:
    """What is the same in each run of the lines; how they are folded, and in which order hosts come in, is not."""
    items: list[list[str]] = []
    for line in filter(str.strip, lines):
        depth = len(line) - len(line.lstrip())
        # Goes on below an item, deeper than that begins.
        goes_on = items and _MARK.match(items[-1][0]) and depth > len(items[-1][0]) - len(items[-1][0].lstrip())
        if goes_on and not _MARK.match(line):
            items[-1].append(line)
        else:
            items.append([line])
    result: list[str] = []
    for is_marked, group in groupby((" ".join(item) for item in items), lambda item: bool(_MARK.match(item))):
        normalised = [_normal(item) for item in group]
        result += sorted(normalised) if is_marked else normalised
    return result


def _normal(line: str) -> str:
    line = " ".join(line.split())
    for pattern, name in _VARYING:
        line = pattern.sub(name, line)
    return line


def matches(expected: Sequence[str], actual: Sequence[str]) -> bool:
    """True if a run prints what a page shows; … stands for anything, also for nothing."""
    # Once more together, for an amount and its unit may be on two lines.
    shown, printed = (_normal(" ".join(normal(lines))) for lines in (expected, actual))
    parts = re.split(rf"\s*{ELIDED}\s*", shown)
    return re.fullmatch(r"\s*.*?\s*".join(map(re.escape, parts)), printed, re.DOTALL) is not None


def difference(expected: Sequence[str], actual: Sequence[str]) -> str:
    return "\n".join(difflib.unified_diff(normal(expected), normal(actual), "the page", "this run", lineterm="", n=1))


def aligned(expected: Sequence[str], actual: Sequence[str]) -> list[int | None]:
    """The lines of a run that a page is to show, by their number, None for what it leaves out.

    As many lines stay on each side of a … as there were.
    """
    if ELIDED not in (line.strip() for line in expected):
        return list(range(len(actual)))
    sides = [[_normal(line) for line in lines] for lines in (expected, actual)]
    shown: list[int | None] = []
    for tag, first, last, start, end in difflib.SequenceMatcher(a=sides[0], b=sides[1], autojunk=False).get_opcodes():
        there = [line.strip() for line in expected[first:last]]
        if tag == "equal" or ELIDED not in there:
            shown += range(start, end)
            continue
        head = range(start, min(start + there.index(ELIDED), end))
        tail = range(max(end - there[::-1].index(ELIDED), head.stop), end)
        shown += [*head, *([None] if head.stop < tail.start else []), *tail]
    return shown


def signature(block: Block) -> str:
    """A text that changes with all that a block shows but for what differs from run to run."""
    lines = [line for step in steps(block) for line in (_normal(f"$ {step.command}"), *normal(step.output))]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def command_lines(text: str) -> Iterator[tuple[tuple[str, ...], bool]]:
    """The words of each `jada` command line of a page, without that one, and whether a sentence only mentions it."""
    for block in blocks("", text):
        for line in block.text.splitlines():
            if block.kind != "console" or line.startswith("$ "):
                for command in commands(line.removeprefix("$ ").strip()):
                    yield command, False
    for match in _INLINE.finditer(_FENCED.sub("", text)):
        for command in commands(" ".join(match[1].split())):
            yield command, True


def commands(line: str) -> Iterator[tuple[str, ...]]:
    """The words of each command of jada in a line for a shell, without that one; of other lines none."""
    if _COMMAND.search(line):
        # Behind so many blanks an example of a help says what it is for.
        lexer = shlex.shlex(re.split(r" {2,}", line)[0], posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        for is_between, words in groupby(lexer, lambda word: set(word) <= set("();<>|&")):
            named = [*dropwhile(lambda word: word == "sudo" or "=" in word, words)]
            if not is_between and len(named) > 1 and named[0] == "jada":
                yield tuple(named[1:])


def why_wrong(argv: Sequence[str], is_mentioned: bool) -> str:
    """Why click would refuse a command line, or "". An option may be mentioned without its value."""
    words = [word for word in argv if word != ELIDED]
    command: click.Command = jada
    parent: click.Context | None = None
    try:
        while True:
            context = click.Context(command, info_name=command.name, parent=parent, **command.context_settings)
            values, words, _ = command.make_parser(context).parse_args(words)
            # What a command takes for the sake of a better error than click's.
            extra = values.get("extra")
            words = [*(extra if isinstance(extra, tuple) else ()), *words]
            if not isinstance(command, click.Group):
                is_free = context.allow_extra_args or context.ignore_unknown_options
                return f"too many arguments: {words}" if words and not is_free else ""
            if not words or words[0].isupper():
                return ""
            found = command.get_command(context, words[0])
            if found is None:
                return f"there is no command {words[0]}"
            command, words, parent = found, words[1:], context
    except click.BadOptionUsage as error:
        return "" if is_mentioned and "requires an argument" in error.format_message() else error.format_message()
    except click.UsageError as error:
        return error.format_message()


def pages(root: Path) -> Mapping[str, str]:
    """The text of README and of each page of docs/, by its path below the project's folder."""
    files = [root / "README.md", *sorted((root / "docs").rglob("*.md"))]
    return {file.relative_to(root).as_posix(): file.read_text(encoding="utf-8") for file in files}
