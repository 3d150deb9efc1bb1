"""Results of many hosts at once."""

from __future__ import annotations

import pytest

from jada import Exit, HostError
from jada.cli.results import HostResults, judge_each, worst

OFF = HostError("b is off")


def test_results_are_parted_in_the_order_of_the_hosts() -> None:
    results = HostResults({"c": 1, "b": OFF, "a": 2})
    assert list(results.ok.items()) == [("c", 1), ("a", 2)]
    assert results.failed == {"b": OFF}
    assert list(results) == ["c", "b", "a"]


def test_a_host_that_can_not_be_judged_has_failed() -> None:
    seen: dict[str, int | HostError] = {"a": 1, "b": OFF, "c": 0}
    judged = judge_each(seen, lambda _, number: 1 // number)
    assert judged.ok == {"a": 1}
    assert judged.failed["b"] is OFF
    assert str(judged.failed["c"]) == "c: jada could not judge what it saw there (ZeroDivisionError)"


@pytest.mark.parametrize(
    ("codes", "code"),
    [
        (set(), Exit.OK),
        ({Exit.OK, Exit.DRIFT}, Exit.DRIFT),
        ({Exit.DRIFT, Exit.LOCKED}, Exit.LOCKED),
        ({Exit.LOCKED, Exit.ROLLED_BACK}, Exit.ROLLED_BACK),
        ({Exit.ROLLED_BACK, Exit.FAILED, Exit.OK}, Exit.FAILED),
    ],
)
def test_the_worst_exit_code_tells_of_all(codes: set[Exit], code: Exit) -> None:
    assert worst(codes) is code
