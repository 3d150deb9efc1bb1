"""The 95th percentiles of how long tasks took in two arms, compared at any time, as often as one likes. Pure.

The interval of each is a confidence sequence for a quantile: Howard and Ramdas, "Sequential estimation of quantiles
with applications to A/B testing and best-arm identification" (arXiv:1906.09712), by the two-sided beta-binomial
mixture. Those of so many tasks that took no longer than the true quantile are as many as heads of a coin of that
chance; a value for which they are more or fewer than such a coin gives at any time, but for a chance of alpha, is not
the quantile. Nothing is taken for normal. It takes tasks to be independent.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from jada.cli.compare.sequential import LEAST, Difference, Verdict, estimate

P = 0.95
# The beta distribution of the mixture has the mean P and counts as so many tasks: narrowest at about 400 an arm.
WEIGHT = 30
# Percentiles that are apart by less than this factor make no difference.
FACTOR = 1.25
MARGIN = math.log(FACTOR)
# Durations are kept by how many are within a bucket; the next one is longer by so much. The first holds all that are
# shorter than a millisecond, the last all that are longer than a week.
STEP = math.log(1.02)
SHORTEST, LONGEST = 0.001, 7 * 86400.0
LAST = math.ceil(math.log(LONGEST / SHORTEST) / STEP)


@dataclass(frozen=True, slots=True)
class Durations:
    """The number of tasks by the bucket of how long they took."""

    counts: Mapping[int, int]

    @property
    def of(self) -> int:
        return sum(self.counts.values())

    @property
    def value(self) -> float | None:
        """The percentile of those that were seen, seconds."""
        return upper(self._at(P * self.of)) if self.counts else None

    def with_more(self, seconds: Iterable[float]) -> Durations:
        counts = dict(self.counts)
        for each in seconds:
            counts[bucket(each)] = counts.get(bucket(each), 0) + 1
        return Durations(counts)

    def to_json(self) -> str:
        return json.dumps(dict(sorted(self.counts.items())), separators=(",", ":"))

    def interval(self, alpha: float, times: float = 1.0) -> tuple[float, float]:
        """The interval of the logarithm of the percentile; or what it would be with so many `times` the tasks."""
        few, many = _bounds(self.of * times, alpha)
        low = self._at(few / times)
        high = self._at(many / times)
        return (
            math.log(lower(low)) if few > 0 else -math.inf,
            math.log(upper(high)) if many < self.of * times else math.inf,
        )

    def _at(self, count: float) -> int:
        """The first bucket up to which more tasks are than so many; the last one with a task in it otherwise."""
        below = 0
        for index, tasks in sorted(self.counts.items()):
            below += tasks
            if below > count:
                return index
        return max(self.counts)


def from_json(text: str) -> Durations:
    """The durations that to_json() wrote; none for what is no such text."""
    try:
        return Durations({int(index): int(count) for index, count in json.loads(text).items()})
    except (ValueError, AttributeError, TypeError):
        return Durations({})


def together(durations: Iterable[Durations]) -> Durations:
    """The durations of several processes."""
    counts: dict[int, int] = {}
    for each in durations:
        for index, count in each.counts.items():
            counts[index] = counts.get(index, 0) + count
    return Durations(counts)


def bucket(seconds: float) -> int:
    return 0 if seconds < SHORTEST else min(math.floor(math.log(seconds / SHORTEST) / STEP) + 1, LAST)


def lower(index: int) -> float:
    return SHORTEST * math.exp((index - 1) * STEP) if index else SHORTEST / 10


def upper(index: int) -> float:
    return SHORTEST * math.exp(index * STEP)


def compare_durations(a: Durations, b: Durations, *, alpha: float) -> Difference:
    """The difference of the logarithms of both percentiles. B is equivalent where all of its interval is within MARGIN,
    and worse or better where it is above 0 or below.
    """
    has = min(a.of, b.of)
    if a.value is None or b.value is None:
        return Difference(value=0.0, low=-math.inf, high=math.inf, verdict=Verdict.NOT_ENOUGH_DATA, has=0, needed=None)
    low, high = _between(a, b, alpha)
    verdict = Verdict.of(low, high, MARGIN) if has >= LEAST else Verdict.NOT_ENOUGH_DATA
    return Difference(
        value=math.log(b.value / a.value),
        low=low,
        high=high,
        verdict=verdict,
        has=has,
        needed=_needed(a, b, alpha) if verdict is Verdict.NOT_ENOUGH_DATA else None,
    )


def _between(a: Durations, b: Durations, alpha: float, times: float = 1.0) -> tuple[float, float]:
    """The interval of the difference: each arm's own is wrong with half the chance."""
    (low_a, high_a), (low_b, high_b) = (each.interval(alpha / 2, times) for each in (a, b))
    return low_b - high_a, high_b - low_a


def _needed(a: Durations, b: Durations, alpha: float) -> int | None:
    return estimate(
        min(a.of, b.of), lambda times: Verdict.of(*_between(a, b, alpha, times), MARGIN) is not Verdict.NOT_ENOUGH_DATA
    )


@lru_cache(maxsize=10_000)
def _bounds(of: float, alpha: float) -> tuple[float, float]:
    """The fewest and the most of so many tasks that may have taken no longer than the true percentile."""
    return _bound(of, alpha, 0.0), _bound(of, alpha, of)


def _bound(of: float, alpha: float, extreme: float) -> float:
    inside, outside = P * of, extreme
    if _log_mixture(outside, of) < -math.log(alpha):
        return outside
    for _ in range(40):
        middle = (inside + outside) / 2
        inside, outside = (middle, outside) if _log_mixture(middle, of) < -math.log(alpha) else (inside, middle)
    return inside


def _log_mixture(count: float, of: float) -> float:
    """How much likelier so many are by the mixture of all chances than by the chance P, as a logarithm."""
    more, fewer = WEIGHT * P, WEIGHT * (1 - P)
    mixed = _log_beta(more + count, fewer + of - count) - _log_beta(more, fewer)
    return mixed - count * math.log(P) - (of - count) * math.log(1 - P)


def _log_beta(x: float, y: float) -> float:
    return math.lgamma(x) + math.lgamma(y) - math.lgamma(x + y)
