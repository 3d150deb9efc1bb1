"""jada rollback"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from jada import Exit
from jada.cli.complete import model_names
from jada.cli.fleet import Opened, host_options, open_fleet
from jada.cli.how import How, rollout_options

if TYPE_CHECKING:
    from jada.tasks.plan import Plan
    from jada.tasks.state import State


@click.command()
@click.option(
    "--to",
    metavar="RELEASE|MODEL",
    help="To a release of `jada history`, or the last one with this model.",
    shell_complete=model_names,
)
@click.option("--force", is_flag=True, help="Even where `jada lock`, or another jada here, holds the fleet.")
@rollout_options
@host_options
def rollback(
    to: str | None,
    force: bool,
    reason: str,
    how: How,
    fleet_file: str | None,
    role: str | None,
    limit: str | None,
) -> Exit:
    """Put hosts back on what they had before their current release, byte for byte.

    Content, owner and mode come from the snapshot that each host keeps: nothing else is needed. All hosts at once.
    Rolling back twice goes forward again, like `cd -`; the plan says which way it goes.

    \b
    Examples:
      jada rollback --yes               now, everywhere
      jada rollback                     the plan first, then asks
      jada rollback --limit 'web-*'     some hosts only
      jada rollback --to sonnet-4.5     to the last release with this model
    """
    from jada.cli.rollout import roll_out
    from jada.tasks import plan

    with open_fleet(fleet_file, role, limit, needs_all=False) as opened:
        request = opened.request(reason=reason, force=force)
        target = _target(to, opened) if to else ""

        def planner(name: str, state: State) -> Plan:
            return plan.rollback(request, opened.role(name), target, state, opened.session.service)

        return roll_out(
            opened,
            request,
            planner,
            kind="rollback",
            history=bool(target),
            title=f"Roll back {opened.fleet.name}, release {request.id}",
            how=how,
        )


def _target(to: str, opened: Opened) -> str:
    """A release id as it is, a model as the id that is written on the hosts."""
    from jada.inventory import models
    from jada.tasks.release import RELEASE_ID

    if re.fullmatch(RELEASE_ID, to):
        return to
    return models.resolve(to, models.catalogue(opened.fleet), allow_unlisted=True).id
