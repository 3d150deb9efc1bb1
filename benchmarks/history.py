"""Queries of a record with a million entries: seconds and MB, as JSON."""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from jada.cli.records import Entry, HostEntry, Records, open_records

RELEASES, HOSTS, ROUNDS = 2000, 500, 20


def entries() -> Iterator[Entry]:
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    for number in range(RELEASES):
        at = begin + timedelta(hours=number)
        name = f"{at:%Y%m%d-%H%M%S}-aaaa"
        yield Entry(name, f"fleet-{number % 2}", "upgrade", at.isoformat(), "ann@box", "", "claude-opus-5")


def fill(records: Records) -> None:
    for entry in entries():
        records.add(
            entry,
            (HostEntry(entry.id, f"host-{number}", "verified", "", "a", "b", 1.5) for number in range(HOSTS)),
        )


def main() -> None:
    os.environ["XDG_STATE_HOME"] = sys.argv[1]
    with open_records() as records:
        fill(records)
    last = list(entries())[-1]
    told: dict[str, tuple[list[float], float]] = {}
    with open_records() as records:
        queries: dict[str, Callable[[], object]] = {
            "jada history": lambda: [records.endings(one.id) for one in records.entries(last.fleet, None, 20)],
            "jada history --host": lambda: [
                records.endings(one.id) for one in records.entries(last.fleet, "host-77", 20)
            ],
            "jada show": lambda: (records.entry(last.id), records.hosts(last.id)),
        }
        for name, query in queries.items():
            seconds = []
            for _ in range(ROUNDS):
                began = time.monotonic()
                query()
                seconds.append(time.monotonic() - began)
            told[f"{name}, 1,000,000 entries"] = seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    main()
