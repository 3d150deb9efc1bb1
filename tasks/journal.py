"""The journal of a service: what is asked of it, and a line as it comes from a host (files/change/journal.sh). Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from jada import EXACT_ID
from jada.tasks.frames import LookError
from jada.tasks.release import RELEASE_ID, printable

# Characters of a line of a message; as many are masked (files/change/mask-log.awk).
LONGEST_LINE = 2000
# The last line of an answer that was cut off (files/change/journal.sh); no line of a message begins so.
NOT_WHOLE = "jada-not-whole"
# A host's own clock counts them since 1970; every calendar can tell the last.
_LINE = re.compile(r"(\d{1,16}|-) (\S{1,600}) (\S{1,100}) (.*)", re.DOTALL | re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalQuery:
    """The lines of a journal that are asked for: the last `count`, not older than `since` seconds if that is not 0, of
    one `release` if that is given.
    """

    count: int
    since: int = 0
    release: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """A line of a message in a journal: when it came, Unix seconds, 0 where that is not known, and the model and
    release that the service had then by its drop-in, "" where it says none.
    """

    at: float
    model: str
    release: str
    text: str


def read_lines(lines: Iterable[str]) -> Iterator[LogLine]:
    """Yields the lines that a host said; one that is none is told in its place, at the time of that before it."""
    at = 0.0
    for line in lines:
        try:
            told = read_line(line)
        except LookError as error:
            told = LogLine(at=at, model="", release="", text=f"… left out: {error}")
        at = told.at
        yield told


def read_line(line: str) -> LogLine:
    """The line that a host said. Raises LookError for what is none."""
    match = _LINE.fullmatch(line)
    if match is None:
        raise LookError(f"a line of its journal begins with no time: {printable(line, most=80)}")
    model, release = match[2], match[3]
    return LogLine(
        at=0.0 if match[1] == "-" else int(match[1]) / 1e6,
        model=model if EXACT_ID.fullmatch(model) else "",
        release=release if re.fullmatch(RELEASE_ID, release) else "",
        text=printable(match[4], most=LONGEST_LINE),
    )
