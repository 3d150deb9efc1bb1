"""jada rollouts, resume, promote, pause and abort"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from jada import Exit, JadaError
from jada.cli.options import engine_option, fleet_option
from jada.cli.records.model import (
    ABORT,
    PAUSE,
    PROMOTE,
    HostEntry,
    HostOutcome,
    RolloutEntry,
    RolloutStatus,
)
from jada.cli.records.sqlite import Records, open_records
from jada.cli.rollout.next_steps import VERBS
from jada.cli.rollout.options import UNASKED, RolloutOptions
from jada.cli.session import load, open_whole, operator
from jada.cli.ui.console import emit_json, err, escape, named, nulled, out
from jada.cli.ui.duration import local
from jada.cli.ui.next_steps import show_next
from jada.cli.ui.tables import Column, show_table

if TYPE_CHECKING:
    from jada.inventory.fleet.config import Fleet

COLUMNS = (
    Column("release"),
    Column("status"),
    Column("wave"),
    Column("hosts"),
    Column("updated", 1),
    Column("why", wraps=True),
)
# Seconds that a jada which carries a rollout out has for what is asked of it, and between two looks at whether it did;
# and at whether it is there at all, which are further apart than two looks at a team's record.
PATIENCE, TICK, LOOK = 300, 0.5, 5


@click.command()
@click.option("-n", "--last", type=click.IntRange(1), default=10, show_default=True, help="How many, the last ones.")
@click.option("--json", "as_json", is_flag=True, help="Report as JSON.")
@fleet_option
def rollouts(last: int, as_json: bool, fleet_file: str | None) -> Exit:
    """List the rollouts in waves, and how far they are.

    \b
    Examples:
      jada rollouts
      jada rollouts --json
    """
    fleet = load(fleet_file)
    with open_records(fleet) as records:
        entries = records.rollouts(fleet.name, last)
        rows = [_row(entry, sum(records.outcomes(entry.release).values())) for entry in entries]
    if as_json:
        emit_json("rollouts", fleet.name, Exit.OK, {"rollouts": [nulled(row) for row in rows]})
    elif rows:
        cells = [
            [escape(row["release"]), escape(RolloutStatus(row["status"]).label),
             f"{row['wave']} of {'not known' if row['waves'] is None else row['waves']}",
             str(row["hosts"]), escape(local(row["updated"])), escape(row["why"])]
            for row in rows
        ]  # fmt: skip
        show_table(COLUMNS, cells, hint="--json")
    else:
        out.print(f"{escape(fleet.name)}: no rollout in waves yet.")
    return Exit.OK


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Tell as JSON, an object a line; the last is the report.")
@click.option("--verbose", "-v", is_flag=True, help="Show the evidence from each host too.")
@fleet_option
@engine_option
def resume(as_json: bool, verbose: bool, fleet_file: str | None) -> Exit:
    """Go on with a rollout that was paused, or cut off with its jada.

    Looks at every host first: none is changed twice, whatever became of the jada that began. The wave that it was in is
    watched anew.

    \b
    Examples:
      jada resume
    """
    return _continue(load(fleet_file), replace(UNASKED, as_json=as_json, verbose=verbose), skip_bake=False)


@click.command()
@fleet_option
@engine_option
def promote(fleet_file: str | None) -> Exit:
    """Go on to the next wave at once, without watching the present one any longer.

    \b
    Examples:
      jada promote
    """
    from jada.cli.drift import notices

    fleet = load(fleet_file)
    with open_records(fleet) as records:
        entry = _open_one(records, fleet.name)
        is_under_way = _is_under_way(fleet, entry)
        if is_under_way:
            # Whoever carries it out takes the word back once that was done, and may have come to its end since.
            is_under_way = _ask(fleet, records, entry, PROMOTE, lambda now: not now.asked)
        if is_under_way:
            out.print(f"Release {escape(entry.release)} goes on to its next wave.")
        notices.tell(fleet, f"jada: {fleet.name}: rollout {entry.release} is promoted", f"By {operator()}")
        if is_under_way:
            return Exit.OK
    return _continue(fleet, UNASKED, skip_bake=True)


@click.command()
@fleet_option
def pause(fleet_file: str | None) -> Exit:
    """Stop a rollout where it is, until somebody decides how it goes on.

    \b
    Examples:
      jada pause
    """
    fleet = load(fleet_file)
    with open_records(fleet) as records:
        entry = _open_one(records, fleet.name)
        if not _is_under_way(fleet, entry) or not _ask(
            fleet, records, entry, PAUSE, lambda now: now.status == RolloutStatus.PAUSED
        ):
            records.advance(entry.release, RolloutStatus.PAUSED, f"{operator()} paused it", None, is_baking=False)
    out.print(f"Release {escape(entry.release)} is paused.")
    show_next(VERBS)
    return Exit.OK


@click.command()
@fleet_option
@engine_option
def abort(fleet_file: str | None) -> Exit:
    """End a rollout: all hosts that it has changed go back, at once.

    \b
    Examples:
      jada abort
    """
    from jada.cli.rollout.resume import end_here

    fleet = load(fleet_file)
    with open_records(fleet) as records:
        entry = _open_one(records, fleet.name)
        if _is_under_way(fleet, entry) and _ask(
            fleet, records, entry, ABORT, lambda now: now.status == RolloutStatus.ABORTED
        ):
            if left := [host.host for host in records.hosts(entry.release) if not _is_back(host)]:
                raise JadaError(
                    f"Release {entry.release} was aborted, and {named(left)} may still be on it",
                    f"jada show {entry.release}; to send them back: jada rollback",
                )
            out.print(f"Release {escape(entry.release)} was taken back; see: jada show {escape(entry.release)}")
            return Exit.OK
        with open_whole(fleet, is_way_back=True) as session:
            return end_here(session, entry, records, UNASKED, operator())


def _continue(fleet: Fleet, options: RolloutOptions, *, skip_bake: bool) -> Exit:
    from jada.cli.rollout.resume import resume as go_on

    with open_records(fleet) as records, open_whole(fleet) as session:
        return go_on(session, _open_one(records, fleet.name), records, options, skip_bake=skip_bake)


def _open_one(records: Records, fleet: str) -> RolloutEntry:
    """The rollout of the fleet that has not come to its end. Raises JadaError."""
    entry = next(iter(records.rollouts(fleet, 1)), None)
    if entry is None or not entry.is_open:
        raise JadaError(f"No rollout of {fleet} is under way or paused", "jada rollouts lists them")
    return entry


def _is_under_way(fleet: Fleet, entry: RolloutEntry) -> bool:
    """True if a jada carries the rollout out now, as far as its lease tells; one that is paused is nobody's, whoever
    else changes the fleet. Raises JadaError where nobody can know.
    """
    from jada.cli.rollout.exclusive import holder_now

    return entry.status == RolloutStatus.RUNNING and holder_now(fleet) is not None


def _is_back(host: HostEntry) -> bool:
    """True if a host is not on the release of a rollout that was aborted, as far as is known."""
    return host.outcome is HostOutcome.ROLLED_BACK or not host.outcome.was_tried


def _ask(
    fleet: Fleet, records: Records, entry: RolloutEntry, verb: str, is_done: Callable[[RolloutEntry], bool]
) -> bool:
    """Asks whoever carries the rollout out, and waits until that `is_done`; False once nobody is there to do it: a
    lease outlives a jada that was killed by up to a minute. Raises JadaError where it takes too long, or the rollout
    came to another end.
    """
    records.ask(entry.release, verb, operator())
    ends, look, is_abandoned = time.monotonic() + PATIENCE, time.monotonic() + LOOK, False
    with err.status("Waiting for it…") if err.is_terminal else nullcontext():
        while time.monotonic() < ends:
            now = records.rollout(entry.release)
            if now is None or is_done(now):
                return True
            if now.status != RolloutStatus.RUNNING:
                why = f": {now.why}" if now.why else ""
                raise JadaError(
                    f"Release {entry.release} was asked to {verb}, and came to another end before: it is "
                    f"{RolloutStatus(now.status).label}{why}",
                    "jada rollouts lists them",
                )
            if time.monotonic() >= look:
                # Seen twice: the first time, its end may just not have been read yet.
                was_abandoned, is_abandoned = is_abandoned, _is_abandoned(fleet, entry)
                if was_abandoned and is_abandoned:
                    return False
                look = time.monotonic() + LOOK
            time.sleep(TICK)
    raise JadaError(
        f"Release {entry.release} was asked to {verb}, and has not come to that yet",
        "hosts that are being changed end first; see: jada rollouts",
    )


def _is_abandoned(fleet: Fleet, entry: RolloutEntry) -> bool:
    """True if surely nobody carries out the rollout that was under way."""
    from jada.cli.rollout.exclusive import NotKnownError

    with suppress(NotKnownError):
        return not _is_under_way(fleet, entry)
    return False


def _row(entry: RolloutEntry, hosts: int) -> dict[str, Any]:
    from jada.cli.rollout.progress import Values

    waves = None
    # Of an earlier jada, which wrote down other values; it can't be gone on with, and is listed all the same.
    with suppress(JadaError):
        waves = len(Values.from_json(entry.values_json).waves)
    return {
        "release": entry.release,
        "status": entry.status,
        "why": entry.why,
        "wave": entry.wave + 1,
        "waves": waves,
        "baking": bool(entry.baking),
        "hosts": hosts,
        "updated": entry.updated,
        "probes": json.loads(entry.measured_json),
    }
