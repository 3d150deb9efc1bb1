"""A page with everything on it, and values for tests of its parts."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from jada.cli.records.model import Entry, HostEntry, HostOutcome, RolloutEntry, RolloutStatus
from jada.cli.report.page import Done, Page
from jada.cli.rollout.progress import Values
from jada.cli.rollout.waves import Group
from jada.inventory.fleet.rollout import ALL_AT_ONCE
from jada.inventory.lease import Holder
from jada.inventory.roles import Role
from jada.tasks.operator_lock import OperatorLock
from jada.tasks.plan import Request
from jada.tasks.state import State

NASTY = "<script>alert(1)</script>"
MakeDone = Callable[..., Done]


@pytest.fixture
def done(page: Page) -> MakeDone:
    """done(days, {host: outcome}, model): a release so many days before the page was made."""

    def make(days: float, outcomes: Mapping[str, HostOutcome], model: str, rollout: RolloutEntry | None = None) -> Done:
        at = page.drift.at - timedelta(days=days)
        release = release_id(at)
        entry = Entry(
            id=release, fleet="f", kind="upgrade", at=at.isoformat(), who=f"ann@{NASTY}", reason=NASTY, model=model
        )
        hosts = tuple(HostEntry(release=release, host=host, outcome=outcome) for host, outcome in outcomes.items())
        return Done(entry, hosts, (), rollout)

    return make


def release_id(at: datetime) -> str:
    return f"{at:%Y%m%d-%H%M%S}-abcd"


def rollout(at: datetime, hosts: Sequence[str], measured: Mapping[str, Any], **changes: Any) -> RolloutEntry:
    """A rollout of these hosts, each a wave of its own, that is done unless `changes` say otherwise."""
    groups = (Group(ALL_AT_ONCE, tuple((name,) for name in hosts)),)
    request = Request(id=release_id(at), fleet="f", who="ann@ops", at=at.isoformat(), nofile=1)
    entry = RolloutEntry(
        release=release_id(at), fleet="f", status=RolloutStatus.DONE, why="", wave=len(hosts) - 1, baking=0,
        values_json=Values(request=request, groups=groups, tiers={}).to_json(), asked="", asked_by="",
        updated=at.isoformat(), measured_json=json.dumps(measured),
    )  # fmt: skip
    return replace(entry, **changes)


def probe(name: str, verdict: str, text: str, mode: str = "enforce") -> dict[str, Any]:
    """A verdict of a probe as the record has it."""
    return {"probe": name, "verdict": verdict, "text": text, "mode": mode, "measured": 1, "unit": "%", "count": 4}


@pytest.fixture
def whole(page: Page, done: MakeDone, host: Callable[..., State]) -> Page:
    """The page with roles, a lock, a lease, models over time and a paused rollout too; nasty words in each."""
    at = page.drift.at - timedelta(days=2)
    fallback = replace(page.fleet, roles=(Role("r", "sonnet-4.6", fallback=("opus-5",)), Role(f"idle {NASTY}")))
    measured = {
        "fine-1": [probe("requests", "passed", NASTY), probe("latency", "failed", NASTY, "observe")],
        "fine-2": [probe("requests", "error", NASTY)],
    }
    paused = rollout(at, ("fine-1", "fine-2", "session-1"), measured, status="paused", why=NASTY, wave=1, baking=1)
    outcomes = dict.fromkeys(("fine-1", "fine-2"), HostOutcome.VERIFIED) | {"session-1": HostOutcome.NOT_STARTED}
    lock = OperatorLock(NASTY, "2027-01-14T10:00:00+00:00", "", NASTY)
    return replace(
        page,
        fleet=fallback,
        states={**page.states, "fine-2": host(operator_lock=lock)},
        released={"fine-1": "claude-sonnet-4.6", "session-1": "claude-sonnet-4.6"},
        done=(*page.done, done(2, outcomes, "claude-opus-5", paused)),
        lease=Holder(NASTY, "2027-01-15T08:00:00+00:00", NASTY, 7, "ab"),
    )
