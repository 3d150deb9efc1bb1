"""jada history"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import click

from jada import ConfigError, Exit, HostError, JadaError, natural
from jada.cli.discovery import inventory_age
from jada.cli.options import fleet_option, read_options
from jada.cli.records.complete import releases
from jada.cli.records.model import AHEAD, REDO, Entry, HostEntry, HostOutcome, LockEntry, NetworkEntry
from jada.cli.records.sqlite import Records, open_records
from jada.cli.results import HostResults, judge_each
from jada.cli.session import FleetSession, choose_recorded, load, open_session
from jada.cli.ui.complete import host_names
from jada.cli.ui.console import all_visible, emit_json, err, escape, grouped, named, nulled, out, plural
from jada.cli.ui.duration import local, local_times
from jada.cli.ui.given import GIVEN
from jada.cli.ui.tables import Column, show_table, wide_option
from jada.tasks.release import first_id
from jada.tasks.state import HistoryEntry

if TYPE_CHECKING:
    from jada.inventory.fleet.config import Fleet

# A host's word on a release: the release, and its own part in it.
Word = tuple[Entry, HostEntry]
# As many releases as are named of those that are left out.
MOST_TOLD = 3

ENTRIES = (
    Column("release"),
    Column("when", 2),
    Column("kind"),
    Column("model", 1),
    Column("hosts", wraps=True),
    Column("by", 3),
    Column("why", wraps=True),
)
HOSTS = (
    Column("host"),
    Column("outcome"),
    Column("before", 1),
    Column("after"),
    Column("duration", 2),
    Column("detail", wraps=True),
)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """The word of one host on a release that is not kept, and why."""

    host: str
    why: str
    release: str


@click.command()
@click.option("--host", metavar="NAME", type=GIVEN, shell_complete=host_names, help="Only what happened to this host.")
@click.option("--last", type=click.IntRange(1), default=20, show_default=True, help="How many, the newest first.")
@click.option("--rebuild", is_flag=True, help="Read the record back from the hosts first, each of which keeps its own.")
@click.option("--json", "as_json", is_flag=True, help="Report as JSON.")
@wide_option
@read_options
def history(
    host: str | None,
    last: int,
    rebuild: bool,
    as_json: bool,
    form: str | None,
    fleet_file: str | None,
    role: str | None,
    limit: str | None,
) -> int:
    """Show what was done, when, by whom and why. Every upgrade, rollback, heal and lock is listed.

    The record is this machine's own (under the XDG state folder), or the team's where fleet.yml has a `state`.
    --rebuild adds what the hosts know, after the record was lost or when somebody else worked with another one.
    --host, --role and --limit leave what happened to those hosts, and count no others.

    \b
    Examples:
      jada history
      jada history --host specialist-1
      jada history --rebuild
      jada show 20261124-150401-74e5
    """
    code = Exit.OK
    config = load(fleet_file)
    with open_records(config) as records:
        if rebuild:
            with open_session(fleet_file, role, limit) as session:
                code = read_back(session, records, datetime.now(UTC))
        hosts = choose_recorded(config, records.host_names(config.name), role, limit, host)
        entries = records.entries(config.name, hosts, last)
        outcomes = {entry.id: records.outcomes(entry.id, hosts) for entry in entries}
        networks = {entry.id: changed_networks(records, entry.id, hosts) for entry in entries}
        locks = _by_lock(records.locks(config.name, hosts))[:last]
    if as_json:
        releases = [
            {**_entry_as_json(entry), "outcomes": outcomes[entry.id], "networks_changed": len(networks[entry.id])}
            for entry in entries
        ]
        facts = {
            "releases": releases,
            "locks": [_lock_as_json(*lock) for lock in locks],
            "inventory_age_seconds": inventory_age(),
        }
        emit_json("history", config.name, code, facts)
    elif not entries and not locks:
        subject = "Nothing" if hosts is None else "Nothing of these hosts"
        out.print(f"{subject} is recorded for {escape(config.name)} here. Try: jada history --rebuild")
    else:
        rows = [(entry.at, _cells(entry, outcomes[entry.id], networks[entry.id])) for entry in entries]
        rows += [(lock.at, _lock_cells(lock, names)) for lock, names in locks]
        rows.sort(key=itemgetter(0), reverse=True)
        show_table(ENTRIES, [row for _, row in rows[:last]], form == "wide")
    return code


def changed_networks(records: Records, release: str, hosts: Collection[str] | None) -> set[str]:
    """The hosts, or which of these, whose network was other after a release than before it."""
    return {
        entry.host for entry in records.network(release) if entry.is_change and (hosts is None or entry.host in hosts)
    }


def _by_lock(entries: Iterable[LockEntry]) -> list[tuple[LockEntry, list[str]]]:
    """Locks and unlocks with their hosts: that of several hosts at once is one."""
    groups: dict[LockEntry, list[str]] = defaultdict(list)
    for entry in entries:
        groups[replace(entry, host="")].append(entry.host)
    return list(groups.items())


def _lock_cells(lock: LockEntry, hosts: Sequence[str]) -> list[str]:
    until = f" (until {local(lock.until)})" if lock.until else ""
    before = f"; it had the lock of {local_times(lock.before)}" if lock.before else ""
    detail = f"{lock.reason}{until}{before}".removeprefix("; ")
    return ["–", escape(local(lock.at)), lock.kind, "–", str(len(hosts)), escape(lock.who), escape(detail)]


def _lock_as_json(lock: LockEntry, hosts: Sequence[str]) -> dict[str, Any]:
    facts = {
        "kind": lock.kind,
        "made_at": lock.at,
        "who": lock.who,
        "reason": lock.reason,
        "until": lock.until,
        "taken_from": lock.before,
    }
    return {**nulled(facts), "hosts": [{"host": host} for host in sorted(hosts, key=natural)]}


def _entry_as_json(entry: Entry) -> dict[str, Any]:
    return nulled(
        {
            "release": entry.id,
            "kind": entry.kind,
            "made_at": entry.at,
            "who": entry.who,
            "reason": entry.reason,
            "model": entry.model,
        }
    )


def _host_as_json(host: HostEntry) -> dict[str, Any]:
    return nulled(
        {
            "host": host.host,
            "outcome": host.outcome,
            "detail": host.detail,
            "model_before": host.model_before,
            "model_after": host.model_after,
            "duration_seconds": host.seconds or None,
        }
    )


def _network_as_json(network: NetworkEntry) -> dict[str, str]:
    return {
        "host": network.host,
        "code": network.code,
        "name": network.name,
        "expected": network.expected,
        "actual": network.actual,
    }


@click.command()
@click.argument("release", type=GIVEN, shell_complete=releases)
@click.option("--json", "as_json", is_flag=True, help="Report as JSON.")
@fleet_option
def show(release: str, as_json: bool, fleet_file: str | None) -> int:
    """Show one release of the history, host by host. Outcome, before, after and how long it took.

    \b
    Examples:
      jada show 20261124-150401-74e5
      jada show 20261124-150401-74e5 --json | jq '.hosts[] | {host, outcome}'
    """
    with open_records(_fleet_if_any(fleet_file)) as records:
        entry = records.entry(release)
        hosts, networks = records.hosts(release), records.network(release)
    if entry is None:
        raise JadaError(f"No release {release} is recorded here", "jada history lists them; --rebuild asks the hosts")
    if as_json:
        facts = {
            **_entry_as_json(entry),
            "hosts": [_host_as_json(host) for host in hosts],
            "network": [_network_as_json(network) for network in networks],
        }
        emit_json("show", entry.fleet, Exit.OK, facts)
        return Exit.OK
    title, fleet, at, who = map(escape, (f"{entry.kind} {entry.id}", entry.fleet, local(entry.at), entry.who))
    out.print(f"[bold]{title}[/] of {fleet}, {at}, by {who}")
    if entry.reason:
        out.print(f"Why: {escape(entry.reason)}")
    cells = (
        (escape(host.host), _coloured(host.outcome), escape(host.model_before or "–"), escape(host.model_after or "–"),
         f"{host.seconds:.1f} s" if host.seconds else "–", escape(host.detail))
        for host in hosts
    )  # fmt: skip
    show_table(HOSTS, list(cells), hint="--json")
    for text, names in grouped((str(network), network.host) for network in networks).items():
        out.print(f"[yellow]Network[/] {escape(text)} ({escape(named(names))})")
    return Exit.OK


def _fleet_if_any(fleet_file: str | None) -> Fleet | None:
    """The fleet whose record is meant; None where there is no fleet.yml. Raises ConfigError."""
    # Not for completion, which wants the options alone: with it comes PyYAML.
    from jada.inventory.fleet.search import find
    from jada.inventory.yaml_readers import working_folder

    try:
        find(fleet_file, os.environ, working_folder())
    except ConfigError:
        if fleet_file or os.environ.get("JADA_FLEET"):
            raise
        return None
    return load(fleet_file)


def read_back(session: FleetSession, records: Records, now: datetime) -> Exit:
    """Adds what the hosts remember to the record; what it knows already better stays."""
    seen = session.run_on_each(
        "Reading the hosts' own records",
        (host.name for host in session.hosts),
        lambda _, connection: connection.look(history=True).history,
    )
    pasts = read_each(seen)
    for error in pasts.failed.values():
        err.print(f"[red]✗[/] not read: {escape(error.message)}")
    words = [word for past in pasts.ok.values() for word in past]
    recorded = {entry.id: known for entry, _ in words if (known := records.entry(entry.id))}
    kept, left_out = agreed(words, recorded, session.fleet.name, now)
    for entry, hosts in kept.items():
        ended = {host.host for host in records.hosts(entry.id) if host.outcome is not HostOutcome.IN_PROGRESS}
        records.add(entry, [host for host in hosts if host.host not in ended])
    _tell_left_out(left_out)
    err.print(f"Read {plural(len(kept), 'release')} back from {plural(len(pasts.ok), 'host')}.")
    return Exit.FAILED if pasts.failed else Exit.OK


def agreed(
    words: Sequence[Word], recorded: Mapping[str, Entry], fleet: str, now: datetime
) -> tuple[dict[Entry, list[HostEntry]], list[LeftOut]]:
    """The words of hosts that can be kept, by entry, and those that are left out. Pure.

    An entry that is recorded here stays as it is; any other is what most hosts say of it. By one `jada rollback --to`
    some go forward again and the others back: then it was a rollback.
    """
    future = first_id(now + AHEAD)
    kept: dict[Entry, list[HostEntry]] = {}
    left_out = []
    by_release: dict[str, list[Word]] = defaultdict(list)
    for entry, host in words:
        by_release[entry.id].append((entry, host))
    for release, group in by_release.items():
        known = recorded.get(release)
        about = [(entry, host, _refusal(entry, known, fleet, future)) for entry, host in group]
        common = known or _common([(entry, host) for entry, host, why in about if not why])
        for entry, host, why in about:
            if why := why or ("" if known else _dissent(entry, common)):
                left_out.append(LeftOut(host.host, why, release))
            elif common:
                kept.setdefault(common, []).append(host)
    return kept, left_out


def _refusal(entry: Entry, known: Entry | None, fleet: str, future: str) -> str:
    """The reason why a host's word on a release can't be, or ""."""
    if entry.id >= future:
        return "its time has not come"
    return "" if {entry.fleet, known.fleet if known else fleet} == {fleet} else "it is of another fleet"


def _common(words: Sequence[Word]) -> Entry | None:
    """The word of more hosts on a release than any other has; they may differ in the model, for roles do."""
    votes = Counter(entry for entry, _ in {(_shared(entry), host.host) for entry, host in words})
    (most, count), (_, next_count), *_ = *votes.most_common(2), (None, 0), (None, 0)
    if most is None or count == next_count:
        return None
    alike = [entry for entry, _ in words if _shared(entry) == most]
    models, kinds = {entry.model for entry in alike}, {entry.kind for entry in alike}
    return replace(
        most,
        model=models.pop() if len(models) == 1 else "",
        kind=kinds.pop() if len(kinds) == 1 else "rollback",
    )


def _shared(entry: Entry) -> Entry:
    """The part of an entry that is the same on all hosts of a release."""
    return replace(entry, model="", kind="rollback" if entry.kind == REDO else entry.kind)


def _dissent(entry: Entry, common: Entry | None) -> str:
    """The reason why one host's word on a release is not that of most, or ""."""
    if common is None:
        return "hosts differ on it, and none is in the majority"
    return "" if _shared(entry) == _shared(common) else "most hosts tell otherwise of it"


def _tell_left_out(left_out: Iterable[LeftOut]) -> None:
    releases: dict[tuple[str, str], list[str]] = defaultdict(list)
    for word in left_out:
        releases[word.host, word.why].append(word.release)
    for (host, why), ids in releases.items():
        more = f" and {len(ids) - MOST_TOLD} more" if len(ids) > MOST_TOLD else ""
        shown = ", ".join(ids[:MOST_TOLD]) + more
        err.print(f"[yellow]Left out[/] of {escape(host)}, because {escape(why)}: {escape(shown)}")


def read_each(seen: Mapping[str, tuple[HistoryEntry, ...] | HostError]) -> HostResults[list[tuple[Entry, HostEntry]]]:
    """The part of each host's own record that can be kept; a host whose record can't is that host's trouble."""

    def read(name: str, pasts: tuple[HistoryEntry, ...]) -> list[tuple[Entry, HostEntry]]:
        return [(all_visible(_entry(past)), all_visible(_host_entry(name, past))) for past in pasts]

    return judge_each(seen, read)


def _entry(past: HistoryEntry) -> Entry:
    release = past.release
    return Entry(
        id=release.id,
        fleet=release.fleet,
        kind=REDO if release.kind == "rollback" and release.redoes else release.kind,
        at=release.at,
        who=release.who,
        reason=release.reason,
        model=release.desired.model,
    )


def _host_entry(name: str, past: HistoryEntry) -> HostEntry:
    release = past.release
    return HostEntry(
        release=release.id,
        host=name,
        outcome=HostOutcome.ROLLED_BACK if past.error else HostOutcome.DONE,
        detail=past.error,
        model_before=release.before.model,
        model_after=release.desired.model,
    )


def _cells(entry: Entry, outcomes: Mapping[HostOutcome, int], networks: Collection[str]) -> list[str]:
    counts = ", ".join(f"{count} {_coloured(outcome)}" for outcome, count in outcomes.items())
    if networks:
        counts += f"; [yellow]network of {len(networks)} changed[/]"
    first = (escape(entry.id), escape(local(entry.at)), *map(escape, (entry.kind, entry.model or "–")))
    return [*first, counts, escape(entry.who), escape(entry.reason)]


def _coloured(outcome: HostOutcome) -> str:
    colour = "green" if outcome.ok else "yellow" if outcome is HostOutcome.IN_PROGRESS else "red"
    return f"[{colour}]{outcome.label}[/]"
