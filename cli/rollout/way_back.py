"""What a rollback undoes, and what is to be said of it before: for all hosts together. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from jada import HostError, attempt
from jada.cli.records.model import AHEAD
from jada.cli.records.sqlite import Records
from jada.cli.results import HostResults
from jada.cli.rollout.outcome import Plans
from jada.cli.rollout.show import on_models
from jada.cli.ui.console import plural
from jada.tasks import evidence
from jada.tasks.plan import Plan, last_release
from jada.tasks.release import Desired, Release, first_id
from jada.tasks.state import State

if TYPE_CHECKING:
    from jada.inventory.fleet.config import Fleet

Seen = Mapping[str, State | HostError]
# How far back the record is looked through.
MOST_ENTRIES = 50
FURTHER = "jada rollback --to RELEASE|MODEL"


@dataclass(frozen=True, slots=True)
class Recorded:
    """The newest release of the fleet by this machine's record that changed a host, and the hosts that it changed."""

    release: Release
    hosts: frozenset[str]


def recorded(records: Records, fleet: str) -> Recorded | None:
    """What was done last from this machine, as far as its record says; not what hosts told of others."""
    for entry in records.entries(fleet, None, MOST_ENTRIES):
        hosts = frozenset(one.host for one in records.hosts(entry.id) if one.outcome.was_tried)
        if hosts:
            kind = "rollback" if entry.kind == "rollback" else "upgrade"
            made = Release(entry.id, kind, Desired(entry.model, 0, release=entry.id), Desired("", 0), who=entry.who)
            return Recorded(made, hosts)
    return None


def last_change(seen: Seen, mine: Recorded | None) -> Release | None:
    """The last thing that was done to these hosts, or tried, None if jada never changed one.

    This machine's record comes before what hosts say: where some are still on what it did last, or those that it did it
    to can't be seen, that was it.
    """
    states = _states(seen)
    told = last_release(states.values(), first_id(datetime.now(UTC) + AHEAD))
    if mine is None or (told and told.id == mine.release.id):
        return told
    if told is None or told.id < mine.release.id:
        return mine.release if any(isinstance(seen.get(name), HostError) for name in mine.hosts) else told
    own = (one for name in mine.hosts & states.keys() for one in _releases(states[name], mine.release.id))
    return next(own, told)


def _releases(state: State, release: str) -> list[Release]:
    """That release, if the host is on it, or put itself back from it."""
    failed = [past.release for past in state.history if past.error]
    return [one for one in (state.release, *failed) if one and one.id == release]


def described(fleet: Fleet, seen: Seen, plans: Plans, last: Release | None, redo: bool) -> Iterator[str]:
    """What people have to know of a rollback before it, a sentence each; `last` is None if it goes somewhere else."""
    if last:
        yield from _unsure(seen, plans, last)
    moving = {name: plan for name, plan in plans.items() if isinstance(plan, Plan) and plan.transaction}
    states = _states(seen)
    if last and not moving and all(isinstance(plan, Plan) and plan.idle for plan in plans.values()):
        yield _nothing(last, redo)
    elif last and moving and not redo:
        yield f"This undoes release {last.change}{_made(states, last.change)}"
        if stay := {name: states[name] for name in plans if name in states and _stays(states[name], last.change)}:
            yield f"Not changed by it, so left as they are: {', '.join(stay)}. To send them back too: {_further(stay)}"
    before = {name: _model(name, state) for name, state in states.items()}
    after = {**before, **{name: _wanted(plan) for name, plan in moving.items()}}
    if len(set(after.values())) > len(set(before.values())):
        yield (
            f"The hosts will run {plural(len(set(after.values())), 'model')} instead of {len(set(before.values()))}: "
            f"{on_models(after.values(), fleet)}"
        )


def _unsure(seen: Seen, plans: Plans, last: Release) -> Iterator[str]:
    """What else may have been the last change."""
    gone = HostResults(seen).failed
    moving = any(isinstance(plan, Plan) and plan.transaction for plan in plans.values())
    if gone and not moving:
        yield f"The last change was release {last.id}. Unreachable: {', '.join(gone)}. To send others back: {FURTHER}"
    elif gone:
        yield f"Unreachable: {', '.join(gone)}. Had they alone been changed later, an earlier change is undone here"
    later = {name: one.release for name, one in _states(seen).items() if one.release and one.release.id > last.id}
    for name, release in later.items():
        yield (
            f"{name} tells of a later release {release.id}, by {release.who or 'nobody'}, that this machine did not "
            f"make: left as it is. To undo it: jada rollback --limit {shlex.quote(name)}"
        )


def _nothing(last: Release, redo: bool) -> str:
    if redo:
        return f"Nothing to redo: the last change, release {last.id}, was no rollback"
    if last.is_undo:
        return (
            f"Nothing to undo: the last change, release {last.id}, was a rollback, which took release {last.change} "
            f"back. Forward again: jada rollback --redo; further back: {FURTHER}"
        )
    return f"Nothing to undo: release {last.change} failed, and the hosts put themselves back. Further back: {FURTHER}"


def _states(seen: Seen) -> dict[str, State]:
    return HostResults(seen).ok


def _made(states: Mapping[str, State], change: str) -> str:
    """By whom, when and why that release was made, as far as a host tells it."""
    releases = (one for state in states.values() for one in (state.release, *(past.release for past in state.history)))
    made = next((one for one in releases if one and one.id == change), None)
    if made is None:
        return ""
    why = f": {made.reason}" if made.reason else ""
    return f", which put {made.desired.model} in place ({', '.join(filter(None, (made.who, made.at)))}{why})"


def _stays(state: State, change: str) -> bool:
    """Whether the change was not made on this host at all."""
    if state.release is None or change in (state.release.desired.base, state.release.change):
        return False
    return not any(past.error and past.release.id == change for past in state.history)


def _further(stay: Mapping[str, State]) -> str:
    """How to send hosts back that the last change did not reach."""
    releases = [state.release for state in stay.values() if state.release]
    targets = {"" if one.is_undo else one.before.release or one.before.model for one in releases}
    target = targets.pop() if len(targets) == 1 else ""
    return f"jada rollback --to {shlex.quote(target)}" if target else FURTHER


def _model(name: str, state: State) -> str:
    model = attempt(name, lambda: evidence.running_model(state) or state.settings.model)
    return "" if isinstance(model, HostError) else model


def _wanted(plan: Plan) -> str:
    return plan.transaction.release.desired.model if plan.transaction else ""
