"""The doctor's checks of AWS, against the emulated endpoint; and that no call is made that is not declared."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jada import Host, HostError, JadaError
from jada.cli import session
from jada.cli.doctor import cloud
from jada.cli.doctor.result import OF_AWS, CheckResult, Verdict
from jada.cli.doctor.run import examine
from jada.cli.ui.console import grouped
from jada.inventory.access.temporary import access_details
from jada.inventory.cloud.client import client
from jada.inventory.cloud.errors import DeniedError
from jada.inventory.cloud.identity import Identity
from jada.inventory.fleet.config import Fleet
from tests.fakes import FakeEngine

if TYPE_CHECKING:
    from tests.protocol.conftest import Emulator

FleetOf = Callable[..., Fleet]
PASS, WARN, FAIL, SKIP = Verdict.PASS, Verdict.WARN, Verdict.FAIL, Verdict.SKIP
EC2 = "{ec2: {regions: [us-east-1, eu-west-1], tags: {jada: agent}}}"
LIGHTSAIL = "{lightsail: {regions: [us-east-1]}}"
STATIC = "{static: {hosts: {here: {address: 192.0.2.1}}}}"
DENIED = {"code": "UnauthorizedOperation", "status": 403}


@pytest.fixture
def doctor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Fleet], dict[str, list[CheckResult]]]:
    """The results by check, of hosts that are all off: AWS is asked for real, and none of them is."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    @contextmanager
    def open_engine(fleet: Fleet, hosts: tuple[Host, ...]) -> Iterator[FakeEngine]:
        states: dict[str, Any] = {host.name: HostError(f"{host.name} is off") for host in hosts}
        yield FakeEngine(states, service=fleet.service)

    monkeypatch.setattr(session, "open_engine", open_engine)

    def run(fleet: Fleet) -> dict[str, list[CheckResult]]:
        return grouped((result.check, result) for result in examine(str(fleet.path), None, None)[1])

    return run


Doctor = Callable[[Fleet], dict[str, list[CheckResult]]]


def verdicts(results: dict[str, list[CheckResult]], *checks: str) -> dict[str, tuple[Verdict, ...]]:
    return {check: tuple(result.verdict for result in results[check]) for check in checks}


def test_all_that_is_allowed_is_told(doctor: Doctor, fleet_of: FleetOf) -> None:
    found = doctor(fleet_of(f"[{EC2}, {LIGHTSAIL}, {STATIC}]"))
    assert verdicts(found, "credentials", "identity", "regions", "hosts") == dict.fromkeys(
        ("credentials", "identity", "regions", "hosts"), (PASS,)
    )
    assert "123456789012" in found["identity"][0].text
    assert found["regions"][0].text == "asked ec2 us-east-1, ec2 eu-west-1, lightsail us-east-1"
    allowed, untried = found["permissions"]
    assert (allowed.verdict, untried.verdict) == (PASS, SKIP)
    assert allowed.text == (
        "allowed: ec2:DescribeInstances, ec2:DescribeInstanceStatus, lightsail:GetInstances, lightsail:GetInstanceState"
    )
    # The network is looked at around a change; a login, and the keys of hosts, are asked for by a real engine.
    assert untried.text == (
        "not tried: ec2:DescribeSecurityGroups, elasticloadbalancing:DescribeTargetGroups, "
        "elasticloadbalancing:DescribeTargetHealth, ec2:GetConsoleOutput, lightsail:GetInstancePortStates, "
        "lightsail:GetLoadBalancers, lightsail:GetInstanceAccessDetails"
    )
    assert {result.verdict for result in found["cloud"]} == {PASS, SKIP}


def test_a_message_is_never_sent_to_try_whether_it_may_be(doctor: Doctor, fleet_of: FleetOf) -> None:
    found = doctor(fleet_of(f"[{EC2}]", notify="{sns: 'arn:aws:sns:us-east-1:123456789012:jada'}"))
    assert "sns:Publish" in found["permissions"][-1].text
    assert found["permissions"][-1].verdict is SKIP


def test_what_is_denied_is_told_with_its_places(doctor: Doctor, fleet_of: FleetOf, aws: Emulator) -> None:
    aws.fails(
        {
            "DescribeInstances": {"eu-west-1": DENIED},
            "DescribeInstanceStatus": {"*": DENIED},
            "GetInstances": {"*": {"code": "AccessDeniedException"}},
        }
    )
    found = doctor(fleet_of(f"[{EC2}, {LIGHTSAIL}]"))
    told = {(result.verdict, result.text.partition(":")[2].partition(":")[0]) for result in found["permissions"]}
    assert told == {
        (FAIL, "DescribeInstances on * is denied in ec2 eu-west-1"),
        (FAIL, "GetInstances on * is denied in lightsail us-east-1"),
        (WARN, "DescribeInstanceStatus on * is denied in ec2 us-east-1"),
        (SKIP, " ec2"),
    }
    assert verdicts(found, "regions", "hosts") == {"regions": (PASS,), "hosts": (FAIL,)}
    assert "those of ec2 eu-west-1, lightsail us-east-1 are not known" in found["hosts"][0].text
    # The hosts of the region that answered are examined.
    assert {host for result in found["ssh"] for host in result.hosts} >= {"orch-1"}


def test_regions_that_may_not_be_listed(doctor: Doctor, fleet_of: FleetOf, aws: Emulator) -> None:
    aws.fails({"DescribeRegions": {"*": DENIED}})
    found = doctor(fleet_of(f"[{{ec2: {{regions: all}}}}, {STATIC}]"))
    assert found["permissions"][0].text == "ec2:DescribeRegions on * is denied in ec2"


def test_an_endpoint_that_does_not_answer(doctor: Doctor, fleet_of: FleetOf) -> None:
    found = doctor(fleet_of(f"[{EC2}, {STATIC}]", url="http://127.0.0.1:9"))
    assert verdicts(found, "credentials", "identity", "regions", "hosts") == {
        "credentials": (PASS,), "identity": (FAIL,), "regions": (FAIL,), "hosts": (FAIL,),
    }  # fmt: skip
    assert "ec2 us-east-1, ec2 eu-west-1: http://127.0.0.1:9" in found["regions"][0].text
    assert {host for result in found["ssh"] for host in result.hosts} == {"here"}


def test_a_session_that_has_expired(doctor: Doctor, fleet_of: FleetOf, aws: Emulator) -> None:
    aws.fails({"*": {"*": {"code": "ExpiredToken"}}})
    found = doctor(fleet_of(f"[{EC2}]"))
    assert verdicts(found, "identity", "regions", "hosts") == {
        "identity": (FAIL,),
        "regions": (FAIL,),
        "hosts": (FAIL,),
    }
    assert "the AWS session has expired" in found["regions"][0].text
    assert found["ssh"][0].verdict is SKIP


def test_without_credentials_the_static_hosts_are_examined(doctor: Doctor, fleet_of: FleetOf, tmp_path: Path) -> None:
    fleet = fleet_of(f"[{EC2}, {STATIC}]")
    (tmp_path / "aws-config").write_text("[profile lab]\nregion = us-east-1\n")
    found = doctor(fleet)
    assert verdicts(found, *OF_AWS) == {
        "credentials": (FAIL,), "identity": (SKIP,), "regions": (SKIP,), "permissions": (SKIP,),
    }  # fmt: skip
    # Not all hosts that there are: nobody knows those in AWS.
    assert (found["hosts"][0].verdict, found["hosts"][0].text) == (FAIL, "1 host: 1 static; those of ec2 are not known")
    assert {host for result in found["ssh"] for host in result.hosts} == {"here"}


def test_a_fleet_outside_of_aws_asks_nothing_there(doctor: Doctor, fleet_of: FleetOf, aws: Emulator) -> None:
    before = aws.log().count('"POST / ')
    found = doctor(fleet_of(f"[{STATIC}]"))
    assert verdicts(found, *OF_AWS) == dict.fromkeys(OF_AWS, (SKIP,))
    assert aws.log().count('"POST / ') == before


def test_a_fleet_without_hosts(doctor: Doctor, fleet_of: FleetOf) -> None:
    found = doctor(fleet_of("[{ec2: {regions: [us-east-1], tags: {jada: nosuch}}}]"))
    assert verdicts(found, "hosts", "roles", "login", "ssh") == {
        "hosts": (FAIL,), "roles": (SKIP,), "login": (SKIP,), "ssh": (SKIP,),
    }  # fmt: skip


def test_the_root_of_an_account_is_warned_of() -> None:
    assert cloud.of_identity(Identity("1", "arn:aws:iam::123456789012:root")).verdict is WARN
    assert cloud.of_identity(Identity("1", "arn:aws:sts::123456789012:assumed-role/ops/ann")).verdict is PASS


def test_a_login_that_a_cloud_denies_is_a_matter_of_permissions(fleet_of: FleetOf, aws: Emulator) -> None:
    aws.fails({"GetInstanceAccessDetails": {"*": {"code": "AccessDeniedException"}}})
    aws_of = fleet_of(f"[{LIGHTSAIL}]").aws
    answer = access_details([Host("jada-agent", "10.77.0.21", "lightsail", "jada-agent", "us-east-1", aws=aws_of)])
    trouble = answer["jada-agent"]
    assert isinstance(trouble, HostError)
    assert cloud.denied(trouble) == "lightsail:GetInstanceAccessDetails"
    assert "permission lightsail:GetInstanceAccessDetails on arn:aws:lightsail:*:*:Instance/*" in trouble.message
    assert cloud.denied(HostError("off")) == ""


def test_a_denial_of_a_call_that_is_not_in_the_list_is_told_too() -> None:
    """As of the role that a profile takes on, which the list leaves to the profile."""
    denial = DeniedError("no", "ask", "sts:AssumeRole")
    (result,) = cloud.permissions([], [], [("ec2 us-east-1", denial)])
    assert (result.verdict, result.text) == (FAIL, "sts:AssumeRole is denied in ec2 us-east-1")


def test_a_call_that_is_not_declared_is_refused_before_it_is_made(fleet_of: FleetOf, aws: Emulator) -> None:
    fleet = fleet_of(f"[{EC2}]")
    before = aws.log().count('"POST / ')
    undeclared = r"ec2:StopInstances is not among the calls that jada declares"
    with pytest.raises(JadaError, match=undeclared), client(fleet.aws, "ec2", "us-east-1") as ec2:
        ec2.stop_instances(InstanceIds=["i-1"])
    assert aws.log().count('"POST / ') == before
