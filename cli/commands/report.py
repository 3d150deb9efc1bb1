"""jada report"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jada.cli.options import host_options
from jada.cli.results import judge_each
from jada.cli.session import open_session
from jada.cli.ui.console import escape, out, write_file
from jada.cli.ui.duration import parse_duration

if TYPE_CHECKING:
    from jada.cli.drift.evaluate import DriftReport
    from jada.cli.report.page import Page
    from jada.inventory.fleet.config import Fleet
    from jada.tasks.state import State


@click.command()
@click.option(
    "--html",
    "file",
    metavar="FILE",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to write; one that is there is replaced in one step.",
)
@click.option(
    "--since",
    metavar="DURATION",
    type=parse_duration,
    default="30d",
    show_default=True,
    help="How far back releases and drift are shown.",
)
@host_options
def report(file: Path, since: int, fleet_file: str | None, role: str | None, limit: str | None) -> int:
    """Write a page to look at: hosts, drift, releases, why.

    Which host drifted in what, since when, who released what, why each host runs the model it runs, and what was
    compared. Read-only, one look per host.

    The page is one file that loads nothing: mail it, keep it, print it, or put it where a browser finds it. Hosts are
    judged as by `jada drift`, which alone keeps the history and tells people: what this look found is on the page, but
    not remembered. No secrets are in it, but the names of hosts and of people are; who may read it is for the umask.

    Exit code 0: all in sync. 3: drift. 1: a host could not be checked. The page is written all the same.

    \b
    Examples:
      jada report --html fleet.html
      jada report --html fleet.html --since 7d
      jada report --html web.html --limit 'web-*'
      (umask 027; jada report --html /srv/www/fleet.html)   the group reads it
    """
    # Not for completion, which wants the options alone.
    from jada.cli.drift.asking import check_hosts
    from jada.cli.drift.check import evaluate_fleet, summary
    from jada.cli.report.page import html

    with open_session(fleet_file, role, limit) as session:
        seen = judge_each(check_hosts(session), _explainable)
        drift = evaluate_fleet(session, seen, whole=role is None and limit is None)
    words = (f"--role {role}" if role else "", f"--limit {limit}" if limit else "")
    write_file(file, html(_page(session.fleet, drift, seen.ok, since, " ".join(filter(None, words)))), mode=None)
    out.print(f"Wrote {escape(str(file))}. {summary(drift)}")
    return drift.exit


def _explainable(name: str, state: State) -> State:
    """The state, if the page can tell why the host runs what it runs."""
    from jada.cli.ui.explanation import explanation_dict

    explanation_dict(name, state)
    return state


def _page(fleet: Fleet, drift: DriftReport, states: Mapping[str, State], seconds: int, only: str) -> Page:
    """The page with what the record holds of the hosts that are on it."""
    from jada.cli.compare.run import recorded
    from jada.cli.drift.log import open_log
    from jada.cli.records.sqlite import open_records
    from jada.cli.report.page import Done, Page

    since = drift.at - timedelta(seconds=seconds)
    names = {row.host for row in drift.hosts}
    with open_records(fleet) as records:
        done = [
            Done(
                entry,
                dict(Counter(host.outcome for host in hosts)),
                tuple(each for each in records.network(entry.id) if drift.whole or each.host in names),
            )
            for entry in records.since(drift.fleet, since)
            if (hosts := [host for host in records.hosts(entry.id) if drift.whole or host.host in names])
        ]
        # They are of the whole fleet.
        comparisons = recorded(drift.fleet, records, since.isoformat(timespec="seconds")) if drift.whole else []
    with open_log(fleet) as log:
        checks, episodes = log.since(drift.fleet, since.isoformat(timespec="seconds"))
    own = tuple(episode for episode in episodes if drift.whole or episode.host in names)
    return Page(drift, states, since, tuple(checks), own, tuple(done), only, tuple(comparisons))
