"""Which role a host plays: the first of fleet.yml's roles that matches it."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence

from jada import Host
from jada.inventory.fleet import Role


def role_of(host: Host, roles: Sequence[Role]) -> str:
    """The name of the first role, in file order, that matches, or ""."""
    return next((role.name for role in roles if matches(host, role)), "")


def matches(host: Host, role: Role) -> bool:
    """Whether all the role's tags or any of its names match; a role with neither matches every host."""
    if not role.tags and not role.names:
        return True
    by_tags = bool(role.tags) and has_tags(host.tags, role.tags)
    return by_tags or any(fnmatch.fnmatchcase(host.name, pattern) for pattern in role.names)


def has_tags(tags: Mapping[str, str], wanted: Mapping[str, tuple[str, ...]]) -> bool:
    """Whether each wanted tag is there with one of its values, read as EC2 reads them: * and ? are wildcards."""
    return all(
        key in tags and any(fnmatch.fnmatchcase(tags[key], value.replace("[", "[[]")) for value in values)
        for key, values in wanted.items()
    )
