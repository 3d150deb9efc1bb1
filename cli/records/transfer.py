"""The record of one fleet, carried from one store to another: what the other lacks is added, what it has stays."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from jada.cli.records.changes import TABLES, Put, value_of
from jada.cli.records.store import Store
from jada.tasks.release import ReleaseError

# Rows that are written together, of which a few make up an object.
TOGETHER = 5000


@dataclass(frozen=True, slots=True)
class Part:
    """The rows of one table: those that the other store lacks, and the number of those that it has, alike or not."""

    table: str
    missing: tuple[Any, ...]
    same: int
    different: int


def compare(source: sqlite3.Connection, target: sqlite3.Connection, fleet: str) -> list[Part]:
    """What the one holds of a fleet beside what the other does. Raises sqlite3.Error."""
    parts = []
    for table, kind in TABLES.items():
        known = dict(_rows(target, table, kind, fleet))
        rows = dict(_rows(source, table, kind, fleet))
        missing = tuple(row for key, row in rows.items() if key not in known)
        same = sum(known.get(key) == row for key, row in rows.items())
        parts.append(Part(table, missing, same, len(rows) - len(missing) - same))
    return parts


def add(parts: list[Part], target: Store) -> None:
    """Writes what is missing, and nothing in place of what is there by now. Raises JadaError, sqlite3.Error."""
    for part in parts:
        for start in range(0, len(part.missing), TOGETHER):
            put = Put(part.table, part.missing[start : start + TOGETHER], keeps=True)
            target.write(lambda _, put=put: [put])  # type: ignore[misc]


def _rows(db: sqlite3.Connection, table: str, kind: type[Any], fleet: str) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """The rows of a fleet that can be right, by their keys."""
    columns = db.execute(f"PRAGMA table_info({table})").fetchall()
    keys = [column["name"] for column in columns if column["pk"]]
    is_of_fleet = any(column["name"] == "fleet" for column in columns)
    where = "fleet = ?" if is_of_fleet else "release IN (SELECT id FROM release WHERE fleet = ?)"
    for row in db.execute(f"SELECT * FROM {table} WHERE {where}", (fleet,)):  # noqa: S608 - the names are ours
        with suppress(ReleaseError, ValueError, KeyError):
            value = value_of(kind, dict(row))
            yield tuple(row[key] for key in keys), value
