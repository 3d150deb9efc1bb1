"""How clouds say that hosts are, asked of the emulated endpoint."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from jada import Host
from jada.inventory import conditions, discover
from jada.inventory.fleet.config import Fleet
from jada.inventory.sources import ec2

if TYPE_CHECKING:
    from tests.protocol.conftest import Emulator

SOURCES = """
  - ec2: {regions: [us-east-1, eu-west-1], tags: {jada: agent}, running_only: false}
  - lightsail: {regions: [us-east-1, eu-west-1], running_only: false}
  - static: {hosts: {here: {address: 192.0.2.1}}}
"""


@pytest.fixture
def fleet(fleet_of: Callable[..., Fleet]) -> Fleet:
    return fleet_of(SOURCES)


@pytest.fixture
def hosts(fleet: Fleet) -> tuple[Host, ...]:
    return discover.discover(fleet)


def test_all_regions_and_clouds_are_asked_and_no_static_host(fleet: Fleet, hosts: tuple[Host, ...]) -> None:
    found = conditions.conditions(hosts)
    assert found.keys() == {host.name for host in hosts} - {"here"}
    assert (found["orch-1"].text, found["orch-1"].is_well) == ("EC2's status checks pass", True)
    assert (found["spec-3"].text, found["spec-3"].is_well) == ("EC2 calls it stopped", False)
    assert (found["jada-agent-2"].text, found["jada-agent-2"].is_well) == ("Lightsail calls it running", True)
    assert (found["jada-off"].text, found["jada-off"].is_well) == ("Lightsail calls it stopped", False)


def test_what_may_not_be_asked_is_not_known_and_names_the_permission(
    aws: Emulator, fleet: Fleet, hosts: tuple[Host, ...]
) -> None:
    aws.fails(
        {
            "DescribeInstanceStatus": {"eu-west-1": {"code": "UnauthorizedOperation", "status": 403}},
            "GetInstanceState": {"us-east-1": {"code": "AccessDeniedException"}},
        }
    )
    found = conditions.conditions(hosts)
    assert found["spec-1"].is_well is None
    assert "lack the permission ec2:DescribeInstanceStatus" in found["spec-1"].text
    assert "lightsail:GetInstanceState" in found["jada-agent-2"].text
    assert found["orch-1"].is_well


def test_one_that_the_cloud_does_not_know_any_more(fleet: Fleet) -> None:
    gone = Host("gone", "10.77.0.99", "lightsail", "gone", "us-east-1")
    assert conditions.conditions([gone])["gone"].is_well is None


def status(**checks: str) -> dict[str, Any]:
    results = {
        key: {"Status": checks.get(key, "ok")} for key in ("SystemStatus", "InstanceStatus", "AttachedEbsStatus")
    }
    return {"InstanceState": {"Name": checks.get("state", "running")}, **results}


@pytest.mark.parametrize(
    ("checks", "text", "is_well"),
    [
        ({}, "EC2's status checks pass", True),
        ({"AttachedEbsStatus": "not-applicable"}, "EC2's status checks pass", True),
        ({"InstanceStatus": "impaired"}, "EC2's instance status check fails", False),
        (
            {"SystemStatus": "impaired", "InstanceStatus": "impaired"},
            "EC2's system and instance status check fails",
            False,
        ),
        ({"InstanceStatus": "initializing"}, "EC2's status checks are not done: instance initializing", None),
        ({"state": "stopping", "InstanceStatus": "initializing"}, "EC2 calls it stopping", False),
    ],
)
def test_the_words_of_status_checks(checks: dict[str, str], text: str, is_well: bool | None) -> None:
    condition = ec2.condition(status(**checks))
    assert (condition.text, condition.is_well) == (text, is_well)
