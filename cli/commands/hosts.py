"""jada hosts"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from jada import Exit, Host
from jada.cli.discovery import inventory_age
from jada.cli.options import read_options
from jada.cli.session import find, load
from jada.cli.ui.console import emit_json, err, escape, json_text, nulled, out, plural, put
from jada.cli.ui.tables import Column, show_table, wide_option
from jada.inventory.access.known_hosts import known_name

if TYPE_CHECKING:
    from jada.inventory.fleet.config import Fleet

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
@click.option("--ansible", is_flag=True, help="Print them as a dynamic inventory for Ansible (docs/howto/ansible.md).")
@wide_option
@read_options
def hosts(
    as_json: bool, ansible: bool, form: str | None, fleet_file: str | None, role: str | None, limit: str | None
) -> Exit:
    """Find the fleet's hosts through AWS.

    EC2 and Lightsail are asked in all regions side by side; hosts that fleet.yml names itself are listed with them.

    Connects to no host. Finding none is an error that says which filters were used. Exit code 1 when a host that was
    found can't be reached, as one without an address.

    \b
    Examples:
      jada hosts
      jada hosts --role specialist --limit 'eu-*'
      jada hosts --json | jq -r '.hosts[].address'
      jada hosts --cached               as AWS listed them last
      jada hosts --ansible              for a script that `ansible -i` runs
    """
    if as_json and ansible:
        raise click.UsageError("--json and --ansible both write to stdout: take one of them")
    config = load(fleet_file)
    found = find(config, role, limit)
    if ansible:
        _print_for_ansible(config, found)
        return Exit.OK
    troubles = [host.trouble for host in found if host.trouble]
    code = Exit.FAILED if troubles else Exit.OK
    if as_json:
        facts = {"hosts": [_as_json(host) for host in found], "inventory_age_seconds": inventory_age()}
        emit_json("hosts", config.name, code, facts)
        return code
    rows = ((host.name, host.role or "–", _place(host), host.user or "–", host.source, host.id) for host in found)
    show_table(COLUMNS, ([escape(cell) for cell in row] for row in rows), form == "wide")
    for trouble in troubles:
        out.print(f"[red]✗[/] {escape(trouble.message)}\n    Try: {escape(trouble.hint)}")
    out.print(f"\n{plural(len(found), 'host')} in {escape(config.name)} ({escape(str(config.path))}).")
    return code


def _print_for_ansible(fleet: Fleet, found: Sequence[Host]) -> None:
    """Prints the inventory. Ansible would take nothing of it if the exit code told of a host that can't be reached."""
    from jada.inventory.ansible_inventory import inventory, trouble

    for why in filter(None, map(trouble, found)):
        err.print(f"[red]✗[/] {escape(why.message)}\n    Try: {escape(why.hint)}")
    put(json_text(inventory(fleet, found)) + "\n")


def _place(host: Host) -> str:
    return known_name(host.address, host.port) if host.address else "–"


def _as_json(host: Host) -> dict[str, Any]:
    return {
        **nulled(
            {
                "host": host.name,
                "role": host.role,
                "provider": host.provider,
                "region": host.region,
                "account": host.account,
                "id": host.id,
                "address": host.address,
                "port": host.port,
                "user": host.user,
            }
        ),
        "tags": dict(host.tags),
        "error": host.trouble.message if host.trouble else None,
    }
