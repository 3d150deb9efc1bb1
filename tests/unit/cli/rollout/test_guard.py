"""The guard on a fake fleet: hosts that fail after a rollout are changed by themselves, no more often than may be."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from jada import Exit, HostError, Service, Tiers
from jada.cli import session, signals
from jada.cli.commands.guard import guard as command
from jada.cli.drift import notices
from jada.cli.records.model import Entry, HostEntry, HostOutcome
from jada.cli.records.sqlite import open_records
from jada.cli.results import HostResults
from jada.cli.rollout import bake, guard
from jada.cli.rollout.conditions import Condition, Event, Teller
from jada.cli.rollout.exclusive import exclusive_rollout
from jada.cli.rollout.failing import (
    BACK,
    BY_GUARD,
    TRIAL,
    Failing,
    change_plan,
    failing_releases,
    results_of,
    trial_plan,
    ways,
)
from jada.cli.rollout.watch import Watched
from jada.cli.rollout.waves import verdict
from jada.inventory.fleet.rollout import Share
from jada.inventory.lease import Holder
from jada.tasks.measure import Judgement, Verdict
from jada.tasks.operator_lock import OperatorLock
from jada.tasks.plan import Request
from jada.tasks.release import Desired, Release
from jada.tasks.settings import apply, set_models
from jada.tasks.state import HistoryEntry, ModelReport, State
from jada.tasks.transaction import Outcome, Result, Transaction
from tests import fakes
from tests.fakes import FLEET, Clock
from tests.forms import checked
from tests.unit.cli.conftest import Jada

OPUS, SONNET, HAIKU = "claude-opus-5", "claude-sonnet-4.6", "claude-haiku-4.5"
REQUEST = Request("20270101-120000-cccc", "f", "ann@ops", "2027-01-01T12:00:00+00:00")


class Later(Clock):
    """A clock at whose times something happens to hosts."""

    def __init__(self) -> None:
        super().__init__()
        self.plans: list[tuple[float, Callable[[], None]]] = []

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        for when, happen in [each for each in self.plans if each[0] <= self.slept]:
            self.plans.remove((when, happen))
            happen()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Later:
    ticking = Later()
    monkeypatch.setattr(bake, "time", ticking)
    monkeypatch.setattr(guard, "time", ticking)
    monkeypatch.setattr(bake, "TICK", 10)
    # The ids of releases tell their times.
    now = SimpleNamespace(now=lambda zone: datetime.fromtimestamp(ticking.time(), zone))
    monkeypatch.setattr(session, "datetime", now)
    return ticking


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that people elsewhere are told."""
    texts: list[str] = []
    monkeypatch.setattr(notices, "tell", lambda _, __, text: texts.append(text))
    return texts


@pytest.fixture
def ill(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The models on which services fail; on others they are well."""
    models: set[str] = set()
    change = fakes.changed

    def changed(state: State, transaction: Transaction) -> State:
        after, desired = change(state, transaction), transaction.release.desired
        text = apply(state.settings.text or "", set_models(state.settings.text, desired.tiers))
        unit = replace(after.unit, active="failed" if desired.model in models else "active")
        return replace(after, unit=unit, settings=replace(after.settings, text=text))

    monkeypatch.setattr(fakes, "changed", changed)
    return models


@pytest.fixture
def upgraded(jada: Jada, clock: Later, ill: set[str]) -> Jada:
    """Three hosts that were upgraded to opus-5."""
    text = jada.fleet_file.read_text().replace(
        "r: {model: sonnet-4.6}", "r: {model: sonnet-4.6, fallback: [haiku-4.5]}"
    )
    jada.fleet_file.write_text(text)
    policy(jada)
    assert jada("upgrade", "--to", "opus-5", "--yes").exit == Exit.OK
    return jada


def policy(jada: Jada, more: str = "") -> None:
    text = jada.fleet_file.read_text().partition("guard: ")[0]
    jada.fleet_file.write_text(
        f"{text}guard: {{interval: 1m, looks: 2, cool_down: 10m, most_per_day: 2{more and f', {more}'}}}\n"
    )


def changed(jada: Jada, name: str, active: str) -> None:
    state = jada.states[name]
    assert isinstance(state, State)
    jada.states[name] = replace(state, unit=replace(state.unit, active=active))


def fail(jada: Jada, ill: set[str], model: str = OPUS) -> Callable[[], None]:
    """Lets services fail on that model from now on."""

    def happen() -> None:
        ill.add(model)
        for name, state in jada.states.items():
            if isinstance(state, State) and state.release and state.release.desired.model == model:
                changed(jada, name, "failed")

    return happen


def models(jada: Jada) -> dict[str, str]:
    return {name: state.settings.model for name, state in jada.states.items() if isinstance(state, State)}


def ids(jada: Jada) -> set[str]:
    return {state.release.id for state in jada.states.values() if isinstance(state, State) and state.release}


def reasons() -> list[str]:
    with open_records() as records:
        return [entry.reason for entry in reversed(records.entries("f", None, 99)) if entry.reason]


def test_it_watches_for_two_hours_unless_told_otherwise(upgraded: Jada, clock: Later) -> None:
    lasts = next(option for option in command.params if option.name == "lasts")
    assert lasts.default == "2h"
    assert upgraded("guard").exit == Exit.OK
    assert clock.slept == pytest.approx(7200, abs=1)


def test_a_quiet_fleet_is_left_alone_and_nothing_is_said(upgraded: Jada, clock: Later) -> None:
    before = ids(upgraded)
    done = upgraded("guard", "--for", "1h")
    assert done.exit == Exit.OK
    assert clock.slept == pytest.approx(3600, abs=1)
    assert ids(upgraded) == before
    assert [line.split(maxsplit=2)[2] for line in done.err.splitlines()] == ["Watching 3 hosts of f"]


def test_a_release_that_fails_goes_back_on_all_its_hosts(
    upgraded: Jada, clock: Later, ill: set[str], told: list[str]
) -> None:
    ill.add(OPUS)
    clock.plans.append((600, lambda: changed(upgraded, "web-2", "failed")))
    done = upgraded("guard", "--for", "1h")
    assert done.exit == Exit.ROLLED_BACK, done.out + done.err
    assert set(models(upgraded).values()) == {SONNET}
    (reason,) = reasons()
    assert reason.startswith("guard: 1 host of 3 on release")
    assert "failed (web-2: what runs is not what was asked for): all that are on it go back" in done.err
    assert "fails on no host any more" in done.err
    assert [text.partition("): ")[2] for text in told] == ["all that are on it go back"]


def test_what_one_look_alone_sees_is_no_reason(upgraded: Jada, clock: Later) -> None:
    clock.plans += [
        (600, lambda: changed(upgraded, "web-2", "failed")),
        (640, lambda: changed(upgraded, "web-2", "active")),
    ]
    before = ids(upgraded)
    assert upgraded("guard", "--for", "1h").exit == Exit.OK
    assert ids(upgraded) == before


def test_hosts_of_which_nothing_is_known_have_nobody_changed(upgraded: Jada, clock: Later) -> None:
    state = upgraded.states["web-2"]
    assert isinstance(state, State)
    upgraded.states["web-2"] = replace(state, report=ModelReport())
    upgraded.states["db-1"] = HostError("db-1 is off")
    done = upgraded("guard", "--for", "1h")
    # What became of it is not known.
    assert done.exit == Exit.FAILED
    assert done.err.count("db-1 is off") == 1
    assert models(upgraded)["web-1"] == OPUS


def test_a_network_that_is_gone_for_a_while_is_told_once(
    upgraded: Jada, clock: Later, monkeypatch: pytest.MonkeyPatch
) -> None:
    well = dict(upgraded.states)
    clock.plans += [
        (600, lambda: upgraded.states.update(dict.fromkeys(well, HostError("no route")))),
        (1800, lambda: upgraded.states.update(well)),
    ]
    done = upgraded("guard", "--for", "1h")
    assert done.exit == Exit.OK
    assert (done.err.count("no route"), done.err.count("can be looked at again")) == (3, 3)


def test_a_fleet_file_that_is_broken_meanwhile_ends_no_guard(upgraded: Jada, clock: Later) -> None:
    text = upgraded.fleet_file.read_text()
    clock.plans += [
        (600, lambda: (upgraded.fleet_file.write_text("fleet: ["), None)[1]),
        (1200, lambda: (upgraded.fleet_file.write_text(text), None)[1]),
    ]
    done = upgraded("guard", "--for", "1h")
    assert done.exit == Exit.OK
    assert (done.err.count("The fleet can't be looked at"), done.err.count("the fleet can be looked at again")) == (
        1,
        1,
    )
    upgraded.fleet_file.write_text("fleet: [")
    assert upgraded("guard").exit == Exit.USAGE


def test_hosts_go_to_their_roles_fallback_or_back_where_it_has_none(
    upgraded: Jada, clock: Later, ill: set[str]
) -> None:
    policy(upgraded, "to: fallback")
    clock.plans.append((600, fail(upgraded, ill)))
    done = upgraded("guard", "--for", "1h")
    assert done.exit == Exit.ROLLED_BACK, done.out + done.err
    assert models(upgraded) == {"web-1": HAIKU, "web-2": HAIKU, "db-1": SONNET}
    assert f"go to {HAIKU} or back" in done.err
    assert len(reasons()) == 1


def test_hosts_go_to_the_model_that_fleet_yml_names(upgraded: Jada, clock: Later, ill: set[str]) -> None:
    policy(upgraded, "to: opus-4.8")
    clock.plans.append((600, fail(upgraded, ill)))
    assert upgraded("guard", "--for", "1h").exit == Exit.ROLLED_BACK
    assert set(models(upgraded).values()) == {"claude-opus-4-8"}


def test_where_the_fallback_can_not_be_had_hosts_go_back(
    upgraded: Jada, clock: Later, ill: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record of this machine can't be written, and without it there is no upgrade; the way back needs none."""
    policy(upgraded, "to: fallback")
    clock.plans.append((600, fail(upgraded, ill)))
    clock.plans.append((600, lambda: monkeypatch.setenv("XDG_STATE_HOME", "/dev/null/state")))
    done = upgraded("guard", "--for", "1h")
    assert done.exit == Exit.ROLLED_BACK, done.out + done.err
    assert set(models(upgraded).values()) == {SONNET}


def test_hosts_that_fail_on_what_they_came_to_are_left_to_a_person(
    upgraded: Jada, clock: Later, ill: set[str], told: list[str]
) -> None:
    ill.add(SONNET)
    clock.plans.append((600, fail(upgraded, ill)))
    done = upgraded("guard", "--for", "2h")
    assert done.exit == Exit.FAILED
    assert len(reasons()) == 1
    assert sum("left as they are: they came there from another one that failed" in text for text in told) == 1


def again(jada: Jada, ill: set[str]) -> Callable[[], None]:
    """Somebody upgrades to the model that fails once more."""

    def happen() -> None:
        ill.clear()
        assert jada("upgrade", "--to", "opus-5", "--yes").exit == Exit.OK
        fail(jada, ill)()

    return happen


def test_it_changes_hosts_no_more_often_than_may_be(
    upgraded: Jada, clock: Later, ill: set[str], told: list[str]
) -> None:
    clock.plans += [(600, fail(upgraded, ill)), (1200, again(upgraded, ill)), (3600, again(upgraded, ill))]
    assert upgraded("guard", "--for", "2h").exit == Exit.FAILED
    assert len(reasons()) == 2
    assert set(models(upgraded).values()) == {OPUS}
    assert told[-1].endswith("hosts are left as they are: hosts were changed 2 times in 24 hours")


def test_it_does_nothing_in_the_cool_down_also_where_it_was_started_anew(
    upgraded: Jada, clock: Later, ill: set[str]
) -> None:
    clock.plans.append((60, fail(upgraded, ill)))
    assert upgraded("guard", "--for", "3m").exit == Exit.ROLLED_BACK
    again(upgraded, ill)()
    done = upgraded("guard", "--for", "3m")
    assert "the guard waits: hosts were changed less than 10m ago" in done.err
    assert set(models(upgraded).values()) == {OPUS}
    assert upgraded("guard", "--for", "10m").exit == Exit.ROLLED_BACK
    assert len(reasons()) == 2
    again(upgraded, ill)()
    assert upgraded("guard", "--for", "1h").exit == Exit.FAILED
    assert len(reasons()) == 2


def test_it_cools_down_for_longer_than_a_day_where_fleet_yml_says_so(
    upgraded: Jada, clock: Later, ill: set[str]
) -> None:
    text = upgraded.fleet_file.read_text()
    upgraded.fleet_file.write_text(text.replace("cool_down: 10m", "cool_down: 3d"))
    clock.plans.append((60, fail(upgraded, ill)))
    assert upgraded("guard", "--for", "3m").exit == Exit.ROLLED_BACK
    clock.sleep(2 * 86400)
    again(upgraded, ill)()
    assert "the guard waits: hosts were changed less than 72h ago" in upgraded("guard", "--for", "3m").err
    assert len(reasons()) == 1


def test_it_cools_down_although_a_clock_that_was_wrong_dates_another_change_later(
    upgraded: Jada, clock: Later, ill: set[str]
) -> None:
    clock.plans.append((60, fail(upgraded, ill)))
    assert upgraded("guard", "--for", "3m").exit == Exit.ROLLED_BACK
    again(upgraded, ill)()
    ahead = f"{datetime.fromtimestamp(clock.time() + 5 * 3600, UTC):%Y%m%d-%H%M%S}-aaaa"
    about = {"fleet": "f", "kind": "rollback", "at": "", "who": "", "reason": BY_GUARD, "model": ""}
    with open_records() as records:
        records.add(Entry(id=ahead, **about), [HostEntry(release=ahead, host="web-1", outcome=HostOutcome.ROLLED_BACK)])
    upgraded.fleet_file.write_text(upgraded.fleet_file.read_text().replace("most_per_day: 2", "most_per_day: 9"))
    done = upgraded("guard", "--for", "3m")
    assert "the guard waits: hosts were changed less than 10m ago" in done.err
    assert set(models(upgraded).values()) == {OPUS}


def test_it_waits_while_another_jada_changes_the_fleet(upgraded: Jada, clock: Later, ill: set[str]) -> None:
    clock.plans.append((60, fail(upgraded, ill)))
    with exclusive_rollout(FLEET, Holder("bob")):
        done = upgraded("guard", "--for", "30m")
    assert done.err.count("the guard waits: f is locked by bob") == 1
    # Hosts fail, and nothing was done about it.
    assert done.exit == Exit.FAILED
    assert set(models(upgraded).values()) == {OPUS}
    assert upgraded("guard", "--for", "30m").exit == Exit.ROLLED_BACK


def test_it_waits_while_somebody_has_locked_a_host(
    upgraded: Jada, clock: Later, ill: set[str], told: list[str]
) -> None:
    lock = OperatorLock("bob@ops", "2027-01-01T10:00:00+00:00", "", "incident 4711")

    def set_lock(lock: OperatorLock | None) -> None:
        state = upgraded.states["web-1"]
        assert isinstance(state, State)
        upgraded.states["web-1"] = replace(state, operator_lock=lock)

    set_lock(lock)
    clock.plans += [(60, fail(upgraded, ill)), (1800, lambda: set_lock(None))]
    done = upgraded("guard", "--for", "1h")
    assert done.exit == Exit.ROLLED_BACK
    assert done.err.count("the guard waits: f is locked: web-1 by bob@ops") == 1
    assert len(told) == 1


def test_one_host_is_tried_again_after_the_cool_down_if_asked(
    upgraded: Jada, clock: Later, ill: set[str], told: list[str]
) -> None:
    policy(upgraded, "half_open: true")
    clock.plans += [(60, fail(upgraded, ill)), (300, ill.clear)]
    done = upgraded("guard", "--for", "2h")
    assert done.exit == Exit.ROLLED_BACK
    assert sorted(models(upgraded).values()) == [OPUS, SONNET, SONNET]
    assert [reason.startswith(TRIAL) for reason in reasons()] == [False, True]
    assert told[-1].endswith(f"is well on {OPUS}, which failed before. For the others: jada upgrade --to {OPUS}")
    # A guard that is started anew doesn't try once more.
    upgraded("guard", "--for", "1h")
    assert len(reasons()) == 2


def test_a_host_that_is_tried_again_and_fails_goes_back(
    upgraded: Jada, clock: Later, ill: set[str], told: list[str]
) -> None:
    policy(upgraded, "half_open: true, to: fallback")
    clock.plans += [(60, fail(upgraded, ill)), (300, ill.clear), (800, fail(upgraded, ill))]
    upgraded("guard", "--for", "5h")
    assert OPUS not in models(upgraded).values()
    assert [reason.startswith(TRIAL) for reason in reasons()] == [False, True, False]
    assert not any("is well on" in text for text in told)


def test_each_thing_that_changes_is_one_line_of_json(upgraded: Jada, clock: Later, ill: set[str]) -> None:
    policy(upgraded, "to: fallback")
    well = dict(upgraded.states)
    clock.plans += [
        (60, lambda: upgraded.states.update({"db-1": HostError("db-1 is \x1b[2J off")})),
        (120, lambda: upgraded.states.update({"db-1": well["db-1"]})),
        (300, fail(upgraded, ill)),
    ]
    done = upgraded("guard", "--for", "10m", "--json")
    lines = [checked(line) for line in done.out.splitlines()]
    assert [(line["event"], line["is_over"]) for line in lines] == [
        ("watching", False), ("unseen", False), ("unseen", True), ("failing", False), ("changing", False),
        ("changed", False), ("failing", True),
    ]  # fmt: skip
    assert [line["exit"] for line in lines if line["event"] == "changed"] == [0]
    assert lines[3]["hosts"] == ["db-1", "web-1", "web-2"]
    assert json.loads(done.out.splitlines()[1])["text"] == "db-1 is \x1b[2J off"


def test_nothing_but_json_is_told_where_programs_read_both(upgraded: Jada, clock: Later, ill: set[str]) -> None:
    clock.plans.append((60, fail(upgraded, ill)))
    done = upgraded("--log-format", "json", "guard", "--for", "10m", "--json")
    assert done.exit == Exit.ROLLED_BACK
    for line in (*done.out.splitlines(), *done.err.splitlines()):
        json.loads(line)


def test_a_condition_is_told_when_it_comes_changes_its_hosts_and_goes(capsys: pytest.CaptureFixture[str]) -> None:
    teller = Teller(fakes.FLEET, as_json=False)

    def condition(text: str, *hosts: str) -> Condition:
        return Condition(Event.FAILING, "release r", text, hosts)

    def said(*standing: Condition) -> list[str]:
        teller.conditions(standing)
        return [line.split(maxsplit=2)[2] for line in capsys.readouterr().err.splitlines()]

    assert said(condition("1 of 3", "a")) == ["1 of 3"]
    assert said(condition("1 of 2", "a")) == []
    assert said(condition("2 of 3 [red]", "a", "b")) == ["2 of 3 [red]"]
    assert said() == ["release r fails on no host any more"]
    assert said() == []


def test_failing_releases_are_those_of_which_too_many_hosts_fail(host: Callable[..., State]) -> None:
    old, new = host(), host(release={"id": "20270101-120000-aaaa"})
    seen: HostResults[State] = HostResults({"a": old, "b": new, "c": new, "d": HostError("off")})
    assert [*failing_releases(seen, {"b": "why"}, Share(0))] == [
        Failing("20270101-120000-aaaa", ("b",), ("b", "c"), "why")
    ]
    assert [*failing_releases(seen, {"b": ""}, Share(50, is_percent=True))] == []
    assert [each.release for each in failing_releases(seen, {"a": "", "b": ""}, Share(0))][-1] == old.release.id  # type: ignore[union-attr]


def test_a_host_that_fails(host: Callable[..., State]) -> None:
    well = host()
    assert well.process
    assert well.release
    restarted = replace(well, process=replace(well.process, ticks=9999))
    other = replace(restarted, release=replace(well.release, id="20270101-120000-aaaa"))
    gone_back = Release("20270101-120000-bbbb", "rollback", Desired("x", 0), Desired("y", 0))
    down = host(unit={"active": "failed"})

    def failed(before: State, now: State | HostError, *judgements: Judgement) -> bool:
        watched = now if isinstance(now, HostError) else Watched(now, judgements)
        result = results_of({"a": before}, HostResults({"a": watched}), Service()).get("a")
        return result is not None and verdict(result) is Verdict.FAILED

    assert not failed(well, well)
    assert failed(well, down)
    slow = Judgement(probe="slow", measure="p95", unit="s", verdict=Verdict.FAILED, text="2 s of 20, above 1 s")
    assert failed(well, well, slow)
    assert not failed(well, well, replace(slow, is_enforced=False))
    assert not failed(well, well, replace(slow, verdict=Verdict.INCONCLUSIVE))
    assert failed(well, restarted)
    # Somebody released another one meanwhile, which restarts it.
    assert not failed(well, other)
    assert not failed(well, HostError("off"))
    assert not failed(well, replace(down, running_transaction="ann"))
    assert not failed(well, replace(down, release=gone_back, history=(HistoryEntry(gone_back, ""),)))
    assert not failed(well, replace(down, release=None))


NEW = "20270101-120000-aaaa"


@pytest.mark.parametrize(
    ("to", "release", "way"),
    [
        ("previous", {}, BACK),
        ("fallback", {}, HAIKU),
        (SONNET, {}, SONNET),
        # On the very model.
        (OPUS, {}, BACK),
        ("previous", {"kind": "rollback"}, None),
        ("previous", {"kind": "rollback", "redoes": "20260101-120000-aaaa"}, BACK),
        ("fallback", {"kind": "rollback"}, HAIKU),
        ("previous", {"reason": f"{BY_GUARD}x"}, None),
        ("previous", {"reason": f"{TRIAL}x"}, BACK),
        (OPUS, {"reason": f"{BY_GUARD}x"}, None),
    ],
)
def test_the_ways_of_a_host(host: Callable[..., State], to: str, release: dict[str, Any], way: str | None) -> None:
    state = host()
    assert state.release
    made = replace(state.release, **{"id": NEW, "kind": "upgrade", "desired": Desired(OPUS, 0, release=NEW), **release})
    failing = Failing(NEW, ("a",), ("a",))
    found = ways(failing, {"a": replace(state, release=made)}, to, lambda _: Tiers(OPUS, (HAIKU,)))
    assert found == ({} if way is None else {"a": way})


def test_a_host_that_somebody_changed_meanwhile_is_left_alone(host: Callable[..., State]) -> None:
    state = host()
    assert state.release
    for plan in (
        change_plan(REQUEST, "r", HAIKU, Tiers(OPUS), state, Service(), NEW),
        change_plan(REQUEST, "r", BACK, Tiers(OPUS), state, Service(), NEW),
        trial_plan(REQUEST, "r", state, Service(), NEW),
    ):
        assert (plan.transaction, plan.idle) == (None, "somebody has changed it since")
    busy = replace(state, running_transaction="bob")
    assert change_plan(REQUEST, "r", BACK, Tiers(OPUS), busy, Service(), state.release.id).lock == "bob"
    forgotten = trial_plan(REQUEST, "r", replace(state, history=()), Service(), state.release.id)
    assert forgotten.refusal.startswith("it keeps nothing of release")


def test_what_other_people_changed_is_no_change_of_a_guard(upgraded: Jada, clock: Later, ill: set[str]) -> None:
    with open_records() as records:
        entry = records.entries("f", None, 1)[0]
        for number in range(5):
            other = Entry(
                id=f"{entry.id[:-1]}{number}", fleet="f", kind="upgrade", at=entry.at, who="ann", reason="guard me",
                model="",
            )  # fmt: skip
            records.add(other, ())
    clock.plans.append((60, fail(upgraded, ill)))
    assert upgraded("guard", "--for", "10m").exit == Exit.ROLLED_BACK


def test_notes_on_fleet_yml_are_told_once(upgraded: Jada, clock: Later) -> None:
    text = upgraded.fleet_file.read_text()
    upgraded.fleet_file.write_text(text.replace("roles:\n", "roles:\n  none: {names: [nosuch]}\n"))
    done = upgraded("guard", "--for", "10m")
    assert done.exit == Exit.OK
    assert done.err.count("roles.none.names: no host has a Name or an id like nosuch") == 1


def test_people_are_told_once_while_others_change_the_hosts(
    upgraded: Jada, clock: Later, ill: set[str], told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change on a host that another machine has begun: none is touched, and the next look tries again."""
    apply = fakes.FakeConnection.apply
    monkeypatch.setattr(fakes.FakeConnection, "apply", lambda *_: Outcome(Result.LOCKED, "bob", ()))
    clock.plans += [
        (60, fail(upgraded, ill)),
        (600, lambda: monkeypatch.setattr(fakes.FakeConnection, "apply", apply)),
    ]
    done = upgraded("guard", "--for", "20m")
    assert len(told) == 1
    assert "met a change that is under way there" in done.err
    assert set(models(upgraded).values()) == {SONNET}


def test_ctrl_c_ends_it_between_two_looks(upgraded: Jada, clock: Later, monkeypatch: pytest.MonkeyPatch) -> None:
    clock.plans.append((90, lambda: monkeypatch.setattr(signals, "stopped", lambda: True)))
    assert upgraded("guard", "--for", "1h").exit == Exit.STOPPED
    assert clock.slept == pytest.approx(90, abs=1)


def test_a_lock_file_is_free_while_a_guard_watches(upgraded: Jada, clock: Later, tmp_path: Path) -> None:
    taken = []

    def take() -> None:
        with exclusive_rollout(FLEET, Holder("bob")):
            taken.append(True)

    clock.plans.append((60, take))
    assert upgraded("guard", "--for", "10m").exit == Exit.OK
    assert taken == [True]
