"""The inventory for pyinfra by hand: `pyinfra inventory/aws.py deploy.py`. Runs when it is read, as pyinfra has it.

The fleet.yml is found as by jada itself (JADA_FLEET names another one); each role is a group, for --limit. An error,
or a fleet without hosts, ends the process: pyinfra would call an empty inventory a success.
"""

from __future__ import annotations

import atexit
import sys
from contextlib import ExitStack

from jada import ConfigError, HostError, JadaError
from jada.inventory.access.login import ssh_data
from jada.inventory.access.scratch import scratch
from jada.inventory.discover import discover
from jada.inventory.fleet.config import load
from jada.inventory.pyinfra_groups import Member, groups, ssm_data
from jada.inventory.roles import unmatched

# The address of a host that can't be reached: no name ends so (RFC 6761), and pyinfra then fails that host alone.
NOWHERE = {"ssh_hostname": "unreachable.invalid"}


def _inventory() -> dict[str, list[Member]]:
    fleet = load()
    hosts = discover(fleet)
    resources = ExitStack()
    atexit.register(resources.close)
    for note in unmatched(hosts, fleet.roles):
        sys.stderr.write(f"Note: {note}\n")
    over_ssh = [host for host in hosts if host.engine == "ssh"]
    data = ssh_data(fleet, over_ssh, resources.enter_context(scratch()))
    data |= {host.name: host.trouble or ssm_data(host) for host in hosts if host.engine == "ssm"}
    for trouble in data.values():
        if isinstance(trouble, HostError):
            _tell(trouble)
    return groups(
        fleet, hosts, {name: NOWHERE if isinstance(values, HostError) else values for name, values in data.items()}
    )


def _tell(error: JadaError) -> None:
    sys.stderr.write(f"Error: {error.message}\n" + (f"Try: {error.hint}\n" if error.hint else ""))


try:
    globals().update(_inventory())
except JadaError as error:
    for problem in error.problems if isinstance(error, ConfigError) else (error,):
        _tell(problem)
    sys.exit(int(error.exit_code))
