"""The network of hosts as clouds describe it, asked of the emulated endpoint, before and after somebody changed it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from jada import Host
from jada.cli.rollout.network_findings import network_findings
from jada.inventory import discover
from jada.inventory.fleet.config import Fleet
from jada.inventory.network import networks
from jada.inventory.sources.network import Aspect, Health, HostNetwork
from jada.tasks.checks import Finding

if TYPE_CHECKING:
    from tests.protocol.conftest import Emulator

SOURCES = """
  - ec2: {regions: [us-east-1, eu-west-1], tags: {jada: agent}}
  - lightsail: {regions: [us-east-1, eu-west-1]}
  - static: {hosts: {here: {address: 192.0.2.1}}}
"""


@pytest.fixture
def fleet(fleet_of: Callable[..., Fleet]) -> Fleet:
    return fleet_of(SOURCES)


@pytest.fixture
def hosts(fleet: Fleet) -> tuple[Host, ...]:
    return discover.discover(fleet)


Clients = Callable[..., Any]


@pytest.fixture
def asking(aws: Emulator) -> Iterator[Clients]:
    """Clients of somebody else, who changes the network; health.json is of this test alone."""

    def make(service: str, region: str = "us-east-1") -> Any:
        return boto3.client(service, region, endpoint_url=aws.url, aws_access_key_id="a", aws_secret_access_key="b")  # type: ignore[call-overload]

    yield make
    (aws.folder / "health.json").unlink(missing_ok=True)


def difference(fleet: Fleet, hosts: tuple[Host, ...], change: Callable[[], object]) -> dict[str, tuple[Finding, ...]]:
    """What `change` makes other, by host; nothing of those on which it does not."""
    before = networks(hosts)
    change()
    after = networks(hosts)
    found = {name: network_findings(before[name], after[name]) for name in before}
    return {name: findings for name, findings in found.items() if findings}


def named(hosts: tuple[Host, ...], name: str) -> Host:
    return next(host for host in hosts if host.name == name)


def told(findings: tuple[Finding, ...]) -> list[str]:
    return [f"{finding.code} {finding.difference}" for finding in findings]


def test_all_aspects_are_known_and_nothing_changed_is_silence(fleet: Fleet, hosts: tuple[Host, ...]) -> None:
    found = networks(hosts)
    assert found.keys() == {host.name for host in hosts} - {"here"}
    for network in found.values():
        assert network.facts.keys() == {*Aspect}
        assert not network.unknown
    assert "private 10.77.0.11" in found["orch-1"].facts[Aspect.ADDRESSES]
    assert found["jada-agent-2"].facts == {
        Aspect.ADDRESSES: {"private 10.77.0.22", "public 10.77.0.22"},
        Aspect.PORTS: {"in tcp 22 from 0.0.0.0/0"},
        Aspect.BALANCING: frozenset(),
    }
    assert difference(fleet, hosts, lambda: None) == {}


def test_a_rule_of_a_security_group(fleet: Fleet, hosts: tuple[Host, ...], asking: Clients) -> None:
    ec2, spec = asking("ec2", "eu-west-1"), named(hosts, "spec-1")
    instance = ec2.describe_instances(InstanceIds=[spec.id])["Reservations"][0]["Instances"][0]
    group = instance["SecurityGroups"][0]["GroupId"]
    rule = {"IpProtocol": "tcp", "FromPort": 8000, "ToPort": 8010, "IpRanges": [
        {"CidrIp": "198.51.100.0/24", "Description": "<b>\n[red]"}]}  # fmt: skip

    def change() -> None:
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])

    try:
        found = difference(fleet, hosts, change)
    finally:
        ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[rule])
    expected = [f"J502 expected nothing new, saw in tcp 8000-8010 from 198.51.100.0/24 ({group})"]
    # It is the group of both of that region, and of none elsewhere.
    assert {name: told(findings) for name, findings in found.items()} == {"spec-1": expected, "spec-2": expected}


def test_another_security_group(fleet: Fleet, hosts: tuple[Host, ...], asking: Clients) -> None:
    ec2, orch = asking("ec2"), named(hosts, "orch-1")
    instance = ec2.describe_instances(InstanceIds=[orch.id])["Reservations"][0]["Instances"][0]
    interface = instance["NetworkInterfaces"][0]
    first = [group["GroupId"] for group in interface["Groups"]]
    other = ec2.create_security_group(GroupName="<b>\n", Description="x", VpcId=instance["VpcId"])["GroupId"]

    def put(groups: list[str]) -> None:
        ec2.modify_network_interface_attribute(NetworkInterfaceId=interface["NetworkInterfaceId"], Groups=groups)

    try:
        found = difference(fleet, hosts, lambda: put([other]))
    finally:
        put(first)
    assert found.keys() == {"orch-1"}
    (finding,) = found["orch-1"]
    assert finding.code == "J502"
    assert f"security group {other}" in finding.actual


def test_an_elastic_address(fleet: Fleet, hosts: tuple[Host, ...], asking: Clients) -> None:
    ec2, orch = asking("ec2"), named(hosts, "orch-1")
    address = ec2.allocate_address(Domain="vpc")
    pair = {"InstanceId": orch.id, "AllocationId": address["AllocationId"]}
    association: dict[str, str] = {}

    def change() -> None:
        association.update(ec2.associate_address(**pair))

    try:
        found = difference(fleet, hosts, change)
    finally:
        ec2.disassociate_address(AssociationId=association["AssociationId"])
        ec2.release_address(AllocationId=address["AllocationId"])
    assert found.keys() == {"orch-1"}
    assert [finding.code for finding in found["orch-1"]] == ["J501"]
    assert address["PublicIp"] in found["orch-1"][0].actual


@pytest.fixture
def balanced(hosts: tuple[Host, ...], asking: Clients) -> Iterator[tuple[Any, str]]:
    """A target group with spec-1 by its id and spec-2 by its address; and one of instances without any."""
    elb, ec2 = asking("elbv2", "eu-west-1"), asking("ec2", "eu-west-1")
    instance = ec2.describe_instances(InstanceIds=[named(hosts, "spec-1").id])["Reservations"][0]["Instances"][0]
    vpc, arns = instance["VpcId"], []
    for name, kind in (("web", "instance"), ("by-ip", "ip"), ("idle", "instance")):
        made = elb.create_target_group(Name=name, Protocol="HTTP", Port=80, VpcId=vpc, TargetType=kind)
        arns.append(made["TargetGroups"][0]["TargetGroupArn"])
    elb.register_targets(TargetGroupArn=arns[0], Targets=[{"Id": named(hosts, "spec-1").id, "Port": 8080}])
    elb.register_targets(TargetGroupArn=arns[1], Targets=[{"Id": named(hosts, "spec-2").address}])
    yield elb, arns[0]
    for arn in arns:
        elb.delete_target_group(TargetGroupArn=arn)


def test_targets_by_id_and_by_address(
    fleet: Fleet, hosts: tuple[Host, ...], balanced: tuple[Any, str], aws: Emulator
) -> None:
    found = networks(hosts)
    (place,) = found["spec-1"].health
    assert place == f"{balanced[1].rpartition(':')[2]} port 8080"
    assert found["spec-1"].health[place] == Health("healthy")
    assert [place.split("/")[1] for place in found["spec-2"].health] == ["by-ip"]
    assert found["orch-1"].health == {}
    unhealthy = {named(hosts, "spec-1").id: "unhealthy"}

    def change() -> None:
        (aws.folder / "health.json").write_text(json.dumps(unhealthy))

    worse = difference(fleet, hosts, change)
    assert {name: told(findings) for name, findings in worse.items()} == {
        "spec-1": [f"J504 expected healthy at {place}, saw unhealthy at {place}"]
    }
    # Better than before is nothing to tell.
    assert difference(fleet, hosts, (aws.folder / "health.json").unlink) == {}


def test_a_target_that_leaves(fleet: Fleet, hosts: tuple[Host, ...], balanced: tuple[Any, str], aws: Emulator) -> None:
    elb, arn = balanced
    spec = named(hosts, "spec-1")

    def drain() -> None:
        (aws.folder / "health.json").write_text(json.dumps({spec.id: "draining"}))

    def leave() -> None:
        elb.deregister_targets(TargetGroupArn=arn, Targets=[{"Id": spec.id}])

    found = difference(fleet, hosts, drain)
    assert {name: [finding.code for finding in findings] for name, findings in found.items()} == {"spec-1": ["J503"]}
    # That it is gone then is no news.
    assert difference(fleet, hosts, leave) == {}


def test_lightsail(fleet: Fleet, hosts: tuple[Host, ...], asking: Clients, aws: Emulator) -> None:
    lightsail = asking("lightsail")
    lightsail.create_load_balancer(loadBalancerName="front", instancePort=80)
    ports = [{"fromPort": 443, "toPort": 443, "protocol": "tcp", "cidrs": ["0.0.0.0/0"], "ipv6Cidrs": ["::/0"]}]

    def change() -> None:
        lightsail.attach_static_ip(staticIpName="jada-agent-2", instanceName="jada-agent-2")
        lightsail.put_instance_public_ports(instanceName="jada-agent-2", portInfos=ports)
        lightsail.attach_instances_to_load_balancer(loadBalancerName="front", instanceNames=["jada-agent-2"])

    def fall_ill() -> None:
        (aws.folder / "health.json").write_text(json.dumps({"jada-agent-2": "unhealthy"}))

    try:
        found = difference(fleet, hosts, change)
        worse = difference(fleet, hosts, fall_ill)
    finally:
        lightsail.detach_static_ip(staticIpName="jada-agent-2")
        lightsail.put_instance_public_ports(
            instanceName="jada-agent-2",
            portInfos=[{"fromPort": 22, "toPort": 22, "protocol": "tcp", "cidrs": ["0.0.0.0/0"]}],
        )
        lightsail.delete_load_balancer(loadBalancerName="front")
    assert {name: told(findings) for name, findings in found.items()} == {
        "jada-agent-2": [
            "J501 expected public 10.77.0.22, saw public 10.77.0.22 (static ip)",
            "J502 expected in tcp 22 from 0.0.0.0/0, saw in tcp 443 from 0.0.0.0/0, in tcp 443 from ::/0",
            "J503 expected nothing new, saw load balancer front",
        ]
    }
    assert {name: told(findings) for name, findings in worse.items()} == {
        "jada-agent-2": ["J504 expected healthy at load balancer front, saw unhealthy at load balancer front"]
    }


# Each action, the hosts of which it is asked, and what is not known without it.
DENIALS = {
    "DescribeInstances": ("ec2:DescribeInstances", "orch-1", [*Aspect]),
    "DescribeSecurityGroups": ("ec2:DescribeSecurityGroups", "orch-1", [Aspect.PORTS]),
    "DescribeTargetGroups": ("elasticloadbalancing:DescribeTargetGroups", "spec-1", [Aspect.BALANCING]),
    "DescribeTargetHealth": ("elasticloadbalancing:DescribeTargetHealth", "spec-1", [Aspect.BALANCING]),
    "GetInstances": ("lightsail:GetInstances", "jada-agent-2", [*Aspect]),
    "GetInstancePortStates": ("lightsail:GetInstancePortStates", "jada-agent-2", [Aspect.PORTS]),
    "GetLoadBalancers": ("lightsail:GetLoadBalancers", "jada-agent-2", [Aspect.BALANCING]),
}


@pytest.mark.usefixtures("balanced")
@pytest.mark.parametrize("operation", DENIALS)
def test_what_may_not_be_asked_is_not_known_and_names_the_action(
    aws: Emulator, fleet: Fleet, hosts: tuple[Host, ...], operation: str
) -> None:
    action, name, aspects = DENIALS[operation]
    before = networks(hosts)
    aws.fails({operation: {"*": {"code": "AccessDeniedException", "status": 403}}})
    after = networks(hosts)
    assert [*after[name].unknown] == aspects
    assert set(after[name].facts) == {*Aspect} - {*aspects}
    (finding,) = network_findings(before[name], after[name])
    assert finding.code == "J505"
    assert not finding.is_drift
    assert f"lack the permission {action} " in finding.actual


def test_throttling_is_tried_again(aws: Emulator, fleet: Fleet, hosts: tuple[Host, ...]) -> None:
    aws.fails({"DescribeSecurityGroups": {"*": {"code": "RequestLimitExceeded", "status": 503, "times": 1}}})
    assert not any(network.unknown for network in networks(hosts).values())


def test_a_host_that_its_cloud_knows_no_more(fleet: Fleet, hosts: tuple[Host, ...]) -> None:
    gone = [
        Host("gone", "10.77.0.98", "ec2", "i-00000000000000bad", "us-east-1", aws=fleet.aws),
        Host("off", "10.77.0.99", "lightsail", "off", "us-east-1", aws=fleet.aws),
    ]
    found = networks([*hosts, *gone])
    for host in gone:
        assert found[host.name] == HostNetwork.not_known(f"{host.source} knows it no more")
    # One that is gone for good is no error of the others.
    assert not found["orch-1"].unknown
