"""Which role a host plays: the first of fleet.yml's roles that matches it."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Mapping, Sequence

from jada import Host
from jada.inventory.fleet.config import Role


def role_of(host: Host, roles: Sequence[Role]) -> str:
    """The name of the first role, in file order, that matches, or ""."""
    return next((role.name for role in roles if matches(host, role)), "")


def matches(host: Host, role: Role) -> bool:
    """Whether all the role's tags or any of its names match; a role with neither matches every host."""
    if not role.tags and not role.names:
        return True
    by_tags = bool(role.tags) and has_tags(host.tags, role.tags)
    return by_tags or any(host.is_called(pattern) for pattern in role.names)


def unmatched(hosts: Sequence[Host], roles: Sequence[Role]) -> Iterator[str]:
    """Each of the roles' names and tags that fits no host, in words: it may be misspelt, and then the hosts it was for
    play another role, with another model.
    """
    for role in roles:
        for pattern in role.names:
            if not any(host.is_called(pattern) for host in hosts):
                yield f"roles.{role.name}.names: no host has a Name or an id like {pattern}"
        if role.tags and not any(has_tags(host.tags, role.tags) for host in hosts):
            tags = " and ".join(f"{key}={' or '.join(values)}" for key, values in role.tags.items())
            yield f"roles.{role.name}.tags: no host has {tags}"


def has_tags(tags: Mapping[str, str], wanted: Mapping[str, tuple[str, ...]]) -> bool:
    """Whether each wanted tag is there with one of its values, read as EC2 reads them: * and ? are wildcards."""
    return all(
        key in tags and any(fnmatch.fnmatchcase(tags[key], value.replace("[", "[[]")) for value in values)
        for key, values in wanted.items()
    )
