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
from click.core import ParameterSource

from jada import ConfigError, Exit, JadaError
from jada.cli.commands.drift import drift
from jada.cli.commands.guard import guard
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


def _checked(_: click.Context, __: click.Parameter, every: str | None) -> str | None:
    if every is not None:
        parse_duration(every)
    return every


@click.command()
@click.option("--every", metavar="DURATION", callback=_checked, help="How often: 15m, 6h, 1d.")
@click.option("--guard", "guards", is_flag=True, help="Let `jada guard` watch the hosts for good, by systemd.")
@click.option(
    "--print",
    "kind",
    type=click.Choice(["systemd", "cron", "github"]),
    help="Install nothing: print the units, a line for crontab, or a GitHub workflow.",
)
@fleet_option
@click.argument("options", nargs=-1, type=click.UNPROCESSED, metavar="[-- OPTIONS OF JADA DRIFT OR GUARD]")
def schedule(
    every: str | None, guards: bool, kind: str | None, fleet_file: str | None, options: tuple[str, ...]
) -> int:
    """Let the check for drift, or the guard, run by itself. That is a systemd timer on this machine, or a service, as
    the user who called sudo.

    What follows -- is handed to `jada drift` or `jada guard`. Who is told of what it finds is in fleet.yml (`notify`);
    docs/drift.md tells where secrets go. Called again, it replaces the units that are there.

    \b
    Examples:
      sudo jada schedule --every 15m
      sudo jada schedule --every 15m -- --prometheus /srv/metrics/jada.prom
      jada schedule --every 15m --print systemd     look at the units first
      jada schedule --every 1h --print cron         for crontab -e
      jada schedule --every 1d --print github       for GitHub Actions
      sudo jada schedule --guard                    now, and after each boot
    """
    from jada.inventory.fleet import config

    if guards == (every is not None):
        raise ConfigError("What is to run by itself was not said", "--every 15m for the check for drift, or --guard")
    fleet = config.load(fleet_file)
    if every is None:
        _schedule_guard(fleet, options, kind)
        return Exit.OK
    seconds = parse_duration(every)
    params = _drift_options(options)
    if kind == "github":
        here = Path.cwd()
        file = fleet.path.absolute()
        path = file.relative_to(here) if file.is_relative_to(here) else file
        if params["markdown"]:
            raise click.UsageError("the workflow writes its own --markdown, for the summary of the job")
        click.echo(workflow(seconds, every, ("jada", *words_of(drift, path, {**params, "github": True}))), nl=False)
        return Exit.OK
    job = _job(fleet, drift, params)
    if kind == "cron":
        click.echo(cron_line(seconds, every, job.command))
    elif kind == "systemd":
        _print(units(job, seconds, every))
    else:
        _install(job, units(job, seconds, every), "jada-drift.timer")
        out.print(
            f"`jada drift` runs every {every} from now on, as {escape(job.user)}.\n"
            "  when: systemctl list-timers jada-drift.timer\n"
            "  what it said: journalctl -u jada-drift.service; jada drift --since 1d\n"
            "  to stop it: systemctl disable --now jada-drift.timer"
        )
    return Exit.OK


def _schedule_guard(fleet: Fleet, options: Sequence[str], kind: str | None) -> None:
    """Installs the service of the guard, or prints it. Raises JadaError, click.UsageError."""
    if kind not in (None, "systemd"):
        raise ConfigError("A guard runs all the time, which only systemd sees to", "--print systemd, or leave it out")
    job = _job(fleet, guard, _guard_options(options))
    if kind:
        _print(guard_unit(job))
        return
    _install(job, guard_unit(job), "jada-guard.service")
    out.print(
        f"`jada guard` watches {escape(fleet.name)} from now on, as {escape(job.user)}.\n"
        "  what it said: journalctl -u jada-guard.service\n"
        "  to stop it: systemctl disable --now jada-guard.service"
    )


def _print(texts: dict[str, str]) -> None:
    for name, text in texts.items():
        click.echo(f"# {SYSTEM_UNITS / name}\n{text}")


def units(job: Job, seconds: int, every: str) -> dict[str, str]:
    """The text of the systemd units by file name."""
    values = {**_values(job), "every": every, "seconds": str(seconds)}
    return {name: _filled(name, values) for name in ("jada-drift.service", "jada-drift.timer")}


def guard_unit(job: Job) -> dict[str, str]:
    """The text of the guard's systemd unit by its file name."""
    return {"jada-guard.service": _filled("jada-guard.service", _values(job))}


def _values(job: Job) -> dict[str, str]:
    """What the units of a job are filled with. Raises ConfigError."""
    _check_words((*job.command, *map(str, job.writes)))
    if not _USER.fullmatch(job.user):
        raise ConfigError(f"A unit of systemd can't run as {job.user!r}", "a user of letters, digits and . _ -")
    return {
        "user": job.user,
        "command": " ".join(map(systemd_word, job.command)),
        # A minus: what is not there need not be writable.
        "writes": " ".join(systemd_word(f"-{path}") for path in (job.history, *job.writes)),
        "protected": (FILES / "units" / "protected.conf").read_text().rstrip(),
    }


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


def words_of(command: click.Command, fleet_file: Path, params: dict[str, Any]) -> tuple[str, ...]:
    """The words after `jada` for that command with these parameters."""
    words = [str(command.name), "--fleet", str(fleet_file)]
    for parameter in command.params:
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
            raise ConfigError(
                "Behind --, --explain, --since and --fleet are not for a check that runs by itself",
                "leave them out; --fleet stands before --",
            )
    return params


def _guard_options(options: Sequence[str]) -> dict[str, Any]:
    """The parameters of `jada guard` by these options. Raises click.UsageError."""
    with guard.make_context("jada guard", list(options)) as context:
        params = dict(context.params)
        if context.get_parameter_source("lasts") is not ParameterSource.DEFAULT:
            raise ConfigError("Behind --, --for is not for a guard that runs for good", "leave it out")
    if params.pop("fleet_file") is not None:
        raise ConfigError("Behind --, --fleet is not for a guard", "it stands before --")
    # Once a day it ends, and systemd starts it anew.
    return {**params, "lasts": "1d"}


def _job(fleet: Fleet, command: click.Command, params: dict[str, Any]) -> Job:
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
    words = (str(Path(sys.argv[0]).absolute()), *words_of(command, fleet.path.absolute(), params))
    return Job(words, user.pw_name, home, tuple(dict.fromkeys(writes)))


def _install(job: Job, texts: dict[str, str], unit: str) -> None:
    """Writes the units and has systemd start that one, now and after each boot. Raises JadaError."""
    if os.geteuid() != 0:
        raise JadaError("To install a unit of systemd takes root", "sudo, or --print cron for a crontab of your own")
    if not Path("/run/systemd/system").is_dir():
        raise JadaError("systemd does not run this machine", "--print cron prints a line for crontab -e")
    _make_history(job)
    for name, text in texts.items():
        write_file(SYSTEM_UNITS / name, text)
    for words in (["daemon-reload"], ["enable", "--quiet", unit], ["restart", unit]):
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


def _filled(name: str, values: dict[str, str]) -> str:
    """The unit of that name with the values in it."""
    text = (FILES / "units" / name).read_text()
    return re.sub(r"\{\{ (\w+) \}\}", lambda match: values[match.group(1)], text)


def _check_words(words: Sequence[str]) -> None:
    """Raises ConfigError for line breaks and control characters: a crontab or a workflow has no way to write them."""
    for word in words:
        if not word.isprintable():
            raise ConfigError(f"This can't be put into a schedule: {word!r}", "a name without control characters")
