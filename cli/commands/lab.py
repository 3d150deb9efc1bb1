"""jada lab"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Concatenate, ParamSpec, TypeVar

import click

from jada import Exit, JadaError
from jada.cli.ui.console import emit_json, err, escape, nulled, out
from jada.cli.ui.given import GIVEN
from jada.cli.ui.tables import Column, show_table
from jada.inventory.lab import claude, fleet, image, machine
from jada.inventory.lab.machine import Machine, Tell
from jada.inventory.lab.named import DEFAULT, Lab, labs, read_state
from jada.inventory.lab.shell import PackagesLackingError, require_lab_machine

P = ParamSpec("P")
R = TypeVar("R")
COLUMNS = (
    Column("host"),
    Column("cloud", 3),
    Column("address", 1),
    Column("login", 2),
    Column("agent's user", 4),
    Column("power"),
    Column("model"),
)


def _choose(ctx: click.Context, _: click.Parameter, name: str | None) -> None:
    if name is not None:
        ctx.obj = Lab(name)


def _of_lab(command: Callable[Concatenate[Lab, P], R]) -> Callable[P, R]:
    """Hands a command its lab, and lets --name stand behind the verb too."""
    option = click.option("--name", metavar="NAME", type=GIVEN, callback=_choose, expose_value=False, help="Which lab.")
    return option(click.pass_obj(command))


@click.group()
@click.option(
    "--name",
    metavar="NAME",
    type=GIVEN,
    envvar="JADA_LAB",
    show_envvar=True,
    default=DEFAULT,
    show_default=True,
    callback=_choose,
    expose_value=False,
    help="Which lab; may stand behind the verb too.",
)
def lab() -> None:
    """Rehearse on real systemd hosts on this machine. They stand behind an emulated AWS endpoint.

    The same discovery, ssh, systemd and rollback as in production: for a demo, for tests, and to practise an
    incident. Needs root on Debian or Ubuntu. Nothing leaves this machine. Labs of several names run side by side, each
    with a network and a fleet.yml of its own.

    \b
    Examples:
      sudo jada lab up
      export JADA_FLEET=/var/lib/jada-lab/fleet.yml
      jada hosts
      jada upgrade --to sonnet-4.6
      sudo jada lab down
      sudo jada lab up --name demo
    """


@lab.command()
@_of_lab
@click.option("--hosts", type=click.IntRange(1, fleet.MOST_HOSTS), default=3, show_default=True, help="How many hosts.")
@click.option("--suite", type=click.Choice(tuple(image.SUITES)), default=image.SUITE, show_default=True,
              envvar="JADA_LAB_SUITE", show_envvar=True, help="What they run.")  # fmt: skip
@click.option("--claude", "is_claude", is_flag=True, help="The agent is the real Claude CLI, not a stand-in for it.")
def up(lab: Lab, hosts: int, suite: str, is_claude: bool) -> None:
    """Boot a fresh lab. One that is up and healthy with as many hosts of that kind is left as it is.

    One host is a Lightsail instance named jada-agent whose agent runs as root; the others are EC2 instances in
    us-east-1 and eu-west-1 whose agent runs as the user `agent`. About 30 MB of memory each, and 240 MB for the
    endpoint. What a lab that crashed or was stopped half-way left behind is cleared away first. The suite uutils is
    trixie with uutils' coreutils, sudo-rs and busybox's awk, grep and the like in the place of Debian's.

    With --claude the agent is a long session of the real Claude CLI, as the Python package claude-agent-sdk has it or
    JADA_CLAUDE names it: 110 MB more a host, and 110 MB for all. It asks a stand-in for Anthropic's API on its host;
    /etc/jada-messages.json makes that answer as another model or with an error, and each request is a line of
    /var/log/jada-messages.jsonl. No key is needed, and nothing leaves this machine here either.

    \b
    Examples:
      sudo jada lab up
      sudo jada lab up --hosts 10 --suite trixie
      sudo jada lab up --claude
      echo '{"*": {"status": 529}}' |
        jada lab ssh specialist-1 sudo tee /etc/jada-messages.json
    """
    _require_lab_machine()
    with _telling(f"Bringing {lab} up…") as tell:
        machines = fleet.up(lab, hosts, tell, suite, claude.find_cli() if is_claude else None)
    out.print(f"{lab.title} is up: {', '.join(host.name for host in machines)}.\n")
    out.print("Select it with:")
    out.print(f"  export JADA_FLEET={lab.fleet_file}")


@lab.command()
@_of_lab
@click.option("--json", "as_json", is_flag=True, help="Report as JSON.")
def status(lab: Lab, as_json: bool) -> int:
    """Show the lab's hosts and the model that each agent says it runs. Exit code 1 when there is no lab.

    Of the Claude CLI, which says nothing of the kind, the model that it asked for last.

    Other labs of this machine are named below.

    \b
    Examples:
      sudo jada lab status
      sudo jada lab status --json | jq -r '.hosts[] | .host + " " + .power'
    """
    _require_lab_machine()
    hosts, state = fleet.current(lab), read_state(lab)
    others = [other.name for other, _ in labs() if other != lab]
    with ThreadPoolExecutor(max(1, len(hosts))) as pool:
        rows = list(pool.map(_facts, hosts))
    if as_json:
        code = Exit.OK if rows else Exit.FAILED
        facts = {
            "lab": lab.name,
            "network": f"{state.network}.0.0/16" if state else None,
            "fleet_file": str(lab.fleet_file),
            "endpoint": fleet.endpoint(lab) or None,
            "agent": state.agent if state else None,
            "hosts": [nulled(row) for row in rows],
            "other_labs": others,
        }
        emit_json("lab-status", lab.fleet, code, facts)
        return code
    if not rows:
        out.print(f"{lab.title} is not up. Start it with: {lab.command('up')}")
    else:
        columns = ("address", "login", "user", "power", "model")
        cells = (
            [escape(text) for text in (row["host"], f"{row['provider']} {row['region']}", *map(row.get, columns))]
            for row in rows
        )
        show_table(COLUMNS, cells, hint="--json")
        out.print(f"\nAWS endpoint: {fleet.endpoint(lab) or 'not running; start afresh with: ' + lab.command('up')}")
        if state and state.claude:
            out.print(f"Agent: {state.agent}")
        out.print(f"Select it with: export JADA_FLEET={lab.fleet_file}")
    if others:
        out.print(f"Other labs on this machine: {', '.join(others)}")
    return Exit.OK if rows else Exit.FAILED


@lab.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@_of_lab
@click.argument("host")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def ssh(lab: Lab, host: str, command: tuple[str, ...]) -> None:
    """Open a shell on a lab host, or run a command there, over real ssh.

    \b
    Examples:
      jada lab ssh specialist-1
      jada lab ssh specialist-1 systemctl status jada-agent
      echo '{"crash_after": 2}' |
        jada lab ssh specialist-1 sudo tee /etc/jada-agent.json
    """
    _require_lab_machine()
    found = fleet.find(lab, host)
    if found.leader is None:
        raise JadaError(
            f"The lab host {host} is off", f"its console: {found.console}; a fresh lab: {lab.command('up')}"
        )
    argv = [*fleet.login(found), *command]
    os.execvp(argv[0], argv)  # noqa: S606 - ssh takes over this process


@lab.command()
@_of_lab
def down(lab: Lab) -> None:
    """Take the lab down: hosts, network, endpoint and state. The base image stays for the next time.

    Works on anything: a lab that is up, crashed, stopped half-way or not there at all.

    \b
    Examples:
      sudo jada lab down
      sudo jada lab down --name demo
    """
    _require_lab_machine()
    with _telling(f"Taking {lab} down…") as tell:
        was_there = fleet.down(lab, tell)
    named = "" if lab.name == DEFAULT else f" {lab.name}"
    out.print(f"{lab.title} is down." if was_there else f"There is no lab{named} to take down.")


@contextmanager
def _telling(first: str) -> Iterator[Tell]:
    """Progress on stderr: one line that changes on a terminal, plain lines elsewhere."""
    with err.status(first) as status:

        def tell(text: str) -> None:
            status.update(text)
            if not err.is_terminal:
                err.print(text)

        yield tell


def _require_lab_machine() -> None:
    """Checks that a lab can run on this machine; on a terminal, offers to install what is missing."""
    try:
        require_lab_machine()
    except PackagesLackingError as error:
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise
        err.print(f"{escape(error.message)}.")
        if not click.confirm(f"Run `{' '.join(error.install)}` now?", err=True):
            raise
        if subprocess.run(error.install, check=False).returncode:
            raise JadaError("apt-get could not install what the lab needs", "apt-get update, then try again") from None
        require_lab_machine()


def _facts(host: Machine) -> dict[str, Any]:
    return {
        "host": host.name,
        "provider": host.cloud,
        "region": host.region,
        "address": host.address,
        "login": host.login,
        "user": host.user or "root",
        "power": "on" if host.leader else "off",
        "model": machine.healthz(host).get("model", ""),
        "console": str(host.console),
    }
