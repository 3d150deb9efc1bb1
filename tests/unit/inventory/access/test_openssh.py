"""OpenSSH is told what jada's own connection is told."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from jada import Host, JadaError
from jada.inventory.access.host_key import Trust
from jada.inventory.access.known_hosts import HostKey, HostKeys
from jada.inventory.access.openssh import _agent, _known_hosts, argv
from jada.inventory.fleet.ssh import Ssh

HOST = Host("web-1", "192.0.2.1", "static")
DATA = {"ssh_user": "bitnami", "ssh_known_hosts_file": "/own", "ssh_strict_host_key_checking": "yes",
        "ssh_paramiko_connect_kwargs": {}}  # fmt: skip
STRICT = ["-o", "StrictHostKeyChecking=yes"]


def test_what_fleet_yml_does_not_say_is_left_to_ssh_itself() -> None:
    assert argv(Ssh(), HOST, DATA) == ["ssh", *STRICT, "--", "192.0.2.1"]


def test_what_it_says_counts() -> None:
    ssh = Ssh(key=Path("/key"), known_hosts=Path("/known"), jump="j")
    data = {**DATA, "ssh_paramiko_connect_kwargs": {"sock": SimpleNamespace(command="ssh -W %x")}}
    command = argv(ssh, Host("web-1", "192.0.2.1", "static", user="admin", port=2201), data)
    assert command[:9] == ["ssh", "-F", "none", "-i", "/key", "-l", "admin", "-p", "2201"]
    more = ["-o", "ProxyCommand=ssh -W %%x", "-o", "IdentitiesOnly=yes", "-o", 'UserKnownHostsFile="/known"']
    assert command[9:] == [*STRICT, *more, "--", "192.0.2.1"]


def test_a_temporary_key_is_an_agents() -> None:
    command = argv(Ssh(key=Path("/key")), HOST, DATA, ("IdentityAgent=/a",))
    assert command[1:3] == ["-l", "bitnami"]
    assert command[3:] == [*STRICT, "-o", "IdentityAgent=/a", "-o", 'UserKnownHostsFile="/own"', "--", "192.0.2.1"]


def test_no_host_is_handed_a_temporary_key(tmp_path: Path) -> None:
    """Where ~/.ssh/config says ForwardAgent, ssh forwards the agent that it logs in by: root there could use it."""
    with _agent(a_key(), "", tmp_path) as options:
        assert "ForwardAgent=no" in options


def test_a_tunnel_is_not_left_out_for_a_connection_that_is_open_to_the_same_address() -> None:
    """A ControlMaster of ~/.ssh/config: in two networks, two machines may have the same private address."""
    for ssh in (Ssh(), Ssh(jump="j")):
        command = argv(ssh, HOST, DATA, own_way=("ProxyUseFdpass=yes",))
        assert command[command.index("ControlPath=none") - 1] == "-o"
    assert "ControlPath=none" not in argv(Ssh(), HOST, DATA)


def test_an_ssh_configurations_jump_hosts_are_held_to_what_fleet_yml_says() -> None:
    data = {**DATA, "ssh_paramiko_connect_kwargs": {"sock": SimpleNamespace(command="ssh -W %x")}}
    assert argv(Ssh(), HOST, data)[3:5] == ["-o", "ProxyCommand=ssh -W %%x"]
    assert argv(Ssh(host_keys="accept-new"), HOST, data) == argv(Ssh(), HOST, DATA)


def test_pinned_keys_count_in_place_of_what_known_hosts_files_say() -> None:
    trust = SimpleNamespace(pinned=object())
    for ssh in (Ssh(), Ssh(known_hosts=Path("/known"))):
        command = argv(ssh, HOST, {**DATA, "ssh_paramiko_connect_kwargs": {"transport_factory": trust}})
        more = ["-o", "GlobalKnownHostsFile=none", "-o", 'UserKnownHostsFile="/own"']
        assert command == ["ssh", *STRICT, *more, "--", "192.0.2.1"]


def test_an_authority_is_trusted_as_that_alone(tmp_path: Path) -> None:
    trust = Trust("web-1", "[192.0.2.1]:22", HostKeys(authorities=(HostKey("ssh-ed25519", "AAAA"),)), "kh")
    file = _known_hosts({"ssh_paramiko_connect_kwargs": {"transport_factory": trust}}, tmp_path)["ssh_known_hosts_file"]
    assert Path(file).read_text() == "@cert-authority [192.0.2.1]:22 ssh-ed25519 AAAA\n"


def a_key() -> str:
    return (
        Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode().strip()
    )


def held(socket: Path) -> bool:
    """True if an agent answers there and holds a key."""
    return not subprocess.run(
        ["ssh-add", "-l"], env={**os.environ, "SSH_AUTH_SOCK": str(socket)}, capture_output=True, check=False
    ).returncode


def test_an_agent_keeps_a_key_as_long_as_the_login(tmp_path: Path) -> None:
    with _agent(a_key(), "", tmp_path) as options:
        assert options[0] == f"IdentityAgent={tmp_path / 'agent'}"
        assert held(tmp_path / "agent")
    gone(tmp_path / "agent")


def test_an_agent_ends_with_a_jada_that_is_killed(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from jada.inventory.access.openssh import _agent\n"
        "with _agent(sys.stdin.read(), '', Path(sys.argv[1])): print(flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(a_key())
        process.stdin.close()
        assert process.stdout.readline()
        assert held(tmp_path / "agent")
        process.send_signal(signal.SIGKILL)
    gone(tmp_path / "agent")


def gone(socket: Path) -> None:
    deadline = time.monotonic() + 60
    while socket.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not socket.exists()


@pytest.mark.parametrize(("tools", "lacking"), [((), "ssh-agent"), (("ssh-agent", "sh", "cat"), "ssh-add")])
def test_a_machine_without_an_agent_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tools: tuple[str, ...], lacking: str
) -> None:
    (tmp_path / "bin").mkdir()
    for name in tools:
        (tmp_path / "bin" / name).symlink_to(shutil.which(name) or "")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(JadaError, match=f"There is no {lacking} on this machine"), _agent(a_key(), "", tmp_path):
        pass
