"""A record that is carried over: all of one fleet, nothing in place of what is there."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace

import pytest

from jada.cli.commands.state import NOUNS
from jada.cli.records.changes import TABLES
from jada.cli.records.model import NetworkEntry
from jada.cli.records.sqlite import Records, prepare
from jada.cli.records.store import LocalStore
from jada.cli.records.transfer import add, compare
from jada.tasks import codes
from tests.unit.cli.records.test_records import ENTRY, HOST

NETWORK = NetworkEntry(
    release=ENTRY.id, host=HOST.host, code=codes.ADDRESS_CHANGED.code, expected="private 192.0.2.1", actual="none"
)


@pytest.fixture
def stores() -> Iterator[tuple[LocalStore, LocalStore]]:
    with ExitStack() as stack:
        connections = [stack.enter_context(closing(sqlite3.connect(":memory:"))) for _ in range(2)]
        for connection in connections:
            prepare(connection)
        yield LocalStore(connections[0]), LocalStore(connections[1])


def test_all_of_one_fleet_is_added_once(stores: tuple[LocalStore, LocalStore]) -> None:
    source, target = stores
    Records(source).add(ENTRY, [HOST])
    Records(source).add_network(ENTRY.id, [NETWORK])
    Records(source).add(replace(ENTRY, id="20261124-120001-ffff", fleet="another"), [])
    parts = compare(source.db, target.db, ENTRY.fleet)
    assert {part.table: len(part.missing) for part in parts if part.missing} == {
        "release": 1,
        "result": 1,
        "network": 1,
    }
    add(parts, target)
    assert Records(target).hosts(ENTRY.id) == [HOST]
    assert Records(target).network(ENTRY.id) == [NETWORK]
    assert not any(part.missing or part.different for part in compare(source.db, target.db, ENTRY.fleet))


def test_what_is_there_otherwise_stays(stores: tuple[LocalStore, LocalStore]) -> None:
    source, target = stores
    Records(source).add(ENTRY, [])
    Records(target).add(replace(ENTRY, reason="its own"), [])
    parts = compare(source.db, target.db, ENTRY.fleet)
    assert [part.different for part in parts if part.table == "release"] == [1]
    add(parts, target)
    assert Records(target).entry(ENTRY.id) == replace(ENTRY, reason="its own")


def test_each_table_has_a_name_for_people() -> None:
    assert NOUNS.keys() == TABLES.keys()
