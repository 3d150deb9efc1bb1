"""The head of the page: the verdict on the fleet, what needs a person, and who holds it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jada.cli.drift.evaluate import DriftReport, HostDrift, Status
from jada.cli.report.marks import FOUND, STATUSES, Mark, gravity
from jada.cli.report.page import Page
from jada.cli.ui.console import grouped, plural
from jada.tasks.operator_lock import OperatorLock
from jada.tasks.release import printable

# The first that any host has is the sign of the verdict.
GRAVEST = (Status.DRIFTED, Status.NOT_CHECKED, Status.UNPROVEN, Status.CHANGING)


@dataclass(frozen=True, slots=True)
class Need:
    """A finding that somebody has to do something about, on all its hosts; `told` are the pairs of an expected and an
    actual value that they have, each once.
    """

    mark: Mark
    code: str
    name: str
    hosts: tuple[str, ...]
    told: tuple[tuple[str, str], ...]
    fix: str


@dataclass(frozen=True, slots=True)
class Held:
    """Whoever keeps others from changing hosts: by what operators locked, and by what is being changed, with the names
    of the hosts.
    """

    locked: Mapping[OperatorLock, list[str]]
    changing: Mapping[str, list[str]]


def verdict(drift: DriftReport) -> tuple[Mark, str]:
    """The sign of the fleet, and the verdict on it in the words of `jada drift`."""
    hosts = len(drift.hosts) - drift.count(Status.GONE)
    counts = [(status, drift.count(status)) for status in Status if status is not Status.IN_SYNC]
    others = ", ".join(f"{count} {STATUSES[status].word}" for status, count in counts if count)
    sign = next((status for status in GRAVEST if drift.count(status)), Status.IN_SYNC if hosts else Status.GONE)
    text = f"{drift.count(Status.IN_SYNC)} of {plural(hosts, 'host')} in sync"
    return STATUSES[sign], f"{text}; {others}" if others else text


def needs(rows: Sequence[HostDrift]) -> list[Need]:
    """All that is drift, once for all its hosts: the gravest first, and of that, what most hosts have."""
    found = grouped(
        (evaluated.finding.kind, (row.host, evaluated.finding))
        for row in rows
        for evaluated in row.findings
        if evaluated.is_drift
    )
    all_needs = []
    for kind, pairs in found.items():
        fixes = {finding.fix_on(host) for host, finding in pairs}
        general = {finding.fix_on("HOST") for _, finding in pairs}
        all_needs.append(
            Need(
                FOUND[kind.severity],
                kind.code,
                kind.name,
                tuple(dict.fromkeys(host for host, _ in pairs)),
                tuple(dict.fromkeys((finding.expected, finding.actual) for _, finding in pairs)),
                next((next(iter(texts)) for texts in (fixes, general) if len(texts) == 1), kind.fix),
            )
        )
    return sorted(all_needs, key=lambda need: (gravity(need.mark), -len(need.hosts)))


def held(page: Page) -> Held:
    """The locks of the hosts that could be looked at."""
    states = page.states.items()
    return Held(
        grouped((state.operator_lock, name) for name, state in states if state.operator_lock),
        grouped((printable(state.running_transaction), name) for name, state in states if state.running_transaction),
    )
