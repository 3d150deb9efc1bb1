"""jada guard"""

from __future__ import annotations

from functools import partial

import click

from jada import Exit
from jada.cli.options import host_options
from jada.cli.session import open_session
from jada.cli.ui.duration import parse_duration


@click.command()
@click.option(
    "--for",
    "lasts",
    metavar="DURATION",
    type=parse_duration,
    default="2h",
    show_default=True,
    help="How long it watches, such as 30m, 2h or 1d.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, for each thing that changes.")
@host_options
def guard(lasts: int, as_json: bool, fleet_file: str | None, role: str | None, limit: str | None) -> Exit:
    """Watch hosts after a rollout, and change those of a release that fails.

    Looks at them once a minute, as `guard:` in fleet.yml has it, and judges them as right after their change. Where
    more of a release's hosts fail than `max_failures`, in two looks in a row, all hosts on that release go back to
    what they had before, or to their role's fallback model or another one (`to:`), and people are told (`notify:`).
    After that it does nothing for half an hour, and so no more than twice a day, whether it was started anew meanwhile
    or not. A host that can't be looked at, or of which nothing is known, has nobody changed. While somebody has locked
    the fleet, or changes it, the guard waits.

    It says what changes, and nothing while nothing does. `jada schedule --guard` has systemd run it for good.

    Exit codes: 0 nothing happened; 4 hosts were changed; 1 that failed, was not to be done once more or is waited with,
    or some host could not be looked at in the end.

    \b
    Examples:
      jada upgrade --to opus-5 --yes && jada guard --for 2h
      jada guard --for 1d --role specialist --json
    """
    from jada.cli.rollout.guard import guard as watch

    return watch(partial(open_session, fleet_file, role, limit), lasts, as_json)
