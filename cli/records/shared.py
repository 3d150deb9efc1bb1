"""A team's record in S3: a log of numbered objects, each of them changes that are made together.

The next object's number is that of the last plus one, and it is created only if nobody else has: so there is one
order, whatever the clocks of those who write, and whoever decides by what the record holds has decided by all that came
before. What is read comes from an index on this machine, with the same tables as a record of its own, to which each
object is applied once, in that order.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from gevent import Timeout

from jada import JadaError
from jada.cli.records.changes import TABLES, Change, ForeignError, Message, NewerFormError
from jada.cli.records.rows import with_names
from jada.cli.records.store import Decide
from jada.cli.ui.console import err, escape, plural

if TYPE_CHECKING:
    from jada.inventory.cloud.objects import Stored
    from jada.inventory.fleet.state import SharedState

LOG = "log/"
# Objects that are read side by side, as many as boto3 keeps connections; and those that are applied together.
AT_ONCE, TOGETHER = 10, 200
# Seconds: what was read so lately is taken as it is; S3 that failed is left in peace; a rollback waits no longer.
FRESH, LATER, BACK = 2.0, 60.0, 5.0

_KEY = re.compile(r"log/([0-9]{12})\.json\.gz")
_TABLES = (
    "CREATE TABLE IF NOT EXISTS applied (number INTEGER PRIMARY KEY, etag TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS unsent (at INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, body BLOB NOT NULL)",
)


class Log(Protocol):
    """The part of S3's objects that is used here; see jada.inventory.cloud.objects."""

    def read(self, key: str) -> Stored | None: ...

    def create(self, key: str, body: bytes) -> str | None: ...

    def etags(self, folder: str = "", after: str = "") -> Iterator[tuple[str, str]]: ...


class Health:
    """What this process knows of a place: when it was read last, until when it is not asked again, and why not."""

    def __init__(self) -> None:
        self.read_at = float("-inf")
        self.down_until = float("-inf")
        self.trouble: JadaError | None = None
        self.told = set[str]()

    @property
    def is_fresh(self) -> bool:
        return self.trouble is None and time.monotonic() - self.read_at < FRESH

    def check(self) -> None:
        """Raises the JadaError that was met lately."""
        if self.trouble and time.monotonic() < self.down_until:
            raise self.trouble


_health: dict[Path, Health] = {}


def index_name(state: SharedState) -> str:
    """The name of the index of a place, in the folder of the record."""
    return f"{state.bucket}-{hashlib.sha256(str(state).encode()).hexdigest()[:8]}.db"


def key_of(number: int) -> str:
    return f"{LOG}{number:012}.json.gz"


class SharedStore:
    """The record of a place, with its `index` on this machine in `file`.

    What can't be written is an error, or (if it `keeps`) kept in the index, and written before anything else the next
    time that the place can be reached; until then a copy of the index in memory holds it too.
    """

    def __init__(
        self, index: sqlite3.Connection, log: Log, state: SharedState, file: Path, *, keeps: bool = False
    ) -> None:
        self._index, self._log, self._place, self._keeps = index, log, str(state), keeps
        self._health = _health.setdefault(file, Health())
        self._view: sqlite3.Connection | None = None
        for table in _TABLES:
            index.execute(table)

    @property
    def db(self) -> sqlite3.Connection:
        return self._view or self._index

    @property
    def last(self) -> int:
        """The number of the last object that is known here."""
        return self._last()[0]

    @property
    def unsent(self) -> int:
        """The number of changes that are kept here, to be written there."""
        return int(self._index.execute("SELECT count(*) FROM unsent").fetchone()[0])

    def begin(self, *, sends: bool = True) -> None:
        """Takes in all that is new, and writes what was kept, if it `sends` that. Where the former can't be, raises
        JadaError, or goes on with what is known here.
        """
        try:
            self._read_in_time()
        except JadaError as error:
            if not self._keeps:
                raise
            self._tell(f"{error.message}. This goes on with what is known of it here")
            self._go_offline()
            return
        try:
            if sends:
                with self._in_words("written"), self._in_time("written"):
                    self._send()
        except JadaError as error:
            self._tell(error.message)
            self._go_offline()

    def end(self) -> None:
        """Tries once more to write what was kept, and says where that is to be done yet."""
        if self._view and self.unsent:
            with suppress(JadaError), self.keeping():
                self._read_in_time()
                with self._in_time("written"):
                    self._send()
        self._close_view()
        if left := self.unsent:
            self._tell(
                f"{plural(left, 'change')} of the record are kept here, to be written to {self._place} at the next run"
            )

    def write(self, decide: Decide) -> None:
        token = secrets.token_hex(16)
        try:
            self._health.check()
            with self._in_words("written"), self._in_time("written"):
                self._send()
                self._append(token, decide)
        except JadaError as error:
            if not self._keeps:
                raise
            self._tell(f"{error.message}. What is done is kept here, and written there later")
            self._keep(Message(token, tuple(decide(self.db))))

    def refresh(self) -> None:
        if self._health.is_fresh:
            return
        try:
            self._health.check()
            # Whoever carries a rollout out asks again and again, and has hosts to look at meanwhile.
            with self.keeping(), self._in_time("read"):
                self._read()
                if self._view:
                    self._send()
        except JadaError:
            if not self._keeps:
                raise

    @contextmanager
    def keeping(self) -> Iterator[None]:
        keeps, self._keeps = self._keeps, True
        try:
            yield
        finally:
            self._keeps = keeps

    def _read_in_time(self) -> None:
        """Takes in what is new. Raises JadaError."""
        self._health.check()
        if self._health.is_fresh:
            return
        with self._in_time("read"):
            self._read()

    @contextmanager
    def _in_time(self, done: str) -> Iterator[None]:
        """Gives it a few seconds, where nobody needs it: S3 that hangs takes minutes to fail, and what was written and
        not answered meets itself later. Raises JadaError.
        """
        if not self._keeps:
            yield
            return
        try:
            with Timeout(BACK):
                yield
        except Timeout:
            raise self._failed(JadaError(f"The record in {self._place} can't be {done} within {BACK:g} s")) from None

    def _read(self) -> None:
        """Applies the objects that are new. Raises JadaError."""
        with self._in_words("read"):
            number, etag = self._last()
            listed = self._listed(number - 1)
            if number and next(listed, None) != (number, etag):
                self._tell(f"The record in {self._place} is another than this machine knew; it is read anew")
                self._forget_all()
                listed = self._listed(0)
            while some := list(islice(listed, TOGETHER)):
                bodies = self._bodies([number for number, _ in some])
                self._apply((*entry, self._message(entry[0], body)) for entry, body in zip(some, bodies, strict=True))
        self._health.read_at = time.monotonic()

    def _bodies(self, numbers: Sequence[int]) -> list[Stored | None]:
        """The objects of these numbers. Raises JadaError."""
        pool = ThreadPoolExecutor(AT_ONCE)
        try:
            return list(pool.map(self._log.read, map(key_of, numbers)))
        finally:
            # Where the time is up, nobody waits for those that are under way.
            pool.shutdown(wait=False, cancel_futures=True)

    def _listed(self, after: int) -> Iterator[tuple[int, str]]:
        """The numbers and ETags of the objects after that number."""
        for key, etag in self._log.etags(LOG, after=key_of(after) if after > 0 else ""):
            if match := _KEY.fullmatch(key):
                yield int(match[1]), etag
            elif not key.endswith("/"):
                self._tell(f"{self._place}/{key} is not jada's, and left out")

    def _message(self, number: int, stored: Stored | None) -> Message | None:
        """The message of an object; None for what is no jada's, which is told. Raises JadaError."""
        try:
            if stored:
                return Message.from_bytes(stored.body)
        except ForeignError:
            self._tell(f"{self._place}/{key_of(number)} is not what jada writes, and left out")
        except NewerFormError:
            raise JadaError(
                f"{self._place}/{key_of(number)} was written by a newer jada", "update the jada of this machine"
            ) from None
        return None

    def _append(self, token: str, decide: Decide, *, was_kept: bool = False) -> None:
        """Writes the changes that are decided upon behind all that others wrote. Raises JadaError."""
        while True:
            # Before what is decided by: the number is free no more where another has written since.
            number = self._last()[0] + 1
            if was_kept and not self._is_unsent(token):
                return
            message = Message(token, tuple(decide(self._index)))
            if not message.changes:
                return
            if etag := self._log.create(key_of(number), message.to_bytes()):
                self._apply([(number, etag, message)])
                self._health.read_at = time.monotonic()
                return
            self._read()

    def _apply(self, entries: Iterable[tuple[int, str, Message | None]]) -> None:
        """Applies messages in the order of their numbers, but for those that another jada here has applied by now."""
        with self._index as db:
            db.execute("BEGIN IMMEDIATE")
            last = self._last()
            for number, etag, message in entries:
                if number <= last[0]:
                    continue
                last = (number, etag)
                for change in message.changes if message else ():
                    change.apply(db)
                if message:
                    db.execute("DELETE FROM unsent WHERE id = ?", (message.id,))
            db.execute("DELETE FROM applied")
            db.execute("INSERT INTO applied (number, etag) VALUES (?, ?)", last)

    def _last(self) -> tuple[int, str]:
        """The number and the ETag of the last object that was applied."""
        row = self._index.execute("SELECT number, etag FROM applied").fetchone()
        return (row["number"], row["etag"]) if row else (0, "")

    def _forget_all(self) -> None:
        with self._index as db:
            for table in (*TABLES, "applied"):
                db.execute(f"DELETE FROM {table}")  # noqa: S608 - the name is ours

    def _send(self) -> None:
        """Writes what was kept, in its order, and tells that. Raises JadaError."""
        kept = self._index.execute("SELECT id, body FROM unsent ORDER BY at").fetchall()
        for row in kept:
            changes = Message.from_bytes(row["body"]).changes
            self._append(row["id"], lambda _, changes=changes: changes, was_kept=True)  # type: ignore[misc]
        if kept:
            self._tell(f"{plural(len(kept), 'change')} that were kept here are in the record of {self._place} now")
        self._close_view()

    def _close_view(self) -> None:
        if self._view:
            self._view.close()
            self._view = None

    def _keep(self, message: Message) -> None:
        if not message.changes:
            return
        with self._index as db:
            db.execute("INSERT INTO unsent (id, body) VALUES (?, ?)", (message.id, message.to_bytes()))
        if self._view is None:
            self._go_offline()
        else:
            _make(self._view, message.changes)

    def _go_offline(self) -> None:
        """Goes on with a copy of the index that holds what was kept too."""
        view = sqlite3.connect(":memory:")
        with_names(view)
        self._index.backup(view)
        for row in self._index.execute("SELECT body FROM unsent ORDER BY at"):
            _make(view, Message.from_bytes(row["body"]).changes)
        self._view = view

    def _is_unsent(self, token: str) -> bool:
        return self._index.execute("SELECT 1 FROM unsent WHERE id = ?", (token,)).fetchone() is not None

    @contextmanager
    def _in_words(self, done: str) -> Iterator[None]:
        """Says of an error of S3 which record it is about, and notes it; all is well where there is none."""
        try:
            yield
        except JadaError as error:
            if error is self._health.trouble:
                raise
            raise self._failed(
                JadaError(f"The record in {self._place} can't be {done}: {error.message}", error.hint), error
            ) from error
        self._health.trouble = None

    def _failed(self, error: JadaError, cause: JadaError | None = None) -> JadaError:
        from jada.inventory.cloud.errors import DeniedError

        self._health.trouble = error
        # Who may not write may read all the same.
        if not isinstance(cause, DeniedError):
            self._health.down_until = time.monotonic() + LATER
        return error

    def _tell(self, text: str) -> None:
        """Tells that on stderr, once."""
        if text not in self._health.told:
            self._health.told.add(text)
            err.print(f"[yellow]Note[/] {escape(text)}.")


def _make(db: sqlite3.Connection, changes: Sequence[Change]) -> None:
    with db:
        for change in changes:
            change.apply(db)
