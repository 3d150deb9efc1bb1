"""The `jada` command: finds each subcommand's module only when it is asked for, so that --help is instant."""

from __future__ import annotations

import gc
import importlib
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from itertools import groupby
from typing import TYPE_CHECKING, Any

import click

from jada import UNEXPECTED, ConfigError, Exit, JadaError, __version__, reason
from jada.cli import signals
from jada.cli.ui import streams
from jada.cli.ui.complete import files
from jada.cli.ui.console import debugged, err, visible, written
from jada.cli.ui.given import GIVEN
from jada.inventory.suggest import did_you_mean

# As much as one reads of what is wrong with a file.
MOST_PROBLEMS = 20
if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

# name → (module, one line of help): what `jada --help` shows without importing any of the modules.
COMMANDS = {
    "init": ("init", "Write a fleet.yml for hosts of yours, and try it on them."),
    "hosts": ("hosts", "Find the fleet's hosts through AWS."),
    "models": ("models", "List the models jada knows, their ids and prices."),
    "status": ("status", "Show what every host really runs."),
    "upgrade": ("upgrade", "Change the model on hosts, and see it run."),
    "plan": ("plan", "Show what an upgrade would do; with -o, keep that for `jada apply`."),
    "apply": ("apply", "Bring the fleet to fleet.yml, or carry out the plan in a FILE."),
    "rollback": ("rollback", "Undo the last change, byte for byte."),
    "rollouts": ("rollouts", "List the rollouts in waves, and how far they are."),
    "resume": ("rollouts", "Go on with a rollout that was paused, or cut off with its jada."),
    "promote": ("rollouts", "Go on to the next wave at once, without watching the present one any longer."),
    "pause": (
        "rollouts",
        "Stop a rollout where it is, until somebody decides how it goes on.",
    ),
    "abort": ("rollouts", "End a rollout: all hosts that it has changed go back, at once."),
    "guard": ("guard", "Watch hosts after a rollout, and change those of a release that fails."),
    "compare": ("compare", "Tell whether one release or model does worse than another."),
    "drift": ("drift", "Check that what runs is what was asked for."),
    "explain": ("explain", "Tell why a host runs the model it runs."),
    "logs": ("logs", "Show the end of the hosts' journals as one, with secrets masked."),
    "ssh": ("ssh", "Log in to a host with OpenSSH, the way jada does."),
    "host-keys": ("host_keys", "Show the ssh host keys that are pinned to hosts."),
    "report": ("report", "Write a page to look at: the verdict, models, drift, why."),
    "heal": ("heal", "Bring drifted hosts back to their release."),
    "forget": ("forget", "Take away what jada has left on hosts; their model stays."),
    "schedule": ("schedule", "Let the check for drift, or the guard, run by itself."),
    "history": ("history", "Show what was done, when, by whom and why."),
    "show": ("history", "Show one release of the history, host by host."),
    "state": ("state", "Take a record along to the place of a team, or back."),
    "lock": ("lock", "Stop upgrades for everybody, during an incident."),
    "unlock": ("lock", "Allow upgrades again."),
    "locks": ("locks", "Show who holds the fleet, from where, since when and to do what."),
    "doctor": ("doctor", "Check all that jada needs, here, in AWS and on every host, and tell how to fix it."),
    "docs": ("docs", "Show what goes into fleet.yml: all of it, or one key."),
    "iam": ("iam", "Print the least IAM policy that jada needs."),
    "completion": ("completion", "Print the script that lets bash, zsh or fish complete jada."),
    "lab": ("lab", "Rehearse on real systemd hosts on this machine."),
    "help": ("help", "Show the help of a command, as `jada COMMAND --help` does."),
}


class Commands(click.Group):
    """A group whose commands are modules of jada.cli.commands, imported when they are used."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if not (args[0] in COMMANDS or args[0].startswith("-") or ctx.resilient_parsing):
            raise click.UsageError(f"There is no command {args[0]}{did_you_mean(args[0], COMMANDS)}", ctx)
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            name = error.option_name
            raise ConfigError(
                f"jada itself has no option {name}", f"options of a command come behind it: jada COMMAND {name} …"
            ) from None

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except click.BadOptionUsage as error:
            # click does not say of which command.
            name = ctx.invoked_subcommand or ""
            if error.ctx is None and (command := self.get_command(ctx, name)):
                error.ctx = click.Context(command, ctx, name)
            raise

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = getattr(
            importlib.import_module(f"jada.cli.commands.{COMMANDS[cmd_name][0]}"), cmd_name.replace("-", "_")
        )
        assert isinstance(command, click.Command)  # noqa: S101 - for the type checker
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        names = [CompletionItem(name, help=text) for name, (_, text) in COMMANDS.items() if name.startswith(incomplete)]
        return [*names, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


def _set_log_format(_: click.Context, __: click.Parameter, log_format: str) -> None:
    err.is_json = log_format == "json"


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", prog_name="jada")
@click.option(
    "--fleet",
    "fleet_file",
    metavar="FILE",
    type=GIVEN,
    shell_complete=files,
    help="The fleet.yml to use; may stand behind the command too.",
)
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    envvar="JADA_LOG_FORMAT",
    show_envvar=True,
    # Before anything that may be wrong in what follows.
    is_eager=True,
    expose_value=False,
    callback=_set_log_format,
    help="What stderr tells, as text or as JSON, an object a line. Default: text.",
)
@click.pass_context
def jada(ctx: click.Context, fleet_file: str | None) -> None:
    """Change the model a fleet of Claude agents runs, and know that it runs.

    \b
      jada hosts                         which hosts there are
      jada upgrade --to sonnet-4.6       change the model everywhere, verified
      jada rollback                      undo the last change
      jada drift                         does what runs equal what was asked for?

    Hosts, roles and ssh settings come from fleet.yml: --fleet FILE, $JADA_FLEET, ./inventory/fleet.yml,
    ~/.config/jada/fleet.yml or /etc/jada/fleet.yml, whichever is found first.

    \b
    Exit codes: 0 done and verified, or in sync; 1 failed, unproven or not checked;
    2 wrong usage or configuration; 3 drift; 4 failed and rolled back; 5 locked;
    6 paused, a person decides; 130 stopped by Ctrl-C.
    """
    command = ctx.invoked_subcommand and ctx.command.get_command(ctx, ctx.invoked_subcommand)  # type: ignore[attr-defined]
    if not (fleet_file and command):
        return
    commands = command.commands if isinstance(command, click.Group) else {"": command}
    about = [name for name, part in commands.items() if "fleet_file" in {option.name for option in part.params}]
    if not about:
        raise ConfigError(f"jada {ctx.invoked_subcommand} is about no fleet.yml", "leave --fleet out")
    named = {"fleet_file": fleet_file}
    ctx.default_map = {command.name: named if about == [""] else dict.fromkeys(about, named)}


def main(argv: Sequence[str] | None = None) -> None:
    """Runs jada; every failure ends as one or two sentences on stderr and an exit code."""
    try:
        streams.prepare()
        code = run(argv)
        streams.let_go()
        signals.over(code)
    except KeyboardInterrupt:
        signals.leave()
    # Python would look through all there is for garbage before it ends: a tenth of a short command's processor time.
    gc.freeze()
    sys.exit(code)


def run(argv: Sequence[str] | None) -> int:
    """Runs a command to its end, says why if it failed, and returns its exit code."""
    try:
        code = int(jada.main(argv, prog_name="jada", standalone_mode=False) or 0)
        with written():
            sys.stdout.flush()
    except BrokenPipeError:
        # Whoever reads has seen enough.
        return Exit.STOPPED if signals.leaving() else Exit.FAILED
    except (Exception, KeyboardInterrupt) as error:
        # click takes Ctrl-C, and the end of any file, for a "no" of a person.
        cause = error.__cause__ if isinstance(error, click.Abort) else None
        why = cause if isinstance(cause, EOFError | KeyboardInterrupt) else error
        if signals.leaving():
            why = KeyboardInterrupt()
        with suppress(OSError):
            _tell(why)
        if isinstance(why, JadaError):
            return why.exit_code
        if isinstance(why, KeyboardInterrupt):
            return Exit.STOPPED
        return Exit.USAGE if isinstance(why, click.UsageError) else Exit.FAILED
    return code


def _tell(error: BaseException) -> None:
    """Says on stderr why jada ends."""
    if debugged() and not isinstance(error, click.ClickException | click.Abort):
        import traceback

        traceback.print_exception(error)
    if err.is_json:
        for failure in _as_failures(error):
            err.log(f"{visible(failure.message)}{visible(f'; {failure.hint}' if failure.hint else '')}", "error")
    elif isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
    elif isinstance(error, click.Abort | KeyboardInterrupt):
        click.echo("Stopped.", err=True)
    else:
        for hint, failures in groupby(_as_failures(error), lambda failure: failure.hint):
            for failure in failures:
                _echo("Error:", failure.message, fg="red", bold=True)
            example = failure.example if isinstance(failure, ConfigError) else ()
            if hint:
                _echo("Try:", hint + (", such as:" if example else ""), bold=True)
            for line in example:
                click.echo(f"     {visible(line)}", err=True)


def _as_failures(error: BaseException) -> Sequence[JadaError]:
    """Each thing that went wrong, of a file with many problems the first of them."""
    if not isinstance(error, ConfigError):
        return (_as_failure(error),)
    problems = error.problems
    more = len(problems) - MOST_PROBLEMS
    rest = ConfigError(f"There are {more} more problems", "correct these first")
    return (*problems[:MOST_PROBLEMS], *([rest] if more > 0 else []))


def _as_failure(error: BaseException) -> JadaError:
    if isinstance(error, click.UsageError):
        command = error.ctx.command_path if error.ctx else "jada"
        return JadaError(error.format_message().removesuffix("."), f"{command} --help")
    if isinstance(error, click.ClickException):
        return JadaError(error.format_message())
    if isinstance(error, click.Abort | KeyboardInterrupt):
        return JadaError("Stopped.")
    return error if isinstance(error, JadaError) else _in_words(error)


def _echo(word: str, text: str, **style: Any) -> None:
    line = f"{word} {visible(text)}"
    line = streams.fold(line) if sys.stderr.isatty() else line
    click.echo(click.style(word, **style) + line.removeprefix(word), err=True)


def _in_words(error: BaseException) -> JadaError:
    """An error for what nobody foresaw, without any value of it: that may be foreign, or secret."""
    if isinstance(error, FileNotFoundError) and not _has_working_folder():
        return JadaError("The working folder is gone", "cd to a folder that is there")
    return JadaError(f"jada can't go on: {reason(error)}", UNEXPECTED)


def _has_working_folder() -> bool:
    try:
        os.getcwd()  # noqa: PTH109 - pathlib takes as long to load as all of ours
    except OSError:
        return False
    return True
