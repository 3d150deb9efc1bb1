"""Options of the commands that change hosts."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click

from jada import Exit


@dataclass(frozen=True, slots=True)
class RolloutOptions:
    """The options of a rollout: how it is carried out and told."""

    dry_run: bool
    yes: bool
    as_json: bool
    verbose: bool


def rollout_options(command: Callable[..., Exit]) -> Callable[..., Exit]:
    """Adds --reason, --dry-run, --yes, --json and --verbose to a command; all but the first come as `options`."""

    @click.option("--reason", default="", help="Why, for the record and for whoever reads it later.")
    @click.option("--dry-run", is_flag=True, help="Look and show what would be done; change nothing.")
    @click.option("--yes", "-y", is_flag=True, help="Do not ask.")
    @click.option("--json", "as_json", is_flag=True, help="Report as JSON (with --yes or --dry-run).")
    @click.option("--verbose", "-v", is_flag=True, help="Show the evidence from each host too.")
    @functools.wraps(command)
    def with_options(*, dry_run: bool, yes: bool, as_json: bool, verbose: bool, **others: Any) -> Exit:
        return command(options=RolloutOptions(dry_run, yes, as_json, verbose), **others)

    return with_options
