"""SECURITY.md: a promise counts for as much as the tests that hold it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
NAMED = re.findall(r"`(tests/[^`\s]*)`", PAGE)
PROMISES = re.findall(r"^- .*(?:\n  .*)*", PAGE.partition("## What is promised")[2].partition("\n## ")[0], re.MULTILINE)


@pytest.mark.parametrize("named", sorted(set(NAMED)))
def test_every_test_that_it_names_is_there(named: str) -> None:
    file, _, name = named.partition("::")
    tests = {node.name for node in ast.parse((ROOT / file).read_text()).body if isinstance(node, ast.FunctionDef)}
    assert name in tests if name else any(test.startswith("test_") for test in tests)


def test_every_promise_names_its_tests() -> None:
    assert len(PROMISES) > 10
    assert all(re.search(r"Tests:\s+`tests/", promise) for promise in PROMISES)
    assert set(NAMED) == {named for promise in PROMISES for named in re.findall(r"`(tests/[^`\s]*)`", promise)}


def test_all_security_tests_hold_a_promise() -> None:
    files = {f"tests/security/{file.name}" for file in (ROOT / "tests/security").glob("test_*.py")}
    assert files <= {named.partition("::")[0] for named in NAMED}


def test_people_find_it() -> None:
    assert "(SECURITY.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
