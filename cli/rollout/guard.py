"""The guard: hosts are watched after a rollout, and those on a release that fails are changed by themselves."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from jada import Exit, JadaError
from jada.cli import signals
from jada.cli.records.sqlite import BUSY_TIMEOUT_BACK, Records, open_records, open_store
from jada.cli.results import HostResults, judge_each, worst
from jada.cli.rollout.apply import Planner
from jada.cli.rollout.bake import sleep_until
from jada.cli.rollout.conditions import Condition, Event, Teller
from jada.cli.rollout.exclusive import LockedError, NotKnownError, holder_now, locked
from jada.cli.rollout.failing import (
    BACK,
    BY_GUARD,
    TRIAL,
    Failing,
    Ways,
    change_plan,
    failing_releases,
    results_of,
    trial_plan,
    ways,
)
from jada.cli.rollout.freeze import is_frozen
from jada.cli.rollout.options import UNASKED
from jada.cli.rollout.outcome import HostResult
from jada.cli.rollout.progress import Values
from jada.cli.rollout.record import next_moment
from jada.cli.rollout.run import run_rollout
from jada.cli.rollout.watch import Baselines, Watch
from jada.cli.rollout.waves import divide, together, verdict
from jada.cli.session import FleetSession
from jada.cli.ui.console import plural
from jada.cli.ui.duration import told
from jada.inventory.fleet.rollout import Share
from jada.tasks.measure import Verdict
from jada.tasks.plan import Plan, Request
from jada.tasks.release import began
from jada.tasks.state import State

if TYPE_CHECKING:
    from jada.inventory.fleet.config import Fleet

DAY = 86400


class OpenFleet(Protocol):
    """What reads fleet.yml, finds the hosts and reaches them; it tells `notes` on fleet.yml, or does not."""

    def __call__(self, *, notes: bool = True) -> AbstractContextManager[FleetSession]: ...


def guard(open_fleet: OpenFleet, seconds: int, as_json: bool) -> Exit:
    """Watches the hosts for so many seconds: ROLLED_BACK if it changed any, FAILED where that was not to be done, or
    not yet, or hosts can't be looked at in the end.

    The fleet is opened anew for each look: hosts come and go, and so do temporary keys, connections and networks.
    Raises JadaError, ConfigError where the first look can't begin.
    """
    ends = time.monotonic() + seconds
    with open_fleet() as session:
        policy, watch = session.fleet.guard, _Watch(Teller(session.fleet, as_json))
        watch.tell.tell(Event.WATCHING, f"Watching {plural(len(session.hosts), 'host')} of {session.fleet.name}")
        standing = watch.look(session)
    while not signals.stopped():
        watch.tell.conditions(standing)
        if time.monotonic() >= ends:
            open_ends = (Event.UNSEEN, Event.LEFT, Event.WAITING)
            is_open = any(condition.event in open_ends for condition in standing)
            return worst({*watch.codes, Exit.FAILED if is_open else Exit.OK})
        sleep_until(min(time.monotonic() + policy.interval, ends), lambda: False)
        try:
            with open_fleet(notes=False) as session:
                policy = session.fleet.guard
                standing = watch.look(session)
        except JadaError as error:
            standing = [Condition(Event.UNSEEN, "the fleet", f"The fleet can't be looked at: {error.message}")]
    return Exit.STOPPED


@dataclass(slots=True)
class _Watch:
    """What a guard knows from one look to the next: the last state of each host, in how many looks in a row it failed,
    when releases of its own began (Unix time) and which were tried again, of which failing ones people were told, the
    host that is tried again, what probes measured, and how its changes ended.
    """

    tell: Teller
    before: dict[str, State] = field(default_factory=dict)
    in_a_row: Counter[str] = field(default_factory=Counter)
    acts: dict[str, float] = field(default_factory=dict)
    tried: set[str] = field(default_factory=set)
    announced: frozenset[str] = frozenset()
    trial: _Trial | None = None
    watch: Watch | None = None
    codes: set[Exit] = field(default_factory=set)

    def look(self, session: FleetSession) -> list[Condition]:
        """Looks at all hosts once, does what is to be done, and gives the conditions that stand."""
        watched = self._watch(session).look([host.name for host in session.hosts])
        seen = judge_each(watched, lambda _, host: host.state)
        judged = results_of(self.before, watched, session.engine.service)
        failed = {name: result.detail for name, result in judged.items() if verdict(result) is Verdict.FAILED}
        self.in_a_row = Counter({name: self.in_a_row[name] + 1 for name in failed})
        if any(_release(self.before.get(name)) not in ("", _release(state)) for name, state in seen.ok.items()):
            # What was measured under another release is none of this one's.
            self.watch = None
        self.before |= seen.ok
        standing = [Condition(Event.UNSEEN, name, error.message, (name,)) for name, error in seen.failed.items()]
        standing += [
            Condition(Event.FAILING, f"release {failing.release}", failing.why, failing.failed)
            for failing in failing_releases(seen, failed, Share(0))
        ]
        lasting = {name: why for name, why in failed.items() if self.in_a_row[name] >= session.fleet.guard.looks}
        for failing in failing_releases(seen, lasting, session.fleet.rollout.max_failures):
            if obstacle := self._answer(session, seen, failing):
                standing.append(obstacle)
        self._watch_trial(seen, judged)
        if session.fleet.guard.half_open and not (failed or seen.failed or is_frozen(session.fleet)):
            self._try_one(session, seen)
        return standing

    def _answer(self, session: FleetSession, seen: HostResults[State], failing: Failing) -> Condition | None:
        """Changes the hosts on a release that fails; or gives the reason why that is not to be done now."""
        fleet, policy = session.fleet, session.fleet.guard
        subject = f"release {failing.release}"
        to = ways(failing, seen.ok, policy.to, lambda name: fleet.tiers_of(session.role(name)))
        if not to:
            why = "they came there from another one that failed"
            return Condition(Event.LEFT, subject, f"{failing.why}, and hosts are left as they are: {why}")
        acts, now = self._acts(session), time.time()
        if (of_today := _of_today(acts)) >= policy.most_per_day:
            why = f"hosts were changed {of_today} times in 24 hours"
            return Condition(Event.LEFT, subject, f"{failing.why}, and hosts are left as they are: {why}")
        if any(abs(now - at) < policy.cool_down for at in acts.values()):
            why = f"hosts were changed less than {told(policy.cool_down)} ago"
            return Condition(Event.WAITING, subject, f"{failing.why}; the guard waits: {why}")
        try:
            self._change(session, seen, failing, to)
        except LockedError as error:
            return Condition(Event.WAITING, subject, f"{failing.why}; the guard waits: {error.message}")
        for name in failing.hosts:
            self.in_a_row.pop(name, None)
        return None

    def _change(self, session: FleetSession, seen: HostResults[State], failing: Failing, to: Ways) -> None:
        """Brings the hosts to their models, and those back that this does not help. Raises JadaError, LockedError."""
        _require_unlocked(session, seen, to)
        models = sorted({model for model in to.values() if model != BACK})
        target = f"to {', '.join(models)}" if models else ""
        target = " or ".join(filter(None, (target, "back" if BACK in to.values() else "")))
        text = f"{failing.why}: all that are on it go {target}"
        is_news, self.announced = failing.release not in self.announced, self.announced | {failing.release}
        self.tell.tell(Event.CHANGING, text, hosts=tuple(to), release=failing.release, notify=is_news)
        code = Exit.FAILED
        try:
            code = self._carry_out(session, failing, to, "upgrade" if models else "rollback")
        except LockedError:
            raise
        except JadaError as error:
            if not models:
                raise
            self.tell.tell(Event.CHANGED, error.message, hosts=tuple(to), release=failing.release, code=Exit.FAILED)
        if models and code not in (Exit.OK, Exit.LOCKED):
            code = self._carry_out(session, failing, dict.fromkeys(to, BACK), "rollback")
        self.codes.add(Exit.ROLLED_BACK if code is Exit.OK else code)

    def _carry_out(self, session: FleetSession, failing: Failing, to: Ways, kind: str) -> Exit:
        request = session.request(reason=f"{BY_GUARD}{failing.why}", moment=next_moment(session.fleet))
        service, tiers_of = session.engine.service, session.fleet.tiers_of

        def planner(name: str, state: State) -> Plan:
            role = session.role(name)
            return change_plan(request, role, to[name], tiers_of(role), state, service, failing.release)

        code, is_touched = self._run(session, tuple(to), request, planner, kind)
        # What nobody could touch is tried again, but not at each look; what others change now, at the next one.
        if is_touched or code is not Exit.LOCKED:
            self.acts[request.id] = time.time()
        self.tell.tell(
            Event.CHANGED, f"Release {request.id} {_ended(code)}", hosts=tuple(to), release=request.id, code=code
        )
        return code

    def _run(
        self,
        session: FleetSession,
        hosts: tuple[str, ...],
        request: Request,
        planner: Planner,
        kind: str,
    ) -> tuple[Exit, bool]:
        """Carries a change of these hosts out, all at once, and tells too whether one was touched.

        The record is written as far as it can be.
        """
        group = replace(session, hosts=tuple(host for host in session.hosts if host.name in hosts))
        title = f"Guard {session.fleet.name}, release {request.id}"
        with open_records(session.fleet, needed=False) as records, self.tell.lines_alone():
            code = run_rollout(
                group.with_new_deadline(), request, planner, kind=kind, history=True, title=title, options=UNASKED,
                records=records,
            )  # fmt: skip
            return code, any(host.outcome.was_tried for host in records.hosts(request.id))

    def _try_one(self, session: FleetSession, seen: HostResults[State]) -> None:
        """Brings one of the hosts that were changed last to what failed there, once the cool-down is over."""
        fleet = session.fleet
        acts, now = self._acts(session), time.time()
        last = max(acts, key=acts.__getitem__, default="")
        is_due = last and abs(now - acts[last]) >= fleet.guard.cool_down and _of_today(acts) < fleet.guard.most_per_day
        if not is_due or last in self.tried or self._was_tried(fleet, last):
            return
        on_it = {name for name, state in seen.ok.items() if state.release and state.release.id == last}
        hosts = [host for host in session.hosts if host.name in on_it]
        if not hosts:
            return
        name = together(divide(hosts, {host.role: fleet.policy_of(host.role) for host in hosts}))[0][0]
        try:
            _require_unlocked(session, seen, (name,))
        except LockedError:
            return
        self.tried.add(last)
        request = session.request(reason=f"{TRIAL}what failed before release {last}", moment=next_moment(session.fleet))
        service = session.engine.service

        def planner(name: str, state: State) -> Plan:
            return trial_plan(request, session.role(name), state, service, last)

        self.tell.tell(Event.TRYING, f"{name} is tried again on what failed there", hosts=(name,), release=last)
        code, _ = self._run(session, (name,), request, planner, "upgrade")
        self.tell.tell(
            Event.CHANGED, f"Release {request.id} {_ended(code)}", hosts=(name,), release=request.id, code=code
        )
        # As a canary that others follow.
        bake = fleet.policy_of(session.role(name)).bake_after(0, 2)
        self.trial = _Trial(name, request.id, time.monotonic() + bake) if code is Exit.OK else None

    def _watch(self, session: FleetSession) -> Watch:
        """What looks at the hosts and measures; it knows what the last rollout measured before it changed them."""
        if self.watch is None:
            self.watch = Watch(session, _baselines(session.fleet))
        self.watch.use(session)
        return self.watch

    def _watch_trial(self, seen: HostResults[State], judged: Mapping[str, HostResult]) -> None:
        """Tells people once the host that is tried again has been well for as long as a canary bakes."""
        trial = self.trial
        if trial is None or trial.host not in seen.ok:
            return
        release = seen.ok[trial.host].release
        judgement = verdict(judged[trial.host]) if trial.host in judged else None
        if release is None or release.id != trial.release or judgement is Verdict.FAILED:
            self.trial = None
        elif time.monotonic() >= trial.bakes_until and judgement is Verdict.PASSED:
            self.trial, model = None, release.desired.model
            text = f"{trial.host} is well on {model}, which failed before. For the others: jada upgrade --to {model}"
            self.tell.tell(Event.WELL, text, hosts=(trial.host,), release=trial.release, notify=True)

    def _acts(self, session: FleetSession) -> dict[str, float]:
        """The releases by which guards changed hosts within a day, or the cool-down where that is longer, and when they
        began, by the record and by this one.

        A time to come counts too: a clock that was wrong had better make it do less.
        """
        fleet, within, now = session.fleet.name, max(DAY, session.fleet.guard.cool_down), time.time()
        recorded = {}
        with suppress(JadaError), open_store(session.fleet, timeout=BUSY_TIMEOUT_BACK) as store:
            records = Records(store)
            recorded = {
                entry.id: datetime.fromisoformat(began(entry.id)).timestamp()
                for entry in records.since(fleet, datetime.fromtimestamp(now - within, UTC))
                if entry.reason.startswith(BY_GUARD) and any(host.outcome.was_tried for host in records.hosts(entry.id))
            }
        return {release: at for release, at in (recorded | self.acts).items() if abs(now - at) < within}

    def _was_tried(self, fleet: Fleet, act: str) -> bool:
        """True if a guard has tried a host again since, or a rollout is open; and where the record can't tell."""
        with suppress(JadaError), open_store(fleet, timeout=BUSY_TIMEOUT_BACK) as store:
            records = Records(store)
            entries = records.since(fleet.name, datetime.fromisoformat(began(act)))
            is_open = any(rollout.is_open for rollout in records.rollouts(fleet.name, 1))
            return is_open or any(entry.reason.startswith(TRIAL) and entry.id > act for entry in entries)
        return True


@dataclass(frozen=True, slots=True)
class _Trial:
    """A host that is tried again, by a release, and how long it bakes (monotonic)."""

    host: str
    release: str
    bakes_until: float


def _of_today(acts: Mapping[str, float]) -> int:
    return sum(abs(time.time() - at) < DAY for at in acts.values())


def _release(state: State | None) -> str:
    return state.release.id if state and state.release else ""


def _baselines(fleet: Fleet) -> Baselines:
    """What probes measured before the last rollout in waves, as far as the record can be read."""
    with suppress(JadaError), open_store(fleet, timeout=BUSY_TIMEOUT_BACK) as store:
        for rollout in Records(store).rollouts(fleet.name, 1):
            return Values.from_json(rollout.values_json).baselines
    return {}


def _require_unlocked(session: FleetSession, seen: HostResults[State], hosts: Iterable[str]) -> None:
    """Raises LockedError where somebody changes the fleet on this machine, or has locked one of the hosts."""
    fleet = session.fleet.name
    states = seen.ok
    for name in hosts:
        if lock := states[name].operator_lock:
            raise LockedError(f"{fleet} is locked: {name} by {lock}", "jada unlock")
    # A rollout that runs has a breaker of its own. Where nobody can know, the way back decides.
    with suppress(NotKnownError):
        if holder := holder_now(session.fleet):
            raise locked(session.fleet, holder)


def _ended(code: Exit) -> str:
    match code:
        case Exit.OK:
            return "is on all of them"
        case Exit.LOCKED:
            return "met a change that is under way there"
        case _:
            return "is not on all of them"
