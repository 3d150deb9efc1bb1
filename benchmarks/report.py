"""What was measured, as RESULTS.md and a chart."""

from __future__ import annotations

import statistics
import sys
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(slots=True)
class Series:
    """All runs of one command in one setting: seconds, and the most memory its process had, in MB."""

    seconds: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


@dataclass(slots=True)
class Results:
    """A whole run: how many rounds, how many endpoints to read, and each part's series by name."""

    rounds: int
    endpoints: int
    took: float = 0.0
    parts: dict[str, dict[str, Series]] = field(default_factory=dict)


def write(results: Results, folder: Path | None) -> None:
    for part, all_series in results.parts.items():
        sys.stdout.write(f"\n{part}\n")
        for name, series in all_series.items():
            sys.stdout.write(f"  {name:40} {series.median:8.3f} s  {max(series.memory):6.0f} MB\n")
