"""jada state"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from jada import ConfigError, Exit
from jada.cli.options import fleet_option
from jada.cli.records.sqlite import jada_errors, open_store
from jada.cli.records.transfer import Part, add, compare
from jada.cli.session import load
from jada.cli.ui.console import emit_json, escape, out, plural

if TYPE_CHECKING:
    from jada.inventory.fleet.config import Fleet

# The words for the rows of each table.
NOUNS = {
    "release": "releases",
    "result": "outcomes of hosts",
    "network": "changes of networks",
    "operator_lock": "locks and unlocks",
    "rollout": "rollouts in waves",
    "answer": "answers of hosts' CLIs",
    "comparison": "comparisons",
    "served": "counts of requests",
    "drift_check": "checks for drift",
    "drift_episode": "findings",
    "drift_notice": "notices to send",
}
HERE = "this machine's record"


@click.group()
def state() -> None:
    """Take a record along to the place of a team, or back.

    \b
    Examples:
      jada state migrate --dry-run
      jada state migrate
    """


@state.command()
@click.option("--back", is_flag=True, help="From the team's place into this machine's record.")
@click.option("--dry-run", is_flag=True, help="Only show what would be taken along.")
@click.option("--json", "as_json", is_flag=True, help="Report as JSON.")
@fleet_option
def migrate(back: bool, dry_run: bool, as_json: bool, fleet_file: str | None) -> Exit:
    """Take this machine's record of the fleet along to the team's place. It is the one that fleet.yml's `state` names.

    What is missing there is added; what is there already stays as it is. So it may be run again, and by each of a team
    in turn. Nothing is removed here.

    \b
    Examples:
      jada state migrate --dry-run
      jada state migrate
      jada state migrate --back         before `state` is taken out of fleet.yml
    """
    fleet = load(fleet_file)
    if fleet.state is None:
        raise ConfigError(f"{fleet.path} names no place in S3", "add `state: s3://bucket/prefix` to it (docs/state.md)")
    names = (str(fleet.state), HERE) if back else (HERE, str(fleet.state))
    parts = _carried_over(fleet, back=back, dry_run=dry_run)
    if as_json:
        rows = [
            {"table": part.table, "added": len(part.missing), "same": part.same, "different": part.different}
            for part in parts
        ]
        facts = {"source": names[0], "target": names[1], "dry_run": dry_run, "tables": rows}
        emit_json("state-migrate", fleet.name, Exit.OK, facts)
    else:
        _show(parts, *names, dry_run=dry_run)
    return Exit.OK


def _carried_over(fleet: Fleet, *, back: bool, dry_run: bool) -> list[Part]:
    """Adds what is missing, unless that is only to be shown. Raises JadaError."""
    with ExitStack() as stack:
        here = stack.enter_context(open_store(replace(fleet, state=None)))
        there = stack.enter_context(open_store(fleet))
        source, target = (there, here) if back else (here, there)
        with jada_errors():
            parts = compare(source.db, target.db, fleet.name)
            if not dry_run:
                add(parts, target)
    return parts


def _show(parts: list[Part], source: str, target: str, *, dry_run: bool) -> None:
    for part in parts:
        if part.missing or part.different:
            differs = f", and {part.different} that are there otherwise and stay so" if part.different else ""
            line = f"{NOUNS[part.table]}: {len(part.missing)}{differs}"
            out.print(escape(line))
    count = sum(len(part.missing) for part in parts)
    verb = "would be added" if dry_run else "added"
    if count:
        out.print(f"{plural(count, 'row')} of {escape(source)} {verb} to {escape(target)}.")
    else:
        out.print(f"{escape(target)} has all that {escape(source)} has.")
