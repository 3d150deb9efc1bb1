"""The fleet in pyinfra's terms: groups of hosts with their data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from jada import Host
from jada.inventory.fleet.config import Fleet

Member = tuple[str, dict[str, object]]


def groups(fleet: Fleet, hosts: Sequence[Host], ssh: Mapping[str, Mapping[str, object]]) -> dict[str, list[Member]]:
    """One group per role that has hosts, and `all`. Each host carries its ssh data and what deploy.py reads."""
    members = [(host, (host.name, {**ssh[host.name], **host_data(fleet, host)})) for host in hosts]
    by_role = {
        role.name: [member for host, member in members if host.role == role.name]
        for role in fleet.roles
        if any(host.role == role.name for host in hosts)
    }
    return {**by_role, "all": [member for _, member in members]}


def host_data(fleet: Fleet, host: Host) -> dict[str, object]:
    """The data of a host that deploy.py reads; `jada_tiers` has the exact ids its role asks for."""
    return {
        "jada_fleet": fleet.name,
        "jada_role": host.role,
        "jada_tiers": asdict(fleet.tiers_of(host.role)),
        "jada_nofile": fleet.limits.nofile,
        # Plain values: pyinfra shows all data of a host as JSON.
        "jada_service": asdict(fleet.service),
    }
