"""The division of hosts into waves, and the verdict on them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import pytest

from jada import Host
from jada.cli.records.model import HostOutcome
from jada.cli.rollout.outcome import HostResult
from jada.cli.rollout.waves import Group, Waves, at_once, divide, in_words, of_hosts, own_deadline, together
from jada.inventory.fleet.rollout import ALL_AT_ONCE, RolloutPolicy, Share, parse_share
from jada.tasks.measure import Verdict


def waves(hosts: Sequence[Host], policy: RolloutPolicy) -> Waves:
    return together(divide(hosts, {"": policy}))


def shares(text: str) -> tuple[Share, ...]:
    parsed = [parse_share(word, 1) for word in text.split()]
    return tuple(share for share in parsed if share)


def hosts(count: int, zones: int = 0) -> list[Host]:
    return [
        Host(f"h{number}", "192.0.2.1", "ec2", region="eu-1", zone=f"z{number % zones}" if zones else "")
        for number in range(count)
    ]


@pytest.mark.parametrize(
    ("text", "count", "sizes"),
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
def test_waves_are_cumulative_and_none_is_empty(text: str, count: int, sizes: list[int]) -> None:
    divided = waves(hosts(count), RolloutPolicy(waves=shares(text)))
    assert [len(wave) for wave in divided] == sizes
    assert sorted(itertools.chain(*divided)) == sorted(host.name for host in hosts(count))


def test_the_hosts_of_a_wave_lie_in_as_many_zones_as_there_are() -> None:
    spread = waves(hosts(9, zones=3), RolloutPolicy(waves=shares("3 100%")))
    assert {int(name[1:]) % 3 for name in spread[0]} == {0, 1, 2}
    lopsided = [*hosts(6), Host("far", "192.0.2.9", "ec2", region="us-1")]
    assert "far" in waves(lopsided, RolloutPolicy(waves=shares("2 100%")))[0]
    assert waves(lopsided, RolloutPolicy(waves=shares("2 100%"), spread_by="nothing"))[0] == ("h0", "h1")


def test_the_canary_is_the_host_with_its_tags() -> None:
    tagged = [*hosts(3), Host("last", "192.0.2.9", "ec2", tags={"canary": "yes"})]
    policy = RolloutPolicy(canary={"canary": ("yes",)})
    assert waves(tagged, policy)[0] == ("last",)
    assert waves(hosts(3), policy)[0] == ("h0",)


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
    assert of_hosts(touched, (Group(RolloutPolicy(max_failures=share), (tuple(touched),)),)) is judged


def test_a_host_of_which_nothing_is_known_is_no_failure() -> None:
    unknown = HostResult(HostOutcome.UNPROVEN, is_unknown=True)
    groups = (Group(RolloutPolicy(), (("a", "b"),)),)
    assert of_hosts({"a": unknown, **results(b=V)}, groups) is Verdict.INCONCLUSIVE
    assert of_hosts({"a": unknown, **results(b=R)}, groups) is Verdict.FAILED


def test_the_plan_tells_waves_and_the_time_of_their_bakes() -> None:
    policy = RolloutPolicy(first_bake_time=600)
    text = in_words("f", divide(hosts(10), {"": policy}))
    assert text == "10 hosts of f in 3 waves of 1, 4, 5 (h0 first), at least 12m for their bakes"
    no_bake = RolloutPolicy(bake_time=0)
    text = in_words("f", divide(hosts(2), {"": no_bake}))
    assert text == "2 hosts of f in 2 waves of 1, 1 (h0 first), without a bake"
    assert in_words("f", divide(hosts(10), {"": ALL_AT_ONCE})) == "10 hosts of f, all at once"
    assert in_words("f", divide(hosts(1), {"": policy})) == in_words("f", ()) == ""


@pytest.mark.parametrize("text", ["", "0", "101%", "-1", "1.5", "10 %", "%", "x", "9999999"])
def test_a_share_is_a_number_or_so_many_percent(text: str) -> None:
    assert parse_share(text, 1) is None


def test_roles_with_the_same_policy_are_divided_together_and_others_beside_them() -> None:
    roles = {"a": RolloutPolicy(), "b": RolloutPolicy(), "c": RolloutPolicy(max_parallel=3, deadline=60)}
    of_roles = [replace(host, role=role) for host, role in zip(hosts(6), "abcabc", strict=True)]
    groups = divide(of_roles, roles)
    assert [group.waves for group in groups] == [(("h0",), ("h1",), ("h3", "h4")), (("h2",), ("h5",))]
    assert together(groups) == (("h0", "h2"), ("h1", "h5"), ("h3", "h4"))
    assert [at_once(groups, number) for number in range(3)] == [3, 3, None]
    assert own_deadline(groups) == 60
    assert own_deadline(groups[:1]) is None
