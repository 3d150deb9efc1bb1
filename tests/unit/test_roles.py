"""Which role a host plays, and what hosts are called."""

from __future__ import annotations

import pytest

from jada import Host
from jada.inventory import discover, ec2, lightsail
from jada.inventory.fleet import Ec2Source, LightsailSource, Role
from jada.inventory.roles import role_of

ORCHESTRATOR = Role("orchestrator", tags={"role": ("orchestrator", "lead-*")}, names=("orch-*",))
PROD = Role("prod", tags={"env": ("prod",), "tier": ("1",)})
REST = Role("rest")


def host(name: str = "a", tags: dict[str, str] | None = None, **kwargs: str) -> Host:
    return Host(name=name, address="192.0.2.1", tags=tags or {}, **{"source": "static", **kwargs})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("one", "roles", "expected"),
    [
        (host(tags={"role": "orchestrator"}), (ORCHESTRATOR, REST), "orchestrator"),
        (host(tags={"role": "lead-7"}), (ORCHESTRATOR, REST), "orchestrator"),
        (host(name="orch-1"), (ORCHESTRATOR, REST), "orchestrator"),
        (host(name="orch-1", tags={"role": "other"}), (ORCHESTRATOR, REST), "orchestrator"),
        (host(name="Orch-1"), (ORCHESTRATOR, REST), "rest"),
        (host(tags={"role": "misled"}), (ORCHESTRATOR, REST), "rest"),
        (host(tags={"env": "prod", "tier": "1"}), (PROD, REST), "prod"),
        (host(tags={"env": "prod"}), (PROD, REST), "rest"),
        (host(tags={"env": "prod"}), (PROD,), ""),
        (host(name="orch-1", tags={"env": "prod", "tier": "1"}), (PROD, ORCHESTRATOR), "prod"),
        (host(name="orch-1", tags={"env": "prod", "tier": "1"}), (ORCHESTRATOR, PROD), "orchestrator"),
        (host(tags={"x": "b"}), (Role("set", tags={"x": ("[ab]",)}),), ""),
        (host(tags={"x": "[ab]"}), (Role("set", tags={"x": ("[ab]",)}),), "set"),
        (host(name="b"), (Role("set", names=("[ab]",)),), "set"),
        (host(), (), ""),
    ],
)
def test_the_first_role_that_matches_wins(one: Host, roles: tuple[Role, ...], expected: str) -> None:
    assert role_of(one, roles) == expected


EC2_A = host("web", source="ec2 us-east-1", id="i-a", region="us-east-1")
EC2_B = host("web", source="ec2 us-east-1", id="i-b", region="us-east-1")
LIGHT_US = host("web", source="lightsail us-east-1", id="web", region="us-east-1")
LIGHT_EU = host("web", source="lightsail eu-west-1", id="web", region="eu-west-1")


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        ([EC2_A], {"web"}),
        ([EC2_A, EC2_B], {"web-i-a", "web-i-b"}),
        ([EC2_B, EC2_A], {"web-i-a", "web-i-b"}),
        ([LIGHT_US, LIGHT_EU], {"web-us-east-1", "web-eu-west-1"}),
        ([EC2_A, LIGHT_US, LIGHT_EU], {"web-i-a-us-east-1", "web-web-us-east-1", "web-web-eu-west-1"}),
        ([EC2_A, host("web")], {"web-i-a", "web-192.0.2.1"}),
        ([EC2_A, EC2_B, host("web-i-a")], {"web-i-a-i-a", "web-i-b", "web-i-a-192.0.2.1"}),
    ],
)
def test_hosts_of_one_name_are_told_apart(hosts: list[Host], expected: set[str]) -> None:
    assert {one.name for one in discover.unique_names(hosts)} == expected


def test_a_host_that_two_sources_find_is_one_host() -> None:
    assert discover.once_each([EC2_A, EC2_B, EC2_A]) == [EC2_A, EC2_B]


INSTANCE = {
    "InstanceId": "i-a",
    "PrivateIpAddress": "10.0.0.1",
    "PublicIpAddress": "203.0.113.1",
    "Tags": [{"Key": "Name", "Value": "web"}, {"Key": "jada", "Value": "agent"}],
}


@pytest.mark.parametrize(
    ("name", "expected"),
    [("web-1", "web-1"), ("", "i-a"), ("@local", "i-a"), ("a/b", "i-a"), ("a,b", "i-a"), ("a\x1b[2J", "i-a")],
)
def test_an_ec2_host_is_called_by_its_name_tag_if_that_can_be_a_name(name: str, expected: str) -> None:
    found = ec2.host({**INSTANCE, "Tags": [{"Key": "Name", "Value": name}]}, Ec2Source(("us-east-1",)), "us-east-1")
    assert found.name == expected


def test_an_ec2_instance_becomes_a_host() -> None:
    source = Ec2Source(("us-east-1",), address="public", user="admin")
    assert ec2.host(INSTANCE, source, "us-east-1") == Host(
        name="web",
        address="203.0.113.1",
        source="ec2 us-east-1",
        id="i-a",
        region="us-east-1",
        user="admin",
        tags={"Name": "web", "jada": "agent"},
    )
    assert ec2.host({"InstanceId": "i-b"}, source, "us-east-1") == Host(
        "i-b", "", "ec2 us-east-1", "i-b", "us-east-1", "admin"
    )


def test_ec2_is_asked_for_the_right_states() -> None:
    def states(source: Ec2Source) -> list[str]:
        return next(one["Values"] for one in ec2.filters(source) if one["Name"] == "instance-state-name")

    assert states(Ec2Source(())) == ["running"]
    assert "terminated" not in states(Ec2Source((), running_only=False))
    assert states(Ec2Source((), filters={"instance-state-name": ("stopped",)})) == ["stopped"]


def test_a_lightsail_tag_may_be_only_a_key() -> None:
    instance = {"name": "a", "state": {"name": "running"}, "tags": [{"key": "jada"}]}
    assert lightsail.wanted(instance, LightsailSource((), tags={"jada": ("*",)}))
    assert not lightsail.wanted(instance, LightsailSource((), tags={"other": ("*",)}))
