"""Shares of two arms compared at any time, as often as one likes. Pure.

The interval is the asymptotic confidence sequence by a normal mixture of Waudby-Smith, Arbour, Sinha, Kennedy and
Ramdas, "Time-uniform central limit theory and asymptotic confidence sequences" (arXiv:2103.06476; std_conjmix_margin of
their R package sequential.causal), for the difference of two means. Its chance to miss the true difference at any look
at all is alpha, so that one may look after each request and stop when one likes. It takes requests to be independent.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

# Requests an arm at which the interval is narrowest for what it promises.
TUNED_FOR = 400
# Requests an arm before which nothing is concluded: a normal approximation of less is none.
LEAST = 50
# An arm that the other is so many times as large as is taken to fail at least as often as that, when its variance is
# told: that it had no failure yet is luck more than merit.
LOPSIDED = 2
# One failure and one success are added to each arm when its variance is told, so that 0 of 50 is not taken for certain.
SMOOTHING = 1
# An estimate of more requests is no help to anybody.
MOST_NEEDED = 10_000_000


class Verdict(StrEnum):
    """What is known of B, compared with A, in the order of what a reader has to know first."""

    WORSE = "worse"
    NOT_ENOUGH_DATA = "not_enough_data"
    BETTER = "better"
    EQUIVALENT = "equivalent"

    @property
    def label(self) -> str:
        return self.value.replace("_", " ")

    @classmethod
    def of(cls, low: float, high: float, margin: float) -> Verdict:
        """The verdict by the interval of the difference of what had better be little."""
        if -margin < low and high < margin:
            return cls.EQUIVALENT
        if low > 0:
            return cls.WORSE
        return cls.BETTER if high < 0 else cls.NOT_ENOUGH_DATA


@dataclass(frozen=True, slots=True)
class Share:
    """The part of an arm's requests that failed, or fell back: `count` of so many."""

    count: int
    of: int

    @property
    def value(self) -> float | None:
        return self.count / self.of if self.of else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The share of B less that of A, as far as is known: from `low` to `high`.

    `needed` is about how many requests the smaller arm needs before there is a verdict, None where nothing tells that;
    it `has` so many.
    """

    value: float
    low: float
    high: float
    verdict: Verdict
    has: int
    needed: int | None


def compare_shares(a: Share, b: Share, *, alpha: float, margin: float) -> Difference:
    """The difference of two shares of what had better be rare, by an interval that holds at each look together with all
    others. B is equivalent where all of the interval is within the margin, and worse or better where it is above 0 or
    below.
    """
    has = min(a.of, b.of)
    if not has:
        return Difference(value=0.0, low=-1.0, high=1.0, verdict=Verdict.NOT_ENOUGH_DATA, has=0, needed=None)
    value = b.count / b.of - a.count / a.of
    radius = _radius(a, b, alpha)
    verdict = Verdict.of(value - radius, value + radius, margin) if has >= LEAST else Verdict.NOT_ENOUGH_DATA
    return Difference(
        value=value,
        low=max(value - radius, -1.0),
        high=min(value + radius, 1.0),
        verdict=verdict,
        has=has,
        needed=_needed(a, b, alpha, margin) if verdict is Verdict.NOT_ENOUGH_DATA else None,
    )


def overall(verdicts: list[Verdict]) -> Verdict:
    """One verdict on several measures: B is worse where one of them is, and no better while one is not known."""
    return next(verdict for verdict in Verdict if verdict in verdicts)


def _radius(a: Share, b: Share, alpha: float, times: float = 1.0) -> float:
    """Half the interval's width, or what it would be with so many `times` the requests."""
    variances = ((a, _variance(a, b)), (b, _variance(b, a)))
    error = sum(variance / (share.of * times) for share, variance in variances)
    size = 2 * a.of * b.of / (a.of + b.of) * times * _rho_squared(alpha)
    return math.sqrt(error * 2 * (size + 1) / size * math.log(math.sqrt(size + 1) / alpha))


def _rho_squared(alpha: float) -> float:
    """The mixture's parameter that makes the interval narrowest at about TUNED_FOR (best_rho2_approx there)."""
    log = -2 * math.log(alpha)
    return (log + math.log(log + 1)) / TUNED_FOR


def _variance(share: Share, other: Share) -> float:
    value = (share.count + SMOOTHING) / (share.of + 2 * SMOOTHING)
    if share.of * LOPSIDED <= other.of:
        value = max(value, other.count / other.of)
    return value * (1 - value)


def _needed(a: Share, b: Share, alpha: float, margin: float) -> int | None:
    width = max(abs(b.count / b.of - a.count / a.of), margin)
    return estimate(min(a.of, b.of), lambda times: _radius(a, b, alpha, times) <= width)


def estimate(has: int, suffices: Callable[[float], bool]) -> int | None:
    """About how many the smaller arm, which `has` so many, needs before there is a verdict, were all as it is; None
    where nothing tells. So many `times` as many suffice, or don't.
    """
    low, high = 1.0, MOST_NEEDED / has
    if high < 1 or not suffices(high):
        return None
    while high / low > 1.01:
        times = math.sqrt(low * high)
        low, high = (low, times) if suffices(times) else (times, high)
    needed = max(high * has, LEAST)
    # Two digits say all that such an estimate can.
    unit = int(10 ** max(0, math.floor(math.log10(needed)) - 1))
    return math.ceil(needed / unit) * unit
