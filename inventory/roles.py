"""fleet.yml's `roles`, and which of them a host plays: the first that matches it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import Any

from jada import MOST_FALLBACKS, ConfigError, Host, Model
from jada.inventory import models, tags
from jada.inventory.tags import has_tags
from jada.inventory.yaml_readers import Tell, or_default
from jada.inventory.yaml_values import Value

_ROLE_NAME = re.compile(r"(?!all$)[A-Za-z][\w-]{0,62}")


@dataclass(frozen=True, slots=True)
class Role:
    """Hosts that all of `tags` or any of `names` (shell patterns) match; with neither, all that are left.

    `model` is a short name or an exact id of the catalogue, or "" where the role asks for none. So are those of
    `fallback`, which the Claude CLI asks in that order where the model can't answer, and `subagent_model`. `rollout`
    has the fields in which its rollouts differ from those of the fleet.
    """

    name: str
    model: str = ""
    tags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    fallback: tuple[str, ...] = ()
    subagent_model: str = ""
    rollout: Mapping[str, Any] = field(default_factory=dict)


# Reads the `rollout` of a role.
RolloutReader = Callable[[Value], Mapping[str, Any]]


def read(value: Value, catalogue: tuple[Model, ...] | None, rollout: RolloutReader, tell: Tell) -> tuple[Role, ...]:
    """The roles, in the order of the file; a model that can't be used is told, and may be left out. Without a
    catalogue, nobody knows which models there are.
    """
    read_role = partial(_role, catalogue=catalogue, rollout=rollout, tell=tell)
    of_names = "the name of a role has letters, digits, _ and -, a letter first, and is not `all`"
    roles = value.named(read_role, _ROLE_NAME, of_names, least=1).values()
    for role, below in pairwise(roles):
        if not role.tags and not role.names:
            raise (value.part(below.name) or value).error(
                f"is never reached: {role.name}, above it, has neither tags nor names and takes every host",
                f"move {role.name} to the end",
            )
    return tuple(roles)


def role_of(host: Host, roles: Sequence[Role]) -> str:
    """The name of the first role, in file order, that matches, or ""."""
    return next((role.name for role in roles if matches(host, role)), "")


def matches(host: Host, role: Role) -> bool:
    """True if all the role's tags or any of its names match; a role with neither matches every host."""
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
            yield f"roles.{role.name}.tags: no host has {' and '.join(tags.in_words(role.tags))}"


def _role(name: str, value: Value, catalogue: tuple[Model, ...] | None, rollout: RolloutReader, tell: Tell) -> Role:
    def model(value: Value) -> str:
        name = value.text()
        try:
            return models.resolve(name, catalogue).name if catalogue is not None else name
        except ConfigError as error:
            raise value.error(f"can't be used. {error.message}", error.hint) from None

    def fallback(value: Value) -> tuple[str, ...]:
        listed = value.listed(lambda item: (item, model(item)), MOST_FALLBACKS)
        for at, (item, named) in enumerate(listed):
            if named in [earlier for _, earlier in listed[:at]]:
                raise item.error(f"names {named} for the second time")
        return tuple(named for _, named in listed)

    readers = {
        "model": or_default(tell, model, ""),
        "fallback": or_default(tell, fallback, tuple[str, ...]()),
        "subagent_model": or_default(tell, model, ""),
        "tags": tags.read,
        "names": Value.texts,
        "rollout": rollout,
    }
    role = Role(name, **value.fields(readers))
    if role.model and role.model in role.fallback:
        tell((value.part("fallback") or value).error(f"names {role.model}, the model of the role itself"))
    return role
