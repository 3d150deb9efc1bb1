"""The record's versions: one of an older jada opens and keeps every word, whoever else opens it at that moment."""

from __future__ import annotations

import shutil
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from jada import JadaError
from jada.cli.drift.log import NEW, open_log
from jada.cli.records import migrations, sqlite
from jada.cli.records.migrations import VERSION, migrate
from jada.cli.records.model import HostOutcome
from jada.cli.records.sqlite import open_database, open_records

OLD = Path(__file__).parent / "data/history-0.db"
OUTCOMES = {
    "begun": "in_progress",
    "not_begun": "not_started",
    "unverified": "unproven",
    "restored": "rolled_back",
    "broken": "rollback_failed",
    "refused": "rejected",
}


@pytest.fixture
def old(file: Path) -> Path:
    shutil.copy(OLD, file)
    return file


@pytest.fixture
def original(tmp_path: Path) -> Path:
    """A copy of its own: even to read, SQLite writes beside a file."""
    return Path(shutil.copy(OLD, tmp_path / "original.db"))


def rows(file: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute(query).fetchall()


def tables(file: Path) -> dict[str, list[tuple[object, ...]]]:
    names = [str(name) for (name,) in rows(file, "SELECT name FROM sqlite_master ORDER BY name")]
    return {
        name: rows(file, f"PRAGMA table_xinfo({name})") or rows(file, f"PRAGMA index_xinfo({name})") for name in names
    }


def test_every_release_and_every_host_of_an_older_record_is_kept(old: Path, original: Path) -> None:
    releases = rows(original, "SELECT id, kind, at, who, reason, model FROM release ORDER BY id DESC")
    results = rows(original, "SELECT * FROM result ORDER BY release DESC, host")
    assert {str(row[2]) for row in results} >= {*OUTCOMES, "verified", "unchanged", "locked", "unreachable", "done"}
    with open_records() as records:
        entries = records.entries("f", None, 99)
        kept = [host for entry in entries for host in records.hosts(entry.id)]
    assert [(entry.id, entry.kind, entry.at, entry.who, entry.reason, entry.model) for entry in entries] == releases
    assert [
        (host.release, host.host, host.outcome, host.detail, host.model_before, host.model_after, host.seconds)
        for host in kept
    ] == [(release, host, OUTCOMES.get(str(ending), ending), *rest) for release, host, ending, *rest in results]


def test_every_lock_of_an_older_record_is_kept(old: Path, original: Path) -> None:
    locks = rows(
        original, "SELECT host, kind, who, reason, until, before FROM operator_lock ORDER BY at DESC, host DESC"
    )
    assert len(locks) == 3
    with open_records() as records:
        kept = [
            (lock.host, lock.kind, lock.who, lock.reason, lock.until, lock.before) for lock in records.locks("f", None)
        ]
    assert kept == locks


def test_all_drift_of_an_older_record_is_kept_and_told_once(old: Path, original: Path) -> None:
    checks = rows(original, "SELECT at, in_sync, drifted, not_checked FROM drift_check ORDER BY at")
    episodes = rows(
        original,
        "SELECT code, found, resolved, how, severity, expected, seen, mend "
        "FROM drift_episode ORDER BY found, host, code",
    )
    assert {row[3] for row in episodes} == {"resolved", "accepted", ""}
    with open_log() as log:
        kept_checks, kept = log.since("f", "")
        pending = log.pending("f", "webhook")
    assert [(check.at, check.in_sync, check.drifted, check.not_checked) for check in kept_checks] == checks
    assert [
        (
            episode.code,
            episode.opened_at,
            episode.closed_at,
            episode.resolution,
            episode.severity,
            episode.expected,
            episode.actual,
            episode.fix,
        )
        for episode in kept
    ] == episodes
    assert pending
    assert [(len(pending),)] == rows(original, "SELECT count(*) FROM drift_notice")
    assert [notice.episode.code for notice in pending if notice.event == NEW] == ["J408"]


def test_a_new_record_and_an_older_one_have_the_same_tables(file: Path) -> None:
    with open_database():
        new = tables(file)
    shutil.copy(OLD, file)
    with open_database():
        assert tables(file) == new
    assert rows(file, "PRAGMA user_version") == [(VERSION,)]


def test_opened_by_many_at_once_it_is_brought_there_once(old: Path, original: Path) -> None:
    """As by `jada drift` of a timer while somebody upgrades; each of them sees all of it."""
    count = len(rows(original, "SELECT * FROM release"))
    at_once = Barrier(8)

    def session(_: int) -> int:
        at_once.wait()
        with open_records() as records:
            return len(records.entries("f", None, 99))

    for source in (OLD, None):
        for left in old.parent.glob("history.db*"):
            left.unlink()
        if source:
            shutil.copy(source, old)
        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(session, range(8))) == {count if source else 0}


def test_a_step_that_fails_leaves_the_older_record_as_it_was(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = tables(old)
    broken = (*migrations.MIGRATIONS, ("ALTER TABLE result ADD COLUMN wave TEXT", "no SQL"))
    monkeypatch.setattr(migrations, "MIGRATIONS", broken)
    monkeypatch.setattr(migrations, "VERSION", len(broken))
    with pytest.raises(JadaError, match="can't be read or written"), open_records():
        pass
    assert tables(old) == before
    assert rows(old, "PRAGMA user_version") == [(0,)]


def test_a_record_that_a_newer_jada_took_on_meanwhile_is_not_taken_back(old: Path) -> None:
    """The other one writes between the look at the version and the turn to write."""

    class Meanwhile(sqlite3.Connection):
        def execute(self, statement: str, values: Any = ()) -> sqlite3.Cursor:
            if statement == "BEGIN IMMEDIATE":
                super().execute(f"PRAGMA user_version = {VERSION + 1}")
            return super().execute(statement, values)

    with closing(sqlite3.connect(old, factory=Meanwhile)) as connection, pytest.raises(migrations.NewerError):
        migrate(connection)
    assert rows(old, "PRAGMA user_version") == [(VERSION + 1,)]
    assert rows(old, "SELECT ending FROM result WHERE ending = 'restored'")


def test_an_outcome_is_spelled_as_the_record_and_scripts_have_it() -> None:
    assert set(HostOutcome) == {
        "in_progress", "verified", "unchanged", "planned", "unproven", "rolled_back", "rollback_failed", "rejected",
        "locked", "unreachable", "not_started", "done",
    }  # fmt: skip
    assert len({outcome.label for outcome in HostOutcome}) == len(HostOutcome)
    # They are counted in one line: "2 verified, 1 rejected and untouched".
    assert not [outcome for outcome in HostOutcome if "," in outcome.label]
    # No exit code 0 for what needs somebody.
    assert {outcome for outcome in HostOutcome if not outcome.exit} == {
        *(outcome for outcome in HostOutcome if outcome.ok),
        "planned",
    }
    assert {outcome for outcome in HostOutcome if outcome.stands} == {"verified", "unproven", "done"}


def test_a_record_that_another_holds_is_not_one_to_move_away(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT", 0)
    with open_records():
        pass
    with closing(sqlite3.connect(file)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(JadaError, match="is held by another program") as error, open_records() as records:
            records.ask("20261126-120000-aaaa", "pause", "ann")
    assert error.value.hint == f"wait until it is done, or see which it is: fuser -v {file}"
