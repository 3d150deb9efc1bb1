"""What happened, as this machine saw it: every release and rollback, host by host, in SQLite."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import astuple, dataclass
from datetime import datetime, timedelta
from math import isfinite
from pathlib import Path
from typing import Any, TypeVar

from jada import JadaError, natural
from jada.cli.ui.console import err, escape
from jada.tasks.release import KINDS, REASON, ReleaseError, began, first_id, moment, told

T = TypeVar("T")

# Seconds another jada on this machine may hold the file before we give up; and before a rollback goes on without it.
BUSY_TIMEOUT, BUSY_TIMEOUT_BACK = 30, 3
# The file's user_version; a jada that lays the tables out anew raises it, and older ones then leave them alone.
VERSION = 0
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
CREATE TABLE IF NOT EXISTS operator_lock (
    fleet TEXT NOT NULL, at TEXT NOT NULL, host TEXT NOT NULL, kind TEXT NOT NULL, who TEXT NOT NULL,
    reason TEXT NOT NULL, until TEXT NOT NULL, before TEXT NOT NULL, PRIMARY KEY (fleet, at, host, who)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS result_host ON result (host, release);
CREATE INDEX IF NOT EXISTS release_fleet ON release (fleet, id);
"""
BEGUN = "begun"
# The kind of a rollback that went forward again, which hosts keep as a rollback that redoes a release.
REDO = "redo"
# As far as the clocks of two operators may be apart: a release of later than that was made by nobody.
AHEAD = timedelta(minutes=5)
_ENDING = re.compile(r"[a-z_]{1,40}")


@dataclass(frozen=True, slots=True)
class Entry:
    """One upgrade, heal, rollback or redo: `at` ISO 8601 UTC, `who` user@machine, `model` "" if there were several."""

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


@dataclass(frozen=True, slots=True)
class LockEntry:
    """That a host was locked or unlocked from this machine: `kind` is lock or unlock, `before` whose lock it had."""

    fleet: str
    at: str
    host: str
    kind: str
    who: str
    reason: str
    until: str
    before: str


class Records:
    """The record, kept in WAL mode so that readers never wait for a writer.

    Part of it comes from hosts (`jada history --rebuild`): nothing is written, or read, that no jada can have made.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add(self, entry: Entry, hosts: Iterable[HostEntry]) -> None:
        """Writes an entry and its hosts; what was known of the same ones before is replaced. Raises JadaError."""
        with _told(), self._connection as db:
            db.execute("INSERT OR REPLACE INTO release VALUES (?, ?, ?, ?, ?, ?, ?)", astuple(_entry(*astuple(entry))))
            self._write(db, hosts)

    def update(self, hosts: Iterable[HostEntry]) -> None:
        """Writes how it ended for hosts of an entry. Raises JadaError."""
        with _told(), self._connection as db:
            self._write(db, hosts)

    def entries(self, fleet: str, hosts: Collection[str] | None, last: int) -> list[Entry]:
        """The last entries of a fleet, or of some hosts of it, the newest first."""
        if hosts is None:
            rows = self._connection.execute(
                "SELECT * FROM release WHERE fleet = ? ORDER BY id DESC LIMIT ?", (fleet, last)
            )
        else:
            rows = self._connection.execute(
                "SELECT * FROM release WHERE fleet = ? AND EXISTS (SELECT 1 FROM result "
                "WHERE release = id AND host IN (SELECT value FROM json_each(?))) ORDER BY id DESC LIMIT ?",
                (fleet, _listed(hosts), last),
            )
        return list(_usable(_entry, rows))

    def host_names(self, fleet: str) -> set[str]:
        """Every host of a fleet of which anything is recorded."""
        rows = self._connection.execute(
            "SELECT result.host FROM result JOIN release ON release.id = result.release WHERE release.fleet = ? "
            "UNION SELECT host FROM operator_lock WHERE fleet = ?",
            (fleet, fleet),
        )
        return {str(host) for (host,) in rows}

    def add_locks(self, entries: Iterable[LockEntry]) -> None:
        """Writes down who locked or unlocked which host. Raises JadaError."""
        with _told(), self._connection as db:
            db.executemany(
                "INSERT OR REPLACE INTO operator_lock VALUES (?, ?, ?, ?, ?, ?, ?, ?)", map(astuple, entries)
            )

    def locks(self, fleet: str, hosts: Collection[str] | None) -> list[LockEntry]:
        """Who locked and unlocked hosts of a fleet, or some of them, the newest first."""
        rows = self._connection.execute(
            "SELECT * FROM operator_lock WHERE fleet = ?1 "
            "AND (?2 IS NULL OR host IN (SELECT value FROM json_each(?2))) ORDER BY at DESC, host DESC",
            (fleet, _listed(hosts)),
        )
        return [LockEntry(*row) for row in rows]

    def since(self, fleet: str, moment: datetime) -> list[Entry]:
        """The entries of a fleet made since then, the oldest first."""
        rows = self._connection.execute(
            "SELECT * FROM release WHERE fleet = ? AND id >= ? ORDER BY id", (fleet, first_id(moment))
        )
        return list(_usable(_entry, rows))

    def entry(self, release: str) -> Entry | None:
        rows = self._connection.execute("SELECT * FROM release WHERE id = ?", (release,))
        return next(_usable(_entry, rows), None)

    def hosts(self, release: str) -> list[HostEntry]:
        rows = self._connection.execute("SELECT * FROM result WHERE release = ?", (release,))
        return sorted(_usable(_host_entry, rows), key=lambda one: natural(one.host))

    def endings(self, release: str, hosts: Collection[str] | None = None) -> dict[str, int]:
        """How many hosts, or how many of these, ended in which way."""
        rows = self._connection.execute(
            "SELECT ending, count(*) FROM result "
            "WHERE release = ?1 AND (?2 IS NULL OR host IN (SELECT value FROM json_each(?2))) "
            "GROUP BY ending ORDER BY 2 DESC",
            (release, _listed(hosts)),
        )
        return {ending: count for ending, count in rows if _ENDING.fullmatch(str(ending))}

    def released(self, fleet: str) -> dict[str, HostEntry]:
        """The last release that stood on each host, by host name, as far as this machine knows."""
        # In SQLite, the other columns beside max() are those of the row that has it.
        rows = self._connection.execute(
            "SELECT result.*, max(release.id) FROM result JOIN release ON release.id = result.release "
            "WHERE release.fleet = ? AND result.ending IN ('verified', 'unverified', 'done') GROUP BY result.host",
            (fleet,),
        )
        return {one.host: one for one in _usable(_host_entry, (row[:-1] for row in rows))}

    def _write(self, db: sqlite3.Connection, hosts: Iterable[HostEntry]) -> None:
        rows = (astuple(_host_entry(*astuple(host))) for host in hosts)
        db.executemany("INSERT OR REPLACE INTO result VALUES (?, ?, ?, ?, ?, ?, ?)", rows)


def _listed(hosts: Collection[str] | None) -> str | None:
    """Names of hosts as SQLite's json_each() reads them; None for every host."""
    return None if hosts is None else json.dumps(sorted(hosts))


def _entry(release: object, fleet: object, kind: object, at: object, *words: object) -> Entry:
    """An entry of whose values each can be right; where the time can't, it is the id's. Raises ReleaseError."""
    time = began(release)
    with suppress(ReleaseError):
        time = moment(at) or time
    if kind not in (*KINDS, "heal", REDO):
        raise ReleaseError(f"kind is {ascii(kind)[:80]}, which is nothing that jada does")
    who, reason, model = words
    return Entry(str(release), told(fleet), str(kind), time, told(who), told(reason, most=REASON), told(model))


def _host_entry(release: object, host: object, ending: object, reason: object, *rest: Any) -> HostEntry:
    """A host's part of one, likewise. Raises ReleaseError."""
    began(release)
    if not _ENDING.fullmatch(str(ending)):
        raise ReleaseError(f"ending is {ascii(ending)[:80]}, which is no way to end")
    before, after, seconds = rest
    took = seconds if isinstance(seconds, int | float) and isfinite(seconds) else 0.0
    return HostEntry(str(release), told(host), str(ending), told(reason, most=REASON), told(before), told(after), took)


def _usable(read: Callable[..., T], rows: Iterable[Sequence[object]]) -> Iterator[T]:
    """The rows that can be right; the others were written by an older jada, which believed every host."""
    for row in rows:
        with suppress(ReleaseError):
            yield read(*row)


def state_folder() -> Path:
    """$XDG_STATE_HOME/jada (XDG Base Directory Specification), made if need be. Raises JadaError."""
    try:
        folder = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "jada"
    except RuntimeError:
        raise JadaError("This user has no home folder to keep the record in", "set HOME or XDG_STATE_HOME") from None
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
def open_records(needed: bool = True) -> Iterator[Records]:
    """The record in history.db, opened; made where there is none. Raises JadaError.

    Where it is not `needed`, as for a rollback, and can't be used, that is told and an empty one stands in for it.
    """
    with ExitStack() as stack:
        try:
            connection = stack.enter_context(open_database(BUSY_TIMEOUT if needed else BUSY_TIMEOUT_BACK))
            if not needed:
                _try_to_write(connection)
        except JadaError as error:
            if needed:
                raise
            _tell_unrecorded(error)
            connection = stack.enter_context(closing(sqlite3.connect(":memory:")))
            connection.executescript(SCHEMA)
        yield Records(connection)


@contextmanager
def told_only(only: bool = True) -> Iterator[None]:
    """Where something can't be written down here, says so on stderr and goes on; raises JadaError if not `only`."""
    try:
        yield
    except JadaError as error:
        if not only:
            raise
        _tell_unrecorded(error)


def _tell_unrecorded(error: JadaError) -> None:
    err.print(
        f"[yellow]Not recorded here[/]: {escape(error.message)}. Each host keeps its own record; later, "
        "`jada history --rebuild` reads it back."
    )


@contextmanager
def open_database(timeout: int = BUSY_TIMEOUT) -> Iterator[sqlite3.Connection]:
    """The file that holds the record and the history of drift. Raises JadaError."""
    file = state_folder() / "history.db"
    with _told(), closing(sqlite3.connect(file, timeout=timeout)) as connection:
        connection.text_factory = lambda content: content.decode(errors="replace")
        if connection.execute("PRAGMA user_version").fetchone()[0] > VERSION:
            raise JadaError(f"The record {file} was written by a newer jada", "update the jada of this machine")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(SCHEMA)
        yield connection


def _try_to_write(connection: sqlite3.Connection) -> None:
    with _told():
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, ReleaseError) as error:
        raise JadaError(
            f"The record history.db can't be read or written: {error}",
            "move the file away and read it back with: jada history --rebuild",
        ) from None
