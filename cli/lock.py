"""jada lock and jada unlock; and the lock that lets only one rollout of a fleet run on this machine"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from io import FileIO
from urllib.parse import quote

import click

from jada import Exit, HostError, JadaError
from jada.cli.fleet import Opened, host_options, open_fleet
from jada.cli.output import err, escape, out, plural, visible
from jada.cli.records import state_folder

# As much as is read of who holds a lock.
LONGEST = 500


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
@host_options
def lock(reason: str, fleet_file: str | None, role: str | None, limit: str | None) -> int:
    """Stop upgrades of the fleet, for everybody, until it is unlocked.

    The lock lies on each host, so it holds whoever upgrades from wherever, by jada or by pyinfra. Rolling back is
    still possible with `jada rollback --force`.

    \b
    Examples:
      jada lock --reason "incident 4711"
      jada unlock
    """
    with open_fleet(fleet_file, role, limit) as opened:
        request = opened.request(reason=reason)
        return _hold(opened, f"{request.who} since {request.at}: {visible(' '.join(reason.split()))}")


@click.command()
@host_options
def unlock(fleet_file: str | None, role: str | None, limit: str | None) -> int:
    """Allow upgrades of the fleet again; says whose lock it was."""
    with open_fleet(fleet_file, role, limit) as opened:
        return _hold(opened, "")


def _hold(opened: Opened, held: str) -> Exit:
    names = (host.name for host in opened.hosts)
    results = opened.visit("Locking" if held else "Unlocking", names, lambda _, connection: connection.hold(held))
    done = {name: before for name, before in results.items() if not isinstance(before, HostError)}
    for before in sorted({text for text in done.values() if text}):
        out.print(f"{'It replaces' if held else 'It was'} the lock of {escape(before)}")
    for error in results.values():
        if isinstance(error, HostError):
            out.print(f"[red]✗[/] {escape(error.message)}")
    out.print(f"{plural(len(done), 'host')} {'locked by ' + escape(held) if held else 'unlocked'}.")
    return Exit.OK if len(done) == len(results) else Exit.FAILED
