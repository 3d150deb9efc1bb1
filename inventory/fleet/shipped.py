"""The fleet.yml that is shipped, by its keys: what goes there, in the words of its comments. Read as text, not as YAML.

Which keys there are, and which of them are names of somebody's own, is what the schema beside it says.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from textwrap import dedent
from typing import Any

import jada

Schema = dict[str, Any]
# A key, once its comment sign is gone; and one that begins a section, as no other word before a colon looks.
_KEY = re.compile(r"(?P<indent> *(?:- )?)(?P<key>[\w.-]+):(?: |$)")
_SECTION = re.compile(r"(?P<key>[a-z_]+):(?: |$)")
_COMMENT = re.compile(r"( *)# ?(.*)")
# What a line says behind its value; that it is an example says nothing of the key.
_REMARK = re.compile(r"(?:^| )# (?:example(?:; |$))?(.*)$")
# The lines below its key that an error shows of an example.
EXAMPLE = 2


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the file: as it is written, and plain, without the sign that makes a comment of it. `keys` lead to the
    key that it is about; a comment before a section is prose about that.
    """

    written: str
    plain: str
    keys: tuple[str, ...]
    is_prose: bool = False


def shipped_file() -> Path:
    return Path(jada.__file__).parent / "inventory" / "fleet.yml"


def schema_file() -> Path:
    """The JSON Schema of fleet.yml, as installed."""
    return shipped_file().with_name("fleet.schema.json")


@cache
def lines() -> tuple[Line, ...]:
    """The lines of the shipped file, but for blank ones."""
    blocks = shipped_file().read_text(encoding="utf-8").strip().split("\n\n")
    found: list[Line] = []
    for block in blocks:
        found += _of_block(block.splitlines(), found[-1].keys[:1] if found else ())
    return tuple(found)


def _of_block(block: Sequence[str], section: tuple[str, ...]) -> Iterator[Line]:
    """The lines of one block: a comment, and the section behind it, or more of the section before."""
    first = next((at for at, line in enumerate(block) if _begins(line)), len(block))
    begun = [] if first == len(block) or block[first].startswith(" ") else [_begins(block[first])]
    keys = tuple(begun) or section
    yield from (Line(line, _plain(line), keys, is_prose=True) for line in block[:first])
    above = [(-1, key) for key in section] if not begun else []
    for line in block[first:]:
        plain = _plain(line)
        if found := _KEY.match(plain):
            indent = len(found["indent"])
            above = [(column, key) for column, key in above if column < indent]
            above.append((indent, found["key"]))
        yield Line(line, plain, tuple(key for _, key in above))


def _begins(line: str) -> str:
    """The key on a line that begins a section, or goes on with one, as opposed to prose; or ""."""
    found = (_KEY if line.startswith(" ") else _SECTION).match(_plain(line))
    return found["key"] if found else ""


def _plain(line: str) -> str:
    found = _COMMENT.match(line)
    return f"{found[1]}{found[2]}" if found else line


def keys() -> dict[str, str]:
    """Every key that goes into a fleet.yml, dotted, without names of somebody's own, and what it is for, or ""."""
    return {key: part.get("description", "") for key, part in parts_of(_schema())}


def parts_of(schema: Schema, above: str = "") -> Iterator[tuple[str, Schema]]:
    """The dotted keys of a schema, each once for every alternative that has it."""
    for part in _alternatives(schema):
        for name, below in part.get("properties", {}).items():
            key = f"{above}.{name}" if above else name
            yield key, below
            yield from parts_of(below, key)
        if of_names := _of_names(part):
            yield from parts_of(of_names, above)


def key_of(path: Iterable[str], schema: Schema | None = None) -> str:
    """The key of keys() to which a path of keys and names leads; what is not known on it is left out."""
    known, at = [], [_schema() if schema is None else schema]
    for name in path:
        parts = [part for each in at for part in _alternatives(each)]
        if named := [part["properties"][name] for part in parts if name in part.get("properties", {})]:
            known.append(name)
            at = named
        else:
            at = [below for part in parts if (below := _of_names(part))] or at
    return ".".join(known)


def _alternatives(schema: Schema) -> Iterator[Schema]:
    """A schema, and those within that are about the same value, or about one of its entries."""
    yield schema
    for keyword in ("anyOf", "allOf"):
        for part in schema.get(keyword, ()):
            yield from _alternatives(part)
    for keyword in ("then", "items"):
        if keyword in schema:
            yield from _alternatives(schema[keyword])


def _of_names(schema: Schema) -> Schema | None:
    """The schema of what has a name of somebody's own, if there may be such."""
    return schema.get("additionalProperties") or None


@cache
def _schema() -> Schema:
    loaded: Schema = json.loads(schema_file().read_text(encoding="utf-8"))
    return loaded


def part(key: str) -> tuple[Line, ...]:
    """The lines about a key of keys(), below those of the keys that it is in; where they say nothing of it, the part
    that it is in.
    """
    own = _lines_of(key)
    above, _, _ = key.rpartition(".")
    if above and not any(map(_remark, own)):
        return part(above)
    if not above:
        return tuple(own)
    path = own[0].keys
    leading = [path[:length] for length in range(1, len(path))]
    return (*(line for line in lines() if not line.is_prose and line.keys in leading), *own)


def _lines_of(key: str) -> list[Line]:
    """The lines about a key and all that is in it."""
    return [line for line in lines() if f"{key_of(line.keys)}.".startswith(f"{key}.")]


def description(key: str, schema: Schema) -> str:
    """The comment about a key: that before a section, or that beside any other key."""
    own = [line for line in lines() if key_of(line.keys, schema) == key]
    if prose := [line.plain for line in own if line.is_prose]:
        return "\n".join(prose).strip()
    return " ".join(filter(None, map(_remark, own)))


def _remark(line: Line) -> str:
    found = _REMARK.search(line.plain)
    return found[1].strip() if found else ""


@cache
def example(key: str) -> tuple[str, ...]:
    """The first lines of the shipped file about a key, without comments; () where it has none of its own."""
    plain = [_REMARK.sub("", line.plain).rstrip() for line in _lines_of(key) if not line.is_prose]
    return tuple(dedent("\n".join([line for line in plain if line][: 1 + EXAMPLE])).splitlines())
