"""The order of hosts: people count, and read 2 before 10."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from jada import natural
from jada.cli.drift.log import DriftLog
from jada.cli.records.drift import Episode
from jada.cli.records.model import Entry, HostEntry, HostOutcome
from jada.cli.records.rows import write
from jada.cli.records.sqlite import Records, prepare
from jada.cli.records.store import LocalStore
from jada.inventory.discover import discover
from jada.inventory.fleet import config


@pytest.mark.parametrize(
    "names",
    [
        ("host-1", "host-2", "host-10", "host-100"),
        ("10.0.0.2", "10.0.0.10", "10.0.1.1"),
        ("a2b10", "a10b2", "b1"),
        ("web", "web-1", "web-1-a", "web-2"),
        ("0", "00", "01", "1", "2", "a"),
        ("n" + "9" * 5000, "n1" + "0" * 5000),
        ("", "a", "ä"),
    ],
)
def test_numbers_in_names_are_counted(names: tuple[str, ...]) -> None:
    assert tuple(sorted(set(names), key=natural)) == names


NAMES = ["web-1", "web-2", "web-10"]
BY_TEXT = sorted(NAMES)


def test_hosts_are_found_in_that_order(tmp_path: Path) -> None:
    hosts = "".join(f"    {name}: {{address: 192.0.2.{at}}}\n" for at, name in enumerate(BY_TEXT, start=1))
    (tmp_path / "fleet.yml").write_text(f"fleet: f\nsources:\n- static:\n   hosts:\n{hosts}roles: {{r: {{}}}}\n")
    assert [host.name for host in discover(config.load(str(tmp_path / "fleet.yml")))] == NAMES


def test_what_is_recorded_is_told_in_that_order() -> None:
    release = "20261124-120000-aaaa"
    with closing(sqlite3.connect(":memory:")) as connection:
        prepare(connection)
        records, log = Records(LocalStore(connection)), DriftLog(LocalStore(connection))
        entry = Entry(id=release, fleet="f", kind="upgrade", at="", who="ann@ops", reason="", model="claude-opus-5")
        verified = HostOutcome.VERIFIED
        records.add(entry, [HostEntry(release=release, host=name, outcome=verified) for name in BY_TEXT])
        assert [entry.host for entry in records.hosts(release)] == NAMES
        for name in BY_TEXT:
            row = Episode(
                fleet="f",
                host=name,
                code="J102",
                opened_at="2026-11-24T12:00:00+00:00",
                severity="error",
                expected="a",
                actual="b",
                fix="fix",
            )
            write(connection, "drift_episode", [row])
            connection.execute(
                "INSERT INTO drift_notice (target, fleet, host, code, opened_at, event) "
                "VALUES ('webhook', 'f', ?, 'J102', ?, 'new')",
                (name, row.opened_at),
            )
        assert [entry.host for entry in log.since("f", "")[1]] == NAMES
        assert [notice.episode.host for notice in log.pending("f", "webhook")] == NAMES
