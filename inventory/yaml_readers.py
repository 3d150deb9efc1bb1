"""Readers that several sections of fleet.yml share: words, users, ports and paths on this machine."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TypeVar

from jada import SECONDS, SPAN, ConfigError, span_seconds
from jada.inventory.yaml_values import Value, shown, whole_numbers

T = TypeVar("T")
# Gets the error in a part of the file that the way back does not need; raises it, or lets it be left out.
Tell = Callable[[ConfigError], None]

# One word: a host, or a zone of an address.
NAME = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}"
# Seconds: more than anybody watches.
LONGEST_SPAN = 7 * 86400
USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+\\-]{0,254}\$?")


def or_default(tell: Tell, reader: Callable[[Value], T], default: T) -> Callable[[Value], T]:
    """A reader that gives the default for what is wrong, unless `tell` raises that."""

    def read(value: Value) -> T:
        try:
            return reader(value)
        except ConfigError as error:
            tell(error)
            return default

    return read


def user(value: Value) -> str:
    return value.matching(USER, "one word: the name of a user")


def port(value: Value) -> int:
    return value.integer(1, 65535)


def span(value: Value, least: int = 0, most: int = LONGEST_SPAN) -> int:
    """The seconds of a span of time; 0 where that is no less than the `least`."""
    zero = "" if least else ", or 0"
    expected = f"{SPAN}{zero}, from {least}s to {most // 86400}d"
    written = value.written(_spans(least, most), None if least else whole_numbers(0, 0), expected)
    return span_seconds(written) or 0


@cache
def _spans(least: int, most: int) -> re.Pattern[str]:
    # As many digits as span_seconds() reads.
    bounds = {unit: (max(1, -(-least // size)), min(most // size, 99999)) for unit, size in SECONDS.items()}
    numbers = {unit: whole_numbers(*bound).pattern for unit, bound in bounds.items() if bound[0] <= bound[1]}
    return re.compile("|".join(f"(?:{pattern}){unit}" for unit, pattern in numbers.items()))


def path(value: Value) -> Path:
    """A path on this machine: ~ is the user's home, relative to the folder of fleet.yml; a pipe lies in none."""
    written = expanded(value.text(), f"{value.file}:{value.line}: {value.key}")
    if any(len(part.encode()) > 255 for part in written.parts):
        raise value.error("can't be the path of a file: a part of it is longer than 255 bytes")
    return (value.file.absolute().parent if value.file.is_file() else working_folder()) / written


def expanded(text: str, origin: str) -> Path:
    """A path whose ~ is a home. Raises ConfigError where this machine knows no such; `origin` says who names it."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise ConfigError(
            f"{origin} is {shown(text)}, and this machine knows no such home", "write the whole path, without ~"
        ) from None


def working_folder() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError:
        # It was deleted: nothing is found there, and the other places are as good as ever.
        return Path()
