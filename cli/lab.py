"""jada lab"""

from __future__ import annotations

import os
from typing import Any

import click

from jada import Exit
from jada.cli.output import emit_json, err, escape, out, table
from jada.inventory.lab import fleet, machine
from jada.inventory.lab.machine import Machine
from jada.inventory.lab.shell import require_lab_machine


@click.group()
def lab() -> None:
    """A rehearsal fleet: real systemd hosts on this machine, behind an emulated AWS endpoint.

    The same discovery, ssh, systemd and rollback as in production: for a demo, for tests, and to practise an
    incident. Needs root on Debian or Ubuntu. Nothing leaves this machine.

    \b
    Examples:
      sudo jada lab up
      export JADA_FLEET=/var/lib/jada-lab/fleet.yml
      jada hosts
      jada upgrade --to sonnet-4.6
      sudo jada lab down
    """


@lab.command()
@click.option("--hosts", type=click.IntRange(1, 60), default=3, show_default=True, help="How many hosts.")
def up(hosts: int) -> None:
    """Boot a fresh lab; one that is up and healthy with as many hosts is left as it is.

    One host is a Lightsail instance named jada-agent whose agent runs as root; the others are EC2 instances in
    us-east-1 and eu-west-1 whose agent runs as the user `agent`. About 60 MB of memory each.
    """
    with err.status("Bringing the lab up…") as status:

        def tell(text: str) -> None:
            status.update(text)
            if not err.is_terminal:
                err.print(text)

        made = fleet.up(hosts, tell)
    out.print(f"The lab is up: {', '.join(host.name for host in made)}.\n")
    out.print("Select it with:")
    out.print(f"  export JADA_FLEET={fleet.FLEET_FILE}")


@lab.command()
@click.option("--json", "as_json", is_flag=True, help="Report as JSON.")
def status(as_json: bool) -> int:
    """Show the lab's hosts and the model that each agent says it runs."""
    require_lab_machine()
    rows = [_facts(host) for host in fleet.current()]
    if as_json:
        emit_json("lab-status", {"fleet_file": str(fleet.FLEET_FILE), "hosts": rows})
    elif not rows:
        out.print("The lab is not up. Start it with: jada lab up")
    else:
        cells = ([escape(str(cell)) for cell in row.values()] for row in rows)
        out.print(table(("host", "cloud", "address", "login", "agent's user", "power", "model"), cells))
    return Exit.OK if rows else Exit.FAILED


@lab.command(context_settings={"ignore_unknown_options": True})
@click.argument("name")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def ssh(name: str, command: tuple[str, ...]) -> None:
    """Open a shell on a lab host, or run a command there, over real ssh.

    \b
    Examples:
      jada lab ssh specialist-1
      jada lab ssh specialist-1 systemctl status jada-agent
      jada lab ssh specialist-1 "echo '{\\"crash_after\\": 2}' | sudo tee /etc/jada-agent.json"
    """
    require_lab_machine()
    argv = [*fleet.login(fleet.find(name)), *command]
    os.execvp(argv[0], argv)  # noqa: S606 - ssh takes over this process


@lab.command()
def down() -> None:
    """Take the lab down: hosts, network, endpoint and state. The base image stays for the next time."""
    with err.status("Taking the lab down…"):
        was_there = fleet.down(lambda _: None)
    out.print("The lab is down." if was_there else "There is no lab to take down.")


def _facts(host: Machine) -> dict[str, Any]:
    on = host.leader is not None
    return {
        "host": host.name,
        "cloud": f"{host.cloud} {host.region}",
        "address": host.address,
        "login": host.login,
        "user": host.user or "root",
        "power": "on" if on else "off",
        "model": machine.healthz(host).get("model", "") if on else "",
    }
