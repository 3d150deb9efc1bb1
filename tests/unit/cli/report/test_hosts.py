"""The hosts of the page: their order, and the marks of what was found on them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from jada.cli.drift.evaluate import EvaluatedFinding, HostDrift, Status
from jada.cli.report.hosts import ORDER, by_need, cells, codes_of, facts
from jada.tasks import codes
from jada.tasks.checks import Finding
from jada.tasks.state import State

SHADOWED = EvaluatedFinding(Finding.of(codes.MODEL_SHADOWED, "a", "b"))
RETIRES = EvaluatedFinding(Finding.of(codes.MODEL_RETIRES, "a", "b"))


def test_those_that_need_somebody_come_first_whatever_they_are() -> None:
    assert set(ORDER) == set(Status)
    rows = [HostDrift(status, "r", status) for status in reversed(ORDER)]
    assert [row.status for row in by_need([*rows, *rows])][::2] == list(ORDER)


def test_the_codes_are_those_that_anything_was_found_of() -> None:
    rows = [HostDrift("a", "r", Status.DRIFTED, (RETIRES,)), HostDrift("b", "r", Status.DRIFTED, (SHADOWED, RETIRES))]
    assert codes_of(rows) == [codes.MODEL_SHADOWED, codes.MODEL_RETIRES]


@pytest.mark.parametrize(
    ("status", "word"),
    [
        (Status.IN_SYNC, "not found"),
        (Status.DRIFTED, "not found"),
        (Status.UNPROVEN, "not found"),
        (Status.CHANGING, "not known"),
        (Status.NOT_CHECKED, "not known"),
        (Status.GONE, "not known"),
    ],
)
def test_nothing_found_is_told_only_where_it_was_looked_for(
    host: Callable[..., State], status: Status, word: str
) -> None:
    both = [codes.MODEL_SHADOWED, codes.MODEL_RETIRES]
    row = HostDrift("a", "r", status, (SHADOWED,))
    assert [mark.word for mark in cells(row, host(), both)] == ["error", word]
    assert [mark.word for mark in cells(row, host(release=None), both)] == ["error", "not known"]
    assert [mark.word for mark in cells(row, None, both)] == ["error", "not known"]


def test_of_a_host_that_could_not_be_looked_at_there_are_no_facts(host: Callable[..., State]) -> None:
    assert facts("a", None) is None
    known = facts("a", host())
    assert known
    assert (known["made"], known["running"]["model"]) == (host().release, "claude-sonnet-4.6")
