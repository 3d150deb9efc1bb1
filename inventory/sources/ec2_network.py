"""The network of EC2 instances: addresses, security groups with their rules, and target groups."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from jada import Aws, Host, JadaError
from jada.inventory.cloud.client import client
from jada.inventory.concurrency import map_concurrently
from jada.inventory.sources.network import (
    Aspect,
    Health,
    HostNetwork,
    behind,
    facts_of,
    merged,
    unknown_of,
)

# Values that one call names: EC2 takes 200 in a filter, and an answer of a hundred instances is there within a second.
MOST_IDS = 100
# Calls of one kind side by side. EC2 and its load balancers let bursts of more pass.
AT_ONCE = 10
# The kinds of targets that may be an instance.
KINDS = ("instance", "ip")
# The owner of a public address that comes and goes with the instance; one of an account is an elastic address.
AMAZON = "amazon"

Instance = Mapping[str, Any]
# The parts of the network of each instance, by its id.
Networks = dict[str, HostNetwork]


def network(aws: Aws, region: str, hosts: Sequence[Host]) -> Networks:
    """The networks of instances by their ids, of those that EC2 still knows. Raises JadaError."""
    instances = _instances(aws, region, [host.id for host in hosts])
    asked: dict[Aspect, Callable[[Aws, str, Sequence[Instance]], Networks]] = {
        Aspect.PORTS: _ports,
        Aspect.BALANCING: _balancing,
    }
    answers = map_concurrently(lambda ask: ask(aws, region, instances), list(asked.values()))
    parts: list[Networks] = [
        {each["InstanceId"]: unknown_of(aspect, answer.message) for each in instances}
        if isinstance(answer, JadaError)
        else answer
        for aspect, answer in zip(asked, answers, strict=True)
    ]
    return {
        (name := each["InstanceId"]): merged(
            facts_of(Aspect.ADDRESSES, addresses(each)), *(part[name] for part in parts)
        )
        for each in instances
    }


def addresses(instance: Instance) -> set[str]:
    """Every address of an instance; of a public one also whether it is an elastic one."""
    found = {f"private {instance['PrivateIpAddress']}"} if instance.get("PrivateIpAddress") else set()
    for interface in instance.get("NetworkInterfaces", ()):
        found |= {f"ipv6 {address['Ipv6Address']}" for address in interface.get("Ipv6Addresses", ())}
        for address in interface.get("PrivateIpAddresses", ()):
            found.add(f"private {address['PrivateIpAddress']}")
            if public := address.get("Association"):
                elastic = "" if public.get("IpOwnerId", AMAZON) == AMAZON else " (elastic)"
                found.add(f"public {public['PublicIp']}{elastic}")
    return found


def rules(group: Mapping[str, Any]) -> Iterator[str]:
    """What one security group lets in and out, each peer by itself: the texts of people on it say nothing of that."""
    for direction, key in (("in", "IpPermissions"), ("out", "IpPermissionsEgress")):
        for rule in group.get(key, ()):
            ports = span(rule.get("IpProtocol", ""), rule.get("FromPort"), rule.get("ToPort"))
            toward = "from" if direction == "in" else "to"
            for peer in _peers(rule):
                yield f"{direction} {ports} {toward} {peer} ({group['GroupId']})"


def span(protocol: str, first: int | None, last: int | None) -> str:
    """A protocol and its ports, such as "tcp 22", "udp 60000-61000" or "all"."""
    protocol = "all" if protocol in ("-1", "all") else protocol
    if first is None or protocol == "all":
        return protocol
    return f"{protocol} {first}" if first == last else f"{protocol} {first}-{last}"


def _instances(aws: Aws, region: str, ids: Sequence[str]) -> list[Instance]:
    def page(names: Sequence[str]) -> list[Instance]:
        # By a filter: of ids that are named, one that is gone for good would be the error of all of them.
        wanted = [{"Name": "instance-id", "Values": list(names)}]
        with client(aws, "ec2", region) as ec2:
            pages = ec2.get_paginator("describe_instances").paginate(Filters=wanted)
            return [each for page in pages for group in page["Reservations"] for each in group["Instances"]]

    return [each for page in _each(page, _hundreds(ids)) for each in page]


def _ports(aws: Aws, region: str, instances: Sequence[Instance]) -> Networks:
    groups_of = {each["InstanceId"]: _groups(each) for each in instances}

    def page(names: Sequence[str]) -> dict[str, frozenset[str]]:
        wanted = [{"Name": "group-id", "Values": list(names)}]
        with client(aws, "ec2", region) as ec2:
            pages = ec2.get_paginator("describe_security_groups").paginate(Filters=wanted)
            return {group["GroupId"]: frozenset(rules(group)) for page in pages for group in page["SecurityGroups"]}

    found = _each(page, _hundreds(sorted(set[str]().union(*groups_of.values()))))
    rules_of = {name: facts for page in found for name, facts in page.items()}
    return {
        name: facts_of(
            Aspect.PORTS,
            {f"security group {group}" for group in groups}.union(*(rules_of.get(group, ()) for group in groups)),
        )
        for name, groups in groups_of.items()
    }


def _balancing(aws: Aws, region: str, instances: Sequence[Instance]) -> Networks:
    networks = {each.get("VpcId") for each in instances}
    with client(aws, "elbv2", region) as elb:
        pages = elb.get_paginator("describe_target_groups").paginate()
        groups = [
            group
            for page in pages
            for group in page["TargetGroups"]
            if group.get("TargetType") in KINDS and group.get("VpcId") in networks
        ]

    def healths(group: Mapping[str, Any]) -> dict[tuple[str, str], dict[str, Health]]:
        name = group["TargetGroupArn"].rpartition(":")[2]
        found: dict[tuple[str, str], dict[str, Health]] = {}
        with client(aws, "elbv2", region) as elb:
            answer = elb.describe_target_health(TargetGroupArn=group["TargetGroupArn"])
        for each in answer["TargetHealthDescriptions"]:
            target, health = each["Target"], each.get("TargetHealth", {})
            place = f"{name} port {target['Port']}" if "Port" in target else name
            # The same address may be used in two networks.
            whose = found.setdefault((group["VpcId"], target["Id"]), {})
            whose[place] = Health(health.get("State", ""), health.get("Reason", ""))
        return found

    of_targets = _each(healths, groups)
    return {
        each["InstanceId"]: behind(
            {
                place: health
                for found in of_targets
                for name in _names(each)
                for place, health in found.get((each.get("VpcId", ""), name), {}).items()
            }
        )
        for each in instances
    }


def _each(act: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
    """The results of `act` on each item, side by side. Raises the first JadaError."""
    results = map_concurrently(act, items, AT_ONCE)
    for result in results:
        if isinstance(result, JadaError):
            raise result
    return results


def _hundreds(names: Sequence[str]) -> list[Sequence[str]]:
    return [names[start : start + MOST_IDS] for start in range(0, len(names), MOST_IDS)]


def _groups(instance: Instance) -> set[str]:
    """The ids of the security groups of an instance: those of all its interfaces, where these are told."""
    interfaces = instance.get("NetworkInterfaces") or ({"Groups": instance.get("SecurityGroups", ())},)
    return {group["GroupId"] for interface in interfaces for group in interface.get("Groups", ())}


def _names(instance: Instance) -> set[str]:
    """The names by which target groups may know an instance: its id, or one of its own addresses."""
    own = (address.split()[1] for address in addresses(instance) if not address.startswith("public"))
    return {instance["InstanceId"], *own}


def _peers(rule: Mapping[str, Any]) -> Iterator[str]:
    yield from (each["CidrIp"] for each in rule.get("IpRanges", ()))
    yield from (each["CidrIpv6"] for each in rule.get("Ipv6Ranges", ()))
    yield from (each["PrefixListId"] for each in rule.get("PrefixListIds", ()))
    # A group of another account by that, one that was named without an id by its name.
    for each in rule.get("UserIdGroupPairs", ()):
        yield "/".join(filter(None, (each.get("UserId"), each.get("GroupId") or each.get("GroupName"))))
