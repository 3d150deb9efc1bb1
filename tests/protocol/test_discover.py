"""Finding hosts over HTTP: which ones, and what people are told when AWS says no."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import socket
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jada import ConfigError, JadaError, natural
from jada.inventory.cloud.errors import ATTEMPTS
from jada.inventory.discover import discover
from jada.inventory.fleet.config import Fleet
from tests.forms import checked

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
    assert list(by_name) == sorted(by_name, key=natural)
    orchestrator = by_name["orch-1"]
    assert (orchestrator.address, orchestrator.source, orchestrator.user, orchestrator.port, orchestrator.role) == (
        "10.77.0.11",
        "ec2 us-east-1",
        "debian",
        2222,
        "orchestrator",
    )
    assert orchestrator.id.startswith("i-")
    assert orchestrator.tags["env"] == "prod"
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
        ["ec2 us-east-1: AWS does not accept the credentials of profile lab here (AuthFailure)"],
    ),
    "bad filter": (
        EC2,
        {"DescribeInstances": {"*": {"code": "InvalidParameterValue", "message": "The filter 'x' is invalid"}}},
        ["ec2:DescribeInstances failed", "The filter 'x' is invalid"],
    ),
}


@pytest.mark.parametrize(("sources", "faults", "expected"), FAILURES.values(), ids=FAILURES.keys())
def test_a_source_that_fails_is_an_error_in_words(
    aws: Any, fleet_of: FleetOf, sources: str, faults: dict[str, Any], expected: list[str]
) -> None:
    aws.fails(faults)
    with pytest.raises(JadaError) as caught:
        discover(fleet_of(f"[{sources}]"))
    assert all(part in caught.value.message for part in expected), caught.value.message
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


ORCHESTRATOR = "{ec2: {regions: [us-east-1], tags: {role: orchestrator}, address: public}}"


def test_an_instance_without_the_wanted_address_is_in_trouble_and_no_other_is(fleet_of: FleetOf) -> None:
    hosts = discover(fleet_of(f"[{ORCHESTRATOR}, {LIGHTSAIL}]"))
    assert [host.name for host in hosts if not host.trouble] == ["jada-agent"]
    (message,) = (host.trouble.message for host in hosts if host.trouble)
    assert re.match(r"orch-1 \(ec2 us-east-1, 123456789012, i-\w+\) has no address of the wanted kind", message)


def jada(fleet: Fleet, *argv: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Runs jada with no terminal anywhere; no traceback and no secret may come of it."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environ |= {"JADA_FLEET": str(fleet.path), "AWS_EC2_METADATA_DISABLED": "true", **env}
    process = subprocess.run(
        [Path(sys.executable).with_name("jada"), *argv],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert "Traceback" not in process.stdout + process.stderr, process.stderr
    assert "s3kr1t" not in process.stdout + process.stderr, process.stderr
    return process


def test_one_instance_without_an_address_stops_no_command(fleet_of: FleetOf, tmp_path: Path) -> None:
    (tmp_path / "kh").touch()
    hosts = "{static: {hosts: {s: {address: 127.0.0.1, port: 1}, t: {address: 127.0.0.1, port: 2}}}}"
    fleet = fleet_of(f"[{ORCHESTRATOR}, {hosts}]", ssh="{known_hosts: kh}")
    listed = jada(fleet, "hosts", "--json")
    assert listed.returncode == 1
    rows = {row["host"]: row for row in checked(listed.stdout)["hosts"]}
    assert "has no address of the wanted kind" in rows["orch-1"]["error"]
    assert not any(row["error"] for name, row in rows.items() if name != "orch-1")
    assert [rows[name]["port"] for name in "st"] == [1, 2]
    assert [(rows[name]["provider"], rows[name]["region"]) for name in ("orch-1", "s")] == [
        ("ec2", "us-east-1"),
        ("static", None),
    ]
    drift = jada(fleet, "drift", XDG_STATE_HOME=str(tmp_path))
    assert drift.returncode == 1
    assert "orch-1 not checked J408 not-checked: orch-1 (ec2 us-east-1" in drift.stdout
    assert "s can't be reached: " in drift.stdout
    # The others' trouble is not even mentioned; and --limit twice means both.
    few = jada(fleet, "hosts", "--limit", "s", "--limit", "t")
    assert (few.returncode, "orch-1" in few.stdout, "2 hosts in test" in few.stdout) == (0, False, True)
    assert "orch-1" not in jada(fleet, "status", "--limit", "s").stdout


def test_two_instances_of_two_vpcs_with_one_private_address_are_both_refused(fleet_of: FleetOf) -> None:
    hosts = discover(fleet_of(f"[{EC2}, {{ec2: {{regions: [eu-central-1, ap-south-1]}}}}]"))
    ghosts = {host.name: host for host in hosts if host.trouble}
    assert set(ghosts) == {"ghost-1", "ghost-2"}
    for host in ghosts.values():
        assert host.trouble
        assert all(word in host.trouble.message for other in ghosts.values() for word in (other.name, other.id))


def test_two_hosts_of_one_place_are_an_error_with_both_names_and_ids(fleet_of: FleetOf) -> None:
    hosts = "{static: {hosts: {ghost: {address: 10.77.0.11}, other: {address: 192.0.2.1}}}}"
    process = jada(fleet_of(f"[{EC2}, {hosts}]"), "hosts", "--limit", "ghost,other")
    assert process.returncode == 1
    assert re.search(
        r"ghost \(static\) would be reached at 10.77.0.11, port 22, and so would orch-1 \(ec2", process.stdout
    )
    assert jada(fleet_of(f"[{EC2}, {hosts}]"), "hosts", "--limit", "other").returncode == 0


def test_names_and_tags_of_a_role_that_fit_no_host_are_told(fleet_of: FleetOf) -> None:
    roles = "{orchestrator: {tags: {rloe: orchestrator}, names: [team/*]}, specialist: {}}"
    process = jada(fleet_of(f"[{EC2}]", roles=roles), "hosts")
    assert process.returncode == 0
    assert "Note roles.orchestrator.names: no host has a Name or an id like team/*" in process.stderr
    assert "Note roles.orchestrator.tags: no host has rloe=orchestrator" in process.stderr


SCP = (
    "User: arn:aws:sts::1:assumed-role/ops/ann is not authorized to perform: ec2:DescribeInstances with an explicit "
    "deny in a service control policy: arn:aws:organizations::2:policy/o-1/service_control_policy/p-1"
)
MORE = " Encoded authorization failure message: " + "x" * 500


def test_a_region_that_a_service_control_policy_denies_is_told_in_awss_words_and_can_be_left_out(
    aws: Any, fleet_of: FleetOf
) -> None:
    denied = {"code": "UnauthorizedOperation", "status": 403, "message": SCP + MORE}
    aws.fails({"DescribeInstances": {"us-east-1": denied}, "GetInstances": {"us-east-1": {"code": "AccessDenied"}}})
    source = "{ec2: {regions: all, tags: {jada: agent}OUT}}, {lightsail: {regions: [us-east-1, eu-west-1]OUT}}"
    with pytest.raises(JadaError, match="with an explicit deny in a service control policy: arn") as caught:
        discover(fleet_of(f"[{source.replace('OUT', '')}]"))
    assert "xxx" not in caught.value.message
    assert "not_regions" in caught.value.hint
    hosts = discover(fleet_of(f"[{source.replace('OUT', ', not_regions: [us-east-1]')}]"))
    assert {host.region for host in hosts} == {"eu-west-1"}


# More lines of the profile `lab`, with the lab's own keys left out where it begins with "-".
PROVIDERS = {
    "no JSON": ("-credential_process = echo s3kr1t", {}, ["gave something that is not JSON"]),
    "JSON that says nothing": ("-credential_process = echo {}", {}, ["Unsupported version"]),
    "a helper that fails": ("-credential_process = sh -c 'echo no luck >&2; exit 3'", {}, ["no luck"]),
    "a helper that is not there": ("-credential_process = /nope/helper", {}, ["/nope/helper", "No such file"]),
    "keys of another time": (
        """-credential_process = echo '{"Version": 1, "AccessKeyId": "a", "SecretAccessKey": "s3kr1t", \
"SessionToken": "s3kr1t", "Expiration": "2001-01-01T00:00:00Z"}'""".replace("\\\n", ""),
        {},
        ["AWS can't be asked: "],
    ),
    "half a key": ("-aws_access_key_id = a", {}, ["the credentials of profile lab can't be had"]),
    "no token file": (
        "-role_arn = arn:aws:iam::123456789012:role/r\nweb_identity_token_file = /nope/token",
        {},
        ["/nope/token", "No such file"],
    ),
    "no source profile": (
        "-role_arn = arn:aws:iam::123456789012:role/r\nsource_profile = gone",
        {},
        ["source_profile", "gone"],
    ),
    "no SSO session": (
        "-sso_session = s\nsso_account_id = 123456789012\nsso_role_name = r",
        {},
        ["sso-session", "s"],
    ),
    "an SSO login that never was": (
        "-sso_start_url = https://example.com\nsso_region = us-east-1\nsso_account_id = 1\nsso_role_name = r",
        {},
        ["the login to AWS has ended or was never begun"],
    ),
    "an endpoint that is no URL": ("", {"AWS_ENDPOINT_URL": "http://me:s3kr1t@x y"}, ["no client for ec2 can be made"]),
    "an endpoint of another kind": ("endpoint_url = localhost:1\n", {}, ["Invalid endpoint: localhost:1"]),
    "a region that is none": ("region = us east\n", {}, ["us east"]),
    "no INI file": ("=\x00[\n", {}, ["Unable to parse config file"]),
}


def profile_is(folder: Path, profile: str) -> None:
    keys = "aws_access_key_id = a\naws_secret_access_key = s3kr1t\n"
    own = profile.removeprefix("-") if profile.startswith("-") else keys + profile
    (folder / "aws-config").write_text(f"[profile lab]\n{own}\n[profile base]\n{keys}region = us-east-1\n")


@pytest.mark.parametrize(("profile", "env", "expected"), PROVIDERS.values(), ids=PROVIDERS.keys())
def test_whatever_a_provider_of_credentials_brings_about_is_told_in_words(
    fleet_of: FleetOf,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    profile: str,
    env: dict[str, str],
    expected: list[str],
) -> None:
    fleet = fleet_of("[{ec2: {regions: all}}]")
    profile_is(tmp_path, profile)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(JadaError) as caught:
        discover(fleet)
    assert all(part in caught.value.message for part in expected), caught.value.message
    assert len(caught.value.message.splitlines()) == len(caught.value.hint.splitlines()) == 1
    assert "s3kr1t" not in caught.value.message + caught.value.hint


MFA = "-role_arn = arn:aws:iam::123456789012:role/r\nsource_profile = base\nmfa_serial = arn:aws:iam::1:mfa/ann\n"


def test_an_mfa_code_is_asked_for_once_at_a_terminal(aws: Any, fleet_of: FleetOf, tmp_path: Path) -> None:
    fleet = fleet_of(f"[{BOTH}]")
    profile_is(tmp_path, f"{MFA}region = us-east-1\nendpoint_url = {aws.url}")
    main, side = pty.openpty()
    with (tmp_path / "hosts").open("w") as hosts:
        process = subprocess.Popen(
            [Path(sys.executable).with_name("jada"), "hosts"], stdout=hosts, stderr=hosts, pass_fds=(side,),
            env={**os.environ, "JADA_FLEET": str(fleet.path)}, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(side, termios.TIOCSCTTY, 0))  # fmt: skip # noqa: PLW1509
    prompt = b""
    while b"MFA code for arn:aws:iam::1:mfa/ann" not in prompt:
        prompt += os.read(main, 1000)
    os.write(main, b"123456\n")
    process.wait()
    output = (tmp_path / "hosts").read_text()
    assert "9 hosts in test" in output, output
    os.close(side)
    os.close(main)


def test_without_a_terminal_no_mfa_code_is_asked_for(fleet_of: FleetOf, tmp_path: Path) -> None:
    fleet = fleet_of("[{ec2: {regions: all}}, {lightsail: {regions: all}}]")
    profile_is(tmp_path, MFA)
    process = jada(fleet, "hosts")
    assert process.returncode == 1
    error, hint = process.stderr.strip().split("\n")
    assert "asks for an MFA code, and there is no terminal" in error
    assert hint.startswith("Try: ")
