"""How to log in to each host: pyinfra's host data, with temporary keys and host keys from Lightsail's API."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jada import ConfigError, Host, JadaError
from jada.inventory.aws_session import Clients, side_by_side, told_together
from jada.inventory.fleet import Fleet, Ssh

# What OpenSSH's StrictHostKeyChecking calls fleet.yml's policies; pyinfra takes the same words.
STRICTNESS = {"strict": "yes", "accept-new": "accept-new"}


def ssh_data(fleet: Fleet, hosts: Sequence[Host], scratch: Path) -> dict[str, dict[str, object]]:
    """pyinfra's host data by host name; secrets and generated files go into the folder `scratch`, made 0700.

    Where fleet.yml names no ssh.key, Lightsail's API gives each of its hosts a key that is valid for 10 minutes from
    now: connect soon, keep the connection, call this again to connect later. Raises JadaError.
    """
    scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
    if fleet.ssh.key and not fleet.ssh.key.is_file():
        raise ConfigError(
            f"ssh.key in {fleet.path} names {fleet.ssh.key}, which does not exist",
            "without ssh.key, the ssh agent and the default keys are used, and Lightsail's own temporary keys",
        )
    temporary = [] if fleet.ssh.key else [host for host in hosts if _is_lightsail(host)]
    data = {host.name: _standing(fleet.ssh, host) for host in hosts}
    for host, details in zip(temporary, _access_details(fleet, temporary), strict=True):
        data[host.name] |= _temporary(host, details, scratch)
    if any(details.get("hostKeys") for details in data.values()):
        raise AssertionError
    if fleet.ssh.jump:
        config = _write(scratch / "ssh_config", jump_config(fleet.ssh))
        data = {name: {**values, "ssh_config_file": str(config)} for name, values in data.items()}
    return data
