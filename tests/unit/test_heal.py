"""What heals a host: what it is to run, what a release can mend, and what is left to people."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from jada import Host
from jada.cli.drift_report import judge
from jada.cli.healing import heal_plan, wanted_on
from jada.cli.records import HostEntry
from jada.inventory.fleet import Acceptance, Fleet, Role
from jada.tasks.plan import Plan, Request
from jada.tasks.release import Release, Wanted
from jada.tasks.state import File, Settings, State
from jada.tasks.transaction import Service

MakeHost = Callable[..., State]
MODEL = "claude-sonnet-4.6"
ID = "20261124-120000-aaaa"
NEWER = "20261125-120000-bbbb"
REQUEST = Request("20261126-120000-cccc", "f", "me@here", "2026-11-26T12:00:00+00:00", 2147483646, restart=True)
SERVICE = Service("jada-agent.service", "~/.claude/settings.json")
FLEET = Fleet("f", Path("fleet.yml"), (), (Role("r", "haiku-4.5"), Role("no-model")))
HERE = Host("web-1", "192.0.2.1", "static", role="r")


def release(number: str, model: str, role: str = "r", wanted_release: str | None = None) -> Release:
    made = number if wanted_release is None else wanted_release
    return Release(number, "upgrade", Wanted(model, 1024, 4096, made), Wanted("", 0), role=role)


def healed(state: State, fleet: Fleet = FLEET, wanted: Wanted | None = None) -> Plan:
    drift = judge(fleet, [HERE], {"web-1": state}, {}, datetime(2026, 11, 24, tzinfo=UTC))
    wanted = wanted or wanted_on(HERE, state, (), None, fleet)
    return heal_plan(REQUEST, drift.hosts[0], state, wanted, SERVICE)


def test_a_host_in_sync_is_left_alone(host: MakeHost) -> None:
    assert healed(host()) == Plan()


def test_accepted_drift_is_left_alone(host: MakeHost) -> None:
    fleet = replace(FLEET, accept=(Acceptance("J301", ("*",), "why", date(2026, 12, 31), 1),))
    assert healed(host(process={"soft": 1024}), fleet) == Plan()


@pytest.mark.parametrize(
    "changes",
    [
        {"settings": {"text": '{"model": "claude-opus-5"}'}},
        {"unit": {"active": "inactive"}},
        {"process": {"soft": 1024}},
        {"dropin": File()},
        {"interrupted": "r2"},
    ],
    ids=["another model", "stopped", "another limit", "no drop-in", "cut off"],
)
def test_what_a_release_mends_gets_one_of_what_the_current_one_asks_for(
    host: MakeHost, changes: dict[str, Any]
) -> None:
    made = healed(host(**changes)).transaction
    assert made is not None
    wanted = made.release.wanted
    assert (wanted.model, wanted.nofile_asked, wanted.release) == (MODEL, 2147483646, REQUEST.id)
    assert made.release.role == "r"


def test_what_no_release_mends_is_refused_with_what_does(host: MakeHost) -> None:
    plan = healed(host(settings={"file": File("0:0", "644", "b" * 64)}))
    assert plan.transaction is None
    assert plan.refusal.startswith("no release mends this. J107 settings-owner: on web-1: chown 1000:1000")


def test_a_host_that_is_being_changed_is_left_to_whoever_does_it(host: MakeHost) -> None:
    plan = healed(host(lock="ann@ops since noon for release r", process={"soft": 1024}))
    assert (plan.lock, plan.transaction, plan.refusal) == ("ann@ops since noon for release r", None, "")


def test_a_shadow_is_refused_and_named(host: MakeHost) -> None:
    managed = Settings("/etc/claude-code/managed-settings.json", text='{"model": "claude-opus-5"}')
    plan = healed(host(layers=(managed,)))
    assert "/etc/claude-code/managed-settings.json" in plan.refusal
    assert plan.transaction is None


def test_an_own_release_says_what_to_run(host: MakeHost) -> None:
    peers = [release(NEWER, "claude-opus-5")]
    assert wanted_on(HERE, host(), peers, None, FLEET) == Wanted(MODEL, 1_048_576, 2_147_483_646, ID)


def test_back_before_jada_there_is_nothing_to_heal_to(host: MakeHost) -> None:
    state = host(release=release(ID, "claude-haiku-4.5", wanted_release=""), unit={"active": "failed"})
    assert wanted_on(HERE, state, (), None, FLEET) is None
    assert "rolled back to what it had before jada" in healed(state).refusal


@pytest.mark.parametrize("stranger", [{"release": None}, {"release": release(ID, MODEL, role="other")}])
def test_a_new_host_or_role_runs_what_the_newest_release_of_its_role_asks_for(
    host: MakeHost, stranger: dict[str, Any]
) -> None:
    peers = [release(NEWER, "claude-opus-5"), release(ID, MODEL), release("20261201-000000-dddd", "x", role="other")]
    wanted = wanted_on(HERE, host(**stranger), peers, None, FLEET)
    assert wanted is not None
    assert (wanted.model, wanted.nofile_asked) == ("claude-opus-5", 4096)


def test_hosts_that_went_back_before_jada_are_no_example(host: MakeHost) -> None:
    peers = [release(NEWER, "claude-opus-5", wanted_release="")]
    wanted = wanted_on(HERE, host(release=None), peers, None, FLEET)
    assert wanted is not None
    assert wanted.model == "claude-haiku-4.5"


@pytest.mark.parametrize(
    ("recorded", "expected"), [("20261124-110000-eeee", MODEL), ("20261125-130000-eeee", "claude-opus-5")]
)
def test_a_reinstalled_host_runs_what_it_ran_unless_its_role_has_moved_on(
    host: MakeHost, recorded: str, expected: str
) -> None:
    entry = HostEntry(recorded, "web-1", "verified", "", "", "claude-opus-5", 1.0)
    wanted = wanted_on(HERE, host(release=None), [release(ID, MODEL)], entry, FLEET)
    assert wanted is not None
    assert wanted.model == expected


def test_fleet_yml_has_the_last_word_where_no_release_has_one(host: MakeHost) -> None:
    wanted = wanted_on(HERE, host(release=None), (), None, FLEET)
    assert wanted == Wanted("claude-haiku-4.5", FLEET.limits.nofile, FLEET.limits.nofile)
    assert wanted_on(replace(HERE, role="no-model"), host(release=None), (), None, FLEET) is None


def test_a_host_that_nothing_is_known_of_is_refused(host: MakeHost) -> None:
    state = host(release=None)
    drift = judge(FLEET, [HERE], {"web-1": state}, {"web-2": ID}, datetime(2026, 11, 24, tzinfo=UTC))
    plan = heal_plan(REQUEST, drift.hosts[0], state, None, SERVICE)
    assert plan.refusal.startswith("neither a release nor its role in fleet.yml says which model it is to run")
