"""The place where a record is kept: a database to read from, and changes that are written."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from jada.cli.records.changes import Change

# The changes that a writer wants, by what the record holds at that moment.
Decide = Callable[[sqlite3.Connection], Sequence[Change]]


class Store(Protocol):
    """What keeps a record. Methods raise JadaError or sqlite3.Error."""

    @property
    def db(self) -> sqlite3.Connection:
        """The tables, to be read; nobody writes there but by write()."""

    def write(self, decide: Decide) -> None:
        """Makes the changes that are decided upon, all of them or none; nobody else writes between the two."""

    def refresh(self) -> None:
        """Takes in what others have written since."""

    def keeping(self) -> AbstractContextManager[None]:
        """Within it, what can't be written to a place that others share is kept for later, and told once."""


class LocalStore:
    """A database of this machine, which all jadas here share."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @property
    def db(self) -> sqlite3.Connection:
        return self._connection

    def write(self, decide: Decide) -> None:
        with self._connection as db:
            db.execute("BEGIN IMMEDIATE")
            for change in decide(db):
                change.apply(db)

    def refresh(self) -> None:
        """Does nothing: what another jada has written here is seen at once."""

    def keeping(self) -> AbstractContextManager[None]:
        return nullcontext()
