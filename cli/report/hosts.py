"""The hosts of the page: which come first, what was found on each, and why each runs what it runs. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from jada.cli.drift.evaluate import HostDrift, Status
from jada.cli.report.marks import NOTHING, UNKNOWN, Mark, gravity, mark_of
from jada.cli.ui.explanation import explanation_dict
from jada.tasks.codes import CODES, FindingCode
from jada.tasks.evidence import strongest_evidence
from jada.tasks.state import State

ORDER = (Status.NOT_CHECKED, Status.DRIFTED, Status.UNPROVEN, Status.CHANGING, Status.IN_SYNC, Status.GONE)


def by_need(rows: Sequence[HostDrift]) -> list[HostDrift]:
    """The rows, those that need somebody first; otherwise as they came."""
    return sorted(rows, key=lambda row: ORDER.index(row.status))


def codes_of(rows: Iterable[HostDrift]) -> list[FindingCode]:
    """The codes that anything was found of, in the catalogue's order."""
    found = {evaluated.finding.code for row in rows for evaluated in row.findings}
    return [code for code in CODES.values() if code.code in found]


def cells(row: HostDrift, state: State | None, codes: Sequence[FindingCode]) -> list[Mark]:
    """A mark for each code: the gravest thing found, or nothing, but only where it was looked for.

    A host without a release has nothing to be compared with, so nothing is known of most codes there; nor of one that
    is being changed, just now or for too long.
    """
    is_judged = state and state.release and row.status in (Status.IN_SYNC, Status.DRIFTED, Status.UNPROVEN)
    none = NOTHING if is_judged else UNKNOWN
    return [
        min(
            (mark_of(evaluated) for evaluated in row.findings if evaluated.finding.code == code.code),
            key=gravity,
            default=none,
        )
        for code in codes
    ]


def facts(name: str, state: State | None) -> dict[str, Any] | None:
    """What `jada explain` tells of a host; None of one that could not be looked at."""
    if state is None:
        return None
    return {**explanation_dict(name, state), "made": state.release, "strongest": strongest_evidence(state)}
