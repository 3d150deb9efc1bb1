"""A finding as scripts read it."""

from __future__ import annotations

from jada.tasks.checks import Finding


def finding_as_json(finding: Finding, host: str) -> dict[str, str]:
    """The finding on a host as a JSON object."""
    return {
        "code": finding.code,
        "name": finding.name,
        "severity": finding.severity,
        "expected": finding.expected,
        "actual": finding.actual,
        "fix": finding.fix_on(host),
    }
