"""jada forget"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import click

from jada import Exit, HostError
from jada.cli import signals
from jada.cli.options import host_options
from jada.cli.records.model import FORGET, LockEntry
from jada.cli.results import worst
from jada.cli.session import FleetSession, open_session, operator
from jada.cli.ui.confirm import confirm, require_terminal
from jada.cli.ui.console import emit_json, err, escape, grouped, named, out, plural, visible
from jada.cli.ui.run_id import run_id
from jada.tasks import paths
from jada.tasks.forget import ForgetAnswer, ForgetRequest, Forgotten

if TYPE_CHECKING:
    from jada.cli.records.sqlite import Records
    from jada.tasks.engine import Connection

STAYS = "settings.json stays as it is, and so does the model that it names. Nothing is restarted."
# Where the drop-in of the service goes.
NEXT_START = (
    "From its next start on a service has the open files of its unit, and its journal names no model and no release."
)
STOPPING = "[yellow]Stopping[/]: no other host is begun, and those under way end"
NO_WAY_BACK = "There is no way back after that: if the model before jada is wanted, `jada rollback` first."


class Outcome(StrEnum):
    """The outcome on one host, as scripts read it."""

    FORGOTTEN = "forgotten"
    PLANNED = "planned"
    NOTHING = "nothing"
    LOCKED = "locked"
    REJECTED = "rejected"
    FAILED = "failed"


EXIT = {Outcome.LOCKED: Exit.LOCKED, Outcome.REJECTED: Exit.FAILED, Outcome.FAILED: Exit.FAILED}
OF_ANSWER = {
    Forgotten.DONE: Outcome.FORGOTTEN,
    Forgotten.FOUND: Outcome.PLANNED,
    Forgotten.LOCKED: Outcome.LOCKED,
    Forgotten.REFUSED: Outcome.REJECTED,
    Forgotten.FAILED: Outcome.FAILED,
}


@dataclass(frozen=True, slots=True)
class Report:
    """The result on one host: the `traces` that went or would go, files that were `kept`, or why nothing was done."""

    host: str
    outcome: Outcome
    traces: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    error: str = ""


@click.command()
@click.option("--dry-run", is_flag=True, help="Only tell what would go.")
@click.option("--yes", is_flag=True, help="Do it without asking.")
@click.option("--json", "as_json", is_flag=True, help="Report as JSON.")
@host_options
def forget(
    dry_run: bool, yes: bool, as_json: bool, fleet_file: str | None, role: str | None, limit: str | None
) -> Exit:
    """Take away what jada has left on hosts; their model stays.

    That is its folder below /var/lib with snapshots and locks, the drop-in of the service, the file in
    /etc/security/limits.d, and jada-recover.service. settings.json is not touched, and nothing is restarted: go back
    with `jada rollback` first if the model is to be the one before jada. A host that is being changed or is locked is
    left alone, and so are all of them while a rollout is open. `jada history` tells it.

    Exit codes: 0 nothing of jada is left; 1 a host could not be reached, or refused some of it; 5 locked.

    \b
    Examples:
      jada forget --dry-run
      jada rollback && jada forget
      jada forget --limit web-3 --yes
    """
    if not (yes or dry_run):
        require_terminal(as_json)
    # Not for completion, which wants the options alone.
    from jada.cli.records.sqlite import open_records

    with open_session(fleet_file, role, limit) as session, open_records(session.fleet) as records:
        reports = _reports(_run(session, dry_run=True)) if dry_run else _forget(session, records, is_agreed=yes)
        code = worst({EXIT.get(report.outcome, Exit.OK) for report in reports})
        if as_json:
            roles = {host.name: host.role for host in session.hosts}
            facts = {"dry_run": dry_run, "hosts": [_as_json(report, roles[report.host]) for report in reports]}
            emit_json("forget", session.fleet.name, code, facts)
        else:
            _show(reports)
    return code


def _forget(session: FleetSession, records: Records, is_agreed: bool) -> list[Report]:
    """What came of it on each host. Raises LockedError, click.Abort."""
    from jada.cli.rollout.leased import leased
    from jada.inventory.lease import Holder

    fleet = session.fleet
    _refuse_while_open(records, fleet.name)
    reports: dict[str, Report] = {}
    todo = [host.name for host in session.hosts]
    if not is_agreed:
        found = _reports(_run(session, dry_run=True))
        reports = {report.host: report for report in found}
        todo = [report.host for report in found if report.outcome is Outcome.PLANNED]
        if not todo:
            return found
        _show(found)
        out.print("")
        confirm(
            f"Take all that away from {plural(len(todo), 'host')} of {visible(fleet.name)}?",
            visible(fleet.name) if fleet.production else "y",
        )
    # After all releases that are recorded, whoever's clock they are by.
    at = records.next_moment(fleet.name, datetime.now(UTC)).isoformat(timespec="seconds")
    holder = Holder(operator(), at, FORGET, os.getpid(), run_id())
    with leased(session, holder, needed=True, force=False) as under_lease, signals.held(lambda: err.print(STOPPING)):
        # Somebody may have taken their time to agree.
        _refuse_while_open(records, fleet.name)
        done = _reports(_run(under_lease.with_new_deadline(), dry_run=False, names=todo))
    with records.best_effort():
        records.add_locks(
            LockEntry(fleet=fleet.name, at=at, host=report.host, kind=FORGET, who=operator(),
                      reason="what jada had left there was taken away", until="", before="")
            for report in done
            if report.outcome is Outcome.FORGOTTEN
        )  # fmt: skip
    reports |= {report.host: report for report in done}
    return [reports[host.name] for host in session.hosts]


def _refuse_while_open(records: Records, fleet: str) -> None:
    from jada.cli.rollout.exclusive import LockedError

    entry = next(iter(records.rollouts(fleet, 1)), None)
    if entry and entry.is_open:
        raise LockedError(
            f"The rollout of release {entry.release} is open, and its hosts know how to go back by what would go",
            "end it first: jada promote, jada resume or jada abort",
        )


def _run(
    session: FleetSession, dry_run: bool, names: Iterable[str] | None = None
) -> Mapping[str, ForgetAnswer | HostError]:
    fence = session.lease.fence if session.lease else None
    request = ForgetRequest(session.fleet.service.unit, operator(), dry_run, fence)

    def act(name: str, connection: Connection) -> ForgetAnswer:
        session.require_lease(name)
        return connection.forget(request)

    text = "Looking for what jada has left" if dry_run else "Taking it away"
    every = (host.name for host in session.hosts)
    return session.run_on_each(text, every if names is None else names, act)


def _reports(answers: Mapping[str, ForgetAnswer | HostError]) -> list[Report]:
    return [_report(name, answer) for name, answer in answers.items()]


def _report(name: str, answer: ForgetAnswer | HostError) -> Report:
    if isinstance(answer, HostError):
        return Report(name, Outcome.FAILED, error=answer.message)
    outcome = OF_ANSWER[answer.result]
    if outcome in (Outcome.FORGOTTEN, Outcome.PLANNED) and not answer.traces:
        outcome = Outcome.NOTHING
    return Report(name, outcome, answer.traces, answer.kept, f"{name}: {answer.why}" if answer.why else "")


def _as_json(report: Report, role: str) -> dict[str, Any]:
    return {
        "host": report.host,
        "role": role or None,
        "outcome": report.outcome,
        "traces": list(report.traces),
        "kept": list(report.kept),
        "error": report.error or None,
    }


def _show(reports: list[Report]) -> None:
    for report in reports:
        if report.error:
            out.print(f"[red]✗[/] {escape(report.error)}")
    alike = grouped(((report.outcome, report.traces, report.kept), report.host) for report in reports)
    for (outcome, traces, kept), hosts in alike.items():
        who = f"[bold]{escape(named(hosts))}[/]"
        if outcome is Outcome.NOTHING:
            out.print(f"{who}: jada has left nothing there")
        if outcome in (Outcome.PLANNED, Outcome.FORGOTTEN):
            out.print(f"{who}: this goes" if outcome is Outcome.PLANNED else f"[green]✓[/] {who}: this is gone")
        if outcome is Outcome.FAILED and traces:
            out.print(f"{who}: not all of it is gone, but this is")
        for path in traces if outcome in (Outcome.PLANNED, Outcome.FORGOTTEN, Outcome.FAILED) else ():
            out.print(f"    {escape(path)}")
        for path in kept if outcome in (Outcome.PLANNED, Outcome.FORGOTTEN, Outcome.NOTHING) else ():
            out.print(f"    [yellow]kept[/] {escape(path)}, which is not by jada")
    outcomes = {report.outcome for report in reports}
    if not outcomes & {Outcome.PLANNED, Outcome.FORGOTTEN}:
        return
    has_dropin = any(
        path.startswith(paths.UNITS) and path.endswith(paths.OURS) for _, traces, _ in alike for path in traces
    )
    told = [STAYS, *([NEXT_START] if has_dropin else []), *([NO_WAY_BACK] if Outcome.PLANNED in outcomes else [])]
    out.print(f"\n{escape(' '.join(told))}")
