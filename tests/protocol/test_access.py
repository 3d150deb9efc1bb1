"""Logging in: temporary keys that work, host keys that are checked, and pyinfra's own inventory."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import paramiko
import pytest

import jada
from jada import ConfigError, JadaError
from jada.inventory.access import ssh_data
from jada.inventory.discover import discover
from jada.inventory.fleet import Fleet

FleetOf = Callable[..., Fleet]

LIGHTSAIL = "{lightsail: {regions: [us-east-1], names: ['jada-agent*']}}"
STATIC = "{static: {hosts: {s: {address: 192.0.2.1, user: debian}}}}"


def data(fleet: Fleet, scratch: Path) -> dict[str, dict[str, Any]]:
    return ssh_data(fleet, discover(fleet), scratch)


def known(file: object, name: str) -> dict[str, str]:
    """Host keys by algorithm, as paramiko reads them for an address."""
    found = paramiko.HostKeys(str(file)).lookup(name)
    return {kind: key.get_base64() for kind, key in (found or {}).items()}


def test_lightsail_gives_a_key_that_its_certificate_belongs_to(fleet_of: FleetOf, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    found = data(fleet_of(f"[{LIGHTSAIL}]"), scratch)
    assert set(found) == {"jada-agent", "jada-agent-2", "jada-agent-3"}
    assert scratch.stat().st_mode & 0o777 == 0o700
    assert len({values["ssh_key"] for values in found.values()}) == 3
    for values in found.values():
        file = Path(values["ssh_key"])
        assert file.stat().st_mode & 0o777 == 0o600
        assert values["ssh_user"] == "admin"
        key = paramiko.RSAKey.from_private_key_file(str(file))
        key.load_certificate(f"{file}-cert.pub")
        read = subprocess.run(
            ["ssh-keygen", "-L", "-f", f"{file}-cert.pub"], capture_output=True, text=True, check=True
        )
        assert re.search(r"Principals:\s+admin\s", read.stdout)
        assert re.search(r"Public key: RSA-CERT (\S+)", read.stdout).group(1) == key.fingerprint  # type: ignore[union-attr]
        assert "Valid: from" in read.stdout


def test_the_certificate_is_signed_by_the_authority(aws: Any, fleet_of: FleetOf, tmp_path: Path) -> None:
    found = data(fleet_of(f"[{LIGHTSAIL}]"), tmp_path / "scratch")["jada-agent"]
    certificate = f"{found['ssh_key']}-cert.pub"
    read = subprocess.run(["ssh-keygen", "-L", "-f", certificate], capture_output=True, text=True, check=True).stdout
    ca = subprocess.run(["ssh-keygen", "-l", "-f", aws.folder / "ca.pub"], capture_output=True, text=True, check=True)
    assert f"Signing CA: ED25519 {ca.stdout.split()[1]}" in read


def test_lightsails_host_keys_are_trusted_beside_the_known_ones(aws: Any, fleet_of: FleetOf, tmp_path: Path) -> None:
    (tmp_path / "kh").write_text(f"192.0.2.9 {aws.host_key}\n")
    ssh = "{known_hosts: kh, port: 2222, host_keys: accept-new}"
    found = data(fleet_of(f"[{LIGHTSAIL}, {STATIC}]", ssh=ssh), tmp_path / "scratch")
    file = found["jada-agent"]["ssh_known_hosts_file"]
    blob = aws.host_key.split()[1]
    assert known(file, "[10.77.0.21]:2222") == {"ssh-ed25519": blob}
    assert known(file, "192.0.2.9") == {"ssh-ed25519": blob}
    assert found["jada-agent"]["ssh_strict_host_key_checking"] == "yes"
    assert (found["s"]["ssh_known_hosts_file"], found["s"]["ssh_strict_host_key_checking"]) == (
        str(tmp_path / "kh"),
        "accept-new",
    )


def test_a_standing_key_is_for_all_hosts_but_lightsails(fleet_of: FleetOf, tmp_path: Path) -> None:
    (tmp_path / "k").touch()
    (tmp_path / "kh").touch()
    found = data(fleet_of(f"[{LIGHTSAIL}, {STATIC}]", ssh="{key: k, known_hosts: kh}"), tmp_path / "scratch")
    own = {name: values["ssh_key"] for name, values in found.items() if name != "s"}
    assert own == {name: str(tmp_path / "scratch" / name) for name in own}
    assert {values["ssh_strict_host_key_checking"] for values in found.values()} == {"yes"}
    assert found["s"] == {
        "ssh_hostname": "192.0.2.1",
        "ssh_port": 22,
        "ssh_user": "debian",
        "ssh_key": str(tmp_path / "k"),
        "ssh_known_hosts_file": str(tmp_path / "kh"),
        "ssh_strict_host_key_checking": "yes",
    }


def test_a_jump_host_is_on_the_way_to_all_but_itself(fleet_of: FleetOf, tmp_path: Path) -> None:
    (tmp_path / "k").touch()
    (tmp_path / "kh").touch()
    ssh = "{key: k, known_hosts: kh, jump: 'me@bastion:222'}"
    found = data(fleet_of(f"[{LIGHTSAIL}, {STATIC}]", ssh=ssh), tmp_path / "scratch")
    config = paramiko.SSHConfig.from_path(found["s"]["ssh_config_file"])
    assert found["jada-agent"]["ssh_config_file"] == found["s"]["ssh_config_file"]
    assert config.lookup("192.0.2.1")["proxyjump"] == "me@bastion:222"
    hop = config.lookup("bastion")
    assert "proxyjump" not in hop
    assert hop["stricthostkeychecking"] == "yes"
    assert hop["userknownhostsfile"] == str(tmp_path / "kh")
    # A list, whatever paramiko's types say.
    assert str(hop["identityfile"]) == str([str(tmp_path / "k")])


@pytest.mark.parametrize(
    ("ssh", "told"),
    [
        ("{key: nope}", r"ssh\.key in .* names .*nope, which does not exist"),
        ("{known_hosts: nope}", "nope does not exist, so no host key can be checked"),
        ("{}", r"home/\.ssh/known_hosts does not exist"),
    ],
)
def test_what_would_fail_on_every_host_is_told_once(fleet_of: FleetOf, tmp_path: Path, ssh: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        data(fleet_of(f"[{STATIC}]", ssh=ssh), tmp_path / "scratch")


def test_accept_new_makes_the_file_it_will_write_to(fleet_of: FleetOf, tmp_path: Path) -> None:
    data(fleet_of(f"[{STATIC}]", ssh="{known_hosts: new/kh, host_keys: accept-new}"), tmp_path / "scratch")
    assert (tmp_path / "new/kh").read_text() == ""


def test_access_denied_names_the_permission(aws: Any, fleet_of: FleetOf, tmp_path: Path) -> None:
    aws.fails({"GetInstanceAccessDetails": {"*": {"code": "AccessDeniedException"}}})
    with pytest.raises(JadaError, match="permission lightsail:GetInstanceAccessDetails"):
        data(fleet_of(f"[{LIGHTSAIL}]"), tmp_path / "scratch")


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
    seen = pyinfra(fleet_of(f"[{LIGHTSAIL}]").path, tmp_path)
    assert seen.returncode == 0, seen.stderr
    for part in ("specialist", "claude-haiku-4.5", "jada-agent-3", "2147483646", "ssh_known_hosts_file"):
        assert part in seen.stdout
    assert list((tmp_path / "temporary").iterdir()) == []


@pytest.mark.parametrize(
    ("sources", "code", "told"),
    [
        ("[{lightsail: {regions: [us-east-1], names: [nope]}}]", 1, "No host was found in lightsail"),
        ("[{static: {hosts: {s: {address: a}}}}]", 2, "no host key can be checked"),
    ],
)
def test_pyinfra_by_hand_fails_where_jada_would(
    fleet_of: FleetOf, tmp_path: Path, sources: str, code: int, told: str
) -> None:
    seen = pyinfra(fleet_of(sources).path, tmp_path)
    assert seen.returncode == code
    assert told in seen.stderr
    assert "Traceback" not in seen.stderr


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
        found = data(fleet_of(f"[{hosts}]", ssh="{known_hosts: kh}"), tmp_path / f"scratch-{hashed}")
        files = {name: Path(values["ssh_known_hosts_file"]) for name, values in found.items()}
        assert [len(files[name].read_text().splitlines()) for name in "ab"] == [1, 1]
        assert known(files["a"], "192.0.2.1") == known(files["b"], "[192.0.2.2]:2222") == blob
        # New keys go where they are kept.
        assert files["c"] == tmp_path / "kh"


def test_patterns_and_markers_are_for_every_host(aws: Any, fleet_of: FleetOf, tmp_path: Path) -> None:
    general = [f"@revoked 192.0.2.9 {aws.host_key}", f"*.example {aws.host_key}"]
    (tmp_path / "kh").write_text("\n".join([*general, f"192.0.2.1 {aws.host_key}", "|1|no|hash", "x"]))
    file = data(fleet_of(f"[{STATIC}]", ssh="{known_hosts: kh}"), tmp_path / "scratch")["s"]["ssh_known_hosts_file"]
    assert sorted(Path(file).read_text().splitlines()) == sorted([*general, f"192.0.2.1 {aws.host_key}"])


def test_hosts_that_an_ssh_config_may_rename_are_left_to_the_real_file(
    aws: Any, fleet_of: FleetOf, tmp_path: Path
) -> None:
    (tmp_path / "kh").write_text(f"192.0.2.1 {aws.host_key}\n")
    fleet = fleet_of(f"[{STATIC}]", ssh="{known_hosts: kh}")
    assert data(fleet, tmp_path / "scratch")["s"]["ssh_known_hosts_file"] != str(tmp_path / "kh")
    config = Path("~/.ssh/config").expanduser()
    config.parent.mkdir(parents=True)
    config.write_text("Host 192.0.2.1\n  HostName 192.0.2.5\n")
    assert data(fleet, tmp_path / "scratch")["s"]["ssh_known_hosts_file"] == str(tmp_path / "kh")
