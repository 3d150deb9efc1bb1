"""One look at a comparison: hosts are looked at, their requests counted and kept, and the arms judged."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from jada import JadaError, Model, natural
from jada.cli.compare.comparison import By, Comparison, Subject, judge, since, terms
from jada.cli.compare.counts import count, count_tasks, uncounted
from jada.cli.records.model import ComparisonEntry, ServedEntry
from jada.cli.records.sqlite import Records
from jada.cli.results import HostResults
from jada.cli.rollout.progress import Values
from jada.cli.session import FleetSession, operator
from jada.inventory.models import catalogue
from jada.tasks.engine import Connection
from jada.tasks.outcomes import TaskOutcome
from jada.tasks.state import State

# Of the running processes, by host: what they were counted of, nothing yet, and when they began.
Running = Mapping[str, tuple[State, ServedEntry, float]]


def canary(session: FleetSession, records: Records) -> Subject:
    """The hosts that the open rollout has changed, beside those of the same roles that it has not. Raises JadaError."""
    rollout = next(iter(records.rollouts(session.fleet.name, 1)), None)
    if rollout is None or not rollout.is_open:
        raise JadaError(f"No rollout of {session.fleet.name} is under way or paused", "jada rollouts lists them")
    waves = Values.from_json(rollout.values_json).waves
    first_roles = {host.role for host in session.hosts if host.name in waves[0]}
    names = {name for wave in waves for name in wave}
    hosts = frozenset(host.name for host in session.hosts if host.name in names and host.role in first_roles)
    return Subject(by=By.CANARY, a="", b=rollout.release, hosts=hosts)


def compare(
    session: FleetSession, records: Records, subject: Subject, alpha: float | None, margin: float | None
) -> Comparison:
    """Looks at all hosts once and judges what was counted until now. Raises JadaError, ConfigError."""
    fleet = session.fleet.name
    # Whichever arm is compared with the other.
    stored = next(filter(None, (records.comparison(fleet, key) for key in subject.keys)), None)
    alpha, margin = terms(stored, alpha, margin)
    seen = session.look()
    running = _running(fleet, seen)
    tasks = _tasks(session, running)
    models = catalogue(session.fleet.models)
    records.add_served(_counted(running, tasks.ok, records.served(fleet, ""), models))
    kept = records.served(fleet, "")
    if stored is None:
        stored = records.begin_comparison(
            ComparisonEntry(
                fleet=fleet, subject=subject.keys[0], alpha=alpha, margin=margin, who=operator(),
                since=since(subject, ((entry, began) for _, entry, began in running.values()), kept),
                at=datetime.now(UTC).isoformat(timespec="seconds"),
            )
        )  # fmt: skip
    is_over = stored.since > 0 and not all(subject.arms(entry for _, entry, _ in running.values()).values())
    if stored.since and not is_over:
        concerned = _of_subject(running, subject, stored)
        records.add_served(_counted(concerned, tasks.ok, records.served(fleet, stored.subject), models))
    counted = records.served(fleet, stored.subject) if stored.since else kept
    counted = sorted(counted, key=lambda entry: natural(entry.host))
    return judge(subject, stored, counted, is_over, _unseen(seen, tasks, subject))


def recorded(fleet: str, records: Records, at: str) -> list[Comparison]:
    """The comparisons of a fleet that were set up then (ISO 8601 UTC) or later, the newest first. Raises JadaError."""
    entries = sorted(records.comparisons(fleet), key=lambda entry: entry.at, reverse=True)
    return [
        judge(
            Subject.of_key(entry.subject),
            entry,
            records.served(fleet, entry.subject if entry.since else ""),
            is_over=False,
            unseen={},
        )
        for entry in entries
        if entry.at >= at
    ]


def _running(fleet: str, seen: HostResults[State]) -> Running:
    # A clock that is ahead must not keep requests of all others from counting.
    now = time.time()
    return {
        host: (
            state,
            uncounted(fleet, host, state, state.process),
            min(state.process.spoke or state.process.started, now),
        )
        for host, state in seen.ok.items()
        if state.process and not state.unseen and not state.running_transaction
    }


def _of_subject(running: Running, subject: Subject, comparison: ComparisonEntry) -> Running:
    """Those of either arm, to be counted for the comparison, since it does."""
    return {
        host: (
            state,
            replace(
                entry,
                subject=comparison.subject,
                counted_until=comparison.since,
                tasks_until=max(entry.tasks_until, comparison.since),
            ),
            began,
        )
        for host, (state, entry, began) in running.items()
        if subject.side(entry)
    }


def _tasks(session: FleetSession, running: Running) -> HostResults[list[TaskOutcome]]:
    """The tasks that the agents tell of, since their processes began."""

    def ask(name: str, connection: Connection) -> list[TaskOutcome]:
        return connection.tasks(running[name][1].tasks_until)

    return session.run_on_each("Reading tasks", running, ask)


def _counted(
    running: Running,
    tasks: Mapping[str, list[TaskOutcome]],
    before: Iterable[ServedEntry],
    models: tuple[Model, ...],
) -> list[ServedEntry]:
    """The entries of processes, by what was counted of them before and this look."""
    known = {(entry.host, entry.process): entry for entry in before}
    # A process runs what it was started with, whatever release the host has come to.
    entries = ((state, known.get((entry.host, entry.process), entry)) for state, entry, _ in running.values())
    return [count_tasks(count(entry, state, models), tasks.get(entry.host, ()), state.now) for state, entry in entries]


def _unseen(seen: HostResults[State], tasks: HostResults[list[TaskOutcome]], subject: Subject) -> Mapping[str, str]:
    trouble = {host: error.message for results in (tasks, seen) for host, error in results.failed.items()}
    trouble |= {
        host: f"{host}: nothing is known of its requests: {state.unseen}"
        for host, state in seen.ok.items()
        if state.unseen
    }
    return {host: why for host, why in trouble.items() if subject.hosts is None or host in subject.hosts}
