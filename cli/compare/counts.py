"""Requests of hosts' services, counted from look to look for as long as a process lives. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from jada import Model
from jada.cli.records.model import ServedEntry
from jada.tasks.checks import running_model
from jada.tasks.costs import cost_of
from jada.tasks.release import printable
from jada.tasks.served import Answers
from jada.tasks.state import Process, State

# The largest number that the record holds: what a host says is bounded, but looks at it may be many.
MOST = 2**62


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What came of an arm's requests: `cost` in USD by list prices, None where an answer has no price."""

    requests: int
    failed: int
    fallbacks: int
    tokens_in: int
    tokens_out: int
    cost: float | None


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
    )


def _input(answers: Answers) -> int:
    return answers.tokens_in + answers.written_to_cache + answers.read_from_cache


def _sum(*counts: int) -> int:
    return min(sum(counts), MOST)
