"""A rollout that was paused or cut off, gone on with or ended: a look tells what each host is on."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from jada import Exit, HostError, Service
from jada.cli import signals
from jada.cli.records.model import HostEntry, HostOutcome, RolloutEntry
from jada.cli.records.sqlite import Records
from jada.cli.results import HostResults, judge_each
from jada.cli.rollout.board import Board
from jada.cli.rollout.carry_out import End, Rollout, abort, carry_out
from jada.cli.rollout.observe import observed
from jada.cli.rollout.options import RolloutOptions
from jada.cli.rollout.outcome import HostResult, exit_code, without_change
from jada.cli.rollout.progress import Progress, Values
from jada.cli.rollout.run import finished, opened, tell
from jada.cli.rollout.verify import judge
from jada.cli.rollout.waves import Waves, bakes, baking
from jada.cli.session import FleetSession
from jada.cli.ui.run_id import run_id
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
    return _go_on(session, entry, records, options, lambda rollout: carry_out(rollout, entry.wave, skip_bake))


def end_here(session: FleetSession, entry: RolloutEntry, records: Records, options: RolloutOptions, by: str) -> Exit:
    """Sends all hosts back that a rollout has changed, and ends it. Raises JadaError, LockedError."""

    return _go_on(session, entry, records, options, lambda rollout: abort(rollout, len(rollout.waves) - 1, by))


def _go_on(
    session: FleetSession,
    entry: RolloutEntry,
    records: Records,
    options: RolloutOptions,
    act: Callable[[Rollout], End],
) -> Exit:
    values = Values.from_json(entry.values_json)
    # Hosts tell since when somebody changes them, and take what goes on for days for one that hangs.
    request = replace(values.request, at=datetime.now(UTC).isoformat(timespec="seconds"), run=run_id())
    service = session.engine.service
    session = session.with_new_deadline(baking(values.waves, values.policy))
    names = {name for wave in values.waves for name in wave}
    session = replace(session, hosts=tuple(host for host in session.hosts if host.name in names))
    recorded = {host.host: host for host in records.hosts(entry.release)}

    def planner(name: str, state: State) -> Plan:
        return plan.upgrade(request, session.role(name), values.tiers[name], state, service)

    board = Board(request.id, values.waves, bakes(values.waves, values.policy), service.settle)
    with (
        opened(session, request, "upgrade", board, records),
        observed(session.fleet, request, "resume", board, options.as_json) as observe,
    ):
        seen = _settled(session, request.id)
        known = {name: known_end(state, recorded.get(name), request.id, service) for name, state in seen.items()}
        plans = judge_each(seen, lambda name, state: Plan() if known[name] else planner(name, state))
        todo = {name for name, each in plans.ok.items() if each.transaction}
        results = {
            name: known[name] or (HostResult(HostOutcome.NOT_STARTED) if name in todo else without_change(each))
            for name, each in plans.items()
        }
        before = {name: host.model_before for name, host in recorded.items()}
        progress = Progress(records=records, request=request, plans=plans, results=results, is_one=False, before=before)
        progress.answered()
        waves = _remaining(values.waves, results, recorded)
        rollout = Rollout(
            session=session, request=request, planner=planner, policy=values.policy, waves=waves, plans=plans,
            todo=todo, results=results, verbose=options.verbose, history=False, progress=progress, observe=observe,
        )  # fmt: skip
        end = finished(rollout, act)
    code = exit_code(results, end.status)
    tell("resume", session, request, options, code, plans, results, seen, waves, end)
    return code


def known_end(
    state: State | HostError, recorded: HostEntry | None, release: str, service: Service
) -> HostResult | None:
    """The end of a host's part in a rollout so far; None where its turn is to come. Pure."""
    was_changed = recorded is not None and recorded.outcome.stands
    if isinstance(state, HostError):
        return without_change(state)
    if was_changed or (state.release is not None and state.release.id == release):
        return judge(release, state, service)
    failed = any(past.error and past.release.id == release for past in state.history)
    if failed or state.unfinished_transaction == release:
        return HostResult(HostOutcome.ROLLED_BACK, "its change failed and was undone", state)
    if recorded is not None and recorded.outcome in OVER:
        return HostResult(recorded.outcome, recorded.detail, state)
    return None


def _settled(session: FleetSession, release: str) -> HostResults[State]:
    """A look at every host once nothing is left running there of what was begun for this release."""
    seen = session.look(history=True)
    while not signals.stopped() and time.monotonic() < session.deadline:
        busy = [name for name, state in seen.ok.items() if f"for release {release}" in state.running_transaction]
        if not busy:
            break
        time.sleep(AGAIN)
        seen.update(session.run_on_each("Waiting for hosts", busy, lambda _, connection: connection.look(history=True)))
    return seen


def _remaining(waves: Waves, results: Mapping[str, HostResult], recorded: Mapping[str, HostEntry]) -> Waves:
    """The waves without hosts that are gone, or that can't be reached and were not touched: they hold up nobody."""

    def counts(name: str) -> bool:
        if name not in results:
            return False
        was_touched = name in recorded and recorded[name].outcome.was_tried
        return was_touched or results[name].outcome is not HostOutcome.UNREACHABLE

    return tuple(tuple(name for name in wave if counts(name)) for wave in waves)
