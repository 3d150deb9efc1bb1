"""OpenSSH goes the way that jada's own connection goes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from jada import Host
from jada.inventory.fleet import Ssh
from jada.inventory.openssh import argv
from jada.inventory.ssh_config import plain

HOST = Host("web-1", "192.0.2.1", "static", user="admin", port=2201)
STRICT = ["-o", "StrictHostKeyChecking=yes"]
END = ["-l", "admin", "-p", "2201", "--", "192.0.2.1"]


def test_a_plain_host() -> None:
    """What an ssh configuration says of it is for ssh to read."""
    assert argv(Ssh(), HOST.address, plain(HOST)) == ["ssh", *STRICT, *END]


def test_what_fleet_yml_says_goes_before_an_ssh_configuration() -> None:
    ssh = Ssh(key=Path("/my key"), known_hosts=Path("/k"), jump="gate")
    way = replace(plain(HOST), proxy="ssh -W '[%h]:%p' ssh://gate")
    assert argv(ssh, HOST.address, way) == [
        "ssh", *STRICT, "-o", 'IdentityFile="/my key"', "-o", "IdentitiesOnly=yes", "-o", 'UserKnownHostsFile="/k"',
        "-o", "ProxyCommand=ssh -W '[%h]:%p' ssh://gate", *END,
    ]  # fmt: skip


def test_a_temporary_key_is_an_agents() -> None:
    temporary = ("UserKnownHostsFile=/scratch/k", "IdentityAgent=/a", "IdentityFile=none")
    told = argv(Ssh(key=Path("/key")), HOST.address, plain(HOST), temporary)
    assert told == ["ssh", *STRICT, *(word for one in temporary for word in ("-o", one)), *END]
