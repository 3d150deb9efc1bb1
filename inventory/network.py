"""Asks clouds how the network of hosts is, all regions side by side."""

from __future__ import annotations

from collections.abc import Iterable

from jada import Host, JadaError
from jada.inventory.sources.network import HostNetwork
from jada.inventory.sources.registry import SOURCES, ask
from jada.inventory.sources.source import Network


def has_network(hosts: Iterable[Host]) -> bool:
    """True if a cloud knows the network of any of the hosts."""
    return any(map(_question, hosts))


def networks(hosts: Iterable[Host]) -> dict[str, HostNetwork]:
    """The networks of the hosts by their names; none of one that no cloud knows, such as a static one.

    What can't be known is in the place of an answer, with why.
    """
    return {host.name: _of(host, answer) for of_region, answer in ask(hosts, _question) for host in of_region}


def _question(host: Host) -> Network | None:
    """The way to ask for the network of a host; None where there is none, as for one of a plan that is gone by now."""
    provider = SOURCES.get(host.provider)
    return provider.network if provider else None


def _of(host: Host, answer: dict[str, HostNetwork] | JadaError) -> HostNetwork:
    if isinstance(answer, JadaError):
        return HostNetwork.not_known(answer.message)
    return answer.get(host.id) or HostNetwork.not_known(f"{host.source} knows it no more")
