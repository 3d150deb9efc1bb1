"""Asks clouds how the hosts of a fleet are, all regions side by side."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from jada import Host, JadaError
from jada.inventory.sources import registry
from jada.inventory.sources.registry import SOURCES
from jada.inventory.sources.source import Condition

# Hosts of one cloud, account and region, and what that cloud says of them by their ids, or why it can't be asked.
Answer = tuple[Sequence[Host], dict[str, Condition] | JadaError]


def conditions(hosts: Iterable[Host]) -> dict[str, Condition]:
    """The conditions of the hosts by their names; none of one that no cloud knows, such as a static one.

    Where a cloud can't be asked, that is said in place of an answer: no change hangs on a permission.
    """
    return by_name(ask(hosts))


def by_name(answers: Iterable[Answer]) -> dict[str, Condition]:
    """The conditions by the names of the hosts, as `conditions` gives them."""
    return {host.name: _of(host, answer) for hosts, answer in answers for host in hosts}


def ask(hosts: Iterable[Host]) -> list[Answer]:
    """The answers of the clouds that know any of the hosts."""
    return [*registry.ask(hosts, lambda host: SOURCES[host.provider].conditions)]


def _of(host: Host, answer: dict[str, Condition] | JadaError) -> Condition:
    if isinstance(answer, JadaError):
        return Condition(f"AWS could not be asked: {answer.message}", is_well=None)
    return answer.get(host.id, Condition("AWS tells nothing of it", is_well=None))
