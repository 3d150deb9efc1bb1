"""jada status"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import click

from jada import Exit, Host, HostError
from jada.cli.discovery import inventory_age
from jada.cli.options import read_options
from jada.cli.results import judge_each
from jada.cli.session import FleetSession, open_session
from jada.cli.ui.console import emit_json, escape, named, nulled, out, plural, since, styled
from jada.cli.ui.duration import iso, local_times
from jada.cli.ui.evidence import evidence_as_json
from jada.cli.ui.locks import lock_as_json
from jada.cli.ui.next_steps import next_lines, unreachable
from jada.cli.ui.tables import Column, table_lines, wide_option
from jada.tasks import checks, codes
from jada.tasks.evidence import evidence_of
from jada.tasks.release import printable
from jada.tasks.state import State

if TYPE_CHECKING:
    from rich.text import Text

    from jada.inventory.fleet.config import Fleet

ON_DISK = "model on disk"
# In the place of systemd's word for the unit, while a release or rollback is under way.
CHANGING = "changing"
IN_WORDS = {CHANGING: "being changed", "not-found": "no such service"}
# Of one host in JSON; each is null where it could not be looked at.
FACTS = (
    "state",
    "changing_by",
    "model_on_disk",
    "model_running",
    "evidence",
    "open_files_in_force",
    "open_files_requested",
    "release",
    "started_at",
    "uptime_seconds",
    "drift",
    "operator_lock",
)
COLUMNS = (
    Column("host"),
    Column("role", 4),
    Column("source", 7),
    Column("state", wraps=True),
    Column(ON_DISK, 1),
    Column("model running"),
    Column("evidence", 3),
    Column("open files", 5),
    Column("release", 2),
    Column("up", 6),
)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Report as JSON.")
@click.option(
    "--watch",
    "seconds",
    metavar="[SECONDS]",
    is_flag=False,
    flag_value=10,
    type=click.IntRange(1),
    help="Look again and again until Ctrl-C, every 10 s or so many; with --json an object a line.",
)
@wide_option
@read_options
def status(
    as_json: bool, seconds: int | None, form: str | None, fleet_file: str | None, role: str | None, limit: str | None
) -> int:
    """Show what every host really runs. Read-only, one look per host; who has locked a host is shown too.

    Evidence says how the model is known: served (it answered), reported (by the model check), asked (of the host's own
    CLI), or derived from what lies there, which proves nothing.

    Behind the state are the codes of what is not as it was asked for, which `jada drift` tells in words. A host that is
    being changed just now says so, with by whom and since when. Exit code 1 when a host could not be looked at; drift
    does not change the exit code here.

    \b
    Examples:
      jada status
      jada status --role orchestrator
      jada status --cached         the hosts as AWS listed them last
      jada status -o wide          every column, however long the lines
      jada status --watch 30       again every 30 s, in the same place
      jada status --json | jq -r '.hosts[] | [.host, .model_running] | @tsv'
    """
    # Not for completion, which wants the options alone.
    from jada.cli.ui.watch import repeat, watch

    is_wide = form == "wide"
    with open_session(fleet_file, role, limit) as session:

        def look() -> Looked:
            return _look(session.with_new_deadline())

        if seconds is not None and as_json:
            repeat(seconds, lambda: _emit(look(), indent=None))
        if seconds is not None:
            watch(seconds, lambda: _lines(look(), is_wide))
        return _show(_look(session), as_json, is_wide)


@dataclass(frozen=True, slots=True)
class Looked:
    """One look at the hosts of a fleet: a row for each, and the trouble of those that have none."""

    fleet: Fleet
    rows: list[dict[str, Any]]
    sources: list[str]
    failed: Mapping[str, HostError]

    @property
    def exit(self) -> Exit:
        return Exit.FAILED if self.failed else Exit.OK


def _look(session: FleetSession) -> Looked:
    # Not for completion, which wants the options alone.
    from jada.cli.drift.asking import check_hosts

    seen = check_hosts(session, "Looking at hosts")
    roles = {host.name: host.role for host in session.hosts}
    today = datetime.now(UTC).date()
    facts = judge_each(seen, lambda name, state: _facts(state, session.fleet, roles[name], today))
    rows = [_row(host, facts[host.name]) for host in session.hosts]
    return Looked(session.fleet, rows, [host.source for host in session.hosts], facts.failed)


def _show(looked: Looked, as_json: bool, is_wide: bool) -> Exit:
    if as_json:
        _emit(looked)
    else:
        for line in _lines(looked, is_wide):
            out.print(line)
    return looked.exit


def _emit(looked: Looked, indent: int | None = 2) -> None:
    from jada.cli.rollout.freeze import freezes_as_json

    facts = {
        "freeze": freezes_as_json(looked.fleet),
        "hosts": [nulled(row) for row in looked.rows],
        "inventory_age_seconds": inventory_age(),
    }
    emit_json("status", looked.fleet.name, looked.exit, facts, indent=indent)


def _lines(looked: Looked, is_wide: bool) -> list[Text]:
    cells = [_cells(row, source) for row, source in zip(looked.rows, looked.sources, strict=True)]
    below = (out.folded(styled(line)) for line in _below(looked))
    return [*table_lines(_columns(looked.rows), cells, is_wide), *below]


def _below(looked: Looked) -> Iterator[str]:
    """The lines below the table, as markup."""
    from jada.cli.rollout.freeze import freeze_notes

    for trouble in looked.failed.values():
        yield f"[red]✗[/] {escape(trouble.message)}"
        if trouble.hint:
            yield f"    Try: {escape(trouble.hint)}"
    yield from (*_about(looked.rows), *(f"[yellow]![/] {escape(note)}" for note in freeze_notes(looked.fleet)))
    yield ""
    yield escape(total(looked.rows))
    yield from next_lines([unreachable(list(looked.failed))] if looked.failed else ())


def _row(host: Host, facts: Mapping[str, Any] | HostError) -> dict[str, Any]:
    about = {"host": host.name, "role": host.role, "provider": host.provider, "region": host.region}
    if isinstance(facts, HostError):
        return {**about, "error": facts.message, **dict.fromkeys(FACTS), "notes": []}
    return {**about, "error": None, **facts}


def _columns(rows: Iterable[Mapping[str, Any]]) -> list[Column]:
    """The columns: that of the model on disk comes last where it is the one that runs, among the first where not."""
    differs = any(row["model_on_disk"] != row["model_running"] for row in rows if not row["error"])
    return [replace(one, rank=9) if one.name == ON_DISK and not differs else one for one in COLUMNS]


def total(rows: Sequence[Mapping[str, Any]]) -> str:
    """The hosts, counted by state, by the model that runs and by drift. Pure."""
    seen = [row for row in rows if not row["error"]]
    drifted = sum(bool(row["drift"]) for row in seen)
    parts = (
        _counted(Counter("unreachable" if row["error"] else _in_words(row["state"]) for row in rows)),
        _counted(Counter(row["model_running"] or "a model that is not known" for row in seen), "on "),
        f"{drifted} drifted" if drifted else "",
    )
    return f"{plural(len(rows), 'host')}: {'; '.join(filter(None, parts))}."


def _counted(counts: Counter[str], before: str = "") -> str:
    return ", ".join(f"{count} {before}{text}" for text, count in counts.most_common())


def _about(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """The notes below the table, each once for all the hosts that it is about."""
    hosts: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        for text in row["notes"]:
            hosts[text].append(row["host"])
    for text, names in hosts.items():
        yield f"[yellow]![/] {escape(local_times(text))} ({escape(named(names))})"


def _in_words(state: str) -> str:
    return IN_WORDS.get(state, state)


def _facts(state: State, fleet: Fleet, role: str, today: date) -> dict[str, Any]:
    from jada.cli.drift import evaluate

    process, held = state.process, state.operator_lock
    unit = state.unit.active if state.unit.loaded else state.unit.load
    beside = () if state.running_transaction else tuple(evaluate.of_fleet(fleet, role, state, today))
    drift = () if state.running_transaction else checks.drift(state)
    return {
        "state": CHANGING if state.running_transaction else unit,
        "changing_by": printable(state.running_transaction) or None,
        "model_on_disk": None if state.unseen else state.settings.model,
        "model_running": checks.running_model(state),
        "evidence": evidence_as_json(evidence_of(state)),
        "open_files_in_force": process.soft if process else None,
        "open_files_requested": state.release.desired.nofile_requested if state.release else None,
        "release": state.release.id if state.release else "",
        "started_at": iso(process.started) if process else None,
        "uptime_seconds": max(0.0, state.now - process.started) if process else None,
        "drift": [finding.code for finding in (*drift, *beside) if finding.is_drift],
        "operator_lock": lock_as_json(held) if held else None,
        "notes": [
            *([f"being changed by {printable(state.running_transaction)}"] if state.running_transaction else []),
            *(f"{one.code} {one.name}: {one.actual}" for one in beside if one.kind is not codes.MODEL_NOT_OF_FLEET),
        ],
    }


def _cells(row: Mapping[str, Any], source: str) -> list[str]:
    first = [escape(row["host"]), escape(row["role"] or "–"), escape(source)]
    if row["error"]:
        return [*first, "[red]unreachable[/]", *["–"] * (len(COLUMNS) - 4)]
    locked = " [yellow]locked[/]" if row["operator_lock"] else ""
    drifted = f" [red]({', '.join(row['drift'])})[/]" if row["drift"] else ""
    colour = "green" if row["state"] == "active" else "yellow" if row["state"] == CHANGING else "red"
    on_disk = "unknown" if row["model_on_disk"] is None else row["model_on_disk"] or "none"
    running = row["model_running"]
    same = running == row["model_on_disk"]
    return [
        *first,
        f"[{colour}]{escape(_in_words(row['state']))}[/]{locked}{drifted}",
        escape(on_disk),
        escape(running or "unknown") if same else f"[red]{escape(running or 'unknown')}[/]",
        next((str(piece["kind"]) for piece in row["evidence"]), "–"),
        str(row["open_files_in_force"] or "–"),
        escape(row["release"] or "none"),
        "–" if row["uptime_seconds"] is None else since(0, row["uptime_seconds"]),
    ]
