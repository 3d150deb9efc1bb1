"""jada upgrade"""

from __future__ import annotations

import click

from jada import Exit
from jada.cli.options import host_options
from jada.cli.rollout.options import (
    Pace,
    RolloutOptions,
    failed_option,
    pace_options,
    rollout_options,
    wish_options,
)
from jada.cli.session import open_session


@click.command()
@wish_options
@failed_option
@click.option("--preflight-only", is_flag=True, help="Check what the change would meet on every host; change nothing.")
@click.option(
    "--try-request",
    is_flag=True,
    help="Have the CLI of the first host of each model make one real request before; that costs some 20,000 tokens.",
)
@pace_options
@rollout_options
@host_options
def upgrade(
    to: tuple[str, ...],
    allow_unlisted: bool,
    restart: bool,
    preflight_only: bool,
    try_request: bool,
    force: bool,
    failed: bool,
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

    Before anything is touched, a host is refused whose service is ill, or whose Claude CLI is too old for the model.
    The first host of each model tells whether its endpoint knows that, at no token, and has room on its disks; where it
    fails, no host is begun. --preflight-only asks every host that, and exits with 0 if no check failed; what can't be
    told is no failure.

    \b
    Examples:
      jada upgrade --to sonnet-4.6 --dry-run          the plan as a diff
      jada upgrade --to sonnet-4.6                    all hosts, asks first
      jada upgrade --to opus-5.5 --preflight-only     would it go well?
      jada upgrade --to haiku-4.5 --role specialist   one role
      jada upgrade --to planner=opus-5.5 --to worker=haiku-4.5    two roles
      jada upgrade --to opus-5 --limit 'web-*' --yes  some hosts, no questions
      jada upgrade --to opus-5 --waves 100%           all hosts at once
      jada upgrade --to opus-5 --bake 10m             each wave is watched
      jada upgrade --to opus-5 --failed               again, where it failed
      jada upgrade                                    to what fleet.yml asks for
    """
    from jada.cli.rollout.leased import waited
    from jada.cli.rollout.retry import only_failed
    from jada.cli.rollout.upgrade import Wish, upgrade_hosts

    wish = Wish(to=to, allow_unlisted=allow_unlisted, restart=restart, reason=reason, force=force)
    with open_session(fleet_file, role, limit) as found:
        opened = only_failed(found, "upgrade", options) if failed else found
        if not opened.hosts:
            return Exit.OK
        with waited(opened, options, "upgrade") as session:
            return upgrade_hosts(
                session, wish, pace, options, command="upgrade", preflight_only=preflight_only, try_request=try_request
            )
