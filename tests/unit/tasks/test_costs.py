"""The price of a change (tasks/costs.py), and how it is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from jada import Model, Service, Tiers
from jada.cli.ui.costs import cost_lines, costs_as_json, total_line
from jada.inventory.models import catalogue
from jada.tasks import plan
from jada.tasks.costs import Costs, PriceChange, costs_of
from jada.tasks.plan import Request, with_costs
from jada.tasks.served import Answers, Served
from jada.tasks.state import State

Host = Callable[..., State]
NOW = 1_800_000_000.0
HOUR, DAY = 3600.0, 86400.0
SONNET, HAIKU, OPUS = "claude-sonnet-4.6", "claude-haiku-4.5", "claude-opus-5"
LISTED = catalogue({})
BEFORE = Tiers(SONNET)


def answers(model: str, ago: float = DAY, side: bool = False, **more: Any) -> Answers:
    tokens = {"tokens_in": 0, "written_to_cache": 0, "read_from_cache": 0, "tokens_out": 0}
    values: dict[str, Any] = {"requested": model, **tokens, **more}
    return Answers(model=model, of_subagents=side, count=1, first=NOW - ago, last=NOW, **values)


def costs(host: Host, desired: Tiers, *some: Answers, before: Tiers = BEFORE) -> Costs:
    return costs_of(host(served=Served(since=NOW - DAY, answers=some)), before, desired, LISTED)


def test_each_model_that_changes_has_its_ratio(host: Host) -> None:
    before = Tiers(HAIKU, (OPUS, SONNET), OPUS)
    found = costs(host, Tiers(OPUS, (SONNET, OPUS), HAIKU), before=before)
    assert found.changes == (
        PriceChange(what="model", before=HAIKU, after=OPUS, input=5, output=5),
        PriceChange(what="fallback", before=OPUS, after=SONNET, input=0.6, output=0.6),
        PriceChange(what="subagent_model", before=OPUS, after=HAIKU, input=0.2, output=0.2),
    )
    assert list(cost_lines(found)) == [
        f"model {HAIKU} → {OPUS}: 5 times the price per token",
        f"first fallback {OPUS} → {SONNET}: 0.6 times the price per token",
        f"model of subagents {OPUS} → {HAIKU}: 0.2 times the price per token",
    ]
    assert costs(host, before, before=before) == Costs()
    # What nobody asks for stays.
    assert len(costs(host, Tiers(OPUS), before=before).changes) == 1


@pytest.mark.parametrize("unknown", ["gateway/x", f"{OPUS}[1m]", "arn:aws:bedrock:us-east-1:1:inference-profile/x"])
def test_of_what_has_no_price_no_number_is_told(host: Host, unknown: str) -> None:
    some = answers(SONNET, tokens_in=1_000_000)
    to, back = costs(host, Tiers(unknown), some), costs(host, Tiers(OPUS), some, before=Tiers(unknown))
    for found in (to, back):
        (change,) = found.changes
        assert (change.input, change.output) == (None, None)
        assert next(cost_lines(found)).endswith(": the price per token is not known")
    assert to.day is None
    assert costs_as_json(to)["cost_per_day_usd"] is None


def test_a_day_by_the_tokens_of_its_transcripts(host: Host) -> None:
    """In half a day: a million tokens in, out, written to the cache and read from it; subagents use the main model."""
    million: dict[str, Any] = dict.fromkeys(
        ("tokens_in", "written_to_cache", "read_from_cache", "tokens_out"), 1_000_000
    )
    some = (answers("claude-sonnet-4-6", DAY / 2, **million), answers(SONNET, HOUR, side=True, tokens_out=1_000_000))
    found = costs(host, Tiers(OPUS), *some)
    by_sonnet, by_opus = 3 * 2.35 + 15 + 15, 5 * 2.35 + 25 + 25
    assert found.day
    assert (found.day.before, found.day.after) == pytest.approx((2 * by_sonnet, 2 * by_opus))
    assert found.day.since == NOW - DAY / 2
    assert list(cost_lines(found))[1] == (
        "its tokens since 2027-01-14 20:00 UTC come to $74.10 a day, and would to $123.50 (list prices)"
    )
    apart = costs(host, Tiers(OPUS, (), HAIKU), *some).day
    assert apart
    assert apart.after == pytest.approx(2 * (5 * 2.35 + 25 + 5))


def test_subagents_of_a_model_of_their_own_keep_it(host: Host) -> None:
    found = costs(host, Tiers(OPUS), answers(HAIKU, side=True, tokens_out=1_000_000)).day
    assert found
    assert (found.before, found.after) == pytest.approx((5, 5))


def test_what_subagents_cost_after_a_way_back_is_known_only_where_its_release_says(host: Host) -> None:
    some = (answers(HAIKU, side=True, tokens_out=1_000_000), answers(OPUS, tokens_out=1_000_000))
    state, before = host(served=Served(since=NOW - DAY, answers=some)), Tiers(OPUS, (), HAIKU)
    assert costs_of(state, before, Tiers(SONNET), LISTED, goes_back=True).day is None
    told = costs_of(state, before, Tiers(SONNET, (), SONNET), LISTED, goes_back=True).day
    assert told
    assert told.after == pytest.approx(30)


@pytest.mark.parametrize(
    "some",
    [
        (),
        (answers(SONNET, HOUR - 1, tokens_in=10),),
        (answers(SONNET, tokens_in=10), answers("gateway/x", tokens_in=10)),
        (answers(SONNET, tokens_in=10, requested=f"{SONNET}[1m]"),),
    ],
    ids=["no answers", "of less than an hour", "of an unknown model", "of a long context"],
)
def test_a_day_that_is_not_known(host: Host, some: tuple[Answers, ...]) -> None:
    found = costs(host, Tiers(OPUS), *some)
    assert found.changes
    assert found.day is None


def test_prices_that_differ_for_input_and_output() -> None:
    found = Costs((PriceChange(what="model", before="a", after="b", input=1.0, output=3.333),))
    assert list(cost_lines(found)) == ["model a → b: 1 times the price per token in, 3.3 times out"]
    same = Costs((PriceChange(what="model", before="a", after="b", input=1.0, output=1.0),))
    assert list(cost_lines(same)) == ["model a → b: the same price per token"]


def test_a_plan_has_the_price_of_its_change(host: Host) -> None:
    request = Request("20261124-130000-bbbb", "f", "ann", "2026-11-24T13:00:00+00:00", 2_147_483_646)
    planned = with_costs(plan.upgrade(request, "r", Tiers(OPUS), host(), Service()), LISTED)
    assert [change.after for change in planned.costs.changes] == [OPUS]
    idle = plan.upgrade(request, "r", Tiers(SONNET), host(), Service())
    assert with_costs(idle, LISTED) is idle
    # The ARN that fleet.yml gives a name is the price of that name's model, and of no other id.
    arn = Model("opus-5", "arn:aws:bedrock:x", 5.0, 25.0)
    (change,) = costs_of(host(), Tiers("x"), Tiers(arn.id), (arn,)).changes
    assert change.input is None


def test_the_price_of_several_hosts_is_told_together(host: Host) -> None:
    one = costs(host, Tiers(OPUS), answers(SONNET, tokens_out=1_000_000))
    assert one.day
    assert total_line([one]) == total_line([]) == ""
    both = f"2 hosts come to ${one.day.before * 2:.2f} a day, and would to ${one.day.after * 2:.2f} (list prices"
    assert total_line([one, one, Costs()]) == f"{both})"
    unknown = replace(one, day=None)
    assert total_line([one, unknown, one]) == f"{both}; of 1 more it is not known)"
