"""The rollout lease: one rollout of a fleet at a time, on this machine or, where its state is shared, in the team."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

from jada import ConfigError, Exit, Fence, JadaError
from jada.cli.records.sqlite import state_folder, state_path
from jada.cli.ui.console import err, escape
from jada.cli.ui.duration import local_times
from jada.inventory.lease import Holder, Lease, TakenError, leases_of

if TYPE_CHECKING:
    from jada.inventory.fleet.config import Fleet

T = TypeVar("T")

# As much as is read of who holds a lock.
LONGEST = 2000
# Seconds between two looks at a lease that another holds; and for an answer of its store where nobody needs it.
AGAIN, WITHIN = 2, 5


class LockedError(JadaError):
    """Somebody has locked the fleet with `jada lock`, or is changing it now."""

    exit_code = Exit.LOCKED


class NotKnownError(JadaError):
    """Nobody can know who holds a lease: its store can't be asked."""


@dataclass(frozen=True, slots=True)
class LocalLease:
    """A lease that only this machine knows of, and that the kernel frees when its process ends; or none at all."""

    fence: Fence | None = None
    took_over: Holder | None = None
    is_lost: bool = False

    def why_not(self) -> str:
        """Nothing takes it away."""
        return ""


@contextmanager
def exclusive_rollout(
    fleet: Fleet, holder: Holder, needed: bool = True, force: bool = False, until: float = 0.0
) -> Iterator[Lease]:
    """Keeps a second rollout of the fleet from starting, and waits `until` then (monotonic) for one that runs. Raises
    LockedError, unless by `force`: a shared lease is taken from its holder, who changes nothing more.

    Where it is not `needed`, as for a rollback, and can't be had within a few seconds, the lock of each host has to do.
    """
    with ExitStack() as stack:
        lease: Lease = LocalLease()
        try:
            lease = _waited(lambda: _take(stack, fleet, holder, needed, force), fleet, until)
        except TakenError as error:
            trouble = locked(fleet, error.holder)
            if not force:
                raise trouble from None
            # Whoever holds it here may hang.
            _tell_unlocked(trouble)
        except JadaError as error:
            if needed:
                raise
            _tell_unlocked(error)
        yield lease


def holder_now(fleet: Fleet) -> Holder | None:
    """Whoever holds the rollout lease now. Raises NotKnownError where nobody can know."""
    leases = leases_of(fleet)
    try:
        if leases:
            return _in_time(fleet, leases.holder)
        with closing(_lock_path(fleet).open("rb", buffering=0)) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return _holder_in(file)
    except FileNotFoundError:
        pass
    except JadaError as error:
        raise NotKnownError(error.message, error.hint) from error
    except OSError as error:
        raise NotKnownError(f"The lock of {fleet.name} can't be read: {error.strerror}") from error
    return None


def wait_until_free(fleet: Fleet, until: float, needed: bool = True) -> None:
    """Waits until nobody holds the lease, or `until` then (monotonic); where nobody can know, only if that is `needed`.
    Raises LockedError, JadaError.
    """

    def check() -> None:
        if holder := holder_now(fleet):
            raise TakenError("", holder)

    try:
        _waited(check, fleet, until)
    except TakenError as error:
        raise locked(fleet, error.holder) from None
    except NotKnownError as error:
        if needed:
            raise
        _tell_unlocked(error)


def locked(fleet: Fleet, holder: Holder) -> LockedError:
    """The error where another holds the lease."""
    where = "" if fleet.state else ", which is running on this machine now"
    return LockedError(
        f"{fleet.name} is locked by {local_times(str(holder))}{where}",
        "wait until it has ended, with --lock-wait 15m, then look with: jada status; if it hangs in an incident: "
        "jada rollback --force",
    )


def _waited(take: Callable[[], T], fleet: Fleet, until: float) -> T:
    """The result of `take`, tried again while another holds the lease; each holder is told once. Raises TakenError."""
    told: Holder | None = None
    while True:
        try:
            return take()
        except TakenError as error:
            if time.monotonic() >= until:
                raise
            if error.holder != told:
                told = error.holder
                err.print(
                    f"[yellow]Waiting[/] for {escape(fleet.name)}, which is locked by {escape(local_times(str(told)))}"
                )
        time.sleep(AGAIN)


def _take(stack: ExitStack, fleet: Fleet, holder: Holder, needed: bool, force: bool) -> Lease:
    leases = leases_of(fleet)
    if leases is None:
        _lock(stack.enter_context(_lock_file(fleet)), holder)
        return LocalLease()
    take = partial(leases.take, holder, _tell, by_force=force)
    try:
        lease = take() if needed else _in_time(fleet, take)
    except (TakenError, NotKnownError, ConfigError):
        raise
    except JadaError as error:
        raise JadaError(f"The rollout lease in {fleet.state} can't be had: {error.message}", error.hint) from error
    stack.callback(lease.release)
    if lease.took_over:
        _tell(f"The rollout lease was taken over from {lease.took_over}")
    return lease


def _in_time(fleet: Fleet, ask: Callable[[], T]) -> T:
    """The answer of the store of a lease: one that hangs takes minutes to fail. Raises JadaError."""
    from gevent import Timeout

    try:
        with Timeout(WITHIN):
            return ask()
    except Timeout:
        raise NotKnownError(f"{fleet.state} gives no answer within {WITHIN} s") from None


@contextmanager
def _lock_file(fleet: Fleet) -> Iterator[FileIO]:
    state_folder()
    try:
        file = _lock_path(fleet).open("a+b", buffering=0)
    except OSError as error:
        raise JadaError(f"The lock of {fleet.name} can't be taken: {error.strerror}") from None
    with file:
        yield file


def _lock(file: FileIO, holder: Holder) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        taken = _holder_in(file)
        raise TakenError(f"the rollout lease is held by {taken}", taken) from None
    file.truncate(0)
    file.write(holder.to_json().encode())


def _holder_in(file: FileIO) -> Holder:
    file.seek(0)
    return Holder.of(file.read(LONGEST).decode(errors="replace"))


def _lock_path(fleet: Fleet) -> Path:
    return state_path() / f"{quote(fleet.name, safe='', errors='backslashreplace')}.lock"


def _tell(text: str) -> None:
    err.print(f"[yellow]Lease[/] {escape(text)}")


def _tell_unlocked(error: JadaError) -> None:
    err.print(f"[yellow]Not locked here[/]: {escape(error.message)}. Each host still lets one change run at a time.")
