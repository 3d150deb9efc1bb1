"""The frames in which a look leaves a host (files/look/shared.sh): unpacked, bounded, checked at the border. Pure."""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache

# Bytes of a look: packed, as it crosses the link, and unpacked.
MOST_PACKED = 16 * 2**20
MOST_UNPACKED = 26 * 2**20
# Values of one field that may come more than once, that are kept: no host has a tenth of that.
MOST_VALUES = 5000
# Bytes of a value, and of a settings file's text; files/look/shared.sh stops before that.
MOST_OF_VALUE = 2**16
MOST_OF_TEXT = 9 * 2**20

_HEAD = re.compile(rb"([a-z][A-Za-z0-9_.]{0,63}\+?) (\d{1,8})\n")
# The fields that root says, and those that are the word of the service's user; no others are taken from either. A name
# that ends with + may come more than once; N is a number, NAME a variable's and PROPERTY one of systemd's.
_FILE = ("owner", "mode", "links", "size", "changed", "problem", "masked")
_OF_BOTH = ("end", "over+", "next_start.env+", "layerN.path", *(f"layerN.{name}" for name in _FILE))
OF_ROOT = (
    *_OF_BOTH,
    *("instance", "unit.PROPERTY", "status+", "settings.path", "user", "uid", "gid", "home", "home.real"),
    *("process.pid", "speaker.pid", "running.cwd", "running.wrapped", "running.env.NAME", "main.env.NAME"),
    *("running.argv+", "inline.path", "inline.size", "inline.masked"),
    *("next_start.cwd", "next_start.argv+", "next_start.unset+", "unit.lacks+", "unit.sets+", "managed.changed+"),
    *("now", "uptime", "boot", "nr_open", "can_raise", "hard_pid1", "hard_login"),
    *("process.soft", "process.hard", "process.ticks", "speaker.ticks", "login.env.NAME"),
    *("member+", "own_view+"),
    *("dropin.owner", "dropin.mode", "dropin.sha256", "limits.owner", "limits.mode", "limits.sha256"),
    *("report.size", "report.masked", "report.code", "report.http"),
    *("asked.by", "asked.size", "asked.masked", "asked.code"),
    *("login.nofile", "login.error", "session+"),
    *("release.id", "release.manifest.json", "release.place", "release.result", "release.after", "release.previous"),
    *("held", "transaction", "lock", "historyN.id", "historyN.manifest", "historyN.place", "historyN.result", "whole+"),
)
OF_USER = (
    *_OF_BOTH,
    *("settings.real", "settings.dangling", "settings.sha256", *(f"settings.{name}" for name in _FILE)),
    *("link+", "folder+", "agent+", "transcript+"),
)
# Of the answer to the questions before a change (files/look/probe.sh).
OF_PROBE = ("end", "over+", "endpoint.answer", "endpoint.code", "disk+", "request.answer", "request.code")
# Of what probes measure (files/look/measure.sh).
OF_MEASURE = ("end", "over+", "at", "start", "active", "cpu", "memory", "journal+", "of_user", "of_user.code")
_PARTS = {r"\.NAME": r"\.[A-Z_]+", r"\.PROPERTY": r"\.[A-Za-z]+", "N\\.": r"[1-9]\d{0,3}\."}


@cache
def pattern_of(names: tuple[str, ...]) -> re.Pattern[str]:
    """The pattern of the fields with these names."""
    pattern = "|".join(map(re.escape, names))
    for part, anything in _PARTS.items():
        pattern = pattern.replace(part, anything)
    return re.compile(pattern)


_KNOWN_OF_USER = pattern_of(OF_USER)


class LookError(ValueError):
    """The look's output is not whole, or not what a look says."""


@dataclass(frozen=True, slots=True)
class Fields:
    """The output of one half of a look, by field; a field that may come more than once has a name that ends with +."""

    values: Mapping[str, tuple[str, ...]]

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def __getitem__(self, name: str) -> str:
        """The value of a field. Raises LookError when it was not said."""
        if name not in self.values:
            raise LookError(f"it does not say {name}")
        return self.values[name][0]

    def get(self, name: str, default: str = "") -> str:
        return self.values[name][0] if name in self.values else default

    def all(self, name: str) -> tuple[str, ...]:
        return self.values.get(name, ())

    def rows(self, name: str, columns: int) -> Iterator[tuple[str, ...]]:
        """The values of a field as rows: a line for each column. Raises LookError for one with more or fewer."""
        for value in self.all(name):
            row = tuple(value.split("\n"))
            if len(row) != columns:
                raise LookError(f"{name} has {len(row)} columns instead of {columns}")
            yield row

    def with_prefix(self, prefix: str) -> dict[str, str]:
        """The values of all fields that begin with `prefix`, by the rest of their names."""
        return {name.removeprefix(prefix): value[0] for name, value in self.values.items() if name.startswith(prefix)}

    def numbered(self, prefix: str, suffix: str) -> list[str]:
        """The names such as layer1, layer2, … of the fields with this suffix, in their order."""
        found = (name.removeprefix(prefix) for name in self.values if name.startswith(prefix) and name.endswith(suffix))
        numbers = sorted(int(text) for text in (each.removesuffix(suffix) for each in found) if text.isdecimal())
        return [f"{prefix}{number}" for number in numbers]

    def number(self, name: str, most: int = 2**63) -> int:
        """A count: 0 when it was not said, or only that nothing is set. Raises LookError for what is none."""
        return whole(self.get(name) or "0", name, most)

    def seconds(self, name: str) -> float:
        """A time: 0 when it was not said. Raises LookError for what is none that a computer's clock shows."""
        return seconds(self.get(name) or "0", name)


def whole(text: str, name: str, most: int = 2**63) -> int:
    """The count that a text is. Raises LookError for what is none."""
    if not re.fullmatch(r"\d{1,20}", text, re.ASCII) or int(text) > most:
        raise LookError(f"{name} is no number from 0 to {most}")
    return int(text)


def seconds(text: str, name: str) -> float:
    """The time that a text is. Raises LookError for what is none that a computer's clock shows."""
    if not re.fullmatch(r"\d{1,11}(\.\d{1,9})?", text, re.ASCII):
        raise LookError(f"{name} is no time in seconds")
    return float(text)


def read_frames(output: Iterable[str], of_root: tuple[str, ...] = OF_ROOT) -> tuple[Fields, Fields | LookError]:
    """Reads the fields of root's and of the service's user's half of a look. Raises LookError unless root's is whole.

    No other fields than those `of_root` are taken from root.

    The other half is a process of that user, who can have it say anything or nothing: where it is not whole, why.
    """
    data = _unpacked("".join(output))
    root, at = _fields(data, 0, pattern_of(of_root))
    try:
        user, at = _fields(data, at, _KNOWN_OF_USER)
        if at < len(data):
            raise LookError("it goes on after its end")
    except LookError as error:
        return root, error
    return root, user


def _unpacked(text: str) -> bytes:
    if len(text) > MOST_PACKED:
        raise LookError(f"it is longer than the {MOST_PACKED} bytes that jada takes from a host")
    try:
        unpacker = zlib.decompressobj(wbits=31)
        data = unpacker.decompress(base64.b64decode(text, validate=True), MOST_UNPACKED)
    except (zlib.error, binascii.Error, ValueError) as error:
        raise LookError(f"it is not packed as a look is ({type(error).__name__})") from None
    if not unpacker.eof and not unpacker.unconsumed_tail:
        raise LookError("it was cut off")
    if unpacker.unconsumed_tail:
        raise LookError(f"unpacked, it is longer than the {MOST_UNPACKED} bytes that jada takes from a host")
    return data


def _fields(data: bytes, at: int, known: re.Pattern[str]) -> tuple[Fields, int]:
    """The fields from `at` to the next `end`, and where that ends."""
    found: dict[str, list[str]] = {}
    surplus: dict[str, None] = {}
    while "end" not in found:
        head = _HEAD.match(data, at)
        if head is None:
            raise LookError("it was cut off" if at == len(data) else f"no value begins at its byte {at}")
        name, start = head[1].decode(), head.end()
        is_text = name.endswith(".masked")
        if int(head[2]) > (MOST_OF_TEXT if is_text else MOST_OF_VALUE):
            raise LookError(f"{name} is longer than any value of a look")
        at = start + int(head[2])
        if data[at : at + 1] != b"\n":
            raise LookError(f"it was cut off in the middle of {name}")
        if not known.fullmatch(name):
            raise LookError(f"{name} is no field of a look")
        values = found.setdefault(name, [])
        if values and not name.endswith("+"):
            raise LookError(f"{name} comes too often")
        # The service's user makes these: more of them are no reason to do without the look, nor without a way back.
        if len(values) < MOST_VALUES:
            # An offset in a masked text is a count of bytes.
            value = data[start:at]
            values.append(value.decode("latin-1") if is_text else value.decode(errors="replace"))
        else:
            surplus[f"{name[:-1]}: more than {MOST_VALUES}"] = None
        at += 1
    if surplus:
        found.setdefault("over+", []).extend(surplus)
    return Fields({name: tuple(values) for name, values in found.items()}), at
