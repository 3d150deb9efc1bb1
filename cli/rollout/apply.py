"""The changes of hosts, side by side: each is applied, and looked at once more."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, MutableMapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from jada import HostError, UnforeseenError, attempt
from jada.cli import signals
from jada.cli.results import HostResults
from jada.cli.rollout.events import Event, Kind, Observer
from jada.cli.rollout.outcome import HostResult, in_short, without_change
from jada.cli.rollout.verify import verify
from jada.cli.session import FleetSession, NotStartedError
from jada.tasks.plan import Plan
from jada.tasks.state import State
from jada.tasks.transaction import Outcome, Result

if TYPE_CHECKING:
    from jada.tasks.engine import Connection

Planner = Callable[[str, State], Plan]


def apply_all(
    session: FleetSession,
    names: Collection[str],
    plans: MutableMapping[str, Plan | HostError],
    planner: Planner,
    history: bool,
    status: bool,
    reports: dict[str, HostResult],
    observe: Observer,
    at_once: int | None = None,
) -> None:
    """Changes the hosts, `at_once` of them side by side, and puts into `reports` how it ended for each once it has;
    each step of it is told `observe`.

    A host without a plan is looked at when its turn comes, and its plan put into `plans`.
    """
    service = session.engine.service

    def change(name: str, connection: Connection) -> HostResult:
        began = time.monotonic()
        observe(Event(kind=Kind.HOST_BEGIN, host=name))
        plan = plans.get(name)
        if not isinstance(plan, Plan):
            plan = plans[name] = planner(name, connection.look(history, goes_on=not service.asks_first))
            if not plan.transaction:
                return without_change(plan)
        _stop_here(name, session, plan)
        outcome = _apply(name, connection, plan, status, session, observe)
        if isinstance(outcome, Outcome) and outcome.result is Result.RECOVERED:
            # The host was put back from an earlier, unfinished change: the plan was made for the half-changed host.
            plan = planner(name, connection.look(history))
            _stop_here(name, session, plan)
            if plan.refusal or plan.lock:
                return without_change(plan)
            done = Outcome(Result.DONE, "", ())
            outcome = _apply(name, connection, plan, status, session, observe) if plan.transaction else done
        report = verify(name, connection, plan, outcome, service, status)
        return replace(report, notes=plan.notes, seconds=round(time.monotonic() - began, 3))

    def keep(name: str, connection: Connection) -> HostResult:
        reports[name] = change(name, connection)
        observe(host_end(name, reports[name]))
        return reports[name]

    done = HostResults(session.run_on_each("Changing hosts", names, keep, at_once) if names else {})
    reports.update({name: without_change(end) if isinstance(end, HostError) else end for name, end in done.items()})
    for name in done.failed:
        observe(host_end(name, reports[name]))


def _stop_here(name: str, session: FleetSession, plan: Plan) -> None:
    if signals.stopped():
        raise NotStartedError(f"{name} was not begun: jada was told to stop")
    goes_back = plan.transaction is not None and plan.transaction.release.kind == "rollback"
    session.require_lease(name, goes_back)


def host_end(name: str, result: HostResult) -> Event:
    """The event that a host's turn is over."""
    return Event(
        kind=Kind.HOST_END,
        host=name,
        outcome=result.outcome,
        why=result.detail,
        seconds=result.seconds,
        text=in_short(name, result),
    )


def _apply(
    name: str, connection: Connection, plan: Plan, status: bool, session: FleetSession, observe: Observer
) -> Outcome | HostError:
    """Applies the change: its outcome, or an error if nobody knows. Raises HostError where surely nothing was done."""
    assert plan.transaction is not None  # noqa: S101 - for the type checker
    # The lease is had once the plan was agreed to. A way back by force passes whatever number a host has met.
    fence = session.lease.fence if session.lease and not plan.transaction.force else None
    transaction = replace(plan.transaction, fence=fence)

    def on_step(step: str) -> None:
        observe(Event(kind=Kind.STEP, host=name, step=step))

    act = partial(connection.apply, transaction, status, session.engine.service.asks, on_step)
    outcome = attempt(name, act, "tell how its change ended")
    if isinstance(outcome, HostError) and not isinstance(outcome, UnforeseenError):
        raise outcome
    return outcome
