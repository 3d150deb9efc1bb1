"""Claude's settings.json as bytes: the values that the Claude CLI takes from it, the places of its models in it, and
the smallest edits that change them. Pure.

All work on the masked text of files/look/mask.awk: it has the length of the real file, so every offset, line and column
found here holds there. The text is read as latin-1, which makes one character of each byte.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any

from jada import Tiers

BOM = "\xef\xbb\xbf"
WHITESPACE = " \t\n\r"
# Characters. A larger file is no person's own, and as values it may take fifty times its size: few such are kept.
LARGE, LARGE_KEPT = 2**17, 4
# Characters of what stands before a file's first key, for that to be its style.
LONGEST_STYLE = 200
# Where the model of subagents stands, in `env`.
SUBAGENT_MODEL = "CLAUDE_CODE_SUBAGENT_MODEL"
# The Claude CLI's numbers are JavaScript's: Python's own integers have a limit of digits, and raise beyond it.
DECODER = json.JSONDecoder(parse_int=float)
# Types of values that the Claude CLI wants: for a wrong one it drops the file as a whole.
_TYPES = {"env": (dict, "an object"), "agent": (str, "a string"), "permissions": (dict, "an object")}
_LISTS = ("availableModels", "fallbackModel")


class SettingsError(ValueError):
    """The text is not a JSON object; str() is one sentence with the line and column."""


@dataclass(frozen=True, slots=True)
class Splice:
    """Replace `length` bytes at `offset` by `insert` (JSON text, ASCII)."""

    offset: int
    length: int
    insert: str

    @property
    def end(self) -> int:
        return self.offset + self.length


# The edits of one text, in its order; none reaches into another.
Splices = tuple[Splice, ...]


@dataclass(frozen=True, slots=True)
class Member:
    """One `"key": value` of an object, and where each stands."""

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
    for key in _LISTS:
        models = values.get(key, [])
        if not isinstance(models, list) or not all(isinstance(model, str) for model in models):
            return f"{key} is not a list of strings"
    overrides = values.get("modelOverrides", {})
    if not isinstance(overrides, dict) or not all(isinstance(model, str) for model in overrides.values()):
        return "modelOverrides is not an object of strings"
    return ""


def models_in(values: Mapping[str, object]) -> Tiers:
    """The models that these settings name, as far as they are of the type that they should be."""
    model, fallback, env = values.get("model"), values.get("fallbackModel"), values.get("env")
    subagent_model = env.get(SUBAGENT_MODEL) if isinstance(env, Mapping) else None
    return Tiers(
        model if isinstance(model, str) else "",
        tuple(fallback) if isinstance(fallback, list) and all(isinstance(each, str) for each in fallback) else (),
        subagent_model if isinstance(subagent_model, str) else "",
    )


def settings_of(tiers: Tiers) -> dict[str, Any]:
    """The settings that ask for these models, and for nothing that nobody asked for."""
    settings: dict[str, Any] = {"model": tiers.model}
    if tiers.fallback:
        settings["fallbackModel"] = list(tiers.fallback)
    if tiers.subagent_model:
        settings["env"] = {SUBAGENT_MODEL: tiers.subagent_model}
    return settings


def set_models(text: str | None, tiers: Tiers) -> Splices:
    """The edits that make these the models; None is no file yet. Raises SettingsError."""
    wanted = settings_of(tiers)
    if text is None:
        return (Splice(0, 0, json.dumps(wanted, indent=2) + "\n"),)
    members = top_level_members(text)
    return tuple(sorted(_edits(text, text.index("{"), members, wanted), key=lambda splice: splice.offset))


def apply(text: str, splices: Splices) -> str:
    """The text with all of them made."""
    for splice in reversed(splices):
        text = text[: splice.offset] + splice.insert + text[splice.end :]
    return text


def _edits(text: str, brace: int, members: tuple[Member, ...], wanted: Mapping[str, Any]) -> Iterator[Splice]:
    """The edits of the object that opens at `brace`: values that are there change in their place, the last of those of
    one key, which is the one that counts; the others come first, in the style of the file.
    """
    current = {member.key: member for member in members}
    for key, value in wanted.items():
        member = current.get(key)
        if member is None:
            continue
        if isinstance(value, Mapping) and isinstance(member.value, dict):
            yield from _edits(text, member.start, tuple(_object(text, member.start)[0]), value)
        elif member.value != value:
            yield Splice(member.start, member.end - member.start, json.dumps(value))
    missing = {key: value for key, value in wanted.items() if key not in current}
    if not missing:
        return
    space = " " if not members or text[members[0].start - 1] in WHITESPACE else ""
    written = [
        f'"{key}":{space}{json.dumps(value, separators=(f",{space}", f":{space}"))}' for key, value in missing.items()
    ]
    if not members:
        yield Splice(brace + 1, 0, f",{space}".join(written))
        return
    between = text[brace + 1 : members[0].key_start] or space
    between = between if len(between) <= LONGEST_STYLE else " "
    yield Splice(members[0].key_start, 0, "".join(f"{member},{between}" for member in written))


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
    members, at = _object(text, at)
    if _skip(text, at) != len(text):
        raise json.JSONDecodeError("There is more text after the end of the object", text, _skip(text, at))
    return members


def _object(text: str, brace: int) -> tuple[list[Member], int]:
    """The members of the object that opens at `brace`, and the place behind it."""
    members: list[Member] = []
    at = _skip(text, brace + 1)
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
    return members, at + 1


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in WHITESPACE:
        at += 1
    return at
