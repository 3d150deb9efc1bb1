"""The hosts of a fleet as AWS lists them, or, with --cached and on the way back, as it listed them last."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING

import click

from jada import Exit, Host, JadaError
from jada.cli.options import CACHED
from jada.cli.startup import frozen_imports
from jada.cli.ui.console import err, escape, since

if TYPE_CHECKING:
    from jada.inventory.cache import Inventory
    from jada.inventory.discover import Searched
    from jada.inventory.fleet.config import Fleet

# Seconds in which AWS is to list hosts on the way back, where they are known from before.
PATIENCE = 30
# Where click's context keeps how many seconds ago AWS listed the hosts that are used, and that some are left out.
AGE, LEFT_OUT = "jada.inventory_age", "jada.hosts_left_out"


def find_hosts(fleet: Fleet, is_way_back: bool = False) -> tuple[Host, ...]:
    """All hosts of a fleet. Raises JadaError if AWS can't be asked; on the way back only where no host is known."""
    from jada.inventory import cache, discover

    context = click.get_current_context(silent=True)
    if context and context.meta.get(CACHED) and fleet.is_asked_for:
        kept = cache.read(fleet, time.time())
        context.meta[AGE] = max(0.0, time.time() - kept.at)
        who, age = _asked(fleet), _age(kept.at)
        err.print(f"[yellow]Note[/] {escape(who)} was not asked: these are the hosts that it listed {escape(age)} ago")
        return discover.completed(fleet, discover.listed(kept.found))
    known = _kept(fleet) if is_way_back else None
    found = _search(fleet, known)
    if any(isinstance(searched.result, JadaError) for searched in found):
        return discover.completed(
            fleet, discover.listed(_way_back(fleet, known, found) if known is not None else found)
        )
    hosts = discover.completed(fleet, discover.listed(found))
    if fleet.is_asked_for:
        # Nothing that was asked for hangs on it.
        with suppress(OSError):
            cache.write(fleet, cache.Inventory(time.time(), tuple(found)))
    return hosts


def of_known_hosts(code: Exit) -> Exit:
    """The exit code of a command: FAILED where hosts were left out, unless people are to go on with it."""
    context = click.get_current_context(silent=True)
    is_left_out = context is not None and context.meta.get(LEFT_OUT, False)
    return Exit.FAILED if is_left_out and code not in (Exit.PAUSED, Exit.STOPPED) else code


def inventory_age() -> float | None:
    """The seconds since AWS listed the hosts of this command; None where it was asked."""
    age: float | None = click.get_current_context().meta.get(AGE)
    return age


def _search(fleet: Fleet, known: Inventory | JadaError | None) -> list[Searched]:
    """The answers of all regions; what is `known` is there on the way back. Raises JadaError where credentials are
    missing, but not then.
    """
    from jada.inventory import discover

    # Not under what moves on the terminal: it may be asked for an MFA code there.
    logins = discover.log_in_to_each(fleet)
    if known is None:
        discover.refuse(logins)
    # Ten thousand hosts are a million objects, which go as they came: to look for garbage among them costs a quarter.
    with frozen_imports(), err.status("Finding hosts…") if err.is_terminal else nullcontext():
        return discover.search(fleet, logins, None if known is None or isinstance(known, JadaError) else PATIENCE)


def _kept(fleet: Fleet) -> Inventory | JadaError:
    """The hosts as AWS listed them last, or why that is not known."""
    from jada.inventory import cache

    try:
        return cache.read(fleet, time.time())
    except JadaError as error:
        return error


def _way_back(fleet: Fleet, kept: Inventory | JadaError, found: Sequence[Searched]) -> Sequence[Searched]:
    """The regions with those that could not be searched as AWS listed them last, or, where that is not known, without
    them; unchanged where nothing else was found.
    """
    from jada.inventory import cache

    if isinstance(kept, JadaError):
        err.print(f"[yellow]Note[/] {escape(kept.message)}")
        if not any(searched.hosts for searched in found):
            return found
        _tell_unlisted(found)
        err.print(
            "[bold red]The way back goes on without the hosts there[/]: nobody knows them here, and they stay as they "
            f"are. Once {escape(_asked(fleet))} can be asked: jada rollback"
        )
        if context := click.get_current_context(silent=True):
            context.meta[LEFT_OUT] = True
        return [searched for searched in found if not isinstance(searched.result, JadaError)]
    _tell_unlisted(found)
    err.print(
        f"[bold red]The way back needs no {escape(_asked(fleet))}[/]: "
        f"the hosts there are those that it listed {escape(_age(kept.at))} ago, without any that came since. "
        "Host keys and instance ids are checked as ever."
    )
    return cache.filled(found, kept)


def _tell_unlisted(found: Sequence[Searched]) -> None:
    for searched in found:
        if isinstance(searched.result, JadaError):
            err.print(f"[red]✗[/] {escape(searched.place)} can't be listed: {escape(searched.result.message)}")


def _asked(fleet: Fleet) -> str:
    return "AWS" if fleet.accounts else "Ansible"


def _age(at: float) -> str:
    return since(at, time.time())
