"""The fleet in pyinfra's terms: groups of hosts with their data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from jada import Host
from jada.inventory.cloud.ssm import RunCommand
from jada.inventory.fleet.config import Fleet

Member = tuple[str, dict[str, object]]


def groups(fleet: Fleet, hosts: Sequence[Host], data: Mapping[str, Mapping[str, object]]) -> dict[str, list[Member]]:
    """One group per role that has hosts, and `all`. Each host carries the data of its connector, and what deploy.py
    reads.
    """
    members = [(host, _member(fleet, host, data[host.name])) for host in hosts]
    by_role = {
        role.name: [member for host, member in members if host.role == role.name]
        for role in fleet.roles
        if any(host.role == role.name for host in hosts)
    }
    return {**by_role, "all": [member for _, member in members]}


def _member(fleet: Fleet, host: Host, data: Mapping[str, object]) -> Member:
    # pyinfra knows its connectors by the names of hosts, and calls this one by the rest of it.
    name = f"@ssm/{host.name}" if "ssm_instance" in data else host.name
    return name, {**data, **host_data(fleet, host)}


def ssm_data(host: Host) -> dict[str, object]:
    """The data of a host that is reached through Systems Manager (cli/ssm_connector.py)."""
    return {
        "ssm_instance": host.instance,
        "ssm_commands": RunCommand(host.aws, host.region),
        "jada_instance": host.instance,
    }


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
