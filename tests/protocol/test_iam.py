"""The policy of `jada iam`: each command makes the calls that it allows it, all of them and no others."""

from __future__ import annotations

import base64
import gzip
import json
import logging
import os
import re
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from paramiko import ECDSAKey
from werkzeug.serving import make_server

from jada import Exit, Host, HostError, NoAnswerError
from jada.cli import main, session
from jada.cli.commands.iam import PURPOSES
from jada.cli.main import COMMANDS
from jada.cli.records.changes import Put
from jada.cli.records.drift import Check
from jada.cli.records.model import HostEntry, HostOutcome, RolloutEntry, RolloutStatus
from jada.cli.records.rows import read
from jada.cli.records.sqlite import open_store
from jada.cli.rollout import bake, guard, network, watch
from jada.inventory.access.login import ssh_data
from jada.inventory.access.scratch import scratch
from jada.inventory.cloud import instance_connect
from jada.inventory.cloud.calls import ALWAYS_ALLOWED, BY_ACTION, BY_NAME, CALLS, Purpose
from jada.inventory.cloud.regions import known_regions
from jada.inventory.cloud.session import Clients, _name
from jada.inventory.discover import discover
from jada.inventory.fleet.config import Fleet
from jada.inventory.lab import ssm as lab_ssm
from jada.inventory.lab.aws import Endpoint
from jada.inventory.lab.ssm import TARGET, Agent, Ended, Ssm
from jada.tasks.asked import Asked
from jada.tasks.engines import dispatcher
from jada.tasks.state import State
from tests.fakes import Clock, FakeEngine
from tests.recorded import LOOKS, Recorded
from tests.unit.conftest import HEALTHY

if TYPE_CHECKING:
    from tests.protocol.conftest import Emulator

REGIONS = ("us-east-1", "eu-west-1")
DENIED = {"code": "AccessDeniedException", "status": 403}
# What each command is typed with; what has to happen before it is in Rig.before.
ARGV: Mapping[str, tuple[str, ...]] = {
    "hosts": (),
    "status": (),
    "upgrade": ("--to", "opus-5", "--yes"),
    "plan": ("--to", "opus-5"),
    "apply": ("--yes",),
    "rollback": ("--yes",),
    "resume": (),
    "promote": (),
    "abort": (),
    "guard": ("--for", "1m"),
    "compare": ("--model", "opus-5", "--model", "sonnet-4.6"),
    "drift": (),
    "explain": ("jada-agent-us-east-1",),
    "logs": ("orch-1", "jada-agent-us-east-1"),
    "ssh": ("jada-agent-us-east-1",),
    "report": ("--html", "page.html"),
    "heal": ("--yes",),
    "history": ("--rebuild",),
    "lock": ("--reason", "incident"),
    "unlock": (),
    "locks": (),
    "doctor": (),
    "rollouts": (),
    "pause": (),
    "show": ("RELEASE",),
    "state": ("migrate",),
    "host-keys": (),
}
# A command about one host asks what its cloud is asked: these are of another cloud.
MORE: Mapping[str, tuple[str, ...]] = {"explain": ("orch-1",), "ssh": ("orch-1",)}


def argvs_of(command: str) -> list[tuple[str, ...]]:
    """All that a command is typed with here."""
    return [ARGV[command], *([MORE[command]] if command in MORE else [])]


# Nobody needs to be told: without a permission to ask how machines are, an upgrade goes on as if nobody had said.
CHECKED = ("upgrade", "apply", "resume", "promote")
UNTOLD = {(command, action) for command in CHECKED for action in (
    "ec2:DescribeInstanceStatus", "lightsail:GetInstanceState")}  # fmt: skip
# The hosts that it sends back here are of EC2: nobody waits for what is said of others.
UNTOLD |= {("abort", f"lightsail:{operation}") for operation in ("GetInstancePortStates", "GetLoadBalancers")}
# The calls of other fleets than this one.
ELSEWHERE = (Purpose.ROLES, Purpose.PUSHED_LOGIN, Purpose.TUNNEL)
# These ask nothing of AWS; a lab is its own.
SILENT: Mapping[str, tuple[str, ...]] = {
    "models": (),
    "schedule": ("--every", "1h", "--print", "cron"),
    "completion": ("bash",),
    "help": ("upgrade",),
    "iam": (),
}
ASKED = Asked(model="claude-haiku-4-5", version="2.1.331")
CHECK = Check(fleet="test", at="2026-11-24T12:00:00+00:00", in_sync=1, drifted=0, not_checked=0)
AFTER_AN_UPGRADE = ("rollback", "rollouts", "resume", "promote", "abort", "guard", "pause", "show", "history", "state")
LOOK = Recorded.load(LOOKS / "two-releases.json").output()
OPEN_ENGINE = session.open_engine
# A host key that nobody vouches for.
SHOWN = ECDSAKey.generate()
# About no fleet.yml.
WITHOUT_FLEET = ("completion", "help")


@dataclass
class Rig:
    """`jada` on hosts that the emulated AWS knows and that look healthy; `made` are the calls that it tried."""

    aws: Emulator
    fleet: Fleet
    made: set[str]
    capsys: pytest.CaptureFixture[str]
    states: dict[str, State | HostError] = field(default_factory=dict)

    def __call__(self, command: str, *argv: str) -> str:
        self.made.clear()
        code = main.run(["--fleet", str(self.fleet.path), command, *argv])
        output = self.capsys.readouterr()
        text = output.out + output.err
        assert code != Exit.USAGE, text
        assert "Traceback" not in text
        return text

    def allow(self, actions: set[str]) -> None:
        """Has AWS deny all else."""
        self.aws.fails(
            {call.operation: {"*": DENIED} for call in CALLS if call.action not in {*actions, *ALWAYS_ALLOWED}}
        )

    def policy(self, command: str, *argv: str) -> set[str]:
        statements = json.loads(self("iam", "--command", command, *argv))["Statement"]
        return {action for statement in statements for action in statement["Action"]}

    def before(self, command: str) -> None:
        """Whatever has to have happened, on another machine, so that the command has something to do."""
        with open_store(self.fleet) as store:
            store.write(lambda _: [Put("drift_check", (CHECK,))])
        if command in AFTER_AN_UPGRADE:
            self("upgrade", "--to", "opus-5", "--yes")
        if command in ("resume", "promote", "abort", "pause"):
            with open_store(self.fleet) as store:
                rollout = read(RolloutEntry, store.db.execute("SELECT * FROM rollout").fetchone())
                rows = [read(HostEntry, row) for row in store.db.execute("SELECT * FROM result WHERE host LIKE '%-1'")]
                # Cut off before it had written down how the network was: all of it is asked for once more.
                paused = replace(rollout, status=RolloutStatus.PAUSED, wave=0, networks_json="")
                not_begun = tuple(replace(row, outcome=HostOutcome.NOT_STARTED) for row in rows)
                store.write(lambda _: [Put("rollout", (paused,)), Put("result", not_begun)])
            self.states |= {name: HEALTHY for name in self.states if name.endswith("-1")}
        if command == "unlock":
            self("lock", "--reason", "incident")
        for name, state in self.states.items():
            if command == "guard" and isinstance(state, State):
                self.states[name] = replace(state, unit=replace(state.unit, active="failed"))


@pytest.fixture
def target_group(aws: Emulator) -> Iterator[str]:
    """One in the network of a host: whether that is behind it, its targets alone tell."""
    session = boto3.session.Session("a", "b", region_name="us-east-1")
    ec2, elb = session.client("ec2", endpoint_url=aws.url), session.client("elbv2", endpoint_url=aws.url)
    named = [{"Name": "tag:Name", "Values": ["orch-1"]}]
    vpc = ec2.describe_instances(Filters=named)["Reservations"][0]["Instances"][0]["VpcId"]
    made = elb.create_target_group(Name="iam", Protocol="HTTP", Port=80, VpcId=vpc, TargetType="instance")
    arn = made["TargetGroups"][0]["TargetGroupArn"]
    yield arn
    elb.delete_target_group(TargetGroupArn=arn)


@pytest.fixture
def rig(
    aws: Emulator,
    fleet_of: Callable[..., Fleet],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    target_group: str,
) -> Rig:
    sns = boto3.client("sns", "us-east-1", endpoint_url=aws.url, aws_access_key_id="a", aws_secret_access_key="b")
    topic = sns.create_topic(Name="jada-iam")["TopicArn"]
    bucket = f"jada-{uuid.uuid4().hex}"
    s3 = boto3.client("s3", "us-east-1", endpoint_url=aws.url, aws_access_key_id="a", aws_secret_access_key="b")
    s3.create_bucket(Bucket=bucket)
    cloudwatch = boto3.client(
        "cloudwatch", "us-east-1", endpoint_url=aws.url, aws_access_key_id="a", aws_secret_access_key="b"
    )
    cloudwatch.put_metric_alarm(
        AlarmName="agents", MetricName="Errors", Namespace="Agents", Statistic="Sum", Period=60, EvaluationPeriods=1,
        Threshold=1, ComparisonOperator="GreaterThanThreshold",
    )  # fmt: skip
    cloudwatch.set_alarm_state(AlarmName="agents", StateValue="OK", StateReason="a test")
    # In a namespace of its own: the sum of a minute would have what the last tests said in it.
    cloudwatch.put_metric_data(Namespace=bucket, MetricData=[{"MetricName": "Errors", "Value": 1}])
    left_out = ", ".join(sorted(known_regions() - {*REGIONS}))
    (tmp_path / "known_hosts").touch()
    fleet = fleet_of(
        f"[{{ec2: {{regions: all, not_regions: [{left_out}], tags: {{jada: agent}}}}}}, "
        f"{{lightsail: {{regions: all, not_regions: [{left_out}], names: [jada-agent]}}}}]",
        notify=f"{{sns: '{topic}'}}",
        ssh=f"{{known_hosts: {tmp_path}/known_hosts}}",
        rollout="{waves: [1, 100%], bake_time: 30s, final_bake_time: 30s}",
        probes="{red: {kind: cloudwatch, alarm: agents, region: us-east-1}, errors: {kind: cloudwatch, above: 9, "
        f"region: us-east-1, metric: {{namespace: {bucket}, name: Errors, statistic: Sum}}}}}}",
        roles="{orchestrator: {tags: {role: orchestrator}, model: haiku-4.5}, specialist: {model: haiku-4.5}}",
        guard="{interval: 30s, looks: 1}",
        state=f"s3://{bucket}/jada",
    )
    made = set[str]()
    refuse = Clients._refuse_undeclared

    def note(clients: Clients, model: Any, **arguments: Any) -> None:
        made.add(BY_NAME[_name(model)].action)
        refuse(clients, model, **arguments)

    rig = Rig(aws, fleet, made, capsys)
    monkeypatch.setattr(instance_connect, "note_tunnel", lambda _: made.add(instance_connect.OPEN_TUNNEL))

    @contextmanager
    def open_engine(fleet: Fleet, hosts: tuple[Host, ...]) -> Iterator[FakeEngine]:
        with scratch() as folder:
            # The login of each is asked for as ever; what AWS denies is that host's trouble.
            logins = ssh_data(fleet, hosts, folder)
            for name, data in logins.items():
                try:
                    log_in(data)
                except HostError as error:
                    logins[name] = error
        denied = {name: data for name, data in logins.items() if isinstance(data, HostError) and "denied" in str(data)}
        rig.states.update(denied)
        for host in hosts:
            # Its CLI was asked just now, and that is news.
            rig.states.setdefault(host.name, replace(HEALTHY, asked=ASKED))
        yield FakeEngine(rig.states, service=fleet.service)

    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/ssh").write_text("#!/bin/sh\n")
    (tmp_path / "bin/ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin", prepend=":")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Clients, "_refuse_undeclared", note)
    monkeypatch.setattr(session, "open_engine", open_engine)
    clock = Clock()
    for module in (bake, watch):
        monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(guard, "time", clock)
    # However busy the machine is: a call that comes late would be another command's.
    for patience in ("PATIENCE", "PATIENCE_BACK"):
        monkeypatch.setattr(network, patience, 600)
    return rig


def log_in(data: dict[str, Any] | HostError) -> None:
    """Does what goes before a login: opens a tunnel, judges a host key and pushes a key, where that is the way. Raises
    HostError.
    """
    if isinstance(data, HostError):
        return
    arguments = data["ssh_paramiko_connect_kwargs"]
    if "denied" in str(arguments["transport_factory"].why_none):
        arguments["transport_factory"].verify(SHOWN)
    if "sock" in arguments:
        arguments["sock"].begin().close()
    if grant := arguments["auth_strategy"].grant:
        grant.credential(data["ssh_user"])


def release(rig: Rig) -> str:
    return str(json.loads(rig("history", "--json"))["releases"][0]["release"])


def test_every_command_is_tried() -> None:
    assert PURPOSES.keys() == ARGV.keys()
    assert ARGV.keys() | SILENT.keys() | {"lab"} == COMMANDS.keys()


@pytest.mark.parametrize("command", ARGV)
def test_a_command_makes_the_calls_that_its_policy_allows_and_no_others(
    rig: Rig, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("XDG_STATE_HOME", str(tmp_path / "elsewhere"))
        rig.before(command)
        argvs = [[release(rig) if word == "RELEASE" else word for word in argv] for argv in argvs_of(command)]
    with open_store() as own:
        own.write(lambda _: [Put("drift_check", (replace(CHECK, at="2026-11-24T13:00:00+00:00"),))])
    allowed = rig.policy(command)
    rig.allow(allowed)
    made = set[str]()
    for argv in argvs:
        text = rig(command, *argv)
        assert "denied" not in text
        made |= rig.made
    assert made - ALWAYS_ALLOWED == allowed, text


def denials() -> list[tuple[str, str]]:
    """The calls of commands of which AWS denies one: each command goes without one, and each call is denied once.

    JADA_ALL_DENIALS asks for every call of every command, which takes a quarter of an hour.
    """
    every = [
        (command, call.action)
        for command, purposes in PURPOSES.items()
        for call in CALLS
        if call.purpose in purposes
        and call.service not in ("ssm", "s3")
        and call.action not in ALWAYS_ALLOWED
        and call.purpose not in ELSEWHERE
        and (command, call.action) not in UNTOLD
    ]
    if os.environ.get("JADA_ALL_DENIALS"):
        return every
    chosen: list[tuple[str, str]] = []
    for action in dict.fromkeys(action for _, action in every):
        of_action = [pair for pair in every if pair[1] == action]
        new = [pair for pair in of_action if pair[0] not in {command for command, _ in chosen}]
        chosen.append((new or of_action)[0])
    # What asks the store alone has tests of its own.
    others = {command for command, _ in every} - {command for command, _ in chosen}
    return [*chosen, *(next(pair for pair in every if pair[0] == command) for command in sorted(others))]


@pytest.mark.parametrize(("command", "action"), denials())
def test_a_denial_names_the_action_and_the_resource(rig: Rig, command: str, action: str) -> None:
    rig.before(command)
    rig.allow(rig.policy(command) - {action})
    text = " ".join(" ".join(rig(command, *argv) for argv in argvs_of(command)).split())
    on = f"{action} on {BY_ACTION[action].resource}"
    assert f"lack the permission {on} (" in text or f"{on} is denied" in text, text


@pytest.mark.parametrize(
    ("keys", "action"),
    [
        ("login: instance-connect", "ec2-instance-connect:SendSSHPublicKey"),
        ("via: eice", "ec2:DescribeInstanceConnectEndpoints"),
    ],
)
def test_a_denied_way_to_a_host_names_the_action_and_the_resource(
    rig: Rig, fleet_of: Callable[..., Fleet], keys: str, action: str
) -> None:
    fleet_of(
        f"[{{ec2: {{regions: [us-east-1], tags: {{role: orchestrator}}, user: admin, {keys}}}}}]",
        ssh="{known_hosts: known_hosts}",
        roles="{orchestrator: {model: haiku-4.5}}",
    )
    rig.allow(rig.policy("status") - {action})
    assert f"lack the permission {action} on {BY_ACTION[action].resource} (" in " ".join(rig("status").split())


@pytest.mark.parametrize("command", ["status", "upgrade", "ssh", "doctor"])
@pytest.mark.parametrize(
    ("keys", "needed"),
    [
        ("login: instance-connect", {"ec2-instance-connect:SendSSHPublicKey"}),
        ("via: eice", {"ec2:DescribeInstanceConnectEndpoints", "ec2-instance-connect:OpenTunnel"}),
    ],
)
def test_logins_without_a_standing_key_or_port_22_make_the_calls_that_are_allowed(
    rig: Rig, fleet_of: Callable[..., Fleet], command: str, keys: str, needed: set[str]
) -> None:
    fleet_of(
        f"[{{ec2: {{regions: [us-east-1], tags: {{role: orchestrator}}, user: admin, {keys}}}}}]",
        ssh="{known_hosts: known_hosts}",
        roles="{orchestrator: {model: haiku-4.5}}",
    )
    allowed = rig.policy(command)
    assert needed <= allowed
    rig.allow(allowed)
    argv = ("orch-1",) if command == "ssh" else ARGV[command]
    text = rig(command, *argv)
    assert "denied" not in text
    assert rig.made - ALWAYS_ALLOWED == allowed, text
    assert not needed & {*json.loads(rig("iam", "--engine", "ssm"))["Statement"][0]["Action"]}


class Anyone(dict[tuple[str, str], Agent]):
    """The agents of all instances there may be: each says what a look at a healthy host does, in an answer that is too
    long for a list, or never ends where it `hangs`.
    """

    hangs = False

    def __contains__(self, _: object) -> bool:
        return True

    def __missing__(self, _: object) -> Agent:
        return self

    def ping(self) -> str:
        return "Online"

    def run(self, instance: str, command: str, text: str, seconds: int, cancelled: threading.Event) -> Ended:
        if self.hangs:
            cancelled.wait(60)
            return Ended(None, "")
        token = re.search("TOKEN=([0-9a-f]{32})", text)
        assert token
        lines = ["result done", *LOOK] if "CHANGES=yes" in text else LOOK
        packed = base64.b64encode(gzip.compress("\n".join([*lines, ""]).encode(), 0)).decode()
        assert len(packed) > 2500
        return Ended(0, f"jada-answer {token[1]} 0 {len(packed)} {sha256(packed.encode()).hexdigest()}\n{packed}")


@pytest.fixture
def agents(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> Iterator[Anyone]:
    """The stand-in for Systems Manager with such agents, which denies what the emulated AWS does."""
    agents = Anyone()
    endpoint = Endpoint(lambda *_: [], {TARGET: Ssm(agents)}, rig.aws.folder / "faults.json")
    server = make_server("127.0.0.1", 0, endpoint, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    # What it tells of each request is no output of jada.
    monkeypatch.setattr(logging.getLogger("werkzeug"), "disabled", True)
    monkeypatch.setenv("AWS_ENDPOINT_URL_SSM", f"http://127.0.0.1:{server.port}")
    for name in ("GATHERING", "FIRST_WAIT", "LONGEST_WAIT"):
        monkeypatch.setattr(dispatcher, name, 0.01)
    for name in ("LISTED_AFTER", "ENDED_AFTER"):
        monkeypatch.setattr(lab_ssm, name, 0)
    yield agents
    server.shutdown()
    thread.join()
    server.server_close()


def ssm_calls(actions: set[str]) -> set[str]:
    return {action for action in actions if action.startswith("ssm:")}


# The others take minutes, all together: make test-rollouts.
MANAGED = ARGV if os.environ.get("JADA_ALL_ROLLOUTS") else ("hosts", "status", "upgrade", "ssh", "lock", "doctor")


@pytest.mark.parametrize("command", MANAGED)
def test_over_systems_manager_too(rig: Rig, agents: Anyone, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.before(command)
    allowed = rig.policy(command, "--engine", "ssm")
    rig.allow(allowed)
    monkeypatch.setattr(session, "open_engine", OPEN_ENGINE)
    argv = ("orch-1",) if command == "explain" else ARGV[command]
    text = rig(command, *argv, "--engine", "ssm")
    assert "denied" not in text
    assert rig.made - ALWAYS_ALLOWED <= allowed, text
    # That one only where a look is given up.
    assert ssm_calls(rig.made) == ssm_calls(allowed) - {"ssm:CancelCommand"}


def test_a_look_that_is_given_up_is_cancelled(rig: Rig, agents: Anyone) -> None:
    allowed = rig.policy("status", "--engine", "ssm")
    rig.allow(allowed)
    agents.hangs = True
    fleet = replace(rig.fleet, engine="ssm")
    host = next(host for host in discover(fleet) if host.name == "orch-1")
    rig.made.clear()
    with OPEN_ENGINE(fleet, (host,)) as engine:
        ((_, trouble),) = engine.imap(["orch-1"], lambda _, connection: connection.look(), within=2)
    assert isinstance(trouble, NoAnswerError)
    assert "ssm:CancelCommand" in rig.made & allowed


@pytest.mark.parametrize("command", SILENT)
def test_other_commands_ask_nothing_of_aws(rig: Rig, command: str) -> None:
    rig.before(command)
    rig.allow(set())
    rig.made.clear()
    if command in WITHOUT_FLEET:
        assert main.run([command, *SILENT[command]]) == Exit.OK
    else:
        rig(command, *SILENT[command])
    assert not rig.made


def test_a_policy_is_of_what_the_fleet_has(rig: Rig, fleet_of: Callable[..., Fleet]) -> None:
    whole = json.loads(rig("iam"))
    assert whole["Version"] == "2012-10-17"
    assert {statement["Effect"] for statement in whole["Statement"]} == {"Allow"}
    resources = {action: statement["Resource"] for statement in whole["Statement"] for action in statement["Action"]}
    assert resources["sns:Publish"] == rig.fleet.notify.sns
    assert resources["lightsail:GetInstanceAccessDetails"] == "arn:aws:lightsail:*:*:Instance/*"
    without = (Purpose.COMMANDS, Purpose.PUSHED_LOGIN, Purpose.TUNNEL, Purpose.ROLES)
    assert resources.keys() == {call.action for call in CALLS if call.purpose not in without} - ALWAYS_ALLOWED
    # That fleet's EC2 hosts have a tag to choose them by, which IAM knows too.
    managed = json.loads(rig("iam", "--engine", "ssm", "--command", "status"))["Statement"]
    assert {
        "Effect": "Allow",
        "Action": ["ssm:SendCommand"],
        "Resource": "arn:aws:ec2:*:*:instance/*",
        "Condition": {"StringLike": {"aws:ResourceTag/jada": ["agent"]}},
    } in managed
    assert {call.action for call in CALLS if call.service == "ssm"} <= {
        action for each in managed for action in each["Action"]
    }
    fleet_of("[{ec2: {regions: [us-east-1]}}]")
    assert json.loads(rig("iam")) == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "NoResourceToName",
                "Effect": "Allow",
                "Action": [
                    "ec2:DescribeInstances",
                    "ec2:DescribeInstanceStatus",
                    "ec2:DescribeSecurityGroups",
                    "elasticloadbalancing:DescribeTargetGroups",
                    "elasticloadbalancing:DescribeTargetHealth",
                ],
                "Resource": "*",
            },
            {"Effect": "Allow", "Action": ["ec2:GetConsoleOutput"], "Resource": "arn:aws:ec2:*:*:instance/*"},
        ],
    }
    fleet_of("[{ec2: {regions: [us-east-1]}}]", ssh="{host_keys: known_hosts}")
    assert "ec2:GetConsoleOutput" not in rig("iam")
    fleet_of("[{ec2: {regions: [us-east-1], engine: ssm}}]")
    assert "ec2:GetConsoleOutput" not in rig("iam")
    fleet_of("[{static: {hosts: {here: {address: 192.0.2.1}}}}]")
    assert "This fleet needs nothing of AWS" in rig("iam")


def test_without_a_fleet_yml_the_policy_is_of_all_that_jada_can_ask(rig: Rig) -> None:
    assert main.run(["iam"]) == Exit.OK
    actions = [action for each in json.loads(rig.capsys.readouterr().out)["Statement"] for action in each["Action"]]
    # A policy on every bucket is nobody's least one: which is the team's, a fleet.yml tells.
    assert {*actions} == {call.action for call in CALLS if call.service not in ("sts", "s3")} - ALWAYS_ALLOWED


def test_a_fleet_yml_that_can_not_be_read_has_no_policy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "fleet.yml").write_text("fleet: [")
    monkeypatch.setenv("JADA_FLEET", str(tmp_path / "fleet.yml"))
    assert main.run(["iam"]) == Exit.USAGE
    monkeypatch.setenv("JADA_FLEET", str(tmp_path / "nosuch.yml"))
    assert main.run(["iam"]) == Exit.USAGE
    assert capsys.readouterr().out == ""
