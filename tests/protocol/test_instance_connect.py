"""EC2 Instance Connect: keys of this run that are let in for a minute, and tunnels through its endpoints."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import paramiko
import pytest
from gevent.event import Event
from paramiko import SSHException
from paramiko.common import AUTH_FAILED, AUTH_SUCCESSFUL, OPEN_SUCCEEDED

from jada import Host, HostError, Service
from jada.cli.doctor.cloud import denied
from jada.inventory.access.login import ssh_data
from jada.inventory.access.openssh import openssh
from jada.inventory.access.tunnel import MOST
from jada.inventory.cloud.client import answered
from jada.inventory.discover import discover
from jada.inventory.fleet.config import Fleet
from jada.tasks.engines.ssh import SshEngine

if TYPE_CHECKING:
    from tests.protocol.conftest import Emulator

FleetOf = Callable[..., Fleet]
PUSHED = "{ec2: {regions: [us-east-1], tags: {jada: agent}, user: admin, login: instance-connect}}"
TUNNELLED = PUSHED.replace("login", "via: eice, login")
# Hosts behind one endpoint; as many as the largest fleets of ssh takes minutes.
MANY = 500 if os.environ.get("JADA_ALL_FAULTS") else 45
DENIED = {"code": "AccessDeniedException", "status": 403}


@dataclass
class Sshd(paramiko.ServerInterface):
    """A server that lets in who shows a key that the emulated AWS was given for that user; each login is in `let_in`.

    It says "well done" to every command.
    """

    aws: Emulator
    listening: socket.socket
    key: paramiko.PKey = field(default_factory=paramiko.ECDSAKey.generate)
    let_in: list[str] = field(default_factory=list)

    def serve(self) -> None:
        with suppress(OSError):
            while True:
                line, _ = self.listening.accept()
                threading.Thread(target=self._greet, args=(line,), daemon=True).start()

    def _greet(self, line: socket.socket) -> None:
        transport = paramiko.Transport(line)
        transport.add_server_key(self.key)
        with suppress(SSHException, EOFError, OSError):
            transport.start_server(server=self)
            while channel := transport.accept(60):
                channel.sendall(b"well done\n")
                channel.send_exit_status(0)
                channel.close()

    def get_allowed_auths(self, _username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        text = f"{key.get_name()} {key.get_base64()}"
        if (text, username) not in {(pushed, user) for pushed, user, _ in pushes(self.aws)}:
            return AUTH_FAILED
        self.let_in.append(text)
        return AUTH_SUCCESSFUL

    def check_channel_request(self, _kind: str, _number: int) -> int:
        return OPEN_SUCCEEDED

    def check_channel_exec_request(self, _channel: paramiko.Channel, _command: bytes) -> bool:
        return True


def pushes(aws: Emulator) -> list[tuple[str, str, str]]:
    """The key, the user and the instance of each key that was pushed."""
    return re.findall(r"pushed (\S+ \S+) for (\S+) on (\S+)", aws.log())


def most_open(aws: Emulator) -> int:
    return max((int(count) for count in re.findall(r"opened a tunnel of \S+: (\d+)", aws.log())), default=0)


@pytest.fixture
def sshd(aws: Emulator, tmp_path: Path) -> Iterator[Sshd]:
    with socket.create_server(("127.0.0.1", aws.tunnel_port), backlog=100) as listening:
        server = Sshd(aws, listening)
        thread = threading.Thread(target=server.serve)
        thread.start()
        key = f"{server.key.get_name()} {server.key.get_base64()}"
        (tmp_path / "kh").write_text(f"10.77.* {key}\n[127.0.0.1]:{aws.tunnel_port} {key}\n")
        yield server
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()


def hosts(fleet: Fleet, **changes: Any) -> list[Host]:
    return [replace(host, **changes) for host in discover(fleet)]


def engine_of(fleet: Fleet, every: list[Host], scratch: Path) -> SshEngine:
    return SshEngine(ssh_data(fleet, every, scratch), Service(unit="a.service", settings="~/s"), {})


def connected(fleet: Fleet, every: list[Host], scratch: Path) -> dict[str, HostError | None]:
    """Connects to each of the hosts; the error where one could not be."""
    engine = engine_of(fleet, every, scratch)
    try:
        return dict(engine.imap([host.name for host in every], lambda _, connection: connection.connect()))
    finally:
        engine.close()


def trouble(fleet: Fleet, host: Host, scratch: Path) -> HostError:
    error = connected(fleet, [host], scratch)[host.name]
    assert isinstance(error, HostError)
    return error


def test_a_key_of_this_run_is_pushed_right_before_each_login(
    aws: Emulator, fleet_of: FleetOf, sshd: Sshd, tmp_path: Path
) -> None:
    fleet = fleet_of(f"[{PUSHED}]", ssh="{known_hosts: kh}")
    host = hosts(fleet, address="127.0.0.1", port=aws.tunnel_port)[0]
    before = len(pushes(aws))
    engine = engine_of(fleet, [host], tmp_path / "scratch")
    assert len(pushes(aws)) == before
    for _ in range(2):
        assert list(engine.imap([host.name], lambda _, connection: connection.connect())) == [(host.name, None)]
        engine.close()
    new = pushes(aws)[before:]
    assert [(user, instance) for _, user, instance in new] == [("admin", host.instance)] * 2
    assert sshd.let_in == [key for key, _, _ in new]
    assert len(set(sshd.let_in)) == 1
    assert sshd.let_in[0].startswith("ssh-ed25519 ")
    assert not connected(fleet, [host], tmp_path / "scratch")[host.name]
    assert len(set(sshd.let_in)) == 2


def test_one_key_is_for_all_hosts_of_a_run_and_for_no_others(fleet_of: FleetOf, tmp_path: Path) -> None:
    (tmp_path / "kh").touch()
    (tmp_path / "k").touch()
    other = "{static: {hosts: {s: {address: 192.0.2.1, user: debian}}}}"
    fleet = fleet_of(f"[{PUSHED}, {other}]", ssh="{known_hosts: kh, key: k}")
    data = ssh_data(fleet, discover(fleet), tmp_path / "scratch")
    logins = {name: values["ssh_paramiko_connect_kwargs"]["auth_strategy"] for name, values in data.items()}  # type: ignore[index]
    assert logins.pop("s").grant is None
    assert len(logins) == 3
    assert len({id(login.grant._credential.key) for login in logins.values()}) == 1
    assert "PRIVATE" not in repr([login.grant._credential for login in logins.values()])
    assert all("PRIVATE" not in file.read_text() for file in (tmp_path / "scratch").iterdir())


def test_throttling_is_waited_for(aws: Emulator, fleet_of: FleetOf, sshd: Sshd, tmp_path: Path) -> None:
    aws.fails({"SendSSHPublicKey": {"*": {"code": "ThrottlingException", "times": 2}}})
    fleet = fleet_of(f"[{PUSHED}]", ssh="{known_hosts: kh}")
    host = hosts(fleet, address="127.0.0.1", port=aws.tunnel_port)[0]
    assert connected(fleet, [host], tmp_path / "scratch") == {host.name: None}
    assert len(sshd.let_in) == 1


@pytest.mark.usefixtures("sshd")
@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"user": "a" * 33}, "EC2 Instance Connect takes no user such as 'aaa"),
        ({"user": "DOMAIN\\me"}, "EC2 Instance Connect takes no user such as"),
        ({"instance": "i-0123456789abcdef0"}, "EC2 Instance Connect does not take its key: .*InstanceNotFound"),
    ],
)
def test_a_key_that_can_not_be_pushed_is_told(
    aws: Emulator, fleet_of: FleetOf, tmp_path: Path, changes: dict[str, str], expected: str
) -> None:
    fleet = fleet_of(f"[{PUSHED}]", ssh="{known_hosts: kh}")
    host = hosts(fleet, address="127.0.0.1", port=aws.tunnel_port, **changes)[0]
    assert re.search(expected, trouble(fleet, host, tmp_path / "scratch").message)


@pytest.mark.usefixtures("sshd")
def test_a_denied_push_names_the_permission(aws: Emulator, fleet_of: FleetOf, tmp_path: Path) -> None:
    aws.fails({"SendSSHPublicKey": {"*": DENIED}})
    fleet = fleet_of(f"[{PUSHED}]", ssh="{known_hosts: kh}")
    host = hosts(fleet, address="127.0.0.1", port=aws.tunnel_port)[0]
    error = trouble(fleet, host, tmp_path / "scratch")
    assert denied(error) == "ec2-instance-connect:SendSSHPublicKey"
    assert "arn:aws:ec2:*:*:instance/*" in error.message


def test_a_host_that_does_not_take_the_key_names_the_package(
    aws: Emulator, fleet_of: FleetOf, sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sshd, "check_auth_publickey", lambda *_: AUTH_FAILED)
    fleet = fleet_of(f"[{PUSHED}]", ssh="{known_hosts: kh}")
    host = hosts(fleet, address="127.0.0.1", port=aws.tunnel_port)[0]
    error = trouble(fleet, host, tmp_path / "scratch")
    assert "takes none of these keys: the key that EC2 Instance Connect was given" in error.message
    assert "package ec2-instance-connect" in error.hint


def test_hosts_are_reached_through_an_endpoint(aws: Emulator, fleet_of: FleetOf, sshd: Sshd, tmp_path: Path) -> None:
    fleet = fleet_of(f"[{TUNNELLED}]", ssh="{known_hosts: kh}")
    assert connected(fleet, hosts(fleet), tmp_path / "scratch") == dict.fromkeys((h.name for h in hosts(fleet)), None)
    assert len(sshd.let_in) == 3
    assert "ec2-instance-connect:OpenTunnel" in answered([fleet.aws])


@pytest.mark.usefixtures("sshd")
def test_never_more_than_twenty_tunnels_are_open(aws: Emulator, fleet_of: FleetOf, tmp_path: Path) -> None:
    fleet = fleet_of(f"[{TUNNELLED}]", ssh="{known_hosts: kh}")
    first = hosts(fleet)[0]
    many = [replace(first, name=f"h{at}", address=f"10.77.{at // 250}.{at % 250}") for at in range(MANY)]
    refused = aws.log().count("refused the next tunnel")
    with closing(engine_of(fleet, many, tmp_path / "scratch")) as engine:
        for _ in range(2):
            results = dict(engine.imap([host.name for host in many], lambda _, connection: connection.connect()))
            assert results == {host.name: None for host in many}
    assert most_open(aws) == MOST
    assert aws.log().count("refused the next tunnel") == refused


def test_no_more_hosts_are_followed_than_have_a_place(fleet_of: FleetOf, tmp_path: Path) -> None:
    (tmp_path / "kh").touch()
    fleet = fleet_of(f"[{TUNNELLED}]", ssh="{known_hosts: kh}")
    first = hosts(fleet)[0]
    many = [replace(first, name=f"h{number}") for number in range(MOST + 1)]
    all_came = Event()

    def follow(name: str, _: object) -> Iterator[str]:
        yield name
        all_came.wait()

    came: dict[str, str | HostError] = {}
    with closing(engine_of(fleet, many, tmp_path / "scratch")) as engine:
        for event in engine.follow([host.name for host in many], follow):
            came |= dict([event] if event else [])
            if len(came) == len(many):
                all_came.set()
    (error,) = (answer for answer in came.values() if isinstance(answer, HostError))
    assert re.search(r"eice-\w+ has 20 connections at once, and all are in use", error.message)


@pytest.mark.usefixtures("sshd")
@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"vpc": "vpc-1", "region": "eu-west-1"},
            r"no EC2 Instance Connect Endpoint in vpc-1 \(eu-west-1\) can be used",
        ),
        ({"vpc": ""}, "no EC2 Instance Connect Endpoint in its network"),
        ({"port": 2222}, "leads to port 22, not to 2222"),
        ({"address": "2001:db8::1"}, "leads to ipv4 alone, not to 2001:db8::1"),
    ],
)
def test_a_host_with_no_way_through_an_endpoint_is_told(
    fleet_of: FleetOf, tmp_path: Path, changes: dict[str, Any], expected: str
) -> None:
    fleet = fleet_of(f"[{TUNNELLED}]", ssh="{known_hosts: kh}")
    assert re.search(expected, trouble(fleet, hosts(fleet, **changes)[0], tmp_path / "scratch").message)


@pytest.mark.usefixtures("sshd")
def test_a_denied_tunnel_names_the_permission(fleet_of: FleetOf, tmp_path: Path) -> None:
    fleet = fleet_of(f"[{TUNNELLED}]", password="wrong", ssh="{known_hosts: kh}")
    error = trouble(fleet, hosts(fleet)[0], tmp_path / "scratch")
    assert denied(error) == "ec2-instance-connect:OpenTunnel"
    assert "The signature does not match" in error.message
    assert "X-Amz" not in error.message


@pytest.mark.usefixtures("sshd")
def test_denied_endpoints_name_the_permission(aws: Emulator, fleet_of: FleetOf, tmp_path: Path) -> None:
    fleet = fleet_of(f"[{TUNNELLED}]", ssh="{known_hosts: kh}")
    found = hosts(fleet)
    aws.fails({"DescribeInstanceConnectEndpoints": {"*": {"code": "UnauthorizedOperation", "status": 403}}})
    assert denied(trouble(fleet, found[0], tmp_path / "scratch")) == "ec2:DescribeInstanceConnectEndpoints"


def test_a_host_that_its_endpoint_does_not_reach_is_told(fleet_of: FleetOf, tmp_path: Path) -> None:
    (tmp_path / "kh").touch()
    fleet = fleet_of(f"[{TUNNELLED}]", ssh="{known_hosts: kh}")
    host = hosts(fleet)[0]
    message = trouble(fleet, host, tmp_path / "scratch").message
    assert re.search(r"the tunnel through eice-\w+ was closed by remote: Unable to connect to target", message)


def test_openssh_goes_the_same_way_with_the_same_key(fleet_of: FleetOf, sshd: Sshd, tmp_path: Path) -> None:
    fleet = fleet_of(f"[{TUNNELLED}]", ssh="{known_hosts: kh}")
    with openssh(fleet, hosts(fleet)[0], tmp_path / "scratch") as argv:
        process = subprocess.run([*argv, "uptime"], capture_output=True, text=True, check=False)
        assert (process.returncode, process.stdout) == (0, "well done\n"), process.stderr
        assert all("PRIVATE" not in file.read_text() for file in (tmp_path / "scratch").iterdir() if file.is_file())
    # It asks about a key before it shows that it has it.
    assert len(set(sshd.let_in)) == 1


def test_a_public_address_is_no_way_of_an_endpoint(fleet_of: FleetOf) -> None:
    with pytest.raises(Exception, match="can't be public with `via: eice`"):
        fleet_of("[{ec2: {regions: [us-east-1], via: eice, address: public}}]")
