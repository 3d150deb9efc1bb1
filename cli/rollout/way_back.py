"""The change that a rollback undoes, and the notes on it before: for all hosts together. Pure."""

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
from jada.cli.ui.duration import local
from jada.tasks import checks
from jada.tasks.plan import Plan, last_release
from jada.tasks.release import Desired, Release, first_id
from jada.tasks.state import State

if TYPE_CHECKING:
    from jada.inventory.fleet.config import Fleet

Seen = Mapping[str, State | HostError]
# As many entries of the record are looked through.
MOST_ENTRIES = 50
FURTHER = "jada rollback --to RELEASE|MODEL"


@dataclass(frozen=True, slots=True)
class Recorded:
    """The newest release of the fleet by this machine's record that changed a host, and the hosts that it changed."""

    release: Release
    hosts: frozenset[str]


def last_recorded(records: Records, fleet: str) -> Recorded | None:
    """The last change from this machine, as far as its record says; not what hosts told of others."""
    for entry in records.entries(fleet, None, MOST_ENTRIES):
        hosts = frozenset(host.host for host in records.hosts(entry.id) if host.outcome.was_tried)
        if hosts:
            kind = "rollback" if entry.kind == "rollback" else "upgrade"
            release = Release(entry.id, kind, Desired(entry.model, 0, release=entry.id), Desired("", 0), who=entry.who)
            return Recorded(release, hosts)
    return None


def last_change(seen: Seen, mine: Recorded | None) -> Release | None:
    """The last thing that was done to these hosts, or tried, None if jada never changed one.

    This machine's record comes before what hosts say: where some are still on what it did last, or those that it did it
    to can't be seen, that was it.
    """
    states = _states(seen)
    reported = last_release(states.values(), first_id(datetime.now(UTC) + AHEAD))
    if mine is None or (reported and reported.id == mine.release.id):
        return reported
    if reported is None or reported.id < mine.release.id:
        return mine.release if any(isinstance(seen.get(name), HostError) for name in mine.hosts) else reported
    own = (release for name in mine.hosts & states.keys() for release in _releases(states[name], mine.release.id))
    return next(own, reported)


def _releases(state: State, release: str) -> list[Release]:
    """The release of that id, if the host is on it, or put itself back from it."""
    failed = [past.release for past in state.history if past.error]
    return [candidate for candidate in (state.release, *failed) if candidate and candidate.id == release]


def rollback_notes(fleet: Fleet, seen: Seen, plans: Plans, last: Release | None, redo: bool) -> Iterator[str]:
    """The notes for people before a rollback, a sentence each; `last` is None if it goes somewhere else."""
    if last:
        yield from _unsure(seen, plans, last)
    moving = {name: plan for name, plan in plans.items() if isinstance(plan, Plan) and plan.transaction}
    states = _states(seen)
    if last and not moving and all(isinstance(plan, Plan) and plan.idle for plan in plans.values()):
        yield _nothing(last, redo)
    elif last and moving and not redo:
        yield f"This undoes release {last.change}{_provenance(states, last.change)}"
        if stay := {name: states[name] for name in plans if name in states and _stays(states[name], last.change)}:
            yield f"Not changed by it, so left as they are: {', '.join(stay)}. To send them back too: {_further(stay)}"
    before = {name: _model(name, state) for name, state in states.items()}
    after = {**before, **{name: _desired_model(plan) for name, plan in moving.items()}}
    if len(set(after.values())) > len(set(before.values())):
        yield (
            f"The hosts will run {plural(len(set(after.values())), 'model')} instead of {len(set(before.values()))}: "
            f"{on_models(after.values(), fleet)}"
        )


def _unsure(seen: Seen, plans: Plans, last: Release) -> Iterator[str]:
    """Notes on what else may have been the last change."""
    failed = HostResults(seen).failed
    moving = any(isinstance(plan, Plan) and plan.transaction for plan in plans.values())
    if failed and not moving:
        yield f"The last change was release {last.id}. Unreachable: {', '.join(failed)}. To send others back: {FURTHER}"
    elif failed:
        yield f"Unreachable: {', '.join(failed)}. Had they alone been changed later, an earlier change is undone here"
    later = {
        name: state.release for name, state in _states(seen).items() if state.release and state.release.id > last.id
    }
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


def _provenance(states: Mapping[str, State], change: str) -> str:
    """The end of a sentence: by whom, when and why that release was made, as far as a host tells it."""
    releases = (
        candidate
        for state in states.values()
        for candidate in (state.release, *(past.release for past in state.history))
    )
    release = next((candidate for candidate in releases if candidate and candidate.id == change), None)
    if release is None:
        return ""
    why = f": {release.reason}" if release.reason else ""
    about = ", ".join(filter(None, (release.who, local(release.at))))
    return f", which put {release.desired.model} in place ({about}{why})"


def _stays(state: State, change: str) -> bool:
    """True if the change was not made on this host at all."""
    if state.release is None or change in (state.release.desired.base, state.release.change):
        return False
    return not any(past.error and past.release.id == change for past in state.history)


def _further(stay: Mapping[str, State]) -> str:
    """The command that sends hosts back that the last change did not reach."""
    releases = [state.release for state in stay.values() if state.release]
    targets = {"" if release.is_undo else release.before.release or release.before.model for release in releases}
    target = targets.pop() if len(targets) == 1 else ""
    return f"jada rollback --to {shlex.quote(target)}" if target else FURTHER


def _model(name: str, state: State) -> str:
    model = attempt(name, lambda: checks.running_model(state) or state.settings.model)
    return "" if isinstance(model, HostError) else model


def _desired_model(plan: Plan) -> str:
    return plan.transaction.release.desired.model if plan.transaction else ""
