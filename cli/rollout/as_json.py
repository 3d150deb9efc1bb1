"""A rollout for scripts: one row for each host."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from jada import HostError
from jada.cli.rollout.network import Found
from jada.cli.rollout.outcome import HostResult, model_seen
from jada.cli.ui.console import shorten_masks
from jada.cli.ui.costs import costs_as_json
from jada.cli.ui.evidence import evidence_as_json
from jada.cli.ui.findings import finding_as_json
from jada.tasks.evidence import evidence_of
from jada.tasks.plan import Plan
from jada.tasks.preflight import PreflightCheck


def as_json(
    reports: Mapping[str, HostResult],
    plans: Mapping[str, Plan | HostError],
    roles: Mapping[str, str],
    checks: Mapping[str, Iterable[PreflightCheck]] | None = None,
    network: Found = MappingProxyType({}),
) -> list[dict[str, Any]]:
    """The rows of the hosts; with the `checks` before an upgrade, and what was found on the `network` after it."""
    rows = []
    for name, report in reports.items():
        plan = plans[name]
        state = report.state
        release = plan.transaction.release if isinstance(plan, Plan) and plan.transaction else None
        diffs = plan.diff if isinstance(plan, Plan) else ()
        rows.append(
            {
                "host": name,
                "role": roles[name] or None,
                "outcome": report.outcome,
                "detail": report.detail or None,
                "model_before": (release.before.model or None) if release else None,
                "model_desired": (release.desired.model or None) if release else None,
                "model_after": model_seen(name, report) or None,
                **costs_as_json(plan.costs if isinstance(plan, Plan) else None),
                "evidence": evidence_as_json(evidence_of(state)) if state else None,
                "open_files_in_force": state.process.soft if state and state.process else None,
                "findings": [finding_as_json(finding, name) for finding in report.findings],
                "network": [finding_as_json(finding, name) for finding in network[name]] if name in network else None,
                "probes": [probe.as_data() for probe in report.probes],
                "notes": list(report.notes),
                "duration_seconds": report.seconds or None,
                "log": list(report.log),
                "diff": [shorten_masks(line) for diff in diffs for line in diff],
                **({"preflight": _checks(checks.get(name))} if checks is not None else {}),
            }
        )
    return rows


def _checks(checks: Iterable[PreflightCheck] | None) -> list[dict[str, str]] | None:
    """The checks of a host; None where it was not looked at."""
    if checks is None:
        return None
    return [{"check": check.name, "verdict": check.verdict, "text": check.text} for check in checks]
