"""The guard on a fake fleet: hosts that fail after a rollout go back by themselves, no more often than may be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from jada import Exit, HostError, Service
from jada.cli.commands.guard import guard as command
from jada.cli.records.sqlite import open_records
from jada.cli.results import HostResults
from jada.cli.rollout import bake, guard
from jada.cli.rollout.guard import Failing, failed_hosts, failing_releases
from jada.inventory.fleet.rollout import Share
from jada.tasks.release import Desired, Release
from jada.tasks.state import HistoryEntry, ModelReport, State
from tests.fakes import Clock
from tests.unit.cli.conftest import Jada

POLICY = "guard: {interval: 1m, looks: 2, cool_down: 10m, most_per_day: 2}\n"


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
    return ticking


@pytest.fixture
def upgraded(jada: Jada, clock: Later) -> Jada:
    """Three hosts that were upgraded to opus-5, with the guard of POLICY."""
    jada.fleet_file.write_text(jada.fleet_file.read_text() + POLICY)
    assert jada("upgrade", "--to", "opus-5", "--yes").exit == Exit.OK
    return jada


def changed(jada: Jada, name: str, active: str) -> None:
    state = jada.states[name]
    assert isinstance(state, State)
    jada.states[name] = replace(state, unit=replace(state.unit, active=active))


def models(jada: Jada) -> set[str]:
    return {state.settings.model for state in jada.states.values() if isinstance(state, State)}


def ids(jada: Jada) -> set[str]:
    return {state.release.id for state in jada.states.values() if isinstance(state, State) and state.release}


def test_it_watches_for_two_hours_unless_told_otherwise(upgraded: Jada, clock: Later) -> None:
    lasts = next(option for option in command.params if option.name == "lasts")
    assert lasts.default == "2h"
    assert upgraded("guard").exit == Exit.OK
    assert clock.slept == pytest.approx(7200, abs=1)


def test_a_quiet_fleet_is_left_alone(upgraded: Jada, clock: Later) -> None:
    before = ids(upgraded)
    assert upgraded("guard", "--for", "1h").exit == Exit.OK
    assert clock.slept == pytest.approx(3600, abs=1)
    assert ids(upgraded) == before


def test_a_release_that_fails_goes_back_on_all_its_hosts(upgraded: Jada, clock: Later) -> None:
    clock.plans.append((600, lambda: changed(upgraded, "web-2", "failed")))
    done = upgraded("guard", "--for", "1h")
    assert done.exit in (Exit.ROLLED_BACK, Exit.FAILED), done.out + done.err
    assert "1 host of 3 on release" in done.err
    with open_records() as records:
        entries = records.entries("f", None, 9)
    reasons = [entry.reason for entry in entries if entry.reason]
    # The one host that is never well again goes back once more, when the guard may.
    assert any(reason.startswith("guard: 1 host of 3 on release") for reason in reasons)
    assert all(reason.startswith("guard: ") for reason in reasons)
    assert upgraded.changed.count("db-1") == 2


def test_what_one_look_alone_sees_is_no_reason(upgraded: Jada, clock: Later) -> None:
    clock.plans += [
        (600, lambda: changed(upgraded, "web-2", "failed")),
        (640, lambda: changed(upgraded, "web-2", "active")),
    ]
    before = ids(upgraded)
    assert upgraded("guard", "--for", "1h").exit == Exit.OK
    assert ids(upgraded) == before


def test_hosts_of_which_nothing_is_known_send_nobody_back(upgraded: Jada, clock: Later) -> None:
    state = upgraded.states["web-2"]
    assert isinstance(state, State)
    upgraded.states["web-2"] = replace(state, report=ModelReport())
    upgraded.states["db-1"] = HostError("db-1 is off")
    assert upgraded("guard", "--for", "1h").exit == Exit.OK
    assert upgraded.changed.count("web-1") == 1


def test_it_goes_back_no_more_often_than_may_be(upgraded: Jada, clock: Later, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hosts that fail on whatever they run would go back and back."""
    for name in upgraded.states:
        changed(upgraded, name, "failed")
    done = upgraded("guard", "--for", "1d")
    assert done.exit == Exit.FAILED
    assert "hosts went back 2 times today: left as they are" in done.err
    with open_records() as records:
        by_guard = [entry for entry in records.entries("f", None, 99) if entry.reason.startswith("guard: ")]
    assert len(by_guard) == 2


def test_failing_releases_are_those_of_which_too_many_hosts_fail(host: Callable[..., State]) -> None:
    old, new = host(), host(release={"id": "20270101-120000-aaaa"})
    seen: HostResults[State] = HostResults({"a": old, "b": new, "c": new, "d": HostError("off")})
    assert [*failing_releases(seen, {"b"}, Share(0))] == [Failing("20270101-120000-aaaa", ("b",), ("b", "c"))]
    assert [*failing_releases(seen, {"b"}, Share(50, is_percent=True))] == []
    assert [each.release for each in failing_releases(seen, {"a", "b"}, Share(0))][-1] == old.release.id  # type: ignore[union-attr]


def test_a_host_that_fails(host: Callable[..., State]) -> None:
    well = host()
    assert well.process
    assert well.release
    restarted = replace(well, process=replace(well.process, ticks=9999))
    other = replace(restarted, release=replace(well.release, id="20270101-120000-aaaa"))
    gone_back = Release("20270101-120000-bbbb", "rollback", Desired("x", 0), Desired("y", 0))
    down = host(unit={"active": "failed"})

    def failed(before: State, now: State | HostError) -> bool:
        return "a" in failed_hosts({"a": before}, HostResults({"a": now}), Service())

    assert not failed(well, well)
    assert failed(well, down)
    assert failed(well, restarted)
    # Somebody released another one meanwhile, which restarts it.
    assert not failed(well, other)
    assert not failed(well, HostError("off"))
    assert not failed(well, replace(down, running_transaction="ann"))
    assert not failed(well, replace(down, release=gone_back, history=(HistoryEntry(gone_back, ""),)))
    assert not failed(well, replace(down, release=None))
