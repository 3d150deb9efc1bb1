"""The page of `jada report`: one value in, one HTML file out that loads nothing. Pure.

Whatever hosts and people say is text to it: the template escapes it, and its Content-Security-Policy lets nothing run
or load, and no style but its own. A host that was not checked is never shown as fine, nor is a check that was not made.
"""

from __future__ import annotations

import base64
import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from jada import __version__, natural
from jada.cli.compare.comparison import Comparison, Measure
from jada.cli.compare.sequential import Verdict
from jada.cli.compare.show import heading, in_numbers, in_words, interval, label, places
from jada.cli.drift.evaluate import DriftReport, EvaluatedFinding, HostDrift, Status
from jada.cli.drift.formats import acceptance
from jada.cli.drift.log import compare
from jada.cli.records.drift import Check, Episode
from jada.cli.records.model import Entry, HostOutcome, NetworkEntry
from jada.cli.ui.console import grouped, plural, visible
from jada.cli.ui.explanation import explanation_dict
from jada.tasks import FILES
from jada.tasks.codes import CODES, SEVERITIES, FindingCode
from jada.tasks.evidence import strongest_evidence
from jada.tasks.state import State

# The width of the drawing of the whole time, in its own units; less than LEAST of it can't be seen.
WIDTH, LEAST = 1000.0, 4.0
UNSEEN = "unseen"
# A row of the timeline names so many hosts at once; the others are behind a click.
MOST_NAMES = 5


@dataclass(frozen=True, slots=True)
class Done:
    """One release, how many hosts had which outcome, and in what their network was other after it."""

    entry: Entry
    outcomes: Mapping[HostOutcome, int]
    networks: tuple[NetworkEntry, ...] = ()

    @property
    def network(self) -> Mapping[str, list[str]]:
        """The names of hosts by each thing in which their network was other, or is not known not to be."""
        return grouped((str(entry), entry.host) for entry in self.networks)


@dataclass(frozen=True, slots=True)
class Page:
    """All that the page tells. `states` has the hosts that could be looked at; the past begins at `since`.

    `checks` and `episodes` are those the history knows, without the one that is shown. `only` are the options that
    chose the hosts, "" for all. `comparisons` are the newest first.
    """

    drift: DriftReport
    states: Mapping[str, State]
    since: datetime
    checks: tuple[Check, ...] = ()
    episodes: tuple[Episode, ...] = ()
    done: tuple[Done, ...] = ()
    only: str = ""
    comparisons: tuple[Comparison, ...] = ()


@dataclass(frozen=True, slots=True)
class Mark:
    """A status as it is drawn: never by colour (`kind`) alone."""

    kind: str
    symbol: str
    word: str


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
    told: tuple[tuple[str, str], ...] = field(default=())


STATUSES = {
    Status.IN_SYNC: Mark("fine", "✓", "in sync"),
    Status.DRIFTED: Mark("error", "✗", "drifted"),
    Status.UNPROVEN: Mark("unknown", "?", "unproven"),
    Status.NOT_CHECKED: Mark("unknown", "?", "not checked"),
    Status.CHANGING: Mark("note", "↻", "being changed"),
    Status.GONE: Mark("gone", "–", "gone"),
}
ACCEPTED = Mark("accepted", "○", "accepted")
NOTHING, UNKNOWN = Mark("nothing", "·", "not found"), Mark("unknown", "?", "not known")
VERDICTS = {
    Verdict.WORSE: Mark("error", "✗", Verdict.WORSE.label),
    Verdict.BETTER: Mark("fine", "✓", Verdict.BETTER.label),
    Verdict.EQUIVALENT: Mark("fine", "✓", Verdict.EQUIVALENT.label),
    Verdict.NOT_ENOUGH_DATA: Mark("unknown", "?", Verdict.NOT_ENOUGH_DATA.label),
}
FOUND = {
    "error": Mark("error", "✗", "error"),
    "warning": Mark("warning", "!", "warning"),
    "note": Mark("note", "•", "note"),
}


def html(page: Page) -> str:
    """The whole file."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    style = (FILES / "report" / "report.css").read_text(encoding="utf-8")
    environment = Environment(
        loader=FileSystemLoader(FILES / "report"),
        autoescape=True,
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(anchor=_anchor, mark=_mark, plural=plural, time=_time, until=acceptance)
    rows = _by_need(page.drift.hosts)
    codes = _codes(rows)
    plain = [row for row in rows if row.status is Status.IN_SYNC and not row.findings]
    return environment.get_template("report.html.j2").render(
        page=page,
        version=__version__,
        style=Markup(style),  # noqa: S704 - ours
        style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        counts=[(STATUSES[status], count) for status, count in _counts(page.drift)],
        statuses=STATUSES,
        codes=codes,
        matrix=[(row, _cells(row, page.states.get(row.host), codes)) for row in rows if row not in plain],
        plain=plain,
        events=_events(page),
        comparisons=[
            (
                comparison,
                heading(comparison),
                in_words(comparison),
                [_measure(measure) for measure in comparison.measures],
            )
            for comparison in page.comparisons
        ],
        verdicts=VERDICTS,
        most_names=MOST_NAMES,
        on_page={row.host for row in rows},
        unchecked=sum(check.not_checked > 0 for check in page.checks),
        hosts=[(row, _facts(row.host, page.states.get(row.host))) for row in rows],
        legend=(*FOUND.values(), ACCEPTED, NOTHING, UNKNOWN),
    )


def _measure(measure: Measure) -> dict[str, Any]:
    """A measure in words, and the places of its interval in the units of the drawing."""
    difference = measure.difference
    on_line = places(difference, measure.margin)
    return {
        "name": label(measure),
        "by_arm": (in_numbers(measure.a), in_numbers(measure.b)),
        "mark": VERDICTS[difference.verdict],
        "interval": interval(measure) if difference.has else None,
        "left": round(on_line.low * WIDTH, 1),
        "width": round(max((on_line.high - on_line.low) * WIDTH, LEAST), 1),
        "lines": [round(at * WIDTH, 1) for at in (on_line.middle, *on_line.margins)],
    }


def _counts(drift: DriftReport) -> list[tuple[Status, int]]:
    """The number of hosts by status; that none is being changed is nothing to tell."""
    counts = [(status, drift.count(status)) for status in Status]
    return [(status, count) for status, count in counts if count or status is not Status.CHANGING]


def _shown(value: Any) -> Any:
    """A value as the template puts it on the page, before it escapes it; what is markup already is ours."""
    return visible(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _codes(rows: Iterable[HostDrift]) -> list[FindingCode]:
    """The codes that anything was found of, in the catalogue's order."""
    found = {evaluated.finding.code for row in rows for evaluated in row.findings}
    return [code for code in CODES.values() if code.code in found]


def _cells(row: HostDrift, state: State | None, codes: Sequence[FindingCode]) -> list[Mark]:
    """A mark for each code: the gravest thing found, or nothing, but only where it was looked for.

    A host without a release has nothing to be compared with, so nothing is known of most codes there; nor of one that
    is being changed, just now or for too long.
    """
    is_judged = state and state.release and row.status in (Status.IN_SYNC, Status.DRIFTED, Status.UNPROVEN)
    none = NOTHING if is_judged else UNKNOWN
    return [
        min(
            (_mark(evaluated) for evaluated in row.findings if evaluated.finding.code == code.code),
            key=_grave,
            default=none,
        )
        for code in codes
    ]


def _mark(evaluated: EvaluatedFinding) -> Mark:
    return ACCEPTED if evaluated.is_accepted else FOUND[evaluated.finding.severity]


def _grave(mark: Mark) -> int:
    return [*SEVERITIES, ACCEPTED.kind].index(mark.kind)


def _by_need(rows: Sequence[HostDrift]) -> list[HostDrift]:
    """The rows, those that need somebody first; otherwise as they came."""
    order = [Status.NOT_CHECKED, Status.DRIFTED, Status.UNPROVEN, Status.CHANGING, Status.IN_SYNC, Status.GONE]
    return sorted(rows, key=lambda row: order.index(row.status))


def _facts(name: str, state: State | None) -> dict[str, Any] | None:
    if state is None:
        return None
    return {**explanation_dict(name, state), "made": state.release, "strongest": strongest_evidence(state)}


def _events(page: Page) -> list[Event]:
    """The past: what is still so first, and of that the newest first, as of the rest."""
    known = [episode for episode in page.episodes if not episode.closed_at]
    begun, ended = compare(page.drift, known)
    now = {(episode.host, episode.code, episode.opened_at): episode for episode in (*page.episodes, *begun, *ended)}
    events = [*_releases(page), *_drifts(page, now.values())]
    return sorted(events, key=lambda event: (event.last, event.spans[-1][0]), reverse=True)


def _releases(page: Page) -> Iterator[Event]:
    for done in page.done:
        if (at := _moment(done.entry.at)) is None:
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


def _anchor(host: str) -> str:
    """The id of a host's part of the page: a name without blanks, and no other host's."""
    return "host-" + quote(host, safe="", errors="backslashreplace")


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _moment(text: str) -> datetime | None:
    """The moment a host's record tells, UTC unless it says otherwise; None where that is no moment."""
    try:
        at = datetime.fromisoformat(text)
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _time(at: datetime | str | None) -> Any:
    """A moment for people and for programs; the words themselves where they tell none."""
    from markupsafe import Markup

    if at is None:
        return "not known"
    utc = _moment(at) if isinstance(at, str) else at.astimezone(UTC)
    if utc is None:
        return at
    return Markup('<time datetime="{}">{}</time>').format(f"{utc:%Y-%m-%dT%H:%M:%SZ}", f"{utc:%Y-%m-%d %H:%M}Z")
