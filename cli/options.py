"""The options by which commands are told their fleet and hosts."""

from __future__ import annotations

from collections.abc import Callable
from shlex import quote
from typing import Any, TypeVar

import click

from jada import ENGINES, ConfigError
from jada.cli.ui.complete import files, host_patterns, role_names
from jada.cli.ui.given import GIVEN

# Where click's context keeps the engine that was chosen, and that AWS is not to be asked which hosts there are.
ENGINE, CACHED = "jada.engine", "jada.cached"

F = TypeVar("F", bound=Callable[..., Any])


def fleet_option(command: F) -> F:
    """--fleet, for every command that reads fleet.yml."""
    return click.option(
        "--fleet",
        "fleet_file",
        metavar="FILE",
        type=GIVEN,
        shell_complete=files,
        help="The fleet.yml to use (default: see jada --help).",
    )(command)


def engine_option(command: F) -> F:
    """--engine, for every command that reaches hosts; open_session() finds it."""
    return click.option(
        "--engine",
        type=click.Choice(ENGINES),
        expose_value=False,
        callback=lambda context, _, engine: context.meta.update({ENGINE: engine}),
        help="Reach all hosts by ssh, or by AWS Systems Manager (default: as fleet.yml says for each source).",
    )(command)


def cached_option(command: F) -> F:
    """--cached, for commands that only read; find() in cli/session.py finds it."""
    return click.option(
        "--cached",
        is_flag=True,
        expose_value=False,
        callback=lambda context, _, cached: context.meta.update({CACHED: cached}),
        help="Take the hosts as AWS listed them last, at most 7 days ago, without asking it. How long ago is told.",
    )(command)


def _refused_cached(command: F) -> F:
    def refuse(context: click.Context, _: click.Parameter, cached: bool) -> None:
        if cached:
            raise ConfigError(
                f"jada {context.info_name} asks AWS which hosts there are, and takes no --cached",
                "leave it out; commands that only read take it, such as: jada status --cached",
            )

    return click.option("--cached", is_flag=True, expose_value=False, hidden=True, callback=refuse)(command)


class _Extra(click.Argument):
    """Words behind a command that takes none, such as a host's name; no help tells of them."""

    def get_usage_pieces(self, _: click.Context) -> list[str]:
        return []

    def get_help_record(self, _: click.Context) -> None:  # type: ignore[override] # as of a hidden option
        return None


def _refused_extra(command: F) -> F:
    def refuse(context: click.Context, _: click.Parameter, words: tuple[str, ...]) -> None:
        if words:
            known = {option.name for option in context.command.params}
            ways = [f"--{name} {quote(words[0])}" for name in ("to", "limit") if name in known]
            raise ConfigError(
                f"{context.command_path} takes no argument {words[0]}", f"{context.command_path} {' or '.join(ways)}"
            )

    return click.argument("extra", cls=_Extra, nargs=-1, type=GIVEN, expose_value=False, callback=refuse)(command)


def read_options(command: F) -> F:
    """The options of every command about hosts, and --cached."""
    return _host_options(cached_option(command))


def host_options(command: F) -> F:
    """--fleet, --role, --limit and --engine, for every command about hosts."""
    return _host_options(_refused_cached(command))


def _host_options(command: F) -> F:
    command = engine_option(_refused_extra(command))
    command = click.option(
        "--limit",
        metavar="PATTERN",
        type=GIVEN,
        multiple=True,
        shell_complete=host_patterns,
        callback=lambda _, __, patterns: ",".join(patterns) if patterns else None,
        help="Only hosts whose name matches: shell patterns, comma-separated, such as 'web-*,db-1'; given twice, both.",
    )(command)
    command = click.option(
        "--role", metavar="ROLE", type=GIVEN, help="Only hosts of this role of fleet.yml.", shell_complete=role_names
    )(command)
    return fleet_option(command)
