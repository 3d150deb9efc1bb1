"""The record of what happened, as this machine saw it: every release and rollback, host by host, in SQLite."""

from __future__ import annotations

import json
import os
import shlex
import sqlite3
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import asdict, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from jada import JadaError, natural
from jada.cli.records.migrations import NewerError, migrate
from jada.cli.records.model import (
    OPEN,
    AnswerEntry,
    ComparisonEntry,
    Entry,
    HostEntry,
    HostOutcome,
    LockEntry,
    RolloutEntry,
    RolloutStatus,
    RolloutWord,
    ServedEntry,
)
from jada.cli.ui.console import err, escape
from jada.inventory.access.pin import Machine, Pin
from jada.tasks.release import ReleaseError, first_id

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    D = TypeVar("D", bound=DataclassInstance)

T = TypeVar("T")

# Seconds another jada on this machine may hold the file before we give up; and before a rollback goes on without it.
BUSY_TIMEOUT, BUSY_TIMEOUT_BACK = 30, 3


class Records:
    """The record, kept in WAL mode so that readers never wait for a writer.

    Part of it comes from hosts (`jada history --rebuild`): nothing is written, or read, that no jada can have made.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add(self, entry: Entry, hosts: Iterable[HostEntry]) -> None:
        """Writes an entry and its hosts; what was known of the same ones before is replaced. Raises JadaError."""
        with _jada_errors(), self._connection as db:
            write(db, "release", [Entry.checked(asdict(entry))])
            self._write(db, hosts)

    def update(self, hosts: Iterable[HostEntry]) -> None:
        """Writes the outcomes of hosts of an entry. Raises JadaError."""
        with _jada_errors(), self._connection as db:
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
        return list(_usable(Entry.checked, rows))

    def host_names(self, fleet: str) -> set[str]:
        """Every host of a fleet of which anything is recorded."""
        rows = self._connection.execute(
            "SELECT result.host FROM result JOIN release ON release.id = result.release WHERE release.fleet = ? "
            "UNION SELECT host FROM operator_lock WHERE fleet = ?",
            (fleet, fleet),
        )
        return {str(row["host"]) for row in rows}

    def add_locks(self, entries: Iterable[LockEntry]) -> None:
        """Writes down who locked or unlocked which host. Raises JadaError."""
        with _jada_errors(), self._connection as db:
            write(db, "operator_lock", entries)

    def locks(self, fleet: str, hosts: Collection[str] | None) -> list[LockEntry]:
        """The locks and unlocks of a fleet's hosts, or of some of them, the newest first."""
        rows = self._connection.execute(
            "SELECT * FROM operator_lock WHERE fleet = ?1 "
            "AND (?2 IS NULL OR host IN (SELECT value FROM json_each(?2))) ORDER BY at DESC, host DESC",
            (fleet, _listed(hosts)),
        )
        return [read(LockEntry, row) for row in rows]

    def begin_rollout(self, entry: RolloutEntry) -> None:
        """Writes down a rollout in waves. Raises JadaError."""
        with _jada_errors(), self._connection as db:
            write(db, "rollout", [entry])

    def end_rollouts(self, fleet: str, status: RolloutStatus, why: str) -> None:
        """Writes down that the rollouts of a fleet that are open have come to their end. Raises JadaError."""
        with _jada_errors(), self._connection as db:
            db.execute(
                "UPDATE rollout SET status = ?, why = ?, baking = 0, updated = ? WHERE fleet = ? AND status IN (?, ?)",
                (status, why, _now(), fleet, *OPEN),
            )

    def advance(self, release: str, status: RolloutStatus, why: str, wave: int, is_baking: bool) -> None:
        """Writes down how far a rollout is, if it has not come to its end meanwhile. Raises JadaError."""
        with _jada_errors(), self._connection as db:
            db.execute(
                "UPDATE rollout SET status = ?, why = ?, wave = ?, baking = ?, updated = ? "
                "WHERE release = ? AND status IN (?, ?)",
                (status, why, wave, is_baking, _now(), release, *OPEN),
            )

    def keep_measured(self, release: str, measured: str) -> None:
        """Writes down what probes measured last on the hosts of a rollout, as JSON. Raises JadaError."""
        with _jada_errors(), self._connection as db:
            db.execute("UPDATE rollout SET measured_json = ? WHERE release = ?", (measured, release))

    def ask(self, release: str, verb: str, by: str) -> None:
        """Writes down what somebody wants of whoever carries a rollout out; "" once that was done. Raises JadaError."""
        with _jada_errors(), self._connection as db:
            db.execute("UPDATE rollout SET asked = ?, asked_by = ? WHERE release = ?", (verb, by, release))

    def rollout(self, release: str) -> RolloutEntry | None:
        """The rollout of that release. Raises JadaError."""
        with _jada_errors():
            row = self._connection.execute("SELECT * FROM rollout WHERE release = ?", (release,)).fetchone()
        return read(RolloutEntry, row) if row else None

    def word(self, release: str) -> RolloutWord | None:
        """The status of the rollout of that release, and what somebody wants of it. Raises JadaError."""
        with _jada_errors():
            row = self._connection.execute(
                "SELECT status, why, asked, asked_by FROM rollout WHERE release = ?", (release,)
            ).fetchone()
        return read(RolloutWord, row) if row else None

    def rollouts(self, fleet: str, last: int) -> list[RolloutEntry]:
        """The last rollouts in waves of a fleet, the newest first. Raises JadaError."""
        with _jada_errors():
            rows = self._connection.execute(
                "SELECT * FROM rollout WHERE fleet = ? ORDER BY release DESC LIMIT ?", (fleet, last)
            )
            return [read(RolloutEntry, row) for row in rows]

    def comparison(self, fleet: str, subject: str) -> ComparisonEntry | None:
        """The comparison of that subject, as it was set up. Raises JadaError."""
        with _jada_errors():
            row = self._connection.execute(
                "SELECT * FROM comparison WHERE fleet = ? AND subject = ?", (fleet, subject)
            ).fetchone()
        return read(ComparisonEntry, row) if row else None

    def comparisons(self, fleet: str) -> list[ComparisonEntry]:
        """Every comparison of a fleet. Raises JadaError."""
        with _jada_errors():
            rows = self._connection.execute("SELECT * FROM comparison WHERE fleet = ?", (fleet,))
            return [read(ComparisonEntry, row) for row in rows]

    def begin_comparison(self, entry: ComparisonEntry) -> ComparisonEntry:
        """Writes down how two arms are compared, unless that was done before: returns what counts. Raises JadaError."""
        with _jada_errors(), self._connection as db:
            write(db, "comparison", [entry], keeps=True)
        return self.comparison(entry.fleet, entry.subject) or entry

    def add_served(self, entries: Iterable[ServedEntry]) -> None:
        """Writes down what came of requests of processes, in place of what was known of the same. Raises JadaError."""
        with _jada_errors(), self._connection as db:
            write(db, "served", entries)

    def served(self, fleet: str, subject: str) -> list[ServedEntry]:
        """What was counted for a comparison, or ("") of all requests. Raises JadaError."""
        with _jada_errors():
            rows = self._connection.execute("SELECT * FROM served WHERE fleet = ? AND subject = ?", (fleet, subject))
            return [read(ServedEntry, row) for row in rows]

    def since(self, fleet: str, moment: datetime) -> list[Entry]:
        """The entries of a fleet made since then, the oldest first."""
        rows = self._connection.execute(
            "SELECT * FROM release WHERE fleet = ? AND id >= ? ORDER BY id", (fleet, first_id(moment))
        )
        return list(_usable(Entry.checked, rows))

    def entry(self, release: str) -> Entry | None:
        rows = self._connection.execute("SELECT * FROM release WHERE id = ?", (release,))
        return next(_usable(Entry.checked, rows), None)

    def hosts(self, release: str) -> list[HostEntry]:
        rows = self._connection.execute("SELECT * FROM result WHERE release = ?", (release,))
        return sorted(_usable(HostEntry.checked, rows), key=lambda entry: natural(entry.host))

    def outcomes(self, release: str, hosts: Collection[str] | None = None) -> dict[HostOutcome, int]:
        """The number of hosts, or of these, by outcome."""
        rows = self._connection.execute(
            "SELECT outcome, count(*) AS hosts FROM result "
            "WHERE release = ?1 AND (?2 IS NULL OR host IN (SELECT value FROM json_each(?2))) "
            "GROUP BY outcome ORDER BY hosts DESC",
            (release, _listed(hosts)),
        )
        known = frozenset(HostOutcome)
        return {HostOutcome(row["outcome"]): row["hosts"] for row in rows if row["outcome"] in known}

    def released(self, fleet: str) -> dict[str, HostEntry]:
        """The last release that stood on each host, by host name, as far as this machine knows."""
        # In SQLite, the other columns beside max() are those of the row that has it.
        rows = self._connection.execute(
            "SELECT result.*, max(release.id) FROM result JOIN release ON release.id = result.release "
            "WHERE release.fleet = ? AND result.outcome IN (SELECT value FROM json_each(?)) GROUP BY result.host",
            (fleet, _listed([outcome for outcome in HostOutcome if outcome.stands])),
        )
        return {entry.host: entry for entry in _usable(HostEntry.checked, rows)}

    def add_answers(self, entries: Iterable[AnswerEntry]) -> None:
        """Writes down the last answers of hosts' own CLIs. Raises JadaError."""
        with _jada_errors(), self._connection as db:
            write(db, "answer", entries)

    def answers(self, fleet: str) -> dict[str, AnswerEntry]:
        """The last answer of each host's own CLI, by host name."""
        rows = self._connection.execute("SELECT * FROM answer WHERE fleet = ?", (fleet,))
        return {str(row["host"]): read(AnswerEntry, row) for row in rows}

    def pins(self, machines: Collection[Machine]) -> list[Pin]:
        """The host keys that are pinned to these machines."""
        instances = _listed({machine[-1] for machine in machines})
        rows = self._connection.execute(
            "SELECT * FROM pin WHERE instance IN (SELECT value FROM json_each(?))", (instances,)
        )
        return [pin for row in rows if (pin := read(Pin, row)).machine in machines]

    def pin(self, pins: Iterable[Pin], replaces: bool = False) -> None:
        """Pins host keys to instances; those that one has already are kept, or this `replaces` them. Raises
        JadaError.
        """
        with _jada_errors(), self._connection as db:
            write(db, "pin", pins, keeps=not replaces)

    def unpin(self, pins: Iterable[Pin]) -> None:
        """Forgets host keys that are pinned. Raises JadaError."""
        with _jada_errors(), self._connection as db:
            db.executemany(
                "DELETE FROM pin WHERE provider = ? AND account = ? AND region = ? AND instance = ?",
                [pin.machine for pin in pins],
            )

    def _write(self, db: sqlite3.Connection, hosts: Iterable[HostEntry]) -> None:
        write(db, "result", [HostEntry.checked(asdict(host)) for host in hosts])


def write(db: sqlite3.Connection, table: str, values: Iterable[D], keeps: bool = False) -> None:
    """Writes values of one type, whose fields are the table's columns; one with the same key is replaced, or it `keeps`
    that one.
    """
    values = list(values)
    if values:
        names = [field.name for field in fields(values[0])]
        values_of_row = f"{table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
        statement = f"INSERT OR {'IGNORE' if keeps else 'REPLACE'} INTO {values_of_row}"
        db.executemany(statement, ([getattr(value, name) for name in names] for value in values))


def read(kind: type[D], row: sqlite3.Row) -> D:
    """A value whose fields are columns of the row; a record of an earlier jada, opened as it is, may lack some."""
    columns = row.keys()
    return kind(**{field.name: row[field.name] for field in fields(kind) if field.name in columns})


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _listed(words: Collection[str] | None) -> str | None:
    """Words as SQLite's json_each() reads them, as names of hosts; None for every host."""
    return None if words is None else json.dumps(sorted(words))


def _usable(checked: Callable[[Mapping[str, Any]], T], rows: Iterable[sqlite3.Row]) -> Iterator[T]:
    """The rows that can be right; the others were written by an older jada, which believed every host."""
    for row in rows:
        with suppress(ReleaseError):
            yield checked(dict(row))


def state_path() -> Path:
    """$XDG_STATE_HOME/jada (XDG Base Directory Specification). Raises JadaError."""
    try:
        return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "jada"
    except RuntimeError:
        raise JadaError("This user has no home folder to keep the record in", "set HOME or XDG_STATE_HOME") from None


def state_folder() -> Path:
    """The folder of the record, made if need be. Raises JadaError."""
    folder = state_path()
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
            prepare(connection)
        yield Records(connection)


@contextmanager
def best_effort(enabled: bool = True) -> Iterator[None]:
    """Goes on where the record can't be read or written, and says so on stderr; raises JadaError if not `enabled`."""
    try:
        with _jada_errors():
            yield
    except JadaError as error:
        if not enabled:
            raise
        _tell_unrecorded(error)


def _tell_unrecorded(error: JadaError) -> None:
    err.print(
        f"[yellow]Not recorded here[/]: {escape(error.message)}. Each host keeps its own record; later, "
        "`jada history --rebuild` reads it back."
    )


@contextmanager
def open_unchanged(file: Path) -> Iterator[sqlite3.Connection]:
    """A record that is there, for reading alone: its tables are those that it has. Raises JadaError."""
    with _jada_errors(), closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as connection:
        _with_names(connection)
        yield connection


@contextmanager
def open_database(timeout: int = BUSY_TIMEOUT) -> Iterator[sqlite3.Connection]:
    """The file that holds the record and the history of drift. Raises JadaError."""
    file = _file()
    with _jada_errors(), closing(sqlite3.connect(file, timeout=timeout)) as connection:
        try:
            prepare(connection)
        except NewerError:
            raise JadaError(
                f"The record {file} was written by a newer jada", "update the jada of this machine"
            ) from None
        connection.execute("PRAGMA journal_mode = WAL")
        yield connection


def prepare(connection: sqlite3.Connection) -> None:
    """Gives a database the tables of today, and its rows names. Raises NewerError, sqlite3.Error."""
    _with_names(connection)
    migrate(connection)


def _with_names(connection: sqlite3.Connection) -> None:
    connection.text_factory = lambda content: content.decode(errors="replace")
    connection.row_factory = sqlite3.Row


def _try_to_write(connection: sqlite3.Connection) -> None:
    with _jada_errors():
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")


def _file() -> Path:
    return state_folder() / "history.db"


@contextmanager
def _jada_errors() -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, ReleaseError) as error:
        # An extended code has the plain one in its last byte: https://sqlite.org/rescode.html
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise JadaError(
                "The record history.db is held by another program",
                f"wait until it is done, or see which it is: fuser -v {shlex.quote(str(_file()))}",
            ) from None
        raise JadaError(
            f"The record history.db can't be read or written: {error}",
            "move the file away and read it back with: jada history --rebuild",
        ) from None
