"""A rollout as the record keeps it: one entry, and a part of it for each host."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from jada import HostError, JadaError
from jada.cli.records.model import REDO, Entry, HostEntry, NetworkEntry
from jada.cli.records.sqlite import BUSY_TIMEOUT_BACK, Records, open_store
from jada.cli.rollout.network import Found
from jada.cli.rollout.outcome import HostResult, model_seen
from jada.cli.ui.console import all_visible
from jada.tasks.plan import Plan, Request

if TYPE_CHECKING:
    from jada.inventory.fleet.config import Fleet


def next_moment(fleet: Fleet) -> datetime:
    """The moment of which the id of the next release is to be, as far as the record can be read."""
    now = datetime.now(UTC)
    with suppress(JadaError), open_store(fleet, timeout=BUSY_TIMEOUT_BACK) as store:
        return Records(store).next_moment(fleet.name, now)
    return now


def as_entry(request: Request, kind: str, plans: Mapping[str, Plan]) -> Entry:
    transactions = [plan.transaction for plan in plans.values() if plan.transaction]
    models = {transaction.release.desired.model for transaction in transactions}
    model = models.pop() if len(models) == 1 else ""
    # A change that was cut off is undone first, whatever comes then.
    clean = (transaction for transaction in transactions if not transaction.state.unfinished_transaction)
    forward = {bool(transaction.release.redoes) for transaction in clean}
    return Entry(
        id=request.id,
        fleet=request.fleet,
        kind=REDO if forward == {True} else kind,
        at=request.at,
        who=request.who,
        reason=request.reason,
        model=model,
    )


def as_host_entries(
    request: Request,
    plans: Mapping[str, Plan | HostError],
    reports: Mapping[str, HostResult],
    before: Mapping[str, str] | None = None,
) -> list[HostEntry]:
    """The parts of hosts; of those without a plan, which were changed earlier, `before` has the models until then."""
    entries = []
    for name, report in reports.items():
        plan = plans.get(name)
        transaction = plan.transaction if isinstance(plan, Plan) else None
        model_before = transaction.state.settings.model if transaction else (before or {}).get(name, "")
        entry = HostEntry(
            release=request.id,
            host=name,
            outcome=report.outcome,
            detail=report.detail,
            model_before=model_before,
            model_after=model_seen(name, report),
            seconds=report.seconds,
        )
        entries.append(all_visible(entry))
    return entries


def as_network_entries(request: Request, found: Found) -> list[NetworkEntry]:
    """One entry for each finding on the network of each host."""
    return [
        NetworkEntry(release=request.id, host=name, code=finding.code, expected=finding.expected, actual=finding.actual)
        for name, findings in found.items()
        for finding in findings
    ]
