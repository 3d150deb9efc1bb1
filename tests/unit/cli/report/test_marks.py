"""Signs and words of the page: everything that can be has one, and none is told by its colour alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from jada.cli.compare.sequential import Verdict as ComparisonVerdict
from jada.cli.drift.evaluate import Status
from jada.cli.records.model import RolloutStatus
from jada.cli.report import marks
from jada.cli.report.marks import ACCEPTED, FOUND, Mark, gravity
from jada.tasks.codes import SEVERITIES
from jada.tasks.measure import Verdict


@pytest.mark.parametrize(
    ("of", "every"),
    [
        (marks.STATUSES, Status),
        (marks.FOUND, SEVERITIES),
        (marks.COMPARISONS, ComparisonVerdict),
        (marks.PROBES, Verdict),
        (marks.ROLLOUTS, RolloutStatus),
    ],
)
def test_everything_that_can_be_has_a_sign_and_a_word(of: Mapping[Any, Mark], every: Iterable[Any]) -> None:
    assert set(of) == set(every)
    assert all(mark.symbol and mark.word for mark in of.values())


def test_only_what_is_known_to_be_fine_has_the_sign_of_that() -> None:
    every = [*marks.STATUSES.values(), *marks.PROBES.values(), *marks.ROLLOUTS.values()]
    fine = {mark.word for mark in every if mark.symbol == "✓"}
    assert fine == {"in sync", "passed", "done"}


def test_the_gravest_mark_is_an_error_and_what_is_accepted_the_least() -> None:
    every = [ACCEPTED, FOUND["note"], FOUND["error"], FOUND["warning"]]
    assert [mark.word for mark in sorted(every, key=gravity)] == ["error", "warning", "note", "accepted"]
