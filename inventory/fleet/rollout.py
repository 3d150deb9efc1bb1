"""fleet.yml's `rollout`: in which waves a change reaches the hosts, how long each is watched, and what ends it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from typing import Any

from jada import ON_FAILURE
from jada.inventory import tags
from jada.inventory.yaml_readers import span
from jada.inventory.yaml_values import Numbers, Value, whole_numbers

ON_INCONCLUSIVE = ("wait", "pause")
SPREAD_BY = ("zone", "nothing")
# More than any fleet has.
_MOST_HOSTS = 100_000


@dataclass(frozen=True, slots=True)
class Share:
    """So many hosts; or, where `is_percent`, so many of a hundred."""

    amount: int
    is_percent: bool = False

    def of(self, count: int) -> int:
        """The share of `count` hosts, rounded up, and no more than there are."""
        return -(-count * self.amount // 100) if self.is_percent else min(self.amount, count)

    def is_passed(self, failed: int, touched: int) -> bool:
        """True if so many that failed, of those that were touched, are more than this share."""
        return failed * 100 > self.amount * touched if self.is_percent else failed > self.amount

    def __str__(self) -> str:
        return f"{self.amount}%" if self.is_percent else str(self.amount)


ALL = Share(100, is_percent=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutPolicy:
    """The way of a rollout. `waves` are cumulative; the first is the canary, with the tags `canary` if hosts have them.

    Times are in seconds: `bake_time` after each wave but the last, `first_bake_time` after the canary where that is
    another (None: it is not), and `final_bake_time` after the last. `max_failures` counts hosts that were touched, and
    `max_parallel` those that are changed at the same time, None for as many as the engine can. `deadline` is the time
    that it has beside its bakes, None for that of every command.
    """

    waves: tuple[Share, ...] = (Share(1), Share(10, is_percent=True), Share(50, is_percent=True), ALL)
    canary: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    spread_by: str = "zone"
    max_parallel: int | None = None
    bake_time: int = 120
    first_bake_time: int | None = None
    final_bake_time: int = 0
    max_failures: Share = Share(0)
    on_failure: str = "rollback"
    on_inconclusive: str = "wait"
    deadline: int | None = None

    def bake_after(self, number: int, count: int) -> int:
        """The seconds that hosts are watched after the wave of that number, from 0, of so many."""
        if number == count - 1:
            return self.final_bake_time
        if number == 0 and self.first_bake_time is not None:
            return self.first_bake_time
        return self.bake_time

    @property
    def bakes(self) -> int:
        """The seconds of all its bakes, where no wave is too small to be one."""
        return sum(self.bake_after(number, len(self.waves)) for number in range(len(self.waves)))

    def as_keys(self) -> dict[str, Any]:
        """The keys of fleet.yml that say this policy, for read()."""
        spans = ("bake_time", "first_bake_time", "final_bake_time", "deadline")
        times = {name: _span(value) for name in spans if (value := getattr(self, name)) is not None}
        tagged = {name: list(allowed) for name, allowed in self.canary.items()}
        return {
            "waves": [str(share) for share in self.waves],
            "canary": tagged,
            "spread_by": self.spread_by,
            **({"max_parallel": self.max_parallel} if self.max_parallel else {}),
            **times,
            "max_failures": str(self.max_failures),
            "on_failure": self.on_failure,
            "on_inconclusive": self.on_inconclusive,
        }

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> RolloutPolicy:
        """The policy of plain values, as dataclasses.asdict makes them and JSON keeps them."""
        shares = {"waves": tuple(Share(**share) for share in values["waves"])}
        tagged = {name: tuple(allowed) for name, allowed in values["canary"].items()}
        return cls(**{**values, **shares, "canary": tagged, "max_failures": Share(**values["max_failures"])})


# As a change that nobody wants to be told of in parts, or a way back.
ALL_AT_ONCE = RolloutPolicy(waves=(ALL,))


def read(value: Value) -> RolloutPolicy:
    return RolloutPolicy(**read_keys(value))


def read_keys(value: Value) -> dict[str, Any]:
    """The keys of a policy that are written there, as the fields of a RolloutPolicy."""
    readers = {
        "waves": _waves,
        "canary": tags.read,
        "spread_by": lambda spread: spread.choice(SPREAD_BY),
        "max_parallel": lambda most: most.integer(1, _MOST_HOSTS),
        "bake_time": span,
        "first_bake_time": span,
        "final_bake_time": span,
        "max_failures": lambda share: _share(share, 0),
        "on_failure": lambda act: act.choice(ON_FAILURE),
        "on_inconclusive": lambda act: act.choice(ON_INCONCLUSIVE),
        "deadline": lambda time: span(time, least=1),
    }
    return value.fields(readers)


def _waves(value: Value) -> tuple[Share, ...]:
    waves = tuple(value.listed(lambda item: _share(item, 1)))
    if problem := why_no_waves(waves):
        raise value.error(problem)
    return waves


def why_no_waves(waves: tuple[Share, ...]) -> str:
    """Says why these can't be the waves of a rollout, or ""; it continues a sentence about them."""
    if waves[-1] != ALL:
        return "should end with 100%: else hosts would stay behind"
    if any(a.is_percent == b.is_percent and a.amount >= b.amount for a, b in pairwise(waves)):
        return "should grow from wave to wave: each counts the hosts of those before it too"
    return ""


def _span(seconds: int) -> str:
    """A time as span() reads it."""
    units = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))
    unit, size = next((unit, size) for unit, size in units if seconds % size == 0)
    return f"{seconds // size}{unit}" if seconds else "0"


def parse_share(text: str, least: int) -> Share | None:
    """The share that a text says, 3 or 10%; None where it says none that is at least so much."""
    if _percents(least).fullmatch(text):
        return Share(int(text.removesuffix("%")), is_percent=True)
    if re.fullmatch(_hosts(least).pattern, text):
        return Share(int(text))
    return None


def _share(value: Value, least: int) -> Share:
    written = value.written(_percents(least), _hosts(least), "a number of hosts, or a share such as 10%")
    return Share(int(written.removesuffix("%")), is_percent=written.endswith("%"))


@cache
def _percents(least: int) -> re.Pattern[str]:
    return re.compile(f"(?:{whole_numbers(least, 100).pattern})%")


@cache
def _hosts(least: int) -> Numbers:
    return whole_numbers(least, _MOST_HOSTS)
