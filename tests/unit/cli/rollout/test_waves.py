"""The division of hosts into waves, and the verdict on them."""

from __future__ import annotations

import itertools

import pytest

from jada import Host
from jada.cli.records.model import HostOutcome
from jada.cli.rollout.outcome import HostResult
from jada.cli.rollout.waves import Verdict, divide, in_words, of_hosts
from jada.inventory.fleet.rollout import ALL_AT_ONCE, RolloutPolicy, Share, parse_share


def shares(text: str) -> tuple[Share, ...]:
    parsed = [parse_share(word, 1) for word in text.split()]
    return tuple(share for share in parsed if share)


def hosts(count: int, zones: int = 0) -> list[Host]:
    return [
        Host(f"h{number}", "192.0.2.1", "ec2", region="eu-1", zone=f"z{number % zones}" if zones else "")
        for number in range(count)
    ]


@pytest.mark.parametrize(
    ("waves", "count", "sizes"),
    [
        ("1 10% 50% 100%", 1, [1]),
        ("1 10% 50% 100%", 2, [1, 1]),
        ("1 10% 50% 100%", 5, [1, 2, 2]),
        ("1 10% 50% 100%", 10, [1, 4, 5]),
        ("1 10% 50% 100%", 100, [1, 9, 40, 50]),
        ("1 10% 50% 100%", 0, []),
        ("3 5 100%", 4, [3, 1]),
        ("30 10% 100%", 100, [30, 70]),
        ("100%", 7, [7]),
        ("1% 100%", 3, [1, 2]),
    ],
)
def test_waves_are_cumulative_and_none_is_empty(waves: str, count: int, sizes: list[int]) -> None:
    divided = divide(hosts(count), RolloutPolicy(waves=shares(waves)))
    assert [len(wave) for wave in divided] == sizes
    assert sorted(itertools.chain(*divided)) == sorted(host.name for host in hosts(count))


def test_the_hosts_of_a_wave_lie_in_as_many_zones_as_there_are() -> None:
    spread = divide(hosts(9, zones=3), RolloutPolicy(waves=shares("3 100%")))
    assert {int(name[1:]) % 3 for name in spread[0]} == {0, 1, 2}
    lopsided = [*hosts(6), Host("far", "192.0.2.9", "ec2", region="us-1")]
    assert "far" in divide(lopsided, RolloutPolicy(waves=shares("2 100%")))[0]
    assert divide(lopsided, RolloutPolicy(waves=shares("2 100%"), spread_by="nothing"))[0] == ("h0", "h1")


def test_the_canary_is_the_host_with_its_tags() -> None:
    tagged = [*hosts(3), Host("last", "192.0.2.9", "ec2", tags={"canary": "yes"})]
    policy = RolloutPolicy(canary={"canary": ("yes",)})
    assert divide(tagged, policy)[0] == ("last",)
    assert divide(hosts(3), policy)[0] == ("h0",)


def results(**outcomes: HostOutcome) -> dict[str, HostResult]:
    return {name: HostResult(outcome) for name, outcome in outcomes.items()}


V, R, B, U, N = (
    HostOutcome.VERIFIED, HostOutcome.ROLLED_BACK, HostOutcome.ROLLBACK_FAILED, HostOutcome.UNREACHABLE,
    HostOutcome.NOT_STARTED,
)  # fmt: skip


@pytest.mark.parametrize(
    ("most", "outcomes", "judged"),
    [
        ("0", [V], Verdict.PASSED),
        ("0", [V, R], Verdict.FAILED),
        ("0", [V, U], Verdict.FAILED),
        ("0", [V, B], Verdict.FAILED),
        ("0", [V, HostOutcome.REJECTED], Verdict.FAILED),
        ("1", [V, R], Verdict.PASSED),
        ("1", [U, R], Verdict.FAILED),
        ("50%", [V, R], Verdict.PASSED),
        ("49%", [V, R], Verdict.FAILED),
        # Of the hosts that were touched, not of the fleet: those of later waves don't dilute it.
        ("10%", [R, N, N, N, N, N, N, N, N, N], Verdict.FAILED),
        ("0", [HostOutcome.UNPROVEN], Verdict.FAILED),
    ],
)
def test_so_many_hosts_may_fail(most: str, outcomes: list[HostOutcome], judged: Verdict) -> None:
    share = parse_share(most, 0)
    assert share
    touched = {str(number): HostResult(outcome) for number, outcome in enumerate(outcomes)}
    assert of_hosts(touched, RolloutPolicy(max_failures=share)) is judged


def test_a_host_of_which_nothing_is_known_is_no_failure() -> None:
    unknown = HostResult(HostOutcome.UNPROVEN, is_unknown=True)
    assert of_hosts({"a": unknown, **results(b=V)}, RolloutPolicy()) is Verdict.INCONCLUSIVE
    assert of_hosts({"a": unknown, **results(b=R)}, RolloutPolicy()) is Verdict.FAILED


def test_the_plan_tells_waves_and_the_time_of_their_bakes() -> None:
    policy = RolloutPolicy(first_bake_time=600)
    text = in_words("f", divide(hosts(10), policy), policy)
    assert text == "10 hosts of f in 3 waves of 1, 4, 5 (h0 first), at least 12m for their bakes"
    no_bake = RolloutPolicy(bake_time=0)
    assert (
        in_words("f", divide(hosts(2), no_bake), no_bake)
        == "2 hosts of f in 2 waves of 1, 1 (h0 first), without a bake"
    )
    assert in_words("f", divide(hosts(10), ALL_AT_ONCE), ALL_AT_ONCE) == "10 hosts of f, all at once"
    assert in_words("f", divide(hosts(1), policy), policy) == in_words("f", (), policy) == ""


@pytest.mark.parametrize("text", ["", "0", "101%", "-1", "1.5", "10 %", "%", "x", "9999999"])
def test_a_share_is_a_number_or_so_many_percent(text: str) -> None:
    assert parse_share(text, 1) is None
