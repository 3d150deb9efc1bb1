"""A rollout that was paused or cut off, gone on with or ended: a look tells what each host is on."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from jada import Exit, HostError, Service
from jada.cli import signals
from jada.cli.discovery import of_known_hosts
from jada.cli.records.model import HostEntry, HostOutcome, RolloutEntry
from jada.cli.records.sqlite import Records
from jada.cli.results import HostResults, judge_each
from jada.cli.rollout.board import Board
from jada.cli.rollout.carry_out import End, Rollout, abort, carry_out
from jada.cli.rollout.network import NetworkWatch
from jada.cli.rollout.observe import observed
from jada.cli.rollout.options import RolloutOptions
from jada.cli.rollout.outcome import HostResult, exit_code, without_change
from jada.cli.rollout.preflight import PreflightOptions, run_preflight
from jada.cli.rollout.progress import Progress, Values
from jada.cli.rollout.run import finished, opened, tell
from jada.cli.rollout.verify import judge
from jada.cli.rollout.watch import Watch
from jada.cli.rollout.waves import bakes, baking, only, own_deadline
from jada.cli.session import PATIENCE, FleetSession
from jada.cli.ui.run_id import run_id
from jada.inventory import models
from jada.tasks import plan
from jada.tasks.plan import Plan
from jada.tasks.state import State

# Outcomes with which a host's turn is over, whatever it is on.
OVER = (
    HostOutcome.REJECTED,
    HostOutcome.UNREACHABLE,
    HostOutcome.ROLLED_BACK,
    HostOutcome.ROLLBACK_FAILED,
)
# Seconds between looks at hosts that are still being changed, by what a jada that is gone has begun there.
AGAIN = 2


def resume(
    session: FleetSession, entry: RolloutEntry, records: Records, options: RolloutOptions, *, skip_bake: bool = False
) -> Exit:
    """Goes on with a rollout where it was. Raises JadaError, LockedError while another jada carries it out."""

    def go_on(rollout: Rollout) -> End:
        return carry_out(rollout, entry.wave, skip_bake)

    network = NetworkWatch.begin(session, is_back=False, kept=entry.networks_json)
    return _go_on(session, entry, records, options, go_on, network, checks_first=True)


def end_here(session: FleetSession, entry: RolloutEntry, records: Records, options: RolloutOptions, by: str) -> Exit:
    """Sends all hosts back that a rollout has changed, and ends it. Raises JadaError, LockedError."""

    def end(rollout: Rollout) -> End:
        last, results = len(rollout.waves) - 1, rollout.results
        ended = abort(rollout, last, by)
        # What is still being changed there, by a jada that is gone, held up no other.
        if busy := {name for name, result in results.items() if result.state and _is_busy(result.state, entry.release)}:
            hosts = tuple(host for host in session.hosts if host.name in busy)
            recorded = {host.host: host for host in records.hosts(entry.release)}
            for name, state in _settled(replace(rollout.session, hosts=hosts), entry.release).items():
                known = known_end(state, recorded.get(name), entry.release, session.engine.service)
                results[name] = known or without_change(Plan(idle="its change did not come about"))
            abort(rollout, last, by)
        return ended

    network = NetworkWatch.begin(session, is_back=True, kept=entry.networks_json)
    return _go_on(session, entry, records, options, end, network, checks_first=False)


def _go_on(
    session: FleetSession,
    entry: RolloutEntry,
    records: Records,
    options: RolloutOptions,
    act: Callable[[Rollout], End],
    network: NetworkWatch | None,
    *,
    checks_first: bool,
) -> Exit:
    values = Values.from_json(entry.values_json)
    # Hosts tell since when somebody changes them, and take what goes on for days for one that hangs.
    request = replace(values.request, at=datetime.now(UTC).isoformat(timespec="seconds"), run=run_id())
    service = session.engine.service
    session = session.with_new_deadline(own_deadline(values.groups))
    session = replace(session, deadline=session.deadline + baking(values.groups))
    names = {name for wave in values.waves for name in wave}
    session = replace(session, hosts=tuple(host for host in session.hosts if host.name in names))
    recorded = {host.host: host for host in records.hosts(entry.release)}

    def planner(name: str, state: State) -> Plan:
        return plan.upgrade(request, session.role(name), values.tiers[name], state, service)

    board = Board(request.id, values.waves, bakes(values.groups), service.settle)
    with (
        opened(session, request, "resume", board, records) as (session, _),
        observed(session.fleet, request, "resume", board, options.as_json) as observe,
    ):
        began = time.time()
        seen = _settled(session, request.id) if checks_first else session.look(history=True, within=PATIENCE)
        looked = began, time.time()
        known = {name: known_end(state, recorded.get(name), request.id, service) for name, state in seen.items()}
        plans = judge_each(seen, lambda name, state: Plan() if known[name] else planner(name, state))
        if checks_first:
            plans = run_preflight(session, seen, plans, _preflight(session, values), False, looked).plans
        todo = {name for name, each in plans.ok.items() if each.transaction}
        results = {
            name: known[name] or (HostResult(HostOutcome.NOT_STARTED) if name in todo else without_change(each))
            for name, each in plans.items()
        }
        before = {name: host.model_before for name, host in recorded.items()}
        progress = Progress(
            records=records, request=request, plans=plans, results=results, is_one=False, before=before,
            is_others=session.is_lost, network=network,
        )  # fmt: skip
        progress.answered()
        groups = only(values.groups, _remaining(todo, known))
        rollout = Rollout(
            session=session, request=request, planner=planner, groups=groups, plans=plans,
            todo=todo, results=results, verbose=options.verbose, history=False, progress=progress, observe=observe,
            watch=Watch(session, values.baselines),
        )  # fmt: skip
        end = finished(rollout, act)
    code = of_known_hosts(exit_code(results, end.status))
    tell("resume", session, request, options, code, plans, results, seen, rollout.waves, end, network)
    return code


def known_end(
    state: State | HostError, recorded: HostEntry | None, release: str, service: Service
) -> HostResult | None:
    """The end of a host's part in a rollout so far; None where its turn is to come. Pure."""
    was_changed = recorded is not None and recorded.outcome.stands
    if isinstance(state, HostError):
        return _unseen(state, recorded)
    if _is_busy(state, release):
        return HostResult(HostOutcome.LOCKED, f"by {state.running_transaction}", state)
    if was_changed or (state.release is not None and state.release.id == release):
        return judge(release, state, service)
    failed = any(past.error and past.release.id == release for past in state.history)
    if failed or state.unfinished_transaction == release:
        return HostResult(HostOutcome.ROLLED_BACK, "its change failed and was undone", state)
    if recorded is not None and recorded.outcome in OVER:
        return HostResult(recorded.outcome, recorded.detail, state)
    return None


def _unseen(error: HostError, recorded: HostEntry | None) -> HostResult:
    """The end of a part of which the record alone knows: who was or may have been changed is no failure, nor done."""
    if recorded is None or not recorded.outcome.was_tried:
        return without_change(error)
    if recorded.outcome in OVER:
        return HostResult(recorded.outcome, recorded.detail)
    return HostResult(HostOutcome.UNPROVEN, f"it may be on the release: {error.message}", is_unknown=True)


def _is_busy(state: State, release: str) -> bool:
    """True if the change for that release is under way on a host."""
    return f"for release {release}" in state.running_transaction


def _settled(session: FleetSession, release: str) -> HostResults[State]:
    """A look at every host once nothing is left running there of what was begun for this release."""
    seen = session.look(history=True)
    while not signals.stopped() and time.monotonic() < session.deadline:
        busy = [name for name, state in seen.ok.items() if _is_busy(state, release)]
        if not busy:
            break
        time.sleep(AGAIN)
        seen.update(session.run_on_each("Waiting for hosts", busy, lambda _, connection: connection.look(history=True)))
    return seen


def _preflight(session: FleetSession, values: Values) -> PreflightOptions:
    """The preflight of the hosts that were not begun."""
    listed = models.catalogue(session.fleet.models)
    wanted = {name: models.resolve(tiers.model, listed, allow_unlisted=True) for name, tiers in values.tiers.items()}
    return PreflightOptions(
        models=wanted,
        force=values.force,
        division=lambda hosts: only(values.groups, {host.name for host in hosts}),
    )


def _remaining(todo: Collection[str], known: Mapping[str, HostResult | None]) -> set[str]:
    """The hosts that are to be changed, or of whose part something is known. One that the rollout has not touched, and
    that can't be reached or is refused now, holds up nobody: as at the beginning.
    """
    return {*todo, *(name for name, end in known.items() if end and end.outcome is not HostOutcome.UNREACHABLE)}
