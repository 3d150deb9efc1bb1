"""Queries of a record with a million entries: seconds and MB, as JSON."""

from __future__ import annotations

import json
import os
import resource
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from jada.cli.records.model import Entry, HostEntry, HostOutcome
from jada.cli.records.rows import write
from jada.cli.records.sqlite import open_records, state_folder

RELEASES, HOSTS, ROUNDS = 2000, 500, 20


def entries() -> Iterator[Entry]:
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    for number in range(RELEASES):
        at = begin + timedelta(hours=number)
        yield Entry(
            id=f"{at:%Y%m%d-%H%M%S}-aaaa",
            fleet=f"fleet-{number % 2}",
            kind="upgrade",
            at=at.isoformat(),
            who="ann@box",
            reason="",
            model="claude-opus-5",
        )


def hosts(release: str) -> Iterator[HostEntry]:
    for number in range(HOSTS):
        yield HostEntry(
            release=release,
            host=f"host-{number}",
            outcome=HostOutcome.VERIFIED,
            model_before="a",
            model_after="b",
            seconds=1.5,
        )


def fill(file: Path) -> None:
    """In one transaction: filling it release by release, as jada does, takes a minute of waiting for the disk."""
    with closing(sqlite3.connect(file)) as db:
        for entry in entries():
            write(db, "release", [entry])
            write(db, "result", hosts(entry.id))
        db.commit()


def main() -> None:
    os.environ["XDG_STATE_HOME"] = sys.argv[1]
    with open_records():
        pass
    fill(state_folder() / "history.db")
    last = list(entries())[-1]
    results: dict[str, tuple[list[float], float]] = {}
    with open_records() as records:
        queries: dict[str, Callable[[], object]] = {
            "jada history": lambda: [records.outcomes(entry.id) for entry in records.entries(last.fleet, None, 20)],
            "jada history --host": lambda: [
                records.outcomes(entry.id) for entry in records.entries(last.fleet, ("host-77",), 20)
            ],
            "jada show": lambda: (records.entry(last.id), records.hosts(last.id)),
        }
        for name, query in queries.items():
            seconds = []
            for _ in range(ROUNDS):
                began = time.monotonic()
                query()
                seconds.append(time.monotonic() - began)
            results[f"{name}, 1,000,000 entries"] = seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    json.dump(results, sys.stdout)


if __name__ == "__main__":
    main()
