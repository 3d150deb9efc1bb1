"""The history of drift, beside the record: what was found and resolved when, and who has still to be told of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from jada import natural
from jada.cli.drift.evaluate import UNCHECKED, DriftReport, HostDrift, Status
from jada.cli.records.sqlite import open_database, read, write
from jada.cli.ui.console import visible
from jada.tasks.checks import Finding
from jada.tasks.codes import CODES, NOTE

NEW, RESOLVED = "new", "resolved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """One finding on one host from when it was found to when it was no more; times are ISO 8601 UTC.

    While it is open, `closed_at` and `resolution` are ""; then the latter is "resolved", "accepted" or, with its host,
    "gone". A code that was found several times on a host at once is one episode.
    """

    fleet: str
    host: str
    code: str
    opened_at: str
    closed_at: str = ""
    resolution: str = ""
    severity: str
    expected: str
    actual: str
    fix: str


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to tell: an episode that is `event` NEW or RESOLVED."""

    event: str
    episode: Episode


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check of the fleet: when, and the number of hosts by status."""

    fleet: str
    at: str
    in_sync: int
    drifted: int
    not_checked: int


def compare(drift: DriftReport, known: Sequence[Episode]) -> tuple[list[Episode], list[Episode]]:
    """The episodes that begin with this check, and those of `known` (the open ones) that it ends."""
    at = drift.at.isoformat(timespec="seconds")
    rows = {row.host: row for row in drift.hosts}
    # A finding half-way through a change begins nothing and ends nothing.
    settled = [row for row in drift.hosts if row.status is not Status.CHANGING]
    now = {(episode.host, episode.code): episode for row in settled for episode in _episodes(drift.fleet, row, at)}
    was = {(episode.host, episode.code) for episode in known}
    ended = [
        replace(episode, closed_at=at, resolution=resolution)
        for episode in known
        if (episode.host, episode.code) not in now
        and (resolution := _resolution(episode, rows.get(episode.host), drift.whole))
    ]
    return [episode for key, episode in now.items() if key not in was], ended


class DriftLog:
    """The history of one machine's checks."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add(self, drift: DriftReport, targets: Iterable[str]) -> None:
        """Writes what changed since the last check, with a notice to each target of what counts as drift."""
        check = Check(
            fleet=drift.fleet,
            at=drift.at.isoformat(timespec="seconds"),
            in_sync=drift.count(Status.IN_SYNC),
            drifted=drift.count(Status.DRIFTED),
            not_checked=drift.count(Status.NOT_CHECKED),
        )
        with self._connection as db:
            # Taken before the comparison: of two checks at once, one alone finds a thing new.
            db.execute("BEGIN IMMEDIATE")
            begun, ended = compare(drift, self._open(drift.fleet))
            write(db, "drift_check", [check])
            write(db, "drift_episode", (*begun, *ended))
            notices = [Notice(NEW, episode) for episode in begun] + [Notice(RESOLVED, episode) for episode in ended]
            db.executemany(
                "INSERT OR REPLACE INTO drift_notice (target, fleet, host, code, opened_at, event) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                (_key(target, notice) for target in targets for notice in notices if notice.episode.severity != NOTE),
            )

    def pending(self, fleet: str, target: str) -> list[Notice]:
        """The notices that a target has not got yet, new findings first."""
        rows = self._connection.execute(
            "SELECT event, drift_episode.* FROM drift_notice JOIN drift_episode USING (fleet, host, code, opened_at) "
            "WHERE target = ? AND fleet = ?",
            (target, fleet),
        )
        return sorted((Notice(row["event"], read(Episode, row)) for row in rows), key=_order)

    def delivered(self, target: str, notices: Iterable[Notice]) -> None:
        """Forgets notices that a target has got. Not before that: rather twice than never, if jada dies between."""
        with self._connection as db:
            db.executemany(
                "DELETE FROM drift_notice WHERE target = ? AND fleet = ? AND host = ? AND code = ? "
                "AND opened_at = ? AND event = ?",
                (_key(target, notice) for notice in notices),
            )

    def since(self, fleet: str, at: str) -> tuple[list[Check], list[Episode]]:
        """The checks made since then, and every episode that was open at some time since, both oldest first."""
        checks = self._connection.execute(
            "SELECT * FROM drift_check WHERE fleet = ? AND at >= ? ORDER BY at", (fleet, at)
        )
        episodes = self._connection.execute(
            "SELECT * FROM drift_episode WHERE fleet = ? AND (closed_at = '' OR closed_at >= ?)", (fleet, at)
        )
        opened = [read(Episode, row) for row in episodes]
        return [read(Check, row) for row in checks], sorted(
            opened, key=lambda episode: (episode.opened_at, natural(episode.host), episode.code)
        )

    def host_names(self, fleet: str) -> set[str]:
        """Every host of a fleet on which anything was found."""
        rows = self._connection.execute("SELECT DISTINCT host FROM drift_episode WHERE fleet = ?", (fleet,))
        return {str(row["host"]) for row in rows}

    def _open(self, fleet: str) -> list[Episode]:
        rows = self._connection.execute("SELECT * FROM drift_episode WHERE fleet = ? AND closed_at = ''", (fleet,))
        return [read(Episode, row) for row in rows]


def _episodes(fleet: str, row: HostDrift, at: str) -> Iterator[Episode]:
    """The findings on a host that are not accepted, one episode for each code."""
    by_code: dict[str, list[Finding]] = {}
    for evaluated in row.findings:
        if not evaluated.is_accepted:
            by_code.setdefault(evaluated.finding.code, []).append(evaluated.finding)
    for code, findings in by_code.items():
        yield Episode(
            fleet=fleet,
            host=row.host,
            code=code,
            opened_at=at,
            severity=findings[0].severity,
            expected=_joined(finding.expected for finding in findings),
            actual=_joined(finding.actual for finding in findings),
            fix=visible(findings[0].fix_on(row.host)),
        )


def _joined(texts: Iterable[str]) -> str:
    return visible("; ".join(dict.fromkeys(texts)))


def _resolution(episode: Episode, row: HostDrift | None, whole: bool) -> str:
    """The resolution of an episode that this check did not find; "" where it may well go on, unseen."""
    if row is None:
        return "gone" if whole else ""
    if row.status is Status.GONE:
        return "gone"
    if row.status is Status.CHANGING:
        return ""
    if row.status is Status.NOT_CHECKED and CODES.get(episode.code) not in UNCHECKED:
        return ""
    return "accepted" if any(evaluated.finding.code == episode.code for evaluated in row.findings) else "resolved"


def _order(notice: Notice) -> tuple[Any, ...]:
    episode = notice.episode
    return notice.event, max(episode.opened_at, episode.closed_at), natural(episode.host), episode.code


def _key(target: str, notice: Notice) -> tuple[str, ...]:
    episode = notice.episode
    return target, episode.fleet, episode.host, episode.code, episode.opened_at, notice.event


@contextmanager
def open_log() -> Iterator[DriftLog]:
    """The history of drift, opened; made where there is none."""
    with open_database() as connection:
        yield DriftLog(connection)
