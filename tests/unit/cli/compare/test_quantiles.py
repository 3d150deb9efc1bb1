"""The 95th percentiles of two arms: false verdicts however often one looks, and how soon a true one comes."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from random import Random

import pytest

from jada.cli.compare.quantiles import (
    LAST,
    LONGEST,
    MARGIN,
    STEP,
    Durations,
    bucket,
    compare_durations,
    from_json,
    lower,
    together,
    upper,
)
from jada.cli.compare.sequential import LEAST, Difference, Verdict

ALPHA = 0.05
LOOKS, TASKS = 60, 20
# `make test-rollouts` asks for all.
RUNS = 1000 if os.environ.get("JADA_ALL_ROLLOUTS") else 15
# Of the logarithm: most tasks take from a third to three times the usual time.
SPREAD = 0.5


def looks(seed: int, factor: float, times: int = 1) -> Iterator[Difference]:
    """What each look tells of two arms: tasks of B take `factor` times as long, and are so many `times` as many."""
    random = Random(seed)  # noqa: S311 - a repeatable test
    a = b = Durations({})
    for _ in range(LOOKS):
        a = a.with_more(random.lognormvariate(1, SPREAD) for _ in range(TASKS))
        b = b.with_more(factor * random.lognormvariate(1, SPREAD) for _ in range(TASKS * times))
        yield compare_durations(a, b, alpha=ALPHA)


@pytest.mark.parametrize("times", [1, 4])
def test_the_verdict_of_no_difference_is_false_in_one_run_of_twenty_at_most(times: int) -> None:
    wrong = sum(any(each.low > 0 or each.high < 0 for each in looks(seed, 1, times)) for seed in range(RUNS))
    assert wrong / RUNS <= 0.05


def test_twice_the_percentile_is_found_soon() -> None:
    found = [next(each.has for each in looks(seed, 2) if each.verdict is Verdict.WORSE) for seed in range(RUNS)]
    assert sum(has <= 300 for has in found) / RUNS >= 0.95
    assert sum(has <= 400 for has in found) / RUNS >= 0.99


def test_the_interval_holds_the_true_percentile_at_every_look() -> None:
    true = 1 + SPREAD * 1.6448536
    wrong = 0
    for seed in range(RUNS):
        random, seen, is_wrong = Random(seed), Durations({}), False  # noqa: S311 - a repeatable test
        for _ in range(LOOKS):
            seen = seen.with_more(random.lognormvariate(1, SPREAD) for _ in range(TASKS))
            low, high = seen.interval(ALPHA)
            is_wrong |= not low <= true <= high
        wrong += is_wrong
    assert wrong / RUNS <= ALPHA


def constant(seconds: float, count: int) -> Durations:
    return Durations({bucket(seconds): count})


@pytest.mark.parametrize(
    ("a", "b", "verdict"),
    [
        (constant(1, 400), constant(2, 400), Verdict.WORSE),
        (constant(2, 400), constant(1, 400), Verdict.BETTER),
        # All of one duration: as near as buckets are narrow.
        (constant(1, 400), constant(1, 400), Verdict.EQUIVALENT),
        (constant(1, 400), constant(1.1, 400), Verdict.EQUIVALENT),
        (constant(1, 60), constant(1, 60), Verdict.NOT_ENOUGH_DATA),
        (constant(1, LEAST - 1), constant(9, 400), Verdict.NOT_ENOUGH_DATA),
        (Durations({}), constant(9, 400), Verdict.NOT_ENOUGH_DATA),
    ],
)
def test_verdicts(a: Durations, b: Durations, verdict: Verdict) -> None:
    difference = compare_durations(a, b, alpha=ALPHA)
    assert difference.verdict is verdict
    assert difference.low <= difference.value <= difference.high
    assert difference.has == min(a.of, b.of)


def test_the_tasks_that_are_needed_suffice_were_all_as_it_is() -> None:
    few = constant(1, 60)
    needed = compare_durations(few, few, alpha=ALPHA).needed
    assert needed is not None
    assert 80 < needed < 200
    assert compare_durations(constant(1, needed), constant(1, needed), alpha=ALPHA).verdict is Verdict.EQUIVALENT


def test_durations_are_kept_within_two_percent() -> None:
    for seconds in (0.001, 0.0123, 1.0, 59.9, 86400.0):
        assert lower(bucket(seconds)) <= seconds * (1 + 1e-9)
        assert seconds <= upper(bucket(seconds))
        assert upper(bucket(seconds)) / lower(bucket(seconds)) == pytest.approx(math.exp(STEP))
    assert (bucket(0.0), bucket(0.0001), bucket(1e9)) == (0, 0, LAST)
    assert upper(LAST) >= LONGEST
    assert math.log(upper(0)) - math.log(lower(0)) > MARGIN


def test_durations_outlive_the_record_and_nonsense_in_it_is_none() -> None:
    some = Durations({}).with_more([1.0, 2.0, 2.0])
    assert from_json(some.to_json()) == some
    assert some.value == pytest.approx(2.0, rel=0.021)
    assert together([some, some]).of == 6
    assert Durations({}).value is None
    for text in ("", "[]", "7", '{"x": 1}', '{"1": null}', "{"):
        assert from_json(text).of == 0
