"""The output of a look, made by hand: frames of both halves, packed as they leave a host."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Mapping, Sequence

OF_ROOT = {
    "user": "agent",
    "uid": "1000",
    "gid": "1000",
    "home": "/home/agent",
    "home.real": "/home/agent",
    "uptime": "1000.0",
    "now": "5000.0",
    "boot": "b",
    "nr_open": "1048576",
    "can_raise": "1",
    "hard_pid1": "524288",
    "hard_login": "524288",
    "unit.MainPID": "300",
    "process.pid": "300",
    "process.ticks": "90000",
    "settings.path": "/home/agent/.claude/settings.json",
}
OF_USER = {
    "settings.real": "/home/agent/.claude/settings.json",
}
# A field and its value; a field with several values is there several times.
Pair = tuple[str, str]
Values = Mapping[str, str | tuple[str, ...]]


def frames(fields: Values) -> bytes:
    """The frames of one half of a look: several values of a field are a tuple."""
    return framed(pairs(fields))


def pairs(fields: Values) -> list[Pair]:
    return [(name, value) for name, text in fields.items() for value in ((text,) if isinstance(text, str) else text)]


def framed(fields: Sequence[Pair]) -> bytes:
    """Frames up to the end; any text, for what UTF-8 has not is told as bytes that are none of it."""
    values = [(name, text.encode("utf-8", "surrogatepass")) for name, text in [*fields, ("end", "ok")]]
    return b"".join(b"%s %d\n%s\n" % (name.encode("utf-8", "surrogatepass"), len(text), text) for name, text in values)


def packed(data: bytes) -> list[str]:
    return [base64.b64encode(gzip.compress(data, 1)).decode()]


def row(text: str) -> str:
    """A value of several columns, written with bars between them."""
    return text.replace(" | ", "\n")
