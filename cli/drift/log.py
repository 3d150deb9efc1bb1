"""The history of drift, beside the record: what was found and resolved when, and who has still to be told of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, replace

from jada import natural
from jada.cli.drift.evaluate import UNCHECKED, Drift, HostDrift, Standing
from jada.cli.records.sqlite import open_database
from jada.cli.ui.console import visible
from jada.tasks.checks import Finding
from jada.tasks.codes import CODES, NOTE

SCHEMA = """
CREATE TABLE IF NOT EXISTS drift_check (
    fleet TEXT NOT NULL, at TEXT NOT NULL, in_sync INTEGER NOT NULL, drifted INTEGER NOT NULL,
    not_checked INTEGER NOT NULL, PRIMARY KEY (fleet, at)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS drift_episode (
    fleet TEXT NOT NULL, host TEXT NOT NULL, code TEXT NOT NULL, found TEXT NOT NULL, resolved TEXT NOT NULL,
    how TEXT NOT NULL, severity TEXT NOT NULL, expected TEXT NOT NULL, seen TEXT NOT NULL, mend TEXT NOT NULL,
    PRIMARY KEY (fleet, host, code, found)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS drift_notice (
    target TEXT NOT NULL, fleet TEXT NOT NULL, host TEXT NOT NULL, code TEXT NOT NULL, found TEXT NOT NULL,
    event TEXT NOT NULL, PRIMARY KEY (target, fleet, host, code, found, event)
) WITHOUT ROWID;
"""
NEW, RESOLVED = "new", "resolved"


@dataclass(frozen=True, slots=True)
class Episode:
    """One finding on one host from when it was found to when it was no more; times are ISO 8601 UTC.

    While it is open, `resolved` and `how` are "". `how` is "resolved", "accepted" or, with its host, "gone". A code
    that was found several times on a host at once is one episode.
    """

    fleet: str
    host: str
    code: str
    found: str
    resolved: str
    how: str
    severity: str
    expected: str
    seen: str
    mend: str


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to tell: an episode that is `event` NEW or RESOLVED."""

    event: str
    episode: Episode


@dataclass(frozen=True, slots=True)
class Check:
    """One check of the fleet: when, and how many hosts stood how."""

    fleet: str
    at: str
    in_sync: int
    drifted: int
    not_checked: int


def compare(drift: Drift, known: Sequence[Episode]) -> tuple[list[Episode], list[Episode]]:
    """The episodes that begin with this check, and those of `known` (the open ones) that it ends."""
    at = drift.at.isoformat(timespec="seconds")
    rows = {row.host: row for row in drift.hosts}
    # What is there half-way through a change begins nothing and ends nothing.
    settled = [row for row in drift.hosts if row.standing is not Standing.CHANGING]
    now = {(one.host, one.code): one for row in settled for one in _episodes(drift.fleet, row, at)}
    was = {(one.host, one.code) for one in known}
    ended = [
        replace(one, resolved=at, how=how)
        for one in known
        if (one.host, one.code) not in now and (how := _ended(one, rows.get(one.host), drift.whole))
    ]
    return [episode for key, episode in now.items() if key not in was], ended


class DriftLog:
    """The history of one machine's checks."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        connection.executescript(SCHEMA)
        self._connection = connection

    def add(self, drift: Drift, targets: Iterable[str]) -> None:
        """Writes what changed since the last check, with a notice to each target of what counts as drift."""
        counts = (drift.count(one) for one in (Standing.IN_SYNC, Standing.DRIFTED, Standing.NOT_CHECKED))
        check = Check(drift.fleet, drift.at.isoformat(timespec="seconds"), *counts)
        with self._connection as db:
            # Taken before the comparison: of two checks at once, one alone finds a thing new.
            db.execute("BEGIN IMMEDIATE")
            begun, ended = compare(drift, self._open(drift.fleet))
            db.execute("INSERT OR REPLACE INTO drift_check VALUES (?, ?, ?, ?, ?)", astuple(check))
            db.executemany(
                "INSERT OR REPLACE INTO drift_episode VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                map(astuple, (*begun, *ended)),
            )
            notices = [Notice(NEW, one) for one in begun] + [Notice(RESOLVED, one) for one in ended]
            db.executemany(
                "INSERT OR REPLACE INTO drift_notice VALUES (?, ?, ?, ?, ?, ?)",
                (_key(target, one) for target in targets for one in notices if one.episode.severity != NOTE),
            )

    def pending(self, fleet: str, target: str) -> list[Notice]:
        """What a target has not been told yet, what is new first."""
        rows = self._connection.execute(
            "SELECT event, drift_episode.* FROM drift_notice JOIN drift_episode USING (fleet, host, code, found) "
            "WHERE target = ? AND fleet = ?",
            (target, fleet),
        )
        found = sorted(
            ((event, Episode(*episode)) for event, *episode in rows),
            key=lambda row: (row[0], max(row[1].found, row[1].resolved), natural(row[1].host), row[1].code),
        )
        return [Notice(event, episode) for event, episode in found]

    def delivered(self, target: str, notices: Iterable[Notice]) -> None:
        """Forgets notices that a target has got. Not before that: rather twice than never, if jada dies between."""
        with self._connection as db:
            db.executemany(
                "DELETE FROM drift_notice WHERE target = ? AND fleet = ? AND host = ? AND code = ? AND found = ? "
                "AND event = ?",
                (_key(target, one) for one in notices),
            )

    def since(self, fleet: str, at: str) -> tuple[list[Check], list[Episode]]:
        """The checks made since then, and every episode that was open at some time since, both oldest first."""
        checks = self._connection.execute(
            "SELECT * FROM drift_check WHERE fleet = ? AND at >= ? ORDER BY at", (fleet, at)
        )
        episodes = self._connection.execute(
            "SELECT * FROM drift_episode WHERE fleet = ? AND (resolved = '' OR resolved >= ?)", (fleet, at)
        )
        found = [Episode(*row) for row in episodes]
        return [Check(*row) for row in checks], sorted(found, key=lambda one: (one.found, natural(one.host), one.code))

    def host_names(self, fleet: str) -> set[str]:
        """Every host of a fleet on which anything was found."""
        rows = self._connection.execute("SELECT DISTINCT host FROM drift_episode WHERE fleet = ?", (fleet,))
        return {str(host) for (host,) in rows}

    def _open(self, fleet: str) -> list[Episode]:
        rows = self._connection.execute("SELECT * FROM drift_episode WHERE fleet = ? AND resolved = ''", (fleet,))
        return [Episode(*row) for row in rows]


def _episodes(fleet: str, row: HostDrift, at: str) -> Iterator[Episode]:
    """What is found on a host and not accepted, one episode for each code."""
    by_code: dict[str, list[Finding]] = {}
    for one in row.findings:
        if not one.is_accepted:
            by_code.setdefault(one.finding.code, []).append(one.finding)
    for code, found in by_code.items():
        expected, seen = _joined(one.expected for one in found), _joined(one.seen for one in found)
        first = found[0]
        mend = visible(first.mend_on(row.host))
        yield Episode(fleet, row.host, code, at, "", "", first.severity, expected, seen, mend)


def _joined(texts: Iterable[str]) -> str:
    return visible("; ".join(dict.fromkeys(texts)))


def _ended(episode: Episode, row: HostDrift | None, whole: bool) -> str:
    """How an episode ended that this check did not find; "" where it may well go on, unseen."""
    if row is None:
        return "gone" if whole else ""
    if row.standing is Standing.GONE:
        return "gone"
    if row.standing is Standing.CHANGING:
        return ""
    if row.standing is Standing.NOT_CHECKED and CODES.get(episode.code) not in UNCHECKED:
        return ""
    return "accepted" if any(one.finding.code == episode.code for one in row.findings) else "resolved"


def _key(target: str, notice: Notice) -> tuple[str, ...]:
    one = notice.episode
    return target, one.fleet, one.host, one.code, one.found, notice.event


@contextmanager
def open_log() -> Iterator[DriftLog]:
    """The history of drift, opened; made where there is none."""
    with open_database() as connection:
        yield DriftLog(connection)
