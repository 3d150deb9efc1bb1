"""Requests of hosts' services, counted from look to look for as long as a process lives. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from jada import Model
from jada.cli.compare.quantiles import Durations, from_json, together
from jada.cli.records.model import ServedEntry
from jada.tasks.checks import running_model
from jada.tasks.costs import cost_of
from jada.tasks.outcomes import TaskOutcome
from jada.tasks.release import printable
from jada.tasks.served import Answers
from jada.tasks.state import Process, State

# The largest number that the record holds: what a host says is bounded, but looks at it may be many.
MOST = 2**62


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What came of an arm's requests: `cost` in USD by list prices, None where an answer has no price; and of the tasks
    that its agents tell of.
    """

    requests: int
    failed: int
    fallbacks: int
    tokens_in: int
    tokens_out: int
    cost: float | None
    tasks: int
    tasks_failed: int
    durations: Durations


def uncounted(fleet: str, host: str, state: State, process: Process) -> ServedEntry:
    """The entry of a process of which nothing was counted yet."""
    return ServedEntry(
        fleet=fleet,
        subject="",
        host=host,
        process=printable(f"{state.boot}:{process.ticks}"),
        release=release_of(state),
        model=model_of(state),
        counted_until=0.0,
        tasks_until=process.started,
    )


def release_of(state: State) -> str:
    """The release whose files the host has: after a rollback, the one that it went back to."""
    return (state.release.desired.release or state.release.id) if state.release else ""


def model_of(state: State) -> str:
    """The model that the host is to run, or runs where nobody asked for one."""
    return (state.release.desired.model if state.release else "") or printable(running_model(state))


def count(entry: ServedEntry, state: State, catalogue: Sequence[Model]) -> ServedEntry:
    """The entry with all that this look shows of its process and no look before did.

    An answer whose last lines come after a look is counted by the next one too: at most one of a host's in each look.
    """
    served = state.served.between(entry.counted_until, state.now)
    answered = sum(answers.count for answers in served.answers)
    priced = [(answers, cost_of(answers, catalogue)) for answers in served.answers]
    return replace(
        entry,
        counted_until=max(entry.counted_until, served.last),
        requests=_sum(entry.requests, answered, served.failed),
        failed=_sum(entry.failed, served.failed),
        fallbacks=_sum(entry.fallbacks, *(fallbacks.count for fallbacks in served.fallbacks)),
        tokens_in=_sum(entry.tokens_in, *map(_input, served.answers)),
        tokens_out=_sum(entry.tokens_out, *(answers.tokens_out for answers in served.answers)),
        cost=entry.cost + sum(cost for _, cost in priced if cost is not None),
        unpriced=_sum(entry.unpriced, *(answers.count for answers, cost in priced if cost is None)),
    )


def count_tasks(entry: ServedEntry, tasks: Iterable[TaskOutcome], now: float) -> ServedEntry:
    """The entry with the tasks that ended later than those before, and no later than `now` by the host's clock."""
    news = [task for task in tasks if entry.tasks_until < task.at <= now]
    durations = from_json(entry.durations).with_more(task.seconds for task in news if task.seconds is not None)
    return replace(
        entry,
        tasks=_sum(entry.tasks, len(news)),
        tasks_failed=_sum(entry.tasks_failed, sum(not task.succeeded for task in news)),
        tasks_until=max((entry.tasks_until, *(task.at for task in news))),
        durations=durations.to_json(),
    )


def total(entries: Iterable[ServedEntry]) -> Totals:
    """The entries of an arm together."""
    entries = list(entries)
    return Totals(
        requests=sum(entry.requests for entry in entries),
        failed=sum(entry.failed for entry in entries),
        fallbacks=sum(entry.fallbacks for entry in entries),
        tokens_in=sum(entry.tokens_in for entry in entries),
        tokens_out=sum(entry.tokens_out for entry in entries),
        cost=None if any(entry.unpriced for entry in entries) else sum(entry.cost for entry in entries),
        tasks=sum(entry.tasks for entry in entries),
        tasks_failed=sum(entry.tasks_failed for entry in entries),
        durations=together(from_json(entry.durations) for entry in entries),
    )


def _input(answers: Answers) -> int:
    return answers.tokens_in + answers.written_to_cache + answers.read_from_cache


def _sum(*counts: int) -> int:
    return min(sum(counts), MOST)
