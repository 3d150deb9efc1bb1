"""The inventory for pyinfra by hand: `pyinfra inventory/aws.py deploy.py`. Runs when it is read, as pyinfra has it.

The fleet.yml is found as by jada itself (JADA_FLEET names another one); each role is a group, for --limit. An error,
or a fleet without hosts, ends the process: pyinfra would call an empty inventory a success.
"""

from __future__ import annotations

import atexit
import sys
from contextlib import ExitStack

from jada import JadaError
from jada.inventory.access import ssh_data
from jada.inventory.discover import discover
from jada.inventory.fleet import load
from jada.inventory.groups import Member, groups
from jada.inventory.scratch import scratch


def _inventory() -> dict[str, list[Member]]:
    fleet = load()
    hosts = discover(fleet)
    kept = ExitStack()
    atexit.register(kept.close)
    return groups(fleet, hosts, ssh_data(fleet, hosts, kept.enter_context(scratch())))


try:
    globals().update(_inventory())
except JadaError as error:
    sys.stderr.write(f"Error: {error.message}\n" + (f"Try: {error.hint}\n" if error.hint else ""))
    sys.exit(int(error.exit_code))
