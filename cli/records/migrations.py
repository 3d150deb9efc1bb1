"""The tables of history.db, version by version; `PRAGMA user_version` says which one a file has."""

from __future__ import annotations

import sqlite3
from itertools import chain

# The way to each version from the one before it. One that was released is never edited: a change is a new one.
MIGRATIONS = (
    # 1: from an empty file, or from one of before there were versions, whose columns had other names.
    (
        """
        CREATE TABLE IF NOT EXISTS release (
            id TEXT PRIMARY KEY, fleet TEXT NOT NULL, kind TEXT NOT NULL, at TEXT NOT NULL, who TEXT NOT NULL,
            reason TEXT NOT NULL, model TEXT NOT NULL
        ) WITHOUT ROWID
        """,
        """
        CREATE TABLE IF NOT EXISTS result (
            release TEXT NOT NULL, host TEXT NOT NULL, ending TEXT NOT NULL, reason TEXT NOT NULL,
            model_before TEXT NOT NULL, model_after TEXT NOT NULL, seconds REAL NOT NULL,
            PRIMARY KEY (release, host)
        ) WITHOUT ROWID
        """,
        """
        CREATE TABLE IF NOT EXISTS operator_lock (
            fleet TEXT NOT NULL, at TEXT NOT NULL, host TEXT NOT NULL, kind TEXT NOT NULL, who TEXT NOT NULL,
            reason TEXT NOT NULL, until TEXT NOT NULL, before TEXT NOT NULL, PRIMARY KEY (fleet, at, host, who)
        ) WITHOUT ROWID
        """,
        """
        CREATE TABLE IF NOT EXISTS drift_check (
            fleet TEXT NOT NULL, at TEXT NOT NULL, in_sync INTEGER NOT NULL, drifted INTEGER NOT NULL,
            not_checked INTEGER NOT NULL, PRIMARY KEY (fleet, at)
        ) WITHOUT ROWID
        """,
        """
        CREATE TABLE IF NOT EXISTS drift_episode (
            fleet TEXT NOT NULL, host TEXT NOT NULL, code TEXT NOT NULL, found TEXT NOT NULL, resolved TEXT NOT NULL,
            how TEXT NOT NULL, severity TEXT NOT NULL, expected TEXT NOT NULL, seen TEXT NOT NULL, mend TEXT NOT NULL,
            PRIMARY KEY (fleet, host, code, found)
        ) WITHOUT ROWID
        """,
        """
        CREATE TABLE IF NOT EXISTS drift_notice (
            target TEXT NOT NULL, fleet TEXT NOT NULL, host TEXT NOT NULL, code TEXT NOT NULL, found TEXT NOT NULL,
            event TEXT NOT NULL, PRIMARY KEY (target, fleet, host, code, found, event)
        ) WITHOUT ROWID
        """,
        "CREATE INDEX IF NOT EXISTS result_host ON result (host, release)",
        "CREATE INDEX IF NOT EXISTS release_fleet ON release (fleet, id)",
        "ALTER TABLE result RENAME COLUMN ending TO outcome",
        "ALTER TABLE result RENAME COLUMN reason TO detail",
        """
        UPDATE result SET outcome = CASE outcome
            WHEN 'begun' THEN 'in_progress' WHEN 'not_begun' THEN 'not_started' WHEN 'unverified' THEN 'unproven'
            WHEN 'restored' THEN 'rolled_back' WHEN 'broken' THEN 'rollback_failed' WHEN 'refused' THEN 'rejected'
            ELSE outcome END
        WHERE outcome <> 'verified'
        """,
        "ALTER TABLE drift_episode RENAME COLUMN found TO opened_at",
        "ALTER TABLE drift_episode RENAME COLUMN resolved TO closed_at",
        "ALTER TABLE drift_episode RENAME COLUMN how TO resolution",
        "ALTER TABLE drift_episode RENAME COLUMN seen TO actual",
        "ALTER TABLE drift_episode RENAME COLUMN mend TO fix",
        "ALTER TABLE drift_notice RENAME COLUMN found TO opened_at",
    ),
    # 2: rollouts in waves.
    (
        """
        CREATE TABLE rollout (
            release TEXT PRIMARY KEY, fleet TEXT NOT NULL, status TEXT NOT NULL, why TEXT NOT NULL,
            wave INTEGER NOT NULL, baking INTEGER NOT NULL, values_json TEXT NOT NULL, asked TEXT NOT NULL,
            asked_by TEXT NOT NULL, updated TEXT NOT NULL
        ) WITHOUT ROWID
        """,
        "CREATE INDEX rollout_fleet ON rollout (fleet, release)",
    ),
    # 3: the last answer of each host's own CLI.
    (
        """
        CREATE TABLE answer (
            fleet TEXT NOT NULL, host TEXT NOT NULL, at REAL NOT NULL, fingerprint TEXT NOT NULL, model TEXT NOT NULL,
            version TEXT NOT NULL, is_running INTEGER NOT NULL, error TEXT NOT NULL, PRIMARY KEY (fleet, host)
        ) WITHOUT ROWID
        """,
    ),
    # 4: comparisons, and what they count.
    (
        """
        CREATE TABLE comparison (
            fleet TEXT NOT NULL, subject TEXT NOT NULL, alpha REAL NOT NULL, margin REAL NOT NULL, since REAL NOT NULL,
            at TEXT NOT NULL, who TEXT NOT NULL, PRIMARY KEY (fleet, subject)
        ) WITHOUT ROWID
        """,
        """
        CREATE TABLE served (
            fleet TEXT NOT NULL, subject TEXT NOT NULL, host TEXT NOT NULL, process TEXT NOT NULL,
            release TEXT NOT NULL, model TEXT NOT NULL, counted_until REAL NOT NULL, requests INTEGER NOT NULL,
            failed INTEGER NOT NULL, fallbacks INTEGER NOT NULL, tokens_in INTEGER NOT NULL,
            tokens_out INTEGER NOT NULL, cost REAL NOT NULL, unpriced INTEGER NOT NULL,
            PRIMARY KEY (fleet, subject, host, process)
        ) WITHOUT ROWID
        """,
    ),
    # 5: what probes measured.
    ("ALTER TABLE rollout ADD COLUMN measured_json TEXT NOT NULL DEFAULT '{}'",),
    # 6: tasks that agents say they have done.
    (
        "ALTER TABLE served ADD COLUMN tasks INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE served ADD COLUMN tasks_failed INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE served ADD COLUMN tasks_until REAL NOT NULL DEFAULT 0",
        "ALTER TABLE served ADD COLUMN durations TEXT NOT NULL DEFAULT '{}'",
    ),
    # 7: the network of hosts before a rollout, and what was other after it.
    (
        "ALTER TABLE rollout ADD COLUMN networks_json TEXT NOT NULL DEFAULT ''",
        """
        CREATE TABLE network (
            release TEXT NOT NULL, host TEXT NOT NULL, code TEXT NOT NULL, expected TEXT NOT NULL,
            actual TEXT NOT NULL, PRIMARY KEY (release, host, code, expected)
        ) WITHOUT ROWID
        """,
    ),
    # 8: host keys that are pinned to instances.
    (
        """
        CREATE TABLE pin (
            provider TEXT NOT NULL, account TEXT NOT NULL, region TEXT NOT NULL, instance TEXT NOT NULL,
            keys TEXT NOT NULL, source TEXT NOT NULL, seen TEXT NOT NULL, at TEXT NOT NULL,
            PRIMARY KEY (provider, account, region, instance)
        ) WITHOUT ROWID
        """,
    ),
)
VERSION = len(MIGRATIONS)


class NewerError(ValueError):
    """A file has tables of a version that this jada does not know."""


def migrate(connection: sqlite3.Connection) -> None:
    """Brings the tables to VERSION, in one transaction. Raises NewerError, sqlite3.Error."""
    with connection:
        if _version(connection) < VERSION:
            connection.execute("BEGIN IMMEDIATE")
        # Read again, now that nobody else writes: another jada may have brought it there meanwhile.
        version = _version(connection)
        if version > VERSION:
            raise NewerError
        for statement in chain.from_iterable(MIGRATIONS[version:]):
            connection.execute(statement)
        if version < VERSION:
            connection.execute(f"PRAGMA user_version = {VERSION}")


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
