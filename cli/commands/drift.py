"""jada drift"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jada import ConfigError, Exit, JadaError
from jada.cli.options import host_options
from jada.cli.session import load, open_session
from jada.cli.ui.complete import finding_codes
from jada.cli.ui.console import emit_json, err, escape, out, put, write_file
from jada.cli.ui.duration import parse_duration
from jada.cli.ui.given import GIVEN

if TYPE_CHECKING:
    from jada.cli.drift.evaluate import DriftReport

FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.option(
    "--since", metavar="DURATION", type=parse_duration, help="Look at no host: list what was found and resolved since."
)
@click.option(
    "--explain",
    "code",
    metavar="CODE",
    type=GIVEN,
    shell_complete=finding_codes,
    help="Look at no host: tell what a code means and how to fix it.",
)
@click.option("--json", "as_json", is_flag=True, help="Report as JSON; its form is in docs/schemas/drift.json.")
@click.option("--github", is_flag=True, help="Report as annotations of GitHub Actions.")
@click.option("--junit", metavar="FILE", type=FILE, help="Write JUnit's XML too, for a CI's test report.")
@click.option("--sarif", metavar="FILE", type=FILE, help="Write SARIF 2.1.0 too, for code scanning.")
@click.option("--prometheus", metavar="FILE", type=FILE, help="Write metrics too, for node_exporter's textfile folder.")
@click.option("--markdown", metavar="FILE", type=FILE, help="Write Markdown too, as for $GITHUB_STEP_SUMMARY.")
@host_options
def drift(
    as_json: bool,
    github: bool,
    junit: Path | None,
    sarif: Path | None,
    prometheus: Path | None,
    markdown: Path | None,
    since: int | None,
    code: str | None,
    fleet_file: str | None,
    role: str | None,
    limit: str | None,
) -> int:
    """Check that what runs is what was asked for. Read-only, one look per host.

    Prints one line for each finding, keeps a history, and tells those that fleet.yml's `notify` names of what is new
    or resolved. Findings that fleet.yml accepts, and notes, are shown but are no drift. docs/drift.md has it all.

    Exit code 0: all in sync. 3: drift. 1: a host could not be checked, or not all was written down.

    \b
    Examples:
      jada drift
      jada drift --role specialist
      jada drift --json | jq '.hosts[] | select(.in_sync | not)'
      jada drift --prometheus /var/lib/prometheus/node-exporter/jada.prom
      jada drift --junit drift.xml --sarif drift.sarif --github
      jada drift --markdown "$GITHUB_STEP_SUMMARY"
      jada drift --explain J102
      jada drift --since 7d
      jada schedule --every 15m                 let it run by itself
      jada heal                                 bring drifted hosts back
    """
    # Not for completion, which wants the options alone.
    from jada.cli.drift import check, formats
    from jada.cli.drift.asking import check_hosts
    from jada.cli.drift.evaluate import explain
    from jada.inventory import models

    if as_json and github:
        raise ConfigError("--json and --github both write to stdout", "take one of them")
    if code:
        for line in explain(code).splitlines():
            out.print(escape(line))
        return Exit.OK
    if since is not None:
        return check.history(load(fleet_file), since, as_json, role, limit)
    with open_session(fleet_file, role, limit) as session:
        seen = check_hosts(session)
        report, unread = check.evaluate_fleet_anyway(session, seen, whole=role is None and limit is None)
    catalogue = models.catalogue(session.fleet.models)
    files = (
        (junit, partial(formats.junit, seconds=seen.seconds)),
        (sarif, partial(formats.sarif, place=_in_repository(session.fleet.path))),
        (prometheus, partial(formats.prometheus, retires=partial(models.retires, catalogue=catalogue))),
        (markdown, partial(formats.markdown, summary=check.summary(report))),
    )
    _do_all(
        partial(_print, report, as_json, github),
        *(partial(_write, file, form, report) for file, form in files if file),
        partial(check.remember_and_tell, session, report, unread),
    )
    return report.exit


def _print(report: DriftReport, as_json: bool, github: bool) -> None:
    from jada.cli.drift import check, formats

    if as_json:
        emit_json("drift", report.fleet, report.exit, formats.as_json(report), report.at)
    elif github:
        put(formats.github(report))
    else:
        check.show(report)


def _write(file: Path, form: Callable[[DriftReport], str], report: DriftReport) -> None:
    write_file(file, form(report))


def _do_all(*steps: Callable[[], None]) -> None:
    """Does each step, whatever comes of the others; tells each error but the first, and raises that."""
    errors: list[JadaError | BrokenPipeError] = []
    for step in steps:
        try:
            step()
        except (JadaError, BrokenPipeError) as error:
            errors.append(error)
    for other in errors[1:]:
        err.print(f"[red]✗[/] {escape(str(other))}")
    if errors:
        raise errors[0]


def _in_repository(file: Path) -> Path:
    """The path as a checkout in the working folder has it, where it is in there."""
    whole, here = file.resolve(), Path.cwd()
    return whole.relative_to(here) if whole.is_relative_to(here) else whole
