"""jada ssh"""

from __future__ import annotations

import signal
import subprocess

import click

from jada import JadaError
from jada.cli import signals
from jada.cli.options import engine_option, fleet_option
from jada.cli.selection import HOST, one_host
from jada.cli.session import find, load
from jada.cli.ui.complete import host_names
from jada.cli.ui.given import GIVEN


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@fleet_option
@engine_option
@click.argument("host", type=GIVEN, shell_complete=host_names)
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def ssh(host: str, command: tuple[str, ...], fleet_file: str | None) -> int:
    """Log in to a host with OpenSSH, the way jada does. Opens a shell there, or runs a command.

    Address, port, user, key, known hosts and jump host are those of fleet.yml; for a Lightsail instance, the temporary
    key that its API gives. Exits as ssh does.

    \b
    Examples:
      jada ssh web-3
      jada ssh web-3 systemctl status jada-agent
    """
    config = load(fleet_file)
    chosen = one_host(find(config, None, host, HOST), host)
    if chosen.engine == "ssm":
        if chosen.trouble:
            raise chosen.trouble
        raise JadaError(
            f"{chosen.name} is reached through Systems Manager, where jada opens no shell",
            f"aws ssm start-session --target {chosen.instance} --region {chosen.region}; or jada ssh --engine ssh",
        )
    from jada.cli.records.pins import RecordedPins
    from jada.inventory.access.openssh import openssh
    from jada.inventory.access.scratch import scratch

    with signals.cleaned_up(), scratch() as folder, openssh(config, chosen, folder, RecordedPins()) as argv:
        # Ctrl-C is for what runs there.
        before = signal.signal(signal.SIGINT, lambda *_: None)
        try:
            return subprocess.run([*argv, *command], check=False).returncode
        except FileNotFoundError:
            raise JadaError("There is no ssh on this machine", "install the OpenSSH client") from None
        finally:
            signal.signal(signal.SIGINT, before)
