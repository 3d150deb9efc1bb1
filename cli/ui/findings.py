"""A finding as people and scripts read it."""

from __future__ import annotations

from jada.tasks.checks import Finding


def finding_line(finding: Finding) -> str:
    """The finding on one line: its code and name, what was expected, what was seen."""
    return f"{finding.code} {finding.name}: expected {finding.expected}, saw {finding.seen}"


def finding_as_json(finding: Finding) -> dict[str, str]:
    """The finding as a JSON object."""
    return {
        "code": finding.code,
        "name": finding.name,
        "expected": finding.expected,
        "seen": finding.seen,
        "mend": finding.mend,
    }
