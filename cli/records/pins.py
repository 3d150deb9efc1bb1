"""Pinned host keys in the record, where every later run finds them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import fields
from typing import TypeVar

from jada import JadaError
from jada.cli.records.sqlite import BUSY_TIMEOUT_BACK, Records, open_database, open_unchanged, state_path
from jada.cli.records.store import LocalStore
from jada.cli.ui.console import err, escape
from jada.inventory.access.pin import Machine, Pin

T = TypeVar("T")


class RecordedPins:
    """The pins of the record. No command waits for it long, and none ends because it can't be used: that is told, and
    hosts are known by what known_hosts and their clouds say now.
    """

    def read(self, machines: Collection[Machine]) -> list[Pin]:
        return _attempt(lambda: _kept(machines)) or []

    def keep(self, pins: Sequence[Pin]) -> None:
        _attempt(lambda: _keep(pins))


def _kept(machines: Collection[Machine]) -> list[Pin]:
    """The pins in the record as it is: a full disk, or tables of a newer jada, is no reason to be without. Raises
    JadaError.
    """
    file = state_path() / "history.db"
    try:
        file.stat()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise JadaError(f"The record {file} can't be read: {error.strerror}") from None
    with open_unchanged(file) as connection:
        columns = {row["name"] for row in connection.execute("PRAGMA table_info(pin)")}
        if columns and not columns.issuperset(field.name for field in fields(Pin)):
            raise JadaError(f"The record {file} was written by a newer jada")
        # An earlier jada's has none.
        return Records(LocalStore(connection)).pins(machines) if columns else []


def _keep(pins: Sequence[Pin]) -> None:
    with open_database(BUSY_TIMEOUT_BACK) as connection:
        Records(LocalStore(connection)).pin(pins)


def _attempt(act: Callable[[], T]) -> T | None:
    try:
        return act()
    except JadaError as error:
        err.print(
            f"[yellow]Pinned host keys can't be had here[/]: {escape(error.message)}. Hosts go by known_hosts, and by "
            "what their clouds name now."
        )
        return None
