"""Finds the hosts of a fleet: all sources and all their regions side by side, all or an error."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from operator import attrgetter
from typing import TYPE_CHECKING

from jada import Host, JadaError
from jada.inventory import ec2, lightsail, static
from jada.inventory.fleet import ALL, Ec2Source, Fleet, LightsailSource, Source, StaticSource
from jada.inventory.roles import role_of

if TYPE_CHECKING:
    from jada.inventory.aws_session import Clients

Cloud = Ec2Source | LightsailSource


def discover(fleet: Fleet) -> tuple[Host, ...]:
    """The fleet's hosts with their roles, sorted by name; names are unique.

    Raises JadaError if any source can't be searched, if an instance lacks the wanted address, or if there is no host:
    a fleet is never silently smaller than fleet.yml says.
    """
    clouds = [source for source in fleet.sources if not isinstance(source, StaticSource)]
    found = _search(fleet, clouds) if clouds else []
    found += [host for source in fleet.sources if isinstance(source, StaticSource) for host in static.find(source)]
    if not found:
        raise JadaError(
            "No host was found in " + ", nor in ".join(describe(source) for source in fleet.sources),
            f"check the regions, tags and names under `sources` in {fleet.path}, and that the hosts are running",
        )
    if lost := [f"{host.name} ({host.source}, {host.id})" for host in found if not host.address]:
        raise JadaError(
            f"No address of the wanted kind on {', '.join(lost)}",
            f"set `address` (private or public) of that source in {fleet.path}, or give the instance such an address",
        )
    hosts = unique_names(once_each(found))
    return tuple(sorted((_complete(host, fleet) for host in hosts), key=attrgetter("name")))


def once_each(hosts: Iterable[Host]) -> list[Host]:
    """Without the hosts that an earlier source has already found."""
    first: dict[tuple[str, str], Host] = {}
    for host in hosts:
        first.setdefault((host.source, host.id or host.address), host)
    return list(first.values())


def unique_names(hosts: Sequence[Host]) -> list[Host]:
    """The same hosts; those that share a name get their id or region added, whichever tells them all apart."""
    by_name: dict[str, list[Host]] = {}
    for host in hosts:
        by_name.setdefault(host.name, []).append(host)
    renamed = [replace(host, name=name) for group in by_name.values() for name, host in _told_apart(group)]
    # A made-up name may be another host's own.
    return renamed if len(by_name) == len(hosts) else unique_names(renamed)


def describe(source: Source) -> str:
    """A source and its filters in words."""
    match source:
        case Ec2Source():
            return ec2.describe(source)
        case LightsailSource():
            return lightsail.describe(source)
        case StaticSource():
            return static.describe(source)


def _search(fleet: Fleet, sources: Sequence[Cloud]) -> list[Host]:
    # Here, because a fleet of static hosts needs no boto3: its import takes as long as reading ten hosts.
    from jada.inventory.aws_session import Clients, side_by_side, told_together

    clients = Clients(fleet.aws)
    searches, unlisted = side_by_side(
        lambda source: [(source, region) for region in _regions(clients, source)],
        sources,
        lambda source: f"{_service(source)} {clients.home_region}",
    )
    jobs = [job for search in searches for job in search]
    found, failed = side_by_side(lambda job: _find(clients, *job), jobs, lambda job: f"{_service(job[0])} {job[1]}")
    if failures := unlisted + failed:
        raise told_together(failures, "The fleet can't be listed")
    return [host for hosts in found for host in hosts]


def _regions(clients: Clients, source: Cloud) -> tuple[str, ...]:
    if source.regions != ALL:
        return source.regions
    return ec2.regions(clients) if isinstance(source, Ec2Source) else lightsail.regions(clients)


def _find(clients: Clients, source: Cloud, region: str) -> list[Host]:
    if isinstance(source, Ec2Source):
        return ec2.find(clients, source, region)
    return lightsail.find(clients, source, region)


def _service(source: Cloud) -> str:
    return "ec2" if isinstance(source, Ec2Source) else "lightsail"


def _told_apart(group: Sequence[Host]) -> list[tuple[str, Host]]:
    if len(group) == 1:
        return [(group[0].name, group[0])]
    ids = [host.id or host.address for host in group]
    regions = [host.region or host.address for host in group]
    both = [f"{own}-{region}" for own, region in zip(ids, regions, strict=True)]
    suffixes = next((each for each in (ids, regions) if len(set(each)) == len(group)), both)
    return [(f"{host.name}-{suffix}", host) for host, suffix in zip(group, suffixes, strict=True)]


def _complete(host: Host, fleet: Fleet) -> Host:
    return replace(
        host,
        user=host.user or fleet.ssh.user,
        port=(host.port or fleet.ssh.port) if host.source == "static" else fleet.ssh.port,
        role=role_of(host, fleet.roles),
    )
