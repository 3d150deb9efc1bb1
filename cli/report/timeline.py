"""The timeline of the page: releases, and drift from when to when. Pure.

A finding that was not looked for again is never shown as one that has ended.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from jada import natural
from jada.cli.drift.log import compare
from jada.cli.records.drift import Episode
from jada.cli.report.page import Done, Page
from jada.tasks.codes import CODES

# The width of the drawing of the whole time, in its own units; less than LEAST of it can't be seen.
WIDTH, LEAST = 1000.0, 4.0
UNSEEN = "unseen"


@dataclass(frozen=True, slots=True)
class Event:
    """One row of the timeline: a release, or a finding on these hosts at the same times.

    `spans` are from when to when, None for now, and how it ended: "" if it goes on, UNSEEN if nobody knows.
    """

    last: datetime
    spans: tuple[tuple[datetime, datetime | None, str], ...]
    bars: tuple[tuple[float, float], ...]
    kind: str
    done: Done | None = None
    outcomes: str = ""
    code: str = ""
    name: str = ""
    hosts: tuple[str, ...] = ()
    told: tuple[tuple[str, str], ...] = ()


def events(page: Page) -> list[Event]:
    """The past: what is still so first, and of that the newest first, as of the rest."""
    known = [episode for episode in page.episodes if not episode.closed_at]
    begun, ended = compare(page.drift, known)
    now = {(episode.host, episode.code, episode.opened_at): episode for episode in (*page.episodes, *begun, *ended)}
    every = [*_releases(page), *_drifts(page, now.values())]
    return sorted(every, key=lambda event: (event.last, event.spans[-1][0]), reverse=True)


def _releases(page: Page) -> Iterator[Event]:
    for done in page.done:
        if (at := done.at) is None:
            continue
        outcomes = ", ".join(f"{count} {outcome.label}" for outcome, count in done.outcomes.items())
        yield Event(at, ((at, at, ""),), (_bar(page, at, at),), "release", done, outcomes)


def _drifts(page: Page, episodes: Iterable[Episode]) -> Iterator[Event]:
    """Rows of the timeline: a finding on several hosts at the same times is one, and so are the times it came back.

    A finding of the last check is not known to have ended, nor to go on, if its host could not be checked now.
    """
    found_now = {(row.host, evaluated.finding.code) for row in page.drift.hosts for evaluated in row.findings}
    by_host: dict[tuple[str, str], list[Episode]] = defaultdict(list)
    for episode in sorted(episodes, key=lambda episode: episode.opened_at):
        by_host[episode.host, episode.code].append(episode)
    rows: dict[Any, list[list[Episode]]] = defaultdict(list)
    for (host, code), times in by_host.items():
        still = "" if (host, code) in found_now else UNSEEN
        spans = tuple(
            (episode.opened_at, episode.closed_at, episode.resolution if episode.closed_at else still)
            for episode in times
        )
        rows[code, spans].append(times)
    for (code, times), alike in rows.items():
        moments = tuple((_at(opened), _at(closed) if closed else None, ended) for opened, closed, ended in times)
        yield Event(
            max(end or page.drift.at for _, end, _ in moments),
            moments,
            tuple(_bar(page, start, end or page.drift.at) for start, end, _ in moments),
            alike[0][-1].severity,
            code=code,
            name=CODES[code].name if code in CODES else "",
            hosts=tuple(sorted((group[-1].host for group in alike), key=natural)),
            told=tuple(dict.fromkeys((group[-1].expected, group[-1].actual) for group in alike)),
        )


def _bar(page: Page, start: datetime, end: datetime) -> tuple[float, float]:
    """The begin and the width of a bar, in the units of the drawing."""
    whole = (page.drift.at - page.since).total_seconds()
    left, right = (min(max((at - page.since).total_seconds() / whole, 0), 1) * WIDTH for at in (start, end))
    width = max(right - left, LEAST)
    return round(min(left, WIDTH - width), 1), round(width, 1)


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)
