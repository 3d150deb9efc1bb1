"""The chart of how many hosts were released to which model, over time, by the record. Pure.

Its lines are made of values of two kinds: along the time in percent of the width, whatever that is, and up in units
that stay what they are. So it is as legible on a phone as on paper.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from jada.cli.drift.evaluate import Status
from jada.cli.records.model import Entry, HostEntry, HostOutcome
from jada.cli.report.models_by_role import name_of, shortened
from jada.cli.report.page import NoModel, Page
from jada.inventory import models

# Lines that can be told apart; what is left is counted together.
MOST_LINES = 6
# The drawing from its top: where the most hosts are, where none is, and where it ends.
TOP, GROUND, HEIGHT = 14.0, 206.0, 220.0
# How far lines of as many hosts are drawn from each other, and how far the names of two lines are.
APART, LINE = 4.0, 20.0
LONGEST_NAME = 16
# Outcomes after which it is not known what a host is released to.
NOBODY_KNOWS = (HostOutcome.IN_PROGRESS, HostOutcome.ROLLBACK_FAILED)


@dataclass(frozen=True, slots=True)
class Moment:
    """The number of hosts by model from a moment on; `release` is what changed it, "" at the begin."""

    at: datetime
    hosts: Mapping[str | NoModel, int]
    release: str = ""


@dataclass(frozen=True, slots=True)
class Stroke:
    """A straight part of a line: `x` in percent, `y` in units."""

    x1: float
    y1: float
    x2: float
    y2: float


@dataclass(frozen=True, slots=True)
class Line:
    """One model's line, with its name and a `short` one; `end` is where it is now, and `label` where the short name
    stands beside that.
    """

    model: str | NoModel
    name: str
    short: str
    count: int
    strokes: tuple[Stroke, ...]
    end: float
    label: float


@dataclass(frozen=True, slots=True)
class Chart:
    """The lines with their scale: `grid` has the numbers of hosts, and where they are. `moments` are for a table."""

    lines: tuple[Line, ...]
    grid: tuple[tuple[int, float], ...]
    moments: tuple[Moment, ...]
    ticks: tuple[datetime, ...]
    height: float = HEIGHT


def released_model(entry: Entry, host: HostEntry) -> str:
    """The model that a host was released to: as asked for, or as it was seen then; "" where neither is known."""
    return entry.model or host.model_after


def chart(page: Page) -> Chart | None:
    """The chart of the hosts that there are now; None where the record knows no release of them."""
    # It begins with the first release that is known.
    moments = tuple(at for at in _together(_moments(page)) if at.hosts)
    if not moments:
        return None
    begin, now = moments[0].at, moments[-1].hosts
    # The order in which they came is the one in which they are told apart.
    keys = tuple(dict.fromkeys(model for at in moments for model, count in at.hosts.items() if count))
    most = max(max(at.hosts.values(), default=0) for at in moments)
    heights = [_heights(at.hosts, keys, most) for at in moments]
    places = [*(_place(at.at, begin, page.drift.at) for at in moments), 100.0]
    labels = _spread([heights[-1][key] for key in keys])
    listed = models.catalogue(page.fleet.models)
    lines = tuple(
        Line(
            key,
            key.value if isinstance(key, NoModel) else key,
            key.value if isinstance(key, NoModel) else shortened(name_of(key, listed), LONGEST_NAME),
            now.get(key, 0),
            tuple(_strokes(places, [at[key] for at in heights], [at.hosts.get(key, 0) for at in moments])),
            heights[-1][key],
            label,
        )
        for key, label in zip(keys, labels, strict=True)
    )
    middle = begin + (page.drift.at - begin) / 2
    return Chart(lines, tuple(_grid(most)), moments, (begin, middle, page.drift.at))


def _moments(page: Page) -> Iterator[Moment]:
    """The hosts by model at the begin, and after each release that changed that."""
    hosts = {row.host for row in page.drift.hosts if row.status is not Status.GONE}
    models_now: dict[str, str | NoModel] = {
        host: model or NoModel.NOT_KNOWN for host, model in page.released.items() if host in hosts
    }
    yield Moment(page.since, Counter(models_now.values()))
    dated = [(at, done) for done in page.done if (at := done.at) is not None]
    for at, done in sorted(dated, key=lambda pair: pair[0]):
        before = dict(models_now)
        for host in done.hosts:
            if host.host in hosts and host.outcome.stands:
                models_now[host.host] = released_model(done.entry, host) or NoModel.NOT_KNOWN
            elif host.host in hosts and host.outcome in NOBODY_KNOWS:
                models_now[host.host] = NoModel.NOT_KNOWN
        if models_now != before:
            yield Moment(min(max(at, page.since), page.drift.at), Counter(models_now.values()), done.entry.id)


def _together(moments: Iterable[Moment]) -> Iterator[Moment]:
    """The moments with no more models than lines that can be told apart: those with the most hosts at any time."""
    every = list(moments)
    most: Counter[str | NoModel] = Counter()
    for at in every:
        most |= Counter(at.hosts)
    if len(most) <= MOST_LINES:
        yield from every
        return
    own = {model for model, _ in most.most_common(MOST_LINES - 1)}
    for at in every:
        counts: Counter[str | NoModel] = Counter()
        for model, count in at.hosts.items():
            counts[model if model in own else NoModel.OTHERS] += count
        yield Moment(at.at, counts, at.release)


def _heights(
    hosts: Mapping[str | NoModel, int], keys: Sequence[str | NoModel], most: int
) -> dict[str | NoModel, float]:
    """The height of each line at a moment; lines of as many hosts lie beside each other."""
    heights: dict[str | NoModel, float] = {}
    for key in keys:
        count = hosts.get(key, 0)
        beside = sum(hosts.get(other, 0) == count for other in heights) if count else 0
        heights[key] = round(_height(count, most) - APART * beside, 1)
    return heights


def _height(count: int, most: int) -> float:
    return GROUND - (GROUND - TOP) * count / most


def _place(at: datetime, begin: datetime, end: datetime) -> float:
    """The place of a moment, in percent of the time from begin to end."""
    return round(100 * ((at - begin) / (end - begin)), 2) if end > begin else 0.0


def _strokes(places: Sequence[float], heights: Sequence[float], counts: Sequence[int]) -> Iterator[Stroke]:
    """A line in steps, which begins with the first host and ends with the last."""
    for index, count in enumerate(counts):
        if index and heights[index - 1] != heights[index] and (count or counts[index - 1]):
            yield Stroke(places[index], heights[index - 1], places[index], heights[index])
        if count:
            yield Stroke(places[index], heights[index], places[index + 1], heights[index])


def _grid(most: int) -> Iterator[tuple[int, float]]:
    """The numbers at the side: none, the most, and half of it where that is a number of hosts."""
    numbers = [0, most // 2, most] if most > 1 and most % 2 == 0 else [0, most]
    return ((number, _height(number, most)) for number in numbers)


def _spread(heights: Sequence[float]) -> list[float]:
    """Places for the names of lines that end at these heights, each as near as there is room, none on another."""
    places = [0.0] * len(heights)
    lowest = HEIGHT
    for index in sorted(range(len(heights)), key=lambda index: heights[index], reverse=True):
        places[index] = lowest = min(heights[index], lowest - LINE)
    # Those that went beyond the top push the others down again.
    highest = -LINE
    for index in sorted(range(len(heights)), key=lambda index: places[index]):
        places[index] = highest = round(max(places[index], TOP, highest + LINE), 1)
    return places
