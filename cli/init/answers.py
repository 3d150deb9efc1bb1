"""The meaning of what people answer to `jada init`, and what it suggests to them. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from jada import ConfigError, Host, Model, ModelCheck
from jada.inventory import models
from jada.inventory.fleet.config import Fleet
from jada.inventory.roles import Role
from jada.inventory.sources.ec2 import Ec2Source
from jada.inventory.sources.lightsail import LightsailSource
from jada.inventory.sources.static import StaticHost, StaticSource

KINDS = ("static", "ec2", "lightsail")
ADDRESSES = ("private", "public", "ipv6")
# Stands for "none" where an empty answer is the default.
NONE = "-"
# The role of hosts that nothing tells apart; where that name is taken; and that of hosts of which no model is known.
AGENT, OTHERS, UNKNOWN = "agent", "others", "unknown"
# Tags that are suggested.
MOST_TAGS = 12
# As people type a host behind `ssh`: [NAME=][USER@]ADDRESS[:PORT], an IPv6 address with a port in brackets.
_HOST = re.compile(
    r"(?:([^\s=@]+)=)?(?:([^\s@]+)@)?(?:\[([^\s\]]+)\]|([^\s:@=\[\]]+|[^\s@=\[\]]*:[^\s@=\[\]]*:[^\s@=\[\]]*))(?::([0-9]{1,5}))?"
)
# A name for a role, and what no such name has.
_ROLE = re.compile(r"[A-Za-z][\w-]{0,62}", re.ASCII)
_NO_ROLE = re.compile(r"[^A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """The answers that options give; "" and () where there was none."""

    kind: str = ""
    hosts: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    matches: tuple[str, ...] = ()
    address: str = ""
    trusts_keys: bool = False


def words(answer: str) -> tuple[str, ...]:
    return tuple(answer.replace(",", " ").split())


def static_source(hosts: Sequence[str]) -> StaticSource:
    """The hosts that people name as they type them behind `ssh`. Raises ConfigError."""
    if not hosts:
        raise ConfigError("no host is named")
    parsed = [_static_host(word) for word in hosts]
    counts = Counter(host.name for host in parsed)
    # Of two whose addresses begin alike, each is called by the whole of it.
    named = [
        replace(host, name=host.address) if counts[host.name] > 1 and host.name == _short_name(host.address) else host
        for host in parsed
    ]
    if doubled := next((name for name, count in Counter(host.name for host in named).items() if count > 1), ""):
        raise ConfigError(f"{doubled} is named twice", "tell them apart: NAME=USER@ADDRESS")
    return StaticSource(tuple(named))


def _static_host(word: str) -> StaticHost:
    if (match := _HOST.fullmatch(word)) is None:
        raise ConfigError(f"{word!r} is no host", "write [NAME=][USER@]ADDRESS[:PORT], as web-1=debian@192.0.2.10")
    name, user, bracketed, bare, port = match.groups()
    address = bracketed or bare
    return StaticHost(name or _short_name(address), address, user or "", int(port or 0))


def _short_name(address: str) -> str:
    """The first part of a name of DNS, or an address as it is."""
    try:
        ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address.partition(".")[0]
    return address


def matching(source: Ec2Source | LightsailSource, matches: Sequence[str]) -> Ec2Source | LightsailSource:
    """The source with only those hosts: each word is a tag, KEY=VALUE, or a pattern for names."""
    tags: dict[str, tuple[str, ...]] = {}
    names: tuple[str, ...] = ()
    for word in matches:
        key, sign, value = word.partition("=")
        if sign:
            tags[key] = (*tags.get(key, ()), value)
        else:
            names = (*names, word)
    if isinstance(source, LightsailSource):
        return replace(source, tags=tags, names=names or ("*",))
    return replace(source, tags={**tags, **({"Name": names} if names else {})})


def tags_seen(hosts: Sequence[Host]) -> list[tuple[str, int]]:
    """The tags that hosts have, KEY=VALUE, with the number of hosts, the most common first."""
    counts = Counter(
        f"{key}={value}"
        for host in hosts
        for key, value in host.tags.items()
        if key != "Name" and not key.startswith("aws:")
    )
    return counts.most_common(MOST_TAGS)


def model_check(answer: str) -> ModelCheck:
    """The URL or the command that says a service's model; none for NONE."""
    if answer in ("", NONE):
        return ModelCheck()
    return ModelCheck(url=answer) if answer.startswith(("http://", "https://")) else ModelCheck(command=answer)


def roles_of(hosts: Sequence[Host], running: Mapping[str, str], fleet: Fleet) -> tuple[Role, ...]:
    """The roles of hosts with the models that they run now, "" where that is not known: by their tag `role` where they
    have one, or else by the model. The last one takes every host that is left.
    """
    listed = models.catalogue(fleet.models)
    of_host = {host.name: _name_of(running.get(host.name, ""), listed) for host in hosts}
    tagged: dict[str, list[Host]] = {}
    for host in hosts:
        if _ROLE.fullmatch(role := host.tags.get("role", "")) and role != "all":
            tagged.setdefault(role, []).append(host)
    if tagged:
        by_tag = [
            Role(role, _shared(of_host[host.name] for host in group), tags={"role": (role,)})
            for role, group in sorted(tagged.items())
        ]
        rest = [host for host in hosts if not any(host in group for group in tagged.values())]
        last = (
            [Role(AGENT if AGENT not in tagged else OTHERS, _shared(of_host[host.name] for host in rest))]
            if rest
            else []
        )
        return (*by_tag, *last)
    groups = Counter(of_host.values()).most_common()
    if len(groups) < 2:
        return (Role(AGENT, groups[0][0] if groups else ""),)
    (common, _), *others = groups
    by_model = [
        Role(
            _NO_ROLE.sub("-", model) or UNKNOWN,
            model,
            names=tuple(host.own_name or host.name for host in hosts if of_host[host.name] == model),
        )
        for model, _ in others
    ]
    return (*by_model, Role(AGENT, common))


def unlisted(running: Mapping[str, str], fleet: Fleet) -> tuple[str, ...]:
    """The models that run and that the catalogue does not list."""
    listed = models.catalogue(fleet.models)
    return tuple(dict.fromkeys(model for model in running.values() if model and not _name_of(model, listed)))


def _name_of(model: str, listed: Sequence[Model]) -> str:
    """The catalogue's name of a model that runs, "" where it has none."""
    try:
        return models.resolve(model, listed).name if model else ""
    except ConfigError:
        return ""


def _shared(names: Iterable[str]) -> str:
    """The model of all of them, "" where they differ."""
    different = set(names)
    return different.pop() if len(different) == 1 else ""
