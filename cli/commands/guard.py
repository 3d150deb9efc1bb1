"""jada guard"""

from __future__ import annotations

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
    help="30m, 2h, 1d.",
)
@host_options
def guard(lasts: int, fleet_file: str | None, role: str | None, limit: str | None) -> Exit:
    """Watch hosts after a rollout, and send those of a release back that fails.

    Looks at them once a minute, as `guard:` in fleet.yml has it, and judges them as right after their change. Where
    more of a release's hosts fail than `max_failures`, in two looks in a row, all hosts on that release go back to
    what they had before, and people are told (`notify:`). After that it does nothing for half an hour, and so no more
    than twice a day. A host that can't be looked at, or of which nothing is known, sends nobody back.

    Exit codes: 0 nothing happened; 4 hosts were sent back; 1 that failed, or was not to be done once more.

    \b
    Examples:
      jada upgrade --to opus-5 --yes && jada guard --for 2h
      systemd-run --user jada guard --for 1d          unattended
    """
    from jada.cli.records.sqlite import open_records
    from jada.cli.rollout.guard import guard as watch

    with open_session(fleet_file, role, limit) as session, open_records() as records:
        return watch(session, records, lasts)
