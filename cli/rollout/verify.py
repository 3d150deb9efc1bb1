"""The check of a host after its change: only what a look sees is believed."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from jada import HostError, Service, attempt
from jada.cli.records.model import HostOutcome
from jada.cli.results import judge_each
from jada.cli.rollout.outcome import OUTCOMES, HostResult
from jada.tasks import checks, codes
from jada.tasks.checks import Finding
from jada.tasks.codes import FindingCode
from jada.tasks.evidence import strongest_evidence
from jada.tasks.plan import Plan
from jada.tasks.served import is_same
from jada.tasks.state import State
from jada.tasks.transaction import Outcome, Result

if TYPE_CHECKING:
    from jada.tasks.engine import Connection

Look = Callable[[], State]
LOOK_AGAIN = "look at it again"


def verify(
    name: str, connection: Connection, plan: Plan, told: Outcome | HostError, service: Service, status: bool
) -> HostResult:
    """The result on a host: "done" is believed only after a look, which tells too where nothing was said."""
    look = partial(connection.look, status=status)
    if isinstance(told, HostError):
        connection.close()
        report = verify(name, connection, plan, Outcome(Result.DONE, "", ()), service, status)
        return report if report.outcome is HostOutcome.VERIFIED else replace(report, detail=told.message)
    if OUTCOMES.get(told.result) is HostOutcome.ROLLED_BACK:
        return _verify_restored(name, plan, told, look)
    if told.result is not Result.DONE:
        return HostResult(OUTCOMES[told.result], _why_not(told), log=told.log)
    asking = partial(look, ask=service.asks)
    seen: State | HostError = told.seen if told.seen else attempt(name, asking, LOOK_AGAIN)
    if isinstance(seen, HostError):
        # Whoever can spoil the question to its CLI says nothing of what runs.
        seen = attempt(name, look, LOOK_AGAIN)
    judged = judge_each({name: seen}, lambda _, state: judge(_release(plan), state, service))[name]
    if isinstance(judged, HostError):
        return HostResult(HostOutcome.UNPROVEN, f"the host says that it is done, but {judged.message}")
    return judged


def _why_not(told: Outcome) -> str:
    match told.result:
        case Result.LOCKED:
            return f"by {told.reason}"
        case Result.FENCED:
            return f"{told.reason}; if nobody works on it now, begin anew, or in an incident: jada rollback --force"
        case _:
            return told.reason


def judge(release: str, state: State, service: Service, weighed: Collection[FindingCode] = ()) -> HostResult:
    """The result for a host that says that it is on a release, or "" for one that nobody made: verified by what was
    observed alone. Errors that are `weighed` elsewhere are told, and no more. Pure.
    """
    found = _found(release, state)
    if any(finding.is_error and finding.kind not in weighed for finding in found):
        is_unknown = bool(state.unseen) and not state.report.model
        why = "what runs is not known" if is_unknown else "what runs is not what was asked for"
        return HostResult(HostOutcome.UNPROVEN, why, state, found, is_unknown=is_unknown)
    if service.proof == "observed" and (unproven := checks.unproven(state)):
        why = "nothing observed says which model runs"
        return HostResult(HostOutcome.UNPROVEN, why, state, (*found, unproven), is_unknown=True)
    strongest = strongest_evidence(state)
    desired = state.release.desired.model if state.release else ""
    if strongest and desired and strongest.is_proof and not is_same(desired, strongest.model):
        return HostResult(HostOutcome.UNPROVEN, f"what runs is not what was asked for: {strongest}", state, found)
    return HostResult(HostOutcome.VERIFIED, strongest.text if strongest else "", state, found)


def _verify_restored(name: str, plan: Plan, told: Outcome, look: Look) -> HostResult:
    """The result on a host that went back, looked at and judged like any other: what it ran before may crash too."""
    seen = attempt(name, look, LOOK_AGAIN)
    judged = judge_each({name: seen}, lambda _, state: (state, _not_running(plan, state)))[name]
    if isinstance(judged, HostError):
        detail = f"{told.reason}; it says that it rolled back, but {judged.message}"
        return HostResult(HostOutcome.ROLLBACK_FAILED, detail, log=told.log)
    state, found = judged
    # On a disk that became read-only its mark stays; the next change takes that away. What its restarts left behind is
    # told, and is no service that does not run.
    if any(finding.kind not in (codes.TRANSACTION_CUT_OFF, codes.PROCESS_LEFT) for finding in found):
        detail = f"rolled back, but it does NOT run. {told.reason}"
        return HostResult(HostOutcome.ROLLBACK_FAILED, detail, state, found, log=told.log)
    return HostResult(HostOutcome.ROLLED_BACK, told.reason, state, found, log=told.log)


def _not_running(plan: Plan, state: State) -> tuple[Finding, ...]:
    """Findings of a service that does not run as it did before; what was wrong with its files then is no news."""
    before = plan.transaction.state if plan.transaction else state
    was_stopped = before.unit.active in ("inactive", "failed")
    news = checks.NOT_RUNNING - {codes.SERVICE_NOT_RUNNING} if was_stopped else checks.NOT_RUNNING
    known = {finding.kind for finding in checks.drift(before)} - news
    found = [one for one in checks.drift(state) if one.is_error and one.kind not in known]
    if state.release is None:
        found += checks.unanswered(state)
    return tuple(found)


def _release(plan: Plan) -> str:
    return plan.transaction.release.id if plan.transaction else ""


def _found(release: str, state: State) -> tuple[Finding, ...]:
    found = checks.drift(state)
    if release and (state.release is None or state.release.id != release):
        seen = state.release.id if state.release else "none"
        return (Finding.of(codes.OTHER_RELEASE, release, seen), *found)
    return found
