"""A session under the rollout lease: taken before hosts are changed, or waited for before they are looked at."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from jada import natural
from jada.cli.rollout.exclusive import AGAIN, exclusive_rollout, wait_until_free
from jada.cli.rollout.options import RolloutOptions
from jada.cli.session import PATIENCE, FleetSession, operator
from jada.cli.ui.console import err, escape
from jada.cli.ui.duration import local_times
from jada.cli.ui.run_id import run_id
from jada.inventory.lease import Holder

if TYPE_CHECKING:
    from jada.tasks.plan import Request


def holder_for(request: Request, kind: str) -> Holder:
    """This process, as the holder of the lease for a release."""
    return Holder(request.who, request.at, f"{kind}, release {request.id}", os.getpid(), request.run)


@contextmanager
def leased(session: FleetSession, holder: Holder, needed: bool, force: bool) -> Iterator[FleetSession]:
    """The session under the rollout lease, unless it has that already; see exclusive_rollout()."""
    if session.lease:
        yield session
        return
    with exclusive_rollout(session.fleet, holder, needed, force) as lease:
        under_lease = replace(session, lease=lease)
        _raise_fences(under_lease, holder)
        yield under_lease


@contextmanager
def waited(session: FleetSession, options: RolloutOptions, kind: str, force: bool = False) -> Iterator[FleetSession]:
    """The session once nobody else changes the fleet, or `--lock-wait` is over: then as if nobody had waited. What goes
    on by `force` waits for nobody. Raises LockedError.

    Where nobody is asked, the lease is held from then on: of several who wait, one goes on. Nobody holds it while
    somebody thinks about a plan.
    """
    is_back = kind == "rollback"
    if not options.lock_wait or options.dry_run or force:
        yield session
        return
    until = time.monotonic() + options.lock_wait
    if not options.yes:
        wait_until_free(session.fleet, until, needed=not is_back)
        _wait_for_transactions(session, until)
        yield session.with_new_deadline()
        return
    now = datetime.now(UTC).isoformat(timespec="seconds")
    holder = Holder(operator(), now, kind, os.getpid(), run_id())
    with exclusive_rollout(session.fleet, holder, needed=not is_back, until=until) as lease:
        under_lease = replace(session, lease=lease)
        _raise_fences(under_lease, holder)
        _wait_for_transactions(under_lease, until)
        yield under_lease.with_new_deadline()


def _raise_fences(session: FleetSession, holder: Holder) -> None:
    """Has all hosts refuse what a holder sends that did not give its lease back: it may only sleep."""
    lease = session.lease
    if lease is None or lease.took_over is None or (fence := lease.fence) is None:
        return
    told = session.run_on_each(
        "Telling hosts of the new lease",
        (host.name for host in session.hosts),
        lambda _, connection: connection.raise_fence(fence, str(holder)),
        # One that was told and has not answered is as good.
        within=PATIENCE,
    )
    for error in told.failed.values():
        err.print(f"[yellow]Lease[/] {escape(error.message)}")


def _wait_for_transactions(session: FleetSession, until: float) -> None:
    """Waits until no transaction runs on any host; `jada lock` is people's, and not waited for."""
    session = session.with_new_deadline(max(1, round(until - time.monotonic())))
    busy: list[str] = [host.name for host in session.hosts]
    told: set[str] = set()
    while busy:
        seen = session.run_on_each("Waiting for hosts", busy, lambda _, connection: connection.look())
        running = {name: state.running_transaction for name, state in seen.ok.items() if state.running_transaction}
        for name in sorted(running.keys() - told, key=natural):
            err.print(
                f"[yellow]Waiting[/] for {escape(name)}, which is being changed by {escape(local_times(running[name]))}"
            )
        told |= running.keys()
        busy = list(running)
        if not busy or time.monotonic() >= until:
            return
        time.sleep(AGAIN)
