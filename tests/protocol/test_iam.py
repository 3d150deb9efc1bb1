"""The policy of `jada iam`: each command makes the calls that it allows it, all of them and no others."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from jada import Exit, Host, HostError
from jada.cli import main, session
from jada.cli.commands.iam import PURPOSES
from jada.cli.main import COMMANDS
from jada.cli.records.model import HostOutcome, RolloutStatus
from jada.cli.records.sqlite import open_database
from jada.cli.rollout import bake, guard, watch
from jada.inventory.access.login import ssh_data
from jada.inventory.access.scratch import scratch
from jada.inventory.cloud.calls import ALWAYS_ALLOWED, BY_NAME, CALLS
from jada.inventory.cloud.regions import known_regions
from jada.inventory.cloud.session import Clients, _name
from jada.inventory.fleet.config import Fleet
from jada.tasks.state import State
from tests.fakes import Clock, FakeEngine
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
    "doctor": (),
}
# These ask nothing of AWS; a lab is its own.
SILENT: Mapping[str, tuple[str, ...]] = {
    "models": (),
    "rollouts": (),
    "pause": (),
    "schedule": ("--every", "1h", "--print", "cron"),
    "completion": ("bash",),
    "help": ("upgrade",),
    "iam": (),
    "show": ("RELEASE",),
}
# About no fleet.yml.
WITHOUT_FLEET = ("completion", "help", "show")


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
        code = main.run([command, "--fleet", str(self.fleet.path), *argv])
        output = self.capsys.readouterr()
        text = output.out + output.err
        assert code != Exit.USAGE, text
        assert "Traceback" not in text
        return text

    def allow(self, actions: set[str]) -> None:
        """Has AWS deny all else."""
        self.aws.fails(
            {call.operation: {"*": DENIED} for call in CALLS if call.action not in {*actions, ALWAYS_ALLOWED}}
        )

    def policy(self, command: str) -> set[str]:
        statements = json.loads(self("iam", "--command", command))["Statement"]
        return {action for statement in statements for action in statement["Action"]}

    def before(self, command: str) -> None:
        """Whatever has to have happened, so that the command has something to do."""
        if command in ("rollback", "resume", "promote", "abort", "guard", "pause", "show"):
            self("upgrade", "--to", "opus-5", "--yes")
        if command in ("resume", "promote", "abort", "pause"):
            with open_database() as db:
                db.execute("UPDATE rollout SET status = ?, wave = 0", (RolloutStatus.PAUSED,))
                db.execute("UPDATE result SET outcome = ? WHERE host LIKE '%-1'", (HostOutcome.NOT_STARTED,))
                db.commit()
            self.states |= {name: HEALTHY for name in self.states if name.endswith("-1")}
        for name, state in self.states.items():
            if command == "guard" and isinstance(state, State):
                self.states[name] = replace(state, unit=replace(state.unit, active="failed"))


@pytest.fixture
def rig(
    aws: Emulator,
    fleet_of: Callable[..., Fleet],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> Rig:
    sns = boto3.client("sns", "us-east-1", endpoint_url=aws.url, aws_access_key_id="a", aws_secret_access_key="b")
    topic = sns.create_topic(Name="jada-iam")["TopicArn"]
    cloudwatch = boto3.client(
        "cloudwatch", "us-east-1", endpoint_url=aws.url, aws_access_key_id="a", aws_secret_access_key="b"
    )
    cloudwatch.put_metric_alarm(
        AlarmName="agents", MetricName="Errors", Namespace="Agents", Statistic="Sum", Period=60, EvaluationPeriods=1,
        Threshold=1, ComparisonOperator="GreaterThanThreshold",
    )  # fmt: skip
    cloudwatch.set_alarm_state(AlarmName="agents", StateValue="OK", StateReason="a test")
    cloudwatch.put_metric_data(Namespace="Agents", MetricData=[{"MetricName": "Errors", "Value": 1}])
    left_out = ", ".join(sorted(known_regions() - {*REGIONS}))
    (tmp_path / "known_hosts").touch()
    fleet = fleet_of(
        f"[{{ec2: {{regions: all, not_regions: [{left_out}], tags: {{jada: agent}}}}}}, "
        f"{{lightsail: {{regions: all, not_regions: [{left_out}], names: [jada-agent]}}}}]",
        notify=f"{{sns: '{topic}'}}",
        ssh=f"{{known_hosts: {tmp_path}/known_hosts}}",
        rollout="{waves: [1, 100%], bake_time: 30s, final_bake_time: 30s}",
        probes="{red: {kind: cloudwatch, alarm: agents, region: us-east-1}, errors: {kind: cloudwatch, above: 9, "
        "region: us-east-1, metric: {namespace: Agents, name: Errors, statistic: Sum}}}",
        roles="{orchestrator: {tags: {role: orchestrator}, model: haiku-4.5}, specialist: {model: haiku-4.5}}",
        guard="{interval: 30s, looks: 1}",
    )
    made = set[str]()
    refuse = Clients._refuse_undeclared

    def note(clients: Clients, model: Any, **arguments: Any) -> None:
        made.add(BY_NAME[_name(model)].action)
        refuse(clients, model, **arguments)

    rig = Rig(aws, fleet, made, capsys)

    @contextmanager
    def open_engine(fleet: Fleet, hosts: tuple[Host, ...]) -> Iterator[FakeEngine]:
        with scratch() as folder:
            # The login of each is asked for as ever.
            ssh_data(fleet, hosts, folder)
        for host in hosts:
            rig.states.setdefault(host.name, HEALTHY)
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
    return rig


def release(rig: Rig) -> str:
    return str(json.loads(rig("history", "--json"))["releases"][0]["release"])


def test_every_command_is_tried() -> None:
    assert PURPOSES.keys() == ARGV.keys()
    assert ARGV.keys() | SILENT.keys() | {"lab"} == COMMANDS.keys()


@pytest.mark.parametrize("command", ARGV)
def test_a_command_makes_the_calls_that_its_policy_allows_and_no_others(rig: Rig, command: str) -> None:
    rig.before(command)
    allowed = rig.policy(command)
    rig.allow(allowed)
    text = rig(command, *ARGV[command])
    assert "denied" not in text
    assert rig.made - {ALWAYS_ALLOWED} == allowed, text


@pytest.mark.parametrize("command", SILENT)
def test_other_commands_ask_nothing_of_aws(rig: Rig, command: str) -> None:
    rig.before(command)
    argv = [release(rig) if word == "RELEASE" else word for word in SILENT[command]]
    rig.allow(set())
    rig.made.clear()
    if command in WITHOUT_FLEET:
        assert main.run([command, *argv]) == Exit.OK
    else:
        rig(command, *argv)
    assert not rig.made


def test_a_policy_is_of_what_the_fleet_has(rig: Rig, fleet_of: Callable[..., Fleet]) -> None:
    whole = json.loads(rig("iam"))
    assert whole["Version"] == "2012-10-17"
    assert {statement["Effect"] for statement in whole["Statement"]} == {"Allow"}
    resources = {action: statement["Resource"] for statement in whole["Statement"] for action in statement["Action"]}
    assert resources["sns:Publish"] == rig.fleet.notify.sns
    assert resources["lightsail:GetInstanceAccessDetails"] == "arn:aws:lightsail:*:*:Instance/*"
    assert resources.keys() == {call.action for call in CALLS if call.service not in ("ssm", "s3")} - {ALWAYS_ALLOWED}
    managed = json.loads(rig("iam", "--engine", "ssm", "--command", "status"))["Statement"]
    assert {"Effect": "Allow", "Action": ["ssm:SendCommand"], "Resource": "arn:aws:ec2:*:*:instance/*"} in managed
    assert {call.action for call in CALLS if call.service == "ssm"} <= {
        action for each in managed for action in each["Action"]
    }
    fleet_of("[{ec2: {regions: [us-east-1]}}]")
    assert json.loads(rig("iam")) == {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": ["ec2:DescribeInstances", "ec2:DescribeInstanceStatus"], "Resource": "*"}
        ],
    }
    fleet_of("[{static: {hosts: {here: {address: 192.0.2.1}}}}]")
    assert "This fleet needs nothing of AWS" in rig("iam")


def test_without_a_fleet_yml_the_policy_is_of_all_that_jada_can_ask(rig: Rig) -> None:
    assert main.run(["iam"]) == Exit.OK
    actions = [action for each in json.loads(rig.capsys.readouterr().out)["Statement"] for action in each["Action"]]
    assert {*actions} == {call.action for call in CALLS if call.service != "s3"} - {ALWAYS_ALLOWED}


def test_a_fleet_yml_that_can_not_be_read_has_no_policy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "fleet.yml").write_text("fleet: [")
    monkeypatch.setenv("JADA_FLEET", str(tmp_path / "fleet.yml"))
    assert main.run(["iam"]) == Exit.USAGE
    monkeypatch.setenv("JADA_FLEET", str(tmp_path / "nosuch.yml"))
    assert main.run(["iam"]) == Exit.USAGE
    assert capsys.readouterr().out == ""
