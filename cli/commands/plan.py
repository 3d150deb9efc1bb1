"""jada plan"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jada import Exit
from jada.cli.options import host_options
from jada.cli.rollout.options import Pace, RolloutOptions, pace_options, wish_options
from jada.cli.session import open_session
from jada.cli.ui.console import err, escape

if TYPE_CHECKING:
    from jada.cli.rollout.outcome import Plans
    from jada.cli.rollout.waves import Groups
    from jada.tasks.plan import Request


@click.command()
@wish_options
@pace_options
@click.option("-o", "--output", "file", type=click.Path(dir_okay=False, path_type=Path), help="Keep it in this file.")
@click.option("--reason", default="", help="Why, for the record and for whoever reads it later.")
@click.option("--json", "as_json", is_flag=True, help="Report as JSON.")
@host_options
def plan(
    to: tuple[str, ...],
    allow_unlisted: bool,
    restart: bool,
    force: bool,
    pace: Pace,
    file: Path | None,
    reason: str,
    as_json: bool,
    fleet_file: str | None,
    role: str | None,
    limit: str | None,
) -> Exit:
    """Show what an upgrade would do; with -o, keep that for `jada apply`.

    Looks as `jada upgrade --dry-run` does. The file has the hosts that would be changed, their models, their waves and
    how they are watched; of what was seen on them it has hashes alone, and no secret. Only its owner may read it.
    `jada apply FILE` does that and nothing else: a host that has changed since is refused.

    \b
    Examples:
      jada plan                            what fleet.yml asks for
      jada plan --to opus-5 -o opus.plan   keep it; somebody may read it over
      jada apply opus.plan                 do it
    """
    from jada.cli.rollout.saved import made_of, write
    from jada.cli.rollout.upgrade import Wish, upgrade_hosts

    wish = Wish(to=to, allow_unlisted=allow_unlisted, restart=restart, reason=reason, force=force)
    options = RolloutOptions(dry_run=True, yes=False, as_json=as_json, verbose=False)
    with open_session(fleet_file, role, limit) as session:
        if file is None:
            return upgrade_hosts(session, wish, pace, options, command="plan")

        def save(request: Request, plans: Plans, groups: Groups) -> None:
            write(made_of(request, session.hosts, plans, groups, limit), file)
            if not as_json:
                shown = escape(str(file))
                err.print(f"The plan is in {shown}. To carry it out: jada apply {escape(shlex.quote(str(file)))}")

        return upgrade_hosts(session, wish, pace, options, command="plan", save=save)
