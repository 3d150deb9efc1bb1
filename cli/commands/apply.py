"""jada apply"""

from __future__ import annotations

from pathlib import Path

import click

from jada import ConfigError, Exit
from jada.cli.options import host_options
from jada.cli.rollout.options import UNPACED, Pace, RolloutOptions, failed_option, pace_options, rollout_options
from jada.cli.session import open_session


@click.command()
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Change hosts that fail the checks before the change too.")
@failed_option
@pace_options
@rollout_options
@host_options
def apply(
    file: Path | None,
    force: bool,
    failed: bool,
    pace: Pace,
    reason: str,
    options: RolloutOptions,
    fleet_file: str | None,
    role: str | None,
    limit: str | None,
) -> Exit:
    """Bring the fleet to fleet.yml, or carry out the plan in a FILE.

    Without a FILE, each host gets what fleet.yml asks of its role: model, fallback, subagent model and limits, as
    `jada upgrade` without --to does.

    With a FILE of `jada plan -o`, the hosts in it are looked at once more, and changed as it says, in its waves. One
    that is not as it was then is refused, with what has changed, and so is one of which fleet.yml asks for something
    else by now; the others go on, and the exit code is 1. No other host is touched; new ones are told. A file that
    somebody has changed, that is of another fleet or of another jada is refused as a whole.

    \b
    Examples:
      jada apply                     all roles, as fleet.yml has them
      jada apply --dry-run           what that would do
      jada apply opus.plan --yes     what was planned, no questions
    """
    from jada.cli.rollout.leased import waited
    from jada.cli.rollout.retry import only_failed
    from jada.cli.rollout.upgrade import Wish, apply_plan, upgrade_hosts

    if file is None:
        with open_session(fleet_file, role, limit) as found:
            opened = only_failed(found, "apply", options) if failed else found
            if not opened.hosts:
                return Exit.OK
            with waited(opened, options, "apply") as session:
                return upgrade_hosts(session, Wish(reason=reason, force=force), pace, options, command="apply")
    if role or limit or failed or pace != UNPACED:
        raise ConfigError(
            "A plan says itself which hosts are changed, and in which waves",
            "leave --role, --limit and the like out, or make another plan with them: jada plan -o FILE",
        )
    return apply_plan(file, fleet_file, options, reason=reason, force=force)
