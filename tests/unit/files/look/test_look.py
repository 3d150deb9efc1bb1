"""The parts of a look: functions that do nothing by themselves, and names that both ends know."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from jada.tasks import FILES
from jada.tasks.frames import OF_MEASURE, OF_PROBE, OF_ROOT, OF_USER
from tests.unit.files.look.conftest import HALVES

if TYPE_CHECKING:
    from tests.unit.files.look.conftest import Tree

FOLDER = FILES / "look"
# What runs by itself, and frames nothing: in the sandbox, and as the service there.
ASKING = ["ask-as-service.sh", "endpoint-as-service.sh", "measure-as-user.sh", "sandbox.sh"]
# Of the questions before a change.
PROBES = ["probe.sh"]
# Of what is measured while hosts are watched.
MEASURES = ["measure.sh"]
ROOTS = sorted({file.name for file in FOLDER.glob("*.sh")} - {"user.sh", "transcripts.sh", *ASKING, *PROBES, *MEASURES})
USERS = ["shared.sh", "user.sh", "transcripts.sh"]
# A function: the comment above it, and its body.
FUNCTION = re.compile(r"((?:^#.*\n)*)^([a-z_]+)\(\) (\{.*\}(?: #.*)?|\{.*\n(?:.*\n)*?\})$", re.M)
LONGEST = 40


def functions(names: list[str]) -> list[tuple[str, str, str]]:
    """The comment, name and body of each."""
    return [match.groups() for name in names for match in FUNCTION.finditer((FOLDER / name).read_text())]  # type: ignore[misc]


def printed(comment: str, head: str = "prints") -> set[str]:
    """The names of the frames that a comment tells."""
    lists = re.findall(rf"^# {head}: (.*(?:\n#  .*)*)", comment, re.M)
    return {name for text in lists for name in text.replace("#", " ").split()}


def of(names: list[str], *heads: str) -> set[str]:
    return {name for comment, _, _ in functions(names) for head in heads for name in printed(comment, head)}


@pytest.mark.parametrize("half", HALVES)
def test_to_source_it_runs_nothing(tree: Tree, half: str) -> None:
    assert tree.run("", half) == ""


def test_the_names_that_are_printed_are_those_that_are_taken() -> None:
    assert of(ROOTS, "prints") == set(OF_ROOT)
    assert of(USERS, "prints", "prints as user") == set(OF_USER)
    assert {*of(PROBES, "prints"), "over+"} == set(OF_PROBE)
    assert {*of(MEASURES, "prints"), "over+"} == set(OF_MEASURE)


def test_each_function_tells_the_frames_that_it_prints() -> None:
    frame = re.compile(r"\bsay (?:\"([a-z][a-z0-9_.+]*)\"|([a-z][a-z0-9_.+]*)) ")
    for comment, name, body in functions([*ROOTS, *USERS[1:], *ASKING, *PROBES, *MEASURES]):
        literal = {quoted or plain for quoted, plain in frame.findall(body)}
        documented = printed(comment) | printed(comment, "prints as user")
        assert literal <= documented, name
        if not re.search(r"\b(say|awk) ", body):
            assert not documented, name


def test_awk_says_what_the_function_that_runs_it_tells() -> None:
    printed_by_awk = {
        match for file in FOLDER.glob("*.awk") for match in re.findall(r'\bsay\("([^"]+)"', file.read_text())
    }
    known = {name.removesuffix("NAME") for name in (*OF_ROOT, *OF_USER)}
    assert printed_by_awk <= known


@pytest.mark.parametrize("name", [*ROOTS, *USERS[1:], *ASKING, *PROBES, *MEASURES])
def test_functions_are_short(name: str) -> None:
    long = {function: body.count("\n") for _, function, body in functions([name]) if body.count("\n") > LONGEST}
    assert not long
