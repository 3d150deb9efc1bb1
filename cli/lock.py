"""jada lock and jada unlock; and the lock that lets only one rollout of a fleet run on this machine"""

from __future__ import annotations

import fcntl
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from io import FileIO
from typing import Any
from urllib.parse import quote

import click

from jada import Exit, HostError, JadaError
from jada.cli.fleet import Opened, host_options, open_fleet, worst
from jada.cli.output import emit_json, err, escape, named, out, plural, visible
from jada.cli.records import LockEntry, open_records, state_folder
from jada.cli.span import span
from jada.tasks.operator_lock import LockAnswer, LockRequest, OperatorLock

# As much as is read of who holds a lock.
LONGEST = 500


class Ending(StrEnum):
    """How it ended for one host, as scripts read it."""

    LOCKED = "locked"
    UNLOCKED = "unlocked"
    NOT_LOCKED = "not_locked"
    REFUSED = "refused"
    FAILED = "failed"


CHANGED = (Ending.LOCKED, Ending.UNLOCKED)
EXIT = {Ending.REFUSED: Exit.LOCKED, Ending.FAILED: Exit.FAILED}


@dataclass(frozen=True, slots=True)
class Report:
    """What came of it on one host: the lock that was there `before`, of whomever, or the error."""

    host: str
    ending: Ending
    before: OperatorLock | None = None
    error: str = ""


class LockedError(JadaError):
    """Somebody has locked the fleet with `jada lock`, or is changing it now."""

    exit_code = Exit.LOCKED


@contextmanager
def alone(fleet: str, holder: str, needed: bool = True, force: bool = False) -> Iterator[None]:
    """Keeps a second rollout of the fleet from starting on this machine. Raises LockedError, unless by `force`.

    The kernel frees the lock when this process ends, however it ends. Rollouts from other machines meet at the lock
    of each host; and that lock has to do where it is not `needed` here, as for a rollback, and can't be had.
    """
    with ExitStack() as stack:
        try:
            _take(stack.enter_context(_lock_file(fleet)), fleet, holder)
        except LockedError as error:
            # Whoever holds it may hang.
            _go_on_unlocked(error, needed=not force)
        except JadaError as error:
            _go_on_unlocked(error, needed)
        except OSError as error:
            _go_on_unlocked(JadaError(f"The lock of {fleet} can't be taken: {error.strerror}"), needed)
        yield


def _lock_file(fleet: str) -> FileIO:
    return (state_folder() / f"{quote(fleet, safe='', errors='backslashreplace')}.lock").open("a+b", buffering=0)


def _take(file: FileIO, fleet: str, holder: str) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        raise LockedError(
            f"{fleet} is locked by {file.read(LONGEST).decode(errors='replace')}, which is running on this machine now",
            "wait until it has ended, then look with: jada status; if it hangs in an incident: jada rollback --force",
        ) from None
    file.truncate(0)
    file.write(holder.encode(errors="replace"))


def _go_on_unlocked(error: JadaError, needed: bool) -> None:
    if needed:
        raise error
    err.print(f"[yellow]Not locked here[/]: {escape(error.message)}. Each host still lets one change run at a time.")


@click.command()
@click.option("--reason", required=True, help="What others read when the lock stops them.")
@click.option("--for", "lasts", metavar="SPAN", type=span, default=None, help="End the lock by itself: 30m, 2h, 1d.")
@click.option("--force", is_flag=True, help="Take over what another has locked; that is recorded.")
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
    """Stop upgrades of the fleet, for everybody, until it is unlocked.

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
        request = LockRequest(OperatorLock(asked.who, asked.at, told, reason), lasts or 0, force)
        return _hold(opened, request, as_json)


@click.command()
@click.option("--force", is_flag=True, help="Also what another has locked; that is recorded.")
@click.option("--json", "as_json", is_flag=True, help="Report as JSON.")
@host_options
def unlock(force: bool, as_json: bool, fleet_file: str | None, role: str | None, limit: str | None) -> Exit:
    """Allow upgrades of the fleet again; says whose lock it was. Another's is taken off with --force alone."""
    with open_fleet(fleet_file, role, limit) as opened:
        asked = opened.request()
        return _hold(opened, LockRequest(OperatorLock(asked.who, asked.at, "", ""), force=force), as_json)


def _hold(opened: Opened, request: LockRequest, as_json: bool) -> Exit:
    verb, lock = "lock" if request.lock.reason else "unlock", request.lock
    names = (host.name for host in opened.hosts)
    results = opened.visit(f"{verb.capitalize()}ing", names, lambda _, connection: connection.hold(request))
    reports = [_report(name, result, verb) for name, result in results.items()]
    with open_records(needed=False) as records:
        records.add_locks(
            LockEntry(opened.fleet.name, lock.since, one.host, verb, lock.who, lock.reason, lock.until,
                      str(one.before or ""))
            for one in reports
            if one.ending in CHANGED
        )  # fmt: skip
    code = worst({EXIT.get(one.ending, Exit.OK) for one in reports})
    if as_json:
        facts = {
            "fleet": opened.fleet.name,
            "at": lock.since,
            "exit": int(code),
            "lock": asdict(lock) if verb == "lock" else None,
        }
        emit_json(verb, {**facts, "hosts": [_as_json(one) for one in reports]})
    else:
        _show(reports, verb, lock)
    return code


def _report(name: str, result: LockAnswer | HostError, verb: str) -> Report:
    if isinstance(result, HostError):
        return Report(name, Ending.FAILED, error=result.message)
    if not result.done:
        return Report(name, Ending.REFUSED, result.before)
    if verb == "lock":
        return Report(name, Ending.LOCKED, result.before)
    return Report(name, Ending.UNLOCKED if result.before else Ending.NOT_LOCKED, result.before)


def _as_json(report: Report) -> dict[str, Any]:
    before = asdict(report.before) if report.before else None
    return {"host": report.host, "ending": report.ending, "before": before, "error": report.error or None}


def _show(reports: Iterable[Report], verb: str, lock: OperatorLock) -> None:
    hosts: dict[Ending, list[str]] = defaultdict(list)
    of_others: dict[tuple[bool, OperatorLock], list[str]] = defaultdict(list)
    for one in reports:
        hosts[one.ending].append(one.host)
        if one.before:
            of_others[one.ending in CHANGED, one.before].append(one.host)
        if one.error:
            out.print(f"[red]✗[/] {escape(one.error)}")
    for (is_changed, before), names in of_others.items():
        who, told = f"[bold]{escape(named(names))}[/]", escape(str(before))
        out.print(f"{who} had the lock of {told}" if is_changed else f"[red]✗[/] {who}: locked by {told}")
    if idle := hosts[Ending.NOT_LOCKED]:
        what = "was" if len(idle) == 1 else "were"
        out.print(f"[bold]{escape(named(idle))}[/] {what} not locked")
    done = f"locked by {lock}" if verb == "lock" else "unlocked"
    out.print(f"{plural(sum(len(hosts[ending]) for ending in CHANGED), 'host')} {escape(done)}.")
    if refused := hosts[Ending.REFUSED]:
        out.print(
            f"{plural(len(refused), 'host')} left to whoever locked them; to take over: jada {escape(verb)} --force"
        )
