"""jada lock and jada unlock"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta

import click

from jada import Exit, HostError
from jada.cli.records.sqlite import LockEntry, open_records
from jada.cli.session import Opened, host_options, open_fleet, worst
from jada.cli.ui.console import escape, named, out, plural, visible
from jada.cli.ui.duration import span
from jada.tasks.operator_lock import LockAnswer, LockRequest, OperatorLock


@click.command()
@click.option("--reason", required=True, help="What others read when the lock stops them.")
@click.option("--for", "lasts", metavar="SPAN", type=span, default=None, help="End the lock by itself: 30m, 2h, 1d.")
@click.option("--force", is_flag=True, help="Take over what another has locked; that is recorded.")
@host_options
def lock(
    reason: str, lasts: int | None, force: bool, fleet_file: str | None, role: str | None, limit: str | None
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
        raise click.UsageError("--reason is empty: say what others are to read when the lock stops them")
    with open_fleet(fleet_file, role, limit) as opened:
        asked = opened.request()
        until = datetime.fromisoformat(asked.at) + timedelta(seconds=lasts) if lasts else None
        told = until.isoformat(timespec="seconds") if until else ""
        return _hold(opened, LockRequest(OperatorLock(asked.who, asked.at, told, reason), lasts or 0, force))


@click.command()
@click.option("--force", is_flag=True, help="Also what another has locked; that is recorded.")
@host_options
def unlock(force: bool, fleet_file: str | None, role: str | None, limit: str | None) -> Exit:
    """Allow upgrades again. Says whose lock it was; another's is taken off with --force alone."""
    with open_fleet(fleet_file, role, limit) as opened:
        asked = opened.request()
        return _hold(opened, LockRequest(OperatorLock(asked.who, asked.at, "", ""), force=force))


def _hold(opened: Opened, request: LockRequest) -> Exit:
    verb, done_word = ("lock", f"locked by {request.lock}") if request.lock.reason else ("unlock", "unlocked")
    names = (host.name for host in opened.hosts)
    results = opened.visit(f"{verb.capitalize()}ing", names, lambda _, connection: connection.hold(request))
    answers = {name: answer for name, answer in results.items() if not isinstance(answer, HostError)}
    done = {name: answer for name, answer in answers.items() if answer.done}
    with open_records(needed=False) as records:
        records.add_locks(
            LockEntry(opened.fleet.name, request.lock.since, name, verb, request.lock.who, request.lock.reason,
                      request.lock.until, str(answer.before or ""))
            for name, answer in done.items()
        )  # fmt: skip
    for before, hosts in _by_lock(done).items():
        out.print(f"[bold]{escape(named(hosts))}[/] had the lock of {escape(str(before))}")
    for before, hosts in _by_lock({name: one for name, one in answers.items() if not one.done}).items():
        out.print(f"[red]✗[/] [bold]{escape(named(hosts))}[/]: locked by {escape(str(before))}")
    for error in results.values():
        if isinstance(error, HostError):
            out.print(f"[red]✗[/] {escape(error.message)}")
    out.print(f"{plural(len(done), 'host')} {escape(done_word)}.")
    if refused := len(answers) - len(done):
        out.print(f"{plural(refused, 'host')} left to whoever locked them; to take over: jada {escape(verb)} --force")
    return worst({Exit.FAILED} if len(answers) < len(results) else {Exit.LOCKED} if refused else set())


def _by_lock(answers: Mapping[str, LockAnswer]) -> dict[OperatorLock, list[str]]:
    """The hosts by the lock that was there before."""
    found: dict[OperatorLock, list[str]] = defaultdict(list)
    for name, answer in answers.items():
        if answer.before:
            found[answer.before].append(name)
    return found
