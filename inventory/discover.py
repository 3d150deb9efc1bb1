"""Finds the hosts of a fleet: all sources and all their regions side by side, all or an error."""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from jada import Aws, Host, HostError, JadaError, natural
from jada.inventory.concurrency import LateError, combine_failures, map_concurrently
from jada.inventory.fleet.config import Fleet
from jada.inventory.roles import role_of
from jada.inventory.sources.source import Source


@dataclass(frozen=True, slots=True)
class Searched:
    """A region of a source, "" where its regions can't be listed, with its hosts, or why it could not be searched."""

    source: Source
    region: str
    result: Sequence[Host] | JadaError

    @property
    def place(self) -> str:
        """The region in words, with the account where the source names one: "ec2 us-east-1 of profile prod"."""
        own = str(self.source.credentials(Aws()) or "")
        return f"{self.source.provider} {self.region}".strip() + (f" of {own}" if own else "")

    @property
    def hosts(self) -> Sequence[Host]:
        """The hosts, none where it could not be searched."""
        return () if isinstance(self.result, JadaError) else self.result


# The accounts of a fleet, with the errors of those whose credentials can't be had.
Logins = Mapping[Aws, JadaError | None]


def log_in(fleet: Fleet) -> None:
    """Has the credentials of the fleet's accounts ready: that may ask for an MFA code. Raises JadaError."""
    refuse(log_in_to_each(fleet))


def refuse(logins: Logins) -> None:
    """Raises JadaError if the credentials of any account can't be had."""
    failures = {error: str(aws) for aws, error in logins.items() if error}
    if len(failures) > 1:
        raise combine_failures([(place, error) for error, place in failures.items()], "AWS can't be asked", "")
    for error in failures:
        raise error


def log_in_to_each(fleet: Fleet) -> Logins:
    """Has the credentials of each of the fleet's accounts ready; the error of those that can't be had."""
    if not fleet.accounts:
        return {}
    # Here, because a fleet of static hosts needs nothing of boto3.
    from jada.inventory.cloud.client import log_in_to_all

    return dict(zip(fleet.accounts, log_in_to_all(fleet.accounts), strict=True))


def discover(fleet: Fleet) -> tuple[Host, ...]:
    """Finds the fleet's hosts with their roles, sorted by name as people count; names are unique. The `trouble` of one
    keeps it from being reached, as far as that is known here.

    Raises JadaError if any source can't be searched, or if there is no host: a fleet is never silently smaller than
    fleet.yml says.
    """
    log_in(fleet)
    return completed(fleet, listed(search(fleet)))


def listed(found: Iterable[Searched]) -> list[Host]:
    """All hosts that were found. Raises JadaError if any source could not be searched."""
    found = list(found)
    if failures := [(each.place, each.result) for each in found if isinstance(each.result, JadaError)]:
        hint = "`jada doctor` tells what can be asked there, and what not"
        raise combine_failures(failures, "The fleet can't be listed", hint)
    return [host for searched in found for host in searched.hosts]


def completed(fleet: Fleet, listed: Sequence[Host]) -> tuple[Host, ...]:
    """The hosts that the sources list, as `discover` gives them. Raises JadaError where there is none."""
    if not listed:
        raise JadaError(
            "No host was found in " + ", nor in ".join(source.describe() for source in fleet.sources),
            f"check the regions, tags and names under `sources` in {fleet.path}, and that the hosts are running",
        )
    hosts = unique_names([_complete(host, fleet) for host in deduplicate(listed)])
    return tuple(sorted(with_trouble(hosts), key=lambda host: natural(host.name)))


def deduplicate(hosts: Iterable[Host]) -> list[Host]:
    """The hosts without those that an earlier source has already found."""
    first: dict[object, Host] = {}
    for host in hosts:
        by_id, by_place = (host.provider, host.account, host.region, host.id), (host.name, host.address, host.port)
        first.setdefault(by_id if host.id else (*by_place, host.user), host)
    return list(first.values())


def unique_names(hosts: Sequence[Host]) -> list[Host]:
    """The same hosts; those that share a name get their id or region added, whichever tells them all apart."""
    by_name: dict[str, list[Host]] = {}
    for host in hosts:
        by_name.setdefault(host.name, []).append(host)
    renamed = [
        replace(host, name=name, own_name=host.own_name or host.name) if name != host.name else host
        for group in by_name.values()
        for name, host in _disambiguate(group)
    ]
    # A made-up name may be another host's own.
    return renamed if len(by_name) == len(hosts) else unique_names(renamed)


def with_trouble(hosts: Sequence[Host]) -> list[Host]:
    """The same hosts, where one can't be reached, or can't be told from another, with why that is."""
    at: dict[tuple[str, int, str], list[Host]] = defaultdict(list)
    for host in hosts:
        if host.engine == "ssh":
            at[_place(host)].append(host)
    return [
        replace(host, trouble=_trouble(host, at[_place(host)]) if host.engine == "ssh" else _unmanaged(host))
        for host in hosts
    ]


def search(fleet: Fleet, failed: Logins | None = None, within: float | None = None) -> list[Searched]:
    """The answer of each source and region, all of them asked side by side; of accounts that `failed`, their errors.
    One that gives none `within` so many seconds is asked nothing more.

    The credentials of the others have to be ready.
    """

    def regions_of(login: tuple[Source, Aws]) -> Sequence[str]:
        source, aws = login
        # A source that needs no credentials does not go by anybody's.
        if source.credentials(aws) and (error := (failed or {}).get(aws)):
            raise error
        return source.searched_regions(aws)

    logins = [(source, source.credentials(fleet.aws) or fleet.aws) for source in fleet.sources]
    answers = map_concurrently(regions_of, logins, within=within)
    unlisted = [Searched(source, "", error) for (source, _), error in zip(logins, answers, strict=True)
                if isinstance(error, JadaError)]  # fmt: skip
    searches = [(source, aws, region) for (source, aws), regions in zip(logins, answers, strict=True)
                if not isinstance(regions, JadaError) for region in regions]  # fmt: skip
    results = map_concurrently(lambda search: search[0].find(search[1], search[2]), searches, within=within)
    for (source, aws, region), result in zip(searches, results, strict=True):
        if isinstance(result, LateError):
            from jada.inventory.cloud.client import give_up

            give_up(aws, source.provider, region, result)
    found = [Searched(source, region, result) for (source, _, region), result in zip(searches, results, strict=True)]
    return [*unlisted, *found]


def _disambiguate(group: Sequence[Host]) -> list[tuple[str, Host]]:
    if len(group) == 1:
        return [(group[0].name, group[0])]
    ids = [host.id or host.address for host in group]
    regions = [host.region or host.address for host in group]
    with_region = [f"{own}-{region}" for own, region in zip(ids, regions, strict=True)]
    ports = [f"{own}-{host.port}" for own, host in zip(ids, group, strict=True)]
    # Nothing tells those of one place apart; that is told, but they need names.
    last = [f"{own}-{number}" for number, own in enumerate(ports, start=1)]
    suffixes = next(
        (candidates for candidates in (ids, regions, with_region, ports) if len(set(candidates)) == len(group)), last
    )
    return [(f"{host.name}-{suffix}", host) for host, suffix in zip(group, suffixes, strict=True)]


def _complete(host: Host, fleet: Fleet) -> Host:
    return replace(
        host,
        user=host.user or fleet.ssh.user,
        port=host.port or fleet.ssh.port,
        role=role_of(host, fleet.roles),
        engine=fleet.engine or host.engine,
    )


def _place(host: Host) -> tuple[str, int, str]:
    """The place that a connection to the host leads to: the way there is the same for all hosts of one address, but for
    those that are reached from within their VPC.
    """
    try:
        address = str(ipaddress.ip_address(host.address))
    except ValueError:
        # A name of DNS.
        address = host.address.lower().removesuffix(".")
    return address, host.port, host.vpc if host.via == "eice" else ""


def _trouble(host: Host, neighbours: Sequence[Host]) -> HostError | None:
    """Says why a host can't be reached; `neighbours` is every host of its place."""
    if not host.address:
        return HostError(
            f"{_in_words(host)} has no address of the wanted kind",
            "set `address` (private, public or ipv6) of that source in fleet.yml, or give the instance such an address",
        )
    if len(neighbours) == 1:
        return None
    others = ", ".join(_in_words(neighbour) for neighbour in neighbours if neighbour is not host)
    return HostError(
        f"{_in_words(host)} would be reached at {host.address}, port {host.port}, and so would {others}: nobody knows "
        "which of them answers there",
        "give each an address of its own (`address: public` or `ipv6` of its source in fleet.yml), or leave one out",
    )


def _unmanaged(host: Host) -> HostError | None:
    """Says why Systems Manager can't reach a host: it names those by their EC2 instances."""
    if host.instance:
        return None
    return HostError(
        f"{_in_words(host)} is no EC2 instance, and jada reaches no other through Systems Manager",
        "--engine ssh, or `engine: ssm` for the ec2 sources of fleet.yml alone",
    )


def _in_words(host: Host) -> str:
    where = ", ".join(word for word in (host.source, host.account, host.id) if word)
    return f"{host.name} ({where})"
