"""Values as rows of the record's tables, and back."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import fields
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    D = TypeVar("D", bound=DataclassInstance)


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


def with_names(connection: sqlite3.Connection) -> None:
    """Lets rows be read by the names of their columns, whatever their texts hold."""
    connection.text_factory = lambda content: content.decode(errors="replace")
    connection.row_factory = sqlite3.Row
