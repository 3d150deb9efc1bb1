"""A YAML file read by hand-written rules: every value knows its line and its dotted key, and says what is wrong.

The file is input like any other: no text of it holds a control character, and its size, depth and aliases are bounded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import Enum
from functools import partial
from itertools import pairwise
from pathlib import Path
from shlex import quote
from typing import Any, NamedTuple, NoReturn, TypeVar

import yaml

from jada import UNPRINTABLE, ConfigError, SeveralProblemsError
from jada.inventory.suggest import did_you_mean

T = TypeVar("T")

# Words for the type that YAML made of an unquoted word that was meant as text.
_READS_AS = {"bool": "as yes/no", "int": "as a number", "float": "as a number", "timestamp": "as a date"}

# The tag of <<, which takes the keys of another mapping in.
_MERGE = "tag:yaml.org,2002:merge"

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")

_ANY_NAME = re.compile(".*")

# The most bytes of a file, values in it (each use of an alias counts them anew), levels, and characters of a text.
SIZE, VALUES, DEPTH, TEXT = 1_000_000, 100_000, 20, 4096
# As much of a wrong value as an error shows.
SHOWN = 80

# Turns the text of a scalar node into its value; it holds no state.
_scalars = yaml.SafeLoader("")


class Help(Enum):
    """The help that a problem needs: its own hint alone, what `jada docs` tells of the key, or an example too."""

    OWN = "own"
    DOCS = "docs"
    EXAMPLE = "example"


class WrongValueError(ConfigError):
    """Something is wrong with a value: its dotted key, and the line; `example` are lines of what goes there instead."""

    def __init__(
        self, message: str, hint: str, key: str, line: int, help: Help = Help.OWN, example: tuple[str, ...] = ()
    ) -> None:
        super().__init__(message, hint)
        self.key, self.line, self.help, self.example = key, line, help, example


class Numbers(NamedTuple):
    """Numbers that may be written without quotes where a text goes: a pattern for each of them, and their bounds."""

    pattern: str
    least: float
    most: float
    is_whole: bool = True


def whole_numbers(least: int, most: int) -> Numbers:
    """The numbers from `least` to `most`, none of them negative; a pattern knows them by their digits alone."""
    bounds = [least, *(10**length for length in range(len(str(least)), len(str(most)))), most + 1]
    parts = [part for begin, end in pairwise(bounds) for part in _between(str(begin), str(end - 1))]
    return Numbers("|".join(parts), least, most)


def _between(least: str, most: str) -> Iterator[str]:
    """Patterns for the numbers between two of the same length, both included."""
    rest = len(least) - 1
    if least == most or not rest:
        yield least if least == most else f"[{least}-{most}]"
        return
    first, last = int(least[0]), int(most[0])
    if first == last:
        yield from (least[0] + part for part in _between(least[1:], most[1:]))
        return
    if least[1:].strip("0"):
        yield from (least[0] + part for part in _between(least[1:], "9" * rest))
        first += 1
    is_whole = not most[1:].strip("9")
    if first <= last - (not is_whole):
        yield f"[{first}-{last - (not is_whole)}][0-9]" + (f"{{{rest}}}" if rest > 1 else "")
    if not is_whole:
        yield from (most[0] + part for part in _between("0" * rest, most[1:]))


class Fields(NamedTuple):
    """The keys of a mapping: the reader of each, those that have to be there, and groups of which there has to be
    exactly one.
    """

    readers: Readers
    required: Collection[str] = ()
    one_of: Sequence[Collection[str]] = ()


@dataclass(frozen=True, slots=True)
class Value:
    """One value of a YAML file: its node, its dotted key ("" at the top) and its file.

    Readers ask for it by these methods alone, so that the schema of the file (docs/sketch.py) knows all that they ask.
    """

    node: yaml.Node
    key: str
    file: Path

    def error(self, problem: str, hint: str = "", help: Help | None = None) -> WrongValueError:
        """To be raised: `problem` continues a sentence that begins with the key. Without any help, the docs do."""
        message = f"{self.file}:{self.line}: {shown(self.key, 200) or 'the file'} {problem}"
        return WrongValueError(message, hint, self.key, self.line, help or (Help.OWN if hint else Help.DOCS))

    @property
    def line(self) -> int:
        return int(self.node.start_mark.line) + 1

    def text(self, most: int = TEXT, is_secret: bool = False) -> str:
        """A text that is not empty, of at most so many characters; no error shows a secret."""
        if not isinstance(self.node, yaml.ScalarNode):
            raise self._expected("a text")
        if reads_as := _READS_AS.get(self._type):
            written = "it" if is_secret else shown(self.node.value)
            raise self.error(f"should be a text, but YAML reads {written} {reads_as}", "put it in quotes")
        if self._type != "str" or not self.node.value.strip():
            raise self.error("should be a text") if is_secret else self._expected("a text")
        if len(self.node.value) > most:
            raise self.error(f"is longer than {most} characters")
        return str(self.node.value)

    def texts(self) -> tuple[str, ...]:
        """A text, or a list of texts that is not empty."""
        return self.by_form(
            text=lambda value: (value.text(),), items=lambda value: tuple(value.listed(lambda item: item.text()))
        )

    def matching(self, pattern: re.Pattern[str], expected: str, hint: str = "", is_secret: bool = False) -> str:
        """A text that the pattern matches as a whole; the error says what was `expected`."""
        text = self.text(is_secret=is_secret)
        if not pattern.fullmatch(text):
            raise self.error(f"should be {expected}" + ("" if is_secret else f", not {shown(text)}"), hint)
        return text

    def written(self, pattern: re.Pattern[str], numbers: Numbers | None, expected: str) -> str:
        """A text that the pattern matches as a whole, or one of these numbers, with or without quotes, as it stands."""
        if not isinstance(self.node, yaml.ScalarNode) or self._type == "null":
            raise self._expected(expected)
        text = str(self.node.value)
        if not (pattern.fullmatch(text) or (numbers and re.fullmatch(numbers.pattern, text))):
            raise self.error(f"should be {expected}, not {shown(text) or 'empty'}")
        return text

    def integer(self, least: int, most: int, hint: str = "") -> int:
        """A whole number within bounds, both included."""
        expected = f"a whole number from {least} to {most}"
        if not isinstance(self.node, yaml.ScalarNode) or self._type != "int":
            raise self._expected(expected)
        try:
            number = int(_scalars.construct_yaml_int(self.node))
        except (ValueError, IndexError):
            # A tag says that it is a number, or it has more digits than Python reads.
            raise self._expected(expected) from None
        if not least <= number <= most:
            raise self.error(f"should be {expected}, not {shown(self.node.value)}", hint)
        return number

    def flag(self) -> bool:
        # A tag may say so of any word.
        known = isinstance(self.node, yaml.ScalarNode) and self._type == "bool"
        flag = _scalars.bool_values.get(self.node.value.lower()) if known else None
        if flag is None:
            raise self._expected("true or false")
        return bool(flag)

    def date(self) -> date:
        """A day, written as 2026-12-31, in quotes or not."""
        expected = "a date such as 2026-12-31"
        if not isinstance(self.node, yaml.ScalarNode) or not _DATE.fullmatch(self.node.value):
            raise self._expected(expected)
        try:
            return date.fromisoformat(self.node.value)
        except ValueError:
            raise self._expected(expected) from None

    def choice(self, choices: Collection[str], earlier: Collection[str] = ()) -> str:
        """One of `choices`, or a word of an earlier fleet.yml that is still read."""
        text = self.text()
        if text not in choices and text not in earlier:
            raise self.error(f"should be {' or '.join(choices)}, not {shown(text)}{did_you_mean(text, choices)}")
        return text

    def by_form(
        self,
        *,
        text: Callable[[Value], T],
        items: Callable[[Value], T] | None = None,
        mapping: Callable[[Value], T] | None = None,
    ) -> T:
        """The value as one of these reads it: a list by `items`, a mapping by `mapping`, all else by `text`."""
        if items and isinstance(self.node, yaml.SequenceNode):
            return items(self)
        if mapping and isinstance(self.node, yaml.MappingNode):
            return mapping(self)
        return text(self)

    def items(self, most: int | None = None) -> list[Value]:
        """The values of a list that is not empty, at most so many."""
        if not isinstance(self.node, yaml.SequenceNode):
            raise self._expected("a list")
        if not self.node.value:
            raise self.error("is an empty list", help=Help.EXAMPLE)
        if most and len(self.node.value) > most:
            raise self.error(f"has {len(self.node.value)} entries, and at most {most} go here")
        return [Value(node, f"{self.key}[{index}]", self.file) for index, node in enumerate(self.node.value)]

    def listed(self, reader: Callable[[Value], T], most: int | None = None) -> list[T]:
        """The values of a list that is not empty, each as the reader reads it."""
        return every(partial(reader, item) for item in self.items(most))

    def entries(self) -> dict[str, Value]:
        """The values of a mapping by their keys, each of which may occur once."""
        values, wrong = self._entries()
        _refuse(wrong)
        return values

    def part(self, name: str) -> Value | None:
        """The value of a key of a mapping, None where it has no such."""
        return self._entries()[0].get(name)

    def named(
        self,
        reader: Callable[[str, Value], T],
        names: re.Pattern[str] = _ANY_NAME,
        of_names: str = "",
        least: int = 0,
        most: int | None = None,
    ) -> dict[str, T]:
        """The values of a mapping by names of somebody's own, each as the reader reads it; `of_names` says which names
        there may be, and there are at least and at most so many.
        """
        entries, wrong = self._entries()
        if len(entries) < least:
            wrong.append(self.error("is empty", help=Help.EXAMPLE))
        if most and len(entries) > most:
            wrong.append(self.error(f"has {len(entries)} entries, and at most {most} go here"))
        values = dict[str, T]()
        for name, value in entries.items():
            if not names.fullmatch(name):
                wrong.append(value.error(f"can not be called so: {of_names}"))
                continue
            try:
                values[name] = reader(name, value)
            except ConfigError as error:
                wrong += error.problems
        _refuse(wrong)
        return values

    def fields(
        self, readers: Readers, required: Collection[str] = (), one_of: Sequence[Collection[str]] = (), hint: str = ""
    ) -> dict[str, Any]:
        """A mapping with only known keys, each read by its reader; keys that are not there are left out. Of each group
        in `one_of` there has to be exactly one, and the hint says more of that.
        """
        return self._fields(Fields(readers, required, one_of), hint)

    def variant(self, name: str, kinds: Mapping[str, Fields]) -> dict[str, Any]:
        """A mapping of which one key names the kind, and that has the fields of that kind beside it."""
        written = self.part(name)
        if written is None:
            raise self.error(f"lacks the key {name}", f"one of: {', '.join(kinds)}", Help.DOCS)
        kind = written.choice(kinds)
        elsewhere = {key for fields in kinds.values() for key in fields.readers}
        readers = {name: lambda _: kind, **kinds[kind].readers}
        why = dict.fromkeys(elsewhere - readers.keys(), f"does not go with {name}: {kind}")
        return self._fields(kinds[kind]._replace(readers=readers), elsewhere=why)

    def _fields(self, fields: Fields, hint: str = "", elsewhere: Mapping[str, str] | None = None) -> dict[str, Any]:
        readers = fields.readers
        entries, wrong = self._entries()
        known = "keys that go here: " + ", ".join(readers)
        for name, value in entries.items():
            if name not in readers:
                why = (elsewhere or {}).get(name) or f"is not a key jada knows{did_you_mean(name, readers)}"
                wrong.append(value.error(why, known, Help.DOCS))
        if lacking := [name for name in fields.required if name not in entries]:
            word = "key" if len(lacking) == 1 else "keys"
            wrong.append(self.error(f"lacks the {word} {', '.join(lacking)}", known, Help.DOCS))
        for group in fields.one_of:
            written = [name for name in group if name in entries]
            # One that is misspelt is told already.
            if len(written) > 1 or (not written and entries.keys() <= readers.keys()):
                problem = f"should have exactly one of {', '.join(group)}, not {' and '.join(written) or 'none'}"
                wrong.append(self.error(problem, hint, Help.EXAMPLE))
        values = dict[str, Any]()
        for name, value in entries.items():
            try:
                values |= {name: readers[name](value)} if name in readers else {}
            except ConfigError as error:
                wrong += error.problems
        _refuse(wrong)
        return values

    def _entries(self) -> tuple[dict[str, Value], list[ConfigError]]:
        """The values of a mapping by their keys, and what is wrong with keys."""
        if not isinstance(self.node, yaml.MappingNode):
            raise self._expected("a mapping (key: value)")
        values, wrong = dict[str, Value](), list[ConfigError]()
        for key_node, node in self.node.value:
            if key_node.tag == _MERGE:
                problem = "is merged with another mapping (<<), which jada does not do"
                wrong.append(Value(key_node, self.key, self.file).error(problem, "write those keys out here"))
                continue
            try:
                name = Value(key_node, f"a key of {self.key or 'the file'}", self.file).text()
            except ConfigError as error:
                wrong += error.problems
                continue
            value = Value(node, f"{self.key}.{name}" if self.key else name, self.file)
            if name in values:
                problem = f"is given twice; first on line {values[name].line}"
                wrong.append(Value(key_node, value.key, self.file).error(problem, "delete one of the two"))
                continue
            values[name] = value
        return values, wrong

    @property
    def _type(self) -> str:
        return self.node.tag.rpartition(":")[2]

    def _expected(self, expected: str) -> WrongValueError:
        if isinstance(self.node, yaml.MappingNode):
            actual = "a mapping"
        elif isinstance(self.node, yaml.SequenceNode):
            actual = "a list"
        else:
            actual = shown(self.node.value.strip()) or "empty"
            if self._type == "null":
                hint = "give it a value or delete the key"
                return self.error(f"has no value; it should be {expected}", hint, Help.EXAMPLE)
        return self.error(f"should be {expected}, not {actual}", help=Help.EXAMPLE)


def every(acts: Iterable[Callable[[], T]]) -> list[T]:
    """The results of all of these. Raises ConfigError that knows the problems of all."""
    results, problems = [], list[ConfigError]()
    for act in acts:
        try:
            results.append(act())
        except ConfigError as error:
            problems += error.problems
    _refuse(problems)
    return results


def _refuse(problems: Sequence[ConfigError]) -> None:
    """Raises ConfigError for these problems, if there are any."""
    if problems:
        raise SeveralProblemsError(problems) if len(problems) > 1 else problems[0]


# The reader of each key of a mapping.
Readers = Mapping[str, Callable[[Value], Any]]


def read(file: Path) -> Value:
    """The top of a YAML file. Raises ConfigError where it can't be read, isn't YAML, is empty or isn't plain text."""
    return of_text(_text(file), file)


def of_text(text: str, file: Path) -> Value:
    """The top of the YAML that was read of a file. Raises ConfigError where it isn't YAML, is empty or isn't plain."""
    node = _compose(text, file)
    if node is None:
        raise ConfigError(f"{file} is empty", "README.md and the shipped inventory/fleet.yml show what goes in")
    top = Value(node, "", file)
    _check(top)
    return top


class _Loader(yaml.SafeLoader):
    """Says where a file is nested too deeply: PyYAML itself goes on until Python stops it."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self.depth += 1
        if self.depth > DEPTH:
            raise yaml.MarkedYAMLError(problem="it is nested too deeply", problem_mark=self.get_mark())
        node: yaml.Node | None = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def get_single_node(self) -> yaml.Node | None:
        node: yaml.Node | None = self.get_node() if self.check_node() else None
        if self.check_node():
            raise _SecondDocumentError(int(self.line) + 1)
        return node


class _SecondDocumentError(Exception):
    """Behind the first document of a file comes another."""


def _text(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            content = opened.read(SIZE + 1)
    except OSError as error:
        raise ConfigError(f"{file} can't be read: {error.strerror}", f"ls -l {quote(str(file))}") from None
    if len(content) > SIZE:
        raise ConfigError(f"{file} is larger than {SIZE} bytes, which no file of a fleet is")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigError(f"{file}:{line}: this is not UTF-8 text: byte {error.start} can't be decoded") from None


def _compose(text: str, file: Path) -> yaml.Node | None:
    try:
        loader = _Loader(text)
    except yaml.reader.ReaderError as error:
        _not_yaml(file, text.count("\n", 0, error.position) + 1, f"the character U+{error.character:04X} is in it")
    try:
        node: yaml.Node | None = loader.get_single_node()
        return node
    except _SecondDocumentError as error:
        raise ConfigError(
            f"{file}:{error.args[0]}: a second document begins here (---), and one file is one fleet",
            "put the other into a file of its own, and name it with --fleet",
        ) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        began = f", {error.context} that begins on line {error.context_mark.line + 1}" if error.context_mark else ""
        _not_yaml(file, mark.line + 1 if mark else 1, f"{error.problem or error.context}{began}")
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        # An escape or a directive may ask for no character and no number.
        _not_yaml(file, loader.line + 1, " ".join(str(error).split()))


def _not_yaml(file: Path, line: int, problem: str) -> NoReturn:
    raise ConfigError(
        f"{file}:{line}: this is not YAML: {shown(problem, 200)}",
        "look for a missing colon, bracket or quote, or a tab, on this line or the one before",
    ) from None


def _check(top: Value) -> None:
    """Raises ConfigError for a text, key or value, that is long or holds a control character, and for too many."""
    todo, count = [(top, 1)], 1
    while todo:
        value, depth = todo.pop()
        if isinstance(value.node, yaml.ScalarNode):
            _check_text(value)
            continue
        count += len(value.node.value)
        if count > VALUES or depth > DEPTH:
            raise value.error("holds more than a file can mean", "an alias (*name) counts each time it is used")
        todo += [(part, depth + 1) for part in reversed(_parts(value))]


def _check_text(value: Value) -> None:
    if match := UNPRINTABLE.search(value.node.value):
        raise value.error(
            f"holds the control character U+{ord(match[0]):04X}",
            "write it on one line; a text over several lines begins with >- instead of > or |",
        )
    if len(value.node.value) > TEXT:
        raise value.error(f"is longer than {TEXT} characters")


def _parts(value: Value) -> list[Value]:
    """The values of a list; the keys and the values of a mapping."""
    if isinstance(value.node, yaml.SequenceNode):
        return [Value(node, f"{value.key}[{index}]", value.file) for index, node in enumerate(value.node.value)]
    parts = []
    for key, node in value.node.value:
        name = key.value if isinstance(key, yaml.ScalarNode) else "?"
        parts.append(Value(key, f"a key of {value.key or 'the file'}", value.file))
        parts.append(Value(node, f"{value.key}.{shown(name)}" if value.key else shown(name), value.file))
    return parts


def shown(text: str, most: int = SHOWN) -> str:
    """Shortens a text to as much as an error tells, on one line."""
    plain = UNPRINTABLE.sub(lambda match: match[0].encode("unicode_escape").decode(), text)
    return plain if len(plain) <= most else f"{plain[: most - 1]}…"
