"""The record's queries: what a million entries must not slow down."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from jada.cli.records import SCHEMA, Entry, HostEntry, Records

ENTRY = Entry("20261124-120000-aaaa", "f", "upgrade", "2026-11-24T12:00:00+00:00", "ann@box", "", "claude-opus-5")
HOST = HostEntry(ENTRY.id, "a", "verified", "", "old", "claude-opus-5", 1.5)


@pytest.fixture
def database() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(SCHEMA)
        yield connection


def test_every_query_is_answered_from_an_index_and_sorts_nothing(database: sqlite3.Connection) -> None:
    records = Records(database)
    records.add(ENTRY, [HOST])
    asked: list[str] = []
    database.set_trace_callback(asked.append)
    records.entries("f", None, 20)
    records.entries("f", "a", 20)
    records.entry(ENTRY.id)
    records.hosts(ENTRY.id)
    records.endings(ENTRY.id)
    records.since("f", datetime(2026, 11, 1, tzinfo=UTC))
    database.set_trace_callback(None)
    assert len(asked) == 6
    for query in asked:
        steps = [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {query}")]
        assert not [step for step in steps if step.startswith("SCAN")], (query, steps)
        # How many ended in which way is counted and sorted within one release, never over the whole record.
        sorted_here = [step for step in steps if "TEMP B-TREE" in step]
        assert not sorted_here or "GROUP BY ending" in query, (query, steps)


def test_entries_come_newest_first_for_a_fleet_or_a_host(database: sqlite3.Connection) -> None:
    records = Records(database)
    for number in range(5):
        entry = replace(ENTRY, id=f"20261124-12000{number}-aaaa", fleet="f" if number < 4 else "other")
        hosts = [replace(HOST, release=entry.id, host=name) for name in ("ab" if number % 2 else "a")]
        records.add(entry, hosts)
    assert [entry.id[14] for entry in records.entries("f", None, 3)] == ["3", "2", "1"]
    assert [entry.id[14] for entry in records.entries("f", "b", 3)] == ["3", "1"]


def test_entries_since_a_moment_come_oldest_first(database: sqlite3.Connection) -> None:
    records = Records(database)
    for number in range(4):
        records.add(replace(ENTRY, id=f"20261124-12000{number}-aaaa"), [])
    records.add(replace(ENTRY, id="20261124-120003-bbbb", fleet="other"), [])
    found = records.since("f", datetime(2026, 11, 24, 12, 0, 2, 999, tzinfo=UTC))
    assert [entry.id[14] for entry in found] == ["2", "3"]


def test_how_it_ended_replaces_that_it_began(database: sqlite3.Connection) -> None:
    records = Records(database)
    records.add(ENTRY, [replace(HOST, ending="begun"), replace(HOST, host="b", ending="begun")])
    records.update([HOST])
    assert [host.ending for host in records.hosts(ENTRY.id)] == ["verified", "begun"]
    assert records.endings(ENTRY.id) == {"verified": 1, "begun": 1}
    assert records.entry("20261124-120000-bbbb") is None
