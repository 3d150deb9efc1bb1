"""jada hosts"""

from __future__ import annotations

from dataclasses import asdict

import click

from jada.cli.fleet import find, host_options, load
from jada.cli.output import emit_json, escape, out, plural
from jada.cli.tables import Column, show_table, wide_option

COLUMNS = (
    Column("host"),
    Column("role", 1),
    Column("address"),
    Column("ssh user", 4),
    Column("source", 2),
    Column("id", 3),
)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Report as JSON.")
@wide_option
@host_options
def hosts(as_json: bool, form: str | None, fleet_file: str | None, role: str | None, limit: str | None) -> None:
    """Find the fleet's hosts: EC2 and Lightsail, all regions side by side, and those fleet.yml names itself.

    Connects to no host. Finding none is an error that says which filters were used.

    \b
    Examples:
      jada hosts
      jada hosts --role specialist --limit 'eu-*'
      jada hosts --json | jq -r '.hosts[].address'
    """
    config = load(fleet_file)
    found = find(config, role, limit)
    if as_json:
        emit_json(
            "hosts", {"fleet": config.name, "hosts": [{**asdict(host), "tags": dict(host.tags)} for host in found]}
        )
        return
    rows = ((host.name, host.role or "–", host.address, host.user or "–", host.source, host.id) for host in found)
    show_table(COLUMNS, ([escape(cell) for cell in row] for row in rows), form == "wide")
    out.print(f"\n{plural(len(found), 'host')} in {escape(config.name)} ({escape(str(config.path))}).")
