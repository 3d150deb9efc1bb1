"""jada compare"""

from __future__ import annotations

from collections.abc import Callable

import click

from jada import ConfigError, Exit
from jada.cli.compare.comparison import By, Subject
from jada.cli.options import engine_option, fleet_option
from jada.cli.records.complete import releases as recorded
from jada.cli.records.sqlite import open_records
from jada.cli.session import FleetSession, open_session
from jada.cli.ui.complete import model_names
from jada.cli.ui.console import emit_json
from jada.cli.ui.given import GIVEN


def _below(most: float) -> Callable[[click.Context, click.Parameter, float | None], float | None]:
    """The reader of an option that is a number above 0 and below `most`: click's own range takes what is no number."""

    def read(_: click.Context, __: click.Parameter, value: float | None) -> float | None:
        if value is not None and not 0 < value < most:
            raise click.BadParameter(f"{value:g} is not above 0 and below {most:g}")
        return value

    return read


@click.command()
@click.argument("releases", metavar="[RELEASE_A RELEASE_B]", nargs=-1, type=GIVEN, shell_complete=recorded)
@click.option(
    "--model",
    "models",
    metavar="MODEL",
    multiple=True,
    type=GIVEN,
    shell_complete=model_names,
    help="Hosts by the model that they are to run; given twice: A, then B.",
)
@click.option(
    "--canary",
    "is_canary",
    is_flag=True,
    help="Hosts that the open rollout has changed (B) beside those that it has not (A).",
)
@click.option(
    "--margin",
    metavar="POINTS",
    type=float,
    callback=_below(100),
    help="Percentage points that make no difference; only before the first look.  [default: 2]",
)
@click.option(
    "--alpha",
    metavar="CHANCE",
    type=float,
    callback=_below(0.5),
    help="The chance that a measure's interval is ever wrong; only before the first look.  [default: 0.05]",
)
@click.option("--json", "as_json", is_flag=True, help="Report as JSON.")
@fleet_option
@engine_option
def compare(
    releases: tuple[str, ...],
    models: tuple[str, ...],
    is_canary: bool,
    margin: float | None,
    alpha: float | None,
    as_json: bool,
    fleet_file: str | None,
) -> Exit:
    """Tell whether one release or model does worse than another.

    Of requests, by the transcripts of the hosts' Claude CLIs: the share that failed, and the share that fell back to
    another model. Of tasks, where agents tell of them in their journal (docs/compare.md): the share that failed, and
    how long slow ones take. Look as often as you like, the intervals hold at all looks together, and each look adds to
    what is counted: on a busy host it sees the last few hundred requests. Read-only on the hosts.

    Hosts of both arms are counted since both ran. Where one came after the other, their requests are those that looks
    of this command have counted: before/after, not an experiment.

    Exit codes: 0 equivalent or better; 1 not enough data, or a host could not be looked at; 2 wrong usage; 3 worse.

    \b
    Examples:
      jada compare 20261124-110000-1f2e 20261125-090000-77aa
      jada compare --model sonnet-4.6 --model opus-5 --margin 1
      jada compare --canary
      jada compare --canary --json | jq -r .verdict
    """
    from jada.cli.compare import run, show

    by = _by(releases, models, is_canary)
    with open_session(fleet_file, None, None) as session, open_records(session.fleet) as records:
        subject = run.canary(session, records) if by is By.CANARY else _subject(by, releases or models, session)
        comparison = run.compare(session, records, subject, alpha, None if margin is None else margin / 100)
    if as_json:
        emit_json("compare", session.fleet.name, comparison.exit, show.as_json(comparison))
    else:
        show.show(comparison)
    return comparison.exit


def _by(releases: tuple[str, ...], models: tuple[str, ...], is_canary: bool) -> By:
    given = {By.RELEASE: releases, By.MODEL: models, By.CANARY: ("a", "b") if is_canary else ()}
    ways = [by for by, arms in given.items() if arms]
    if len(ways) != 1 or len(given[ways[0]]) != 2:
        raise ConfigError(
            "Two things are compared: releases, or models, or the canary and the others",
            "jada compare RELEASE RELEASE, or --model MODEL --model MODEL, or --canary",
        )
    return ways[0]


def _subject(by: By, arms: tuple[str, ...], session: FleetSession) -> Subject:
    from jada.inventory.models import catalogue, resolve
    from jada.tasks.release import ReleaseError, checked_id
    from jada.tasks.served import is_asked_for

    try:
        a, b = (
            resolve(arm, catalogue(session.fleet.models), allow_unlisted=True).id
            if by is By.MODEL
            else checked_id(arm, "RELEASE")
            for arm in arms
        )
    except ReleaseError as error:
        raise ConfigError(str(error), "jada history lists them") from None
    if a == b or (by is By.MODEL and is_asked_for(a, b)):
        raise ConfigError(f"Both arms are the same {by}: {a}", "name two different ones")
    return Subject(by=by, a=a, b=b)
