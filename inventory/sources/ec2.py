"""Hosts that are EC2 instances."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jada import Host
from jada.inventory.fleet.config import HOST_NAME, Ec2Source, regions_in_words

if TYPE_CHECKING:
    from jada.inventory.cloud.session import Clients

# What counts as a host when stopped ones do: all states but those on the way to nothing.
LIVING = ("pending", "running", "stopping", "stopped")


def regions(clients: Clients) -> tuple[str, ...]:
    """The regions that the account has enabled."""
    answer = clients.client("ec2", clients.home_region).describe_regions()
    return tuple(sorted(region["RegionName"] for region in answer["Regions"]))


def find(clients: Clients, source: Ec2Source, region: str) -> list[Host]:
    """The hosts of one region; `address` is "" where an instance has none of the wanted kind."""
    pages = clients.client("ec2", region).get_paginator("describe_instances").paginate(Filters=filters(source))
    return [
        host(instance, source, region, reservation.get("OwnerId") or "")
        for page in pages
        for reservation in page["Reservations"]
        for instance in reservation["Instances"]
    ]


def filters(source: Ec2Source) -> list[dict[str, Any]]:
    """What describe_instances is asked for; a state among the source's own filters wins over running_only."""
    states = ("running",) if source.running_only else LIVING
    wanted = {
        "instance-state-name": states,
        **{f"tag:{key}": values for key, values in source.tags.items()},
        **source.filters,
    }
    return [{"Name": name, "Values": list(values)} for name, values in wanted.items()]


def host(instance: Mapping[str, Any], source: Ec2Source, region: str, account: str = "") -> Host:
    """One instance as EC2 describes it. Its name is the Name tag, where that can name a host, or its id."""
    tags = {tag["Key"]: tag["Value"] for tag in instance.get("Tags", ())}
    name = tags.get("Name", "").strip()
    return Host(
        name=name if HOST_NAME.fullmatch(name) else instance["InstanceId"],
        address=_address(instance, source.address),
        source=f"ec2 {region}",
        id=instance["InstanceId"],
        region=region,
        user=source.user,
        tags=tags,
        account=account,
        own_name=name,
        instance=instance["InstanceId"],
    )


def describe(source: Ec2Source) -> str:
    """The source in words, for an error that nothing was found."""
    parts = [f"tag {key}={' or '.join(values)}" for key, values in source.tags.items()]
    parts += [f"{name}={' or '.join(values)}" for name, values in source.filters.items()]
    parts += ["running only"] if source.running_only else []
    return f"ec2 in {regions_in_words(source)} ({'; '.join(parts) or 'no filter'})"


def _address(instance: Mapping[str, Any], kind: str) -> str:
    if kind != "ipv6":
        return instance.get("PublicIpAddress" if kind == "public" else "PrivateIpAddress") or ""
    # The instance's own field is there only where an address was made the primary one.
    interfaces = sorted(instance.get("NetworkInterfaces", ()), key=lambda one: one["Attachment"]["DeviceIndex"])
    addresses = (entry["Ipv6Address"] for interface in interfaces for entry in interface.get("Ipv6Addresses", ()))
    return instance.get("Ipv6Address") or next(addresses, "")
