"""The EC2 hosts of the lab with no key on any disk, and no port 22 that is open to anybody but their endpoint."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jada.inventory.lab import machine
from jada.inventory.lab.instance_connect import authority
from jada.inventory.lab.machine import OLD_MODEL
from jada.inventory.lab.shell import run
from tests.conftest import LAB, about_ssh
from tests.file_watch import watched

if TYPE_CHECKING:
    from tests.conftest import Lab

pytestmark = [pytest.mark.lab, about_ssh("keys and the way of a login")]
NEW = "claude-sonnet-4.6"
HOST, OTHER = "specialist-1", "orchestrator-1"


class Keyless:
    """The lab as one whose operator has no key: a home, a runtime folder and one for temporary files of their own."""

    def __init__(self, lab: Lab, home: Path) -> None:
        self.lab = lab
        self.home = home
        folders = {"XDG_RUNTIME_DIR": home / "run", "TMPDIR": home / "tmp", "XDG_STATE_HOME": home / "state"}
        for folder in folders.values():
            folder.mkdir(mode=0o700)
        self.env = {
            **{name: str(folder) for name, folder in folders.items()},
            "HOME": str(home),
            "JADA_FLEET": str(home / "fleet.yml"),
            "SSH_AUTH_SOCK": "",
            # Outranks the profile's.
            "AWS_CA_BUNDLE": str(authority(LAB.folder)),
        }
        text = re.sub(r"  key: .*\n", "", LAB.fleet_file.read_text()).replace("settle: 5", "settle: 1")
        more = "      user: admin\n      login: instance-connect\n      via: eice\n"
        (home / "fleet.yml").write_text(re.sub(r"      user: admin\n(      engine: .*\n)?", more, text))

    def jada(self, *argv: str, exit_code: int = 0) -> str:
        return self.lab.jada(*argv, env=self.env, exit_code=exit_code)

    def is_open(self, name: str) -> bool:
        """True if the operator reaches port 22 of a host."""
        try:
            socket.create_connection((self.lab[name].address, 22), 3).close()
        except OSError:
            return False
        return True


@pytest.fixture
def keyless(lab: Lab, tmp_path: Path) -> Iterator[Keyless]:
    """No key of the lab opens these hosts, and they answer nobody here but the endpoint."""
    operator = f"{lab[HOST].network}.0.1"
    for name in (HOST, OTHER):
        lab.run(name, "mv /home/admin/.ssh/authorized_keys /home/admin/.ssh/away; rm -rf /run/ec2-instance-connect")
        run("ip", "-n", lab[name].namespace, "route", "add", "blackhole", operator)
    (tmp_path / "home").mkdir()
    yield Keyless(lab, tmp_path / "home")
    for name in (HOST, OTHER):
        run("ip", "-n", lab[name].namespace, "route", "del", "blackhole", operator)
        lab.run(name, "mv /home/admin/.ssh/away /home/admin/.ssh/authorized_keys")


def test_an_upgrade_and_a_rollback_leave_no_key_anywhere_and_need_no_port_22(keyless: Keyless) -> None:
    lab = keyless.lab
    assert not any(keyless.is_open(name) for name in (HOST, OTHER))
    before = {host.name: lab.settings_sha(host.name) for host in lab.hosts}
    with watched(keyless.home) as watch:
        assert "3 verified" in keyless.jada("upgrade", "--to", "sonnet-4.6", "--yes")
        assert lab.models() == {NEW}
        assert "3 verified" in keyless.jada("rollback", "--yes")
        assert keyless.jada("ssh", HOST, "hostname") == f"{HOST}\n"
        assert keyless.jada("ssh", "jada-agent", "hostname") == "jada-agent\n"
    assert lab.models() == {OLD_MODEL}
    assert {host.name: lab.settings_sha(host.name) for host in lab.hosts} == before
    assert watch.secrets() == []
    assert watch.told == []
    assert [name for name in watch.gone if "journal" not in name and "-wal" not in name and "-shm" not in name] == []
    assert any("known_hosts" in name for name in watch.files)
    assert any(name.endswith("/certificate") for name in watch.files)


def test_the_watch_sees_a_key_that_is_there_for_a_moment(tmp_path: Path) -> None:
    write = "import os, sys, time; p = sys.argv[1]; os.mkdir(p); f = open(p + '/k', 'w'); f.write('OWN' + ' WORD'); "
    # A word of its own: the test of a whole upgrade looks at all processes too, beside this one.
    with watched(tmp_path, words=(b"OWN WORD",)) as watch:
        code = write + "f.close(); time.sleep(0.5); os.unlink(p + '/k')"
        subprocess.run([sys.executable, "-c", code, tmp_path / "new"], check=True)
        subprocess.run(["sh", "-c", "sleep 0.5 # OWN WORD"], check=True)
    assert watch.secrets() == [f"{tmp_path}/new/k: OWN WORD"]
    assert watch.told
    assert not (tmp_path / "new/k").exists()


def test_the_doctor_tells_how_it_logs_in(keyless: Keyless) -> None:
    checks = json.loads(keyless.jada("doctor", "--json"))["checks"]
    assert not [row for row in checks if row["verdict"] == "fail"]
    login = next(row["text"] for row in checks if row["check"] == "login")
    assert "EC2 Instance Connect" in login
    permissions = next(row["text"] for row in checks if row["check"] == "permissions")
    for action in ("SendSSHPublicKey", "OpenTunnel"):
        assert f"ec2-instance-connect:{action}" in permissions


def test_a_pushed_key_is_let_in_for_a_minute(keyless: Keyless) -> None:
    keyless.jada("status")
    host = keyless.lab[HOST]
    keys = keyless.lab.run(HOST, "cat /run/ec2-instance-connect/admin")
    assert keys
    machine.inside(host, "sed -i 's/^[0-9]*/1/' /run/ec2-instance-connect/admin")
    assert keyless.lab.run(HOST, "/usr/local/bin/eic_run_authorized_keys admin; echo end") == "end\n"
    # The next login has its own.
    keyless.jada("status")


def test_a_host_without_the_program_is_told(keyless: Keyless) -> None:
    program = "/usr/local/bin/eic_run_authorized_keys"
    keyless.lab.run(HOST, f"mv {program} {program}.away")
    try:
        output = keyless.jada("status", exit_code=1)
    finally:
        keyless.lab.run(HOST, f"mv {program}.away {program}")
    assert "takes none of these keys: the key that EC2 Instance Connect was given" in output
