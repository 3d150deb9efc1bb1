"""jada upgrade"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from jada import ConfigError, Exit, Model
from jada.cli.options import host_options
from jada.cli.rollout.options import Pace, RolloutOptions, pace_options, rollout_options
from jada.cli.session import FleetSession, open_session
from jada.cli.ui.complete import model_names
from jada.cli.ui.console import err, escape
from jada.cli.ui.given import GIVEN

if TYPE_CHECKING:
    from jada.tasks.plan import Plan
    from jada.tasks.state import State


@click.command()
@click.option(
    "--to",
    metavar="MODEL",
    type=GIVEN,
    help="A name of `jada models`, or an exact id; with [1m] behind it, a context of a million tokens. Default: what "
    "each role asks for.",
    shell_complete=model_names,
)
@click.option("--allow-unlisted", is_flag=True, help="Take an exact id that is not in the catalogue.")
@click.option("--restart", is_flag=True, help="Make a release and restart even where nothing is to change.")
@pace_options
@rollout_options
@host_options
def upgrade(
    to: str | None,
    allow_unlisted: bool,
    restart: bool,
    reason: str,
    options: RolloutOptions,
    pace: Pace,
    fleet_file: str | None,
    role: str | None,
    limit: str | None,
) -> Exit:
    """Change the model on hosts, and see it run.

    Each host is changed by one transaction that puts everything back by itself if any step fails. A host is done
    only when its service has settled and runs the new model; what settings.json says is not enough.

    Hosts follow in waves, as `rollout:` in fleet.yml has them: one, then a tenth, half, and all. After each wave but
    the last, those that were changed are watched for a while; where one fails, all of them go back at once, and no
    other is touched.

    \b
    Examples:
      jada upgrade --to sonnet-4.6 --dry-run          the plan as a diff
      jada upgrade --to sonnet-4.6                    all hosts, asks first
      jada upgrade --to haiku-4.5 --role specialist   one role
      jada upgrade --to opus-5 --limit 'web-*' --yes  some hosts, no questions
      jada upgrade --to opus-5 --waves 100%           all hosts at once
      jada upgrade --to opus-5 --bake 10m             watch each wave for ten minutes
      jada upgrade                                    what fleet.yml asks of each role; says what it puts back
    """
    from jada.cli.rollout.run import run_rollout
    from jada.inventory import models
    from jada.tasks import plan

    with open_session(fleet_file, role, limit) as session:
        policy = pace.of(session.fleet.rollout)
        desired = _desired_models(session, to, allow_unlisted)
        request = session.request(restart=restart, reason=reason)

        def planner(name: str, state: State) -> Plan:
            role, model = session.role(name), desired[name].id
            base = plan.upgrade(request, role, model, state, session.engine.service)
            note = "" if to else plan.of_the_file(base, role, state)
            return replace(base, notes=(*base.notes, note)) if note else base

        listed, today = models.catalogue(session.fleet.models), datetime.now(UTC).date()
        for model_id in dict.fromkeys(model.id for model in desired.values()):
            if when := models.retirement(model_id, listed, today):
                err.print(f"[yellow]Note[/] {escape(model_id)} {escape(when)}")
        titles = sorted(
            {f"{model.name} ({model.id})" if model.name != model.id else model.id for model in desired.values()}
        )
        return run_rollout(
            session,
            request,
            planner,
            kind="upgrade",
            title=f"Upgrade {session.fleet.name} to {', '.join(titles)}, release {request.id}",
            options=options,
            policy=policy,
        )


def _desired_models(session: FleetSession, to: str | None, allow_unlisted: bool) -> dict[str, Model]:
    """The model for each host, by name. Raises ConfigError for a host whose role asks for none."""
    from jada.inventory import models

    catalogue = models.catalogue(session.fleet.models)
    if to:
        model = models.resolve(to, catalogue, allow_unlisted)
        return {host.name: model for host in session.hosts}
    by_role = {role.name: role.model for role in session.fleet.roles}
    without = [host.name for host in session.hosts if not by_role.get(host.role)]
    if without:
        raise ConfigError(
            f"fleet.yml asks for no model on {', '.join(without)}",
            "add --to MODEL, or a role with a model to fleet.yml",
        )
    return {host.name: models.resolve(by_role[host.role], catalogue, allow_unlisted) for host in session.hosts}
