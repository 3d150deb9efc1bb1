"""jada history"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

import click

from jada import Exit, HostError
from jada.cli.fleet import Opened, each_judged, host_options, load, open_fleet
from jada.cli.output import all_visible, emit_json, err, escape, out, plural, table
from jada.cli.records import BEGUN, Entry, HostEntry, Records, open_records
from jada.tasks.state import Past


@click.command()
@click.option("--host", metavar="NAME", help="Only what happened to this host.")
@click.option("--last", type=click.IntRange(1), default=20, show_default=True, help="How many, the newest first.")
@click.option("--rebuild", is_flag=True, help="Read the record back from the hosts first, each of which keeps its own.")
@click.option("--json", "as_json", is_flag=True, help="Report as JSON.")
@host_options
def history(
    host: str | None,
    last: int,
    rebuild: bool,
    as_json: bool,
    fleet_file: str | None,
    role: str | None,
    limit: str | None,
) -> int:
    """Show what was done to the fleet: every upgrade and rollback, when, by whom and why.

    The record is this machine's own (under the XDG state folder); --rebuild adds what the hosts know, after
    the record was lost or when somebody else worked from another machine.

    \b
    Examples:
      jada history
      jada history --host specialist-1
      jada history --rebuild
      jada show 20261124-150401-74e5
    """
    code = Exit.OK
    config = load(fleet_file)
    with open_records() as records:
        if rebuild:
            with open_fleet(fleet_file, role, limit) as opened:
                code = _rebuild(opened, records)
        entries = records.entries(config.name, host, last)
        endings = {entry.id: records.endings(entry.id) for entry in entries}
    if as_json:
        emit_json("history", {"releases": [{**asdict(entry), "hosts": endings[entry.id]} for entry in entries]})
    elif not entries:
        out.print(f"Nothing is recorded for {escape(config.name)} here. Try: jada history --rebuild")
    else:
        rows = (_cells(entry, endings[entry.id]) for entry in entries)
        out.print(table(("release", "when", "kind", "model", "hosts", "by", "why"), rows))
    return code


@click.command()
@click.argument("release")
@click.option("--json", "as_json", is_flag=True, help="Report as JSON.")
def show(release: str, as_json: bool) -> int:
    """Show one release of `jada history`: each host, before, after, how it ended and how long it took."""
    with open_records() as records:
        entry = records.entry(release)
        hosts = records.hosts(release)
    if entry is None:
        err.print(f"No release {escape(release)} is recorded here. Try: jada history --rebuild")
        return Exit.FAILED
    if as_json:
        emit_json("show", {**asdict(entry), "hosts": [asdict(host) for host in hosts]})
        return Exit.OK
    what, fleet, at, who = map(escape, (f"{entry.kind} {entry.id}", entry.fleet, entry.at, entry.who))
    out.print(f"[bold]{what}[/] of {fleet}, {at}, by {who}")
    if entry.reason:
        out.print(f"Why: {escape(entry.reason)}")
    cells = (
        (escape(host.host), _ending(host.ending), escape(host.model_before or "–"), escape(host.model_after or "–"),
         f"{host.seconds:.1f} s" if host.seconds else "–", escape(host.reason))
        for host in hosts
    )  # fmt: skip
    out.print(table(("host", "ending", "before", "after", "took", "told"), cells))
    return Exit.OK


def _rebuild(opened: Opened, records: Records) -> Exit:
    """Adds what the hosts remember to the record; what it knows already better stays."""
    seen = opened.visit(
        "Reading the hosts' own records",
        (host.name for host in opened.hosts),
        lambda _, connection: connection.look(history=True).history,
    )
    found: dict[str, tuple[Entry, list[HostEntry]]] = {}
    told = each_read(seen)
    for pasts in told.values():
        for entry, host in () if isinstance(pasts, HostError) else pasts:
            found.setdefault(entry.id, (entry, []))[1].append(host)
    for release, (entry, hosts) in found.items():
        known = {host.host for host in records.hosts(release) if host.ending != BEGUN}
        records.add(records.entry(release) or entry, [host for host in hosts if host.host not in known])
    failed = [error for error in told.values() if isinstance(error, HostError)]
    for error in failed:
        err.print(f"[red]✗[/] not read: {escape(error.message)}")
    err.print(f"Read {plural(len(found), 'release')} back from {plural(len(seen) - len(failed), 'host')}.")
    return Exit.FAILED if failed else Exit.OK


def each_read(seen: Mapping[str, tuple[Past, ...] | HostError]) -> dict[str, list[tuple[Entry, HostEntry]] | HostError]:
    """What of each host's own record can be kept; a host whose record can't is that host's trouble."""

    def read(name: str, pasts: tuple[Past, ...]) -> list[tuple[Entry, HostEntry]]:
        return [(all_visible(_entry(past)), all_visible(_host_entry(name, past))) for past in pasts]

    return each_judged(seen, read)


def _entry(past: Past) -> Entry:
    made = past.release
    return Entry(made.id, made.fleet, made.kind, made.at, made.who, made.reason, made.wanted.model)


def _host_entry(name: str, past: Past) -> HostEntry:
    made = past.release
    ending = "restored" if past.error else "done"
    return HostEntry(made.id, name, ending, past.error, made.before.model, made.wanted.model, 0.0)


def _cells(entry: Entry, endings: dict[str, int]) -> list[str]:
    told = ", ".join(f"{count} {_ending(ending)}" for ending, count in endings.items())
    when = entry.at.replace("T", " ").removesuffix("+00:00") + "Z"
    first = map(escape, (entry.id, when, entry.kind, entry.model or "–"))
    return [*first, told, escape(entry.who), escape(entry.reason)]


def _ending(ending: str) -> str:
    colour = "green" if ending in ("verified", "done", "unchanged") else "yellow" if ending == BEGUN else "red"
    return f"[{colour}]{escape(ending)}[/]"
