"""The carrying out of a rollout: wave after wave, each watched before the next, and back where one fails."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from jada import JadaError
from jada.cli import signals
from jada.cli.records.model import ABORT, PAUSE, PROMOTE, HostOutcome, RolloutStatus
from jada.cli.results import HostResults
from jada.cli.rollout.apply import Planner, apply_all, host_end
from jada.cli.rollout.bake import bake
from jada.cli.rollout.events import Event, Kind, Observer
from jada.cli.rollout.outcome import HostResult
from jada.cli.rollout.progress import GONE, Progress
from jada.cli.rollout.record import as_entry, as_host_entries
from jada.cli.rollout.watch import Watch
from jada.cli.rollout.waves import (
    HELD_UP,
    Groups,
    Waves,
    at_once,
    bake_seconds,
    of_hosts,
    on_failure,
    together,
    verdict,
)
from jada.cli.session import FleetSession
from jada.cli.ui.console import named, plural
from jada.tasks import plan
from jada.tasks.measure import Verdict
from jada.tasks.plan import Plan, Request
from jada.tasks.state import State


@dataclass(frozen=True, slots=True)
class End:
    """The end of a rollout, or of a part of it; `why` is the end of a sentence, for people."""

    status: RolloutStatus
    why: str = ""


DONE = End(RolloutStatus.DONE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """One rollout under way: `todo` are the hosts to change, by their `plans` or by those that are made when their turn
    comes, `groups` their order, `results` what came of each so far.

    `progress` is where that is written down, `observe` is told what happens, and `watch` has what was measured.
    """

    session: FleetSession
    request: Request
    planner: Planner
    groups: Groups
    plans: HostResults[Plan]
    todo: Collection[str]
    results: dict[str, HostResult]
    verbose: bool
    history: bool
    progress: Progress
    observe: Observer
    watch: Watch

    @property
    def waves(self) -> Waves:
        """The hosts that are changed together, in their order."""
        return together(self.groups)

    def is_over(self) -> bool:
        """True once somebody wants something of it, or has its lease: then nothing is waited for."""
        return self.progress.asked()[0] != "" or self.session.is_lost()

    def touched(self, number: int) -> list[str]:
        """The hosts of all waves up to that number."""
        return [name for wave in self.waves[: number + 1] for name in wave]

    def tell(self, kind: Kind, number: int, why: str = "", seconds: float = 0) -> None:
        """Tells what became of the wave of that number, from 0."""
        hosts = self.waves[number]
        self.observe(Event(kind=kind, wave=number + 1, hosts=hosts, why=why, seconds=seconds))


def carry_out(rollout: Rollout, first: int = 0, skip_bake: bool = False) -> End:
    """Changes the hosts wave after wave, from the `first` on, and puts how it ended for each into `results`.

    That first one is gone on from, in whatever state it is, without a bake if that is to be skipped.
    """
    for number in range(first, len(rollout.waves)):
        end = _wave(rollout, number, skip_bake and number == first)
        if end.status is not RolloutStatus.DONE:
            return end
    return DONE


def _wave(rollout: Rollout, number: int, is_promoted: bool) -> End:
    """Changes one wave and watches it; DONE if the next may come."""
    names, results, groups = rollout.waves[number], rollout.results, rollout.groups
    if not names:
        return DONE
    if why := rollout.session.why_not():
        return End(RolloutStatus.PAUSED, f"its lease {why}")
    todo = [name for name in names if name in rollout.todo]
    results |= dict.fromkeys(todo, HostResult(HostOutcome.IN_PROGRESS))
    rollout.progress.save(number, False)
    rollout.tell(Kind.WAVE_BEGIN, number)
    try:
        apply_all(
            rollout.session, todo, rollout.plans, rollout.planner, rollout.history, rollout.verbose, results,
            rollout.observe, at_once(groups, number),
        )  # fmt: skip
    finally:
        rollout.progress.save(number, False)
    if rollout.progress.is_one:
        return DONE
    if end := _ended_by_word(rollout, number):
        return end
    touched = rollout.touched(number)
    judged = of_hosts({name: results[name] for name in touched}, groups)
    held_up = next((results[name] for name in names if results[name].outcome in HELD_UP), None)
    if held_up and judged is not Verdict.FAILED:
        return End(RolloutStatus.PAUSED, held_up.detail)
    if is_promoted and judged is Verdict.INCONCLUSIVE:
        judged = Verdict.PASSED
    seconds = 0 if is_promoted else bake_seconds(groups, number)
    if seconds and judged is not Verdict.FAILED:
        rollout.progress.save(number, True)
        rollout.tell(Kind.BAKE, number, seconds=seconds)
        before = dict(results)
        judged = bake(
            rollout.request.id, touched, results, rollout.watch, rollout.session.engine.service, groups,
            seconds, rollout.session.deadline, rollout.is_over, rollout.observe,
        )  # fmt: skip
        rollout.progress.save(number, True)
        for name in touched:
            if results[name].outcome is not before[name].outcome:
                rollout.observe(host_end(name, results[name]))
    return _ended_by_word(rollout, number) or _by_word(rollout, number, judged) or _next(rollout, number, judged)


def _ended_by_word(rollout: Rollout, number: int) -> End | None:
    """The end that somebody has put to it meanwhile, whatever became of its hosts; None where nobody did."""
    if why := rollout.session.why_not(goes_back=True):
        return End(RolloutStatus.PAUSED, f"its lease {why}")
    verb, by = rollout.progress.asked()
    if verb == GONE:
        return End(RolloutStatus.SUPERSEDED, by)
    return abort(rollout, number, by) if verb == ABORT else None


def _by_word(rollout: Rollout, number: int, judged: Verdict) -> End | None:
    """The consequence of what somebody asked for meanwhile; None where nobody did, or hosts have failed."""
    verb, by = rollout.progress.asked()
    if judged is Verdict.FAILED:
        return None
    if verb == PAUSE or signals.stopped():
        return End(RolloutStatus.PAUSED, f"{by} paused it" if verb else "jada was told to stop")
    if verb == PROMOTE:
        rollout.progress.answered()
        rollout.tell(Kind.PROMOTED, number, by)
        # A person has decided: what could not be measured holds up no later wave.
        rollout.results.update({name: replace(rollout.results[name], probes=()) for name in rollout.touched(number)})
        return _next(rollout, number, Verdict.PASSED)
    return None


def _next(rollout: Rollout, number: int, judged: Verdict) -> End:
    """The consequence of the verdict on all hosts up to a wave."""
    results, touched = rollout.results, rollout.touched(number)
    if judged is Verdict.PASSED:
        rollout.tell(Kind.WAVE_PASSED, number)
        return DONE
    tried = [name for name in touched if results[name].outcome not in HELD_UP]
    of_verdict = [name for name in tried if verdict(results[name]) is judged]
    if judged is not Verdict.FAILED:
        unmeasured = [name for name in touched if any(probe.counts for probe in results[name].probes)]
        if number == len(rollout.waves) - 1 and of_verdict and not unmeasured:
            # There is nothing left to hold back: the outcomes of these hosts say that they are not known.
            return DONE
        unknown = "could not be looked at" if judged is Verdict.ERROR else "can't be judged"
        hosts = named(of_verdict) or named(unmeasured) or named(touched)
        return End(RolloutStatus.PAUSED, f"{hosts} {unknown}{_figures(results, unmeasured)}")
    why = f"{plural(len(of_verdict), 'host')} of {len(tried)} failed ({named(of_verdict)})"
    why += _figures(results, of_verdict)
    rollout.tell(Kind.WAVE_FAILED, number, why)
    consequence = on_failure({name: results[name] for name in touched}, rollout.groups)
    if consequence == "pause" or signals.stopped():
        return End(RolloutStatus.PAUSED, why)
    wave = {*rollout.waves[number], *of_verdict}
    send_back(rollout, touched if consequence == "rollback" else [name for name in touched if name in wave], why)
    return End(RolloutStatus.ROLLED_BACK, why)


def _figures(results: Mapping[str, HostResult], names: Sequence[str]) -> str:
    """What was measured on the first of the hosts, to go behind what is said of all of them."""
    for result in (results[name] for name in names):
        if probes := [str(probe) for probe in result.probes if probe.counts]:
            return f": {'; '.join(probes)}"
        if errors := [str(finding) for finding in result.findings if finding.is_error]:
            return f": {'; '.join(errors)}"
        if result.detail:
            return f": {result.detail}"
    return ""


def abort(rollout: Rollout, number: int, by: str) -> End:
    """Ends a rollout by somebody's word: all hosts that it has changed go back."""
    why = f"{by} aborted it"
    send_back(rollout, rollout.touched(number), why)
    return End(RolloutStatus.ABORTED, why)


def send_back(rollout: Rollout, names: Sequence[str], why: str) -> None:
    """Puts the hosts that are on the rollout's release back, all at once; a way back has no waves and no bakes."""
    session, results = rollout.session.with_new_deadline(), rollout.results
    standing = [name for name in names if results[name].outcome.stands]
    moment = None
    with suppress(JadaError):
        moment = rollout.progress.records.next_moment(session.fleet.name, datetime.now(UTC))
    why_back = f"release {rollout.request.id}: {why}"
    request = session.request(reason=why_back, force=rollout.request.force, moment=moment)

    def planner(name: str, state: State) -> Plan:
        return plan.rollback(request, session.role(name), "", state, session.engine.service, rollout.request.id)

    if standing:
        rollout.observe(Event(kind=Kind.ROLLBACK, hosts=tuple(standing), why=why))

    def observe(event: Event) -> None:
        is_end = event.kind is Kind.HOST_END
        rollout.observe(host_end(event.host, _sent_back(ends[event.host], why)) if is_end else event)

    # Each is looked at when its turn comes: one that hangs holds up no other.
    plans: HostResults[Plan] = HostResults()
    ends = dict.fromkeys(standing, HostResult(HostOutcome.IN_PROGRESS))
    _write_down(rollout, request, plans, ends)
    try:
        apply_all(session, standing, plans, planner, True, rollout.verbose, ends, observe)
    finally:
        _write_down(rollout, request, plans, ends)
    results |= {name: replace(_sent_back(end, why), probes=results[name].probes) for name, end in ends.items()}


def _write_down(rollout: Rollout, request: Request, plans: HostResults[Plan], ends: Mapping[str, HostResult]) -> None:
    with rollout.progress.records.best_effort():
        rollout.progress.records.add(as_entry(request, "rollback", plans.ok), as_host_entries(request, plans, ends))


def _sent_back(end: HostResult, why: str) -> HostResult:
    if end.outcome.ok:
        return replace(end, outcome=HostOutcome.ROLLED_BACK, detail=f"sent back: {why}")
    return replace(end, outcome=HostOutcome.ROLLBACK_FAILED, detail=f"not sent back ({end.detail}): {why}")
