"""The lock that lets only one rollout of a fleet run on this machine."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from io import FileIO
from urllib.parse import quote

from jada import Exit, JadaError
from jada.cli.records.sqlite import state_folder
from jada.cli.ui.console import err, escape

# As much as is read of who holds a lock.
LONGEST = 500


class LockedError(JadaError):
    """Somebody has locked the fleet with `jada lock`, or is changing it now."""

    exit_code = Exit.LOCKED


@contextmanager
def exclusive_rollout(fleet: str, holder: str, needed: bool = True, force: bool = False) -> Iterator[None]:
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
