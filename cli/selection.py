"""The hosts of a fleet that --role, --limit or a name on the command line leave."""

from __future__ import annotations

import fnmatch
from typing import TYPE_CHECKING

from jada import ConfigError, Host, JadaError
from jada.cli.ui.console import plural

if TYPE_CHECKING:
    from jada.inventory.fleet.config import Fleet

# The option that chooses hosts by their names, and the argument that does so for some commands.
LIMIT, HOST = "--limit", "HOST"


def choose(
    fleet: Fleet, hosts: tuple[Host, ...], role: str | None, limit: str | None, limit_by: str = LIMIT
) -> tuple[Host, ...]:
    """The hosts that --role and --limit leave. Raises ConfigError when a role or any pattern matches none."""
    if role is not None and role not in {known.name for known in fleet.roles}:
        raise ConfigError(
            f"fleet.yml names no role {role}",
            "one of: " + ", ".join(known.name for known in fleet.roles),
        )
    of_role = tuple(host for host in hosts if role is None or host.role == role)
    if not of_role:
        raise JadaError(f"None of the {plural(len(hosts), 'host')} has the role {role}")
    if limit is None:
        return of_role
    matches = {
        pattern: {host.name for host in of_role if fnmatch.fnmatchcase(host.name, pattern)}
        for pattern in patterns(limit)
    }
    if unmatched := [pattern for pattern, names in matches.items() if not names]:
        shown = ",".join(pattern or "''" for pattern in unmatched)
        where = f" of role {role}" if role is not None else ""
        names = ", ".join(host.name for host in of_role[:20]) + (", …" if len(of_role) > 20 else "")
        raise ConfigError(
            f"None of the {plural(len(of_role), 'host')}{where} matches {limit_by} {shown}",
            f"one of: {names}",
        )
    chosen = set().union(*matches.values())
    return tuple(host for host in of_role if host.name in chosen)


def patterns(limit: str) -> list[str]:
    """The shell patterns of --limit."""
    return [pattern.strip() for pattern in limit.split(",")]


def one_host(hosts: tuple[Host, ...], name: str) -> Host:
    """The only one of the hosts that were found for a name. Raises ConfigError."""
    exact = [host for host in hosts if host.name == name] or list(hosts)
    if len(exact) > 1:
        raise ConfigError(
            f"{name} matches {plural(len(hosts), 'host')}", "name one of: " + ", ".join(host.name for host in hosts)
        )
    return exact[0]
