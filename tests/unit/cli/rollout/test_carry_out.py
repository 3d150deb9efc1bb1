"""A rollout in waves on a fake fleet: whom it touches, what sends hosts back, and what a person has to decide."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from jada import Exit, Host, HostError, JadaError, Service, Tiers
from jada.cli import signals
from jada.cli.drift import notices
from jada.cli.records.model import HostOutcome
from jada.cli.records.sqlite import open_records
from jada.cli.results import HostResults
from jada.cli.rollout import bake
from jada.cli.rollout.options import RolloutOptions
from jada.cli.rollout.run import run_rollout
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

    def roll(policy: RolloutPolicy, count: int = 10, deadline: float = 10_000, **ends: object) -> Done:
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
        hosts = tuple(Host(name, "192.0.2.1", "static", role="r") for name in names)
        session = FleetSession(replace(FLEET, deadline=10_000), hosts, engine, clock.now + deadline)

        def planner(_: str, state: State) -> Plan:
            return plan.upgrade(REQUEST, "r", Tiers(OPUS), state, Service())

        code = run_rollout(
            session, REQUEST, planner, kind="upgrade", title="t", options=OPTIONS,
            seen=HostResults(states), policy=policy,
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
    assert sorted(done.entries) == [f"rollback release {REQUEST.id}: 1 host of 1 failed (h1)", "upgrade"]
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
