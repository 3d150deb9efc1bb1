"""Two arms of a fleet and the verdict on them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from jada import ConfigError, Exit, JadaError
from jada.cli.compare import quantiles
from jada.cli.compare.counts import Totals, total
from jada.cli.compare.quantiles import Durations, compare_durations
from jada.cli.compare.sequential import Difference, Share, Verdict, compare_shares, overall
from jada.cli.records.model import ComparisonEntry, ServedEntry
from jada.tasks.served import is_asked_for

ALPHA, MARGIN = 0.05, 0.02
# The names of measures, as the JSON has them.
FAILED, FALLBACKS, TASKS_FAILED, P95 = "failed", "fallbacks", "tasks_failed", "p95_seconds"


class By(StrEnum):
    """The thing by which hosts belong to an arm."""

    RELEASE = "release"
    MODEL = "model"
    CANARY = "canary"


class Side(StrEnum):
    """The arm that others are compared with, and the arm that is compared."""

    A = "A"
    B = "B"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Two arms, by the release or model of their hosts. Of a canary, A is every other release than `b` on `hosts`."""

    by: By
    a: str
    b: str
    hosts: frozenset[str] | None = None

    @property
    def keys(self) -> tuple[str, str]:
        """The names that a comparison of both may have in the record; the first is that of a new one."""
        return f"{self.by} {self.a} {self.b}", f"{self.by} {self.b} {self.a}"

    @classmethod
    def of_key(cls, key: str) -> Self:
        """The subject that the record knows by that key; of two releases A is the older."""
        by, a, b = key.split(" ")
        return cls(by=By(by), a=a, b=b)

    def side(self, entry: ServedEntry) -> Side | None:
        """The arm that a process belongs to."""
        if self.hosts is not None and entry.host not in self.hosts:
            return None
        match self.by:
            case By.CANARY:
                return Side.B if entry.release == self.b else Side.A
            case By.MODEL:
                return next((side for side in Side if entry.model and is_asked_for(self.of(side), entry.model)), None)
            case By.RELEASE:
                return next((side for side in Side if entry.release == self.of(side)), None)

    def of(self, side: Side) -> str:
        return self.a if side is Side.A else self.b

    def arms(self, entries: Iterable[ServedEntry]) -> Mapping[Side, list[ServedEntry]]:
        """The processes of each arm."""
        entries = list(entries)
        return {side: [entry for entry in entries if self.side(entry) is side] for side in Side}


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One arm by what was counted: `hosts` by name, and the models that they were to run."""

    side: Side
    name: str
    hosts: tuple[str, ...]
    models: tuple[str, ...]
    totals: Totals


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One thing that had better be rare, or short, in both arms; differences within the `margin` make none."""

    name: str
    a: Share | Durations
    b: Share | Durations
    difference: Difference
    margin: float

    @property
    def is_of_tasks(self) -> bool:
        """True if it counts tasks of the agents, not requests."""
        return self.name in (TASKS_FAILED, P95)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What is known of two arms. It `is_over` where an arm has no host any more: then nothing more is counted.

    `unseen` are the hosts that could not be looked at, with why.
    """

    subject: Subject
    entry: ComparisonEntry
    arms: tuple[Arm, Arm]
    measures: tuple[Measure, ...]
    is_over: bool
    unseen: Mapping[str, str]

    @property
    def is_at_the_same_time(self) -> bool:
        return self.entry.since > 0

    @property
    def verdict(self) -> Verdict:
        return overall([measure.difference.verdict for measure in self.measures])

    @property
    def exit(self) -> Exit:
        """The exit code: worse counts, whichever hosts could not be looked at."""
        if self.verdict is Verdict.WORSE:
            return Exit.DRIFT
        return Exit.FAILED if self.unseen or self.verdict is Verdict.NOT_ENOUGH_DATA else Exit.OK


def terms(stored: ComparisonEntry | None, alpha: float | None, margin: float | None) -> tuple[float, float]:
    """The alpha and the margin of a comparison: those of before its first look. Raises ConfigError for others."""
    if stored is None:
        return ALPHA if alpha is None else alpha, MARGIN if margin is None else margin
    for option, value, fixed, shown in (
        ("--alpha", alpha, stored.alpha, f"{stored.alpha:g}"),
        ("--margin", margin, stored.margin, points(stored.margin)),
    ):
        if value not in (None, fixed):
            raise ConfigError(
                f"{option} {shown} counts: {stored.who} fixed it at {stored.at}, before the first look",
                f"leave {option} out; to choose it by what was seen would make the verdict worthless",
            )
    return stored.alpha, stored.margin


def since(subject: Subject, running: Iterable[tuple[ServedEntry, float]], kept: Iterable[ServedEntry]) -> float:
    """The moment since which requests count: both arms ran, by processes and when they began; 0 where one came after
    the other. Raises JadaError where nothing is known of an arm.
    """
    began: dict[Side, list[float]] = {side: [] for side in Side}
    for entry, start in running:
        if side := subject.side(entry):
            began[side].append(start)
    missing = [side for side in Side if not began[side]]
    if not missing:
        return max(min(starts) for starts in began.values())
    if subject.by is By.CANARY:
        raise JadaError(
            f"The rollout {subject.b} has {'left no host as it was' if Side.A in missing else 'changed no host yet'}, "
            "so there are no two arms at the same time",
            "jada compare RELEASE_A RELEASE_B compares with before; see: jada rollouts",
        )
    arms = subject.arms(kept)
    if unknown := [subject.of(side) for side in missing if not arms[side]]:
        raise JadaError(
            f"Nothing is known of {subject.by} {' or '.join(unknown)}: no host runs it, and nothing was counted while "
            "one did",
            "jada status tells what hosts run; what is counted today, a later comparison knows",
        )
    return 0.0


def judge(
    subject: Subject,
    entry: ComparisonEntry,
    counted: Iterable[ServedEntry],
    is_over: bool,
    unseen: Mapping[str, str],
) -> Comparison:
    """The comparison of all that was counted."""
    arms = subject.arms(counted)
    a, b = (_arm(subject, side, arms[side]) for side in Side)
    return Comparison(
        subject=subject,
        entry=entry,
        arms=(a, b),
        measures=tuple(_measures(a.totals, b.totals, entry)),
        is_over=is_over,
        unseen=unseen,
    )


def points(share: float) -> str:
    """A share as percentage points."""
    return f"{100 * share:g}"


def _arm(subject: Subject, side: Side, entries: list[ServedEntry]) -> Arm:
    is_untouched = subject.by is By.CANARY and side is Side.A
    return Arm(
        side=side,
        name="untouched" if is_untouched else subject.of(side),
        hosts=tuple(dict.fromkeys(entry.host for entry in entries)),
        models=tuple(dict.fromkeys(entry.model for entry in entries if entry.model)),
        totals=total(entries),
    )


def _measures(a: Totals, b: Totals, entry: ComparisonEntry) -> Iterable[Measure]:
    counts = {}
    # Agents need not tell of tasks, and those that do need not be the Claude CLI.
    has_tasks = a.tasks > 0 and b.tasks > 0
    if a.requests or b.requests or not has_tasks:
        counts[FAILED] = a.failed, a.requests, b.failed, b.requests
        counts[FALLBACKS] = a.fallbacks, a.requests, b.fallbacks, b.requests
    if has_tasks:
        counts[TASKS_FAILED] = a.tasks_failed, a.tasks, b.tasks_failed, b.tasks
    for name, (count_a, of_a, count_b, of_b) in counts.items():
        # A host may say that it fell back more often than it answered.
        shares = Share(min(count_a, of_a), of_a), Share(min(count_b, of_b), of_b)
        difference = compare_shares(*shares, alpha=entry.alpha, margin=entry.margin)
        yield Measure(name=name, a=shares[0], b=shares[1], difference=difference, margin=entry.margin)
    if a.durations.of and b.durations.of:
        slower = compare_durations(a.durations, b.durations, alpha=entry.alpha)
        yield Measure(name=P95, a=a.durations, b=b.durations, difference=slower, margin=quantiles.MARGIN)
