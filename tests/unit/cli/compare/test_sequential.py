"""Shares of two arms: false verdicts however often one looks, and how soon a true one comes. Seeds are fixed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from random import Random

import pytest

from jada.cli.compare.sequential import LEAST, Difference, Share, Verdict, compare_shares, overall

ALPHA, MARGIN = 0.05, 0.02
LOOKS, STEP = 60, 20
# `make test-rollouts` asks for all.
RUNS = 1000 if os.environ.get("JADA_ALL_ROLLOUTS") else 60


def looks(seed: int, a: float, b: float, times: int = 1) -> Iterator[Difference]:
    """What each look tells of two arms that fail so often, of which B has so many `times` the requests."""
    random = Random(seed)  # noqa: S311 - a repeatable test
    failed = [0, 0]
    for look in range(1, LOOKS + 1):
        failed[0] += sum(random.random() < a for _ in range(STEP))
        failed[1] += sum(random.random() < b for _ in range(STEP * times))
        shares = Share(failed[0], look * STEP), Share(failed[1], look * STEP * times)
        yield compare_shares(*shares, alpha=ALPHA, margin=MARGIN)


def test_the_verdict_of_no_difference_is_false_in_one_run_of_twenty_at_most() -> None:
    for share, times in ((0.01, 1), (0.05, 1), (0.2, 1), (0.01, 9), (0.05, 9), (0.2, 9)):
        wrong = 0
        for seed in range(RUNS):
            seen = list(looks(seed, share, share, times))
            wrong += any((each.low > 0 or each.high < 0) and each.has >= LEAST for each in seen)
            # Within the margin, a difference is no verdict.
            assert {Verdict.WORSE, Verdict.BETTER}.isdisjoint(
                each.verdict for each in seen if each.low > -MARGIN and each.high < MARGIN
            )
        assert wrong / RUNS <= 0.05, (share, times)


def test_ten_percent_in_place_of_one_is_found_soon() -> None:
    found = []
    for seed in range(RUNS):
        found.append(next(each.has for each in looks(seed, 0.01, 0.1) if each.verdict is Verdict.WORSE))
    assert sum(has <= 200 for has in found) / RUNS >= 0.85
    assert sum(has <= 400 for has in found) / RUNS >= 0.99


@pytest.mark.parametrize(
    ("a", "b", "verdict"),
    [
        (Share(4, 400), Share(40, 400), Verdict.WORSE),
        (Share(40, 400), Share(4, 400), Verdict.BETTER),
        (Share(0, 500), Share(0, 500), Verdict.EQUIVALENT),
        # A difference that is known, and makes none.
        (Share(0, 9000), Share(90, 9000), Verdict.EQUIVALENT),
        (Share(2, 180), Share(3, 180), Verdict.NOT_ENOUGH_DATA),
        # However clear: of so few, nothing is known.
        (Share(0, LEAST - 1), Share(LEAST - 1, LEAST - 1), Verdict.NOT_ENOUGH_DATA),
        (Share(0, LEAST), Share(LEAST, LEAST), Verdict.WORSE),
        (Share(0, 0), Share(9, 9000), Verdict.NOT_ENOUGH_DATA),
        # That none of the few failed is no merit.
        (Share(30, 3000), Share(0, 300), Verdict.NOT_ENOUGH_DATA),
    ],
)
def test_verdicts(a: Share, b: Share, verdict: Verdict) -> None:
    difference = compare_shares(a, b, alpha=ALPHA, margin=MARGIN)
    assert difference.verdict is verdict
    assert -1 <= difference.low <= difference.value <= difference.high <= 1


def test_the_requests_that_are_needed_suffice_were_the_shares_what_they_are() -> None:
    needed = compare_shares(Share(2, 180), Share(2, 180), alpha=ALPHA, margin=MARGIN).needed
    assert needed is not None
    assert 400 < needed < 900
    so_many = Share(round(needed * 2 / 180), needed)
    assert compare_shares(so_many, so_many, alpha=ALPHA, margin=MARGIN).verdict is Verdict.EQUIVALENT
    half = Share(round(needed / 2 * 2 / 180), needed // 2)
    assert compare_shares(half, half, alpha=ALPHA, margin=MARGIN).verdict is Verdict.NOT_ENOUGH_DATA


def test_what_nobody_can_estimate_is_not_known() -> None:
    assert compare_shares(Share(0, 0), Share(0, 9), alpha=ALPHA, margin=MARGIN).needed is None
    assert compare_shares(Share(50, 100), Share(50, 100), alpha=ALPHA, margin=1e-5).needed is None


def test_a_smaller_alpha_makes_the_interval_wider() -> None:
    strict, usual = (compare_shares(Share(1, 100), Share(3, 100), alpha=alpha, margin=MARGIN) for alpha in (0.01, 0.05))
    assert strict.low < usual.low < usual.high < strict.high


def test_one_measure_that_is_worse_outweighs_all() -> None:
    assert overall([Verdict.BETTER, Verdict.WORSE]) is Verdict.WORSE
    assert overall([Verdict.BETTER, Verdict.NOT_ENOUGH_DATA]) is Verdict.NOT_ENOUGH_DATA
    assert overall([Verdict.EQUIVALENT, Verdict.BETTER]) is Verdict.BETTER
    assert overall([Verdict.EQUIVALENT, Verdict.EQUIVALENT]) is Verdict.EQUIVALENT
