"""The network of Lightsail instances: addresses, the ports of their own firewall, and load balancers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jada import Aws, Host, JadaError
from jada.inventory.cloud.client import client
from jada.inventory.concurrency import map_concurrently
from jada.inventory.sources.ec2_network import span
from jada.inventory.sources.network import Aspect, Health, HostNetwork, behind, facts_of, merged, unknown_of

# Instances whose ports are asked for side by side: there is a call for each.
AT_ONCE = 10


def network(aws: Aws, region: str, hosts: Sequence[Host]) -> dict[str, HostNetwork]:
    """The networks of instances by their names, of those that Lightsail still knows. Raises JadaError."""
    wanted = {host.id for host in hosts}
    with client(aws, "lightsail", region) as lightsail:
        pages = lightsail.get_paginator("get_instances").paginate()
        instances = {each["name"]: each for page in pages for each in page["instances"] if each["name"] in wanted}
    balancing = _balancing(aws, region)
    names = list(instances)
    ports = dict(zip(names, map_concurrently(lambda name: _ports(aws, region, name), names, AT_ONCE), strict=True))
    return {
        name: merged(
            facts_of(Aspect.ADDRESSES, addresses(instance)),
            _part(Aspect.PORTS, ports[name]),
            unknown_of(Aspect.BALANCING, balancing.message)
            if isinstance(balancing, JadaError)
            else behind(balancing.get(name, {})),
        )
        for name, instance in instances.items()
    }


def addresses(instance: Mapping[str, Any]) -> Iterator[str]:
    """Every address of an instance; of the public one also whether it is a static ip."""
    if private := instance.get("privateIpAddress"):
        yield f"private {private}"
    if public := instance.get("publicIpAddress"):
        yield f"public {public}{' (static ip)' if instance.get('isStaticIp') else ''}"
    yield from (f"ipv6 {address}" for address in instance.get("ipv6Addresses") or ())


def open_ports(states: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The ports that the firewall of an instance has open, for each peer by itself."""
    for each in states:
        if each.get("state") == "open":
            ports = span(each.get("protocol", ""), each.get("fromPort"), each.get("toPort"))
            for key in ("cidrs", "ipv6Cidrs", "cidrListAliases"):
                yield from (f"in {ports} from {peer}" for peer in each.get(key) or ())


def _ports(aws: Aws, region: str, name: str) -> frozenset[str]:
    with client(aws, "lightsail", region) as lightsail:
        return frozenset(open_ports(lightsail.get_instance_port_states(instanceName=name)["portStates"]))


def _part(aspect: Aspect, facts: frozenset[str] | JadaError) -> HostNetwork:
    return unknown_of(aspect, facts.message) if isinstance(facts, JadaError) else facts_of(aspect, facts)


def _balancing(aws: Aws, region: str) -> dict[str, dict[str, Health]] | JadaError:
    """The health of each instance at each load balancer of the region, or why that can't be known."""
    found: dict[str, dict[str, Health]] = {}
    try:
        with client(aws, "lightsail", region) as lightsail:
            for page in lightsail.get_paginator("get_load_balancers").paginate():
                for balancer in page["loadBalancers"]:
                    for each in balancer.get("instanceHealthSummary", ()):
                        health = Health(each.get("instanceHealth", ""), each.get("instanceHealthReason", ""))
                        found.setdefault(each["instanceName"], {})[f"load balancer {balancer['name']}"] = health
    except JadaError as error:
        return error
    return found
