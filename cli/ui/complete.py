"""Completion of models and roles after an option, in the shell. A fleet.yml that can't be read offers none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from jada.cli.ui.console import visible

if TYPE_CHECKING:
    from jada.inventory.fleet.config import Fleet


def model_names(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """The short names of `jada models`."""
    from jada.inventory import models

    fleet = _fleet(ctx)
    names = [visible(model.name) for model in models.catalogue(fleet.models if fleet else {})]
    return [name for name in names if name.startswith(incomplete)]


def wishes(ctx: click.Context, option: click.Parameter, incomplete: str) -> list[str]:
    """MODEL and, behind each role, ROLE=MODEL."""
    role, is_pair, begun = incomplete.partition("=")
    if is_pair:
        return [f"{role}={model}" for model in model_names(ctx, option, begun)]
    return [*model_names(ctx, option, incomplete), *(f"{name}=" for name in role_names(ctx, option, incomplete))]


def role_names(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """The roles of fleet.yml."""
    fleet = _fleet(ctx)
    names = [visible(role.name) for role in (fleet.roles if fleet else ())]
    return [name for name in names if name.startswith(incomplete)]


def _fleet(ctx: click.Context) -> Fleet | None:
    from jada.inventory.fleet import config

    try:
        return config.load(ctx.params.get("fleet_file") or ctx.find_root().params.get("fleet_file"))
    except Exception:
        return None
