"""The bake of a rollout: the hosts that it has changed are watched for a while before it goes on."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

from jada import Service
from jada.cli import signals
from jada.cli.records.model import HostOutcome
from jada.cli.results import HostResults, judge_each
from jada.cli.rollout.outcome import HostResult
from jada.cli.rollout.verify import judge
from jada.cli.rollout.waves import Verdict, of_hosts
from jada.cli.session import PATIENCE
from jada.inventory.fleet.rollout import RolloutPolicy
from jada.tasks import codes
from jada.tasks.checks import Finding
from jada.tasks.state import State

# Seconds from one look to the next; and looks in a row at a host that may fail before a person has to decide.
INTERVAL = 10
MOST_ERRORS = 4
# Seconds from one question to the next whether somebody wants it to end.
TICK = 0.2


def bake(
    release: str,
    names: Sequence[str],
    results: dict[str, HostResult],
    look: Callable[[str, Sequence[str], float], HostResults[State]],
    service: Service,
    policy: RolloutPolicy,
    seconds: int,
    deadline: float,
    is_over: Callable[[], bool],
) -> Verdict:
    """Watches those of the hosts that are on the release for so many seconds, puts what became of them into `results`,
    and gives the verdict on all of them.

    It ends at once when more have failed than fleet.yml lets pass, or when it `is_over` by somebody's word. Where
    nothing is known of a host when the time is up, it goes on to the deadline (monotonic) if fleet.yml says to wait.
    """
    changed = {name: results[name].state for name in names if results[name].outcome.stands}
    ends = time.monotonic() + seconds
    errors: Counter[str] = Counter()
    while True:
        now = time.monotonic()
        sleep_until(min(ends if now < ends < now + INTERVAL else now + INTERVAL, deadline), is_over)
        if signals.stopped() or is_over():
            return of_hosts({name: results[name] for name in names}, policy)
        if time.monotonic() >= deadline:
            return Verdict.ERROR if errors else Verdict.INCONCLUSIVE
        seen = judge_each(
            look("Watching hosts", [*changed], min(PATIENCE, deadline - time.monotonic())),
            lambda name, state: judge_baking(release, changed[name], state, service),
        )
        results.update(seen.ok)
        errors = Counter({name: errors[name] + 1 for name in seen.failed})
        verdict = of_hosts({name: results[name] for name in names}, policy)
        if verdict is Verdict.FAILED:
            return verdict
        if max(errors.values(), default=0) >= MOST_ERRORS:
            return Verdict.ERROR
        now = time.monotonic()
        is_known = verdict is Verdict.PASSED and not errors
        if now >= ends and (is_known or (policy.on_inconclusive == "pause" and not errors)):
            return verdict


def judge_baking(release: str, changed: State | None, state: State, service: Service) -> HostResult:
    """The result for a host that bakes: as behind its change, and the process that ran then still does. Pure."""
    result = judge(release, state, service)
    first, now = changed and changed.process, state.process
    if not (first and now) or first.ticks == now.ticks:
        return result
    restarted = Finding.of(codes.SERVICE_RESTARTING, "the process that the change started", "one that began later")
    return replace(
        result,
        outcome=HostOutcome.UNPROVEN,
        detail="its service was restarted since its change",
        findings=(*result.findings, restarted),
        is_unknown=False,
    )


def sleep_until(moment: float, is_over: Callable[[], bool]) -> None:
    """Waits for that moment (monotonic), a Ctrl-C, or until it `is_over`."""
    while (left := moment - time.monotonic()) > 0 and not signals.stopped() and not is_over():
        time.sleep(min(TICK, left))
