"""The plans of a rollout with what their changes cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jada.cli.results import HostResults, judge_each
from jada.inventory import models
from jada.tasks.plan import Plan, with_costs

if TYPE_CHECKING:
    from jada.inventory.fleet.config import Fleet


def with_prices(plans: HostResults[Plan], fleet: Fleet) -> HostResults[Plan]:
    """The plans, each with the price of its change; one that can't be worked out is in no change's way."""
    listed = models.catalogue(fleet.models)
    return HostResults({**plans, **judge_each(plans, lambda _, plan: with_costs(plan, listed)).ok})
