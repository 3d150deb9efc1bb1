"""OpenSSH is told what jada's own connection is told."""

from __future__ import annotations

from jada.inventory.openssh import argv

DATA = {
    "ssh_hostname": "192.0.2.1",
    "ssh_port": 2201,
    "ssh_known_hosts_file": "/k",
    "ssh_strict_host_key_checking": "yes",
}
CHECKED = ["-o", "UserKnownHostsFile=/k", "-o", "StrictHostKeyChecking=yes"]


def test_a_plain_host() -> None:
    assert argv(DATA) == ["ssh", *CHECKED, "-p", "2201", "--", "192.0.2.1"]


def test_a_user_a_key_and_a_jump_host() -> None:
    data = {**DATA, "ssh_user": "admin", "ssh_key": "/key", "ssh_config_file": "/config"}
    assert argv(data)[:7] == ["ssh", "-F", "/config", "-i", "/key", "-l", "admin"]


def test_a_temporary_key_is_an_agents() -> None:
    options = ("IdentityAgent=/a", "IdentityFile=none")
    assert argv(DATA, options)[1:9] == [*CHECKED, "-o", "IdentityAgent=/a", "-o", "IdentityFile=none"]
