"""A check for drift: the hosts that were seen are evaluated, shown, kept, and told to those who want to know."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from jada import Exit, HostError, JadaError
from jada.cli.drift import formats, notices
from jada.cli.drift.evaluate import DriftReport, EvaluatedFinding, HostDrift, Status, evaluate, unmatched
from jada.cli.drift.log import open_log
from jada.cli.records.drift import Check, Episode
from jada.cli.records.sqlite import open_records
from jada.cli.session import FleetSession, choose_recorded
from jada.cli.ui.console import emit_json, err, escape, named, nulled, out, plural
from jada.cli.ui.duration import local
from jada.cli.ui.tables import Column, show_table
from jada.tasks.state import State

if TYPE_CHECKING:
    from jada.inventory.fleet.config import Fleet

IN_WORDS = {
    Status.IN_SYNC: "in sync",
    Status.DRIFTED: "drifted",
    Status.UNPROVEN: "unproven",
    Status.NOT_CHECKED: "not checked",
    Status.CHANGING: "being changed",
    Status.GONE: "gone",
}

EPISODES = (
    Column("opened"),
    Column("closed", wraps=True),
    Column("host"),
    Column("finding"),
    Column("expected", 1, wraps=True),
    Column("actual", wraps=True),
)


def evaluate_fleet(session: FleetSession, seen: Mapping[str, State | HostError], whole: bool) -> DriftReport:
    """Evaluates what was seen, by the hosts' own releases, by fleet.yml and by the record. Raises JadaError."""
    return _evaluate(session, seen, _released(session.fleet), whole)


def evaluate_fleet_anyway(
    session: FleetSession, seen: Mapping[str, State | HostError], whole: bool
) -> tuple[DriftReport, JadaError | None]:
    """Does the same without the record where it can't be read, and gives the reason too. Raises ConfigError."""
    released, unread = {}, None
    try:
        released = _released(session.fleet)
    except JadaError as error:
        unread = error
    return _evaluate(session, seen, released, whole), unread


def _evaluate(
    session: FleetSession, seen: Mapping[str, State | HostError], released: Mapping[str, str], whole: bool
) -> DriftReport:
    report = evaluate(session.fleet, session.hosts, seen, released, datetime.now(UTC), whole)
    for note in unmatched(session.fleet, session.hosts, report) if whole else ():
        err.print(f"[yellow]Note[/] {escape(note)}")
    return report


def _released(fleet: Fleet) -> dict[str, str]:
    """The last release that the record knows for each host. Raises JadaError."""
    with open_records(fleet) as records:
        return {name: entry.release for name, entry in records.released(fleet.name).items()}


def show(report: DriftReport) -> None:
    """Prints one line for each finding, what is no drift once for all its hosts, and one that counts the hosts."""
    noted: dict[str, list[str]] = defaultdict(list)
    for row in report.hosts:
        for evaluated in row.findings:
            if evaluated.is_drift:
                out.print(_line(row, evaluated))
            else:
                noted[formats.text_of(evaluated)].append(row.host)
    for text, hosts in noted.items():
        out.print(f"[yellow]•[/] [bold]{escape(named(hosts))}[/] {escape(text)}")
    out.print(summary(report))


def summary(report: DriftReport) -> str:
    """The hosts, counted by what is known of them."""
    counts = {words: report.count(status) for status, words in IN_WORDS.items()}
    hosts = len(report.hosts) - counts["gone"]
    return f"{plural(hosts, 'host')}: {', '.join(f'{count} {words}' for words, count in counts.items() if count)}."


def _line(row: HostDrift, evaluated: EvaluatedFinding) -> str:
    shown = escape(formats.text_of(evaluated))
    if row.status is Status.NOT_CHECKED:
        shown = (
            f"[red]not checked[/] {evaluated.finding.code} {evaluated.finding.name}: {escape(evaluated.finding.actual)}"
        )
    return f"[red]✗[/] [bold]{escape(row.host)}[/] {shown}\n    Fix: {escape(evaluated.finding.fix_on(row.host))}"


def remember_and_tell(session: FleetSession, report: DriftReport, unread: JadaError | None = None) -> None:
    """Keeps the history and sends notices; what could not be sent is told here and sent the next time.

    Raises JadaError, also where the record was `unread`: what was found without it may be news that is none.
    """
    if unread:
        raise unread
    sends = notices.channels(session.fleet)
    with open_log(session.fleet) as log:
        log.add(report, sends)
        for error in notices.notify(session.fleet.name, log, sends):
            err.print(f"[yellow]Warning[/] {escape(error.message)}; it will be told at the next check")
            if error.hint:
                err.print(f"Try: {escape(error.hint)}")


def history(config: Fleet, seconds: int, as_json: bool, role: str | None, limit: str | None) -> Exit:
    """Lists what was found and resolved in the last `seconds` on the hosts that --role and --limit leave, unlooked at.

    Raises JadaError.
    """
    at = datetime.fromtimestamp(datetime.now(UTC).timestamp() - seconds, UTC).isoformat(timespec="seconds")
    with open_records(config) as records, open_log(config) as log:
        known = records.host_names(config.name) | log.host_names(config.name)
        hosts = choose_recorded(config, known, role, limit)
        checks, episodes = log.since(config.name, at)
    episodes = [episode for episode in episodes if hosts is None or episode.host in hosts]
    if as_json:
        lists = {
            "checks": [_as_json(check) for check in checks],
            "episodes": [_as_json(episode) for episode in episodes],
        }
        emit_json("drift-history", config.name, Exit.OK, {"since": at, **lists})
        return Exit.OK
    if episodes:
        show_table(EPISODES, [_cells(episode) for episode in episodes], hint="--json")
    unchecked = sum(check.not_checked > 0 for check in checks)
    missed = f", {unchecked} of which could not check every host" if unchecked else ""
    tally = plural(len(episodes), "finding") if episodes else "nothing found"
    tally += "" if hosts is None else " on these hosts"
    begin = f"{escape(config.name)} since {escape(local(at))}"
    shown = f"{begin}: {plural(len(checks), 'check')} from this machine{missed}; {tally}."
    out.print(shown)
    return Exit.OK


def _as_json(entry: Check | Episode) -> dict[str, Any]:
    return nulled({key: value for key, value in asdict(entry).items() if key != "fleet"})


def _cells(episode: Episode) -> list[str]:
    ended = f"{_time(episode.closed_at)} {escape(episode.resolution)}" if episode.closed_at else "[red]open[/]"
    return [
        _time(episode.opened_at),
        ended,
        *map(escape, (episode.host, episode.code, episode.expected, episode.actual)),
    ]


def _time(at: str) -> str:
    return escape(local(at))
