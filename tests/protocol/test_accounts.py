"""Several accounts in one fleet: each source by its own profile or role, each host asked of in its own account."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from jada import Aws, ConfigError, Exit, Host, HostError, JadaError
from jada.cli import main
from jada.cli import session as sessions
from jada.cli.doctor import run as doctor
from jada.cli.doctor.result import Verdict
from jada.inventory import conditions
from jada.inventory.cloud import session
from jada.inventory.cloud.client import answered, client
from jada.inventory.cloud.identity import identity
from jada.inventory.discover import discover, log_in_to_each
from jada.inventory.fleet.config import Fleet
from jada.inventory.lab.aws import IMAGE
from tests.fakes import FakeEngine

if TYPE_CHECKING:
    from tests.protocol.conftest import Emulator

FleetOf = Callable[..., Fleet]
ROLE = "arn:aws:iam::222222222222:role/jada"
OTHER_ROLE = "arn:aws:iam::333333333333:role/jada"
OWN = "{ec2: {regions: [us-east-1], tags: {jada: agent}}}"
THEIRS = f"{{ec2: {{regions: [us-east-1], tags: {{jada: agent}}, role_arn: '{ROLE}', external_id: x-1}}}}"
OTHERS = f"{{ec2: {{regions: [us-east-1], role_arn: '{OTHER_ROLE}'}}}}"
DENIED = {"code": "AccessDenied", "status": 403}


@pytest.fixture(scope="session")
def theirs(running: Emulator) -> str:
    """An instance of another account, started as its role: its id."""
    sts = boto3.client("sts", "us-east-1", endpoint_url=running.url, aws_access_key_id="a", aws_secret_access_key="b")
    taken = sts.assume_role(RoleArn=ROLE, RoleSessionName="test")["Credentials"]
    ec2 = boto3.client(
        "ec2", "us-east-1", endpoint_url=running.url, aws_access_key_id=taken["AccessKeyId"],
        aws_secret_access_key=taken["SecretAccessKey"], aws_session_token=taken["SessionToken"],
    )  # fmt: skip
    tags = [{"Key": "jada", "Value": "agent"}, {"Key": "Name", "Value": "orch-1"}]
    started = ec2.run_instances(
        ImageId=IMAGE, MinCount=1, MaxCount=1, TagSpecifications=[{"ResourceType": "instance", "Tags": tags}]
    )
    return str(started["Instances"][0]["InstanceId"])


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The session names with which roles are taken on, one for each time."""
    names: list[str] = []
    name = session.session_name

    def note() -> str:
        names.append(name())
        return names[-1]

    monkeypatch.setattr(session, "session_name", note)
    return names


def test_each_source_is_searched_in_its_own_account_and_its_hosts_are_asked_of_there(
    fleet_of: FleetOf, theirs: str, taken: list[str]
) -> None:
    hosts = discover(fleet_of(f"[{OWN}, {THEIRS}, {THEIRS}]"))
    accounts = {host.id: host.account for host in hosts}
    assert accounts.pop(theirs) == "222222222222"
    assert set(accounts.values()) == {"123456789012"}
    # Both are called orch-1: their ids tell them apart.
    (other,) = (host for host in hosts if host.id == theirs)
    assert other.name == f"orch-1-{theirs}"
    assert other.aws.role_arn == ROLE
    assert len(taken) == 1
    assert conditions.conditions(hosts)[other.name].is_well
    assert len(taken) == 1


def test_a_role_is_taken_on_in_the_name_of_the_person(fleet_of: FleetOf, theirs: str, taken: list[str]) -> None:
    (aws,) = fleet_of(f"[{THEIRS}]").accounts
    found = identity(aws)
    assert found.account == "222222222222"
    assert found.arn.endswith(f"assumed-role/jada/{taken[0]}")
    assert taken[0].startswith("jada-")
    assert "sts:AssumeRole" in answered([aws])


def test_a_role_of_a_profile_is_taken_on_in_that_name_too(aws: Emulator, fleet_of: FleetOf, tmp_path: Path) -> None:
    fleet = fleet_of("[{ec2: {regions: [us-east-1], profile: of-role}}]")
    with (tmp_path / "aws-config").open("a") as config:
        config.write(f"[profile of-role]\nrole_arn = {ROLE}\nsource_profile = lab\n")
        config.write(f"region = us-east-1\nendpoint_url = {aws.url}\n")
    assert identity(fleet.accounts[0]).arn.endswith(f"assumed-role/jada/{session.session_name()}")


def test_a_session_name_is_one_that_sts_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "Jörg (ops)")
    monkeypatch.setattr("socket.gethostname", lambda: "h" * 80)
    assert session.session_name().startswith("jada-J-rg--ops-@hhh")
    assert len(session.session_name()) == 64


def test_a_role_is_taken_on_anew_before_its_session_ends(
    fleet_of: FleetOf, theirs: str, taken: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    metadata = session._metadata
    soon = (datetime.now(UTC) + timedelta(minutes=1)).isoformat()
    monkeypatch.setattr(session, "_metadata", lambda answer: {**metadata(answer), "expiry_time": soon})
    clients = session.open_clients(fleet_of(f"[{THEIRS}]").accounts[0])
    before = len(taken)
    with clients.client("sts") as sts:
        sts.get_caller_identity()
    assert len(taken) > before


def test_a_role_that_is_denied_names_itself_its_profile_and_the_permission(fleet_of: FleetOf, aws: Emulator) -> None:
    aws.fails({"AssumeRole": {"*": DENIED}})
    with pytest.raises(JadaError) as caught:
        discover(fleet_of(f"[{OWN}, {THEIRS}]"))
    message = caught.value.message
    assert all(part in message for part in (ROLE, "the credentials of profile lab lack", "sts:AssumeRole")), message
    assert "trust policy" in caught.value.hint
    assert "x-1" not in message + caught.value.hint


def test_all_accounts_that_can_not_be_asked_are_told_together(fleet_of: FleetOf, aws: Emulator) -> None:
    aws.fails({"AssumeRole": {"*": DENIED}})
    with pytest.raises(JadaError) as caught:
        discover(fleet_of(f"[{OWN}, {THEIRS}, {OTHERS}]"))
    assert len(caught.value.message.splitlines()) == 3
    assert ROLE in caught.value.message
    assert OTHER_ROLE in caught.value.message


def test_an_error_of_a_region_names_the_account(fleet_of: FleetOf, aws: Emulator, theirs: str) -> None:
    aws.fails({"DescribeInstances": {"*": {"code": "UnauthorizedOperation", "status": 403}}})
    with pytest.raises(
        JadaError, match=rf"ec2 us-east-1 of role {ROLE}: access denied; the credentials of role {ROLE}"
    ):
        discover(fleet_of(f"[{THEIRS}]"))


SSO = "sso_start_url = https://example.com\nsso_region = us-east-1\nsso_account_id = 1\nsso_role_name = r\n"


@pytest.mark.parametrize(
    ("profile", "renewal"),
    [
        (SSO, "aws sso login --profile lab` renews it"),
        (
            f"role_arn = {ROLE}\nsource_profile = base one\n[profile 'base one']\n{SSO}",
            "aws sso login --profile 'base one'`",
        ),
    ],
)
def test_a_login_that_has_ended_says_which_command_renews_it(
    fleet_of: FleetOf, tmp_path: Path, profile: str, renewal: str
) -> None:
    fleet = fleet_of(f"[{OWN}]")
    (tmp_path / "aws-config").write_text(f"[profile lab]\nregion = us-east-1\n{profile}")
    with pytest.raises(JadaError, match="the login to AWS has ended or was never begun") as caught:
        discover(fleet)
    assert f"`AWS_CONFIG_FILE={tmp_path}/aws-config {renewal}" in caught.value.hint


MFA = "mfa_serial = arn:aws:iam::1:mfa/ann\n"


def test_one_mfa_code_is_enough_for_all_roles_of_a_profile(
    fleet_of: FleetOf, tmp_path: Path, theirs: str, taken: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet = fleet_of(f"[{THEIRS}, {OTHERS}]")
    with (tmp_path / "aws-config").open("a") as config:
        config.write(MFA)
    prompts: list[str] = []

    def code(prompt: str) -> str:
        prompts.append(prompt)
        return "123456"

    monkeypatch.setattr(session, "_mfa_code", code)
    assert [host.id for host in discover(fleet)] == [theirs]
    assert prompts == ["Enter MFA code for arn:aws:iam::1:mfa/ann: "]
    assert len(taken) == 2


def test_a_login_that_failed_is_not_tried_again_until_all_are(
    fleet_of: FleetOf, aws: Emulator, taken: list[str], theirs: str
) -> None:
    fleet = fleet_of(f"[{THEIRS}]")
    (account,) = fleet.accounts
    aws.fails({"AssumeRole": {"*": DENIED}})
    assert log_in_to_each(fleet)[account]
    # As whatever a way back asks of hosts that AWS listed before.
    with pytest.raises(JadaError, match="access denied"), client(account, "ec2"):
        pass
    assert len(taken) == 1
    aws.fails({})
    assert [host.id for host in discover(fleet)] == [theirs]


def test_the_doctor_asks_for_no_code_where_no_role_wants_one(fleet_of: FleetOf, tmp_path: Path) -> None:
    fleet = fleet_of(f"[{OWN}]")
    with (tmp_path / "aws-config").open("a") as config:
        config.write(MFA)
    discover(fleet)
    assert "ec2:DescribeInstances" in answered(fleet.accounts)


def test_an_external_id_without_a_role_is_wrong(fleet_of: FleetOf) -> None:
    with pytest.raises(ConfigError, match="has an external_id and no role_arn"):
        fleet_of("[{ec2: {regions: [us-east-1], external_id: x-1}}]")
    with pytest.raises(ConfigError, match="role_arn should be the ARN of a role"):
        fleet_of("[{ec2: {regions: [us-east-1], role_arn: admin}}]")
    with pytest.raises(ConfigError, match="external_id should be 2 to 1224 letters") as caught:
        fleet_of(f"[{{ec2: {{regions: [us-east-1], role_arn: '{ROLE}', external_id: 's3 kr1t'}}}}]")
    assert "s3 kr1t" not in caught.value.message


def test_a_source_that_leaves_all_its_regions_out_is_wrong(fleet_of: FleetOf) -> None:
    with pytest.raises(ConfigError, match="leaves out every region that it names"):
        fleet_of("[{ec2: {regions: [us-east-1], not_regions: [us-east-1, eu-west-1]}}]")


def test_the_doctor_tells_of_each_account(
    fleet_of: FleetOf, aws: Emulator, theirs: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    @contextmanager
    def open_engine(fleet: Fleet, hosts: tuple[Host, ...]) -> Iterator[FakeEngine]:
        states: dict[str, Any] = {host.name: HostError(f"{host.name} is off") for host in hosts}
        yield FakeEngine(states, service=fleet.service)

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(sessions, "open_engine", open_engine)
    fleet = fleet_of(f"[{OWN}, {THEIRS}]")
    results = doctor.examine(str(fleet.path), None, None)[1]
    told = {(result.check, result.verdict) for result in results if result.check in ("credentials", "identity")}
    assert told == {("credentials", Verdict.PASS), ("identity", Verdict.PASS)}
    texts = [result.text for result in results if result.check == "identity"]
    assert ["123456789012" in texts[0], f"by role {ROLE} by profile lab" in texts[1]] == [True, True]
    session.clients_of.cache_clear()
    aws.fails({"AssumeRole": {"*": DENIED}})
    results = doctor.examine(str(fleet.path), None, None)[1]
    assert [result.verdict for result in results if result.check == "credentials"] == [Verdict.PASS, Verdict.FAIL]
    assert [result.verdict for result in results if result.check == "identity"] == [Verdict.PASS, Verdict.SKIP]
    (hosts,) = (result for result in results if result.check == "hosts")
    assert hosts.verdict is Verdict.FAIL
    assert f"those of ec2 of role {ROLE} are not known" in hosts.text


def test_the_policy_allows_each_role(fleet_of: FleetOf, capsys: pytest.CaptureFixture[str]) -> None:
    fleet = fleet_of(f"[{OWN}, {THEIRS}, {OTHERS}]")
    assert main.run(["iam", "--command", "hosts", "--fleet", str(fleet.path)]) == Exit.OK
    statements = json.loads(capsys.readouterr().out)["Statement"]
    assert [each["Resource"] for each in statements if each["Action"] == ["sts:AssumeRole"]] == [ROLE, OTHER_ROLE]


def test_hosts_of_two_accounts_are_commanded_each_in_its_own(
    fleet_of: FleetOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: dict[str, Any] = {}

    class Engine(FakeEngine):
        def __init__(self, instances: dict[str, Any], _: object) -> None:
            super().__init__({})
            made.update(instances)

        def close(self) -> None:
            pass

    monkeypatch.setattr("jada.tasks.engines.ssm.SsmEngine", Engine)
    own, other = Aws("lab"), Aws("lab", role_arn=ROLE)
    hosts = tuple(
        Host(f"h{number}", "", "ec2", region="us-east-1", instance=f"i-{number}", engine="ssm", aws=aws)
        for number, aws in enumerate((own, other, own))
    )
    with sessions.open_engine(fleet_of(f"[{OWN}]"), hosts):
        assert [made[host.name][1].aws for host in hosts] == [own, other, own]
        assert made["h0"][1] is made["h2"][1]


def test_what_is_of_no_single_host_is_asked_in_the_only_account_or_in_that_of_aws(fleet_of: FleetOf) -> None:
    assert fleet_of(f"[{THEIRS}]").home.role_arn == ROLE
    assert fleet_of(f"[{OWN}, {THEIRS}]").home == fleet_of(f"[{OWN}]").aws
    assert fleet_of("[{static: {hosts: {s: {address: 192.0.2.1}}}}]").accounts == ()
