"""jada logs"""

from __future__ import annotations

import click

from jada import Exit, HostError
from jada.cli.options import fleet_option
from jada.cli.selection import HOST, one_host
from jada.cli.session import open_session
from jada.cli.ui.console import escape, out
from jada.cli.ui.given import GIVEN

# As many as an answer may have, with some room (tasks/transaction.py).
MOST = 900


@click.command()
@click.argument("host", type=GIVEN)
@click.option(
    "-n", "--lines", type=click.IntRange(1, MOST), default=50, show_default=True, help="How many, the last ones."
)
@fleet_option
def logs(host: str, lines: int, fleet_file: str | None) -> Exit:
    """Show the end of a host's journal, with secrets masked.

    The lines are those of the fleet's service, masked on the host: the values of its settings.json and of secret
    variables of the process, what stands behind words like password or token, and every long run of letters and digits.

    \b
    Examples:
      jada logs web-3
      jada logs web-3 -n 500 | less
    """
    with open_session(fleet_file, None, host, limit_by=HOST) as session:
        name = one_host(session.hosts, host).name
        journals = session.run_on_each("Reading the journal", [name], lambda _, connection: connection.journal(lines))
    journal = journals[name]
    if isinstance(journal, HostError):
        raise journal
    for line in journal:
        out.print(escape(line))
    return Exit.OK
