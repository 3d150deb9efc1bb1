"""The options by which commands are told their fleet and hosts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from jada.cli.ui.complete import role_names
from jada.cli.ui.given import GIVEN

F = TypeVar("F", bound=Callable[..., Any])


def fleet_option(command: F) -> F:
    """--fleet, for every command that reads fleet.yml."""
    return click.option(
        "--fleet", "fleet_file", metavar="FILE", type=GIVEN, help="The fleet.yml to use (default: see jada --help)."
    )(command)


def host_options(command: F) -> F:
    """--fleet, --role and --limit, for every command about hosts."""
    command = click.option(
        "--limit",
        metavar="PATTERN",
        type=GIVEN,
        multiple=True,
        callback=lambda _, __, patterns: ",".join(patterns) if patterns else None,
        help="Only hosts whose name matches: shell patterns, comma-separated, such as 'web-*,db-1'; given twice, both.",
    )(command)
    command = click.option(
        "--role", metavar="ROLE", type=GIVEN, help="Only hosts of this role of fleet.yml.", shell_complete=role_names
    )(command)
    return fleet_option(command)
