"""Completion in the shell: models, roles, hosts, codes and files, by what this machine knows, without any network.

Where fleet.yml or what is kept here can't be read, nothing is offered: who completes wants no error. Nor is a name that
a shell would take for more than a word, for the shell puts it on the command line as it is.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from jada import JadaError
from jada.cli.ui.console import visible

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from jada import Host
    from jada.inventory.fleet.config import Fleet

Offer = tuple[str, str]


def offered(offers: Iterable[Offer], incomplete: str, before: str = "") -> list[CompletionItem]:
    """The offers, each a word and what it is, that go on from what is `incomplete`, with what stands `before` it."""
    from click.shell_completion import CompletionItem

    return [
        CompletionItem(f"{before}{word}", help=visible(about) or None)
        for word, about in offers
        if word.startswith(incomplete) and shlex.quote(word) == word
    ]


def model_names(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The short names of `jada models`, with their ids."""
    return offered(_models(fleet_of(ctx)), incomplete)


def wishes(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """MODEL and, behind each role, ROLE=MODEL."""
    from click.shell_completion import CompletionItem

    fleet = fleet_of(ctx)
    role, is_pair, begun = incomplete.partition("=")
    if is_pair:
        return offered(_models(fleet), begun, f"{role}=")
    roles = ((name, "a model for this role") for name, _ in _roles(fleet))
    return [
        *offered(_models(fleet), incomplete),
        *(CompletionItem(f"{item.value}=", help=item.help) for item in offered(roles, incomplete)),
    ]


def role_names(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The roles of fleet.yml, with their models."""
    return offered(_roles(fleet_of(ctx)), incomplete)


def host_names(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The hosts as AWS listed them last, with their roles and sources."""
    return offered(_hosts(fleet_of(ctx)), incomplete)


def host_patterns(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The last of several names of hosts with commas between them."""
    before, comma, begun = incomplete.rpartition(",")
    named = before.split(",")
    return offered((offer for offer in _hosts(fleet_of(ctx)) if offer[0] not in named), begun, f"{before}{comma}")


def finding_codes(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The codes of findings, with their names."""
    from jada.tasks.codes import CODES

    return offered(((code, finding.name) for code, finding in CODES.items()), incomplete)


def files(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The files that the shell finds by itself."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="file")]


def fleet_of(ctx: click.Context) -> Fleet | None:
    """The fleet of the fleet.yml that is meant; None where it can't be read."""
    from jada.inventory.fleet import config

    try:
        return config.load(ctx.params.get("fleet_file") or ctx.find_root().params.get("fleet_file"))
    except Exception:
        return None


def _models(fleet: Fleet | None) -> list[Offer]:
    from jada.inventory import models

    return [(model.name, model.id) for model in models.catalogue(fleet.models if fleet else {})]


def _roles(fleet: Fleet | None) -> list[Offer]:
    return [(role.name, f"on {role.model}" if role.model else "") for role in (fleet.roles if fleet else ())]


def _hosts(fleet: Fleet | None) -> list[Offer]:
    if fleet is None:
        return []
    try:
        hosts = _kept(fleet)
    except Exception:
        return []
    return [(host.name, ", ".join(filter(None, (host.role, host.source)))) for host in hosts]


def _kept(fleet: Fleet) -> tuple[Host, ...]:
    from jada.inventory import cache, discover

    try:
        found = [*cache.read(fleet, time.time()).found]
    except JadaError:
        found = cache.own(fleet)
    return discover.completed(fleet, discover.listed(found))
