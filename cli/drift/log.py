"""The history of drift, beside the record: what was found and resolved when, and who has still to be told of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from jada import natural
from jada.cli.drift.evaluate import UNCHECKED, DriftReport, HostDrift, Status
from jada.cli.records.changes import Change, Forget, Put
from jada.cli.records.drift import Check, Episode, NoticeEntry
from jada.cli.records.rows import read
from jada.cli.records.sqlite import open_store
from jada.cli.records.store import Store
from jada.cli.ui.console import visible
from jada.tasks.checks import Finding
from jada.tasks.codes import CODES, NOTE

if TYPE_CHECKING:
    from jada.inventory.fleet.config import Fleet

NEW, RESOLVED = "new", "resolved"


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to tell: an episode that is `event` NEW or RESOLVED."""

    event: str
    episode: Episode


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
    """The history of checks, as it is kept in a store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def add(self, drift: DriftReport, targets: Iterable[str]) -> None:
        """Writes what changed since the last check, with a notice to each target of what counts as drift."""
        check = Check(
            fleet=drift.fleet,
            at=drift.at.isoformat(timespec="seconds"),
            in_sync=drift.count(Status.IN_SYNC),
            drifted=drift.count(Status.DRIFTED),
            not_checked=drift.count(Status.NOT_CHECKED) + drift.count(Status.UNPROVEN),
        )
        targets = tuple(targets)

        def decide(db: sqlite3.Connection) -> list[Change]:
            # Of two checks at once, one alone finds a thing new.
            begun, ended = compare(drift, _open(db, drift.fleet))
            notices = [Notice(NEW, episode) for episode in begun] + [Notice(RESOLVED, episode) for episode in ended]
            to_tell = [notice for notice in notices if notice.episode.severity != NOTE]
            return [
                Put("drift_check", (check,)),
                Put("drift_episode", (*begun, *ended)),
                Put("drift_notice", tuple(_entry(target, notice) for target in targets for notice in to_tell)),
            ]

        self._store.write(decide)

    def pending(self, fleet: str, target: str) -> list[Notice]:
        """The notices that a target has not got yet, new findings first."""
        rows = self._store.db.execute(
            "SELECT event, drift_episode.* FROM drift_notice JOIN drift_episode USING (fleet, host, code, opened_at) "
            "WHERE target = ? AND fleet = ?",
            (target, fleet),
        )
        return sorted((Notice(row["event"], read(Episode, row)) for row in rows), key=_order)

    def delivered(self, target: str, notices: Iterable[Notice]) -> None:
        """Forgets notices that a target has got. Not before that: rather twice than never, if jada dies between."""
        told = Forget(tuple(_entry(target, notice) for notice in notices))
        self._store.write(lambda _: [told])

    def since(self, fleet: str, at: str) -> tuple[list[Check], list[Episode]]:
        """The checks made since then, and every episode that was open at some time since, both oldest first."""
        checks = self._store.db.execute(
            "SELECT * FROM drift_check WHERE fleet = ? AND at >= ? ORDER BY at", (fleet, at)
        )
        episodes = self._store.db.execute(
            "SELECT * FROM drift_episode WHERE fleet = ? AND (closed_at = '' OR closed_at >= ?)", (fleet, at)
        )
        opened = [read(Episode, row) for row in episodes]
        return [read(Check, row) for row in checks], sorted(
            opened, key=lambda episode: (episode.opened_at, natural(episode.host), episode.code)
        )

    def host_names(self, fleet: str) -> set[str]:
        """Every host of a fleet on which anything was found."""
        rows = self._store.db.execute("SELECT DISTINCT host FROM drift_episode WHERE fleet = ?", (fleet,))
        return {str(row["host"]) for row in rows}


def _open(db: sqlite3.Connection, fleet: str) -> list[Episode]:
    rows = db.execute("SELECT * FROM drift_episode WHERE fleet = ? AND closed_at = ''", (fleet,))
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


def _entry(target: str, notice: Notice) -> NoticeEntry:
    episode = notice.episode
    return NoticeEntry(
        target=target, fleet=episode.fleet, host=episode.host, code=episode.code, opened_at=episode.opened_at,
        event=notice.event,
    )  # fmt: skip


@contextmanager
def open_log(fleet: Fleet | None = None) -> Iterator[DriftLog]:
    """The history of drift of this machine, or of a fleet's team; made where there is none. Raises JadaError."""
    with open_store(fleet) as store:
        yield DriftLog(store)
