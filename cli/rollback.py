"""jada rollback"""

from __future__ import annotations

import click

from jada.cli.fleet import host_options, open_fleet
from jada.cli.rollout import roll_out
from jada.tasks import plan
from jada.tasks.plan import Plan
from jada.tasks.state import State


@click.command()
@click.option("--dry-run", is_flag=True, help="Look and show what would go back; change nothing.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Report as JSON (with --yes or --dry-run).")
@click.option("--verbose", "-v", is_flag=True, help="Show the evidence from each host too.")
@host_options
def rollback(
    dry_run: bool,
    yes: bool,
    as_json: bool,
    verbose: bool,
    fleet_file: str | None,
    role: str | None,
    limit: str | None,
) -> int:
    """Put hosts back on what they had before their current release, byte for byte.

    Content, owner and mode come from the snapshot that each host keeps: nothing else is needed. All hosts at once.
    Rolling back twice goes forward again, like `cd -`; the plan says which way it goes.

    \b
    Examples:
      jada rollback --yes               now, everywhere
      jada rollback                     the plan first, then asks
      jada rollback --limit 'web-*'     some hosts only
    """
    with open_fleet(fleet_file, role, limit) as opened:
        request = opened.request()

        def planner(name: str, state: State) -> Plan:
            return plan.rollback(request, opened.role(name), state, opened.session.service)

        return roll_out(
            opened,
            request,
            planner,
            command="rollback",
            title=f"Roll back {opened.fleet.name}, release {request.id}",
            dry_run=dry_run,
            yes=yes,
            as_json=as_json,
            verbose=verbose,
        )
