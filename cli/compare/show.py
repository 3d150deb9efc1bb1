"""A comparison as people and scripts read it."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from jada.cli.compare.comparison import (
    FAILED,
    FALLBACKS,
    P95,
    TASKS_FAILED,
    Arm,
    By,
    Comparison,
    Measure,
    Side,
    points,
)
from jada.cli.compare.counts import Totals
from jada.cli.compare.quantiles import FACTOR, Durations
from jada.cli.compare.sequential import Difference, Share, Verdict
from jada.cli.ui.console import escape, grouped, nulled, out
from jada.cli.ui.duration import iso, local
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
# Where an agent tells of its tasks.
OF_TASKS = (Column("tasks", 8), Column("tasks failed", 6), Column("p95 of tasks", 7))
# Characters of the chart, and those of which it is made: nothing, 0, a margin, the interval, its ends and the estimate.
WIDTH = 41
SIGNS, ASCII_SIGNS = tuple("·│┊─├┤●"), tuple(".|:-[]o")
IN_SMALLER = " in the smaller arm"
NOT_AN_EXPERIMENT = "before/after, not an experiment"
COLOURS = {Verdict.WORSE: "red", Verdict.BETTER: "green", Verdict.EQUIVALENT: "green"}
# Of a verdict, by the measure.
MORE = {
    FAILED: "more of its requests fail",
    FALLBACKS: "more of its requests fall back to another model",
    TASKS_FAILED: "more of its tasks fail",
    P95: "its slow tasks take longer",
}
FEWER = {
    FAILED: "fewer of its requests fail",
    FALLBACKS: "fewer of its requests fall back to another model",
    TASKS_FAILED: "fewer of its tasks fail",
    P95: "its slow tasks take less time",
}
LABELS = {TASKS_FAILED: "tasks failed", P95: "p95 of tasks"}


def show(comparison: Comparison) -> None:
    """Prints the comparison for people."""
    out.print(escape(heading(comparison)))
    out.print("")
    has_tasks = any(arm.totals.tasks for arm in comparison.arms)
    rows = [[*_cells(arm), *(_of_tasks(arm.totals) if has_tasks else ())] for arm in comparison.arms]
    show_table((*COLUMNS, *(OF_TASKS if has_tasks else ())), rows, hint="--json")
    out.print("")
    for measure in comparison.measures:
        out.print(_line(measure, max(len(label(each)) for each in comparison.measures)))
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
    since = local(iso(entry.since) or "not known")
    when = f"at the same time, since {since}" if comparison.is_at_the_same_time else NOT_AN_EXPERIMENT
    fixed_by = f"fixed by {entry.who} at {local(entry.at)}"
    fixed = f"margin {points(entry.margin)} percentage points and alpha {entry.alpha:g}, {fixed_by}"
    return f"{arms}, {when}; {fixed}"


def in_words(comparison: Comparison) -> str:
    """The verdict in a sentence, with how many requests it is from."""
    verdict, have = comparison.verdict, _have(comparison)
    margin = f"{points(comparison.entry.margin)} percentage points"
    match verdict:
        case Verdict.NOT_ENOUGH_DATA:
            return f"Not enough data: {have}."
        case Verdict.EQUIVALENT:
            slower = any(measure.name == P95 for measure in comparison.measures)
            more = f", and no p95 differs by more than {100 * (FACTOR - 1):.0f} %" if slower else ""
            return f"Equivalent: no difference of shares is larger than {margin}{more} ({have})."
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
    """The places on a line whose ends are as far from 0 as the farthest of them, or as what has no end. Pure."""
    ends = (difference.low, difference.high, 2 * margin, difference.value)
    scale = 2 * max(abs(end) for end in ends if math.isfinite(end))
    low, high, value, left, right = (
        min(max(at / scale + 0.5, 0.0), 1.0)
        for at in (difference.low, difference.high, difference.value, -margin, margin)
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
        "tasks": totals.tasks,
        "tasks_failed": totals.tasks_failed,
        "p95_seconds": totals.durations.value,
        "tokens_in": totals.tokens_in,
        "tokens_out": totals.tokens_out,
        "usd_per_1000_requests": _per_thousand(arm),
    }


def _measure_as_json(measure: Measure) -> dict[str, Any]:
    difference = measure.difference
    value, low, high = (
        math.expm1(at) if measure.name == P95 else at for at in (difference.value, difference.low, difference.high)
    )
    return {
        "measure": measure.name,
        "a": measure.a.value,
        "b": measure.b.value,
        "difference": value if difference.has else None,
        "low": low,
        # There may be no bound yet.
        "high": high if math.isfinite(high) else None,
        "verdict": difference.verdict,
        "requests_an_arm": difference.has,
        "needed_an_arm": difference.needed,
    }


def _cells(arm: Arm) -> list[str]:
    totals, cost = arm.totals, _per_thousand(arm)
    return [
        arm.side,
        escape(arm.name),
        escape(", ".join(arm.models) or "not known"),
        str(len(arm.hosts)),
        str(totals.requests),
        *(
            in_numbers(Share(min(count, totals.requests), totals.requests))
            for count in (totals.failed, totals.fallbacks)
        ),
        f"{totals.tokens_in} / {totals.tokens_out}",
        "not known" if cost is None else f"{cost:.2f}",
    ]


def _of_tasks(totals: Totals) -> list[str]:
    return [str(totals.tasks), in_numbers(Share(totals.tasks_failed, totals.tasks)), in_numbers(totals.durations)]


def _per_thousand(arm: Arm) -> float | None:
    totals = arm.totals
    return None if totals.cost is None or not totals.requests else 1000 * totals.cost / totals.requests


def in_numbers(value: Share | Durations) -> str:
    """A share of an arm, and how many it is; or the percentile, and of how many tasks it is."""
    if value.value is None:
        return "not known"
    if isinstance(value, Share):
        return f"{100 * value.value:.1f} % ({value.count})"
    return f"{value.value:.3g} s (of {value.of})"


def label(measure: Measure) -> str:
    return LABELS.get(measure.name, measure.name)


def interval(measure: Measure) -> str:
    """The difference that was seen, and the interval that holds the true one."""
    difference = measure.difference
    if measure.name == P95:
        value, low, high = (_factor(at) for at in (difference.value, difference.low, difference.high))
        return f"{value} times ({low} to {high})"
    return f"{signed(difference.value)} points ({signed(difference.low)} to {signed(difference.high)})"


def _line(measure: Measure, width: int) -> str:
    difference = measure.difference
    if not difference.has:
        return f"{label(measure):<{width}}  no requests in {' and '.join(_idle(measure))}"
    drawn = chart(difference, measure.margin, SIGNS if is_utf8(sys.stdout) else ASCII_SIGNS)
    verdict = _coloured(difference.verdict, difference.verdict.label)
    return f"{label(measure):<{width}}  {interval(measure):<32} {escape(drawn)}  {verdict}"


def _coloured(verdict: Verdict, text: str) -> str:
    return f"[{COLOURS.get(verdict, 'yellow')}]{escape(text)}[/]"


def _idle(measure: Measure) -> Iterator[str]:
    yield from (side for side, share in ((Side.A, measure.a), (Side.B, measure.b)) if not share.of)


def _factor(logarithm: float) -> str:
    return f"{math.exp(logarithm):.2f}" if math.isfinite(logarithm) else "0" if logarithm < 0 else "any"


def signed(share: float) -> str:
    """A difference of shares as percentage points."""
    return f"{100 * share:+.1f}"


def _have(comparison: Comparison) -> str:
    """The requests and tasks of the smaller arm, and about how many it needs where there is no verdict yet."""
    parts = grouped(
        ("tasks" if measure.is_of_tasks else "requests", measure.difference) for measure in comparison.measures
    )
    if comparison.verdict is not Verdict.NOT_ENOUGH_DATA:
        return " and ".join(f"{differences[0].has} {what}" for what, differences in parts.items()) + IN_SMALLER
    texts = []
    for what, differences in parts.items():
        pending = [each for each in differences if each.verdict is Verdict.NOT_ENOUGH_DATA]
        # Fewer tasks may tell how long they took.
        has = min(each.has for each in pending or differences)
        if any(each.needed is None for each in pending):
            texts.append(f"have {has} {what}{IN_SMALLER}; how many it takes is not known yet")
        elif pending:
            texts.append(f"have {has} of about {max(each.needed or 0 for each in pending)} {what}{IN_SMALLER}")
    return "; ".join(texts)
