"""Hosts that fleet.yml itself names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from jada import Aws, Host
from jada.inventory.sources.source import HOST_NAME
from jada.inventory.yaml_readers import NAME, port, user
from jada.inventory.yaml_values import Value

ADDRESS = re.compile(rf"{NAME}|(?=[^%]*:)[0-9A-Fa-f:][0-9A-Fa-f:.]*(?:%{NAME})?")


@dataclass(frozen=True, slots=True)
class StaticHost:
    name: str
    address: str
    user: str = ""
    port: int = 0
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StaticSource:
    """Hosts written down by hand. A port of 0 and a user of "" mean those of the ssh section."""

    provider: ClassVar[str] = "static"
    is_own: ClassVar[bool] = True
    hosts: tuple[StaticHost, ...]

    def credentials(self, _aws: Aws, /) -> None:
        """Nobody is asked."""

    def searched_regions(self, _aws: Aws, /) -> tuple[str]:
        return ("",)

    def find(self, _aws: Aws, _region: str, /) -> list[Host]:
        """The hosts, in the order of the file."""
        return [
            Host(host.name, host.address, self.provider, user=host.user, port=host.port, tags=host.tags)
            for host in self.hosts
        ]

    def describe(self) -> str:
        return f"static ({', '.join(host.name for host in self.hosts)})"


def read(value: Value) -> StaticSource:
    return StaticSource(**value.fields({"hosts": _hosts}, required=("hosts",)))


def _hosts(value: Value) -> tuple[StaticHost, ...]:
    of_names = "the name of a host has letters, digits, blanks and . : + = _ - only, a letter, digit or _ first"
    return tuple(value.named(_host, HOST_NAME, of_names, least=1).values())


def _host(name: str, value: Value) -> StaticHost:
    readers = {"address": _address, "user": user, "port": port, "tags": tags}
    return StaticHost(name, **value.fields(readers, required=("address",)))


def _address(value: Value) -> str:
    return value.matching(ADDRESS, "one word: a name of DNS or an IP address")


def tags(value: Value) -> dict[str, str]:
    """The tags that hosts get, each with one value."""
    return value.named(lambda _, tag: tag.text())
