"""The JSON Schema of fleet.yml, made by its readers: each is shown a sketch, which notes what it asks of its value.

A sketch is no value of any file, so a reader may end wherever it likes once it has asked. What readers judge by other
values, by this machine or by the catalogue of models is no part of a schema; tests/fuzz/test_schema.py lists it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

import yaml

from jada import ConfigError
from jada.inventory.fleet.shipped import Schema, description, parts_of
from jada.inventory.yaml_values import TEXT, Fields, Numbers, Readers, Value

T = TypeVar("T")
DRAFT = "http://json-schema.org/draft-07/schema#"
# A text that is not empty, and no longer than any value of a file.
A_TEXT: Schema = {"type": "string", "pattern": r"\S", "maxLength": TEXT}
# What \w of Python is beside [A-Za-z0-9_]. ECMA-262 knows no other letters: a schema lets all other signs pass.
OTHER_LETTERS = "\u0080-\U0010ffff"
NOWHERE = yaml.ScalarNode("tag:yaml.org,2002:null", "", yaml.Mark("", 0, 0, 0, None, 0))
# What stands for any name of somebody's own.
NAME = "name"


class EnoughError(ConfigError):
    """A mapping or a list was asked for its parts, which is all that its reader asks of the file."""


@dataclass(frozen=True, slots=True)
class Sketch(Value):
    """A value that notes in `schema` what it is asked, and answers as if it were such a value."""

    schema: Schema = field(default_factory=dict)
    parts: dict[str, Sketch] = field(default_factory=dict)

    def text(self, most: int = TEXT, is_secret: bool = False) -> str:
        self._note(**{**A_TEXT, "maxLength": most})
        return "text"

    def matching(self, pattern: re.Pattern[str], expected: str, hint: str = "", is_secret: bool = False) -> str:
        self._note(type="string", maxLength=TEXT)
        self._note_pattern(ecma(pattern), expected)
        return "text"

    def written(self, pattern: re.Pattern[str], numbers: Numbers | None, expected: str) -> str:
        texts = f"{pattern.pattern}|{numbers.pattern}" if numbers else pattern.pattern
        of_text = {"type": "string", **_pattern(ecma(re.compile(texts)), expected)}
        self._note(**_any_of([of_text, *([_of_numbers(numbers)] if numbers else [])]))
        return "text"

    def integer(self, least: int, most: int, hint: str = "") -> int:
        self._note(type="integer", minimum=least, maximum=most)
        return least

    def flag(self) -> bool:
        self._note(type="boolean")
        return True

    def date(self) -> date:
        self._note(type="string", format="date", **_pattern(r"^\d{4}-\d{2}-\d{2}$", "a date such as 2026-12-31"))
        return date.max

    def choice(self, choices: Collection[str], earlier: Collection[str] = ()) -> str:
        self._note(type="string", enum=[*choices, *earlier])
        return next(iter(choices))

    def by_form(
        self,
        *,
        text: Callable[[Value], T],
        items: Callable[[Value], T] | None = None,
        mapping: Callable[[Value], T] | None = None,
    ) -> T:
        self._note(**_any_of([_asked(reader) for reader in (text, items, mapping) if reader]))
        raise EnoughError("")

    def items(self, most: int | None = None) -> list[Value]:
        self._note_items(most)
        return [self._part("[]")]

    def listed(self, reader: Callable[[Value], T], most: int | None = None) -> list[T]:
        self._note_items(most)
        _show(reader, self._part("[]"))
        raise EnoughError("")

    def named(
        self,
        reader: Callable[[str, Value], T],
        names: re.Pattern[str] = re.compile(".*"),
        of_names: str = "",
        least: int = 0,
        most: int | None = None,
    ) -> dict[str, T]:
        self._note(type="object", propertyNames={"pattern": r"\S", "maxLength": TEXT})
        if of_names:
            self._note(propertyNames={"maxLength": TEXT, "pattern": ecma(names), "patternErrorMessage": of_names})
        self._note(**({"minProperties": least} if least else {}), **({"maxProperties": most} if most else {}))
        part = self._part(NAME)
        _show(lambda value: reader(NAME, value), part)
        self._note(additionalProperties=part.schema)
        raise EnoughError("")

    def part(self, name: str) -> Value:
        return self._part(name)

    def fields(
        self, readers: Readers, required: Collection[str] = (), one_of: Sequence[Collection[str]] = (), hint: str = ""
    ) -> dict[str, Any]:
        self._note(**self._of_fields(Fields(readers, required, one_of)))
        raise EnoughError("")

    def variant(self, name: str, kinds: Mapping[str, Fields]) -> dict[str, Any]:
        branches = []
        for kind, fields in kinds.items():
            readers: Readers = {name: lambda value: value.choice(kinds), **fields.readers}
            sketch = Sketch(self.node, self.key, self.file)
            then = sketch._of_fields(fields._replace(readers=readers))
            branches.append({"if": {"properties": {name: {"const": kind}}, "required": [name]}, "then": then})
        kind_of = {"type": "string", "enum": list(kinds)}
        self._note(type="object", required=[name], properties={name: kind_of}, allOf=branches)
        raise EnoughError("")

    def _of_fields(self, fields: Fields) -> Schema:
        schemas = {}
        for name, reader in fields.readers.items():
            part = self._part(name)
            _show(reader, part)
            # A reader that asks nothing refuses whatever is there.
            if part.schema:
                schemas[name] = part.schema
        groups = [{"oneOf": [{"required": [name]} for name in group]} for group in fields.one_of]
        return {
            "type": "object",
            "properties": schemas,
            "additionalProperties": False,
            **({"required": list(fields.required)} if fields.required else {}),
            **(groups[0] if len(groups) == 1 else {"allOf": groups} if groups else {}),
        }

    def _part(self, name: str) -> Sketch:
        return self.parts.setdefault(name, Sketch(self.node, f"{self.key}.{name}", self.file))

    def _note_items(self, most: int | None) -> None:
        part = self._part("[]")
        self._note(type="array", minItems=1, items=part.schema, **({"maxItems": most} if most else {}))

    def _note(self, **keywords: Any) -> None:
        self.schema.update(keywords)

    def _note_pattern(self, pattern: str, expected: str) -> None:
        """A second pattern counts beside the first."""
        known = self.schema.setdefault("allOf", [])
        if (asked := _pattern(pattern, expected)) not in known:
            known.append(asked)


def schema() -> Schema:
    """The schema of fleet.yml as its readers have it."""
    from jada.inventory.fleet import config

    asked = _asked(config.parse_top)
    for key, part in parts_of(asked):
        if text := description(key, asked):
            part["description"] = text
    return {"$schema": DRAFT, **asked}


def _asked(reader: Callable[[Value], Any]) -> Schema:
    sketch = Sketch(NOWHERE, "", Path("fleet.yml"))
    _show(reader, sketch)
    return sketch.schema


def _show(reader: Callable[[Value], Any], sketch: Sketch) -> None:
    """Has a reader ask a sketch; one that is a method of any value is that of the sketch."""
    name = getattr(reader, "__name__", "")
    is_method = reader is getattr(Value, name, None)
    # What it makes of the answers is no matter.
    with suppress(Exception):
        getattr(sketch, name)() if is_method else reader(sketch)
    _merge_single_pattern(sketch.schema)


def _merge_single_pattern(noted: Schema) -> None:
    """One pattern alone stands in the schema of its value itself."""
    if noted.get("type") == "string" and len(noted.get("allOf", ())) == 1:
        noted.update(noted.pop("allOf")[0])


def _any_of(schemas: list[Schema]) -> Schema:
    return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}


def _of_numbers(numbers: Numbers) -> Schema:
    if numbers.least == numbers.most:
        return {"const": numbers.least}
    kind = "integer" if numbers.is_whole else "number"
    return {"type": kind, "minimum": numbers.least, "maximum": numbers.most}


def _pattern(pattern: str, expected: str) -> Schema:
    """A pattern, with the words that editors show where it does not match."""
    return {"pattern": pattern, "patternErrorMessage": f"should be {expected}"}


def ecma(pattern: re.Pattern[str]) -> str:
    """A pattern of ECMA-262 for texts that one of Python's matches as a whole, and maybe some with other letters."""
    text, is_class, written = re.sub(r"\(\?P<\w+>", "(?:", pattern.pattern), False, ""
    letters = f"A-Za-z0-9_{OTHER_LETTERS}"
    for sign in re.findall(r"\\.|.", text):
        is_class = sign == "[" or (is_class and sign != "]")
        is_word = sign == r"\w" and not pattern.flags & re.ASCII
        written += (letters if is_class else f"[{letters}]") if is_word else sign
    return f"^(?:{written})$"
