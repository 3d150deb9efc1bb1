"""The carrying out of a rollout: wave after wave, each watched before the next, and back where one fails."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from jada.cli import signals
from jada.cli.records.model import HostOutcome, RolloutStatus
from jada.cli.records.sqlite import Records, best_effort
from jada.cli.results import HostResults, judge_each
from jada.cli.rollout.apply import Planner, apply_all
from jada.cli.rollout.bake import bake
from jada.cli.rollout.outcome import HostResult, without_change
from jada.cli.rollout.record import as_entry, as_host_entries
from jada.cli.rollout.waves import Verdict, Waves, bake_seconds, of_hosts, verdict
from jada.cli.session import FleetSession
from jada.cli.ui.console import err, escape, named, plural
from jada.cli.ui.duration import told
from jada.inventory.fleet.rollout import RolloutPolicy
from jada.tasks import plan
from jada.tasks.plan import Plan, Request
from jada.tasks.state import State


@dataclass(frozen=True, slots=True)
class End:
    """The end of a rollout, or of a part of it; `why` is the end of a sentence, for people."""

    status: RolloutStatus
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """One rollout under way: `todo` are the plans by host, `waves` their order, `results` what came of each so far.

    `save` writes that down.
    """

    session: FleetSession
    request: Request
    planner: Planner
    policy: RolloutPolicy
    waves: Waves
    todo: Mapping[str, Plan]
    results: dict[str, HostResult]
    verbose: bool
    history: bool
    records: Records
    save: Callable[[], None]

    @property
    def is_one(self) -> bool:
        """True if all hosts are changed at once, without any bake: nothing is held against one that others failed."""
        return len(self.waves) < 2 and not self.policy.final_bake_time


def carry_out(rollout: Rollout, first: int = 0) -> End:
    """Changes the hosts wave after wave, from the `first` on, and puts how it ended for each into `results`."""
    for number in range(first, len(rollout.waves)):
        end = _wave(rollout, number)
        if end.status is not RolloutStatus.DONE:
            return end
    return End(RolloutStatus.DONE)


def _wave(rollout: Rollout, number: int) -> End:
    """Changes one wave and watches it; DONE if the next may come."""
    names, results, policy = rollout.waves[number], rollout.results, rollout.policy
    results |= dict.fromkeys(names, HostResult(HostOutcome.IN_PROGRESS))
    rollout.save()
    plans = {name: rollout.todo[name] for name in names}
    try:
        apply_all(
            rollout.session, plans, rollout.planner, rollout.history, rollout.verbose, results, policy.max_parallel
        )
    finally:
        rollout.save()
    if rollout.is_one:
        return End(RolloutStatus.DONE)
    touched = _touched(rollout, number)
    judged = of_hosts({name: results[name] for name in touched}, policy)
    not_begun = next((results[name] for name in names if results[name].outcome is HostOutcome.NOT_STARTED), None)
    if not_begun and judged is not Verdict.FAILED:
        return End(RolloutStatus.PAUSED, not_begun.detail)
    seconds = bake_seconds(rollout.waves, number, policy)
    if seconds and judged is not Verdict.FAILED:
        err.print(f"{escape(_title(rollout, number))}: changed; it bakes for {escape(told(seconds))}")
        judged = bake(
            {name: rollout.todo[name] for name in touched}, results, partial(_look, rollout.session),
            rollout.session.engine.service, policy, seconds, rollout.session.deadline,
        )  # fmt: skip
        rollout.save()
    if signals.stopped() and judged is not Verdict.FAILED:
        return End(RolloutStatus.PAUSED, "jada was told to stop")
    return _next(rollout, number, judged)


def _touched(rollout: Rollout, number: int) -> list[str]:
    """The hosts of all waves up to that number."""
    return [name for wave in rollout.waves[: number + 1] for name in wave]


def _title(rollout: Rollout, number: int) -> str:
    return f"Wave {number + 1} of {len(rollout.waves)} ({named(rollout.waves[number])})"


def _next(rollout: Rollout, number: int, judged: Verdict) -> End:
    """The consequence of the verdict on all hosts up to a wave."""
    results, touched, title = rollout.results, _touched(rollout, number), _title(rollout, number)
    if judged is Verdict.PASSED:
        err.print(f"{escape(title)}: passed")
        return End(RolloutStatus.DONE)
    of_verdict = [name for name in touched if verdict(results[name]) is judged]
    if judged is not Verdict.FAILED:
        unknown = "could not be looked at" if judged is Verdict.ERROR else "can't be judged"
        return End(RolloutStatus.PAUSED, f"{named(of_verdict) or named(touched)} {unknown}")
    why = f"{plural(len(of_verdict), 'host')} of {len(touched)} failed ({named(of_verdict)})"
    err.print(f"[red]{escape(title)}: failed[/]: {escape(why)}")
    if rollout.policy.on_failure == "pause":
        return End(RolloutStatus.PAUSED, why)
    back = touched if rollout.policy.on_failure == "rollback" else rollout.waves[number]
    return send_back(rollout, back, why)


def send_back(rollout: Rollout, names: Sequence[str], why: str) -> End:
    """Puts the hosts that are on the rollout's release back, all at once; a way back has no waves and no bakes."""
    session, results = rollout.session.with_new_deadline(), rollout.results
    standing = [name for name in names if results[name].outcome.stands]
    reason = f"release {rollout.request.id}: {why}"
    request = session.request(reason=reason, force=rollout.request.force)

    def planner(name: str, state: State) -> Plan:
        return plan.rollback(request, session.role(name), "", state, session.engine.service, rollout.request.id)

    seen = session.run_on_each("Looking at hosts", standing, lambda _, connection: connection.look(history=True))
    plans = judge_each(seen, planner)
    todo = {name: each for name, each in plans.ok.items() if each.transaction}
    ends = {name: without_change(each) for name, each in plans.items() if name not in todo}
    ends |= dict.fromkeys(todo, HostResult(HostOutcome.IN_PROGRESS))
    with best_effort():
        rollout.records.add(as_entry(request, "rollback", todo), as_host_entries(request, plans, ends))
    try:
        apply_all(session, todo, planner, True, rollout.verbose, ends)
    finally:
        with best_effort():
            rollout.records.update(as_host_entries(request, plans, ends))
    results |= {name: _sent_back(end, why) for name, end in ends.items()}
    return End(RolloutStatus.ROLLED_BACK, why)


def _sent_back(end: HostResult, why: str) -> HostResult:
    if end.outcome.ok:
        return replace(end, outcome=HostOutcome.ROLLED_BACK, detail=f"sent back, for {why}")
    return replace(end, outcome=HostOutcome.ROLLBACK_FAILED, detail=f"not sent back ({end.detail}), for {why}")


def _look(session: FleetSession, names: Sequence[str]) -> HostResults[State]:
    ask = session.engine.service.asks()
    return session.run_on_each("Watching hosts", names, lambda _, connection: connection.look(ask=ask))
