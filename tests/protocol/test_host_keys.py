"""Host keys as clouds name them, over the wire: EC2's console output, and Lightsail's login."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from jada import JadaError
from jada.cli.records.pins import RecordedPins
from jada.inventory.access.login import ssh_data
from jada.inventory.discover import discover
from jada.inventory.fleet.config import Fleet
from jada.inventory.sources import ec2
from tests.protocol.conftest import Emulator

FleetOf = Callable[..., Fleet]
SOURCES = (
    "[{ec2: {regions: [us-east-1, eu-west-1], tags: {jada: agent}}}, "
    "{lightsail: {regions: [us-east-1], names: [jada-agent]}}]"
)
DENIED = {"GetConsoleOutput": {"*": {"code": "UnauthorizedOperation", "status": 403}}}


@pytest.fixture(autouse=True)
def own_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def fleet(fleet_of: FleetOf, tmp_path: Path) -> Fleet:
    (tmp_path / "kh").touch()
    return fleet_of(SOURCES, ssh="{known_hosts: kh}")


def trusts(fleet: Fleet, scratch: Path) -> dict[str, Any]:
    data = ssh_data(fleet, discover(fleet), scratch, pins=RecordedPins())
    return {
        name: values["ssh_paramiko_connect_kwargs"]["transport_factory"]  # type: ignore[index]
        for name, values in data.items()
        if isinstance(values, dict)
    }


def test_keys_of_both_clouds_are_kept_in_the_record(aws: Emulator, fleet: Fleet, tmp_path: Path) -> None:
    first = trusts(fleet, tmp_path / "first")
    key = tuple(aws.host_key.split()[:2])
    pinned = {name: trust.pinned.pin for name, trust in first.items() if trust.pinned}
    assert pinned.keys() == {"spec-2", "jada-agent"}
    assert {(each.kind, each.text) for pin in pinned.values() for each in pin.own} == {key}
    assert (pinned["spec-2"].source, pinned["jada-agent"].source) == ("EC2's console output", "Lightsail's API")
    assert all(pin.seen.endswith("+00:00") and pin.account == "123456789012" for pin in pinned.values())
    # moto's instances show a console of long ago.
    assert first["orch-1"].why_none.message == "EC2's console output names no keys of it"
    aws.fails(DENIED)
    again = trusts(fleet, tmp_path / "again")
    assert {name: trust.pinned.pin for name, trust in again.items() if trust.pinned} == pinned
    assert "lack the permission ec2:GetConsoleOutput on arn:aws:ec2:*:*:instance/*" in again["orch-1"].why_none.message


def test_a_host_that_is_pinned_needs_no_file_of_known_hosts(fleet_of: FleetOf, tmp_path: Path) -> None:
    """Nor do the others of its fleet: each that nobody knows is refused by itself."""
    fleet = fleet_of("[{ec2: {regions: [eu-west-1], tags: {jada: agent}}}]", ssh="{known_hosts: nosuch}")
    trusted = trusts(fleet, tmp_path / "scratch")
    assert trusted["spec-2"].pinned
    assert trusted["spec-1"].why_none
    alone = fleet_of("[{ec2: {regions: [us-east-1], tags: {role: orchestrator}}}]", ssh="{known_hosts: nosuch}")
    assert trusts(alone, tmp_path / "alone")["orch-1"].why_none


class Console:
    """An EC2 client whose answers with and without Latest differ."""

    def __init__(self, answers: Sequence[str | Exception]) -> None:
        self.answers, self.asked = list(answers), list[dict[str, Any]]()
        self.exceptions = self

    class ClientError(Exception):
        def __init__(self, code: str) -> None:
            super().__init__(code)
            self.response = {"Error": {"Code": code}}

    def __enter__(self) -> Console:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def get_console_output(self, **arguments: Any) -> dict[str, Any]:
        self.asked.append(arguments)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return {"Output": answer}


BLOCK = "-----BEGIN SSH HOST KEY KEYS-----\nssh-ed25519 AAAA x\n-----END SSH HOST KEY KEYS-----\n"


@pytest.mark.parametrize(
    ("answers", "keys", "calls"),
    [
        ([BLOCK], 1, [{}]),
        (["booting", BLOCK], 1, [{}, {"Latest": True}]),
        (["booting", Console.ClientError("UnsupportedOperation")], 0, [{}, {"Latest": True}]),
        (["", "booted again"], 0, [{}, {"Latest": True}]),
    ],
)
def test_the_console_as_it_is_now_is_asked_for_where_the_first_boot_tells_nothing(
    monkeypatch: pytest.MonkeyPatch,
    fleet: Fleet,
    answers: list[str | Exception],
    keys: int,
    calls: list[dict[str, Any]],
) -> None:
    console, host = Console(answers), discover(fleet)[0]
    monkeypatch.setattr(ec2, "client", lambda *_: console)
    assert len(ec2.host_keys(fleet.aws, host)) == keys
    assert console.asked == [{"InstanceId": host.id, **more} for more in calls]


def test_other_refusals_are_told(monkeypatch: pytest.MonkeyPatch, fleet: Fleet) -> None:
    console, host = Console(["", Console.ClientError("InternalError")]), discover(fleet)[0]
    monkeypatch.setattr(ec2, "client", lambda *_: console)
    with pytest.raises(Console.ClientError):
        ec2.host_keys(fleet.aws, host)


def test_a_throttled_console_is_asked_again(aws: Emulator, fleet: Fleet) -> None:
    aws.fails({"GetConsoleOutput": {"*": {"code": "RequestLimitExceeded", "status": 503, "times": 1}}})
    host = next(host for host in discover(fleet) if host.name == "spec-2")
    assert [(key.kind, key.text) for key in ec2.host_keys(fleet.aws, host)] == [tuple(aws.host_key.split()[:2])]
    aws.fails(DENIED)
    with pytest.raises(JadaError, match="ec2:GetConsoleOutput"):
        ec2.host_keys(fleet.aws, host)
