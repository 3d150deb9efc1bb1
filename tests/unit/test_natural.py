"""The order of hosts: people count, and read 2 before 10."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from jada import natural
from jada.cli.drift.log import DriftLog, Episode
from jada.cli.records.sqlite import SCHEMA, Entry, HostEntry, Records
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
        connection.executescript(SCHEMA)
        records, log = Records(connection), DriftLog(connection)
        entry = Entry(release, "f", "upgrade", "2026-11-24T12:00:00+00:00", "ann@ops", "", "claude-opus-5")
        records.add(entry, [HostEntry(release, name, "verified", "", "a", "b", 1.0) for name in BY_TEXT])
        assert [one.host for one in records.hosts(release)] == NAMES
        for name in BY_TEXT:
            row = Episode("f", name, "J102", "2026-11-24T12:00:00+00:00", "", "", "error", "a", "b", "mend")
            values = ", ".join(f"'{getattr(row, field)}'" for field in row.__slots__)
            connection.execute(f"INSERT INTO drift_episode VALUES ({values})")  # noqa: S608 - the test's own
            connection.execute(
                "INSERT INTO drift_notice VALUES ('webhook', 'f', ?, 'J102', ?, 'new')", (name, row.found)
            )
        assert [one.host for one in log.since("f", "")[1]] == NAMES
        assert [one.episode.host for one in log.pending("f", "webhook")] == NAMES
