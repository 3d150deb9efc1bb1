"""Finding hosts over HTTP: which ones, and what people are told when AWS says no."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jada import ConfigError, JadaError
from jada.inventory.aws_session import ATTEMPTS
from jada.inventory.discover import discover
from jada.inventory.fleet import Fleet

FleetOf = Callable[..., Fleet]

BOTH = "{ec2: {regions: [us-east-1, eu-west-1], tags: {jada: agent}}}, {lightsail: {regions: [us-east-1]}}"
EC2 = "{ec2: {regions: [us-east-1], tags: {jada: agent}}}"
LIGHTSAIL = "{lightsail: {regions: [us-east-1], names: [jada-agent]}}"


def names(fleet: Fleet) -> set[str]:
    """Names without the random ids that twins get."""
    return {host.name.partition("-i-")[0] for host in discover(fleet)}


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        (
            "{ec2: {regions: [us-east-1, eu-west-1], tags: {jada: agent}}}",
            {"orch-1", "spec-1", "spec-2", "twin"},
        ),
        ("{ec2: {regions: [eu-west-1], tags: {jada: agent}, running_only: false}}", {"spec-1", "spec-2", "spec-3"}),
        ("{ec2: {regions: all, tags: {jada: ag*, env: [prod, staging]}}}", {"orch-1", "spec-1", "spec-2"}),
        ("{ec2: {regions: [us-east-1]}}", {"orch-1", "twin", "stranger"}),
        ("{ec2: {regions: [us-east-1], filters: {private-ip-address: [10.77.0.17]}}}", {"stranger"}),
        ("{ec2: {regions: [eu-west-1], filters: {instance-state-name: stopped}}}", {"spec-3"}),
        ("{lightsail: {regions: [us-east-1]}}", {"jada-agent", "jada-agent-2", "jada-agent-3", "other"}),
        ("{lightsail: {regions: [us-east-1], names: [jada-*]}}", {"jada-agent", "jada-agent-2", "jada-agent-3"}),
        ("{lightsail: {regions: [us-east-1], tags: {team: b}}}", {"jada-agent-2", "jada-agent-3"}),
        ("{lightsail: {regions: [us-east-1], names: [jada-o*], running_only: false}}", {"jada-off"}),
        (
            "{lightsail: {regions: all, names: [jada-agent]}}",
            {"jada-agent-us-east-1", "jada-agent-eu-west-1"},
        ),
        (f"{LIGHTSAIL}, {{static: {{hosts: {{s: {{address: 192.0.2.1}}}}}}}}", {"jada-agent", "s"}),
        (f"{EC2}, {EC2}", {"orch-1", "twin"}),
    ],
)
def test_each_source_finds_its_hosts(fleet_of: FleetOf, sources: str, expected: set[str]) -> None:
    assert names(fleet_of(f"[{sources}]")) == expected


def test_hosts_are_complete_unique_and_sorted(fleet_of: FleetOf) -> None:
    hosts = discover(fleet_of(f"[{BOTH}]", ssh="{user: debian, port: 2222}"))
    by_name = {host.name: host for host in hosts}
    assert len(by_name) == len(hosts) == 9
    assert list(by_name) == sorted(by_name)
    one = by_name["orch-1"]
    assert (one.address, one.source, one.user, one.port, one.role) == (
        "10.77.0.11",
        "ec2 us-east-1",
        "debian",
        2222,
        "orchestrator",
    )
    assert one.id.startswith("i-")
    assert one.tags["env"] == "prod"
    light = by_name["jada-agent-2"]
    assert (light.address, light.source, light.id, light.user, light.role) == (
        "10.77.0.22",
        "lightsail us-east-1",
        "jada-agent-2",
        "admin",
        "specialist",
    )


def test_lightsail_is_asked_page_by_page(aws: Any, fleet_of: FleetOf) -> None:
    before = aws.log().count('"POST / ')
    assert len(discover(fleet_of("[{lightsail: {regions: [us-east-1], running_only: false}}]"))) == 5
    assert aws.log().count('"POST / ') - before == 3


def throttled(times: int | None) -> dict[str, Any]:
    fault: dict[str, Any] = {"code": "RequestLimitExceeded", "status": 503}
    return fault if times is None else {**fault, "times": times}


def test_throttling_is_waited_out(aws: Any, fleet_of: FleetOf) -> None:
    aws.fails(
        {
            "DescribeInstances": {"us-east-1": throttled(1)},
            "GetInstances": {"*": {"code": "ThrottlingException", "times": 1}},
        }
    )
    assert {"orch-1", "jada-agent"} <= names(fleet_of(f"[{BOTH}]"))


FAILURES = {
    "throttled EC2": (EC2, {"DescribeInstances": {"*": throttled(None)}}, [f"after {ATTEMPTS} attempts", "us-east-1"]),
    "throttled Lightsail": (
        LIGHTSAIL,
        {"GetInstances": {"*": {"code": "ThrottlingException"}}},
        ["throttled lightsail:GetInstances", f"after {ATTEMPTS} attempts"],
    ),
    "EC2 denied": (
        BOTH,
        {"DescribeInstances": {"eu-west-1": {"code": "UnauthorizedOperation", "status": 403}}},
        ["ec2 eu-west-1: access denied", "permission ec2:DescribeInstances"],
    ),
    "Lightsail denied": (
        BOTH,
        {"GetInstances": {"*": {"code": "AccessDeniedException"}}},
        ["lightsail us-east-1: access denied", "permission lightsail:GetInstances"],
    ),
    "regions denied": (
        "{ec2: {regions: all}}",
        {"DescribeRegions": {"*": {"code": "UnauthorizedOperation", "status": 403}}},
        ["permission ec2:DescribeRegions"],
    ),
    "expired": (
        BOTH,
        {
            "DescribeInstances": {"*": {"code": "ExpiredToken"}},
            "GetInstances": {"*": {"code": "ExpiredTokenException"}},
        },
        ["ec2 us-east-1, ec2 eu-west-1: the AWS session has expired", "lightsail us-east-1: the AWS session"],
    ),
    "region not enabled": (
        EC2,
        {"DescribeInstances": {"*": {"code": "AuthFailure", "status": 401}}},
        ["ec2 us-east-1: AWS does not accept these credentials here (AuthFailure)"],
    ),
    "bad filter": (
        EC2,
        {"DescribeInstances": {"*": {"code": "InvalidParameterValue", "message": "The filter 'x' is invalid"}}},
        ["ec2:DescribeInstances failed", "The filter 'x' is invalid"],
    ),
}


@pytest.mark.parametrize(("sources", "faults", "told"), FAILURES.values(), ids=FAILURES.keys())
def test_a_source_that_fails_is_an_error_in_words(
    aws: Any, fleet_of: FleetOf, sources: str, faults: dict[str, Any], told: list[str]
) -> None:
    aws.fails(faults)
    with pytest.raises(JadaError) as caught:
        discover(fleet_of(f"[{sources}]"))
    assert all(part in caught.value.message for part in told), caught.value.message
    assert caught.value.hint
    assert caught.value.exit_code == 1


def test_several_failures_are_told_together(aws: Any, fleet_of: FleetOf) -> None:
    aws.fails(
        {
            "DescribeInstances": {"us-east-1": {"code": "UnauthorizedOperation", "status": 403}},
            "GetInstances": {"*": {"code": "ExpiredTokenException"}},
        }
    )
    with pytest.raises(JadaError) as caught:
        discover(fleet_of(f"[{BOTH}]"))
    assert len(caught.value.message.splitlines()) == 3
    assert "ec2:DescribeInstances" in caught.value.message
    assert "has expired" in caught.value.message


def test_slow_regions_are_waited_for(aws: Any, fleet_of: FleetOf) -> None:
    aws.fails({"*": {"eu-west-1": {"delay": 0.5}}})
    assert {"orch-1", "spec-1"} <= names(fleet_of(f"[{BOTH}]"))


def test_an_unreachable_endpoint_is_named(fleet_of: FleetOf) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(JadaError, match=rf"ec2 us-east-1: {url}/? can't be reached"):
            discover(fleet_of(f"[{EC2}]", url=url))


@pytest.mark.parametrize(
    ("section", "looked"), [("{profile: empty, config_file: other}", "profile empty"), ("{}", "~/.aws")]
)
def test_missing_credentials_are_told_before_anything_is_asked(
    fleet_of: FleetOf, tmp_path: Path, section: str, looked: str
) -> None:
    (tmp_path / "other").write_text("[profile empty]\nregion = us-east-1\n")
    with pytest.raises(JadaError, match="no AWS credentials") as caught:
        discover(fleet_of(f"[{EC2}]", aws=section))
    assert looked in caught.value.message


def test_an_unknown_profile_is_a_config_error(fleet_of: FleetOf) -> None:
    with pytest.raises(ConfigError, match=r"no AWS profile labb; did you mean lab\?"):
        discover(fleet_of(f"[{EC2}]", aws="{profile: labb, config_file: aws-config}"))


def test_a_missing_config_file_is_a_config_error(fleet_of: FleetOf) -> None:
    with pytest.raises(ConfigError, match=r"aws\.config_file names .*nope, which does not exist"):
        discover(fleet_of(f"[{EC2}]", aws="{profile: lab, config_file: nope}"))


def test_static_hosts_need_no_aws(fleet_of: FleetOf) -> None:
    hosts = discover(fleet_of("[{static: {hosts: {s: {address: 192.0.2.1, port: 23}}}}]", aws="{profile: nope}"))
    assert [(host.name, host.address, host.port, host.source) for host in hosts] == [("s", "192.0.2.1", 23, "static")]


def test_no_host_is_an_error_with_the_filters(fleet_of: FleetOf) -> None:
    sources = (
        "[{ec2: {regions: [us-east-1], tags: {jada: nobody}, filters: {instance-type: [x1, x2]}}}, "
        "{lightsail: {regions: [eu-west-1], names: [nope-*], running_only: false}}]"
    )
    with pytest.raises(JadaError) as caught:
        discover(fleet_of(sources))
    assert caught.value.exit_code == 1
    for part in ("ec2 in us-east-1", "tag jada=nobody", "instance-type=x1 or x2", "running only", "names nope-*"):
        assert part in caught.value.message


def test_an_instance_without_the_wanted_address_is_named(fleet_of: FleetOf) -> None:
    with pytest.raises(JadaError, match=r"No address of the wanted kind on orch-1 \(ec2 us-east-1, i-"):
        discover(fleet_of("[{ec2: {regions: [us-east-1], tags: {role: orchestrator}, address: public}}]"))
