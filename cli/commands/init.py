"""jada init"""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import click

from jada import ConfigError, Exit, JadaError
from jada.cli.ui.console import escape, out, write_file
from jada.cli.ui.given import GIVEN


@click.command()
@click.option("--static", "kind", flag_value="static", type=GIVEN, help="Hosts that you name yourself.")
@click.option("--ec2", "kind", flag_value="ec2", type=GIVEN, help="Hosts that are EC2 instances.")
@click.option("--lightsail", "kind", flag_value="lightsail", type=GIVEN, help="Hosts that are Lightsail instances.")
@click.option("--force", is_flag=True, help="Replace a file that is there; the difference is shown first.")
@click.option("-o", "--output", metavar="FILE", type=GIVEN,
              help="The file to write. Default: $JADA_FLEET, or ~/.config/jada/fleet.yml.")  # fmt: skip
@click.option("--yes", is_flag=True, help="Ask nothing: take the defaults where no option answers.")
@click.option("--name", metavar="NAME", type=GIVEN, default="agents", show_default=True, help="A name for the fleet.")
@click.option("--host", "hosts", metavar="HOST", type=GIVEN, multiple=True,
              help="A static host, [NAME=][USER@]ADDRESS[:PORT]; once for each.")  # fmt: skip
@click.option("--user", metavar="USER", type=GIVEN, help="The ssh user of hosts that name none.")
@click.option("--key", metavar="FILE", type=GIVEN, help="The ssh key, and then no other.")
@click.option("--accept-host-keys", is_flag=True, help="Trust the ssh host keys that are shown, and keep them.")
@click.option("--profile", metavar="NAME", type=GIVEN, help="The profile of AWS.")
@click.option("--region", "regions", metavar="REGION", type=GIVEN, multiple=True, help="A region of AWS, or all.")
@click.option("--match", "matches", metavar="TAG", type=GIVEN, multiple=True,
              help="Only instances with this tag, KEY=VALUE, or with a name like this pattern.")  # fmt: skip
@click.option("--address", type=click.Choice(["private", "public", "ipv6"]), default=None,
              help="The address of instances to connect to.")  # fmt: skip
@click.option("--service", metavar="UNIT", type=GIVEN, default="jada-agent.service", show_default=True,
              help="The systemd service that runs the agent.")  # fmt: skip
@click.option("--settings", metavar="PATH", type=GIVEN, default="~/.claude/settings.json", show_default=True,
              help="The agent's settings on the host.")  # fmt: skip
@click.option("--model-check", metavar="URL", type=GIVEN,
              help="A URL on the host, or a command there, that says which model the agent runs.")  # fmt: skip
def init(
    kind: str | None,
    output: str | None,
    force: bool,
    yes: bool,
    name: str,
    hosts: tuple[str, ...],
    user: str | None,
    key: str | None,
    accept_host_keys: bool,
    profile: str | None,
    regions: tuple[str, ...],
    matches: tuple[str, ...],
    address: str | None,
    service: str,
    settings: str,
    model_check: str | None,
) -> Exit:
    """Write a fleet.yml for hosts of yours, and try it on them.

    Asks the few things that are needed, and tries each answer at once: finds the hosts, shows the ssh host keys that
    this machine does not know yet, logs in, and asks each host for the service, its settings.json, and who says which
    model runs. Nothing is changed on hosts; Ctrl-C leaves no file. Options answer beforehand, and stdin may be a pipe
    with an answer a line. The file has all other keys too, with their defaults, commented out.

    Exit codes: 0 written, and all of it was found; 1 written with what is known, for a host could not be tried;
    2 wrong usage, or the file is there.

    \b
    Examples:
      jada init
      jada init --host web-1=debian@192.0.2.10 --host web-2=debian@192.0.2.11
      jada init --ec2 --region us-east-1 --match jada=agent --user admin
    """
    from jada.cli.startup import patch_gevent

    patch_gevent()
    from jada.cli.init import answers, run, text
    from jada.cli.init.ask import Asker

    path = _path(output)
    if not force:
        _refuse_to_replace(path)
    _check_folder(path)
    given = answers.Given(
        kind=kind or _kind_of(hosts),
        hosts=hosts,
        regions=regions,
        matches=matches,
        address=address or "",
        trusts_keys=accept_host_keys,
    )
    begun = run.begun(name, path, user or "", key or "", profile or "", service, settings, model_check or "")
    asker = Asker(takes_defaults=yes)
    fleet, code = run.prepare(begun, given, asker)
    written = text.fleet_yml(fleet)
    if yes and not force:
        # It may have come about meanwhile, and nobody is asked.
        _refuse_to_replace(path)
    if path.exists():
        run.confirm_difference(path, written, asker)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise JadaError(f"{path.parent} can't be made: {error.strerror}") from None
    write_file(path, written, mode=None)
    _tell_next(path, code)
    return code


def _kind_of(hosts: tuple[str, ...]) -> str:
    return "static" if hosts else ""


def _path(output: str | None) -> Path:
    """The file to write: where jada finds it from any folder, unless somebody says another."""
    from jada.inventory.yaml_readers import expanded, working_folder

    named = output or os.environ.get("JADA_FLEET") or "~/.config/jada/fleet.yml"
    path = working_folder() / expanded(named, "-o" if output else "$JADA_FLEET")
    if path.is_dir():
        raise ConfigError(f"{path} is a folder", f"name the file: -o {shlex.quote(str(path / 'fleet.yml'))}")
    return path


def _refuse_to_replace(path: Path) -> None:
    if path.exists():
        raise ConfigError(
            f"{path} is there", "--force replaces it, and shows the difference first; -o FILE names another"
        )


def _check_folder(path: Path) -> None:
    """Raises ConfigError where no such file can be written: nobody is to answer all questions in vain."""
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise ConfigError(f"{path} can't be written: no file can be made in {folder}", "-o FILE names another")


def _tell_next(path: Path, code: Exit) -> None:
    out.print(f"\n[green]✓[/] Wrote {escape(str(path))}")
    if not _is_taken(path):
        out.print(
            f"  jada takes another one here, unless it is told: export JADA_FLEET={escape(shlex.quote(str(path)))}"
        )
    out.print("\nNext: jada doctor" + (", for not all of it could be tried" if code is Exit.FAILED else ""))
    if code is Exit.OK:
        out.print("      jada upgrade --to MODEL --dry-run    (jada models lists them)")


def _is_taken(path: Path) -> bool:
    """True if jada finds the file by itself."""
    from jada.inventory.fleet.search import find
    from jada.inventory.yaml_readers import working_folder

    try:
        return find(None, os.environ, working_folder()).samefile(path)
    except (ConfigError, OSError):
        return False
