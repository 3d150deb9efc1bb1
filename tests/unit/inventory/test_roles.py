"""Roles of hosts, and their names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from jada import Aws, ConfigError, Host, Tiers
from jada.inventory import discover
from jada.inventory.fleet import config
from jada.inventory.roles import Role, role_of, unmatched
from jada.inventory.sources import ec2, lightsail
from jada.inventory.sources.ec2 import Ec2Source
from jada.inventory.sources.lightsail import LightsailSource

ORCHESTRATOR = Role("orchestrator", tags={"role": ("orchestrator", "lead-*")}, names=("orch-*",))
PROD = Role("prod", tags={"env": ("prod",), "tier": ("1",)})
REST = Role("rest")


def host(name: str = "a", tags: dict[str, str] | None = None, **kwargs: str) -> Host:
    return Host(name=name, tags=tags or {}, **{"address": "192.0.2.1", "provider": "static", **kwargs})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("role_host", "roles", "expected"),
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
def test_the_first_role_that_matches_wins(role_host: Host, roles: tuple[Role, ...], expected: str) -> None:
    assert role_of(role_host, roles) == expected


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [("web", True), ("w*", True), ("i-a", True), ("web-i-a", False), ("*-us-east-1", False), ("web/1", False)],
)
def test_a_second_instance_of_the_same_name_takes_no_host_out_of_its_role(pattern: str, expected: bool) -> None:
    """It puts none into another role either: a role matches the host's own name, however it is then called."""
    alone, (first, _) = EC2_A, discover.unique_names([EC2_A, EC2_B])
    role = Role("named", names=(pattern,))
    assert first.name == "web-i-a"
    assert [role_of(host, (role,)) for host in (alone, first)] == ["named" if expected else ""] * 2


def test_a_name_tag_that_can_not_name_a_host_still_gives_it_its_role() -> None:
    host = ec2.host(
        {**INSTANCE, "Tags": [{"Key": "Name", "Value": "team/web-1"}]}, Ec2Source(()), "us-east-1", "", Aws()
    )
    assert host.name == "i-a"
    assert role_of(host, (Role("team", names=("team/*",)), REST)) == "team"


def test_what_of_a_role_fits_no_host_is_told() -> None:
    hosts = [host("orch-1", {"role": "lead-1"}), host("b")]
    typo = Role("typo", tags={"rloe": ("orchestrator",)}, names=("orch-*", "orhc-*"))
    assert list(unmatched(hosts, (ORCHESTRATOR, REST))) == []
    # A role that others took all hosts of is none that fits nothing.
    assert list(unmatched(hosts, (REST, ORCHESTRATOR))) == []
    assert list(unmatched(hosts, (typo, PROD))) == [
        "roles.typo.names: no host has a Name or an id like orhc-*",
        "roles.typo.tags: no host has rloe=orchestrator",
        "roles.prod.tags: no host has env=prod and tier=1",
    ]


def roles_of(tmp_path: Path, entry: str) -> tuple[Role, ...]:
    file = tmp_path / "fleet.yml"
    file.write_text(f"fleet: f\nsources: [static: {{hosts: {{a: {{address: 192.0.2.1}}}}}}]\nroles: {{r: {entry}}}\n")
    return config.parse(file).roles


def test_a_role_says_all_that_decides_its_models(tmp_path: Path) -> None:
    entry = "{model: opus-5, fallback: [sonnet-4.6, claude-haiku-4-5], subagent_model: 'haiku-4.5[1m]'}"
    roles = roles_of(tmp_path, entry)
    assert roles == (Role("r", "opus-5", fallback=("sonnet-4.6", "haiku-4.5"), subagent_model="haiku-4.5[1m]"),)
    fleet = config.parse(tmp_path / "fleet.yml")
    assert fleet.tiers_of("r") == Tiers(
        "claude-opus-5", ("claude-sonnet-4.6", "claude-haiku-4.5"), "claude-haiku-4.5[1m]"
    )
    assert fleet.tiers_of("other") == Tiers("")


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("{fallback: opus-5}", "roles.r.fallback should be a list"),
        ("{fallback: [opus]}", r"roles.r.fallback\[0\] can't be used. opus is an alias"),
        ("{fallback: [opus-5, opus-5]}", r"roles.r.fallback\[1\] names opus-5 for the second time"),
        ("{model: opus-5, fallback: [claude-opus-5]}", "roles.r.fallback names opus-5, the model of the role itself"),
        ("{fallback: [opus-5, opus-4.8, opus-4.6, opus-4.5]}", "has 4 entries, and at most 3 go here"),
        ("{subagent_model: inherit}", "roles.r.subagent_model can't be used. There is no model inherit"),
    ],
)
def test_what_can_not_be_a_fallback_or_a_model_of_subagents(tmp_path: Path, entry: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        roles_of(tmp_path, entry)
    # The way back does not need it.
    told: list[ConfigError] = []
    config.parse(tmp_path / "fleet.yml", told.append)
    assert len(told) == 1


EC2_A = host("web", provider="ec2", id="i-a", region="us-east-1")
EC2_B = host("web", provider="ec2", id="i-b", region="us-east-1")
LIGHT_US = host("web", provider="lightsail", id="web", region="us-east-1")
LIGHT_EU = host("web", provider="lightsail", id="web", region="eu-west-1")

STATIC = host("web")


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
        ([replace(STATIC, port=port) for port in (2201, 2202)], {"web-192.0.2.1-2201", "web-192.0.2.1-2202"}),
        ([replace(STATIC, user=user) for user in "ab"], {"web-192.0.2.1-22-1", "web-192.0.2.1-22-2"}),
    ],
)
def test_hosts_of_one_name_are_told_apart(hosts: list[Host], expected: set[str]) -> None:
    assert {renamed.name for renamed in discover.unique_names(hosts)} == expected


def test_a_host_that_two_sources_find_is_one_host() -> None:
    assert discover.deduplicate([EC2_A, EC2_B, EC2_A]) == [EC2_A, EC2_B]
    assert discover.deduplicate([LIGHT_US, LIGHT_EU, STATIC, STATIC]) == [LIGHT_US, LIGHT_EU, STATIC]


def test_hosts_that_differ_in_their_port_alone_are_as_many_hosts() -> None:
    ports = [replace(host(f"h-{port}"), port=port) for port in (2201, 2202, 2203)]
    assert discover.deduplicate(ports) == ports
    assert discover.with_trouble(ports) == ports


OTHER = replace(EC2_A, name="ghost", id="i-c", region="eu-west-1", provider="ec2", account="123456789012")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (EC2_A, OTHER),
        (EC2_A, host("s")),
        (host("s"), replace(host("t"), user="ann")),
        (host("s", address="db-1.example"), host("t", address="DB-1.example.")),
        (host("s", address="2001:db8::1"), host("t", address="2001:0DB8::0:1")),
    ],
)
def test_two_hosts_of_one_place_are_both_in_trouble_and_others_are_not(first: Host, second: Host) -> None:
    third = host("third", address="192.0.2.99")
    *both, fine = discover.with_trouble([first, second, third])
    assert fine == third
    for neighbour in both:
        assert neighbour.trouble
        for word in (first.name, first.id, second.name, second.id, second.account, neighbour.address):
            assert word in neighbour.trouble.message
        assert neighbour.trouble.hint


def test_a_host_without_an_address_is_in_trouble_alone() -> None:
    first, second, fine = discover.with_trouble([replace(EC2_A, address=""), replace(EC2_B, address=""), LIGHT_US])
    assert fine == LIGHT_US
    assert first.trouble
    assert "web (ec2 us-east-1, i-a) has no address of the wanted kind" in first.trouble.message
    assert second.trouble
    assert "i-a" not in second.trouble.message


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
    host = ec2.host(
        {**INSTANCE, "Tags": [{"Key": "Name", "Value": name}]}, Ec2Source(("us-east-1",)), "us-east-1", "", Aws()
    )
    assert host.name == expected


def test_an_ec2_instance_becomes_a_host() -> None:
    source = Ec2Source(("us-east-1",), address="public", user="admin")
    assert ec2.host(INSTANCE, source, "us-east-1", "", Aws()) == Host(
        name="web",
        address="203.0.113.1",
        provider="ec2",
        id="i-a",
        region="us-east-1",
        user="admin",
        port=0,
        tags={"Name": "web", "jada": "agent"},
        own_name="web",
        instance="i-a",
    )
    assert ec2.host({"InstanceId": "i-b"}, source, "us-east-1", "", Aws()) == Host(
        "i-b", "", "ec2", "i-b", "us-east-1", "admin", 0, instance="i-b"
    )


INTERFACES = [
    {"Attachment": {"DeviceIndex": 1}, "Ipv6Addresses": [{"Ipv6Address": "2001:db8::2"}]},
    {"Attachment": {"DeviceIndex": 0}, "Ipv6Addresses": [{"Ipv6Address": "2001:db8::1"}]},
]


@pytest.mark.parametrize(
    ("instance", "expected"),
    [
        ({}, ""),
        ({"NetworkInterfaces": [{"Attachment": {"DeviceIndex": 0}, "Ipv6Addresses": []}]}, ""),
        ({"NetworkInterfaces": INTERFACES}, "2001:db8::1"),
        ({"NetworkInterfaces": INTERFACES, "Ipv6Address": "2001:db8::9"}, "2001:db8::9"),
    ],
)
def test_the_ipv6_address_of_an_ec2_instance(instance: dict[str, object], expected: str) -> None:
    assert ec2.host({**INSTANCE, **instance}, Ec2Source((), address="ipv6"), "us-east-1", "", Aws()).address == expected


def test_the_addresses_of_a_lightsail_instance() -> None:
    instance = {
        "name": "a",
        "publicIpAddress": "203.0.113.1",
        "privateIpAddress": "10.0.0.1",
        "ipv6Addresses": ["2001:db8::1"],
        "arn": "arn:aws:lightsail:us-east-1:123456789012:Instance/x",
    }
    hosts = [
        lightsail.host(instance, LightsailSource((), address=kind), "r", Aws())
        for kind in ("public", "private", "ipv6")
    ]
    assert [host.address for host in hosts] == ["203.0.113.1", "10.0.0.1", "2001:db8::1"]
    assert hosts[0].account == "123456789012"
    bare = lightsail.host({"name": "a"}, LightsailSource((), address="ipv6"), "r", Aws())
    assert (bare.address, bare.account) == ("", "")


def test_ec2_is_asked_for_the_right_states() -> None:
    def states(source: Ec2Source) -> list[str]:
        return next(entry["Values"] for entry in ec2.filters(source) if entry["Name"] == "instance-state-name")

    assert states(Ec2Source(())) == ["running"]
    assert "terminated" not in states(Ec2Source((), running_only=False))
    assert states(Ec2Source((), filters={"instance-state-name": ("stopped",)})) == ["stopped"]


def test_a_lightsail_tag_may_be_only_a_key() -> None:
    instance = {"name": "a", "state": {"name": "running"}, "tags": [{"key": "jada"}]}
    assert lightsail.is_selected(instance, LightsailSource((), tags={"jada": ("*",)}))
    assert not lightsail.is_selected(instance, LightsailSource((), tags={"other": ("*",)}))
