"""What happened, as this machine saw it: every release and rollback, host by host, in SQLite."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import astuple, dataclass
from datetime import datetime
from pathlib import Path

from jada import JadaError
from jada.tasks.release import first_id

# Seconds another jada on this machine may hold the file before we give up.
BUSY_TIMEOUT = 30
SCHEMA = """
CREATE TABLE IF NOT EXISTS release (
    id TEXT PRIMARY KEY, fleet TEXT NOT NULL, kind TEXT NOT NULL, at TEXT NOT NULL, who TEXT NOT NULL,
    reason TEXT NOT NULL, model TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS result (
    release TEXT NOT NULL, host TEXT NOT NULL, ending TEXT NOT NULL, reason TEXT NOT NULL,
    model_before TEXT NOT NULL, model_after TEXT NOT NULL, seconds REAL NOT NULL,
    PRIMARY KEY (release, host)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS result_host ON result (host, release);
CREATE INDEX IF NOT EXISTS release_fleet ON release (fleet, id);
"""
BEGUN = "begun"


@dataclass(frozen=True, slots=True)
class Entry:
    """One upgrade or rollback: `at` ISO 8601 UTC, `who` user@machine, `model` "" if there were several."""

    id: str
    fleet: str
    kind: str
    at: str
    who: str
    reason: str
    model: str


@dataclass(frozen=True, slots=True)
class HostEntry:
    """One host's part of an entry. `ending` stays "begun" when jada was killed before it knew how it ended."""

    release: str
    host: str
    ending: str
    reason: str
    model_before: str
    model_after: str
    seconds: float


class Records:
    """The record, kept in WAL mode so that readers never wait for a writer."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add(self, entry: Entry, hosts: Iterable[HostEntry]) -> None:
        """Writes an entry and its hosts; what was known of the same ones before is replaced."""
        with self._connection as db:
            db.execute("INSERT OR REPLACE INTO release VALUES (?, ?, ?, ?, ?, ?, ?)", astuple(entry))
            db.executemany("INSERT OR REPLACE INTO result VALUES (?, ?, ?, ?, ?, ?, ?)", map(astuple, hosts))

    def update(self, hosts: Iterable[HostEntry]) -> None:
        """Writes how it ended for hosts of an entry."""
        with _told(), self._connection as db:
            db.executemany("INSERT OR REPLACE INTO result VALUES (?, ?, ?, ?, ?, ?, ?)", map(astuple, hosts))

    def entries(self, fleet: str, host: str | None, last: int) -> list[Entry]:
        """The last entries of a fleet, or of one host of it, the newest first."""
        if host is None:
            rows = self._connection.execute(
                "SELECT * FROM release WHERE fleet = ? ORDER BY id DESC LIMIT ?", (fleet, last)
            )
        else:
            rows = self._connection.execute(
                "SELECT release.* FROM result JOIN release ON release.id = result.release "
                "WHERE result.host = ? AND release.fleet = ? ORDER BY result.release DESC LIMIT ?",
                (host, fleet, last),
            )
        return [Entry(*row) for row in rows]

    def since(self, fleet: str, moment: datetime) -> list[Entry]:
        """The entries of a fleet made since then, the oldest first."""
        rows = self._connection.execute(
            "SELECT * FROM release WHERE fleet = ? AND id >= ? ORDER BY id", (fleet, first_id(moment))
        )
        return [Entry(*row) for row in rows]

    def entry(self, release: str) -> Entry | None:
        row = self._connection.execute("SELECT * FROM release WHERE id = ?", (release,)).fetchone()
        return Entry(*row) if row else None

    def hosts(self, release: str) -> list[HostEntry]:
        rows = self._connection.execute("SELECT * FROM result WHERE release = ? ORDER BY host", (release,))
        return [HostEntry(*row) for row in rows]

    def endings(self, release: str) -> dict[str, int]:
        """How many hosts ended in which way."""
        rows = self._connection.execute(
            "SELECT ending, count(*) FROM result WHERE release = ? GROUP BY ending ORDER BY 2 DESC", (release,)
        )
        return dict(rows.fetchall())

    def released(self, fleet: str) -> dict[str, HostEntry]:
        """The last release that stood on each host, by host name, as far as this machine knows."""
        # In SQLite, the other columns beside max() are those of the row that has it.
        rows = self._connection.execute(
            "SELECT result.*, max(release.id) FROM result JOIN release ON release.id = result.release "
            "WHERE release.fleet = ? AND result.ending IN ('verified', 'unverified', 'done') GROUP BY result.host",
            (fleet,),
        )
        return {row[1]: HostEntry(*row[:-1]) for row in rows}


def state_folder() -> Path:
    """$XDG_STATE_HOME/jada (XDG Base Directory Specification), made if need be. Raises JadaError."""
    folder = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "jada"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # A folder that is there may still be on a full or read-only disk.
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"x")
    except OSError as error:
        raise JadaError(
            f"The record in {folder} can't be written: {error.strerror}",
            "nothing was changed; to go on without it: XDG_STATE_HOME=$(mktemp -d) jada …",
        ) from None
    return folder


@contextmanager
def open_records() -> Iterator[Records]:
    """The record in history.db, opened; made where there is none. Raises JadaError."""
    with open_database() as connection:
        yield Records(connection)


@contextmanager
def open_database() -> Iterator[sqlite3.Connection]:
    """The file that holds the record and the history of drift. Raises JadaError."""
    file = state_folder() / "history.db"
    with _told(), closing(sqlite3.connect(file, timeout=BUSY_TIMEOUT)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(SCHEMA)
        yield connection


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise JadaError(
            f"The record history.db can't be read or written: {error}",
            "move the file away and read it back with: jada history --rebuild",
        ) from None
