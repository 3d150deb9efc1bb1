"""Claude's settings.json as bytes: the values that the Claude CLI takes from it, the place of the model in it, and the
smallest edit that changes it. Pure.

All work on the masked text of files/look/mask.awk: it has the length of the real file, so every offset, line and column
found here holds there. The text is read as latin-1, which makes one character of each byte.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any

BOM = "\xef\xbb\xbf"
WHITESPACE = " \t\n\r"
# Characters. A larger file is no person's own, and as values it may take fifty times its size: few such are kept.
LARGE, LARGE_KEPT = 2**17, 4
# The Claude CLI's numbers are JavaScript's: Python's own integers have a limit of digits, and raise beyond it.
DECODER = json.JSONDecoder(parse_int=float)
# Types of values that the Claude CLI wants: for a wrong one it drops the file as a whole.
_TYPES = {"env": (dict, "an object"), "agent": (str, "a string"), "permissions": (dict, "an object")}


class SettingsError(ValueError):
    """The text is not a JSON object; str() is one sentence with the line and column."""


@dataclass(frozen=True, slots=True)
class Splice:
    """Replace `length` bytes at `offset` by `insert` (JSON text, ASCII)."""

    offset: int
    length: int
    insert: str

    def apply(self, text: str) -> str:
        return text[: self.offset] + self.insert + text[self.offset + self.length :]


@dataclass(frozen=True, slots=True)
class Member:
    """One top-level `"key": value` and where each stands."""

    key: str
    key_start: int
    value: Any
    start: int
    end: int


def parse(text: str) -> dict[str, Any]:
    """The settings as a dict (duplicate keys: the last one wins, as in the Claude CLI). Raises SettingsError."""
    try:
        values = DECODER.decode(text.removeprefix(BOM))
    except (json.JSONDecodeError, RecursionError):
        values = None
    # Where each member stands, or what is wrong and where, takes ten times as long to find out.
    return values if isinstance(values, dict) else {member.key: member.value for member in top_level_members(text)}


def judged(text: str, managed: bool) -> tuple[Mapping[str, object], str]:
    """The values that the Claude CLI takes from a settings file, and why it can't be used, or ""."""
    return (_judgements if len(text) < LARGE else _large_judgements)(text, managed)


def _judgement(text: str, managed: bool) -> tuple[Mapping[str, object], str]:
    try:
        values = parse(text)
    except SettingsError as error:
        return {}, str(error)
    # Of the administrator's files the CLI leaves out only the part that is wrong.
    wrong = "" if managed else _wrong_type(values)
    return {} if wrong or not isinstance(values.get("model", ""), str) else values, wrong


# A dozen checks of one host ask for its few files, one after the other.
_judgements, _large_judgements = lru_cache(maxsize=64)(_judgement), lru_cache(maxsize=LARGE_KEPT)(_judgement)


def _wrong_type(values: Mapping[str, object]) -> str:
    for key, (kind, expected) in _TYPES.items():
        if key in values and not isinstance(values[key], kind):
            return f"{key} is not {expected}"
    available = values.get("availableModels", [])
    if not isinstance(available, list) or not all(isinstance(model, str) for model in available):
        return "availableModels is not a list of strings"
    overrides = values.get("modelOverrides", {})
    if not isinstance(overrides, dict) or not all(isinstance(model, str) for model in overrides.values()):
        return "modelOverrides is not an object of strings"
    return ""


def set_model(text: str, model: str) -> Splice | None:
    """The edit that makes `model` the model, or None if it is already. Raises SettingsError."""
    members = top_level_members(text)
    value = json.dumps(model)
    current = next((member for member in reversed(members) if member.key == "model"), None)
    if current is not None:
        same = current.value == model
        return None if same else Splice(current.start, current.end - current.start, value)
    colon = '": ' if not members or text[members[0].start - 1] in WHITESPACE else '":'
    if not members:
        return Splice(text.index("{") + 1, 0, f'"model{colon}{value}')
    brace = text.index("{")
    indent = text[brace + 1 : members[0].key_start]
    return Splice(members[0].key_start, 0, f'"model{colon}{value},{indent or (" " if colon[-1] == " " else "")}')


def top_level_members(text: str) -> tuple[Member, ...]:
    """The members of the top-level object, in the order of the file. Raises SettingsError."""
    return (_kept if len(text) < LARGE else _large_kept)(text)


def _located(text: str) -> tuple[Member, ...]:
    try:
        return tuple(_members(text))
    except RecursionError:
        raise SettingsError("line 1, column 1: it is nested too deeply") from None
    except json.JSONDecodeError as error:
        comma = _trailing_comma(text, error.pos)
        problem = error.msg[0].lower() + error.msg[1:] if comma is None else "there is a comma after the last item"
        at = error.pos if comma is None else comma
        line = text.count("\n", 0, at) + 1
        column = at - text.rfind("\n", 0, at)
        raise SettingsError(f"line {line}, column {column}: {problem}") from None


def _trailing_comma(text: str, at: int) -> int | None:
    """The place of a comma after a last item, if that is the error at `at`: Python 3.13 is at it, 3.12 behind it."""
    end = _skip(text, at + 1) if text.startswith(",", at) else at
    item, comma, space = text[:end].rpartition(",")
    follows_item = bool(comma) and not space.strip(WHITESPACE) and not item.rstrip(WHITESPACE).endswith((",", "[", "{"))
    return len(item) if follows_item and text.startswith(("}", "]"), end) else None


# A dozen checks of one host ask for its few files one after the other.
_kept, _large_kept = lru_cache(maxsize=32)(_located), lru_cache(maxsize=LARGE_KEPT)(_located)


def _members(text: str) -> list[Member]:
    at = _skip(text, len(BOM) if text.startswith(BOM) else 0)
    if at == len(text):
        raise json.JSONDecodeError("The file is empty", text, at)
    if text[at] != "{":
        raise json.JSONDecodeError("The file does not hold a JSON object", text, at)
    members: list[Member] = []
    at = _skip(text, at + 1)
    while text[at : at + 1] != "}" or members:
        if text[at : at + 1] != '"':
            raise json.JSONDecodeError("Expected a key in double quotes", text, at)
        key_start = at
        key, at = scanstring(text, at + 1, True)
        at = _skip(text, at)
        if text[at : at + 1] != ":":
            raise json.JSONDecodeError("Expected a colon after the key", text, at)
        start = _skip(text, at + 1)
        value, at = DECODER.raw_decode(text, start)
        members.append(Member(key, key_start, value, start, at))
        at = _skip(text, at)
        if text[at : at + 1] == "}":
            break
        if text[at : at + 1] != ",":
            raise json.JSONDecodeError("Expected a comma or the end of the object", text, at)
        at = _skip(text, at + 1)
    if _skip(text, at + 1) != len(text):
        raise json.JSONDecodeError("There is more text after the end of the object", text, _skip(text, at + 1))
    return members


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in WHITESPACE:
        at += 1
    return at
