"""A rollout for scripts: one row for each host."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jada import HostError
from jada.cli.rollout.outcome import Report, model_seen
from jada.cli.ui.findings import finding_as_json
from jada.tasks.plan import Plan


def as_json(reports: Mapping[str, Report], plans: Mapping[str, Plan | HostError]) -> list[dict[str, Any]]:
    rows = []
    for name, report in reports.items():
        plan = plans[name]
        state = report.state
        made = plan.transaction.release if isinstance(plan, Plan) and plan.transaction else None
        rows.append(
            {
                "host": name,
                "outcome": report.outcome,
                "detail": report.detail,
                "model_before": made.before.model if made else None,
                "model_wanted": made.wanted.model if made else None,
                "model_running": model_seen(name, report) if state else None,
                "open_files": state.process.soft if state and state.process else None,
                "findings": [finding_as_json(finding, name) for finding in report.findings],
                "notes": list(report.notes),
                "seconds": report.seconds,
                "log": list(report.log),
            }
        )
    return rows
