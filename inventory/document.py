"""A YAML file read by hand-written rules: every value knows its line and its dotted key, and says what is wrong."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from jada import ConfigError
from jada.inventory.words import did_you_mean

# How to call what YAML made of an unquoted word that was meant as text.
_READS_AS = {"bool": "as yes/no", "int": "as a number", "float": "as a number", "timestamp": "as a date"}

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")

# Turns the text of a scalar node into its value; it holds no state.
_scalars = yaml.SafeLoader("")


@dataclass(frozen=True, slots=True)
class Value:
    """One value of a YAML file: its node, its dotted key ("" at the top) and its file."""

    node: yaml.Node
    key: str
    file: Path

    def error(self, problem: str, hint: str = "") -> ConfigError:
        """To be raised: `problem` continues a sentence that begins with the key."""
        return ConfigError(f"{self.file}:{self.line}: {self.key or 'the file'} {problem}", hint)

    @property
    def line(self) -> int:
        return int(self.node.start_mark.line) + 1

    def text(self) -> str:
        """A text that is not empty."""
        if not isinstance(self.node, yaml.ScalarNode):
            raise self._expected("a text")
        if reads_as := _READS_AS.get(self._type):
            raise self.error(f"should be a text, but YAML reads {self.node.value} {reads_as}", "put it in quotes")
        if self._type != "str" or not self.node.value.strip():
            raise self._expected("a text")
        return str(self.node.value)

    def texts(self) -> tuple[str, ...]:
        """A text, or a list of texts that is not empty."""
        if isinstance(self.node, yaml.SequenceNode):
            return tuple(item.text() for item in self.items())
        return (self.text(),)

    def whole(self, least: int, most: int) -> int:
        """A whole number within bounds, both included."""
        expected = f"a whole number from {least} to {most}"
        if not isinstance(self.node, yaml.ScalarNode) or self._type != "int":
            raise self._expected(expected)
        number = int(_scalars.construct_yaml_int(self.node))
        if not least <= number <= most:
            raise self._expected(expected)
        return number

    def flag(self) -> bool:
        if not isinstance(self.node, yaml.ScalarNode) or self._type != "bool":
            raise self._expected("true or false")
        return bool(_scalars.construct_yaml_bool(self.node))

    def date(self) -> date:
        """A day, written as 2026-12-31, in quotes or not."""
        expected = "a date such as 2026-12-31"
        if not isinstance(self.node, yaml.ScalarNode) or not _DATE.fullmatch(self.node.value):
            raise self._expected(expected)
        try:
            return date.fromisoformat(self.node.value)
        except ValueError:
            raise self._expected(expected) from None

    def one_of(self, choices: Collection[str]) -> str:
        text = self.text()
        if text not in choices:
            raise self.error(f"should be {' or '.join(choices)}, not {text}{did_you_mean(text, choices)}")
        return text

    def items(self) -> list[Value]:
        """The values of a list that is not empty."""
        if not isinstance(self.node, yaml.SequenceNode):
            raise self._expected("a list")
        if not self.node.value:
            raise self.error("is an empty list")
        return [Value(node, f"{self.key}[{index}]", self.file) for index, node in enumerate(self.node.value)]

    def entries(self) -> dict[str, Value]:
        """The values of a mapping by their keys, each of which may occur once."""
        if not isinstance(self.node, yaml.MappingNode):
            raise self._expected("a mapping (key: value)")
        found: dict[str, Value] = {}
        for key_node, node in self.node.value:
            name = Value(key_node, f"a key of {self.key or 'the file'}", self.file).text()
            value = Value(node, f"{self.key}.{name}" if self.key else name, self.file)
            if name in found:
                raise Value(key_node, value.key, self.file).error(
                    f"is given twice; first on line {found[name].line}", "delete one of the two"
                )
            found[name] = value
        return found

    def fields(self, readers: Readers, required: Collection[str] = ()) -> dict[str, Any]:
        """A mapping with only known keys, each read by its reader; keys that are not there are left out."""
        entries = self.entries()
        for name, value in entries.items():
            if name not in readers:
                raise value.error(
                    f"is not a key jada knows{did_you_mean(name, readers)}", "keys that go here: " + ", ".join(readers)
                )
        if missing := [name for name in required if name not in entries]:
            raise self.error(f"lacks the key {missing[0]}", "keys that go here: " + ", ".join(readers))
        return {name: readers[name](value) for name, value in entries.items()}

    @property
    def _type(self) -> str:
        return self.node.tag.rpartition(":")[2]

    def _expected(self, what: str) -> ConfigError:
        if isinstance(self.node, yaml.MappingNode):
            seen = "a mapping"
        elif isinstance(self.node, yaml.SequenceNode):
            seen = "a list"
        else:
            seen = self.node.value.strip() or "empty"
            if self._type == "null":
                return self.error(f"has no value; it should be {what}", "give it a value or delete the key")
        return self.error(f"should be {what}, not {seen}")


# How each key of a mapping is read.
Readers = Mapping[str, Callable[[Value], Any]]


def read(file: Path) -> Value:
    """The top of a YAML file. Raises ConfigError where it can't be read, isn't YAML or is empty."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{file} can't be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file} is not UTF-8 text: byte {error.start} can't be decoded") from None
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        began = f", {error.context} that begins on line {error.context_mark.line + 1}" if error.context_mark else ""
        raise ConfigError(
            f"{file}:{mark.line + 1 if mark else 1}: this is not YAML: {error.problem or error.context}{began}",
            "look for a missing colon, bracket or quote, or a tab, on this line or the one before",
        ) from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{file} is not YAML: {' '.join(str(error).split())}") from None
    if node is None:
        raise ConfigError(f"{file} is empty", "README.md and the shipped inventory/fleet.yml show what goes in")
    return Value(node, "", file)
