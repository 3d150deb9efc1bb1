"""Hosts that are EC2 instances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar

from jada import ENGINES, LOGINS, WAYS, Aws, Host
from jada.inventory import tags
from jada.inventory.cloud.client import client
from jada.inventory.sources import account, console, regions
from jada.inventory.sources.source import HOST_NAME, CloudKey, Condition
from jada.inventory.yaml_readers import user
from jada.inventory.yaml_values import Value

# The states of a host where stopped ones count: all but those on the way to nothing.
LIVING = ("pending", "running", "stopping", "stopped")
# Instances on a page. AWS's own thousand take boto3 50 MB each while they are read, and all regions are asked at once.
PAGE = 200
# Instances that one call of DescribeInstanceStatus may name.
MOST_IDS = 100
# Status checks, and the results of those that tell nothing yet.
CHECKS = {"system": "SystemStatus", "instance": "InstanceStatus", "attached EBS": "AttachedEbsStatus"}
UNDONE = ("initializing", "insufficient-data")
# The answer to a wish for the console as it is now, of a type that has no such thing.
NO_LATEST = "UnsupportedOperation"


@dataclass(frozen=True, slots=True)
class Ec2Source:
    """EC2 instances. `tags` (any of the values each) and `filters` are EC2's own; `regions` may be ALL, but for
    `not_regions`.
    """

    provider: ClassVar[str] = "ec2"
    is_own: ClassVar[bool] = False
    regions: tuple[str, ...]
    tags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    filters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    running_only: bool = True
    address: str = "private"
    user: str = ""
    engine: str = "ssh"
    login: str = "keys"
    via: str = "address"
    not_regions: tuple[str, ...] = ()
    profile: str = ""
    role_arn: str = ""
    external_id: str = field(default="", repr=False)

    def credentials(self, aws: Aws, /) -> Aws:
        return account.credentials(self, aws)

    def searched_regions(self, aws: Aws, /) -> list[str]:
        return regions.searched(self, lambda: _enabled_regions(aws))

    def find(self, aws: Aws, region: str, /) -> list[Host]:
        with client(aws, "ec2", region) as ec2:
            pages = ec2.get_paginator("describe_instances").paginate(
                Filters=filters(self), PaginationConfig={"PageSize": PAGE}
            )
            return [
                host(instance, self, region, reservation.get("OwnerId") or "", aws)
                for page in pages
                for reservation in page["Reservations"]
                for instance in reservation["Instances"]
            ]

    def describe(self) -> str:
        parts = [f"tag {tag}" for tag in tags.in_words(self.tags)]
        parts += tags.in_words(self.filters)
        parts += ["running only"] if self.running_only else []
        return f"ec2 in {regions.in_words(self)}{account.in_words(self)} ({'; '.join(parts) or 'no filter'})"


def read(value: Value) -> Ec2Source:
    readers = {
        "regions": regions.read,
        "not_regions": regions.read_names,
        **account.READERS,
        "tags": tags.read,
        "filters": tags.read,
        "running_only": Value.flag,
        "address": lambda kind: kind.choice(("private", "public", "ipv6")),
        "user": user,
        "engine": lambda engine: engine.choice(ENGINES),
        "login": lambda login: login.choice(LOGINS),
        "via": lambda way: way.choice(WAYS),
    }
    source = Ec2Source(**value.fields(readers, required=("regions",)))
    if source.via == "eice" and source.address == "public":
        raise (value.part("address") or value).error(
            "can't be public with `via: eice`",
            "an EC2 Instance Connect Endpoint leads to private addresses, and to ipv6",
        )
    account.check(value, source)
    regions.check(value, source)
    return source


def filters(source: Ec2Source) -> list[dict[str, Any]]:
    """The filters for describe_instances; a state among the source's own wins over running_only."""
    states = ("running",) if source.running_only else LIVING
    patterns = {
        "instance-state-name": states,
        **{f"tag:{key}": values for key, values in source.tags.items()},
        **source.filters,
    }
    return [{"Name": name, "Values": list(values)} for name, values in patterns.items()]


def host(instance: Mapping[str, Any], source: Ec2Source, region: str, account: str, aws: Aws) -> Host:
    """One instance as EC2 describes it. Its name is the Name tag, where that can name a host, or its id."""
    own_tags = {tag["Key"]: tag["Value"] for tag in instance.get("Tags", ())}
    name = own_tags.get("Name", "").strip()
    return Host(
        name=name if HOST_NAME.fullmatch(name) else instance["InstanceId"],
        address=_address(instance, source.address),
        provider=source.provider,
        id=instance["InstanceId"],
        region=region,
        user=source.user,
        port=0,
        tags=own_tags,
        account=account,
        own_name=name,
        instance=instance["InstanceId"],
        zone=instance.get("Placement", {}).get("AvailabilityZone", ""),
        engine=source.engine,
        login=source.login,
        via=source.via,
        vpc=instance.get("VpcId", ""),
        subnet=instance.get("SubnetId", ""),
        aws=aws,
    )


def conditions(aws: Aws, region: str, hosts: Sequence[Host]) -> dict[str, Condition]:
    """The conditions of instances by EC2's own status checks. Raises JadaError."""
    ids = [host.id for host in hosts]
    with client(aws, "ec2", region) as ec2:
        pages = ec2.get_paginator("describe_instance_status")
        return {
            status["InstanceId"]: condition(status)
            for start in range(0, len(ids), MOST_IDS)
            for page in pages.paginate(InstanceIds=ids[start : start + MOST_IDS], IncludeAllInstances=True)
            for status in page["InstanceStatuses"]
        }


def condition(status: Mapping[str, Any]) -> Condition:
    """One instance as its status checks have it."""
    state = status["InstanceState"]["Name"]
    if state != "running":
        return Condition(f"EC2 calls it {state}", is_well=False)
    checks = {name: status.get(key, {}).get("Status", "") for name, key in CHECKS.items()}
    if failed := [name for name, result in checks.items() if result == "impaired"]:
        return Condition(f"EC2's {' and '.join(failed)} status check fails", is_well=False)
    if waiting := [f"{name} {result}" for name, result in checks.items() if result in UNDONE]:
        return Condition(f"EC2's status checks are not done: {', '.join(waiting)}", is_well=None)
    return Condition("EC2's status checks pass", is_well=True)


def host_keys(aws: Aws, host: Host) -> tuple[CloudKey, ...]:
    """The host keys that an instance wrote to its console when it first booted, () once they are lost: the console
    keeps its last 64 KB. Raises JadaError.
    """
    with client(aws, "ec2", host.region) as ec2:
        return _printed(ec2.get_console_output(InstanceId=host.id)) or _printed(_latest_output(ec2, host.id))


def _latest_output(ec2: Any, instance: str) -> Mapping[str, Any]:
    """The console as it is now, which EC2 keeps of its newer types (Nitro) alone."""
    try:
        output: Mapping[str, Any] = ec2.get_console_output(InstanceId=instance, Latest=True)
        return output
    except ec2.exceptions.ClientError as error:
        if error.response.get("Error", {}).get("Code") != NO_LATEST:
            raise
        return {}


def _printed(output: Mapping[str, Any]) -> tuple[CloudKey, ...]:
    text, at = output.get("Output") or "", output.get("Timestamp")
    seen = at.astimezone(UTC).isoformat(timespec="seconds") if isinstance(at, datetime) else ""
    return tuple(CloudKey(kind, key, seen) for kind, key in console.host_keys(text))


def _enabled_regions(aws: Aws) -> list[str]:
    with client(aws, "ec2") as ec2:
        return sorted(region["RegionName"] for region in ec2.describe_regions()["Regions"])


def _address(instance: Mapping[str, Any], kind: str) -> str:
    if kind != "ipv6":
        return instance.get("PublicIpAddress" if kind == "public" else "PrivateIpAddress") or ""
    # The instance's own field is there only where an address was made the primary one.
    interfaces = sorted(
        instance.get("NetworkInterfaces", ()), key=lambda interface: interface["Attachment"]["DeviceIndex"]
    )
    addresses = (entry["Ipv6Address"] for interface in interfaces for entry in interface.get("Ipv6Addresses", ()))
    return instance.get("Ipv6Address") or next(addresses, "")
