"""jada schedule"""

from __future__ import annotations

import getpass
import os
import pwd
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jada import ConfigError, Exit, JadaError
from jada.cli.commands.drift import drift
from jada.cli.options import fleet_option
from jada.cli.ui.console import escape, out, write_file
from jada.cli.ui.duration import parse_duration
from jada.tasks import FILES

if TYPE_CHECKING:
    from jada.inventory.fleet.config import Fleet

SYSTEM_UNITS = Path("/etc/systemd/system")
# GitHub runs no schedule more often.
GITHUB_LEAST = 5 * 60
# Names that User= of a unit takes (systemd.syntax(7), "User/Group Name Syntax"), and those a domain gives.
_USER = re.compile(r"[A-Za-z0-9_][\w.@-]*\$?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Job:
    """One check as it is to run: the words of the command, who runs it from which home, and what it has to write."""

    command: tuple[str, ...]
    user: str
    home: Path
    writes: tuple[Path, ...]

    @property
    def history(self) -> Path:
        """The folder of jada's history, when nothing in the environment says otherwise."""
        return self.home / ".local/state/jada"


@click.command()
@click.option("--every", metavar="DURATION", required=True, help="How often: 15m, 6h, 1d.")
@click.option(
    "--print",
    "kind",
    type=click.Choice(["systemd", "cron", "github"]),
    help="Install nothing: print the units, a line for crontab, or a GitHub workflow.",
)
@fleet_option
@click.argument("options", nargs=-1, type=click.UNPROCESSED, metavar="[-- OPTIONS OF JADA DRIFT]")
def schedule(every: str, kind: str | None, fleet_file: str | None, options: tuple[str, ...]) -> int:
    """Let the check for drift run by itself. That is a systemd timer on this machine, as the user who called sudo.

    What follows -- is handed to `jada drift`. Who is told of what it finds is in fleet.yml (`notify`); docs/drift.md
    tells where secrets go. Called again, it replaces the timer that is there.

    \b
    Examples:
      sudo jada schedule --every 15m
      sudo jada schedule --every 15m -- --prometheus /var/lib/prometheus/node-exporter/jada.prom
      jada schedule --every 15m --print systemd     look at the units first
      jada schedule --every 1h --print cron         for crontab -e
      jada schedule --every 1d --print github       for GitHub Actions
    """
    from jada.inventory.fleet import config

    seconds = parse_duration(every)
    fleet = config.load(fleet_file)
    params = _drift_options(options)
    if kind == "github":
        here = Path.cwd()
        file = fleet.path.absolute()
        path = file.relative_to(here) if file.is_relative_to(here) else file
        click.echo(workflow(seconds, every, ("jada", *drift_words(path, {**params, "github": True}))), nl=False)
        return Exit.OK
    job = _job(fleet, params)
    if kind == "cron":
        click.echo(cron_line(seconds, every, job.command))
    elif kind == "systemd":
        for name, text in units(job, seconds, every).items():
            click.echo(f"# {SYSTEM_UNITS / name}\n{text}")
    else:
        _install(job, units(job, seconds, every))
        out.print(
            f"`jada drift` runs every {every} from now on, as {escape(job.user)}.\n"
            "  when: systemctl list-timers jada-drift.timer\n"
            "  what it said: journalctl -u jada-drift.service; jada drift --since 1d\n"
            "  to stop it: systemctl disable --now jada-drift.timer"
        )
    return Exit.OK


def units(job: Job, seconds: int, every: str) -> dict[str, str]:
    """The text of the systemd units by file name."""
    _check_words((*job.command, *map(str, job.writes)))
    if not _USER.fullmatch(job.user):
        raise ConfigError(f"A unit of systemd can't run as {job.user!r}", "a user of letters, digits and . _ -")
    values = {
        "user": job.user,
        "command": " ".join(map(systemd_word, job.command)),
        # A minus: what is not there need not be writable.
        "writes": " ".join(systemd_word(f"-{path}") for path in (job.history, *job.writes)),
        "every": every,
        "seconds": str(seconds),
    }
    texts = {name: (FILES / "units" / name).read_text() for name in ("jada-drift.service", "jada-drift.timer")}
    return {name: _filled(text, values) for name, text in texts.items()}


def cron_line(seconds: int, every: str, command: Sequence[str]) -> str:
    """A line of a user's crontab; cron sends a mail of what is printed, so all is quiet while all is in sync."""
    _check_words(command)
    quiet = f'out=$({shlex.join(command)} 2>&1) || printf "%s\\n" "$out"'
    # cron would read a % as the end of the line.
    return f"{cron_time(seconds, every)} {quiet}".replace("%", "\\%")


def cron_time(seconds: int, every: str) -> str:
    """The five fields of cron(5). Raises ConfigError where they can't say it: hours and days begin anew for cron."""
    minutes, rest = divmod(seconds, 60)
    if not rest and minutes < 60 and 60 % minutes == 0:
        return f"*/{minutes} * * * *"
    hours, rest = divmod(minutes, 60)
    if not rest and hours < 24 and 24 % hours == 0:
        return f"0 */{hours} * * *"
    if (hours, rest) == (24, 0):
        return "0 6 * * *"
    raise ConfigError(
        f"cron can't run something every {every}",
        "minutes that divide an hour (such as 10m), hours that divide a day (such as 6h) or 1d; systemd can run it",
    )


def workflow(seconds: int, every: str, command: Sequence[str]) -> str:
    """A workflow for GitHub Actions. Raises ConfigError."""
    _check_words(command)
    if seconds < GITHUB_LEAST:
        raise ConfigError(f"GitHub can't run something every {every}", f"{GITHUB_LEAST // 60}m or more")
    text = (FILES / "units" / "jada-drift.github.yml").read_text()
    return text.replace("CRON", cron_time(seconds, every)).replace("COMMAND", shlex.join(command))


def systemd_word(word: str) -> str:
    """One word for a line of a unit file: quoted, and with no specifier in it (systemd.syntax(7))."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("\n", "\\n")
    return f'"{escaped}"'


def drift_words(fleet_file: Path, params: dict[str, Any]) -> tuple[str, ...]:
    """The words after `jada` for one check with these parameters of `jada drift`."""
    words = ["drift", "--fleet", str(fleet_file)]
    for parameter in drift.params:
        value = params.get(parameter.name or "")
        if value:
            words += [parameter.opts[0]] if value is True else [parameter.opts[0], str(value)]
    return tuple(words)


def _drift_options(options: Sequence[str]) -> dict[str, Any]:
    """The parameters of `jada drift` by these options. Raises click.UsageError."""
    with drift.make_context("jada drift", list(options)) as context:
        params = dict(context.params)
    for name in ("code", "since", "fleet_file"):
        if params.pop(name) is not None:
            raise click.UsageError("--explain, --since and --fleet are not for a check that runs by itself, behind --")
    return params


def _job(fleet: Fleet, params: dict[str, Any]) -> Job:
    name = os.environ.get("SUDO_USER") or getpass.getuser()
    try:
        user = pwd.getpwnam(name)
    except KeyError:
        raise JadaError(f"This machine knows no user {name}", "SUDO_USER names whom the check is to run as") from None
    home = Path(user.pw_dir)
    params = {name: value.absolute() if isinstance(value, Path) else value for name, value in params.items()}
    writes = [value.parent for value in params.values() if isinstance(value, Path)]
    # A login by SSO is renewed there; a host that is trusted the first time is written there.
    writes += [home / ".aws"]
    if fleet.ssh.host_keys == "accept-new":
        known_hosts, own = fleet.ssh.known_hosts, Path.home()
        # With sudo, ~ in fleet.yml was read as root's home.
        writes += [(home / known_hosts.relative_to(own) if known_hosts.is_relative_to(own) else known_hosts).parent]
    command = (str(Path(sys.argv[0]).absolute()), *drift_words(fleet.path.absolute(), params))
    return Job(command, user.pw_name, home, tuple(dict.fromkeys(writes)))


def _install(job: Job, texts: dict[str, str]) -> None:
    if os.geteuid() != 0:
        raise JadaError("To install a timer of systemd takes root", "sudo, or --print cron for a crontab of your own")
    if not Path("/run/systemd/system").is_dir():
        raise JadaError("systemd does not run this machine", "--print cron prints a line for crontab -e")
    _make_history(job)
    for name, text in texts.items():
        write_file(SYSTEM_UNITS / name, text)
    for words in (["daemon-reload"], ["enable", "--quiet", "jada-drift.timer"], ["restart", "jada-drift.timer"]):
        done = subprocess.run(["systemctl", *words], capture_output=True, text=True, check=False)
        if done.returncode:
            raise JadaError(f"`systemctl {' '.join(words)}` failed: {done.stderr.strip()}")


def _make_history(job: Job) -> None:
    """Makes the folder of the history, as its user: root makes nothing in a home, and in the unit nobody can."""
    user = pwd.getpwnam(job.user)
    done = subprocess.run(
        ["mkdir", "-p", "--", job.history],
        user=user.pw_uid,
        group=user.pw_gid,
        extra_groups=[],
        umask=0o077,
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise JadaError(f"{job.user} can't make the folder {job.history}: {done.stderr.strip()}")


def _filled(text: str, values: dict[str, str]) -> str:
    return re.sub(r"\{\{ (\w+) \}\}", lambda match: values[match.group(1)], text)


def _check_words(words: Sequence[str]) -> None:
    """Raises ConfigError for line breaks and control characters: a crontab or a workflow has no way to write them."""
    for word in words:
        if not word.isprintable():
            raise ConfigError(f"This can't be put into a schedule: {word!r}", "a name without control characters")
