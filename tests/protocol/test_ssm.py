"""Run Command by boto3 against the stand-in, which is as strict, as late and as forgetful as AWS."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from werkzeug.serving import make_server

from jada import Aws, JadaError, NotBegunError, SsmInvocation
from jada.inventory.cloud.ssm import RunCommand
from jada.inventory.lab.aws import Endpoint
from jada.inventory.lab.ssm import TARGET, Agent, Ended, Ssm, SsmError
from tests import plain_aws
from tests.conftest import eventually

REGION, IDS = "eu-west-1", [f"i-{number:017x}" for number in range(60)]
TOKEN = "0" * 32


@dataclass
class Echo:
    """An agent that says what it is sent, or sleeps while it is told to wait."""

    state: str = "Online"
    waits: bool = False
    ran: list[str] = field(default_factory=list)

    def ping(self) -> str:
        return self.state

    def run(self, instance: str, command: str, text: str, seconds: int, cancelled: threading.Event) -> Ended:
        self.ran.append(text)
        if self.waits:
            return Ended(None, "") if cancelled.wait(60) else Ended(0, "")
        return Ended(0, f"{instance}: {text}")


@dataclass
class Service:
    """The stand-in with such agents in one region, and jada's and boto3's ways to it."""

    aws: Aws
    agents: dict[str, Echo]
    registered: dict[tuple[str, str], Agent]
    folder: Path

    @property
    def jada(self) -> RunCommand:
        return RunCommand(self.aws, REGION)

    def call(self, operation: str, **request: object) -> Any:
        try:
            return getattr(plain_aws.ssm(self.aws, REGION), operation)(**request)
        except ClientError as error:
            return error.response["Error"]["Code"]

    def fails(self, faults: dict[str, Any]) -> None:
        (self.folder / "faults.json").write_text(json.dumps(faults))

    def ended(self, command: str) -> dict[str, tuple[str, str]]:
        """The states and outputs of a command, once all its instances have ended."""
        found: dict[str, tuple[str, str]] = {}

        def is_over() -> bool:
            invocations = self.jada.invocations(command)
            found.update({each.instance: (each.status, each.output) for each in invocations})
            return bool(found) and not {"Pending", "InProgress"} & {status for status, _ in found.values()}

        eventually(is_over)
        return found


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    agents = {instance: Echo() for instance in IDS}
    registered: dict[tuple[str, str], Agent] = {(REGION, instance): agent for instance, agent in agents.items()}
    endpoint = Endpoint(lambda *_: [], {TARGET: Ssm(registered)}, tmp_path / "faults.json")
    server = make_server("127.0.0.1", 0, endpoint, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    config = (
        f"[default]\naws_access_key_id = a\naws_secret_access_key = b\nendpoint_url = http://127.0.0.1:{server.port}\n"
    )
    (tmp_path / "config").write_text(config)
    try:
        yield Service(Aws(config_file=tmp_path / "config"), agents, registered, tmp_path)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_command_runs_on_each_instance_and_no_page_is_lost(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jada.inventory.cloud.ssm.PAGE", 7)
    command = service.jada.send(IDS[:50], "hello", TOKEN, 60, 100)
    assert command
    assert service.ended(command) == {instance: ("Success", f"{instance}: hello") for instance in IDS[:50]}
    assert service.jada.output(command, IDS[3]) == f"{IDS[3]}: hello"


def test_it_is_not_in_the_lists_at_once(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jada.inventory.lab.ssm.LISTED_AFTER", 600)
    command = service.jada.send(IDS[:1], "hello", TOKEN, 60, 100)
    assert command
    assert (service.jada.invocations(command), service.jada.output(command, IDS[0])) == ([], None)


def test_agents_are_told_apart(service: Service) -> None:
    service.agents[IDS[1]].state = "ConnectionLost"
    agents = service.jada.agents([IDS[0], IDS[1], "i-0fffffffffffffff0"])
    assert {instance: agent.is_online for instance, agent in agents.items()} == {IDS[0]: True, IDS[1]: False}
    assert "20" in agents[IDS[1]].last_ping


def test_no_command_is_taken_where_one_instance_is_not_known(service: Service) -> None:
    assert service.jada.send([IDS[0], "i-0fffffffffffffff0"], "hello", TOKEN, 60, 100) is None
    assert service.agents[IDS[0]].ran == []


def test_it_is_cancelled(service: Service) -> None:
    service.agents[IDS[0]].waits = True
    command = service.jada.send(IDS[:1], "hello", TOKEN, 60, 100)
    assert command
    eventually(lambda: bool(service.agents[IDS[0]].ran))
    service.jada.cancel(command)
    assert service.ended(command)[IDS[0]][0] == "Cancelled"


def test_throttling_is_waited_for(service: Service) -> None:
    service.fails({"SendCommand": {"*": {"code": "ThrottlingException", "times": 2}}})
    assert service.jada.send(IDS[:1], "hello", TOKEN, 60, 100)


def test_a_lost_answer_has_the_command_sent_again(service: Service) -> None:
    """Nothing of SendCommand tells AWS that it is the same: so the host has to know (files/run-command.sh)."""
    service.fails({"SendCommand": {"*": {"lost": True, "times": 1}}})
    command = service.jada.send(IDS[:1], "hello", TOKEN, 60, 100)
    assert command
    service.ended(command)
    eventually(lambda: service.agents[IDS[0]].ran == ["hello", "hello"])


@pytest.mark.parametrize("ask", [
    lambda jada: jada.agents(IDS[:1]),
    lambda jada: jada.send(IDS[:1], "hello", TOKEN, 60, 100),
    lambda jada: jada.invocations("0" * 36),
    lambda jada: jada.output("0" * 36, IDS[0]),
    lambda jada: jada.cancel("0" * 36),
])  # fmt: skip
def test_a_permission_that_is_lacking_is_named(service: Service, ask: Callable[[RunCommand], object]) -> None:
    service.fails({"*": {"*": {"code": "AccessDeniedException"}}})
    with pytest.raises(JadaError, match="lack the permission ssm:"):
        ask(service.jada)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"InstanceIds": IDS[:51]}, "ValidationException"),
        ({"InstanceIds": [IDS[0], IDS[0]]}, "DuplicateInstanceId"),
        ({"DocumentName": "AWS-RunPowerShellScript"}, "InvalidDocument"),
        ({"Parameters": {"commands": ["x" * 65_000]}}, "MaxDocumentSizeExceeded"),
        ({"Parameters": {"commands": ["{{ x }}"]}}, "InvalidParameters"),
        ({"Parameters": {"commands": []}}, "InvalidParameters"),
        ({"TimeoutSeconds": 29}, "ValidationException"),
        ({"Comment": "x" * 101}, "ValidationException"),
        ({"MaxErrors": "101%"}, "ValidationException"),
    ],
)
def test_the_stand_in_takes_no_more_than_aws(change: dict[str, Any], code: str) -> None:
    request = {
        "InstanceIds": IDS[:1],
        "DocumentName": "AWS-RunShellScript",
        "Parameters": {"commands": ["x"]},
        **change,
    }
    ssm = Ssm({(REGION, instance): Echo() for instance in IDS})
    with pytest.raises(SsmError) as caught:
        ssm.answer("SendCommand", REGION, json.dumps(request).encode())
    assert caught.value.code == code


def test_the_stand_in_keeps_what_aws_keeps_and_cuts_what_it_cuts(service: Service) -> None:
    text = "x" * 30_000
    command = service.jada.send(IDS[:1], text, TOKEN, 60, 100)
    assert command
    (listed,) = service.ended(command).values()
    assert (len(listed[1]), len(service.jada.output(command, IDS[0]) or "")) == (2500, 24_000)
    (kept,) = service.call("list_commands", CommandId=command)["Commands"]
    assert (kept["Parameters"]["commands"], kept["Comment"]) == ([text], f"jada {TOKEN}")


def _sent(service: Service) -> str | None:
    return service.jada.send(IDS[:1], "hello", TOKEN, 60, 100)


def test_a_command_that_iam_denies_was_surely_not_begun(service: Service) -> None:
    service.fails({"SendCommand": {"*": {"code": "AccessDeniedException", "message": "not allowed on i-1"}}})
    with pytest.raises(NotBegunError) as caught:
        _sent(service)
    resources = "arn:aws:ssm:*:*:document/AWS-RunShellScript and arn:aws:ec2:*:*:instance/*"
    assert f"lack the permission ssm:SendCommand on {resources}" in caught.value.message
    assert service.agents[IDS[0]].ran == []


@pytest.mark.parametrize("code", ["InvalidParameters", "ExpiredTokenException"])
def test_what_aws_refuses_at_once_was_not_begun(service: Service, code: str) -> None:
    service.fails({"SendCommand": {"*": {"code": code}}})
    with pytest.raises(NotBegunError):
        _sent(service)


def test_a_refusal_after_an_answer_that_was_lost_leaves_it_open(service: Service) -> None:
    """The first may have been taken: only the host knows."""
    service.fails({"SendCommand": {"*": {"code": "ThrottlingException", "times": 1}}})
    # As it says then of an instance that went meanwhile.
    service.registered.clear()
    with pytest.raises(JadaError, match="InvalidInstanceId") as caught:
        _sent(service)
    assert not isinstance(caught.value, NotBegunError)


def _listed(service: Service, command: str) -> list[SsmInvocation]:
    eventually(lambda: bool(service.jada.invocations(command)))
    return service.jada.invocations(command)


def test_a_host_whose_agent_is_away_takes_it_when_it_is_back(service: Service) -> None:
    away = service.agents[IDS[0]]
    away.state = "ConnectionLost"
    command = service.jada.send(IDS[:1], "hello", TOKEN, 60, 100)
    assert command
    assert [invocation.status for invocation in _listed(service, command)] == ["Pending"]
    away.state = "Online"
    assert service.ended(command)[IDS[0]] == ("Success", f"{IDS[0]}: hello")
