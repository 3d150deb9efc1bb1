"""Asks clouds how the network of hosts is, all regions side by side."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from jada import Aws, Host, JadaError
from jada.inventory.concurrency import map_concurrently
from jada.inventory.sources.network import HostNetwork
from jada.inventory.sources.registry import SOURCES
from jada.inventory.sources.source import Network


def has_network(hosts: Iterable[Host]) -> bool:
    """True if a cloud knows the network of any of the hosts."""
    return any(map(_question, hosts))


def networks(hosts: Iterable[Host]) -> dict[str, HostNetwork]:
    """The networks of the hosts by their names; none of one that no cloud knows, such as a static one.

    What can't be known is in the place of an answer, with why.
    """
    groups: dict[tuple[Network, Aws, str], list[Host]] = defaultdict(list)
    for host in hosts:
        if ask := _question(host):
            groups[ask, host.aws, host.region].append(host)
    answers = map_concurrently(lambda group: group[0][0](group[0][1], group[0][2], group[1]), list(groups.items()))
    return {
        host.name: _of(host, answer)
        for hosts_of, answer in zip(groups.values(), answers, strict=True)
        for host in hosts_of
    }


def _question(host: Host) -> Network | None:
    """The way to ask for the network of a host; None where there is none, as for one of a plan that is gone by now."""
    provider = SOURCES.get(host.provider)
    return provider.network if provider else None


def _of(host: Host, answer: dict[str, HostNetwork] | JadaError) -> HostNetwork:
    if isinstance(answer, JadaError):
        return HostNetwork.not_known(answer.message)
    return answer.get(host.id) or HostNetwork.not_known(f"{host.source} knows it no more")
