"""The price of a change in a rollout: told beforehand, and never in its way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from jada import HostError, Service, Tiers
from jada.cli.results import HostResults
from jada.cli.rollout import prices
from jada.cli.rollout.as_json import as_json
from jada.cli.rollout.outcome import without_change
from jada.cli.rollout.prices import with_prices
from jada.cli.rollout.show import show_plan
from jada.inventory.models import Override
from jada.tasks import plan
from jada.tasks.plan import Plan, Request
from jada.tasks.state import State
from tests.fakes import FLEET

Host = Callable[..., State]
REQUEST = Request("20261124-130000-bbbb", "f", "ann", "2026-11-24T13:00:00+00:00", 2_147_483_646)


def plans(host: Host) -> HostResults[Plan]:
    change = plan.upgrade(REQUEST, "r", Tiers("claude-opus-5"), host(), Service())
    return HostResults({"web-1": change, "off-1": HostError("off-1 can't be reached"), "web-2": change})


def test_it_is_told_once_for_the_hosts_that_it_is_the_same_for(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    priced = with_prices(plans(host), replace(FLEET, models={"opus-5": Override("claude-opus-5")}))
    assert list(priced) == ["web-1", "off-1", "web-2"]
    show_plan("Upgrade f", priced)
    told = " ".join(capsys.readouterr().out.split())
    assert told.count("Price ") == 1
    assert "Price model claude-sonnet-4.6 → claude-opus-5: 1.7 times the price per token (web-1, web-2)" in told
    rows = as_json({name: without_change(end) for name, end in priced.items()}, priced, dict.fromkeys(priced, "r"))
    assert [len(row["price_changes"]) for row in rows] == [1, 0, 1]
    assert rows[0]["cost_per_day_usd"] is None


def test_one_that_can_not_be_worked_out_is_in_no_change_s_way(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> Plan:
        raise ZeroDivisionError

    monkeypatch.setattr(prices, "with_costs", fail)
    before = plans(host)
    assert with_prices(before, FLEET) == before
