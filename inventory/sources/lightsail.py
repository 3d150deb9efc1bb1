"""Hosts that are Lightsail instances, with the temporary logins that Lightsail's API gives."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar

from jada import Aws, Host
from jada.inventory import tags
from jada.inventory.cloud.client import client
from jada.inventory.sources import account, regions
from jada.inventory.sources.source import Access, CloudKey, Condition
from jada.inventory.tags import has_tags
from jada.inventory.yaml_values import Value


@dataclass(frozen=True, slots=True)
class LightsailSource:
    """Lightsail instances, by shell patterns for their names and by tags; regions as for EC2."""

    provider: ClassVar[str] = "lightsail"
    is_own: ClassVar[bool] = False
    regions: tuple[str, ...]
    names: tuple[str, ...] = ("*",)
    tags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    running_only: bool = True
    address: str = "public"
    not_regions: tuple[str, ...] = ()
    profile: str = ""
    role_arn: str = ""
    external_id: str = field(default="", repr=False)

    def credentials(self, aws: Aws, /) -> Aws:
        return account.credentials(self, aws)

    def searched_regions(self, aws: Aws, /) -> list[str]:
        return regions.searched(self, lambda: _offered_regions(aws))

    def find(self, aws: Aws, region: str, /) -> list[Host]:
        with client(aws, "lightsail", region) as lightsail:
            pages = lightsail.get_paginator("get_instances").paginate()
            return [
                host(instance, self, region, aws)
                for page in pages
                for instance in page["instances"]
                if is_selected(instance, self)
            ]

    def describe(self) -> str:
        parts = [f"names {' or '.join(self.names)}"]
        parts += [f"tag {tag}" for tag in tags.in_words(self.tags)]
        parts += ["running only"] if self.running_only else []
        return f"lightsail in {regions.in_words(self)}{account.in_words(self)} ({'; '.join(parts)})"


def read(value: Value) -> LightsailSource:
    readers = {
        "regions": regions.read,
        "not_regions": regions.read_names,
        **account.READERS,
        "names": Value.texts,
        "tags": tags.read,
        "running_only": Value.flag,
        "address": lambda kind: kind.choice(("private", "public", "ipv6")),
    }
    source = LightsailSource(**value.fields(readers, required=("regions",)))
    account.check(value, source)
    regions.check(value, source)
    return source


def access(aws: Aws, host: Host) -> Access:
    """A key that is valid for 10 minutes from now, with its certificate and the host's own keys. Raises JadaError."""
    with client(aws, "lightsail", host.region) as lightsail:
        return granted(lightsail.get_instance_access_details(instanceName=host.id, protocol="ssh")["accessDetails"])


def conditions(aws: Aws, region: str, hosts: Sequence[Host]) -> dict[str, Condition]:
    """The states of instances, which is all that Lightsail tells of them in one word. Raises JadaError."""
    with client(aws, "lightsail", region) as lightsail:
        states = {host.id: lightsail.get_instance_state(instanceName=host.id)["state"]["name"] for host in hosts}
    return {name: Condition(f"Lightsail calls it {state}", state == "running") for name, state in states.items()}


def granted(details: Mapping[str, Any]) -> Access:
    """The login in Lightsail's answer; "" stands for what is no text."""
    keys, expires = details.get("hostKeys") or (), details.get("expiresAt")
    return Access(
        giver="Lightsail",
        user=_text(details.get("username")),
        private_key=_text(details.get("privateKey")),
        certificate=_text(details.get("certKey")),
        host_keys=tuple(
            CloudKey(_text(key.get("algorithm")), _text(key.get("publicKey")), _time(key.get("witnessedAt")))
            for key in keys
        ),
        expires=expires.timestamp() if isinstance(expires, datetime) else 0.0,
    )


def is_selected(instance: Mapping[str, Any], source: LightsailSource) -> bool:
    """True if the source asks for this instance: the API itself has no filters."""
    if source.running_only and instance["state"]["name"] != "running":
        return False
    named = any(fnmatch.fnmatchcase(instance["name"], pattern) for pattern in source.names)
    return named and has_tags(_tags(instance), source.tags)


def host(instance: Mapping[str, Any], source: LightsailSource, region: str, aws: Aws) -> Host:
    """One instance as Lightsail describes it."""
    return Host(
        name=instance["name"],
        address=_address(instance, source.address),
        provider=source.provider,
        id=instance["name"],
        region=region,
        user=instance.get("username") or "",
        port=0,
        tags=_tags(instance),
        account=_account(instance),
        uid=(instance.get("arn") or "").rpartition("/")[2],
        zone=(instance.get("location") or {}).get("availabilityZone") or "",
        aws=aws,
    )


def _offered_regions(aws: Aws) -> list[str]:
    with client(aws, "lightsail") as lightsail:
        return sorted(region["name"] for region in lightsail.get_regions()["regions"])


def _address(instance: Mapping[str, Any], kind: str) -> str:
    if kind == "ipv6":
        return next(iter(instance.get("ipv6Addresses") or ()), "")
    return instance.get("publicIpAddress" if kind == "public" else "privateIpAddress") or ""


def _account(instance: Mapping[str, Any]) -> str:
    """From arn:aws:lightsail:REGION:ACCOUNT:Instance/…, "" where there is none."""
    return "".join((instance.get("arn") or "").split(":")[4:5])


def _tags(instance: Mapping[str, Any]) -> dict[str, str]:
    # Lightsail also has tags that are only a key.
    return {tag["key"]: tag.get("value") or "" for tag in instance.get("tags", ())}


def _time(value: object) -> str:
    return value.astimezone(UTC).isoformat(timespec="seconds") if isinstance(value, datetime) else ""


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
