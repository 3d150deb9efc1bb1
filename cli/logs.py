"""The journals of many hosts as one, each line with its host, time, model and release."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from jada import Exit, HostError
from jada.cli.session import FleetSession
from jada.cli.ui.console import emit_json_line, err, escape, nulled, out
from jada.cli.ui.duration import iso, local
from jada.tasks.journal import JournalQuery, LogLine

# A line, and the host that it is of.
Row = tuple[str, LogLine]
# Lines that wait to be put in the order of their times.
MOST_WAITING = 1000


def show_journals(session: FleetSession, query: JournalQuery, as_json: bool) -> Exit:
    """Prints what the journals have now, by time. Raises the only host's error."""
    names = [host.name for host in session.hosts]
    journals = session.run_on_each("Reading journals", names, lambda _, connection: connection.journal(query))
    if len(names) == 1 and journals.failed:
        raise journals.failed[names[0]]
    _show(session, by_time(journals.ok), as_json)
    for error in journals.failed.values():
        _tell(error)
    return Exit.FAILED if journals.failed else Exit.OK


def follow_journals(session: FleetSession, query: JournalQuery, as_json: bool) -> Exit:
    """Prints what comes too, until every host is lost or somebody presses Ctrl-C: lines that come together, by time."""
    waiting: list[Row] = []
    names = [host.name for host in session.hosts]
    for event in session.engine.follow(names, lambda _, connection: connection.follow(query)):
        if event is None or len(waiting) >= MOST_WAITING:
            _show(session, sorted(waiting, key=_time), as_json)
            waiting = []
        if event is None:
            continue
        name, line = event
        if isinstance(line, HostError):
            _tell(line)
        else:
            waiting.append((name, line))
    _show(session, sorted(waiting, key=_time), as_json)
    return Exit.FAILED


def by_time(journals: Mapping[str, Iterable[LogLine]]) -> list[Row]:
    """The lines of all hosts in the order of their times; those of one host stay in theirs."""
    return sorted(((name, line) for name, lines in journals.items() for line in lines), key=_time)


def _time(row: Row) -> float:
    return row[1].at


def _tell(error: HostError) -> None:
    text = f"{error.message}; {error.hint}" if error.hint else error.message
    err.print(f"[red]Unreachable[/] {escape(text)}")


def _show(session: FleetSession, rows: Iterable[Row], as_json: bool) -> None:
    if as_json:
        for name, line in rows:
            emit_json_line("logs", {"fleet": session.fleet.name, "host": name, **_facts(line)})
        return
    width = max(len(host.name) for host in session.hosts)
    if lines := [_as_text(name.ljust(width), line) for name, line in rows]:
        out.print("\n".join(lines))


def _as_text(name: str, line: LogLine) -> str:
    at = local(_at(line) or "-")
    release = f"{line.model or '-'} {line.release or '-'}"
    return f"[bold]{escape(name)}[/] {at} [dim]{escape(release)}[/] {escape(line.text)}"


def _at(line: LogLine) -> str:
    return iso(line.at) or "" if line.at else ""


def _facts(line: LogLine) -> dict[str, str | None]:
    return nulled({"at": _at(line), "model": line.model, "release": line.release, "message": line.text})
