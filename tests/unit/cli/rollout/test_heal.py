"""The healing of a host: the model it is to run, what a release can fix, and what is left to people."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from jada import Exit, Host, HostError, Service, Telemetry, Tiers
from jada.cli.drift.evaluate import evaluate
from jada.cli.records.model import HostEntry, HostOutcome
from jada.cli.rollout.heal import desired_for, heal_hosts, heal_plan, peers_of
from jada.cli.rollout.options import RolloutOptions
from jada.cli.session import FleetSession
from jada.inventory.fleet.accept import Acceptance
from jada.inventory.fleet.config import Fleet
from jada.inventory.roles import Role
from jada.tasks import checks
from jada.tasks.plan import Plan, Request
from jada.tasks.release import Desired, Release
from jada.tasks.state import File, ModelReport, Settings, State
from tests.fakes import FakeEngine

MakeHost = Callable[..., State]
MODEL = "claude-sonnet-4.6"
ID = "20261124-120000-aaaa"
NEWER = "20261125-120000-bbbb"
LATER = "20261126-110000-dddd"
OPUS = "claude-opus-5"
SONNET = "claude-sonnet-5"
REQUEST = Request("20261126-120000-cccc", "f", "me@here", "2026-11-26T12:00:00+00:00", 2147483646, restart=True)
SERVICE = Service()
FLEET = Fleet("f", Path("fleet.yml"), (), (Role("r", "haiku-4.5"), Role("no-model")))
HERE = Host("web-1", "192.0.2.1", "static", role="r")


def release(number: str, model: str, role: str = "r", wanted_release: str | None = None) -> Release:
    desired = number if wanted_release is None else wanted_release
    return Release(number, "upgrade", Desired(model, 1024, 4096, desired), Desired("", 0), role=role)


def entry(number: str, model: str, host: str, outcome: HostOutcome = HostOutcome.VERIFIED) -> HostEntry:
    return HostEntry(release=number, host=host, outcome=outcome, model_after=model)


def desired_of(
    host: Host,
    state: State,
    peers: Mapping[str, Release] = MappingProxyType({}),
    recorded: Mapping[str, HostEntry] = MappingProxyType({}),
    fleet: Fleet = FLEET,
) -> Desired | None:
    return desired_for(host, state, peers, recorded, fleet, datetime(2026, 11, 26, 12, tzinfo=UTC))


def healed(state: State, fleet: Fleet = FLEET, desired: Desired | None = None) -> Plan:
    drift = evaluate(fleet, [HERE], {"web-1": state}, {}, datetime(2026, 11, 24, tzinfo=UTC))
    desired = desired or desired_of(HERE, state, fleet=fleet)
    return heal_plan(REQUEST, drift.hosts[0], state, desired, SERVICE)


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
        {"unfinished_transaction": "r2"},
    ],
    ids=["another model", "stopped", "another limit", "no drop-in", "cut off"],
)
def test_what_a_release_fixes_gets_one_of_what_the_current_one_asks_for(
    host: MakeHost, changes: dict[str, Any]
) -> None:
    transaction = healed(host(**changes)).transaction
    assert transaction is not None
    desired = transaction.release.desired
    assert (desired.model, desired.nofile_requested, desired.release) == (MODEL, 2147483646, REQUEST.id)
    assert transaction.release.role == "r"


def test_a_heal_asks_for_all_that_the_release_did(host: MakeHost) -> None:
    """Whatever fleet.yml says by now; of a host without a release, only that knows."""
    now = host().release
    assert now
    telemetry = Telemetry(exporter="console")
    asked = replace(now.desired, fallback=("claude-opus-5",), subagent_model="claude-haiku-4.5", telemetry=telemetry)
    transaction = healed(host(release=replace(now, desired=asked))).transaction
    assert transaction
    assert transaction.release.desired.is_like(replace(asked, nofile=transaction.release.desired.nofile))
    role = Role("r", "opus-5", fallback=("sonnet-4.6",), subagent_model="haiku-4.5")
    fleet = replace(FLEET, roles=(role,), service=Service(telemetry=telemetry))
    fresh = desired_of(HERE, host(release=None), fleet=fleet)
    assert fresh
    assert fresh.tiers == Tiers("claude-opus-5", ("claude-sonnet-4.6",), "claude-haiku-4.5")
    assert fresh.telemetry == telemetry


def test_a_heal_stays_a_heal_on_the_host(host: MakeHost) -> None:
    """So `jada history --rebuild` reads it back as one; it is judged, and undone, as an upgrade."""
    transaction = healed(host(process={"soft": 1024})).transaction
    assert transaction is not None
    assert Release.from_json(transaction.release.to_json()).kind == "heal"
    upgrade = replace(transaction, release=replace(transaction.release, kind="upgrade"))
    # What its manifest says of it, and the line that it leaves in the host's journal.
    script = transaction.script().replace('"kind": "heal"', '"kind": "upgrade"').replace("'heal to", "'upgrade to")
    assert script == upgrade.script()
    assert checks.drift(host(release={"kind": "heal"})) == checks.drift(host()) == ()
    quiet = {"report": ModelReport(), "release": {"kind": "heal"}}
    assert checks.running_model(host(**quiet)) == MODEL
    assert (transaction.release.is_undo, transaction.release.change) == (False, REQUEST.id)


def test_a_release_that_names_no_limit_gets_the_fleets(host: MakeHost) -> None:
    state = host(release=replace(release(ID, MODEL), desired=Desired(MODEL, 1024, 0, ID)), unit={"active": "failed"})
    transaction = healed(state).transaction
    assert transaction is not None
    assert transaction.release.desired.nofile_requested == REQUEST.nofile


def test_what_no_release_fixes_is_refused_with_what_does(host: MakeHost) -> None:
    plan = healed(host(settings={"file": File("0:0", "644", "b" * 64)}))
    assert plan.transaction is None
    refusal = "to release the same again would fix nothing here. J107 settings-owner: on web-1: chown 1000:1000"
    assert plan.refusal.startswith(refusal)


def test_a_limit_that_can_be_raised_now_is_for_an_upgrade(host: MakeHost) -> None:
    plan = healed(host(capacity={"nr_open": 2_097_152}))
    assert plan.transaction is None
    assert plan.refusal.endswith("J303 limit-raisable: jada upgrade --limit web-1")


def test_a_host_that_is_being_changed_is_left_to_whoever_does_it(host: MakeHost) -> None:
    plan = healed(host(running_transaction="ann@ops since noon for release r", process={"soft": 1024}))
    assert (plan.lock, plan.transaction, plan.refusal) == ("ann@ops since noon for release r", None, "")


def test_a_shadow_is_refused_and_named(host: MakeHost) -> None:
    managed = Settings("/etc/claude-code/managed-settings.json", text='{"model": "claude-opus-5"}')
    plan = healed(host(layers=(managed,)))
    assert "/etc/claude-code/managed-settings.json" in plan.refusal
    assert plan.transaction is None


def test_an_own_release_says_what_to_run(host: MakeHost) -> None:
    found = desired_of(HERE, host(), {"web-2": release(NEWER, OPUS)})
    assert found == Desired(MODEL, 1_048_576, 2_147_483_646, ID)


def test_back_before_jada_there_is_nothing_to_heal_to(host: MakeHost) -> None:
    state = host(release=release(ID, "claude-haiku-4.5", wanted_release=""), unit={"active": "failed"})
    assert desired_of(HERE, state) is None
    assert "rolled back to what it had before jada" in healed(state).refusal


STRANGERS = [{"release": None}, {"release": release(ID, MODEL, role="other")}]


@pytest.mark.parametrize("stranger", STRANGERS)
def test_a_new_host_or_role_runs_what_this_machine_saw_its_role_run(host: MakeHost, stranger: dict[str, Any]) -> None:
    peers = {"web-2": release(NEWER, OPUS), "web-3": release(ID, MODEL), "db-1": release(LATER, SONNET, role="other")}
    recorded = {"web-2": entry(NEWER, OPUS, "web-2"), "web-3": entry(ID, MODEL, "web-3")}
    desired = desired_of(HERE, host(**stranger), peers, recorded)
    assert desired == Desired(OPUS, FLEET.limits.nofile, FLEET.limits.nofile)


@pytest.mark.parametrize("stranger", STRANGERS)
@pytest.mark.parametrize(
    "recorded",
    [
        {},
        {"web-2": entry(ID, OPUS, "web-2")},
        {"web-2": entry(NEWER, MODEL, "web-2")},
        {"web-2": entry(NEWER, OPUS, "web-2", HostOutcome.UNPROVEN)},
        {"web-2": entry(NEWER, OPUS, "web-2", HostOutcome.DONE)},
        {"web-3": entry(NEWER, OPUS, "web-3")},
    ],
    ids=["nothing", "another release", "another model", "not seen to run", "read back from the host", "another host"],
)
def test_fleet_yml_comes_before_what_a_peer_alone_says(
    host: MakeHost, stranger: dict[str, Any], recorded: dict[str, HostEntry]
) -> None:
    desired = desired_of(HERE, host(**stranger), {"web-2": release(NEWER, OPUS)}, recorded)
    assert desired == Desired("claude-haiku-4.5", FLEET.limits.nofile, FLEET.limits.nofile)


def test_peers_have_a_word_where_nothing_else_has_one(host: MakeHost) -> None:
    """Their models, of the catalogue; never their limits."""
    peers = {"web-2": release(NEWER, OPUS, role="no-model"), "web-3": release(ID, MODEL, role="no-model")}
    desired = desired_of(replace(HERE, role="no-model"), host(release=None), peers)
    assert desired == Desired(OPUS, FLEET.limits.nofile, FLEET.limits.nofile)


@pytest.mark.parametrize(
    ("number", "model"),
    [
        (NEWER, "claude-x\nUser=root\nExecStartPre=/bin/sh"),
        (NEWER, "nobody-knows-it"),
        (NEWER, "opus"),
        (NEWER, ""),
        ("20261126-121000-cccc", OPUS),
        ("20991231-235959-ffff", OPUS),
        ("zzzz", OPUS),
    ],
)
def test_no_word_of_a_peer_counts_that_can_not_be_right(host: MakeHost, number: str, model: str) -> None:
    """A model that nobody here knows, or a time that has not come: root there decides for no other host."""
    peers = {"web-2": release(number, model, role="no-model"), "web-3": release(ID, MODEL, role="no-model")}
    desired = desired_of(replace(HERE, role="no-model"), host(release=None), peers)
    assert desired is not None
    assert desired.model == MODEL


def test_a_peers_clock_may_be_a_little_ahead_and_its_model_one_that_was_seen_to_run(host: MakeHost) -> None:
    peers = {"web-2": release("20261126-120300-cccc", "gateway/claude", role="no-model")}
    recorded = {"db-1": entry(ID, "gateway/claude", "db-1")}
    desired = desired_of(replace(HERE, role="no-model"), host(release=None), peers, recorded)
    assert desired is not None
    assert desired.model == "gateway/claude"


def test_a_peer_counts_only_for_the_role_that_fleet_yml_gives_it(host: MakeHost) -> None:
    """A manifest may name any role."""
    hosts = [Host(name, "x", "static", role=role) for name, role in (("web-2", "r"), ("db-1", "s"), ("db-2", ""))]
    seen: dict[str, State | HostError] = {
        "web-2": host(release=release(ID, MODEL)),
        "db-1": host(release=release(NEWER, OPUS)),
        "db-2": host(release=release(NEWER, OPUS)),
        "web-3": host(release=release(NEWER, OPUS)),
        "web-4": host(release=None),
        "web-5": HostError("off"),
    }
    assert peers_of([*hosts, replace(HERE, name="web-4"), replace(HERE, name="web-5")], seen) == {
        "web-2": release(ID, MODEL)
    }


def test_hosts_that_went_back_before_jada_are_no_example(host: MakeHost) -> None:
    peers = {"web-2": release(NEWER, OPUS, wanted_release="")}
    desired = desired_of(HERE, host(release=None), peers, {"web-2": entry(NEWER, OPUS, "web-2")})
    assert desired is not None
    assert desired.model == "claude-haiku-4.5"


@pytest.mark.parametrize(("number", "expected"), [("20261124-110000-eeee", MODEL), ("20261125-130000-eeee", OPUS)])
def test_a_reinstalled_host_runs_what_it_ran_unless_its_role_has_moved_on(
    host: MakeHost, number: str, expected: str
) -> None:
    recorded = {"web-1": entry(number, OPUS, "web-1"), "web-2": entry(ID, MODEL, "web-2")}
    desired = desired_of(HERE, host(release=None), {"web-2": release(ID, MODEL)}, recorded)
    assert desired is not None
    assert desired.model == expected


@pytest.mark.parametrize("model", ["", "opus", "opus[1m]", "x\ny"])
def test_a_record_of_what_no_fleet_is_pinned_to_says_nothing(host: MakeHost, model: str) -> None:
    """As of a host that was rolled back to what it had before jada."""
    desired = desired_of(HERE, host(release=None), {}, {"web-1": entry(NEWER, model, "web-1")})
    assert desired is not None
    assert desired.model == "claude-haiku-4.5"


def test_what_was_read_back_from_a_host_says_nothing(host: MakeHost) -> None:
    """A manifest may name another fleet, and so the host of another that has the same name."""
    desired = desired_of(HERE, host(release=None), {}, {"web-1": entry(NEWER, OPUS, "web-1", HostOutcome.DONE)})
    assert desired is not None
    assert desired.model == "claude-haiku-4.5"


def test_fleet_yml_has_the_last_word_where_no_release_has_one(host: MakeHost) -> None:
    desired = desired_of(HERE, host(release=None))
    assert desired == Desired("claude-haiku-4.5", FLEET.limits.nofile, FLEET.limits.nofile)
    assert desired_of(replace(HERE, role="no-model"), host(release=None)) is None


def test_a_host_that_nothing_is_known_of_is_refused(host: MakeHost) -> None:
    state = host(release=None)
    drift = evaluate(FLEET, [HERE], {"web-1": state}, {"web-2": ID}, datetime(2026, 11, 24, tzinfo=UTC))
    plan = heal_plan(REQUEST, drift.hosts[0], state, None, SERVICE)
    assert plan.refusal.startswith("neither a release nor its role in fleet.yml says which model it is to run")


@pytest.mark.parametrize("as_json", [True, False], ids=["json", "text"])
@pytest.mark.parametrize(
    ("lock", "active", "code"),
    [("", "active", Exit.OK), ("ann@ops since noon", "active", Exit.LOCKED), ("", "failed", Exit.OK)],
    ids=["in sync", "being changed", "drifted"],
)
def test_heal_exits_alike_in_words_and_as_json(
    host: MakeHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, as_json: bool, lock: str, active: str, code: Exit
) -> None:
    """A host that is being changed was not healed."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    seen = {"web-1": host(), "web-2": host(running_transaction=lock, unit={"active": active})}
    session = FleetSession(
        FLEET, (HERE, replace(HERE, name="web-2")), FakeEngine(seen, service=SERVICE), time.monotonic() + 1000
    )
    options = RolloutOptions(dry_run=True, yes=False, as_json=as_json, verbose=False)
    assert heal_hosts(session, None, None, "", options) is code
