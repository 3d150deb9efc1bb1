"""The tasks that agents say they have done, by fields of their journal (files/look/tasks.sh; docs/compare.md). Pure.

All of it is the word of the service's processes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from jada.tasks.frames import LookError

# Tasks of one answer; files/look/tasks.sh has as many.
MOST = 1000
_LINE = re.compile(r"([1-9]\d{0,15}) (success|failure) (\d{1,7}(?:\.\d{1,9})?|-)", re.ASCII)
_WHOLE, _CUT_OFF = "end", "cut-off"


@dataclass(frozen=True, slots=True)
class TaskOutcome:
    """One task: when it ended, Unix seconds, whether it `succeeded`, and how many `seconds` it took if that is told."""

    at: float
    succeeded: bool
    seconds: float | None


def read_outcomes(lines: Sequence[str]) -> list[TaskOutcome]:
    """The tasks that a host said. Raises LookError."""
    *tasks, last = lines or ("",)
    if last == _CUT_OFF:
        raise LookError("its journal could not be read in time")
    if last != _WHOLE or len(tasks) > MOST:
        raise LookError("the tasks that it tells of are not whole")
    return [_outcome(line) for line in tasks]


def _outcome(line: str) -> TaskOutcome:
    if (match := _LINE.fullmatch(line)) is None:
        raise LookError("it tells of a task what can't be")
    return TaskOutcome(int(match[1]) / 1e6, match[2] == "success", None if match[3] == "-" else float(match[3]))
