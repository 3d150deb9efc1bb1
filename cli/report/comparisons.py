"""Comparisons (`jada compare`) as the page draws them. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from jada.cli.compare.comparison import Comparison, Measure
from jada.cli.compare.show import heading, in_numbers, in_words, interval, label, places
from jada.cli.report.marks import COMPARISONS, Mark
from jada.cli.report.timeline import LEAST, WIDTH


@dataclass(frozen=True, slots=True)
class MeasureRow:
    """A measure in words, and the places of its interval in the units of the drawing."""

    name: str
    by_arm: tuple[str, str]
    mark: Mark
    interval: str | None
    left: float
    width: float
    lines: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Compared:
    """One comparison with its verdict in words."""

    comparison: Comparison
    mark: Mark
    heading: str
    words: str
    measures: tuple[MeasureRow, ...]


def compared(comparison: Comparison) -> Compared:
    """The comparison as it is drawn."""
    return Compared(
        comparison,
        COMPARISONS[comparison.verdict],
        heading(comparison),
        in_words(comparison),
        tuple(map(_measure, comparison.measures)),
    )


def _measure(measure: Measure) -> MeasureRow:
    difference = measure.difference
    on_line = places(difference, measure.margin)
    return MeasureRow(
        name=label(measure),
        by_arm=(in_numbers(measure.a), in_numbers(measure.b)),
        mark=COMPARISONS[difference.verdict],
        interval=interval(measure) if difference.has else None,
        left=round(on_line.low * WIDTH, 1),
        width=round(max((on_line.high - on_line.low) * WIDTH, LEAST), 1),
        lines=tuple(round(at * WIDTH, 1) for at in (on_line.middle, *on_line.margins)),
    )
