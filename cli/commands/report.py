"""jada report"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jada.cli.options import host_options
from jada.cli.results import judge_each
from jada.cli.session import FleetSession, open_session, operator
from jada.cli.ui.console import escape, out, write_file
from jada.cli.ui.duration import parse_duration

if TYPE_CHECKING:
    from jada.cli.drift.evaluate import DriftReport
    from jada.cli.records.sqlite import Records
    from jada.cli.report.page import Done, Page
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
    """Write a page to look at: the verdict, models, drift, why.

    Its head can be mailed: how many hosts are in sync, what needs a person, who holds the fleet, and how many hosts of
    each role run which model, with prices and retirements. Then which model hosts were released to over time, rollouts
    with their waves and probes, which host drifted in what, since when, and why each host runs what it runs. Read-only,
    one look per host.

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
    from jada.cli.report.html import html

    with open_session(fleet_file, role, limit) as session:
        seen = judge_each(check_hosts(session), _explainable)
        drift = evaluate_fleet(session, seen, whole=role is None and limit is None)
    words = (f"--role {role}" if role else "", f"--limit {limit}" if limit else "")
    page = _page(session, drift, seen.ok, drift.at - timedelta(seconds=since), " ".join(filter(None, words)))
    write_file(file, html(page), mode=None)
    out.print(f"Wrote {escape(str(file))}. {summary(drift)}")
    return drift.exit


def _explainable(name: str, state: State) -> State:
    """The state, if the page can tell why the host runs what it runs."""
    from jada.cli.ui.explanation import explanation_dict

    explanation_dict(name, state)
    return state


def _page(session: FleetSession, drift: DriftReport, states: Mapping[str, State], since: datetime, only: str) -> Page:
    """The page with what the record holds of the hosts that are on it, and who holds the fleet now."""
    from jada.cli.compare.run import recorded
    from jada.cli.drift.log import open_log
    from jada.cli.records.sqlite import open_records
    from jada.cli.report.page import Page
    from jada.cli.rollout.exclusive import NotKnownError, holder_now

    fleet, lease, trouble = session.fleet, None, ""
    names = {row.host for row in drift.hosts}
    try:
        lease = holder_now(fleet)
    except NotKnownError as error:
        trouble = error.message
    with open_records(fleet) as records:
        done, released = _past(records, drift, since)
        # They are of the whole fleet.
        comparisons = recorded(drift.fleet, records, since.isoformat(timespec="seconds")) if drift.whole else []
    with open_log(fleet) as log:
        checks, episodes = log.since(drift.fleet, since.isoformat(timespec="seconds"))
    return Page(
        fleet=fleet,
        drift=drift,
        states=states,
        since=since,
        who=operator(),
        checks=tuple(checks),
        episodes=tuple(episode for episode in episodes if drift.whole or episode.host in names),
        released=released,
        done=done,
        only=only,
        comparisons=tuple(comparisons),
        lease=lease,
        lease_trouble=trouble,
    )


def _past(records: Records, drift: DriftReport, since: datetime) -> tuple[tuple[Done, ...], dict[str, str]]:
    """The releases of the hosts on the page since then, with the rollout that is open, and what they had before."""
    from jada.cli.report.page import Done
    from jada.cli.report.released import released_model

    names = {row.host for row in drift.hosts}
    entries = {entry.id: entry for entry in records.since(drift.fleet, since)}
    rollouts = {rollout.release: rollout for rollout in records.rollouts(drift.fleet, len(entries) + 1)}
    # One that is open is decided upon by somebody, however long ago it began.
    waiting = (records.entry(release) for release, rollout in rollouts.items() if rollout.is_open)
    entries |= {entry.id: entry for entry in waiting if entry}
    done = [
        Done(
            entry,
            tuple(hosts),
            tuple(each for each in records.network(entry.id) if drift.whole or each.host in names),
            rollouts.get(entry.id),
        )
        for entry in sorted(entries.values(), key=lambda entry: entry.id)
        if (hosts := [host for host in records.hosts(entry.id) if drift.whole or host.host in names])
    ]
    before = records.released(drift.fleet, since)
    earlier = {release: records.entry(release) for release in {host.release for host in before.values()}}
    models = {name: released_model(entry, host) for name, host in before.items() if (entry := earlier[host.release])}
    return tuple(done), models
