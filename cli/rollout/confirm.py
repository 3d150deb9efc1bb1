"""The question before hosts are changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from jada import natural
from jada.cli.rollout.options import RolloutOptions
from jada.cli.ui.confirm import confirm, require_terminal
from jada.cli.ui.console import plural, visible
from jada.tasks.plan import Plan

if TYPE_CHECKING:
    from jada.inventory.fleet.config import Fleet


def agree(fleet: Fleet, todo: Mapping[str, Plan], options: RolloutOptions) -> bool:
    """Goes on where somebody agreed; True if that was asked for here. Raises click.Abort, ConfigError."""
    if options.yes:
        return False
    require_terminal(options.as_json)
    confirm(question(fleet, todo), visible(fleet.name) if fleet.production else "y")
    return True


def question(fleet: Fleet, todo: Mapping[str, Plan]) -> str:
    """The question before hosts are changed: what it will do to how many of them. Pure."""
    from jada.inventory import models

    names = {model.id: model.name for model in models.catalogue(fleet.models)}
    releases = [plan.transaction.release for plan in todo.values() if plan.transaction]

    def shown(ids: Iterable[str]) -> str:
        called = {names.get(model, model) or "no model of their own" for model in ids}
        return visible(" and ".join(sorted(called, key=natural)))

    before, after = (
        shown(release.before.model for release in releases),
        shown(release.desired.model for release in releases),
    )
    change = f"from {before} to {after}" if before != after else f"(the model stays {after})"
    agents = "restart its agent" if len(todo) == 1 else "restart their agents"
    return f"Change {plural(len(todo), 'host')} of {visible(fleet.name)} {change} and {agents}?"
