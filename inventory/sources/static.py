"""Hosts that fleet.yml itself names."""

from __future__ import annotations

from jada import Host
from jada.inventory.fleet.config import StaticSource


def find(source: StaticSource) -> list[Host]:
    """The hosts, in the order of the file; a port of 0 means the ssh section's."""
    return [Host(one.name, one.address, "static", user=one.user, port=one.port, tags=one.tags) for one in source.hosts]


def describe(source: StaticSource) -> str:
    """The source in words."""
    return f"static ({', '.join(one.name for one in source.hosts)})"
