"""Hosts that are Lightsail instances."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jada import Host
from jada.inventory.fleet.config import LightsailSource, regions_in_words
from jada.inventory.roles import has_tags

if TYPE_CHECKING:
    from jada.inventory.cloud.session import Clients


def regions(clients: Clients) -> tuple[str, ...]:
    """The regions that Lightsail is offered in."""
    answer = clients.client("lightsail", clients.home_region).get_regions()
    return tuple(sorted(region["name"] for region in answer["regions"]))


def find(clients: Clients, source: LightsailSource, region: str) -> list[Host]:
    """The hosts of one region; `address` is "" where an instance has none of the wanted kind."""
    pages = clients.client("lightsail", region).get_paginator("get_instances").paginate()
    return [host(one, source, region) for page in pages for one in page["instances"] if wanted(one, source)]


def wanted(instance: Mapping[str, Any], source: LightsailSource) -> bool:
    """Whether the source asks for this instance: the API itself has no filters."""
    if source.running_only and instance["state"]["name"] != "running":
        return False
    named = any(fnmatch.fnmatchcase(instance["name"], pattern) for pattern in source.names)
    return named and has_tags(_tags(instance), source.tags)


def host(instance: Mapping[str, Any], source: LightsailSource, region: str) -> Host:
    """One instance as Lightsail describes it."""
    return Host(
        name=instance["name"],
        address=_address(instance, source.address),
        source=f"lightsail {region}",
        id=instance["name"],
        region=region,
        user=instance.get("username") or "",
        tags=_tags(instance),
        account=_account(instance),
    )


def describe(source: LightsailSource) -> str:
    """The source in words, for an error that nothing was found."""
    parts = [f"names {' or '.join(source.names)}"]
    parts += [f"tag {key}={' or '.join(values)}" for key, values in source.tags.items()]
    parts += ["running only"] if source.running_only else []
    return f"lightsail in {regions_in_words(source)} ({'; '.join(parts)})"


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
