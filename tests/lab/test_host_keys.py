"""Host keys pinned per instance, and whoever sits in between: real hosts, a real sshd with keys of its own."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jada.inventory.lab import machine
from jada.inventory.lab.shell import run
from tests.conftest import LAB, about_ssh

if TYPE_CHECKING:
    from tests.conftest import Lab

pytestmark = [pytest.mark.lab, about_ssh("host keys")]
# The host that is meant, the one that answers in its place, and the one of Lightsail.
HOST, OTHER, LIGHTSAIL = "specialist-1", "orchestrator-1", "jada-agent"
SAVE = "mkdir -p /run/keys && cp -a /etc/ssh/ssh_host_* /run/keys/"
RESTORE = "rm -f /etc/ssh/ssh_host_*; mv /run/keys/* /etc/ssh/; systemctl restart ssh"
NEW_KEYS = (
    "rm /etc/ssh/ssh_host_*; ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key; systemctl restart ssh"
)


@dataclass(frozen=True)
class Rig:
    """The lab with a fleet.yml whose known_hosts is empty at first, and a record of its own."""

    lab: Lab
    env: dict[str, str]
    known_hosts: Path
    faults: Path

    def status(self, *argv: str, exit_code: int = 0) -> str:
        """All that a look at the host told, on one line."""
        return self("status", "--limit", HOST, *argv, exit_code=exit_code)

    def __call__(self, *argv: str, exit_code: int | None = 0) -> str:
        return " ".join(self.lab.jada(*argv, exit_code=exit_code, env=self.env).split())

    def pinned(self) -> dict[str, dict[str, Any] | None]:
        form = self.lab.json("host-keys", env=self.env)
        return {host["host"]: host["pinned"] for host in form["hosts"]}

    def shown(self, name: str) -> list[str]:
        return self.lab[name].host_keys()

    def clouds_fail(self, *operations: str) -> None:
        fault = {"*": {"code": "UnauthorizedOperation", "status": 403}}
        self.faults.write_text(json.dumps(dict.fromkeys(operations, fault)))

    def logins(self) -> str:
        """Who was let in by the host that answers for another."""
        return self.lab.run(OTHER, "journalctl -u ssh --no-pager -o cat -b | grep -c Accepted || true")

    @contextmanager
    def in_between(self) -> Iterator[None]:
        """The other host answers at the address of the one that is meant."""
        address = f"{self.lab[HOST].address}/16"
        self._moves(address, HOST, OTHER)
        try:
            yield
        finally:
            self._moves(address, OTHER, HOST)

    def _moves(self, address: str, old: str, new: str) -> None:
        run("ip", "-n", self.lab[old].namespace, "addr", "del", address, "dev", "eth0")
        run("ip", "-n", self.lab[new].namespace, "addr", "add", address, "dev", "eth0")
        run("ip", "neigh", "flush", "dev", LAB.prefix)


@pytest.fixture
def rig(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    known_hosts = tmp_path / "known_hosts"
    known_hosts.touch()
    text = re.sub(r"known_hosts: /.*\n  host_keys: .*", f"known_hosts: {known_hosts}", LAB.fleet_file.read_text())
    (tmp_path / "fleet.yml").write_text(text)
    for name in (HOST, OTHER):
        lab.run(name, SAVE)
    faults = LAB.folder / "faults.json"
    console = lab[HOST].console.read_bytes()
    try:
        yield Rig(lab, {"JADA_FLEET": str(tmp_path / "fleet.yml")}, known_hosts, faults)
    finally:
        faults.unlink(missing_ok=True)
        lab[HOST].console.write_bytes(console)
        for name in (HOST, OTHER):
            lab.run(name, RESTORE)


def test_keys_that_the_clouds_name_are_pinned_once_and_kept(rig: Rig) -> None:
    assert set(rig.pinned().values()) == {None}
    rig("status")
    pins = rig.pinned()
    for name, source in (
        (HOST, "EC2's console output"),
        (OTHER, "EC2's console output"),
        (LIGHTSAIL, "Lightsail's API"),
    ):
        pin = pins[name]
        assert pin
        assert pin["source"] == source
        assert pin["seen"]
        assert sorted(f"{key['type']} {key['key']}" for key in pin["keys"]) == rig.shown(name)
    # What is pinned needs no cloud any more, and no line of known_hosts.
    rig.clouds_fail("GetConsoleOutput")
    rig.lab[HOST].console.write_bytes(b"")
    rig("status")
    assert rig.pinned() == pins
    assert not rig.known_hosts.read_text()
    assert "pinned, from EC2's console output" in rig("doctor", exit_code=None)


def test_whoever_answers_first_is_refused(rig: Rig) -> None:
    before = rig.logins()
    with rig.in_between():
        output = rig.status(exit_code=1)
        assert f"{HOST} (ec2 eu-west-1, i-" in output
        assert "shows another ssh host key than the pinned one" in output
        assert "EC2's console output still names the pinned one" in output
        assert "somebody may sit in between" in output
        rig("upgrade", "--to", "opus-5", "--yes", "--limit", HOST, exit_code=1)
    assert rig.logins() == before
    rig.status()


def test_whoever_answers_later_is_refused(rig: Rig) -> None:
    rig("status")
    before = rig.logins()
    rig.lab[HOST].console.write_bytes(b"")
    with rig.in_between():
        assert "EC2's console output names no key of it any more" in rig.status(exit_code=1)
        # Both are asked for at once: whose key it is tells what has happened.
        output = rig("drift", "--limit", f"{HOST},{OTHER}", exit_code=None)
        assert "J406" in output
        assert f"That is the key of {OTHER}: another machine answers at {rig.lab[HOST].address}" in output
        rig.clouds_fail("GetConsoleOutput")
        assert "could not be asked what it names now: access denied" in rig.status(exit_code=1)
        ssh = rig.lab.jada("ssh", HOST, "true", exit_code=255, env=rig.env)
        assert "HOST IDENTIFICATION HAS CHANGED" in ssh
    # The look at the other one.
    assert int(rig.logins()) - int(before) <= 1
    assert rig.lab.jada("ssh", HOST, "echo", "reached", env=rig.env) == "reached\n"


def test_new_keys_are_taken_by_the_command_that_is_told_and_the_old_ones_refused(rig: Rig) -> None:
    rig("status")
    old = rig.shown(HOST)
    rig.lab.run(HOST, NEW_KEYS)
    output = rig.status(exit_code=1)
    assert "EC2's console output still names the pinned one" in output
    command = shlex.split(output[output.index("jada host-keys --pin") :])[:6]
    assert command[3].split() == rig.shown(HOST)[0].split()
    rig(*command[1:])
    rig.status()
    # Whoever has the old keys answers, and known_hosts has them too.
    rig.known_hosts.write_text("".join(f"{rig.lab[HOST].address} {key}\n" for key in old))
    rig.lab.run(OTHER, "rm /etc/ssh/ssh_host_*")
    keys = rig.lab.run(HOST, "tar -C /run/keys -cf - . | base64")
    machine.inside(rig.lab[OTHER], "base64 -d | tar -C /etc/ssh -xf - && systemctl restart ssh", stdin=keys)
    before = rig.logins()
    with rig.in_between():
        output = rig.status(exit_code=1)
        assert "shows another ssh host key than the pinned one" in output
        assert "known_hosts has that key for its address" in output
    assert rig.logins() == before
    rig.status()


def test_a_reinstalled_host_is_explained_and_forgotten(rig: Rig) -> None:
    rig("status")
    rig.lab.run(HOST, f"{NEW_KEYS}; rm -r /var/lib/keys-to-console; systemctl start keys-to-console")
    output = rig.status(exit_code=1)
    assert "EC2's console output names that key by now: the host was reinstalled, or got new keys" in output
    assert "somebody may sit in between" not in output
    rig("host-keys", "--forget", "--limit", HOST)
    rig.status()
    pin = rig.pinned()[HOST]
    assert pin
    assert [f"{key['type']} {key['key']}" for key in pin["keys"]] == rig.shown(HOST)


def test_what_works_by_known_hosts_goes_on_to_work_and_asks_nobody(rig: Rig) -> None:
    """After keys that the console never told of, and without the permission to read it."""
    rig.lab.run(HOST, NEW_KEYS)
    rig.known_hosts.write_text(f"{rig.lab[HOST].address} {rig.shown(HOST)[0]}\n")
    rig.clouds_fail("GetConsoleOutput")
    rig.status()
    assert rig.pinned()[HOST] is None
    assert re.search(r"PASS host key \S+ known", rig("doctor", "--limit", HOST, exit_code=None))
    # Without the line, nobody vouches for it.
    rig.known_hosts.write_text("")
    output = rig.status(exit_code=1)
    assert "shows an ssh host key that nobody vouches for" in output
    assert "EC2's console output could not be asked: access denied" in output
    assert "ec2:GetConsoleOutput" in output
    on = "ec2:GetConsoleOutput on arn:aws:ec2:*:*:instance/*"
    assert f"{on} is denied in ec2 eu-west-1" in rig("doctor", "--limit", HOST, exit_code=None)


def test_an_address_that_passed_on_with_its_keys_is_seen_by_the_instance(rig: Rig) -> None:
    """Hosts of one image may share their keys: then it is the instance that tells them apart."""
    rig("status")
    keys = rig.lab.run(HOST, "tar -C /etc/ssh -cf - $(cd /etc/ssh && echo ssh_host_*) | base64")
    machine.inside(rig.lab[OTHER], "base64 -d | tar -C /etc/ssh -xf - && systemctl restart ssh", stdin=keys)
    away = "mv /run/systemd/container /run/systemd/container.away"
    rig.lab.run(OTHER, f"mkdir -p /run/cloud-init && echo i-0123456789abcdef0 >/run/cloud-init/.instance-id; {away}")
    try:
        with rig.in_between():
            output = rig.status(exit_code=1)
            assert "i-0123456789abcdef0" in output
    finally:
        rig.lab.run(OTHER, "mv /run/systemd/container.away /run/systemd/container; rm -r /run/cloud-init")
    rig.status()
