"""OpenSSH is told what jada's own connection is told."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

from jada import Host
from jada.inventory.fleet import Ssh
from jada.inventory.openssh import argv

HOST = Host("web-1", "192.0.2.1", "static")
DATA = {"ssh_user": "bitnami", "ssh_known_hosts_file": "/own", "ssh_strict_host_key_checking": "yes"}
STRICT = ["-o", "StrictHostKeyChecking=yes"]


def test_what_fleet_yml_does_not_say_is_left_to_ssh_itself() -> None:
    assert argv(Ssh(), HOST, DATA) == ["ssh", *STRICT, "--", "192.0.2.1"]


def test_what_it_says_counts() -> None:
    ssh = Ssh(key=Path("/key"), known_hosts=Path("/known"), jump="j")
    data = {**DATA, "ssh_paramiko_connect_kwargs": {"sock": SimpleNamespace(command="ssh -W %x")}}
    told = argv(ssh, Host("web-1", "192.0.2.1", "static", user="admin", port=2201), data)
    assert told[:9] == ["ssh", "-F", "none", "-i", "/key", "-l", "admin", "-p", "2201"]
    more = ["-o", "ProxyCommand=ssh -W %%x", "-o", "IdentitiesOnly=yes", "-o", 'UserKnownHostsFile="/known"']
    assert told[9:] == [*STRICT, *more, "--", "192.0.2.1"]


def test_a_temporary_key_is_an_agents() -> None:
    told = argv(Ssh(key=Path("/key")), HOST, DATA, ("IdentityAgent=/a",))
    assert told[1:3] == ["-l", "bitnami"]
    assert told[3:] == [*STRICT, "-o", "IdentityAgent=/a", "-o", 'UserKnownHostsFile="/own"', "--", "192.0.2.1"]
