"""jada logs"""

from __future__ import annotations

import re

import click

from jada import ConfigError, Exit
from jada.cli.options import cached_option, engine_option, fleet_option
from jada.cli.records.complete import releases
from jada.cli.selection import HOST
from jada.cli.session import open_session
from jada.cli.ui.complete import host_names, role_names
from jada.cli.ui.duration import parse_duration
from jada.cli.ui.given import GIVEN

# As many as an answer may have, with some room (tasks/transaction.py).
MOST = 900
USUAL = 50


@click.command()
@click.argument("hosts", metavar="[HOST]...", nargs=-1, type=GIVEN, shell_complete=host_names)
@click.option(
    "--release",
    metavar="ID",
    type=GIVEN,
    shell_complete=releases,
    help="Only lines that the service wrote under this release.",
)
@click.option("--since", metavar="DURATION", type=parse_duration, help="No older lines: 15m, 6h or 7d.")
@click.option("--follow", "-f", is_flag=True, help="Go on with what comes, until Ctrl-C.")
@click.option(
    "--lines",
    "-n",
    type=click.IntRange(1, MOST),
    help=f"How many of each host, the last ones. Default: {USUAL}, with --since {MOST}.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@fleet_option
@click.option(
    "--role", metavar="ROLE", type=GIVEN, help="Only hosts of this role of fleet.yml.", shell_complete=role_names
)
@engine_option
@cached_option
def logs(
    hosts: tuple[str, ...],
    role: str | None,
    release: str | None,
    since: int | None,
    follow: bool,
    lines: int | None,
    as_json: bool,
    fleet_file: str | None,
) -> Exit:
    """Show the end of the hosts' journals as one, with secrets masked.

    The lines are those of the fleet's service, by time, each with its host and the model and release under which the
    service wrote it. They are masked on the host: the values of its settings.json and of secret variables of the
    process, what stands behind words like password or token, and every long run of letters and digits.

    HOST is a name or a shell pattern; without one, all hosts. A host that is lost is told, and the others go on; the
    exit code is then 1. Ctrl-C ends --follow with 130.

    \b
    Examples:
      jada logs web-3
      jada logs 'web-*' --since 15m
      jada logs --role specialist -f
      jada logs --release 20261124-120000-aaaa --json | jq .message
    """
    # Not for completion, which wants the options alone.
    from jada.cli.logs import follow_journals, show_journals
    from jada.tasks.journal import JournalQuery
    from jada.tasks.release import RELEASE_ID

    if release is not None and not re.fullmatch(RELEASE_ID, release):
        raise ConfigError(f"--release {release} is not the id of a release", "jada history lists them")
    query = JournalQuery(count=lines or (MOST if since else USUAL), since=since or 0, release=release or "")
    with open_session(fleet_file, role, ",".join(hosts) or None, limit_by=HOST) as session:
        return (follow_journals if follow else show_journals)(session, query, as_json)
