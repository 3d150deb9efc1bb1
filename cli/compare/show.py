"""A comparison as people and scripts read it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from jada.cli.compare.comparison import Arm, By, Comparison, Measure, Side, points
from jada.cli.compare.sequential import Difference, Share, Verdict
from jada.cli.ui.console import escape, nulled, out
from jada.cli.ui.duration import iso
from jada.cli.ui.streams import is_utf8
from jada.cli.ui.tables import Column, show_table

COLUMNS = (
    Column("arm"),
    Column("name"),
    Column("model", 3),
    Column("hosts"),
    Column("requests"),
    Column("failed", 1),
    Column("fallbacks", 2),
    Column("tokens in / out", 5),
    Column("USD per 1000", 4),
)
# Characters of the chart, and those of which it is made: nothing, 0, a margin, the interval, its ends and the estimate.
WIDTH = 41
SIGNS, ASCII_SIGNS = tuple("·│┊─├┤●"), tuple(".|:-[]o")
NOT_AN_EXPERIMENT = "before/after, not an experiment"
COLOURS = {Verdict.WORSE: "red", Verdict.BETTER: "green", Verdict.EQUIVALENT: "green"}
# Of a verdict, by the measure.
MORE = {"failed": "more of its requests fail", "fallbacks": "more of its requests fall back to another model"}
FEWER = {"failed": "fewer of its requests fail", "fallbacks": "fewer of its requests fall back to another model"}


def show(comparison: Comparison) -> None:
    """Prints the comparison for people."""
    out.print(escape(heading(comparison)))
    out.print("")
    show_table(COLUMNS, [_cells(arm, comparison.measures) for arm in comparison.arms], hint="--json")
    out.print("")
    for measure in comparison.measures:
        out.print(_line(measure, comparison.entry.margin))
    out.print("")
    for why in comparison.unseen.values():
        out.print(f"[red]✗[/] {escape(why)}")
    if comparison.is_over:
        out.print("[yellow]![/] An arm has no host any more: nothing more is counted.")
    out.print(_coloured(comparison.verdict, in_words(comparison)))


def heading(comparison: Comparison) -> str:
    """The arms, and how they are compared."""
    entry, subject = comparison.entry, comparison.subject
    arms = "Canary beside untouched hosts" if subject.by is By.CANARY else f"B beside A, by {subject.by}"
    when = f"at the same time, since {iso(entry.since)}" if comparison.is_at_the_same_time else NOT_AN_EXPERIMENT
    fixed = (
        f"margin {points(entry.margin)} percentage points and alpha {entry.alpha:g}, fixed by {entry.who} at {entry.at}"
    )
    return f"{arms}, {when}; {fixed}"


def in_words(comparison: Comparison) -> str:
    """The verdict in a sentence, with how many requests it is from."""
    verdict, have = comparison.verdict, _have(comparison)
    margin = f"{points(comparison.entry.margin)} percentage points"
    match verdict:
        case Verdict.NOT_ENOUGH_DATA:
            return f"Not enough data: {have}."
        case Verdict.EQUIVALENT:
            return f"Equivalent: no difference is larger than {margin} ({have})."
        case _:
            reasons = MORE if verdict is Verdict.WORSE else FEWER
            why = [reasons[measure.name] for measure in comparison.measures if measure.difference.verdict is verdict]
            return f"B is {verdict.label}: {' and '.join(why)} ({have})."


@dataclass(frozen=True, slots=True)
class Places:
    """The places of an interval, 0 and the margin on a line from 0 to 1, with 0 in its middle."""

    low: float
    high: float
    value: float
    margins: tuple[float, float]
    middle: float = 0.5


def places(difference: Difference, margin: float) -> Places:
    """The places on a line whose ends are as far from 0 as the farthest of them. Pure."""
    scale = 2 * max(abs(difference.low), abs(difference.high), 2 * margin)
    low, high, value, left, right = (
        at / scale + 0.5 for at in (difference.low, difference.high, difference.value, -margin, margin)
    )
    return Places(low, high, value, (left, right))


def chart(difference: Difference, margin: float, signs: Sequence[str] = SIGNS) -> str:
    """The interval against 0 and the margin as a line of text. Pure."""
    nothing, zero, bound, inside, begin, end, estimate = signs
    on_line = places(difference, margin)
    low, high, value, middle, *margins = (
        round(at * (WIDTH - 1)) for at in (on_line.low, on_line.high, on_line.value, on_line.middle, *on_line.margins)
    )
    line = [inside if low <= at <= high else nothing for at in range(WIDTH)]
    for at, sign in (*((at, bound) for at in margins), (middle, zero), (low, begin), (high, end), (value, estimate)):
        line[at] = sign
    return "".join(line)


def as_json(comparison: Comparison) -> dict[str, Any]:
    """The comparison as docs/schemas/compare.json has it."""
    entry = comparison.entry
    return {
        "by": comparison.subject.by,
        "design": "same_time" if comparison.is_at_the_same_time else "before_after",
        "since": iso(entry.since) if comparison.is_at_the_same_time else None,
        "alpha": entry.alpha,
        "margin": entry.margin,
        "fixed_at": entry.at,
        "fixed_by": entry.who,
        "is_over": comparison.is_over,
        "verdict": comparison.verdict,
        "arms": [_arm_as_json(arm) for arm in comparison.arms],
        "measures": [_measure_as_json(measure) for measure in comparison.measures],
        "not_seen": [nulled({"host": host, "error": why}) for host, why in comparison.unseen.items()],
    }


def _arm_as_json(arm: Arm) -> dict[str, Any]:
    totals = arm.totals
    return {
        "arm": arm.side,
        "name": arm.name,
        "models": list(arm.models),
        "hosts": list(arm.hosts),
        "requests": totals.requests,
        "failed": totals.failed,
        "fallbacks": totals.fallbacks,
        "tokens_in": totals.tokens_in,
        "tokens_out": totals.tokens_out,
        "usd_per_1000_requests": _per_thousand(arm),
    }


def _measure_as_json(measure: Measure) -> dict[str, Any]:
    difference = measure.difference
    return {
        "measure": measure.name,
        "a": measure.a.value,
        "b": measure.b.value,
        "difference": difference.value if difference.has else None,
        "low": difference.low,
        "high": difference.high,
        "verdict": difference.verdict,
        "requests_an_arm": difference.has,
        "needed_an_arm": difference.needed,
    }


def _cells(arm: Arm, measures: tuple[Measure, ...]) -> list[str]:
    shares = [measure.a if arm.side is Side.A else measure.b for measure in measures]
    totals, cost = arm.totals, _per_thousand(arm)
    return [
        arm.side,
        escape(arm.name),
        escape(", ".join(arm.models) or "not known"),
        str(len(arm.hosts)),
        str(totals.requests),
        *(share_in_words(share) for share in shares),
        f"{totals.tokens_in} / {totals.tokens_out}",
        "not known" if cost is None else f"{cost:.2f}",
    ]


def _per_thousand(arm: Arm) -> float | None:
    totals = arm.totals
    return None if totals.cost is None or not totals.requests else 1000 * totals.cost / totals.requests


def share_in_words(share: Share) -> str:
    """A share of an arm's requests, and of how many it is made."""
    return "not known" if share.value is None else f"{100 * share.value:.1f} % ({share.count})"


def _line(measure: Measure, margin: float) -> str:
    difference = measure.difference
    if not difference.has:
        return f"{measure.name:<9}  no requests in {' and '.join(_idle(measure))}"
    interval = f"{signed(difference.value)} points ({signed(difference.low)} to {signed(difference.high)})"
    drawn = chart(difference, margin, SIGNS if is_utf8(sys.stdout) else ASCII_SIGNS)
    return (
        f"{measure.name:<9}  {interval:<32} {escape(drawn)}  {_coloured(difference.verdict, difference.verdict.label)}"
    )


def _coloured(verdict: Verdict, text: str) -> str:
    return f"[{COLOURS.get(verdict, 'yellow')}]{escape(text)}[/]"


def _idle(measure: Measure) -> Iterator[str]:
    yield from (side for side, share in ((Side.A, measure.a), (Side.B, measure.b)) if not share.of)


def signed(share: float) -> str:
    """A difference of shares as percentage points."""
    return f"{100 * share:+.1f}"


def _have(comparison: Comparison) -> str:
    """The requests of the smaller arm, and about how many it needs where there is no verdict yet."""
    has = comparison.measures[0].difference.has
    if comparison.verdict is not Verdict.NOT_ENOUGH_DATA:
        return f"{has} requests in the smaller arm"
    pending = [m.difference.needed for m in comparison.measures if m.difference.verdict is Verdict.NOT_ENOUGH_DATA]
    if any(needed is None for needed in pending):
        return f"have {has} requests in the smaller arm; how many it takes is not known yet"
    return f"have {has} of about {max(needed for needed in pending if needed)} requests in the smaller arm"
