"""A rollout in waves on a fake fleet: whom it touches, what sends hosts back, and what a person has to decide."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from jada import Exit, Host, HostError, JadaError, Service, Tiers
from jada.cli import signals
from jada.cli.drift import notices
from jada.cli.records.model import ABORT, HostOutcome
from jada.cli.records.sqlite import open_records
from jada.cli.results import HostResults
from jada.cli.rollout import apply, bake, progress
from jada.cli.rollout.options import RolloutOptions
from jada.cli.rollout.progress import Progress
from jada.cli.rollout.run import run_rollout
from jada.cli.rollout.waves import divide
from jada.cli.session import FleetSession
from jada.inventory.fleet.config import Fleet
from jada.inventory.fleet.rollout import ALL, RolloutPolicy, Share
from jada.tasks import plan
from jada.tasks.plan import Plan, Request
from jada.tasks.state import ModelReport, State
from jada.tasks.transaction import Outcome, Result
from tests.fakes import DONE, Clock, FakeConnection, FakeEngine

OPUS = "claude-opus-5"
REQUEST = Request("20270101-120000-aaaa", "f", "ann@box", "2027-01-01T12:00:00+00:00", 2_147_483_646)
OPTIONS = RolloutOptions(dry_run=False, yes=True, as_json=False, verbose=False)
FLEET = Fleet("f", Path("fleet.yml"), (), ())
CRASHED = Outcome(Result.RESTORED, "it crashed", ())
BROKEN = Outcome(Result.BROKEN, "it crashed", ())
GONE = HostError("the connection was lost")
# What becomes of a host while it bakes, by the number of the look.
Later = Callable[[State, int], State | BaseException]


@dataclass
class Done:
    """The end of a rollout: what was printed, recorded, and how long it watched."""

    exit: Exit
    output: str
    outcomes: dict[str, HostOutcome]
    applied: list[str]
    watched: float
    entries: list[str] = field(default_factory=list)


class BakingConnection(FakeConnection):
    """A host that may come to something else after its change."""

    later: Later | None = None
    looks = 0
    # The name of the host without whose way back no look at this one succeeds before its own.
    behind = ""

    def look(self, history: bool = False, status: bool = False, goes_on: bool = False, ask: bool = False) -> State:
        state = super().look(history, status, goes_on, ask)
        if history and self.behind and self._states[self.behind].release.id == REQUEST.id:
            raise GONE
        if self.later and "apply" in self.log and state.release and state.release.id == REQUEST.id and not history:
            self.looks += 1
            result = self.later(state, self.looks)
            if isinstance(result, BaseException):
                raise result
            return result
        return state


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    ticking = Clock()
    monkeypatch.setattr(bake, "time", ticking)
    return ticking


@pytest.fixture
def rolled(
    host: Callable[..., State],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    clock: Clock,
) -> Callable[..., Done]:
    """rolled(policy, h2=CRASHED, h3=later, …): an upgrade of ten hosts, of which some come to another end."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    def roll(
        policy: RolloutPolicy | Mapping[str, RolloutPolicy], count: int = 10, deadline: float = 10_000, **ends: object
    ) -> Done:
        """With a policy for each of two roles, the first five hosts are of the first."""
        names = [f"h{number}" for number in range(1, count + 1)]
        states: dict[str, State] = {name: host() for name in names}
        outcomes = {name: [end] for name, end in ends.items() if isinstance(end, Outcome | BaseException)}
        engine = FakeEngine(states, outcomes)
        for name, end in ends.items():
            if callable(end):
                back = ends.get(f"{name}_back")
                connection = BakingConnection(name, states, [DONE, back] if isinstance(back, Outcome) else [])
                connection.later, connection.behind = end, str(ends.get(f"{name}_behind", ""))
                engine.connections[name] = connection
        policies = policy if isinstance(policy, Mapping) else {"r": policy}
        first, *_, last = (*policies, *policies)
        hosts = tuple(
            Host(name, "192.0.2.1", "static", role=first if number < 5 else last) for number, name in enumerate(names)
        )
        session = FleetSession(replace(FLEET, deadline=10_000), hosts, engine, clock.now + deadline)

        def planner(_: str, state: State) -> Plan:
            return plan.upgrade(REQUEST, "r", Tiers(OPUS), state, Service())

        code = run_rollout(
            session, REQUEST, planner, kind="upgrade", title="t", options=OPTIONS,
            seen=HostResults(states), division=partial(divide, policies=policies),
        )  # fmt: skip
        printed = capsys.readouterr()
        with open_records() as records:
            recorded = {entry.host: entry.outcome for entry in records.hosts(REQUEST.id)}
            entries = [f"{entry.kind} {entry.reason}".strip() for entry in records.entries("f", None, 9)]
        applied = [name for name, each in engine.connections.items() for word in each.log if word == "apply"]
        return Done(code, printed.out + printed.err, recorded, applied, clock.slept, entries)

    return roll


def crashing(at: int) -> Later:
    """A service that is down from that look on."""
    return lambda state, look: replace(state, unit=replace(state.unit, active="failed")) if look >= at else state


def restarting(at: int) -> Later:
    def later(state: State, look: int) -> State:
        assert state.process
        return replace(state, process=replace(state.process, ticks=9999)) if look >= at else state

    return later


def silent(until: int) -> Later:
    """A service that says nothing of its model before that look."""
    return lambda state, look: replace(state, report=ModelReport()) if look < until else state


def unreachable(first: int, last: int) -> Later:
    return lambda state, look: GONE if first <= look <= last else state


WAVES = (Share(1), Share(50, is_percent=True), ALL)
POLICY = RolloutPolicy(waves=WAVES, bake_time=60)
NO_BAKE = RolloutPolicy(waves=WAVES, bake_time=0)


def test_a_healthy_rollout_goes_through_all_waves_and_watches_each_but_the_last(rolled: Callable[..., Done]) -> None:
    done = rolled(POLICY)
    assert done.exit is Exit.OK
    assert set(done.outcomes.values()) == {HostOutcome.VERIFIED}
    assert sorted(done.applied) == sorted({*done.applied})
    assert len(done.applied) == 10
    assert 120 <= done.watched < 121
    assert "10 hosts of f in 3 waves of 1, 4, 5 (h1 first), at least 2m for their bakes" in done.output


@pytest.mark.parametrize("policy", [POLICY, NO_BAKE])
@pytest.mark.parametrize(
    ("end", "code", "outcome"),
    [
        (CRASHED, Exit.ROLLED_BACK, HostOutcome.ROLLED_BACK),
        (BROKEN, Exit.FAILED, HostOutcome.ROLLBACK_FAILED),
        (GONE, Exit.FAILED, HostOutcome.UNREACHABLE),
        (Outcome(Result.REFUSED, "no", ()), Exit.FAILED, HostOutcome.REJECTED),
    ],
)
def test_a_canary_that_fails_is_the_only_host_that_was_touched(
    rolled: Callable[..., Done], policy: RolloutPolicy, end: object, code: Exit, outcome: HostOutcome
) -> None:
    done = rolled(policy, h1=end)
    assert done.exit is code
    assert done.applied == ["h1"]
    assert done.outcomes["h1"] is outcome
    assert {done.outcomes[f"h{number}"] for number in range(2, 11)} == {HostOutcome.NOT_STARTED}
    assert done.watched == 0


@pytest.mark.parametrize("later", [crashing(1), crashing(3), restarting(2)])
def test_a_canary_that_fails_while_it_is_watched_goes_back_alone(rolled: Callable[..., Done], later: Later) -> None:
    done = rolled(POLICY, h1=later)
    assert done.exit is Exit.ROLLED_BACK
    assert done.applied == ["h1", "h1"]
    assert done.outcomes["h1"] is HostOutcome.ROLLED_BACK
    assert "sent back: 1 host of 1 failed (h1)" in done.output
    back, upgrade = sorted(done.entries)
    assert back.startswith(f"rollback release {REQUEST.id}: 1 host of 1 failed (h1): ")
    assert upgrade == "upgrade"
    # Within one interval of what was seen.
    assert done.watched <= 3 * bake.INTERVAL + 1


def test_a_later_wave_that_fails_sends_all_back_that_were_changed(rolled: Callable[..., Done]) -> None:
    done = rolled(POLICY, h3=CRASHED)
    assert done.exit is Exit.ROLLED_BACK
    assert {done.outcomes[f"h{number}"] for number in range(1, 6)} == {HostOutcome.ROLLED_BACK}
    assert {done.outcomes[f"h{number}"] for number in range(6, 11)} == {HostOutcome.NOT_STARTED}
    # h3 put itself back, and is not touched again.
    assert sorted(done.applied) == ["h1", "h1", "h2", "h2", "h3", "h4", "h4", "h5", "h5"]


def test_an_earlier_wave_that_fails_while_a_later_one_bakes_counts_too(rolled: Callable[..., Done]) -> None:
    done = rolled(POLICY, h1=crashing(9))
    assert done.exit is Exit.ROLLED_BACK
    assert {done.outcomes[f"h{number}"] for number in range(1, 6)} == {HostOutcome.ROLLED_BACK}


def test_only_the_wave_goes_back_where_fleet_yml_says_so(rolled: Callable[..., Done]) -> None:
    done = rolled(replace(POLICY, on_failure="rollback_wave"), h3=CRASHED)
    assert done.exit is Exit.ROLLED_BACK
    assert done.outcomes["h1"] is HostOutcome.VERIFIED
    assert {done.outcomes[f"h{number}"] for number in range(2, 6)} == {HostOutcome.ROLLED_BACK}


def test_a_person_decides_where_fleet_yml_says_so(rolled: Callable[..., Done]) -> None:
    done = rolled(replace(POLICY, on_failure="pause"), h3=CRASHED)
    assert done.exit is Exit.PAUSED
    assert done.outcomes["h1"] is done.outcomes["h2"] is HostOutcome.VERIFIED
    assert len(done.applied) == 5
    assert "The rollout is paused: 1 host of 5 failed (h3)" in done.output


def test_a_failure_that_may_be_does_not_end_the_rollout_nor_is_it_called_success(rolled: Callable[..., Done]) -> None:
    """N-1 of N is never done."""
    done = rolled(replace(POLICY, max_failures=Share(1)), h3=CRASHED)
    assert done.exit is Exit.ROLLED_BACK
    assert len(done.applied) == 10
    assert [name for name, outcome in done.outcomes.items() if outcome is not HostOutcome.VERIFIED] == ["h3"]


def test_hosts_that_fail_one_by_one_add_up_over_the_waves(rolled: Callable[..., Done]) -> None:
    done = rolled(replace(POLICY, max_failures=Share(1)), h1=CRASHED, h3=CRASHED)
    assert done.exit is Exit.ROLLED_BACK
    assert {done.outcomes[f"h{number}"] for number in (1, 2, 3, 4, 5)} == {HostOutcome.ROLLED_BACK}


def test_an_unreachable_host_counts_among_those_that_were_touched(rolled: Callable[..., Done]) -> None:
    """Ansible's max_fail_percentage forgets them."""
    policy = replace(NO_BAKE, max_failures=Share(20, is_percent=True))
    done = rolled(policy, h2=GONE, h3=GONE)
    assert done.exit is Exit.FAILED
    assert {*done.applied} == {"h1", "h2", "h3", "h4", "h5"}
    assert done.outcomes["h1"] is HostOutcome.ROLLED_BACK


def test_all_at_once_behaves_as_ever(rolled: Callable[..., Done]) -> None:
    """Nothing is held against one that others failed."""
    done = rolled(RolloutPolicy(waves=(ALL,)), h3=CRASHED)
    assert done.exit is Exit.ROLLED_BACK
    assert len(done.applied) == 10
    assert [name for name, outcome in done.outcomes.items() if outcome is HostOutcome.ROLLED_BACK] == ["h3"]
    assert done.watched == 0


def test_one_host_is_not_watched_unless_that_is_asked_for(rolled: Callable[..., Done]) -> None:
    assert rolled(POLICY, count=1).watched == 0
    assert rolled(replace(POLICY, final_bake_time=30), count=1).watched == pytest.approx(30, abs=1)


def test_the_last_wave_that_fails_in_its_bake_sends_all_back(rolled: Callable[..., Done]) -> None:
    done = rolled(replace(NO_BAKE, final_bake_time=30), h9=crashing(2))
    assert done.exit is Exit.ROLLED_BACK
    assert set(done.outcomes.values()) == {HostOutcome.ROLLED_BACK}
    assert len(done.applied) == 20


def test_what_can_not_be_judged_is_waited_for(rolled: Callable[..., Done]) -> None:
    done = rolled(POLICY, h1=silent(until=20))
    assert done.exit is Exit.OK
    assert done.watched > 20 * bake.INTERVAL


@pytest.mark.parametrize(
    ("on", "deadline", "least", "most"),
    [("wait", 400, 500, 525), ("pause", 10_000, 59, 61)],
)
def test_what_stays_unknown_is_a_persons_to_decide_and_nothing_goes_back(
    rolled: Callable[..., Done], on: str, deadline: float, least: float, most: float
) -> None:
    done = rolled(replace(POLICY, on_inconclusive=on), deadline=deadline, h1=silent(until=10_000))
    assert done.exit is Exit.PAUSED
    assert done.applied == ["h1"]
    assert least <= done.watched <= most
    assert "The rollout is paused: h1 can't be judged" in done.output


def test_a_host_that_can_not_be_looked_at_for_a_while_is_no_failure(rolled: Callable[..., Done]) -> None:
    assert rolled(POLICY, h1=unreachable(2, 4)).exit is Exit.OK
    done = rolled(POLICY, h1=unreachable(2, 99))
    assert done.exit is Exit.PAUSED
    assert done.applied == ["h1"]
    assert "The rollout is paused: h1 could not be looked at" in done.output


def test_a_bake_leaves_what_the_change_took_in_the_record(
    rolled: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apply, "time", SimpleNamespace(monotonic=iter(range(0, 1000, 7)).__next__))
    rolled(POLICY, count=2)
    with open_records() as records:
        assert {host.host: host.seconds > 0 for host in records.hosts(REQUEST.id)} == {"h1": True, "h2": True}


def test_the_last_wave_that_can_not_be_looked_at_is_not_called_done(rolled: Callable[..., Done]) -> None:
    done = rolled(replace(NO_BAKE, final_bake_time=60), h9=unreachable(2, 99))
    assert done.exit is Exit.PAUSED
    assert "The rollout is paused: 10 hosts could not be looked at" in done.output


def test_an_abort_counts_though_hosts_have_failed_and_would_stay(
    rolled: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Progress, "asked", lambda _: (ABORT, "ann"))
    done = rolled(replace(POLICY, on_failure="pause", max_failures=Share(0)), h1=crashing(1))
    assert done.exit is Exit.ROLLED_BACK
    assert done.outcomes["h1"] is HostOutcome.ROLLED_BACK
    assert "ann aborted it" in done.output


def test_a_rollout_that_another_jada_has_ended_is_not_called_done(
    rolled: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever ran `jada rollback` has changed hosts that were seen to be well."""
    monkeypatch.setattr(Progress, "asked", lambda _: (progress.GONE, "rolled back by release 2"))
    done = rolled(replace(POLICY, final_bake_time=30), count=1)
    assert done.exit is Exit.FAILED
    assert "The rollout is superseded: rolled back by release 2" in done.output


def test_ctrl_c_while_hosts_are_watched_leaves_them_and_says_how_to_go_on(
    rolled: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    pressed = False

    def press(state: State, _: int) -> State:
        nonlocal pressed
        pressed = True
        return state

    monkeypatch.setattr(signals, "stopped", lambda: pressed)
    done = rolled(POLICY, h1=press)
    assert done.exit is Exit.STOPPED
    assert done.applied == ["h1"]
    assert done.outcomes["h1"] is HostOutcome.VERIFIED


@pytest.mark.parametrize(
    ("ends", "policy", "word"),
    [({}, POLICY, "done"), ({"h1": CRASHED}, POLICY, "rolled back"), ({}, RolloutPolicy(waves=(ALL,)), None)],
)
def test_people_are_told_how_a_rollout_in_waves_ended(
    rolled: Callable[..., Done], monkeypatch: pytest.MonkeyPatch, ends: dict[str, Outcome], policy: RolloutPolicy,
    word: str | None,
) -> None:  # fmt: skip
    sent = []

    def send(subject: str, text: str) -> None:
        sent.append((subject, text))
        raise JadaError("it answered HTTP 404")

    monkeypatch.setattr(notices, "channels", lambda _: {"webhook": send})
    done = rolled(policy, **ends)
    assert [subject for subject, _ in sent] == ([f"jada: f: rollout {REQUEST.id} is {word}"] if word else [])
    assert ("Warning The webhook of fleet.yml was not told: it answered HTTP 404" in done.output) is bool(word)


def test_people_who_lock_a_host_meanwhile_have_the_rollout_wait_for_them(rolled: Callable[..., Done]) -> None:
    """`jada lock` is no sign that the model is bad."""
    done = rolled(POLICY, h3=Outcome(Result.LOCKED, "ann since noon: incident", ()))
    assert done.exit is Exit.PAUSED
    assert done.outcomes["h1"] is HostOutcome.VERIFIED
    assert done.outcomes["h3"] is HostOutcome.LOCKED
    assert "The rollout is paused: by ann since noon: incident" in done.output


def test_a_failure_after_ctrl_c_is_a_persons_to_decide(
    rolled: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No host is begun any more, not even for the way back."""
    pressed = False

    def press(state: State, look: int) -> State:
        nonlocal pressed
        pressed = look > 1
        return replace(state, unit=replace(state.unit, active="failed")) if pressed else state

    monkeypatch.setattr(signals, "stopped", lambda: pressed)
    done = rolled(POLICY, h1=press)
    assert done.exit is Exit.STOPPED
    assert done.applied == ["h1"]


def test_the_bakes_come_on_top_of_the_deadline(rolled: Callable[..., Done]) -> None:
    assert rolled(POLICY, deadline=30).exit is Exit.OK


def test_a_way_back_that_fails_is_told_for_its_host(rolled: Callable[..., Done]) -> None:
    done = rolled(POLICY, h1=crashing(2), h1_back=BROKEN)
    assert done.exit is Exit.FAILED
    assert done.outcomes["h1"] is HostOutcome.ROLLBACK_FAILED
    assert "not sent back (it crashed): 1 host of 1 failed (h1)" in done.output


def test_a_host_that_can_not_be_looked_at_keeps_nobody_from_going_back(rolled: Callable[..., Done]) -> None:
    """In the fake fleet one comes after the other: the first is not seen before the last is back."""
    policy = replace(POLICY, waves=(Share(3), ALL))
    done = rolled(policy, h1=silent(0), h1_behind="h3", h2=crashing(2))
    assert done.exit is Exit.FAILED
    assert [done.outcomes[name] for name in ("h1", "h2", "h3")] == [
        HostOutcome.ROLLBACK_FAILED,
        HostOutcome.ROLLED_BACK,
        HostOutcome.ROLLED_BACK,
    ]
    assert "not sent back (the connection was lost): 1 host of 3 failed (h2)" in done.output


@dataclass(frozen=True)
class Case:
    """A rollout to ten hosts: what becomes of some, and which are touched and stay on the release, by their numbers."""

    policy: RolloutPolicy | Mapping[str, RolloutPolicy]
    ends: Mapping[str, object]
    exit: Exit
    touched: range | set[int]
    stays: range | set[int]
    why: str = ""


ALL_TEN, NONE = range(1, 11), range(0)
REFUSED = Outcome(Result.REFUSED, "its settings.json has changed", ())
LOCKED = Outcome(Result.LOCKED, "ann since noon: incident", ())
ONE_MAY = replace(POLICY, max_failures=Share(1))
FIFTH_MAY = replace(NO_BAKE, max_failures=Share(20, is_percent=True))
HALF_MAY = replace(NO_BAKE, max_failures=Share(50, is_percent=True))
ALL_MAY = replace(NO_BAKE, max_failures=ALL)
PATIENT = replace(POLICY, on_inconclusive="wait", deadline=300)
HASTY = replace(POLICY, on_inconclusive="pause")
WAVE_ONLY = replace(POLICY, on_failure="rollback_wave")
ASKING = replace(POLICY, on_failure="pause")
LAST_BAKES = replace(NO_BAKE, final_bake_time=30)
AT_ONCE = RolloutPolicy(waves=(ALL,))
SILENT, DEAF = silent(until=10_000), unreachable(2, 10_000)
# Of two roles with five hosts each: the first goes 1, 3, 5, and the second likewise beside it, or as it has it itself.
TWO = {"a": POLICY, "b": replace(POLICY, bake_time=300)}

CASES = {
    "all well": Case(POLICY, {}, Exit.OK, ALL_TEN, ALL_TEN),
    "all well, not watched": Case(NO_BAKE, {}, Exit.OK, ALL_TEN, ALL_TEN),
    "all well, at once": Case(AT_ONCE, {}, Exit.OK, ALL_TEN, ALL_TEN),
    "all well, the last wave watched too": Case(LAST_BAKES, {}, Exit.OK, ALL_TEN, ALL_TEN),
    "more waves than hosts": Case(
        replace(POLICY, waves=(Share(1), Share(2), Share(30), ALL)), {}, Exit.OK, ALL_TEN, ALL_TEN
    ),
    "the canary crashes": Case(POLICY, {"h1": CRASHED}, Exit.ROLLED_BACK, {1}, NONE, "1 host of 1 failed (h1)"),
    "the canary crashes, not watched": Case(NO_BAKE, {"h1": CRASHED}, Exit.ROLLED_BACK, {1}, NONE, "(h1)"),
    "the canary can not be put back": Case(POLICY, {"h1": BROKEN}, Exit.FAILED, {1}, NONE, "1 host of 1 failed"),
    "the canary is lost": Case(POLICY, {"h1": GONE}, Exit.FAILED, {1}, NONE, "1 host of 1 failed (h1)"),
    "the canary refuses": Case(POLICY, {"h1": REFUSED}, Exit.FAILED, {1}, NONE, "1 host of 1 failed (h1)"),
    "the canary crashes when watched": Case(POLICY, {"h1": crashing(3)}, Exit.ROLLED_BACK, {1}, NONE, "(h1)"),
    "the canary restarts when watched": Case(POLICY, {"h1": restarting(2)}, Exit.ROLLED_BACK, {1}, NONE, "(h1)"),
    "the canary goes back and can not": Case(
        POLICY, {"h1": crashing(2), "h1_back": BROKEN}, Exit.FAILED, {1}, NONE, "not sent back"
    ),
    "the canary fails and a person decides": Case(
        ASKING, {"h1": crashing(2)}, Exit.PAUSED, {1}, {1}, "1 host of 1 failed (h1)"
    ),
    "the canary is locked": Case(POLICY, {"h1": LOCKED}, Exit.PAUSED, {1}, NONE, "by ann since noon: incident"),
    "the canary speaks late": Case(PATIENT, {"h1": silent(until=20)}, Exit.OK, ALL_TEN, ALL_TEN),
    "the canary never speaks": Case(PATIENT, {"h1": SILENT}, Exit.PAUSED, {1}, {1}, "h1 can't be judged"),
    "the canary does not speak in time": Case(HASTY, {"h1": SILENT}, Exit.PAUSED, {1}, {1}, "h1 can't be judged"),
    "the canary is away for a while": Case(POLICY, {"h1": unreachable(2, 4)}, Exit.OK, ALL_TEN, ALL_TEN),
    "the canary stays away": Case(POLICY, {"h1": DEAF}, Exit.PAUSED, {1}, {1}, "h1 could not be looked at"),
    "the second wave crashes": Case(
        POLICY, {"h3": CRASHED}, Exit.ROLLED_BACK, range(1, 6), NONE, "1 host of 5 failed (h3)"
    ),
    "the second wave crashes, it alone goes back": Case(
        WAVE_ONLY, {"h3": CRASHED}, Exit.ROLLED_BACK, range(1, 6), {1}, "1 host of 5 failed (h3)"
    ),
    "the second wave crashes, a person decides": Case(
        ASKING, {"h3": CRASHED}, Exit.PAUSED, range(1, 6), {1, 2, 4, 5}, "1 host of 5 failed (h3)"
    ),
    "the canary crashes late": Case(
        POLICY, {"h1": crashing(9)}, Exit.ROLLED_BACK, range(1, 6), NONE, "1 host of 5 failed (h1)"
    ),
    "the canary crashes late, and goes back with the wave": Case(
        WAVE_ONLY, {"h1": crashing(9)}, Exit.ROLLED_BACK, range(1, 6), NONE, "1 host of 5 failed (h1)"
    ),
    "one of the second wave is locked": Case(
        POLICY, {"h3": LOCKED}, Exit.PAUSED, range(1, 6), {1, 2, 4, 5}, "by ann since noon"
    ),
    "one is locked and another crashes": Case(
        POLICY, {"h3": LOCKED, "h4": CRASHED}, Exit.ROLLED_BACK, range(1, 6), NONE, "1 host of 4 failed (h4)"
    ),
    "one may fail and one does": Case(ONE_MAY, {"h3": CRASHED}, Exit.ROLLED_BACK, ALL_TEN, {*ALL_TEN} - {3}),
    "one may fail and two do, in two waves": Case(
        ONE_MAY, {"h1": CRASHED, "h3": CRASHED}, Exit.ROLLED_BACK, range(1, 6), NONE, "2 hosts of 5 failed (h1, h3)"
    ),
    "a fifth may fail and does": Case(FIFTH_MAY, {"h3": GONE}, Exit.FAILED, ALL_TEN, {*ALL_TEN} - {3}),
    "a fifth may fail, of those that were touched": Case(
        FIFTH_MAY, {"h1": CRASHED}, Exit.ROLLED_BACK, {1}, NONE, "1 host of 1 failed (h1)"
    ),
    "ansible#32255: those that are lost count for max_fail_percentage": Case(
        FIFTH_MAY, {"h2": GONE, "h3": GONE}, Exit.FAILED, range(1, 6), NONE, "2 hosts of 5 failed (h2, h3)"
    ),
    "ansible#32255: those that are lost and those that crash add up": Case(
        FIFTH_MAY, {"h2": GONE, "h3": CRASHED}, Exit.FAILED, range(1, 6), NONE, "2 hosts of 5 failed (h2, h3)"
    ),
    "ansible#82834: one that is lost ends it where none may fail": Case(
        NO_BAKE, {"h4": GONE}, Exit.FAILED, range(1, 6), NONE, "1 host of 5 failed (h4)"
    ),
    "ansible#82834: a whole wave that is lost ends it": Case(
        NO_BAKE, {f"h{number}": GONE for number in range(2, 6)}, Exit.FAILED, range(1, 6), NONE, "4 hosts of 5 failed"
    ),
    "half may fail and does": Case(
        HALF_MAY, {f"h{number}": CRASHED for number in range(6, 11)}, Exit.ROLLED_BACK, ALL_TEN, range(1, 6)
    ),
    "all may fail and do": Case(
        ALL_MAY, {f"h{number}": CRASHED for number in ALL_TEN}, Exit.ROLLED_BACK, ALL_TEN, NONE
    ),
    "the last wave crashes": Case(
        POLICY, {"h9": CRASHED}, Exit.ROLLED_BACK, ALL_TEN, NONE, "1 host of 10 failed (h9)"
    ),
    "the last wave crashes when watched": Case(
        LAST_BAKES, {"h9": crashing(2)}, Exit.ROLLED_BACK, ALL_TEN, NONE, "1 host of 10 failed (h9)"
    ),
    "the last wave never speaks": Case(POLICY, {"h9": SILENT}, Exit.FAILED, ALL_TEN, ALL_TEN),
    "all at once and one crashes": Case(AT_ONCE, {"h3": CRASHED}, Exit.ROLLED_BACK, ALL_TEN, {*ALL_TEN} - {3}),
    "two roles, all well": Case(TWO, {}, Exit.OK, ALL_TEN, ALL_TEN),
    "two roles, each with a canary, one crashes": Case(
        TWO, {"h6": CRASHED}, Exit.ROLLED_BACK, {1, 6}, NONE, "1 host of 2 failed (h6)"
    ),
    "two roles, one at once beside the other's canary": Case(
        {"a": AT_ONCE, "b": POLICY}, {"h6": CRASHED}, Exit.ROLLED_BACK, range(1, 7), NONE, "1 host of 6 failed (h6)"
    ),
    "two roles, the failures of one count among its own": Case(
        {"a": POLICY, "b": ONE_MAY}, {"h6": CRASHED}, Exit.ROLLED_BACK, ALL_TEN, {*ALL_TEN} - {6}
    ),
    "two roles, the other's failures are one too many": Case(
        {"a": POLICY, "b": ONE_MAY}, {"h1": CRASHED, "h6": CRASHED}, Exit.ROLLED_BACK, {1, 6}, NONE, "2 hosts of 2"
    ),
    "two roles, the consequence is that of the one that fails": Case(
        {"a": POLICY, "b": ASKING}, {"h7": CRASHED}, Exit.PAUSED, {1, 2, 3, 6, 7, 8}, {1, 2, 3, 6, 8}, "(h7)"
    ),
    "two roles that fail, the fewest stay changed": Case(
        {"a": POLICY, "b": ASKING}, {"h1": CRASHED, "h6": CRASHED}, Exit.ROLLED_BACK, {1, 6}, NONE, "(h1, h6)"
    ),
    "two roles, one of them asks when nobody knows": Case(
        {"a": PATIENT, "b": HASTY}, {"h6": SILENT}, Exit.PAUSED, {1, 6}, {1, 6}, "h6 can't be judged"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_each_case_touches_and_sends_back_whom_it_should(rolled: Callable[..., Done], case: Case) -> None:
    done = rolled(case.policy, **case.ends)
    assert done.exit is case.exit
    assert {*done.applied} == {f"h{number}" for number in case.touched}
    assert {name for name, outcome in done.outcomes.items() if outcome.stands} == {f"h{n}" for n in case.stays}
    assert case.why in done.output
    assert ("The rollout is " in done.output) is bool(case.why)
    # Nobody is changed twice, but for the one way back.
    assert all(done.applied.count(name) <= 2 for name in done.applied)


def test_the_cases_are_as_many_as_were_asked_for() -> None:
    assert len(CASES) >= 30


def test_a_wave_is_watched_as_long_as_the_longest_of_its_roles_asks_for(rolled: Callable[..., Done]) -> None:
    done = rolled(TWO)
    assert "10 hosts of f in 3 waves of 2, 4, 4 (h1, h6 first), at least 10m for their bakes" in done.output
    assert 600 <= done.watched < 601


def test_a_rollout_has_the_deadline_of_its_own_policy(rolled: Callable[..., Done]) -> None:
    done = rolled(PATIENT, h1=SILENT)
    assert done.exit is Exit.PAUSED
    assert 300 <= done.watched <= 300 + 2 * 60 + 1
