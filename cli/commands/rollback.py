"""jada rollback"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from jada import ConfigError, Exit
from jada.cli.options import host_options
from jada.cli.records.complete import releases
from jada.cli.rollout.options import RolloutOptions, rollout_options
from jada.cli.session import PATIENCE, FleetSession, open_session
from jada.cli.ui.complete import model_names
from jada.cli.ui.given import GIVEN

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from jada.tasks.plan import Plan
    from jada.tasks.state import State


def _targets(ctx: click.Context, option: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return [*model_names(ctx, option, incomplete), *releases(ctx, option, incomplete)]


@click.command()
@click.option(
    "--to",
    metavar="RELEASE|MODEL",
    help="To a release of `jada history`, or the last one with this model.",
    type=GIVEN,
    shell_complete=_targets,
)
@click.option("--redo", is_flag=True, help="Forward again: undo the last rollback.")
@click.option("--force", is_flag=True, help="Even where `jada lock`, or another jada here, holds the fleet.")
@rollout_options
@host_options
def rollback(
    to: str | None,
    redo: bool,
    force: bool,
    reason: str,
    options: RolloutOptions,
    fleet_file: str | None,
    role: str | None,
    limit: str | None,
) -> Exit:
    """Undo the last change, byte for byte. It does so on the hosts that the change reached and that are still on it.

    What was done last from this machine, its record says; where it has none, the hosts tell. Content, owner and mode
    come from the snapshot that each of them keeps: nothing else is needed. All hosts at once. A host that is not on
    that change, because it put itself back or was left out, stays as it is; --to sends others back too, or further.
    One that does not run what it is on is an error. Run twice, it does nothing more: going forward again is --redo.

    \b
    Examples:
      jada rollback --yes               now, everywhere
      jada rollback                     the plan first, then asks
      jada rollback --limit 'web-*'     the last change of these hosts
      jada rollback --to sonnet-4.5     to the last release with this model
      jada rollback --redo              the rollback was a mistake
    """
    from jada.cli.records.sqlite import best_effort, open_records
    from jada.cli.rollout.leased import waited
    from jada.cli.rollout.run import run_rollout
    from jada.cli.rollout.way_back import last_change, last_recorded, rollback_notes
    from jada.tasks import plan

    if to and redo:
        raise ConfigError("--to and --redo are two ways", "take one of them")
    with (
        open_session(fleet_file, role, limit, needs_all=False) as opened,
        waited(opened, options, "rollback", force) as session,
    ):
        target = _target(to, session) if to else ""
        is_now = options.yes and not options.dry_run
        seen = session.look(history=True, goes_on=is_now, within=PATIENCE if is_now else None)
        with open_records(session.fleet, needed=False) as records:
            mine, moment = None, None
            with best_effort():
                mine = last_recorded(records, session.fleet.name)
                moment = records.next_moment(session.fleet.name, datetime.now(UTC))
            request = session.request(reason=reason, force=force, moment=moment)
            last = last_change(seen, mine)
            change = last.change if last else ""

            def planner(name: str, state: State) -> Plan:
                role, service = session.role(name), session.engine.service
                if redo:
                    return plan.redo(request, role, state, service, change)
                return plan.rollback(request, role, target, state, service, change)

            return run_rollout(
                session,
                request,
                planner,
                kind="rollback",
                history=True,
                title=f"{'Redo' if redo else 'Roll back'} {session.fleet.name}, release {request.id}",
                options=options,
                seen=seen,
                about=lambda plans: rollback_notes(session.fleet, seen, plans, None if target else last, redo),
                records=records,
            )


def _target(to: str, session: FleetSession) -> str:
    """A release id as it is, a model as the id that is written on the hosts."""
    from jada.inventory import models
    from jada.tasks.release import RELEASE_ID

    if re.fullmatch(RELEASE_ID, to):
        return to
    return models.resolve(to, models.catalogue(session.fleet.models), allow_unlisted=True).id
