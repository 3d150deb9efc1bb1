"""Hosts that fleet.yml itself names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar

from jada import Aws, Host
from jada.inventory.sources.source import HOST_NAME
from jada.inventory.yaml_readers import NAME, matching, port, user
from jada.inventory.yaml_values import Value, every

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
    hosts = value.fields({"hosts": Value.entries}, required=("hosts",))["hosts"]
    if not hosts:
        raise value.error("names no hosts")
    return StaticSource(tuple(every(partial(_host, name, host) for name, host in hosts.items())))


def _host(name: str, value: Value) -> StaticHost:
    if not HOST_NAME.fullmatch(name):
        raise value.error("is not a name for a host: letters, digits and . : + = _ - only, a letter or digit first")
    readers = {"address": _address, "user": user, "port": port, "tags": tags}
    return StaticHost(name, **value.fields(readers, required=("address",)))


def _address(value: Value) -> str:
    return matching(value, ADDRESS, "one word: a name of DNS or an IP address")


def tags(value: Value) -> dict[str, str]:
    """The tags that hosts get, each with one value."""
    return {name: entry.text() for name, entry in value.entries().items()}
