"""Logging in: temporary keys that work, host keys that are checked, and pyinfra's own inventory."""

from __future__ import annotations

import base64
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path
from typing import Any

import paramiko
import pytest
from botocore.client import BaseClient
from paramiko import SSHException
from paramiko.agent import AgentSSH

import jada
from jada import ConfigError, Host, HostError, HostKeyError, Service
from jada.inventory.access import login
from jada.inventory.access.identity import LoginError
from jada.inventory.access.login import jump_config, ssh_data
from jada.inventory.access.openssh import openssh
from jada.inventory.access.temporary import MARGIN
from jada.inventory.discover import discover
from jada.inventory.fleet.config import Fleet
from jada.inventory.fleet.ssh import Ssh
from jada.inventory.sources.lightsail import granted
from jada.tasks.engines.ssh import SshEngine

FleetOf = Callable[..., Fleet]

LIGHTSAIL = "{lightsail: {regions: [us-east-1], names: ['jada-agent*']}}"
STATIC = "{static: {hosts: {s: {address: 192.0.2.1, user: debian}}}}"


def data(fleet: Fleet, scratch: Path) -> dict[str, dict[str, Any]]:
    by_host = ssh_data(fleet, discover(fleet), scratch)
    return {name: values for name, values in by_host.items() if not isinstance(values, HostError)}


def trouble(fleet: Fleet, host: Host, scratch: Path) -> HostError:
    """Says why a host can't be reached."""
    result = ssh_data(fleet, [host], scratch)[host.name]
    assert isinstance(result, HostError)
    return result


def read_by_ssh(config: Path, name: str) -> dict[str, str]:
    """The options that ssh reads in a configuration for a host."""
    output = subprocess.run(["ssh", "-F", config, "-G", name], capture_output=True, text=True, check=True).stdout
    return dict(line.split(" ", 1) for line in output.splitlines() if " " in line)


def known(file: object, name: str) -> dict[str, str]:
    """Host keys by algorithm, as paramiko reads them for an address."""
    keys = paramiko.HostKeys(str(file)).lookup(name)
    return {kind: key.get_base64() for kind, key in (keys or {}).items()}


def temporary(values: dict[str, Any]) -> paramiko.PKey:
    """The only key that a host is offered."""
    ((_, key),) = values["ssh_paramiko_connect_kwargs"]["auth_strategy"]._keys(AgentSSH(), [])
    assert isinstance(key, paramiko.PKey)
    return key


def certificate(values: dict[str, Any], tmp_path: Path) -> str:
    """The certificate of a host's key, as ssh-keygen reads it."""
    blob = temporary(values).public_blob
    assert blob
    file = tmp_path / "cert.pub"
    file.write_text(f"{blob.key_type} {base64.b64encode(blob.key_blob).decode()}\n")
    return subprocess.run(["ssh-keygen", "-L", "-f", file], capture_output=True, text=True, check=True).stdout


def test_lightsail_gives_a_key_that_its_certificate_belongs_to(fleet_of: FleetOf, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    by_host = data(fleet_of(f"[{LIGHTSAIL}]"), scratch)
    assert set(by_host) == {"jada-agent", "jada-agent-2", "jada-agent-3"}
    assert scratch.stat().st_mode & 0o777 == 0o700
    keys = {temporary(values).fingerprint for values in by_host.values()}
    assert len(keys) == 3
    for values in by_host.values():
        assert values["ssh_user"] == "admin"
        text = certificate(values, tmp_path)
        assert re.search(r"Principals:\s+admin\s", text)
        assert re.search(r"Public key: RSA-CERT (\S+)", text).group(1) in keys  # type: ignore[union-attr]
        assert "Valid: from" in text


def test_a_temporary_key_is_in_no_file_and_no_other_key_is_offered(fleet_of: FleetOf, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    for values in data(fleet_of(f"[{LIGHTSAIL}]"), scratch).values():
        assert "ssh_key" not in values
        assert (values["ssh_allow_agent"], values["ssh_look_for_keys"]) == (False, False)
        assert temporary(values)
    assert all("PRIVATE" not in file.read_text() for file in scratch.iterdir())
    assert [file.read_text() for file in scratch.iterdir() if "known_hosts" not in file.name] == [""]


def test_the_certificate_is_signed_by_the_authority(aws: Any, fleet_of: FleetOf, tmp_path: Path) -> None:
    text = certificate(data(fleet_of(f"[{LIGHTSAIL}]"), tmp_path / "scratch")["jada-agent"], tmp_path)
    ca = subprocess.run(["ssh-keygen", "-l", "-f", aws.folder / "ca.pub"], capture_output=True, text=True, check=True)
    assert f"Signing CA: ED25519 {ca.stdout.split()[1]}" in text


def test_lightsails_host_keys_are_trusted_beside_the_known_ones(aws: Any, fleet_of: FleetOf, tmp_path: Path) -> None:
    (tmp_path / "kh").write_text(f"192.0.2.9 {aws.host_key}\n")
    ssh = "{known_hosts: kh, port: 2222, host_keys: accept-new}"
    by_host = data(fleet_of(f"[{LIGHTSAIL}, {STATIC}]", ssh=ssh), tmp_path / "scratch")
    file = by_host["jada-agent"]["ssh_known_hosts_file"]
    blob = aws.host_key.split()[1]
    assert known(file, "[10.77.0.21]:2222") == {"ssh-ed25519": blob}
    assert by_host["jada-agent"]["ssh_strict_host_key_checking"] == "yes"
    assert (by_host["s"]["ssh_known_hosts_file"], by_host["s"]["ssh_strict_host_key_checking"]) == (
        str(tmp_path / "kh"),
        "accept-new",
    )


def test_a_standing_key_is_for_all_hosts_but_lightsails(fleet_of: FleetOf, tmp_path: Path) -> None:
    (tmp_path / "k").touch()
    (tmp_path / "kh").touch()
    by_host = data(fleet_of(f"[{LIGHTSAIL}, {STATIC}]", ssh="{key: k, known_hosts: kh}"), tmp_path / "scratch")
    assert {values["ssh_strict_host_key_checking"] for values in by_host.values()} == {"yes"}
    assert by_host["s"].pop("ssh_paramiko_connect_kwargs")["auth_strategy"]._options.identities == (tmp_path / "k",)
    assert by_host["s"] == {
        "ssh_hostname": "192.0.2.1",
        "ssh_port": 22,
        "ssh_user": "debian",
        "ssh_config_file": str(tmp_path / "scratch/@none"),
        "ssh_allow_agent": False,
        "ssh_look_for_keys": False,
        "ssh_known_hosts_file": str(tmp_path / "kh"),
        "ssh_strict_host_key_checking": "yes",
    }


def test_a_jump_host_is_on_the_way_to_all(fleet_of: FleetOf, tmp_path: Path) -> None:
    (tmp_path / "k").touch()
    (tmp_path / "kh").touch()
    ssh = "{key: k, known_hosts: kh, jump: 'me@bastion:222'}"
    by_host = data(fleet_of(f"[{LIGHTSAIL}, {STATIC}]", ssh=ssh), tmp_path / "scratch")
    commands = {values["ssh_paramiko_connect_kwargs"]["sock"].command for values in by_host.values()}
    file = tmp_path / "scratch/@jump"
    assert commands == {
        f"ssh -F {file} -o BatchMode=yes -o ControlMaster=no -W '[{address}]:22' ssh://bastion"
        for address in ("192.0.2.1", "10.77.0.21", "10.77.0.22", "10.77.0.23")
    }
    hop = read_by_ssh(file, "bastion")
    assert (hop["user"], hop["port"], hop["stricthostkeychecking"]) == ("me", "222", "true")
    assert (hop["userknownhostsfile"], hop["identityfile"]) == (str(tmp_path / "kh"), str(tmp_path / "k"))
    assert "proxyjump" not in hop


@pytest.mark.parametrize(
    ("ssh", "expected"),
    [
        ("{key: nope}", r"ssh\.key in .* names .*nope, which does not exist"),
        ("{known_hosts: nope}", "nope does not exist, so no host key can be checked"),
        ("{}", r"home/\.ssh/known_hosts does not exist"),
    ],
)
def test_what_would_fail_on_every_host_is_told_once(fleet_of: FleetOf, tmp_path: Path, ssh: str, expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        data(fleet_of(f"[{STATIC}]", ssh=ssh), tmp_path / "scratch")


def test_accept_new_makes_the_file_it_will_write_to(fleet_of: FleetOf, tmp_path: Path) -> None:
    data(fleet_of(f"[{STATIC}]", ssh="{known_hosts: new/kh, host_keys: accept-new}"), tmp_path / "scratch")
    assert (tmp_path / "new/kh").read_text() == ""


def test_access_denied_names_the_permission(aws: Any, fleet_of: FleetOf, tmp_path: Path) -> None:
    aws.fails({"GetInstanceAccessDetails": {"*": {"code": "AccessDeniedException"}}})
    fleet = fleet_of(f"[{LIGHTSAIL}]")
    for error in ssh_data(fleet, discover(fleet), tmp_path / "scratch").values():
        assert isinstance(error, HostError)
        assert "permission lightsail:GetInstanceAccessDetails" in error.message


def test_a_host_that_lightsail_gives_no_access_to_keeps_no_other_waiting(
    aws: Any, fleet_of: FleetOf, tmp_path: Path
) -> None:
    aws.fails({"GetInstanceAccessDetails": {"*": {"code": "NotFoundException", "times": 1}}})
    (tmp_path / "kh").touch()
    fleet = fleet_of(f"[{LIGHTSAIL}, {STATIC}]", ssh="{known_hosts: kh}")
    by_host = ssh_data(fleet, discover(fleet), tmp_path / "scratch")
    errors = {name: error for name, error in by_host.items() if isinstance(error, HostError)}
    assert set(by_host) == {"jada-agent", "jada-agent-2", "jada-agent-3", "s"}
    ((name, error),) = errors.items()
    assert name in error.message
    assert "NotFoundException" in error.message


def pyinfra(fleet: Path, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    inventory = Path(jada.__file__).parent / "inventory" / "aws.py"
    (tmp_path / "temporary").mkdir()
    return subprocess.run(
        [sys.executable, "-m", "pyinfra", inventory, "--json", "debug-inventory"],
        cwd=tmp_path,
        env={**os.environ, "JADA_FLEET": str(fleet), "TMPDIR": str(tmp_path / "temporary")},
        capture_output=True,
        text=True,
        check=False,
    )


def test_pyinfra_by_hand_sees_roles_data_and_leaves_no_keys(fleet_of: FleetOf, tmp_path: Path) -> None:
    process = pyinfra(fleet_of(f"[{LIGHTSAIL}]").path, tmp_path)
    assert process.returncode == 0, process.stderr
    for part in ("specialist", "claude-haiku-4.5", "jada-agent-3", "2147483646", "ssh_known_hosts_file"):
        assert part in process.stdout
    assert list((tmp_path / "temporary").iterdir()) == []


def test_pyinfra_by_hand_tells_of_a_host_that_can_not_be_reached_and_has_the_others(
    aws: Any, fleet_of: FleetOf, tmp_path: Path
) -> None:
    aws.fails({"GetInstanceAccessDetails": {"*": {"code": "NotFoundException", "times": 1}}})
    roles = "{orchestrator: {names: [nobody]}, specialist: {}}"
    process = pyinfra(fleet_of(f"[{LIGHTSAIL}]", roles=roles).path, tmp_path)
    assert process.returncode == 0, process.stderr
    assert "Note: roles.orchestrator.names: no host has a Name or an id like nobody" in process.stderr
    assert "Error: jada-agent" in process.stderr
    assert all(name in process.stdout for name in ("jada-agent-2", "jada-agent-3"))
    assert (process.stdout.count("unreachable.invalid"), process.stdout.count('"ssh_user": "admin"')) == (1, 2)


@pytest.mark.parametrize(
    ("sources", "code", "expected"),
    [
        ("[{lightsail: {regions: [us-east-1], names: [nope]}}]", 1, "No host was found in lightsail"),
        ("[{static: {hosts: {s: {address: a}}}}]", 2, "no host key can be checked"),
    ],
)
def test_pyinfra_by_hand_fails_where_jada_would(
    fleet_of: FleetOf, tmp_path: Path, sources: str, code: int, expected: str
) -> None:
    process = pyinfra(fleet_of(sources).path, tmp_path)
    assert process.returncode == code
    assert expected in process.stderr
    assert "Traceback" not in process.stderr


def test_each_host_is_compared_with_its_own_lines_only(aws: Any, fleet_of: FleetOf, tmp_path: Path) -> None:
    """Hashed ones too: for 500 hosts that all are compared with all of them, paramiko takes many seconds."""
    ssh_keygen = ("ssh-keygen", "-q", "-H", "-f", str(tmp_path / "kh"))
    lines = [f"{name} {aws.host_key}" for name in ("192.0.2.1,other", "192.0.2.7", "[192.0.2.2]:2222", "192.0.2.2")]
    (tmp_path / "kh").write_text("\n".join(["# some hosts", "", *lines]) + "\n")
    hosts = "{static: {hosts: {a: {address: 192.0.2.1}, b: {address: 192.0.2.2, port: 2222}, c: {address: 192.0.2.3}}}}"
    blob = {"ssh-ed25519": aws.host_key.split()[1]}
    for hashed in (False, True):
        if hashed:
            subprocess.run(ssh_keygen, check=True, capture_output=True)
            assert "192" not in (tmp_path / "kh").read_text()
        by_host = data(fleet_of(f"[{hosts}]", ssh="{known_hosts: kh}"), tmp_path / f"scratch-{hashed}")
        files = {name: Path(values["ssh_known_hosts_file"]) for name, values in by_host.items()}
        assert [len(files[name].read_text().splitlines()) for name in "ab"] == [1, 1]
        assert known(files["a"], "192.0.2.1") == known(files["b"], "[192.0.2.2]:2222") == blob
        # New keys go where they are kept.
        assert files["c"] == tmp_path / "kh"


def test_lines_that_paramiko_can_not_read_hide_no_key(aws: Any, fleet_of: FleetOf, tmp_path: Path) -> None:
    """It gives up a file at the first one: with accept-new, the host would then be trusted anew whatever it shows."""
    other_lines = [
        f"@revoked 192.0.2.9 {aws.host_key}",
        f"@cert-authority * {aws.host_key}",
        "|1|no|hash",
        "x",
        "a b c",
    ]
    for pattern in ("192.0.2.1", "192.0.2.*", "*,!192.0.2.9", "192.0.?.1"):
        (tmp_path / "kh").write_text("\n".join([*other_lines, f"{pattern} {aws.host_key}"]))
        fleet = fleet_of(f"[{STATIC}]", ssh="{known_hosts: kh, host_keys: accept-new}")
        values = data(fleet, tmp_path / "scratch")["s"]
        blob = {"ssh-ed25519": aws.host_key.split()[1]}
        assert known(values["ssh_known_hosts_file"], "192.0.2.1") == blob, pattern
        assert len(Path(values["ssh_known_hosts_file"]).read_text().splitlines()) == 1
        assert values["ssh_strict_host_key_checking"] == "yes"


def test_an_authoritys_key_is_no_hosts_own(aws: Any, fleet_of: FleetOf, tmp_path: Path) -> None:
    (tmp_path / "kh").write_text(f"@cert-authority 192.0.2.1 {aws.host_key}\n@other 192.0.2.1 {aws.host_key}\n")
    values = data(fleet_of(f"[{STATIC}]", ssh="{known_hosts: kh}"), tmp_path / "scratch")["s"]
    trust = values["ssh_paramiko_connect_kwargs"]["transport_factory"]
    assert ([key.text for key in trust.keys.authorities], trust.keys.own) == ([aws.host_key.split()[1]], ())
    with pytest.raises(HostKeyError, match=r"no authority of .* vouches for"):
        trust.verify(paramiko.Ed25519Key(data=base64.b64decode(aws.host_key.split()[1])))


def test_hosts_that_an_ssh_config_renames_are_compared_with_the_keys_of_their_other_name(
    aws: Any, fleet_of: FleetOf, tmp_path: Path
) -> None:
    (tmp_path / "kh").write_text(f"192.0.2.1 {aws.host_key}\n")
    fleet = fleet_of(f"[{STATIC}]", ssh="{known_hosts: kh}")
    assert data(fleet, tmp_path / "scratch")["s"]["ssh_known_hosts_file"] != str(tmp_path / "kh")
    config = Path("~/.ssh/config").expanduser()
    config.parent.mkdir(parents=True)
    config.write_text("Include more/*.conf # others\nHost *\n  User x\n")
    (config.parent / "more").mkdir()
    (config.parent / "more/a.conf").write_text("Host 192.0.2.1\n  HostName 192.0.2.5 # moved\n")
    assert data(fleet, tmp_path / "scratch")["s"]["ssh_known_hosts_file"] == str(tmp_path / "kh")
    (tmp_path / "kh").write_text(f"@revoked x {aws.host_key}\n192.0.2.5 {aws.host_key}\n")
    file = data(fleet, tmp_path / "scratch")["s"]["ssh_known_hosts_file"]
    assert known(file, "192.0.2.5") == {"ssh-ed25519": aws.host_key.split()[1]}


@pytest.mark.parametrize("text", ["Include config\n", "Port x\n", "\xff"])
def test_an_ssh_config_that_can_not_be_read_is_told_once(fleet_of: FleetOf, tmp_path: Path, text: str) -> None:
    fleet = fleet_of(f"[{STATIC}]", ssh="{host_keys: accept-new}")
    config = Path("~/.ssh/config").expanduser()
    config.parent.mkdir(parents=True)
    config.write_text(text, encoding="latin-1")
    with pytest.raises(ConfigError, match="config can't be read as an ssh configuration"):
        data(fleet, tmp_path / "scratch")


HERE = Host("web-1", "192.0.2.1", "ec2", region="us-east-1", user="debian")
EVIL = "x\n  ProxyCommand touch owned"


@pytest.mark.parametrize(
    "host",
    [
        replace(HERE, **changes)  # type: ignore[arg-type]
        for changes in (
            {"name": EVIL}, {"name": "../x"}, {"name": "@local"}, {"name": ""},
            {"address": EVIL}, {"address": "192.0.2.1 ssh-ed25519 AAAA"}, {"address": "-oProxyCommand=x"},
            {"address": "*"}, {"address": "!a,b"}, {"address": "|1|a|b"}, {"address": "@revoked"}, {"address": "#"},
            {"address": "a\x00"}, {"address": ""}, {"address": "[::1]"},
            {"user": EVIL}, {"user": "-l"}, {"user": "a b"}, {"user": "a\n"},
        )
    ],
    ids=repr,
)  # fmt: skip
def test_a_name_address_or_user_that_could_be_more_is_refused(fleet_of: FleetOf, tmp_path: Path, host: Host) -> None:
    fleet = fleet_of(f"[{STATIC}]", ssh="{host_keys: accept-new, jump: bastion}")
    error = trouble(fleet, host, tmp_path / "scratch")
    assert "can't be used" in error.message
    assert "\n" not in error.message
    assert list((tmp_path / "scratch").iterdir()) == []


@pytest.mark.parametrize("address", ["2001:db8::1", "fe80::1%eth0", "web-1.example", "münchen.example", "10.0.0.1"])
def test_names_and_addresses_of_every_kind_are_taken(fleet_of: FleetOf, tmp_path: Path, address: str) -> None:
    fleet = fleet_of(f"[{STATIC}]", ssh="{host_keys: accept-new}")
    host = replace(HERE, address=address, user="CORP\\ann.lee+ops@x")
    values = ssh_data(fleet, [host], tmp_path / "scratch")["web-1"]
    assert not isinstance(values, HostError)
    assert values["ssh_hostname"] == address


@pytest.mark.parametrize(
    "changes",
    [
        {"jump": "b\n  ProxyCommand x"}, {"jump": "-oProxyCommand=x"}, {"jump": "*"}, {"jump": "a b"}, {"jump": "a:b"},
        {"key": Path("/k\n  ProxyCommand x")}, {"key": Path("/k #")}, {"key": Path("/%h")}, {"key": Path('/"k"')},
        {"known_hosts": Path("/kh /dev/null")}, {"known_hosts": Path("/kh\nProxyCommand x")},
    ],
    ids=repr,
)  # fmt: skip
def test_nothing_becomes_another_line_of_the_ssh_configuration(changes: dict[str, Any]) -> None:
    ssh = replace(Ssh(jump="me@bastion", key=Path("/k"), known_hosts=Path("/kh")), **changes)
    with pytest.raises(ConfigError):
        jump_config(ssh)


ANSWER: dict[str, Any] = {"username": "admin", "hostKeys": [], "privateKey": "", "certKey": ""}


@pytest.mark.parametrize(
    "changes",
    [
        {"username": EVIL}, {"username": "-oProxyCommand=x"}, {"username": ""}, {"username": None}, {"username": 7},
        {"hostKeys": [{"algorithm": "ssh-rsa", "publicKey": "AAAA\n* ssh-rsa AAAA"}]},
        {"hostKeys": [{"algorithm": "ssh-rsa\nx", "publicKey": "AAAA"}]},
        {"hostKeys": [{"algorithm": "ssh-rsa", "publicKey": "AAAAC3NzaC1lZDI1NTE5"}]},
        {"hostKeys": [{}]},
        {"privateKey": "x"}, {"privateKey": None}, {"privateKey": "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n"},
        {"certKey": "/etc/passwd"}, {"certKey": ""}, {"certKey": None}, {"certKey": "ssh-rsa-cert-v01@openssh.com !"},
        {"certKey": "ssh-ed25519-cert-v01@openssh.com AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29t"},
    ],
    ids=repr,
)  # fmt: skip
def test_an_answer_of_lightsail_that_is_none_is_refused(
    fleet_of: FleetOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    host = replace(HERE, provider="lightsail")
    private = StringIO()
    paramiko.RSAKey.generate(1024).write_private_key(private)
    answer = {**ANSWER, "privateKey": private.getvalue(), **changes}
    monkeypatch.setattr(login, "access_details", lambda *_: {"web-1": granted(answer)})
    error = trouble(fleet_of(f"[{STATIC}]", ssh="{host_keys: accept-new}"), host, tmp_path / "scratch")
    assert "Lightsail" in error.message
    assert "\n" not in error.message
    assert "PRIVATE" not in error.message


@dataclass(frozen=True)
class Shown:
    """An ssh server on this machine that shows one host key and lets nobody in."""

    port: int
    key: str


@pytest.fixture
def sshd() -> Iterator[Shown]:
    with serving(socket.create_server(("127.0.0.1", 0))) as keys:
        yield keys


@contextmanager
def serving(listening: socket.socket) -> Iterator[Shown]:
    key = paramiko.ECDSAKey.generate()
    with listening:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    line, _ = listening.accept()
                    transport = paramiko.Transport(line)
                    transport.add_server_key(key)
                    with suppress(SSHException, EOFError):
                        transport.start_server(server=paramiko.ServerInterface())

        thread = threading.Thread(target=serve)
        thread.start()
        yield Shown(listening.getsockname()[1], f"{key.get_name()} {key.get_base64()}")
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()


def connected(fleet: Fleet, scratch: Path, port: int, address: str = "127.0.0.1") -> HostError:
    """Connects to the server: always ends in an error, as it lets nobody in."""
    host = Host("web-1", address, "static", user="agent", port=port)
    engine = SshEngine(ssh_data(fleet, [host], scratch), Service(unit="a.service", settings="~/s"), {})
    ((_, ended),) = engine.imap(["web-1"], lambda _, connection: connection.connect())
    engine.close()
    assert isinstance(ended, HostError)
    return ended


# PORT is the server's; what follows HASH is hashed.
REVOKING = (
    "*",
    "127.0.0.1",
    "[127.0.0.1]:PORT",
    "other,[127.0.0.1]:PORT",
    "127.0.0.*",
    "[127.0.0.?]:*",
    "*,!10.0.0.1",
    "HASH[127.0.0.1]:PORT",
    "HASH127.0.0.1",
)


@pytest.mark.parametrize("policy", ["strict", "accept-new"])
@pytest.mark.parametrize("is_known", [False, True], ids=["new", "known"])
@pytest.mark.parametrize("pattern", REVOKING)
def test_a_revoked_host_key_is_refused_and_not_learnt(
    fleet_of: FleetOf, tmp_path: Path, sshd: Shown, pattern: str, is_known: bool, policy: str
) -> None:
    name = pattern.removeprefix("HASH").replace("PORT", str(sshd.port))
    name = paramiko.HostKeys.hash_host(name) if pattern.startswith("HASH") else name
    lines = [f"@revoked\t{name}  {sshd.key} leaked"]
    lines += [f"[127.0.0.1]:{sshd.port} {sshd.key}"] if is_known else []
    (tmp_path / "kh").write_text("\n".join(reversed(lines)) + "\n")
    before = (tmp_path / "kh").read_text()
    fleet = fleet_of(f"[{STATIC}]", ssh=f"{{known_hosts: kh, host_keys: {policy}}}")
    ended = connected(fleet, tmp_path / "scratch", sshd.port)
    assert isinstance(ended, HostKeyError)
    assert "revokes" in ended.message
    assert (tmp_path / "kh").read_text() == before


@pytest.mark.parametrize("policy", ["strict", "accept-new"])
@pytest.mark.parametrize("is_known", [False, True], ids=["new", "known"])
def test_a_key_that_an_ssh_config_revokes_is_refused_and_not_learnt(
    fleet_of: FleetOf, tmp_path: Path, sshd: Shown, is_known: bool, policy: str
) -> None:
    before = f"[127.0.0.1]:{sshd.port} {sshd.key}\n" if is_known else ""
    (tmp_path / "kh").write_text(before)
    (tmp_path / "revoked").write_text(f"# leaked\n{sshd.key}\n")
    revoking(tmp_path / "revoked")
    fleet = fleet_of(f"[{STATIC}]", ssh=f"{{known_hosts: kh, host_keys: {policy}}}")
    ended = connected(fleet, tmp_path / "scratch", sshd.port)
    assert isinstance(ended, HostKeyError)
    assert "revokes" in ended.message
    assert (tmp_path / "kh").read_text() == before


@pytest.mark.parametrize("data", [None, b"SSHKRL\n\0", b"web-1 ssh-ed25519 AAAA\n"])
def test_revoked_keys_that_can_not_be_read_let_nobody_in(fleet_of: FleetOf, tmp_path: Path, data: bytes | None) -> None:
    (tmp_path / "kh").touch()
    if data is not None:
        (tmp_path / "revoked").write_bytes(data)
    revoking(tmp_path / "revoked")
    fleet = fleet_of(f"[{STATIC}]", ssh="{known_hosts: kh}")
    with pytest.raises(
        ConfigError, match="revoked, which RevokedHostKeys names in the ssh configuration, can't be read"
    ):
        ssh_data(fleet, [Host("web-1", "127.0.0.1", "static")], tmp_path / "scratch")


def revoking(file: Path) -> None:
    """Names the file in the ssh configuration."""
    config = Path("~/.ssh/config").expanduser()
    config.parent.mkdir(parents=True)
    config.write_text(f"RevokedHostKeys {file}\n")


@pytest.mark.parametrize("line", ["@revoked 127.0.0.2 KEY", "@revoked *,!*127.0.0.1* KEY", "@cert-authority * KEY", ""])
def test_a_key_that_is_not_revoked_for_this_host_is_none(
    fleet_of: FleetOf, tmp_path: Path, sshd: Shown, line: str
) -> None:
    (tmp_path / "kh").write_text(f"{line.replace('KEY', sshd.key)}\n[127.0.0.1]:{sshd.port} {sshd.key}\n")
    ended = connected(fleet_of(f"[{STATIC}]", ssh="{known_hosts: kh}"), tmp_path / "scratch", sshd.port)
    assert not isinstance(ended, HostKeyError)
    assert "does not let agent in" in ended.message


def test_another_key_of_a_host_than_the_revoked_one_is_taken(fleet_of: FleetOf, tmp_path: Path, sshd: Shown) -> None:
    old = paramiko.RSAKey.generate(1024).get_base64()
    (tmp_path / "kh").write_text(
        f"@revoked * ssh-rsa {old}\n127.0.0.1,[127.0.0.1]:{sshd.port} ssh-rsa {old}\n"
        f"[127.0.0.1]:{sshd.port} {sshd.key}\n"
    )
    ended = connected(fleet_of(f"[{STATIC}]", ssh="{known_hosts: kh}"), tmp_path / "scratch", sshd.port)
    assert "does not let agent in" in ended.message


@pytest.mark.parametrize("policy", ["strict", "accept-new"])
def test_a_jump_hosts_revoked_key_is_refused_too(fleet_of: FleetOf, tmp_path: Path, sshd: Shown, policy: str) -> None:
    (tmp_path / "kh").write_text(f"[127.0.0.1]:{sshd.port} {sshd.key}\n@revoked * {sshd.key}\n")
    ssh = f"{{known_hosts: kh, host_keys: {policy}, jump: '127.0.0.1:{sshd.port}'}}"
    ended = connected(fleet_of(f"[{STATIC}]", ssh=ssh), tmp_path / "scratch", 22, "127.0.0.2")
    assert "Host key verification failed" in ended.message


@pytest.mark.parametrize("is_known", [True, False])
def test_an_ipv6_address_with_a_port_is_known_as_ssh_writes_it(
    fleet_of: FleetOf, tmp_path: Path, is_known: bool
) -> None:
    try:
        listening = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("there is no IPv6 here")
    with serving(listening) as sshd:
        (tmp_path / "kh").write_text(f"[::1]:{sshd.port if is_known else 1} {sshd.key}\n")
        ended = connected(fleet_of(f"[{STATIC}]", ssh="{known_hosts: kh}"), tmp_path / "scratch", sshd.port, "::1")
    assert ("does not let agent in" if is_known else f"No host key for [::1]:{sshd.port}") in ended.message


def test_a_temporary_key_is_had_anew_before_it_expires(
    aws: Any, fleet_of: FleetOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = data(fleet_of(f"[{LIGHTSAIL}]"), tmp_path / "scratch")["jada-agent"]
    first = temporary(values)
    assert temporary(values) is first
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 10 * 60 - MARGIN + 1)
    aws.fails({"GetInstanceAccessDetails": {"*": {"code": "AccessDeniedException"}}})
    with pytest.raises(LoginError, match="permission lightsail:GetInstanceAccessDetails"):
        temporary(values)
    aws.fails({})
    second = temporary(values)
    monkeypatch.setattr(time, "time", lambda: now)
    assert second.fingerprint != first.fingerprint
    assert f"Public key: RSA-CERT {second.fingerprint}" in certificate(values, tmp_path)


def test_for_one_login_by_openssh_lightsail_is_asked_once(
    fleet_of: FleetOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    real: Any = BaseClient._make_api_call  # type: ignore[attr-defined]

    def count(client: BaseClient, operation: str, arguments: dict[str, Any]) -> Any:
        calls.append(operation)
        return real(client, operation, arguments)

    fleet = fleet_of(f"[{LIGHTSAIL}]")
    host = discover(fleet)[0]
    monkeypatch.setattr(BaseClient, "_make_api_call", count)
    with openssh(fleet, host, tmp_path / "scratch") as argv:
        assert any(word.startswith("IdentityAgent=") for word in argv)
        assert argv[argv.index("-l") + 1] == "admin"
    assert calls == ["GetInstanceAccessDetails"]
