"""The EC2 hosts of the lab through Systems Manager: commands that really run there, behind a stand-in for its API."""

from __future__ import annotations

import base64
import gzip
import json
import os
import re
import signal
import subprocess
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jada import Aws
from jada.inventory.lab import machine
from jada.inventory.lab.machine import OLD_MODEL
from tests import plain_aws
from tests.conftest import JADA, LAB, eventually

if TYPE_CHECKING:
    from tests.conftest import Lab

pytestmark = pytest.mark.lab
REGIONS = ("us-east-1", "eu-west-1")
NEW = "claude-sonnet-4.6"
HOST, OTHER = "specialist-1", "orchestrator-1"


class Managed:
    """The lab's EC2 hosts as a fleet, all of which are reached through Systems Manager, and what AWS knows of it."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab = lab
        self.fleet = LAB.folder / "managed.yml"
        text = re.sub(r"  - lightsail:\n(      .*\n)+", "", LAB.fleet_file.read_text())
        text = re.sub(r"      user: admin\n(      engine: .*\n)?", "      engine: ssm\n", text)
        self.fleet.write_text(text.replace("settle: 5", "settle: 1"))
        self.env = {"JADA_FLEET": str(self.fleet), "XDG_STATE_HOME": str(folder)}

    def jada(self, *argv: str, exit_code: int = 0) -> str:
        return self.lab.jada(*argv, env=self.env, exit_code=exit_code)

    def fails(self, **faults: object) -> None:
        (LAB.folder / "faults.json").write_text(json.dumps({call: {"*": fault} for call, fault in faults.items()}))

    def commands(self) -> list[Any]:
        return [each for region in REGIONS for page in _pages(region, "list_commands") for each in page["Commands"]]

    def invocations(self) -> list[Any]:
        """All invocations of all commands, with as much of their output as AWS keeps."""
        found = []
        for region in REGIONS:
            ssm = plain_aws.ssm(_AWS, region)
            for page in ssm.get_paginator("list_commands").paginate():
                for each in page["Commands"]:
                    found += [
                        ssm.get_command_invocation(CommandId=each["CommandId"], InstanceId=instance)
                        for instance in each["InstanceIds"]
                    ]
        return found


_AWS = Aws("jada-lab", LAB.aws_config)


def _pages(region: str, call: str) -> list[Any]:
    return list(plain_aws.ssm(_AWS, region).get_paginator(call).paginate())


@pytest.fixture
def managed(lab: Lab, tmp_path: Path) -> Iterator[Managed]:
    managed = Managed(lab, tmp_path)
    managed.fails()
    for name in (HOST, OTHER):
        lab.run(name, "rm -rf /run/jada-ssm")
    yield managed
    managed.fails()


def restarts(lab: Lab, name: str) -> int:
    return int(lab.run(name, "journalctl --sync; journalctl -u jada-agent -o cat --no-pager | grep -c ^Started"))


def test_an_upgrade_and_a_rollback_need_no_port_22(managed: Managed) -> None:
    lab, names = managed.lab, (HOST, OTHER)
    before = {name: lab.settings_sha(name) for name in names}
    for name in names:
        lab.run(name, "systemctl stop ssh")
    try:
        assert "2 verified" in managed.jada("upgrade", "--to", "sonnet-4.6", "--yes")
        assert {lab.model(name) for name in names} == {NEW}
        managed.jada("drift")
        assert "2 verified" in managed.jada("rollback", "--yes")
    finally:
        for name in names:
            lab.run(name, "systemctl start ssh")
    assert {name: lab.settings_sha(name) for name in names} == before
    # Of changes, their answers, until the next boot or an hour later.
    assert "answer" in lab.run(HOST, "ls -R /run/jada-ssm; stat -c %a%U /run/jada-ssm")
    assert "700root" in lab.run(HOST, "stat -c %a%U /run/jada-ssm")


def test_a_look_leaves_nothing(managed: Managed) -> None:
    managed.jada("status")
    assert managed.lab.run(HOST, "ls /run/jada-ssm") == ""


def test_a_change_whose_sending_got_no_answer_is_made_once(managed: Managed) -> None:
    before = {name: restarts(managed.lab, name) for name in (HOST, OTHER)}
    managed.fails(SendCommand={"lost": True, "times": 5})
    assert "2 verified" in managed.jada("upgrade", "--to", "sonnet-4.6", "--yes")
    assert {name: restarts(managed.lab, name) - 1 for name in before} == before


def test_throttling_is_waited_for(managed: Managed) -> None:
    calls = ("DescribeInstanceInformation", "SendCommand", "ListCommandInvocations")
    managed.fails(**{call: {"code": "ThrottlingException", "times": 2} for call in calls})
    assert "2 active" in managed.jada("status")


def test_a_host_whose_agent_does_not_answer_is_unreachable_and_the_others_go_on(managed: Managed) -> None:
    machine.power_off(managed.lab[OTHER])
    output = managed.jada("upgrade", "--to", "sonnet-4.6", "--yes", exit_code=1)
    assert f"{OTHER} can't be reached through Systems Manager: its Systems Manager agent does not answer" in output
    assert managed.lab.model(HOST) == NEW


def test_a_failing_change_is_undone_and_told_as_over_ssh(managed: Managed) -> None:
    managed.lab.misbehave(HOST, crash_on_start=True, models=[NEW])
    output = managed.jada("upgrade", "--to", "sonnet-4.6", "--yes", "--limit", HOST, exit_code=4)
    assert f"{HOST} failed, rolled back and runs {OLD_MODEL} again" in output
    assert "crashing on start, as told" in output


def test_a_long_answer_comes_whole_in_parts_and_is_gone_then(managed: Managed) -> None:
    path = managed.lab[HOST].settings
    # Names of settings are told, and these can't be packed.
    words = "k=$(head -c 12 /dev/urandom | base64 | tr -dc a-zA-Z0-9); printf '\"%s\":1,' $k"
    managed.lab.run(HOST, f"(echo '{{'; for i in $(seq 3000); do {words}; done; echo '\"model\":\"{NEW}\"}}') >{path}")
    assert NEW in managed.jada("status", "--limit", HOST)
    assert any("tail -c +" in _scripts(command) for command in managed.commands())
    # Of the last part, which runs once as a change does; the long answer's place stays as the mark that it ran, empty.
    assert managed.lab.run(HOST, "find /run/jada-ssm -name answer -size +0 | wc -l") == "1\n"
    assert managed.lab.run(HOST, "find /run/jada-ssm -name answer -size 0 | wc -l") == "1\n"


def _scripts(command: Any) -> str:
    """All scripts of a command, as anybody who may list commands can read them."""
    payload = re.search(r"PAYLOAD=(\S+)", command["Parameters"]["commands"][0])
    assert payload
    return gzip.decompress(base64.b64decode(payload[1].strip("'"))).decode()


def _unpacked(text: str) -> str:
    data = base64.b64decode(text[: len(text) // 4 * 4])
    return zlib.decompressobj(wbits=31).decompress(data).decode(errors="replace")


def test_aws_keeps_no_secret(managed: Managed) -> None:
    for argv in (("status",), ("upgrade", "--to", "sonnet-4.6", "--yes"), ("drift",), ("logs",), ("rollback", "--yes")):
        managed.jada(*argv)
    commands = managed.commands()
    assert len(commands) > 8
    texts = [_scripts(command) for command in commands]
    for invocation in managed.invocations():
        packed = invocation["StandardOutputContent"].partition("\n")[2]
        # Of what came in parts, the beginning; a look is packed within.
        said = _unpacked(packed)
        texts += [said, *(_unpacked(line) for line in said.splitlines() if line.startswith("H4sI"))]
    assert len(texts) > 2 * len(commands)
    assert not [text for text in texts if "lab-secret" in text]
    assert any("ANTHROPIC_API_KEY" in text or "ANTHROPIC_AUTH_TOKEN" in text for text in texts)


def test_ctrl_c_cancels_a_look(managed: Managed) -> None:
    managed.fleet.write_text(re.sub("model_check: .*", "model_check: {command: sleep 25}", managed.fleet.read_text()))
    known = {command["CommandId"] for command in managed.commands()}
    with subprocess.Popen(
        [JADA, "status"], env={**os.environ, **managed.env}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        eventually(lambda: len({command["CommandId"] for command in managed.commands()} - known) == 2)
        new = {command["CommandId"] for command in managed.commands()} - known

        def statuses() -> list[str]:
            return [each["StatusDetails"] for each in managed.invocations() if each["CommandId"] in new]

        eventually(lambda: statuses() == ["InProgress", "InProgress"])
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    eventually(lambda: statuses() == ["Cancelled", "Cancelled"])


def test_the_doctor_tells_hosts_that_need_no_ssh(managed: Managed) -> None:
    checks = json.loads(managed.jada("doctor", "--json"))["checks"]
    assert not [row for row in checks if row["verdict"] in ("warn", "fail")]
    reached = {row["check"]: row["verdict"] for row in checks if row["check"] in ("ssm", "ssh", "host key")}
    assert reached == {"ssm": "pass", "ssh": "skip", "host key": "skip"}
    permissions = next(row["text"] for row in checks if row["check"] == "permissions")
    assert "ssm:SendCommand" in permissions
