"""The record of what happened, as this machine saw it: every release and rollback, host by host, in SQLite."""

from __future__ import annotations

import json
import os
import shlex
import sqlite3
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, nullcontext, suppress
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from jada import JadaError, natural
from jada.cli.records.changes import Advance, Ask, Change, ClearNetwork, EndRollouts, KeepNetworks, Put, Unpin
from jada.cli.records.migrations import NewerError, migrate
from jada.cli.records.model import (
    AHEAD,
    FORGET,
    OPEN,
    AnswerEntry,
    ComparisonEntry,
    Entry,
    HostEntry,
    HostOutcome,
    LockEntry,
    NetworkEntry,
    RolloutEntry,
    RolloutStatus,
    RolloutWord,
    ServedEntry,
)
from jada.cli.records.rows import read, with_names
from jada.cli.records.store import LocalStore, Store
from jada.cli.ui.console import err, escape
from jada.inventory.access.pin import Machine, Pin
from jada.tasks.release import ReleaseError, began, first_id

if TYPE_CHECKING:
    from jada import Aws
    from jada.cli.records.shared import SharedStore
    from jada.inventory.fleet.config import Fleet
    from jada.inventory.fleet.state import SharedState

T = TypeVar("T")

# Seconds another jada on this machine may hold the file before we give up; and before a rollback goes on without it.
BUSY_TIMEOUT, BUSY_TIMEOUT_BACK = 30, 3


class Records:
    """The record, kept in WAL mode so that readers never wait for a writer.

    Part of it comes from hosts (`jada history --rebuild`): nothing is written, or read, that no jada can have made.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    @contextmanager
    def best_effort(self, enabled: bool = True) -> Iterator[None]:
        """Goes on where what is written within can't be, and says so on stderr; raises JadaError if not `enabled`. What
        can't be written to a team's place is kept here until the next run.
        """
        with best_effort(enabled), self._store.keeping() if enabled else nullcontext():
            yield

    def add(self, entry: Entry, hosts: Iterable[HostEntry]) -> None:
        """Writes an entry and its hosts; what was known of the same ones before is replaced. Raises JadaError."""
        with jada_errors():
            self._write(Put("release", (Entry.checked(asdict(entry)),)), _results(hosts))

    def update(self, hosts: Iterable[HostEntry]) -> None:
        """Writes the outcomes of hosts of an entry. Raises JadaError."""
        with jada_errors():
            self._write(_results(hosts))

    def entries(self, fleet: str, hosts: Collection[str] | None, last: int) -> list[Entry]:
        """The last entries of a fleet, or of some hosts of it, the newest first."""
        if hosts is None:
            rows = self._store.db.execute(
                "SELECT * FROM release WHERE fleet = ? ORDER BY id DESC LIMIT ?", (fleet, last)
            )
        else:
            rows = self._store.db.execute(
                "SELECT * FROM release WHERE fleet = ? AND EXISTS (SELECT 1 FROM result "
                "WHERE release = id AND host IN (SELECT value FROM json_each(?))) ORDER BY id DESC LIMIT ?",
                (fleet, _listed(hosts), last),
            )
        return list(_usable(Entry.checked, rows))

    def host_names(self, fleet: str) -> set[str]:
        """Every host of a fleet of which anything is recorded."""
        rows = self._store.db.execute(
            "SELECT result.host FROM result JOIN release ON release.id = result.release WHERE release.fleet = ? "
            "UNION SELECT host FROM operator_lock WHERE fleet = ?",
            (fleet, fleet),
        )
        return {str(row["host"]) for row in rows}

    def add_locks(self, entries: Iterable[LockEntry]) -> None:
        """Writes down who locked or unlocked which host. Raises JadaError."""
        self._write(Put("operator_lock", tuple(entries)))

    def locks(self, fleet: str, hosts: Collection[str] | None) -> list[LockEntry]:
        """The locks and unlocks of a fleet's hosts, or of some of them, the newest first."""
        rows = self._store.db.execute(
            "SELECT * FROM operator_lock WHERE fleet = ?1 "
            "AND (?2 IS NULL OR host IN (SELECT value FROM json_each(?2))) ORDER BY at DESC, host DESC",
            (fleet, _listed(hosts)),
        )
        return [read(LockEntry, row) for row in rows]

    def begin_rollout(self, entry: RolloutEntry) -> None:
        """Writes down a rollout in waves. Raises JadaError."""
        self._write(Put("rollout", (entry,)))

    def end_rollouts(self, fleet: str, status: RolloutStatus, why: str) -> None:
        """Writes down that the rollouts of a fleet that are open have come to their end. Raises JadaError."""
        end = EndRollouts(fleet=fleet, status=status, why=why, updated=_now())

        def decide(db: sqlite3.Connection) -> list[Change]:
            query = "SELECT EXISTS (SELECT 1 FROM rollout WHERE fleet = ? AND status IN (?, ?))"
            return [end] if db.execute(query, (fleet, *OPEN)).fetchone()[0] else []

        with jada_errors():
            self._store.write(decide)

    def advance(
        self,
        release: str,
        status: RolloutStatus,
        why: str,
        wave: int | None,
        is_baking: bool,
        hosts: Iterable[HostEntry] = (),
        measured: str = "",
    ) -> None:
        """Writes down how far a rollout is, if it has not come to its end meanwhile, with outcomes of its hosts and
        what probes measured last, as JSON. It is in that `wave`, or (None) where it was. Raises JadaError.
        """
        where = -1 if wave is None else wave
        advance = Advance(
            release=release,
            status=status,
            why=why,
            wave=where,
            baking=is_baking,
            updated=_now(),
            measured_json=measured,
        )
        with jada_errors():
            self._write(_results(hosts), advance)

    def keep_networks(self, release: str, networks: str) -> None:
        """Writes down how the network of a rollout's hosts was before it, as JSON. Raises JadaError."""
        self._write(KeepNetworks(release=release, networks_json=networks))

    def add_network(self, release: str, entries: Iterable[NetworkEntry]) -> None:
        """Writes down in what the network was other after a release, in place of what was known of that. Raises
        JadaError.
        """
        with jada_errors():
            rows = tuple(NetworkEntry.checked(asdict(entry)) for entry in entries)
        self._write(ClearNetwork(release=release), Put("network", rows))

    def network(self, release: str) -> list[NetworkEntry]:
        """Everything in which the network was other after a release, or is not known to have been the same."""
        rows = self._store.db.execute("SELECT * FROM network WHERE release = ?", (release,))
        return sorted(_usable(NetworkEntry.checked, rows), key=lambda entry: (natural(entry.host), entry.code))

    def ask(self, release: str, verb: str, by: str) -> None:
        """Writes down what somebody wants of whoever carries a rollout out; "" once that was done. Raises JadaError."""
        ask = Ask(release=release, verb=verb, by=by)

        def decide(db: sqlite3.Connection) -> list[Change]:
            row = db.execute("SELECT asked, asked_by FROM rollout WHERE release = ?", (release,)).fetchone()
            return [ask] if row and tuple(row) != (verb, by) else []

        with jada_errors():
            self._store.write(decide)

    def rollout(self, release: str) -> RolloutEntry | None:
        """The rollout of that release. Raises JadaError."""
        with jada_errors():
            self._store.refresh()
            row = self._store.db.execute("SELECT * FROM rollout WHERE release = ?", (release,)).fetchone()
        return read(RolloutEntry, row) if row else None

    def word(self, release: str) -> RolloutWord | None:
        """The status of the rollout of that release, and what somebody wants of it. Raises JadaError."""
        with jada_errors():
            self._store.refresh()
            row = self._store.db.execute(
                "SELECT status, why, asked, asked_by FROM rollout WHERE release = ?", (release,)
            ).fetchone()
        return read(RolloutWord, row) if row else None

    def rollouts(self, fleet: str, last: int) -> list[RolloutEntry]:
        """The last rollouts in waves of a fleet, the newest first, but for one that is open: whatever the clock of who
        began it, that comes before them. Raises JadaError.
        """
        with jada_errors():
            rows = self._store.db.execute(
                "SELECT * FROM rollout WHERE fleet = ? ORDER BY status IN (?, ?) DESC, release DESC LIMIT ?",
                (fleet, *OPEN, last),
            )
            return [read(RolloutEntry, row) for row in rows]

    def comparison(self, fleet: str, subject: str) -> ComparisonEntry | None:
        """The comparison of that subject, as it was set up. Raises JadaError."""
        with jada_errors():
            row = self._store.db.execute(
                "SELECT * FROM comparison WHERE fleet = ? AND subject = ?", (fleet, subject)
            ).fetchone()
        return read(ComparisonEntry, row) if row else None

    def comparisons(self, fleet: str) -> list[ComparisonEntry]:
        """Every comparison of a fleet. Raises JadaError."""
        with jada_errors():
            rows = self._store.db.execute("SELECT * FROM comparison WHERE fleet = ?", (fleet,))
            return [read(ComparisonEntry, row) for row in rows]

    def begin_comparison(self, entry: ComparisonEntry) -> ComparisonEntry:
        """Writes down how two arms are compared, unless that was done before: returns what counts. Raises JadaError."""
        if self.comparison(entry.fleet, entry.subject) is None:
            self._write(Put("comparison", (entry,), keeps=True))
        return self.comparison(entry.fleet, entry.subject) or entry

    def add_served(self, entries: Iterable[ServedEntry]) -> None:
        """Writes down what came of requests of processes, in place of what was known of the same. Raises JadaError."""
        self._write(Put("served", tuple(entries)))

    def served(self, fleet: str, subject: str) -> list[ServedEntry]:
        """What was counted for a comparison, or ("") of all requests. Raises JadaError."""
        with jada_errors():
            rows = self._store.db.execute("SELECT * FROM served WHERE fleet = ? AND subject = ?", (fleet, subject))
            return [read(ServedEntry, row) for row in rows]

    def since(self, fleet: str, moment: datetime) -> list[Entry]:
        """The entries of a fleet made since then, the oldest first."""
        rows = self._store.db.execute(
            "SELECT * FROM release WHERE fleet = ? AND id >= ? ORDER BY id", (fleet, first_id(moment))
        )
        return list(_usable(Entry.checked, rows))

    def next_moment(self, fleet: str, now: datetime) -> datetime:
        """The moment of which the id of the next release is to be: now, or just after the last one by a clock that is
        ahead, so that it comes behind that. One that nobody can have made yet does not count. Raises JadaError.
        """
        query = "SELECT max(id) AS id FROM release WHERE fleet = ? AND id < ?"
        with jada_errors():
            row = self._store.db.execute(query, (fleet, first_id(now + AHEAD))).fetchone()
        with suppress(ReleaseError):
            return max(now, datetime.fromisoformat(began(row["id"])) + timedelta(seconds=1))
        return now

    def entry(self, release: str) -> Entry | None:
        rows = self._store.db.execute("SELECT * FROM release WHERE id = ?", (release,))
        return next(_usable(Entry.checked, rows), None)

    def hosts(self, release: str) -> list[HostEntry]:
        rows = self._store.db.execute("SELECT * FROM result WHERE release = ?", (release,))
        return sorted(_usable(HostEntry.checked, rows), key=lambda entry: natural(entry.host))

    def outcomes(self, release: str, hosts: Collection[str] | None = None) -> dict[HostOutcome, int]:
        """The number of hosts, or of these, by outcome."""
        rows = self._store.db.execute(
            "SELECT outcome, count(*) AS hosts FROM result "
            "WHERE release = ?1 AND (?2 IS NULL OR host IN (SELECT value FROM json_each(?2))) "
            "GROUP BY outcome ORDER BY hosts DESC",
            (release, _listed(hosts)),
        )
        known = frozenset(HostOutcome)
        return {HostOutcome(row["outcome"]): row["hosts"] for row in rows if row["outcome"] in known}

    def released(self, fleet: str, before: datetime | None = None) -> dict[str, HostEntry]:
        """The last release that stands on each host, by its name, as far as this machine knows, or that stood there
        `before`: none on one that was forgotten since.
        """
        # In SQLite, the other columns beside max() are those of the row that has it.
        rows = self._store.db.execute(
            "SELECT result.*, max(release.id) FROM result JOIN release ON release.id = result.release "
            "WHERE release.fleet = ?1 AND result.outcome IN (SELECT value FROM json_each(?2)) "
            "AND (?3 IS NULL OR release.id < ?3) GROUP BY result.host",
            (
                fleet,
                _listed([outcome for outcome in HostOutcome if outcome.stands]),
                first_id(before) if before else None,
            ),
        )
        last = {entry.host: entry for entry in _usable(HostEntry.checked, rows)}
        forgotten = {
            lock.host: lock.at
            for lock in reversed(self.locks(fleet, None))
            if lock.kind == FORGET and (before is None or lock.at < before.isoformat())
        }
        return {
            host: entry
            for host, entry in last.items()
            if host not in forgotten or began(entry.release) > forgotten[host]
        }

    def add_answers(self, entries: Iterable[AnswerEntry]) -> None:
        """Writes down the last answers of hosts' own CLIs. Raises JadaError."""
        self._write(Put("answer", tuple(entries)))

    def answers(self, fleet: str) -> dict[str, AnswerEntry]:
        """The last answer of each host's own CLI, by host name."""
        rows = self._store.db.execute("SELECT * FROM answer WHERE fleet = ?", (fleet,))
        return {str(row["host"]): read(AnswerEntry, row) for row in rows}

    def pins(self, machines: Collection[Machine]) -> list[Pin]:
        """The host keys that are pinned to these machines."""
        instances = _listed({machine[-1] for machine in machines})
        rows = self._store.db.execute(
            "SELECT * FROM pin WHERE instance IN (SELECT value FROM json_each(?))", (instances,)
        )
        return [pin for row in rows if (pin := read(Pin, row)).machine in machines]

    def pin(self, pins: Iterable[Pin], replaces: bool = False) -> None:
        """Pins host keys to instances; those that one has already are kept, or this `replaces` them. Raises
        JadaError.
        """
        self._write(Put("pin", tuple(pins), keeps=not replaces))

    def unpin(self, pins: Iterable[Pin]) -> None:
        """Forgets host keys that are pinned. Raises JadaError."""
        self._write(Unpin(tuple(pin.machine for pin in pins)))

    def _write(self, *changes: Change) -> None:
        news = [change for change in changes if not isinstance(change, Put) or change.rows]
        if news:
            with jada_errors():
                self._store.write(lambda _: news)


def _results(hosts: Iterable[HostEntry]) -> Put:
    return Put("result", tuple(HostEntry.checked(asdict(host)) for host in hosts))


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
def open_records(fleet: Fleet | None = None, needed: bool = True) -> Iterator[Records]:
    """The record of a fleet's team where its fleet.yml names a place for that, else that of this machine in history.db;
    opened, and made where there is none. Raises JadaError.

    Where it is not `needed`, as for a rollback, and can't be used, that is told and another stands in for it: an empty
    one, or all that is known here of the team's.
    """
    with open_store(fleet, needed) as store:
        yield Records(store)


@contextmanager
def open_store(fleet: Fleet | None = None, needed: bool = True, timeout: int = BUSY_TIMEOUT) -> Iterator[Store]:
    """The store of open_records(); another jada here may hold it for `timeout` s. Raises JadaError."""
    timeout = timeout if needed else BUSY_TIMEOUT_BACK
    with ExitStack() as stack:
        try:
            if fleet and fleet.state:
                store: Store = stack.enter_context(_open_shared(fleet.state, fleet.aws, needed, timeout))
            else:
                store = LocalStore(stack.enter_context(open_database(timeout)))
            if not needed:
                _try_to_write(store.db)
        except JadaError as error:
            if needed:
                raise
            _tell_unrecorded(error)
            connection = stack.enter_context(closing(sqlite3.connect(":memory:")))
            prepare(connection)
            store = LocalStore(connection)
        yield store


@contextmanager
def _open_shared(state: SharedState, aws: Aws, needed: bool, timeout: int) -> Iterator[SharedStore]:
    # With it comes boto3, which takes as long as reading ten hosts.
    from jada.cli.records.shared import SharedStore, index_name
    from jada.inventory.cloud.objects import Objects

    file = state_folder() / index_name(state)
    with open_database(timeout, file) as index, jada_errors(file):
        store = SharedStore(index, Objects(aws, state.bucket, state.prefix), state, file, keeps=not needed)
        store.begin()
        try:
            yield store
        finally:
            store.end()


@contextmanager
def read_shared(state: SharedState, aws: Aws) -> Iterator[SharedStore]:
    """The record of a team, to be looked into: what is new is taken in, and nothing is written anywhere. Raises
    JadaError.
    """
    from jada.cli.records.shared import SharedStore, index_name
    from jada.inventory.cloud.objects import Objects

    file = state_path() / index_name(state)
    with jada_errors(file), closing(sqlite3.connect(":memory:")) as copy:
        if file.exists():
            with open_unchanged(file) as index:
                index.backup(copy)
        _prepare(copy, file)
        store = SharedStore(copy, Objects(aws, state.bucket, state.prefix), state, file)
        store.begin(sends=False)
        yield store


@contextmanager
def best_effort(enabled: bool = True) -> Iterator[None]:
    """Goes on where the record can't be read or written, and says so on stderr; raises JadaError if not `enabled`."""
    try:
        with jada_errors():
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
    with jada_errors(file), ExitStack() as stack:
        for mode in ("mode=ro", "mode=ro&immutable=1"):
            connection = stack.enter_context(closing(sqlite3.connect(f"{file.as_uri()}?{mode}", uri=True)))
            try:
                connection.execute("PRAGMA schema_version")
                break
            except sqlite3.OperationalError as error:
                if _is_held(error):
                    raise
                # On a full or read-only disk there is no room for what its readers share (WAL), and nobody writes.
        with_names(connection)
        yield connection


@contextmanager
def open_database(timeout: int = BUSY_TIMEOUT, file: Path | None = None) -> Iterator[sqlite3.Connection]:
    """The file that holds the record and the history of drift, by default history.db. Raises JadaError."""
    file = file or _file()
    with jada_errors(file), closing(sqlite3.connect(file, timeout=timeout)) as connection:
        _prepare(connection, file)
        connection.execute("PRAGMA journal_mode = WAL")
        yield connection


def _prepare(connection: sqlite3.Connection, file: Path) -> None:
    try:
        prepare(connection)
    except NewerError:
        raise JadaError(f"The record {file} was written by a newer jada", "update the jada of this machine") from None


def prepare(connection: sqlite3.Connection) -> None:
    """Gives a database the tables of today, and its rows names. Raises NewerError, sqlite3.Error."""
    with_names(connection)
    migrate(connection)


def _try_to_write(connection: sqlite3.Connection) -> None:
    with jada_errors():
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")


def _file() -> Path:
    return state_folder() / "history.db"


@contextmanager
def jada_errors(file: Path | None = None) -> Iterator[None]:
    """Raises a JadaError for what goes wrong with a record, by default history.db."""
    try:
        yield
    except (sqlite3.Error, ReleaseError) as error:
        name = file.name if file else "history.db"
        if _is_held(error):
            raise JadaError(
                f"The record {name} is held by another program",
                f"wait until it is done, or see which it is: fuser -v {shlex.quote(str(file or _file()))}",
            ) from None
        raise JadaError(
            f"The record {name} can't be read or written: {error}",
            "move the file away and read it back with: jada history --rebuild",
        ) from None


def _is_held(error: Exception) -> bool:
    """True if another program holds the database."""
    # An extended code has the plain one in its last byte: https://sqlite.org/rescode.html
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
