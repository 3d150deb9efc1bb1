"""Finds the hosts of a fleet: all sources and all their regions side by side, all or an error."""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from jada import Host, HostError, JadaError, natural
from jada.inventory.fleet.config import ALL, Cloud, Ec2Source, Fleet, LightsailSource, Source, StaticSource
from jada.inventory.roles import role_of
from jada.inventory.sources import ec2, lightsail, static

if TYPE_CHECKING:
    from jada.inventory.cloud.session import Clients


def log_in(fleet: Fleet) -> None:
    """Has the fleet's AWS credentials ready, if it needs any: that may ask for an MFA code. Raises JadaError."""
    if _clouds(fleet):
        # Here, because a fleet of static hosts needs no boto3: its import takes as long as reading ten hosts.
        from jada.inventory.cloud.session import clients_of

        clients_of(fleet.aws)


def discover(fleet: Fleet) -> tuple[Host, ...]:
    """The fleet's hosts with their roles, sorted by name as people count; names are unique. What keeps one of them from
    being reached, as far as that is known here, is its `trouble`.

    Raises JadaError if any source can't be searched, or if there is no host: a fleet is never silently smaller than
    fleet.yml says.
    """
    clouds = _clouds(fleet)
    found = _search(fleet, clouds) if clouds else []
    found += [host for source in fleet.sources if isinstance(source, StaticSource) for host in static.find(source)]
    if not found:
        raise JadaError(
            "No host was found in " + ", nor in ".join(describe(source) for source in fleet.sources),
            f"check the regions, tags and names under `sources` in {fleet.path}, and that the hosts are running",
        )
    hosts = unique_names([_complete(host, fleet) for host in once_each(found)])
    return tuple(sorted(with_trouble(hosts), key=lambda host: natural(host.name)))


def once_each(hosts: Iterable[Host]) -> list[Host]:
    """Without the hosts that an earlier source has already found."""
    first: dict[object, Host] = {}
    for host in hosts:
        same = (host.account, host.source, host.id) if host.id else (host.name, host.address, host.port, host.user)
        first.setdefault(same, host)
    return list(first.values())


def unique_names(hosts: Sequence[Host]) -> list[Host]:
    """The same hosts; those that share a name get their id or region added, whichever tells them all apart."""
    by_name: dict[str, list[Host]] = {}
    for host in hosts:
        by_name.setdefault(host.name, []).append(host)
    renamed = [
        replace(host, name=name, own_name=host.own_name or host.name) if name != host.name else host
        for group in by_name.values()
        for name, host in _told_apart(group)
    ]
    # A made-up name may be another host's own.
    return renamed if len(by_name) == len(hosts) else unique_names(renamed)


def with_trouble(hosts: Sequence[Host]) -> list[Host]:
    """The same hosts, where one can't be reached, or can't be told from another, with why that is."""
    at: dict[tuple[str, int], list[Host]] = defaultdict(list)
    for host in hosts:
        at[_place(host)].append(host)
    return [replace(host, trouble=_trouble(host, at[_place(host)])) for host in hosts]


def describe(source: Source) -> str:
    """A source and its filters in words."""
    match source:
        case Ec2Source():
            return ec2.describe(source)
        case LightsailSource():
            return lightsail.describe(source)
        case StaticSource():
            return static.describe(source)


def _clouds(fleet: Fleet) -> list[Cloud]:
    return [source for source in fleet.sources if not isinstance(source, StaticSource)]


def _search(fleet: Fleet, sources: Sequence[Cloud]) -> list[Host]:
    from jada.inventory.cloud.session import Failure, clients_of, side_by_side, told_together

    clients = clients_of(fleet.aws)
    searches = side_by_side(
        lambda source: [(source, region) for region in _regions(clients, source)],
        sources,
        lambda source: f"{_service(source)} {clients.home_region}",
    )
    jobs = [job for search in searches if not isinstance(search, Failure) for job in search]
    found = side_by_side(lambda job: _find(clients, *job), jobs, lambda job: f"{_service(job[0])} {job[1]}")
    if failures := [one for one in (*searches, *found) if isinstance(one, Failure)]:
        raise told_together(failures, "The fleet can't be listed")
    return [host for hosts in found if not isinstance(hosts, Failure) for host in hosts]


def _regions(clients: Clients, source: Cloud) -> list[str]:
    regions = source.regions
    if regions == ALL:
        regions = ec2.regions(clients) if isinstance(source, Ec2Source) else lightsail.regions(clients)
    return [region for region in regions if region not in source.not_regions]


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
    ports = [f"{own}-{host.port}" for own, host in zip(ids, group, strict=True)]
    # Nothing tells those of one place apart; that is told, but they need names.
    last = [f"{own}-{number}" for number, own in enumerate(ports, start=1)]
    suffixes = next((each for each in (ids, regions, both, ports) if len(set(each)) == len(group)), last)
    return [(f"{host.name}-{suffix}", host) for host, suffix in zip(group, suffixes, strict=True)]


def _complete(host: Host, fleet: Fleet) -> Host:
    return replace(
        host,
        user=host.user or fleet.ssh.user,
        port=(host.port or fleet.ssh.port) if host.source == "static" else fleet.ssh.port,
        role=role_of(host, fleet.roles),
    )


def _place(host: Host) -> tuple[str, int]:
    """Where a connection to the host leads: the way there is the same for all hosts of one address."""
    try:
        address = str(ipaddress.ip_address(host.address))
    except ValueError:
        # A name of DNS.
        address = host.address.lower().removesuffix(".")
    return address, host.port


def _trouble(host: Host, there: Sequence[Host]) -> HostError | None:
    """Why a host can't be reached; `there` is every host of its place."""
    if not host.address:
        return HostError(
            f"{_in_words(host)} has no address of the wanted kind",
            "set `address` (private, public or ipv6) of that source in fleet.yml, or give the instance such an address",
        )
    if len(there) == 1:
        return None
    others = ", ".join(_in_words(one) for one in there if one is not host)
    return HostError(
        f"{_in_words(host)} would be reached at {host.address}, port {host.port}, and so would {others}: nobody knows "
        "which of them answers there",
        "give each an address of its own (`address: public` or `ipv6` of its source in fleet.yml), or leave one out",
    )


def _in_words(host: Host) -> str:
    where = ", ".join(word for word in (host.source, host.account, host.id) if word)
    return f"{host.name} ({where})"
