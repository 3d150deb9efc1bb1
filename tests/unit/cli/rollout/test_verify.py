"""The check of a host after its change, and the row that scripts get of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from jada import HostError, Service, Tiers
from jada.cli.records.model import HostOutcome
from jada.cli.rollout.as_json import as_json
from jada.cli.rollout.verify import verify
from jada.tasks import plan
from jada.tasks.plan import Request
from jada.tasks.state import ModelReport, State
from tests.fakes import DONE, FakeConnection, changed

REQUEST = Request("20270101-120000-aaaa", "f", "ann@box", "2027-01-01T12:00:00+00:00", 2_147_483_646)


def test_a_look_behind_the_change_needs_no_second_one(host: Callable[..., State]) -> None:
    upgrade = plan.upgrade(REQUEST, "r", Tiers("claude-opus-5"), host(), Service())
    assert upgrade.transaction
    after = changed(host(), upgrade.transaction)
    connection = FakeConnection("web-1", {"web-1": after})
    assert (
        verify("web-1", connection, upgrade, replace(DONE, seen=after), Service(), False).outcome
        is HostOutcome.VERIFIED
    )
    assert connection.log == []
    assert verify("web-1", connection, upgrade, DONE, Service(), False).outcome is HostOutcome.VERIFIED
    assert connection.log == ["look", "ask"]


@pytest.mark.parametrize(
    ("proof", "outcome", "detail"),
    [
        ("observed", HostOutcome.UNPROVEN, "nothing observed says which model runs"),
        ("derived", HostOutcome.VERIFIED, "derived from model in /home/agent/.claude/settings.json, not observed"),
    ],
)
def test_a_model_that_nothing_observed_says_is_unproven_unless_the_fleet_lives_with_it(
    host: Callable[..., State], proof: str, outcome: HostOutcome, detail: str
) -> None:
    upgrade = plan.upgrade(REQUEST, "r", Tiers("claude-opus-5"), host(), Service())
    assert upgrade.transaction
    after = replace(changed(host(), upgrade.transaction), report=ModelReport())
    connection = FakeConnection("web-1", {"web-1": after})
    result = verify("web-1", connection, upgrade, replace(DONE, seen=after), Service(proof=proof), False)
    assert (result.outcome, result.detail) == (outcome, detail)
    assert [finding.code for finding in result.findings] == (["J117"] if proof == "observed" else [])
    (row,) = as_json({"web-1": result}, {"web-1": upgrade}, {"web-1": ""})
    assert [(piece["kind"], piece["model"]) for piece in row["evidence"]] == [("derived", "claude-opus-5")]


@pytest.mark.parametrize("is_there", [True, False])
def test_the_row_of_a_host_tells_what_was_seen_and_null_for_the_rest(
    host: Callable[..., State], is_there: bool
) -> None:
    upgrade = plan.upgrade(REQUEST, "r", Tiers("claude-opus-5"), host(), Service())
    assert upgrade.transaction
    connection = FakeConnection(
        "web-1", {"web-1": changed(host(), upgrade.transaction) if is_there else HostError("off")}
    )
    result = verify("web-1", connection, upgrade, DONE, Service(), False)
    (row,) = as_json({"web-1": result}, {"web-1": upgrade}, {"web-1": ""})
    assert (row["host"], row["role"], row["model_desired"]) == ("web-1", None, "claude-opus-5")
    assert (row["outcome"], row["model_after"]) == (("verified", "claude-opus-5") if is_there else ("unproven", None))
