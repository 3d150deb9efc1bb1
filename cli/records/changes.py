"""The changes of a record: what each does to the tables, and the bytes by which other machines get it.

Bytes come from a bucket, into which others write too: a change is made of them only if its values can be right.
"""

from __future__ import annotations

import gzip
import json
import re
import sqlite3
import zlib
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, fields
from enum import Enum
from functools import cache
from math import isfinite
from typing import Any, Protocol, get_type_hints

from jada.cli.records.drift import Check, Episode, NoticeEntry
from jada.cli.records.model import (
    ABORT,
    OPEN,
    PAUSE,
    PROMOTE,
    AnswerEntry,
    ComparisonEntry,
    Entry,
    HostEntry,
    LockEntry,
    NetworkEntry,
    RolloutEntry,
    RolloutStatus,
    ServedEntry,
    is_json,
)
from jada.cli.records.rows import write
from jada.inventory.access.pin import Machine
from jada.tasks.release import ReleaseError

# The values in the rows of each table.
TABLES: Mapping[str, type[Any]] = {
    "release": Entry,
    "result": HostEntry,
    "operator_lock": LockEntry,
    "rollout": RolloutEntry,
    "answer": AnswerEntry,
    "comparison": ComparisonEntry,
    "served": ServedEntry,
    "network": NetworkEntry,
    "drift_check": Check,
    "drift_episode": Episode,
    "drift_notice": NoticeEntry,
}
# The form of the bytes. A jada reads what has its own or a lower one.
FORM = 1
# The most bytes of JSON that are read or written: a rollout of 10,000 hosts has a tenth of it.
MOST = 64 << 20
# SQLite's own bounds of a number.
LARGEST = 2**63

_ID = re.compile(r"[0-9a-f]{32}")


class ForeignError(ValueError):
    """Bytes that no jada has written."""


class NewerFormError(ValueError):
    """Bytes that a newer jada has written."""


class Change(Protocol):
    """One change of the tables; within a transaction it is applied whole."""

    def apply(self, db: sqlite3.Connection) -> None: ...


@dataclass(frozen=True, slots=True)
class Put:
    """Rows of one table, in place of those with the same keys; or it `keeps` those."""

    table: str
    rows: tuple[Any, ...]
    keeps: bool = False

    def apply(self, db: sqlite3.Connection) -> None:
        write(db, self.table, self.rows, self.keeps)


@dataclass(frozen=True, slots=True)
class Forget:
    """Notices that were delivered."""

    rows: tuple[NoticeEntry, ...]

    def apply(self, db: sqlite3.Connection) -> None:
        names = [field.name for field in fields(NoticeEntry)]
        statement = f"DELETE FROM drift_notice WHERE {' AND '.join(f'{name} = ?' for name in names)}"  # noqa: S608
        db.executemany(statement, ([getattr(row, name) for name in names] for row in self.rows))


@dataclass(frozen=True, slots=True, kw_only=True)
class EndRollouts:
    """The end of all rollouts of a fleet that are open."""

    fleet: str
    status: RolloutStatus
    why: str
    updated: str

    def apply(self, db: sqlite3.Connection) -> None:
        db.execute(
            "UPDATE rollout SET status = ?, why = ?, baking = 0, updated = ? WHERE fleet = ? AND status IN (?, ?)",
            (self.status, self.why, self.updated, self.fleet, *OPEN),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Advance:
    """How far a rollout is, unless it has come to its end; `wave` -1: where it was. So with `measured_json` ""."""

    release: str
    status: RolloutStatus
    why: str
    wave: int
    baking: bool
    updated: str
    measured_json: str = ""

    def apply(self, db: sqlite3.Connection) -> None:
        db.execute(
            "UPDATE rollout SET status = ?1, why = ?2, wave = CASE ?3 WHEN -1 THEN wave ELSE ?3 END, baking = ?4, "
            "updated = ?5, measured_json = CASE ?6 WHEN '' THEN measured_json ELSE ?6 END "
            "WHERE release = ?7 AND status IN (?8, ?9)",
            (self.status, self.why, self.wave, self.baking, self.updated, self.measured_json, self.release, *OPEN),
        )

    @classmethod
    def checked(cls, values: Mapping[str, Any]) -> Advance:
        advance: Advance = _typed(cls, values)
        if advance.measured_json and not is_json(advance.measured_json):
            raise ReleaseError("what was measured is no JSON of jada's")
        return advance


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """The word of somebody to whoever carries a rollout out; "" takes it back."""

    release: str
    verb: str
    by: str

    def apply(self, db: sqlite3.Connection) -> None:
        db.execute("UPDATE rollout SET asked = ?, asked_by = ? WHERE release = ?", (self.verb, self.by, self.release))

    @classmethod
    def checked(cls, values: Mapping[str, Any]) -> Ask:
        ask: Ask = _typed(cls, values)
        if ask.verb not in ("", PAUSE, PROMOTE, ABORT):
            raise ReleaseError("nobody can ask for that")
        return ask


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepNetworks:
    """How the network of a rollout's hosts was before it, as JSON."""

    release: str
    networks_json: str

    def apply(self, db: sqlite3.Connection) -> None:
        db.execute("UPDATE rollout SET networks_json = ? WHERE release = ?", (self.networks_json, self.release))

    @classmethod
    def checked(cls, values: Mapping[str, Any]) -> KeepNetworks:
        kept: KeepNetworks = _typed(cls, values)
        if not is_json(kept.networks_json):
            raise ReleaseError("the network is no JSON of jada's")
        return kept


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearNetwork:
    """The end of what was known to be other in the network after a release."""

    release: str

    def apply(self, db: sqlite3.Connection) -> None:
        db.execute("DELETE FROM network WHERE release = ?", (self.release,))


@dataclass(frozen=True, slots=True)
class Unpin:
    """The end of host keys that were pinned to these machines. What is pinned is this machine's own affair: whoever may
    write to a team's place does not say whom others trust.
    """

    machines: tuple[Machine, ...]

    def apply(self, db: sqlite3.Connection) -> None:
        db.executemany(
            "DELETE FROM pin WHERE provider = ? AND account = ? AND region = ? AND instance = ?", self.machines
        )


KINDS: Mapping[str, type[Any]] = {
    "end": EndRollouts,
    "advance": Advance,
    "ask": Ask,
    "networks": KeepNetworks,
    "clear_network": ClearNetwork,
}


@dataclass(frozen=True, slots=True)
class Message:
    """Changes that are made together; `id`, 32 random hex digits, tells them from the same ones made again."""

    id: str
    changes: tuple[Change, ...]

    def to_bytes(self) -> bytes:
        """The bytes that from_bytes() reads: gzip of JSON, the same for the same message. Raises ReleaseError."""
        form = {"jada": FORM, "id": self.id, "changes": [_as_data(change) for change in self.changes]}
        text = json.dumps(form, separators=(",", ":")).encode()
        if len(text) > MOST:
            raise ReleaseError(f"the record of it has more than {MOST} bytes")
        return gzip.compress(text, mtime=0)

    @classmethod
    def from_bytes(cls, body: bytes) -> Message:
        """The message in these bytes. Raises ForeignError, NewerFormError."""
        try:
            form = json.loads(_unpacked(body))
            number = form["jada"]
            if isinstance(number, int) and number > FORM:
                raise NewerFormError
            if number != FORM or not _ID.fullmatch(form["id"]):
                raise ForeignError
            return cls(form["id"], tuple(_change(data) for data in form["changes"]))
        except (NewerFormError, ForeignError):
            raise
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError, zlib.error) as error:
            raise ForeignError from error


def _unpacked(body: bytes) -> bytes:
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    text = unpacker.decompress(body, MOST)
    if not unpacker.eof or unpacker.unused_data:
        raise ForeignError
    return text


def _as_data(change: Change) -> dict[str, Any]:
    match change:
        case Put():
            return {"kind": "put", "table": change.table, "keeps": change.keeps, **_rows_as_data(change.rows)}
        case Forget():
            return {"kind": "forget", **_rows_as_data(change.rows)}
        case EndRollouts() | Advance() | Ask() | KeepNetworks() | ClearNetwork():
            kind = next(name for name, kind in KINDS.items() if isinstance(change, kind))
            return {"kind": kind, **asdict(change)}
    raise TypeError(change)


def _rows_as_data(rows: Sequence[Any]) -> dict[str, Any]:
    names = [field.name for field in fields(rows[0])] if rows else []
    return {"columns": names, "rows": [[getattr(row, name) for name in names] for row in rows]}


def _change(data: Mapping[str, Any]) -> Change:
    """The change of to_bytes()'s data. Raises ReleaseError, ValueError, TypeError, KeyError."""
    if data["kind"] == "put":
        return Put(data["table"], tuple(_rows(TABLES[data["table"]], data)), data["keeps"] is True)
    if data["kind"] == "forget":
        return Forget(tuple(_rows(NoticeEntry, data)))
    change: Change = value_of(KINDS[data["kind"]], data)
    return change


def _rows(kind: type[Any], data: Mapping[str, Any]) -> Iterable[Any]:
    return (value_of(kind, dict(zip(data["columns"], row, strict=True))) for row in data["rows"])


def value_of(kind: type[Any], values: Mapping[str, Any]) -> Any:
    """A value of this kind, if its fields can be right; others, of a newer jada, are left aside. Raises ReleaseError,
    KeyError.
    """
    checked = getattr(kind, "checked", None)
    return checked(values) if checked else _typed(kind, values)


def _typed(kind: Any, values: Mapping[str, Any]) -> Any:
    hints = _hints(kind)
    known = {
        field.name: _of_type(hints[field.name], values[field.name])
        for field in fields(kind)
        if field.name in values or field.default is MISSING
    }
    return kind(**known)


@cache
def _hints(kind: Hashable) -> dict[str, Any]:
    return get_type_hints(kind)


def _of_type(hint: Any, value: Any) -> Any:
    """The value as a field of that type. Raises ReleaseError, ValueError."""
    if hint is str and isinstance(value, str):
        # SQLite takes no half of a surrogate.
        value.encode()
        return value
    if hint in (int, bool) and isinstance(value, int) and -LARGEST <= value < LARGEST:
        return hint(value)
    if hint is float and isinstance(value, int | float) and isfinite(value):
        return float(value)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint(value)
    raise ReleaseError(f"{ascii(value)[:80]} is not of its type")
