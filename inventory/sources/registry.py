"""The sources that jada knows, by their key under fleet.yml's `sources`. A new one is a file here and a line below."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from jada import Aws, Host, JadaError
from jada.inventory.concurrency import map_concurrently
from jada.inventory.sources import ansible, ec2, ec2_network, lightsail, lightsail_network, static
from jada.inventory.sources.source import Provider, Source
from jada.inventory.yaml_values import Value

T = TypeVar("T")
# Asks a cloud, with the credentials of an account, about its hosts in one region.
Ask = Callable[[Aws, str, Sequence[Host]], T]

SOURCES: dict[str, Provider] = {
    "ec2": Provider(
        ec2.read,
        conditions=ec2.conditions,
        network=ec2_network.network,
        host_keys=ec2.host_keys,
        keys_from="EC2's console output",
    ),
    "lightsail": Provider(
        lightsail.read,
        lightsail.access,
        lightsail.conditions,
        lightsail_network.network,
        keys_from="Lightsail's API",
    ),
    "static": Provider(static.read),
    "ansible": Provider(ansible.read),
}


def ask(hosts: Iterable[Host], question: Callable[[Host], Ask[T] | None]) -> list[tuple[list[Host], T | JadaError]]:
    """The answers of clouds about their hosts, all accounts and regions side by side: the hosts of each, and the
    answer, or why there is none. Of hosts for which there is no question nothing is asked.
    """
    groups: dict[tuple[Ask[T], Aws, str], list[Host]] = defaultdict(list)
    for host in hosts:
        if asked := question(host):
            groups[asked, host.aws, host.region].append(host)
    answers = map_concurrently(lambda group: group[0][0](group[0][1], group[0][2], group[1]), list(groups.items()))
    return list(zip(groups.values(), answers, strict=True))


def read(value: Value) -> tuple[Source, ...]:
    return tuple(value.listed(_source))


def _source(value: Value) -> Source:
    readers = {key: provider.read for key, provider in SOURCES.items()}
    entry = value.fields(readers, one_of=[tuple(SOURCES)], hint="begin each source with its own dash")
    source: Source = next(iter(entry.values()))
    return source
