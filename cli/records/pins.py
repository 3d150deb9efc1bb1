"""Pinned host keys in the record, where every later run finds them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TypeVar

from jada import JadaError
from jada.cli.records.sqlite import BUSY_TIMEOUT_BACK, Records, open_database
from jada.cli.records.store import LocalStore
from jada.cli.ui.console import err, escape
from jada.inventory.access.pin import Machine, Pin

T = TypeVar("T")


class RecordedPins:
    """The pins of the record. No command waits for it long, and none ends because it can't be used: that is told, and
    hosts are known by what known_hosts and their clouds say now.
    """

    def read(self, machines: Collection[Machine]) -> list[Pin]:
        return _attempt(lambda records: records.pins(machines)) or []

    def keep(self, pins: Sequence[Pin]) -> None:
        _attempt(lambda records: records.pin(pins))


def _attempt(act: Callable[[Records], T]) -> T | None:
    try:
        with open_database(BUSY_TIMEOUT_BACK) as connection:
            return act(Records(LocalStore(connection)))
    except JadaError as error:
        err.print(
            f"[yellow]Pinned host keys can't be had here[/]: {escape(error.message)}. Hosts go by known_hosts, and by "
            "what their clouds name now."
        )
        return None
