"""The doctor's checks of a host, each well and not."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest

from jada import ENGINES, Host, HostError, HostKeyError, Model, NoRootError, OtherMachineError, Service, UnknownKeyError
from jada.cli.doctor import hosts
from jada.cli.doctor.result import OF_HOST, CheckResult, Verdict
from jada.inventory.access.known_hosts import HostKey, HostKeys
from jada.inventory.access.pin import Pin
from jada.inventory.fleet.ssh import Ssh
from jada.inventory.sources.source import Condition
from jada.tasks.asked import Asked
from jada.tasks.operator_lock import OperatorLock
from jada.tasks.probe import Disk, Endpoint, Probe
from jada.tasks.state import State
from tests.unit.conftest import ID, NOW

PASS, WARN, FAIL, SKIP = Verdict.PASS, Verdict.WARN, Verdict.FAIL, Verdict.SKIP
HOST = Host("web-1", "192.0.2.1", "ec2", "i-1", instance="i-1")
KEY = HostKey("ssh-ed25519", "AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
OBSERVED = Service()
OFF = HostError("web-1 can't be reached: timed out")
NEEDS = Model("sonnet-4.6", "claude-sonnet-4.6", cli="2.1.280")
Make = Callable[..., State]


def look(state: State, model: Model | None = NEEDS, service: Service = OBSERVED) -> dict[str, CheckResult]:
    """The checks of one look at the host, whose clock agrees if nothing was said of it, by their names."""
    seen = hosts.Seen(state, service, model, NOW - 1, NOW + 1)
    results = list(hosts.looked_at(HOST, seen))
    assert tuple(result.check for result in results) == hosts.OF_LOOK
    return {result.check: result for result in results}


def test_an_address_that_leads_to_another_host() -> None:
    assert hosts.address(HOST).verdict is PASS
    trouble = HostError("web-1 would be reached at 192.0.2.1, and so would web-2", "give each an address")
    result = hosts.address(replace(HOST, trouble=trouble))
    assert (result.verdict, result.text, result.fix) == (FAIL, trouble.message, trouble.hint)


@pytest.mark.parametrize(
    ("keys", "policy", "giver", "seen", "verdict", "text"),
    [
        (HostKeys((KEY,)), "strict", "", None, PASS, "known"),
        (HostKeys(authorities=(KEY,)), "strict", "", None, PASS, "@cert-authority"),
        (HostKeys(), "strict", "", OFF, FAIL, "not in"),
        (HostKeys(), "accept-new", "", None, WARN, "whatever key it showed first"),
        (HostKeys(), "strict", "lightsail", None, PASS, "as lightsail's API names it"),
        (HostKeys(), "strict", "lightsail", OFF, SKIP, "could not be looked at"),
        (HostKeys((KEY,)), "strict", "lightsail", HostKeyError("another key", "compare"), FAIL, "another key"),
    ],
)
def test_host_keys(
    host: Make, keys: HostKeys, policy: str, giver: str, seen: HostError | None, verdict: Verdict, text: str
) -> None:
    result = hosts.host_key(keys, Ssh(host_keys=policy), giver, seen or host())
    assert (result.verdict, text in result.text) == (verdict, True)
    assert bool(result.fix) is (verdict in (WARN, FAIL))


@pytest.mark.parametrize(
    ("seen", "verdict", "text"),
    [
        (None, PASS, "pinned, from EC2's console output"),
        (OFF, SKIP, "could not be looked at"),
        (HostKeyError("another key than the pinned one", "compare"), FAIL, "another key than the pinned one"),
        (UnknownKeyError("nobody vouches for it", "compare"), FAIL, "nobody vouches for it"),
    ],
)
def test_pinned_host_keys(host: Make, seen: HostError | None, verdict: Verdict, text: str) -> None:
    pin = Pin.of(("ec2", "1", "us-east-1", "i-1"), [KEY], "EC2's console output")
    result = hosts.host_key(HostKeys(), Ssh(), "", seen or host(), pin)
    assert (result.verdict, text in result.text) == (verdict, True)


@pytest.mark.parametrize(
    ("seen", "ssh", "sudo"),
    [
        (None, PASS, PASS),
        (OFF, FAIL, SKIP),
        (HostKeyError("another key"), SKIP, SKIP),
        (UnknownKeyError("nobody vouches for it"), SKIP, SKIP),
        (NoRootError("web-1: a password is required"), PASS, FAIL),
        (OtherMachineError("web-1 is i-1, but i-2 answers"), PASS, PASS),
    ],
)
def test_a_host_is_reached_and_lets_its_user_be_root(
    host: Make, seen: HostError | None, ssh: Verdict, sudo: Verdict
) -> None:
    results = hosts.reached("ssh", seen or host()), hosts.sudo(seen or host())
    assert [result.verdict for result in results] == [ssh, sudo]
    assert all(result.fix for result in results if result.verdict is FAIL)


def test_of_a_host_that_was_not_looked_at_nothing_is_known() -> None:
    results = list(hosts.unseen(OFF))
    assert {result.check for result in results} == {*hosts.OF_LOOK, *hosts.OF_PROBE}
    assert {result.verdict for result in results} == {SKIP}
    failures = [result for result in hosts.unseen(OtherMachineError("i-2 answers", "see")) if result.verdict is FAIL]
    assert [result.check for result in failures] == ["instance"]


def test_every_check_of_a_host_is_one_of_these() -> None:
    assert {*hosts.OF_LOOK, *hosts.OF_PROBE, "address", "host key", *ENGINES, "sudo", "cloud"} == {*OF_HOST}


def test_a_healthy_host_passes(host: Make) -> None:
    asked = Asked(model=NEEDS.id, version="2.1.332", is_running=True)
    results = look(host(instance="i-1", asked=asked))
    assert {result.verdict for result in results.values()} == {PASS}
    assert results["evidence"].text == "reported, asked, derived"


def checked(results: Iterable[CheckResult], check: str) -> tuple[Verdict, str]:
    (result,) = (result for result in results if result.check == check)
    assert bool(result.fix) is (result.verdict in (WARN, FAIL))
    return result.verdict, result.text


@pytest.mark.parametrize(
    ("changes", "check", "verdict", "text"),
    [
        ({}, "instance", SKIP, "does not say which one it is"),
        ({"unit": {"loaded": False, "load": "not-found"}}, "systemd", FAIL, "jada-agent.service is not-found"),
        ({"unit": {"loaded": False, "load": "not-found"}}, "service", SKIP, "has not loaded it"),
        ({"user": "", "unit": {"user": "nobody2"}}, "systemd", FAIL, "nobody2, is not known there"),
        ({"unit": {"active": "failed", "sub": "failed"}}, "service", FAIL, "is ill before the change"),
        ({"unfinished_transaction": ID}, "service", SKIP, "cut off half-way"),
        ({"now": NOW + 1000}, "clock", WARN, "ahead of this machine's"),
        ({"now": NOW - 1000}, "clock", WARN, "behind this machine's"),
        ({"asked": Asked(model="m", version="2.1.9", is_running=True)}, "cli", FAIL, "2.1.280 or newer"),
        ({"asked": Asked(error="no Claude CLI was found")}, "cli", SKIP, "no Claude CLI was found"),
        ({"report": {"model": "", "by": ""}}, "evidence", WARN, "nothing observed says which model runs (derived)"),
        ({"process": None}, "evidence", SKIP, "does not run"),
        ({"running_transaction": "ann@ops since now"}, "change", WARN, "being changed by ann@ops"),
        ({"unfinished_transaction": ID}, "change", WARN, f"release {ID} was cut off"),
        ({"operator_lock": OperatorLock("ann", "today", "", "incident")}, "lock", WARN, "locked by ann since today"),
    ],
)
def test_what_one_look_tells(host: Make, changes: dict[str, object], check: str, verdict: Verdict, text: str) -> None:
    found = checked(look(host(**changes)).values(), check)
    assert (found[0], text in found[1]) == (verdict, True), found


def test_a_fleet_that_lives_with_derived_evidence_is_not_warned(host: Make) -> None:
    state = host(report={"model": "", "by": ""})
    assert look(state, service=Service(proof="derived"))["evidence"].verdict is PASS


def test_a_host_that_is_to_run_no_model_has_no_cli_that_is_too_old(host: Make) -> None:
    result = look(host(asked=Asked(model="m", version="2.1.9", is_running=True)), model=None)["cli"]
    assert (result.verdict, "2.1.9" in result.text) == (SKIP, True)


@pytest.mark.parametrize(
    ("condition", "verdict"),
    [
        (None, SKIP),
        (Condition("EC2's status checks pass", is_well=True), PASS),
        (Condition("EC2's status checks are not done", is_well=None), SKIP),
        (Condition("EC2 calls it stopped", is_well=False), FAIL),
    ],
)
def test_what_its_cloud_says(condition: Condition | None, verdict: Verdict) -> None:
    result = hosts.cloud(condition)
    assert result.verdict is verdict
    assert "--force" not in result.text


@pytest.mark.parametrize(
    ("probe", "model", "disk", "endpoint"),
    [
        (OFF, "m", SKIP, SKIP),
        (
            Probe(endpoint=Endpoint(status=200, names=True), disks=(Disk(path="/", free=2**30, inodes=9999),)),
            "m",
            PASS,
            PASS,
        ),
        (Probe(endpoint=Endpoint(status=403), disks=(Disk(path="/", free=2**20, inodes=9999),)), "m", FAIL, FAIL),
        (Probe(endpoint=Endpoint(curl=7), disks=(Disk(path="/", free=2**30, inodes=5),)), "m", FAIL, FAIL),
        (Probe(endpoint=Endpoint(why_not="there is no curl")), "m", SKIP, SKIP),
        (Probe(endpoint=Endpoint(status=200, names=True)), "", SKIP, SKIP),
    ],
)
def test_the_answers_before_a_change(probe: Probe | HostError, model: str, disk: Verdict, endpoint: Verdict) -> None:
    results = list(hosts.probed(probe, model))
    assert checked(results, "disk")[0] is disk
    assert checked(results, "endpoint")[0] is endpoint
    assert not any("--force" in result.text for result in results)


def test_who_is_reached_without_ssh_needs_no_key() -> None:
    assert [(result.check, result.verdict) for result in hosts.other_engines("ssh")] == [("ssm", SKIP)]
    assert [(result.check, result.verdict) for result in hosts.other_engines("ssm")] == [
        ("ssh", SKIP),
        ("host key", SKIP),
    ]
