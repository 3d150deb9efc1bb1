"""The price of a change, as scripts and people read it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from jada.cli.ui.duration import iso
from jada.tasks.costs import Costs, PriceChange
from jada.tasks.evidence import moment

WORDS = {"model": "model", "fallback": "first fallback", "subagent_model": "model of subagents"}


def costs_as_json(costs: Costs | None) -> dict[str, Any]:
    """The price of a change as JSON; where there is none, or no change, that is null or empty."""
    day = costs.day if costs else None
    return {
        "price_changes": [
            {
                "what": change.what,
                "before": change.before,
                "after": change.after,
                "input_ratio": change.input,
                "output_ratio": change.output,
            }
            for change in (costs.changes if costs else ())
        ],
        "cost_per_day_usd": {"before": day.before, "after": day.after, "since": iso(day.since)} if day else None,
    }


def cost_lines(costs: Costs) -> Iterator[str]:
    """The price of a change in words."""
    for change in costs.changes:
        yield f"{WORDS[change.what]} {change.before} → {change.after}: {_ratio(change)}"
    if day := costs.day:
        yield (
            f"its tokens since {moment(day.since)} come to ${_usd(day.before)} a day, and would to ${_usd(day.after)} "
            "(list prices)"
        )


def total_line(costs: Iterable[Costs]) -> str:
    """The price of a change of several hosts a day, "" where it is known of fewer than two."""
    days = [each.day for each in costs if each.changes]
    known = [day for day in days if day]
    if len(known) < 2:
        return ""
    before, after = sum(day.before for day in known), sum(day.after for day in known)
    unknown = f"; of {len(days) - len(known)} more it is not known" if len(days) > len(known) else ""
    return f"{len(known)} hosts come to ${_usd(before)} a day, and would to ${_usd(after)} (list prices{unknown})"


def _ratio(change: PriceChange) -> str:
    if change.input is None or change.output is None:
        return "the price per token is not known"
    first, second = f"{change.input:.2g}", f"{change.output:.2g}"
    if first != second:
        return f"{first} times the price per token in, {second} times out"
    return "the same price per token" if first == "1" else f"{first} times the price per token"


def _usd(amount: float) -> str:
    return f"{amount:,.2f}" if amount >= 0.01 else f"{amount:.2g}"
