"""jada drift"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jada import Exit, HostError
from jada.cli import drift_formats, notices
from jada.cli.drift_log import Episode, open_log
from jada.cli.drift_report import Drift, HostDrift, Judged, Standing, explain, judge
from jada.cli.fleet import Opened, host_options, load, open_fleet
from jada.cli.output import emit_json, err, escape, out, plural, table, write_file
from jada.cli.records import open_records
from jada.cli.span import span
from jada.tasks.state import State

if TYPE_CHECKING:
    from jada.inventory.fleet import Fleet

FILE = click.Path(dir_okay=False, path_type=Path)
IN_WORDS = {
    Standing.IN_SYNC: "in sync",
    Standing.DRIFTED: "drifted",
    Standing.NOT_CHECKED: "not checked",
    Standing.GONE: "gone",
}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Report as JSON; its form is in docs/drift.schema.json.")
@click.option("--github", is_flag=True, help="Report as annotations of GitHub Actions.")
@click.option("--junit", metavar="FILE", type=FILE, help="Write JUnit's XML too, for a CI's test report.")
@click.option("--sarif", metavar="FILE", type=FILE, help="Write SARIF 2.1.0 too, for code scanning.")
@click.option("--prometheus", metavar="FILE", type=FILE, help="Write metrics too, for node_exporter's textfile folder.")
@click.option("--since", metavar="SPAN", type=span, help="Look at no host: list what was found and resolved since.")
@click.option("--explain", "code", metavar="CODE", help="Look at no host: tell what a code means and what mends it.")
@host_options
def drift(
    as_json: bool,
    github: bool,
    junit: Path | None,
    sarif: Path | None,
    prometheus: Path | None,
    since: int | None,
    code: str | None,
    fleet_file: str | None,
    role: str | None,
    limit: str | None,
) -> int:
    """Check that what runs on every host is what was asked for. Read-only, one look per host.

    Prints one line for each finding, keeps a history, and tells those that fleet.yml's `notify` names of what is new
    or resolved. Findings that fleet.yml accepts, and notes, are shown but are no drift. docs/drift.md has it all.

    Exit code 0: all in sync. 3: drift. 1: a host could not be checked.

    \b
    Examples:
      jada drift
      jada drift --role specialist
      jada drift --json | jq '.hosts[] | select(.in_sync | not)'
      jada drift --prometheus /var/lib/prometheus/node-exporter/jada.prom
      jada drift --junit drift.xml --sarif drift.sarif --github
      jada drift --explain J102
      jada drift --since 7d
      jada schedule --every 15m                 let it run by itself
      jada heal                                 bring drifted hosts back
    """
    if as_json and github:
        raise click.UsageError("--json and --github both write to stdout: take one of them")
    if code:
        out.print(escape(explain(code)))
        return Exit.OK
    if since is not None:
        return _history(load(fleet_file), since, as_json)
    with open_fleet(fleet_file, role, limit) as opened:
        found = judged(opened, opened.look("Checking hosts"), whole=role is None and limit is None)
    if as_json:
        emit_json("drift", drift_formats.as_json(found))
    elif github:
        click.echo(drift_formats.github(found), nl=False)
    else:
        show(found)
    _remember_and_tell(opened, found)
    if junit:
        write_file(junit, drift_formats.junit(found))
    if sarif:
        write_file(sarif, drift_formats.sarif(found, _in_repository(opened.fleet.path)))
    if prometheus:
        write_file(prometheus, drift_formats.prometheus(found))
    return found.exit


def judged(opened: Opened, seen: Mapping[str, State | HostError], whole: bool) -> Drift:
    """What was seen, judged by the hosts' own releases, by fleet.yml and by the record."""
    with open_records() as records:
        released = {name: entry.release for name, entry in records.released(opened.fleet.name).items()}
    return judge(opened.fleet, opened.hosts, seen, released, datetime.now(UTC), whole)


def show(found: Drift) -> None:
    """Prints one line for each finding, and one that counts the hosts."""
    for row in found.hosts:
        for one in row.findings:
            out.print(_line(row, one))
    out.print(summary(found))


def summary(found: Drift) -> str:
    """The hosts, counted by what is known of them."""
    counts = {words: found.count(standing) for standing, words in IN_WORDS.items()}
    hosts = len(found.hosts) - counts["gone"]
    return f"{plural(hosts, 'host')}: {', '.join(f'{count} {words}' for words, count in counts.items() if count)}."


def _line(row: HostDrift, one: Judged) -> str:
    mark = "[red]✗[/]" if one.counts else "[yellow]•[/]"
    what = escape(drift_formats.told(one))
    if row.standing is Standing.NOT_CHECKED:
        what = f"[red]not checked[/] {one.finding.code} {one.finding.name}: {escape(one.finding.seen)}"
    mend = f"\n    Mend: {escape(one.finding.mend_on(row.host))}" if one.counts else ""
    return f"{mark} [bold]{escape(row.host)}[/] {what}{mend}"


def _remember_and_tell(opened: Opened, found: Drift) -> None:
    """Keeps the history and sends notices; what could not be sent is told here and sent the next time."""
    sends = notices.targets(opened.fleet)
    with open_log() as log:
        log.add(found, sends)
        for error in notices.tell(opened.fleet.name, log, sends):
            err.print(f"[yellow]Warning[/] {escape(error.message)}; it will be told at the next check")
            if error.hint:
                err.print(f"Try: {escape(error.hint)}")


def _history(config: Fleet, seconds: int, as_json: bool) -> Exit:
    at = datetime.fromtimestamp(datetime.now(UTC).timestamp() - seconds, UTC).isoformat(timespec="seconds")
    with open_log() as log:
        checks, episodes = log.since(config.name, at)
    if as_json:
        data: dict[str, Any] = {"fleet": config.name, "since": at}
        lists = {"checks": [asdict(one) for one in checks], "episodes": [asdict(one) for one in episodes]}
        emit_json("drift-history", data | lists)
        return Exit.OK
    if episodes:
        rows = (_cells(one) for one in episodes)
        out.print(table(("found", "ended", "host", "finding", "expected", "seen"), rows))
    unchecked = sum(one.not_checked > 0 for one in checks)
    missed = f", {unchecked} of which could not check every host" if unchecked else ""
    told = plural(len(episodes), "finding") if episodes else "nothing found"
    out.print(f"{escape(config.name)} since {at}: {plural(len(checks), 'check')} from this machine{missed}; {told}.")
    return Exit.OK


def _cells(one: Episode) -> list[str]:
    ended = f"{_time(one.resolved)} {one.how}" if one.resolved else "[red]open[/]"
    return [_time(one.found), ended, escape(one.host), one.code, escape(one.expected), escape(one.seen)]


def _time(at: str) -> str:
    return at[:16].replace("T", " ") + "Z"


def _in_repository(file: Path) -> Path:
    """The path as a checkout in the working folder has it, where it is in there."""
    whole, here = file.resolve(), Path.cwd()
    return whole.relative_to(here) if whole.is_relative_to(here) else whole
