"""The result of a rollout on each host, and the exit code that tells of all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from jada import Exit, HostError, attempt
from jada.cli import signals
from jada.cli.records.model import HostOutcome, RolloutStatus
from jada.cli.results import worst
from jada.cli.session import NotStartedError
from jada.tasks import checks
from jada.tasks.checks import Finding
from jada.tasks.evidence import strongest_evidence
from jada.tasks.measure import Judgement
from jada.tasks.plan import Plan
from jada.tasks.state import State
from jada.tasks.transaction import Result

Plans = Mapping[str, Plan | HostError]

OUTCOMES = {
    Result.RESTORED: HostOutcome.ROLLED_BACK,
    Result.RECOVERED: HostOutcome.ROLLED_BACK,
    Result.BROKEN: HostOutcome.ROLLBACK_FAILED,
    Result.REFUSED: HostOutcome.REJECTED,
    Result.LOCKED: HostOutcome.LOCKED,
    Result.FENCED: HostOutcome.LOCKED,
}


@dataclass(frozen=True, slots=True)
class HostResult:
    """One host's part in a rollout. `state` is what the last look saw, if there was one, and `probes` what they said.

    `is_unknown` tells of a host on which nothing says what runs from one on which another thing runs.
    """

    outcome: HostOutcome
    detail: str = ""
    state: State | None = None
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    log: tuple[str, ...] = ()
    is_unknown: bool = False
    probes: tuple[Judgement, ...] = ()


def exit_code(reports: Mapping[str, HostResult], status: RolloutStatus = RolloutStatus.DONE) -> Exit:
    """One code for all: that it was ended by Ctrl-C comes first, whatever became of the hosts that were begun."""
    outcomes = {report.outcome for report in reports.values()}
    if signals.stopped() and (status is RolloutStatus.PAUSED or HostOutcome.NOT_STARTED in outcomes):
        return Exit.STOPPED
    if status is RolloutStatus.PAUSED:
        return Exit.PAUSED
    if status is RolloutStatus.SUPERSEDED:
        # Whatever its hosts ran when they were looked at last, somebody has changed them since.
        return Exit.FAILED
    if status in (RolloutStatus.ROLLED_BACK, RolloutStatus.ABORTED):
        # Hosts whose turn never came are as they were.
        outcomes -= {HostOutcome.NOT_STARTED}
    return worst({outcome.exit for outcome in outcomes})


def without_change(plan: Plan | HostError) -> HostResult:
    if isinstance(plan, HostError):
        outcome = HostOutcome.NOT_STARTED if isinstance(plan, NotStartedError) else HostOutcome.UNREACHABLE
        return HostResult(outcome, f"{plan.message}; {plan.hint}" if plan.hint else plan.message)
    if plan.lock:
        return HostResult(HostOutcome.LOCKED, f"by {plan.lock}")
    if plan.refusal:
        return HostResult(HostOutcome.REJECTED, plan.refusal)
    return HostResult(HostOutcome.UNCHANGED, plan.idle or "it runs what was asked for already", notes=plan.notes)


def in_short(name: str, result: HostResult) -> str:
    """The end of a host's turn in one line, behind its name: "verified in 9.3 s: claude-opus-5 (reported)"."""
    text = attempt(name, lambda: _in_short(result), "show what it saw there")
    return f"{result.outcome.label}: {text.message}" if isinstance(text, HostError) else text


def _in_short(result: HostResult) -> str:
    outcome, detail = result.outcome.label, result.detail
    if result.outcome is HostOutcome.ROLLED_BACK:
        model = checks.running_model(result.state) if result.state else ""
        outcome = f"failed, rolled back and runs {f'{model} again' if model else 'again'}"
    elif result.outcome.ok and result.state:
        detail = _runs(result.state)
    if result.outcome is HostOutcome.VERIFIED and result.seconds:
        outcome += f" in {result.seconds:.1f} s"
    return f"{outcome}: {detail}" if detail else outcome


def _runs(state: State) -> str:
    strongest, model = strongest_evidence(state), checks.running_model(state)
    if state.process is None:
        return "no process"
    return f"{model} ({strongest.kind})" if strongest and model else checks.NOT_TOLD


def model_now(name: str, report: HostResult, seen: State | HostError) -> str:
    """The model a host runs by the last look at it, "" where that is not known."""
    before = seen if isinstance(seen, State) and report.outcome.is_untouched else None
    return model_seen(name, replace(report, state=report.state or before))


def model_seen(name: str, report: HostResult) -> str:
    state = report.state
    model = attempt(name, lambda: checks.running_model(state)) if state else ""
    return "" if isinstance(model, HostError) else model
