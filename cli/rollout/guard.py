"""The guard: hosts are watched after a rollout, and where they fail, those of their release go back by themselves."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from jada import Exit, HostError, Service
from jada.cli import signals
from jada.cli.drift import notices
from jada.cli.drift.asking import check_hosts
from jada.cli.records.sqlite import Records
from jada.cli.results import HostResults, judge_each, worst
from jada.cli.rollout.bake import judge_baking, sleep_until
from jada.cli.rollout.options import UNASKED
from jada.cli.rollout.outcome import HostResult
from jada.cli.rollout.run import run_rollout
from jada.cli.rollout.waves import Verdict, verdict
from jada.cli.session import PATIENCE, FleetSession
from jada.cli.ui.console import err, escape, grouped, named, plural
from jada.inventory.fleet.rollout import Share
from jada.tasks import plan
from jada.tasks.plan import Plan
from jada.tasks.state import State

# The beginning of the reason of each release that the guard made, by which the record knows them.
BY_GUARD = "guard: "


@dataclass(frozen=True, slots=True)
class Failing:
    """A release of which more hosts fail than may: those that do, and all that are on it."""

    release: str
    failed: tuple[str, ...]
    hosts: tuple[str, ...]

    @property
    def why(self) -> str:
        return f"{plural(len(self.failed), 'host')} of {len(self.hosts)} on release {self.release} failed"


def guard(session: FleetSession, records: Records, seconds: int) -> Exit:
    """Watches the hosts for so many seconds: ROLLED_BACK if it sent any back, FAILED where that was not to be done."""
    policy, ends, codes = session.fleet.guard, time.monotonic() + seconds, {Exit.OK}
    quiet_until = 0.0
    in_a_row: Counter[str] = Counter()
    before: HostResults[State] = HostResults()
    while not signals.stopped():
        seen = check_hosts(session.with_new_deadline(), "Watching hosts", within=PATIENCE)
        failed = failed_hosts(before.ok, seen, session.engine.service)
        in_a_row = Counter({name: in_a_row[name] + 1 for name in failed})
        before = seen
        lasting = {name for name, looks in in_a_row.items() if looks >= policy.looks}
        for failing in failing_releases(seen, lasting, session.fleet.rollout.max_failures):
            if time.monotonic() < quiet_until:
                break
            quiet_until = time.monotonic() + policy.cool_down
            codes.add(_act(session, records, failing))
            before, in_a_row = HostResults(), Counter()
        if time.monotonic() >= ends:
            return worst(codes)
        sleep_until(min(time.monotonic() + policy.interval, ends), lambda: False)
    return Exit.STOPPED


def failed_hosts(
    before: Mapping[str, State], seen: Mapping[str, State | HostError], service: Service
) -> frozenset[str]:
    """The hosts that are known to fail on the release that they are on, by this look and the one before. Pure."""

    def judge(name: str, state: State) -> HostResult | None:
        if state.release is None or state.running_transaction or not state.release.desired.base:
            return None
        earlier = before.get(name)
        is_same = earlier is not None and earlier.release is not None and earlier.release.id == state.release.id
        return judge_baking(state.release.id, earlier if is_same else None, state, service)

    judged = judge_each(seen, judge)
    return frozenset(name for name, end in judged.ok.items() if end and verdict(end) is Verdict.FAILED)


def failing_releases(seen: HostResults[State], failed: Collection[str], most: Share) -> Iterator[Failing]:
    """The releases of which more of the hosts have failed than may, the newest first. Pure."""
    hosts_of = grouped((state.release.id, name) for name, state in seen.ok.items() if state.release)
    for release in sorted(hosts_of, reverse=True):
        hosts = hosts_of[release]
        bad = tuple(name for name in hosts if name in failed)
        if bad and most.is_passed(len(bad), len(hosts)):
            yield Failing(release, bad, tuple(hosts))


def _act(session: FleetSession, records: Records, failing: Failing) -> Exit:
    """Sends the hosts of a release back, unless that was done often enough today; people are told either way."""
    fleet, most = session.fleet, session.fleet.guard.most_per_day
    today = records.since(fleet.name, datetime.now(UTC) - timedelta(days=1))
    if sum(entry.reason.startswith(BY_GUARD) for entry in today) >= most:
        _tell(session, f"{failing.why} ({named(failing.failed)}); hosts went back {most} times today: left as they are")
        return Exit.FAILED
    _tell(session, f"{failing.why} ({named(failing.failed)}): all that are on it go back")
    request = session.request(reason=f"{BY_GUARD}{failing.why}")
    group = replace(session, hosts=tuple(host for host in session.hosts if host.name in failing.hosts))

    def planner(name: str, state: State) -> Plan:
        return plan.rollback(request, session.role(name), "", state, session.engine.service, failing.release)

    title = f"Guard {fleet.name}, release {request.id}"
    code = run_rollout(
        group.with_new_deadline(), request, planner, kind="rollback", history=True, title=title, options=UNASKED,
        records=records,
    )  # fmt: skip
    return Exit.ROLLED_BACK if code is Exit.OK else code


def _tell(session: FleetSession, text: str) -> None:
    err.print(f"[red]{escape(text)}[/]")
    notices.tell(session.fleet, f"jada guard: {session.fleet.name}", text)
