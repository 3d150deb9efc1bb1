"""The network of the lab's hosts, which somebody changes in AWS while a rollout goes on."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jada import Aws
from tests.conftest import JADA, LAB, eventually
from tests.forms import lines
from tests.plain_aws import client

if TYPE_CHECKING:
    from tests.conftest import Lab

pytestmark = pytest.mark.lab
UPGRADE = ("upgrade", "--to", "sonnet-4.6", "--yes")
BAKES = ("--waves", "1,100%", "--bake", "20s")
FAULTS, HEALTH = LAB.folder / "faults.json", LAB.folder / "health.json"
RULE = [{"IpProtocol": "tcp", "FromPort": 8443, "ToPort": 8443, "IpRanges": [{"CidrIp": "198.51.100.0/24"}]}]


class Network:
    """The network of the lab as AWS has it: a target group has the orchestrator, a load balancer the Lightsail host."""

    def __init__(self) -> None:
        aws = Aws("jada-lab", LAB.aws_config)
        self.ec2, self.elb = (client(aws, service, "us-east-1") for service in ("ec2", "elbv2"))
        self.lightsail = client(aws, "lightsail", "us-east-1")
        named = [{"Name": "tag:Name", "Values": ["orchestrator-1"]}]
        instance = self.ec2.describe_instances(Filters=named)["Reservations"][0]["Instances"][0]
        self.instance, self.group = instance["InstanceId"], instance["SecurityGroups"][0]["GroupId"]
        made = self.elb.create_target_group(
            Name="lab", Protocol="HTTP", Port=80, VpcId=instance["VpcId"], TargetType="instance"
        )
        self.targets = made["TargetGroups"][0]["TargetGroupArn"]
        self.elb.register_targets(TargetGroupArn=self.targets, Targets=[{"Id": self.instance}])
        self.lightsail.create_load_balancer(loadBalancerName="front", instancePort=80)
        self.lightsail.attach_instances_to_load_balancer(loadBalancerName="front", instanceNames=["jada-agent"])
        self._address: dict[str, Any] = {}

    def change(self) -> None:
        """Changes one thing of each kind."""
        self.ec2.authorize_security_group_ingress(GroupId=self.group, IpPermissions=RULE)
        self._address = self.ec2.allocate_address(Domain="vpc")
        self.ec2.associate_address(InstanceId=self.instance, AllocationId=self._address["AllocationId"])
        HEALTH.write_text(json.dumps({self.instance: "unhealthy"}))
        self.lightsail.attach_static_ip(staticIpName="jada-agent", instanceName="jada-agent")
        ports = [{"fromPort": 443, "toPort": 443, "protocol": "tcp", "cidrs": ["0.0.0.0/0"]}]
        self.lightsail.put_instance_public_ports(instanceName="jada-agent", portInfos=ports)
        self.lightsail.detach_instances_from_load_balancer(loadBalancerName="front", instanceNames=["jada-agent"])

    def put_back(self) -> None:
        for file in (FAULTS, HEALTH):
            file.unlink(missing_ok=True)
        if self._address:
            self.ec2.revoke_security_group_ingress(GroupId=self.group, IpPermissions=RULE)
            self.ec2.release_address(AllocationId=self._address["AllocationId"])
            self.lightsail.detach_static_ip(staticIpName="jada-agent")
        ssh = [{"fromPort": 22, "toPort": 22, "protocol": "tcp", "cidrs": ["0.0.0.0/0"]}]
        self.lightsail.put_instance_public_ports(instanceName="jada-agent", portInfos=ssh)
        self.lightsail.delete_load_balancer(loadBalancerName="front")
        self.elb.delete_target_group(TargetGroupArn=self.targets)


@pytest.fixture
def network(whole_lab: Lab) -> Iterator[Network]:
    network = Network()
    yield network
    network.put_back()


@pytest.fixture(autouse=True)
def record(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "jada/history.db"


def knows_the_beginning(record: Path) -> bool:
    """True once a rollout has written down how the network was before it."""
    if not record.exists():
        return False
    with closing(sqlite3.connect(record)) as db:
        found = db.execute("SELECT name FROM sqlite_master WHERE name = 'rollout'").fetchone()
        return bool(found and db.execute("SELECT 1 FROM rollout WHERE networks_json <> ''").fetchone())


def test_whatever_changes_meanwhile_is_told_and_recorded(lab: Lab, network: Network, record: Path) -> None:
    env = {**os.environ, "JADA_FLEET": str(LAB.fleet_file)}
    command: list[str | Path] = [JADA, *UPGRADE, *BAKES, "--json"]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            eventually(lambda: knows_the_beginning(record), "nobody looked at the network")
            network.change()
            output, errors = process.communicate(timeout=300)
        finally:
            process.kill()
    assert process.returncode == 0, errors
    report = lines(output)[-1]
    assert {host["host"]: host["outcome"] for host in report["hosts"]} == {host.name: "verified" for host in lab.hosts}
    found = {host["host"]: {each["code"]: each["actual"] for each in host["network"]} for host in report["hosts"]}
    assert found.pop("specialist-1") == {}
    assert {name: sorted(findings) for name, findings in found.items()} == {
        "orchestrator-1": ["J501", "J502", "J504"],
        "jada-agent": ["J501", "J502", "J503"],
    }
    assert network._address["PublicIp"] in found["orchestrator-1"]["J501"]
    assert found["orchestrator-1"]["J502"] == f"in tcp 8443 from 198.51.100.0/24 ({network.group})"
    assert "unhealthy at targetgroup/lab/" in found["orchestrator-1"]["J504"]
    assert "(static ip)" in found["jada-agent"]["J501"]
    assert found["jada-agent"]["J502"] == "in tcp 443 from 0.0.0.0/0"
    assert lab.json("history")["releases"][0]["networks_changed"] == 2
    shown = lab.json("show", report["release"])["network"]
    assert [(each["host"], each["code"]) for each in shown] == [
        (name, code) for name in ("jada-agent", "orchestrator-1") for code in sorted(found[name])
    ]
    page = record.parent / "page.html"
    lab.jada("report", "--html", str(page), exit_code=None)
    assert "ports-changed" in page.read_text()


def test_nothing_changed_is_silence_and_what_is_denied_or_hangs_holds_no_way_back_up(
    lab: Lab, network: Network
) -> None:
    for argv in (UPGRADE, ("rollback", "--yes")):
        assert "Network" not in lab.jada(*argv)
    FAULTS.write_text(json.dumps({"DescribeSecurityGroups": {"*": {"code": "UnauthorizedOperation", "status": 403}}}))
    told = lab.jada(*UPGRADE)
    assert "saw not known: access denied; the credentials of" in told
    assert "lack the permission ec2:DescribeSecurityGroups" in told
    FAULTS.write_text(json.dumps({"DescribeTargetGroups": {"*": {"delay": 120}}}))
    told = lab.jada("rollback", "--yes")
    assert "3 hosts: 3 verified" in told
    assert "saw not known: AWS gave no answer within 5 s" in told
