"""The bake of a rollout: the hosts that it has changed are watched for a while before it goes on."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from jada import Service
from jada.cli import signals
from jada.cli.records.model import HostOutcome
from jada.cli.results import judge_each
from jada.cli.rollout.events import Event, Kind, Observer
from jada.cli.rollout.outcome import HostResult
from jada.cli.rollout.verify import judge
from jada.cli.rollout.watch import Watch
from jada.cli.rollout.waves import Groups, of_hosts, waits
from jada.tasks import codes, measure
from jada.tasks.checks import Finding
from jada.tasks.measure import Judgement, Verdict
from jada.tasks.state import State

# Seconds from one look to the next, at most; and looks in a row at a host that may fail before a person has to decide.
INTERVAL = 10
MOST_ERRORS = 4
# Seconds from one question to the next whether somebody wants it to end.
TICK = 0.2


def bake(
    release: str,
    names: Sequence[str],
    results: dict[str, HostResult],
    watch: Watch,
    service: Service,
    groups: Groups,
    seconds: int,
    deadline: float,
    is_over: Callable[[], bool],
    observe: Observer,
) -> Verdict:
    """Watches those of the hosts that are on the release for so many seconds, puts what became of them into `results`,
    and gives the verdict on all of them. What the probes measured is told `observe`.

    It ends at once when more have failed than fleet.yml lets pass, or when it `is_over` by somebody's word. Where
    nothing is known of a host when the time is up, it goes on to the deadline (monotonic) if fleet.yml says to wait.
    """
    changed = {name: results[name].state for name in names if results[name].outcome.stands}
    ends = time.monotonic() + seconds
    interval = min(watch.interval or INTERVAL, INTERVAL)
    errors: Counter[tuple[str, str]] = Counter()
    while True:
        now = time.monotonic()
        sleep_until(min(ends if now < ends < now + interval else now + interval, deadline), is_over)
        if signals.stopped() or is_over():
            return of_hosts({name: results[name] for name in names}, groups)
        if time.monotonic() >= deadline:
            return Verdict.ERROR if errors else Verdict.INCONCLUSIVE
        seen = judge_each(
            watch.look([*changed], deadline),
            lambda name, host: judge_baking(release, changed[name], host.state, service, host.judgements),
        )
        # How its change went stays true.
        results |= {
            name: replace(result, notes=results[name].notes, seconds=results[name].seconds, log=results[name].log)
            for name, result in seen.ok.items()
        }
        for name, result in seen.ok.items():
            for probe in result.probes:
                observe(Event(kind=Kind.READING, host=name, reading=probe))
        errors = Counter(
            {error: errors[error] + 1 for error in (*((name, "") for name in seen.failed), *unmeasured(seen.ok))}
        )
        judged = {name: results[name] for name in names}
        verdict = of_hosts(judged, groups)
        if verdict is Verdict.FAILED:
            return verdict
        if any(count >= watch.most_errors.get(probe, MOST_ERRORS) for (_, probe), count in errors.items()):
            return Verdict.ERROR
        now = time.monotonic()
        is_known = verdict is Verdict.PASSED and not errors
        if now >= ends and (is_known or (not errors and not waits(judged, groups))):
            return verdict


def unmeasured(results: Mapping[str, HostResult]) -> Iterable[tuple[str, str]]:
    """The hosts and their probes that would count, and could not be measured."""
    probes = ((name, probe) for name, result in results.items() for probe in result.probes)
    return ((name, probe.probe) for name, probe in probes if probe.counts and probe.verdict is Verdict.ERROR)


def judge_baking(
    release: str, changed: State | None, state: State, service: Service, judgements: Sequence[Judgement] = ()
) -> HostResult:
    """The result for a host that bakes: as behind its change, the process that ran then still does, and no probe that
    counts has failed. Pure.
    """
    probes = (*measure.built_in(state), *judgements)
    result = replace(judge(release, state, service, measure.WEIGHED), probes=probes)
    failed = [str(probe) for probe in probes if probe.counts and probe.verdict is Verdict.FAILED]
    first, now = changed and changed.process, state.process
    if first and now and first.ticks != now.ticks:
        restarted = Finding.of(codes.SERVICE_RESTARTING, "the process that the change started", "one that began later")
        failed = ["its service was restarted since its change", *failed]
        result = replace(result, findings=(*result.findings, restarted))
    if not failed:
        return result
    return replace(result, outcome=HostOutcome.UNPROVEN, detail="; ".join(failed), is_unknown=False)


def sleep_until(moment: float, is_over: Callable[[], bool]) -> None:
    """Waits for that moment (monotonic), a Ctrl-C, or until it `is_over`."""
    while (left := moment - time.monotonic()) > 0 and not signals.stopped() and not is_over():
        time.sleep(min(TICK, left))
