"""jada lock and jada unlock"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import click

from jada import ConfigError, Exit, HostError
from jada.cli.options import host_options
from jada.cli.records.model import LockEntry
from jada.cli.records.sqlite import open_records
from jada.cli.results import worst
from jada.cli.session import FleetSession, open_session
from jada.cli.ui.console import emit_json, escape, named, out, plural, visible
from jada.cli.ui.duration import local_times, parse_duration
from jada.cli.ui.locks import lock_as_json
from jada.tasks.operator_lock import LockAnswer, LockRequest, OperatorLock


class LockOutcome(StrEnum):
    """The outcome of locking or unlocking one host, as scripts read it."""

    LOCKED = "locked"
    UNLOCKED = "unlocked"
    NOT_LOCKED = "not_locked"
    REJECTED = "rejected"
    FAILED = "failed"


CHANGED = (LockOutcome.LOCKED, LockOutcome.UNLOCKED)
EXIT = {LockOutcome.REJECTED: Exit.LOCKED, LockOutcome.FAILED: Exit.FAILED}


@dataclass(frozen=True, slots=True)
class Report:
    """The result on one host: the lock that was there `before`, of whomever, or the error."""

    host: str
    outcome: LockOutcome
    before: OperatorLock | None = None
    error: str = ""


@click.command()
@click.option("--force", is_flag=True, help="Take over what another has locked; that is recorded.")
@click.option("--reason", required=True, help="What others read when the lock stops them.")
@click.option(
    "--for", "lasts", metavar="DURATION", type=parse_duration, default=None, help="End the lock by itself: 30m, 2h, 1d."
)
@click.option("--json", "as_json", is_flag=True, help="Report as JSON.")
@host_options
def lock(
    reason: str,
    lasts: int | None,
    force: bool,
    as_json: bool,
    fleet_file: str | None,
    role: str | None,
    limit: str | None,
) -> Exit:
    """Stop upgrades for everybody, during an incident.

    The lock lies on each host, so it holds whoever upgrades from wherever, by jada or by pyinfra. Rolling back is
    still possible with `jada rollback --force`. Who locked what, and why, is told by `jada status`, `drift`, `report`
    and `history`. A host that another has locked stays theirs, unless --force; the others are locked.

    \b
    Examples:
      jada lock --reason "incident 4711"
      jada lock --reason "incident 4711" --for 2h
      jada unlock
    """
    reason = visible(" ".join(reason.split()))
    if not reason:
        raise ConfigError("--reason is empty", "--reason WHY is what others read when the lock stops them")
    with open_session(fleet_file, role, limit) as session:
        base = session.request()
        until = datetime.fromisoformat(base.at) + timedelta(seconds=lasts) if lasts else None
        ends_at = until.isoformat(timespec="seconds") if until else ""
        request = LockRequest(OperatorLock(base.who, base.at, ends_at, reason), lasts or 0, force)
        return _hold(session, request, as_json)


@click.command()
@click.option("--force", is_flag=True, help="Also what another has locked; that is recorded.")
@click.option("--json", "as_json", is_flag=True, help="Report as JSON.")
@host_options
def unlock(force: bool, as_json: bool, fleet_file: str | None, role: str | None, limit: str | None) -> Exit:
    """Allow upgrades again. Says whose lock it was; another's is taken off with --force alone.

    \b
    Examples:
      jada unlock
      jada unlock --limit web-3
      jada unlock --force               whoever locked it
    """
    with open_session(fleet_file, role, limit) as session:
        base = session.request()
        return _hold(session, LockRequest(OperatorLock(base.who, base.at, "", ""), force=force), as_json)


def _hold(session: FleetSession, request: LockRequest, as_json: bool) -> Exit:
    verb, lock = "lock" if request.lock.reason else "unlock", request.lock
    names = (host.name for host in session.hosts)
    results = session.run_on_each(f"{verb.capitalize()}ing", names, lambda _, connection: connection.set_lock(request))
    reports = [_report(name, result, verb) for name, result in results.items()]
    with open_records(session.fleet, needed=False) as records:
        records.add_locks(
            LockEntry(
                fleet=session.fleet.name,
                at=lock.since,
                host=report.host,
                kind=verb,
                who=lock.who,
                reason=lock.reason,
                until=lock.until,
                before=str(report.before or ""),
            )
            for report in reports
            if report.outcome in CHANGED
        )
    code = worst({EXIT.get(report.outcome, Exit.OK) for report in reports})
    if as_json:
        roles = {host.name: host.role for host in session.hosts}
        facts = {
            "operator_lock": lock_as_json(lock) if verb == "lock" else None,
            "hosts": [_as_json(report, roles[report.host]) for report in reports],
        }
        emit_json(verb, session.fleet.name, code, facts)
    else:
        _show(reports, verb, lock)
    return code


def _report(name: str, result: LockAnswer | HostError, verb: str) -> Report:
    if isinstance(result, HostError):
        return Report(name, LockOutcome.FAILED, error=result.message)
    if not result.done:
        return Report(name, LockOutcome.REJECTED, result.before)
    if verb == "lock":
        return Report(name, LockOutcome.LOCKED, result.before)
    return Report(name, LockOutcome.UNLOCKED if result.before else LockOutcome.NOT_LOCKED, result.before)


def _as_json(report: Report, role: str) -> dict[str, Any]:
    return {
        "host": report.host,
        "role": role or None,
        "outcome": report.outcome,
        "operator_lock_before": lock_as_json(report.before) if report.before else None,
        "error": report.error or None,
    }


def _show(reports: Iterable[Report], verb: str, lock: OperatorLock) -> None:
    hosts: dict[LockOutcome, list[str]] = defaultdict(list)
    of_others: dict[tuple[bool, OperatorLock], list[str]] = defaultdict(list)
    for report in reports:
        hosts[report.outcome].append(report.host)
        if report.before:
            of_others[report.outcome in CHANGED, report.before].append(report.host)
        if report.error:
            out.print(f"[red]✗[/] {escape(report.error)}")
    for (is_changed, before), names in of_others.items():
        who, holder = f"[bold]{escape(named(names))}[/]", escape(local_times(str(before)))
        out.print(f"{who} had the lock of {holder}" if is_changed else f"[red]✗[/] {who}: locked by {holder}")
    if idle := hosts[LockOutcome.NOT_LOCKED]:
        was = "was" if len(idle) == 1 else "were"
        out.print(f"[bold]{escape(named(idle))}[/] {was} not locked")
    ending = escape(local_times(f"locked by {lock}")) if verb == "lock" else "unlocked"
    out.print(f"{plural(sum(len(hosts[outcome]) for outcome in CHANGED), 'host')} {ending}.")
    if refused := hosts[LockOutcome.REJECTED]:
        command = f"jada {verb} --force"
        out.print(f"{plural(len(refused), 'host')} left to whoever locked them; to take over: {escape(command)}")
