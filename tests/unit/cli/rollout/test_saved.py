"""A plan as a file: what is written comes back, and says which hosts follow in which waves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from jada import ConfigError, Host, JadaError, Tiers
from jada.cli.rollout.saved import PARTS, PlannedGroup, PlannedHost, SavedPlan, machine_of, read, write
from jada.cli.rollout.upgrade import desired_models
from jada.cli.rollout.waves import Group
from jada.cli.session import FleetSession
from jada.inventory.fleet.config import Fleet
from jada.inventory.fleet.rollout import ALL, ALL_AT_ONCE, RolloutPolicy, Share
from jada.inventory.roles import Role
from tests.fakes import FakeEngine

SEEN = {part: f"{number:032x}" for number, part in enumerate(PARTS)}
CAREFUL = RolloutPolicy(
    waves=(Share(1), Share(2), ALL),
    canary={"canary": ("yes", "y*")},
    spread_by="nothing",
    max_parallel=3,
    bake_time=90,
    first_bake_time=7 * 86400,
    final_bake_time=3600,
    max_failures=Share(10, is_percent=True),
    on_failure="rollback_wave",
    on_inconclusive="pause",
    deadline=7200,
)


def host(name: str, role: str = "r") -> Host:
    return Host(name, "192.0.2.1", "static", role=role)


def group(policy: RolloutPolicy, *names: str, role: str = "r") -> PlannedGroup:
    return PlannedGroup(policy, {name: PlannedHost(role, "static 192.0.2.1", SEEN) for name in names})


PLAN = SavedPlan(
    fleet="f",
    who="ann@box",
    at="2027-01-01T12:00:00+00:00",
    roles={
        "idle": None,
        "r": Tiers("claude-opus-5[1m]", ("claude-sonnet-4.6",), "claude-haiku-4.5"),
        "": Tiers("arn:aws:bedrock:us-east-1:1:x/y@2"),
    },
    groups=(group(CAREFUL, "web-3", "web-1", "web-2"), group(ALL_AT_ONCE, "odd", role="")),
    others=("web-9",),
    reason='for "tests" – ünïcode \U0001f600, {braces}: [1]',
    restart=True,
    limit="web-*,odd",
)


@pytest.mark.parametrize("plan", [PLAN, SavedPlan(fleet="f", who="ann", at="2027-01-01T12:00:00+00:00")])
def test_what_is_written_comes_back(tmp_path: Path, plan: SavedPlan) -> None:
    write(plan, tmp_path / "x.plan")
    assert read(tmp_path / "x.plan", "f") == plan


def test_a_large_fleet_fits_into_a_file(tmp_path: Path) -> None:
    names = [f"a-host-with-a-long-name-{number:04}" for number in range(10_000)]
    write(replace(PLAN, groups=(group(CAREFUL, *names[:1000]),)), tmp_path / "x.plan")
    assert list(read(tmp_path / "x.plan", "f").hosts) == names[:1000]
    with pytest.raises(JadaError, match="10000 hosts is too large for a file"):
        write(replace(PLAN, groups=(group(CAREFUL, *names),)), tmp_path / "x.plan")


def test_hosts_follow_in_the_order_of_the_plan_whoever_is_left() -> None:
    every = [host("web-1"), host("web-2"), host("web-3"), host("odd", "")]
    assert PLAN.divide(every) == (
        Group(CAREFUL, (("web-3",), ("web-1",), ("web-2",))),
        Group(ALL_AT_ONCE, (("odd",),)),
    )
    assert PLAN.divide(every[:2]) == (Group(CAREFUL, (("web-1",), ("web-2",))), Group(ALL_AT_ONCE, ()))


def test_new_hosts_are_those_that_the_options_of_the_plan_would_have_meant() -> None:
    found = [
        host("web-1"),
        host("web-9"),
        host("web-10"),
        host("db-1"),
        host("web-11", "idle"),
        host("web-12", "other"),
    ]
    assert PLAN.news(found) == ["web-10", "web-11"]


def test_a_machine_is_known_by_its_instance_its_id_or_its_address() -> None:
    assert machine_of(Host("a", "192.0.2.1", "static")) == "static 192.0.2.1"
    assert machine_of(Host("a", "192.0.2.1", "lightsail", "orch-1", "us-east-1")) == "lightsail us-east-1 orch-1"
    assert machine_of(Host("a", "192.0.2.1", "ec2", "i-1", "us-east-1", instance="i-1")) == "ec2 us-east-1 i-1"


def test_a_host_without_a_role_gets_what_is_said_for_all_alone() -> None:
    fleet = Fleet("f", Path("fleet.yml"), (), (Role("r", "opus-5"),))
    session = FleetSession(fleet, (host("web-1"), host("odd", "")), FakeEngine({}), 0)
    assert set(desired_models(session, ("haiku-4.5",), allow_unlisted=False)[1]) == {"web-1", "odd"}
    assert set(desired_models(session, ("r=haiku-4.5",), allow_unlisted=False)[1]) == {"web-1"}
    with pytest.raises(ConfigError, match="asks for no model on odd"):
        desired_models(session, (), allow_unlisted=False)
