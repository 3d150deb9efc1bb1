"""Patterns of numbers, by which a text and the schema of fleet.yml know them alike."""

from __future__ import annotations

import re

import pytest

from jada.docs.sketch import ecma
from jada.inventory.yaml_values import whole_numbers


@pytest.mark.parametrize(
    ("least", "most"),
    [
        (0, 0),
        (0, 9),
        (0, 10),
        (1, 100),
        (7, 1234),
        (10, 99),
        (99, 100),
        (105, 1999),
        (120, 129),
        (200, 1000),
        (999, 1002),
    ],
)
def test_a_pattern_knows_the_numbers_of_a_range_and_no_others(least: int, most: int) -> None:
    pattern = whole_numbers(least, most).pattern
    matched = [number for number in range(20_000) if re.fullmatch(pattern, str(number))]
    assert matched == list(range(least, most + 1))
    assert not any(re.fullmatch(pattern, text) for text in ("", "00", f"0{most}", f"{most}\n", "\u0661", f"-{most}"))


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (re.compile(r"s3://(?P<bucket>[a-z]+)"), "^(?:s3://(?:[a-z]+))$"),
        (re.compile(r"\w[\w-]*", re.ASCII), r"^(?:\w[\w-]*)$"),
        (re.compile(r"\\w[]a]"), r"^(?:\\w[]a])$"),
        (re.compile(r"\w[\w-]"), "^(?:[A-Za-z0-9_\u0080-\U0010ffff][A-Za-z0-9_\u0080-\U0010ffff-])$"),
    ],
)
def test_a_pattern_of_python_is_written_as_others_read_it(pattern: re.Pattern[str], expected: str) -> None:
    assert ecma(pattern) == expected
