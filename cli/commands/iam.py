"""jada iam"""

from __future__ import annotations

import os
from collections.abc import Mapping, Set

import click

from jada import ConfigError, JadaError
from jada.cli.options import engine_option, fleet_option
from jada.cli.session import load
from jada.cli.ui.console import json_text, put
from jada.inventory.cloud.calls import CALLS, Purpose, needed

FIND = frozenset({Purpose.REGIONS, Purpose.HOSTS})
LOOK = FIND | {Purpose.LOGIN, Purpose.COMMANDS}
WATCH = LOOK | {Purpose.ALARMS, Purpose.METRICS, Purpose.NOTICES}
# The purposes of the calls that each command makes. Those that are not here ask nothing of AWS; a test runs them all.
PURPOSES: Mapping[str, Set[Purpose]] = {
    "hosts": FIND,
    "status": LOOK,
    "upgrade": WATCH | {Purpose.CONDITIONS},
    "plan": LOOK | {Purpose.CONDITIONS, Purpose.ALARMS},
    "apply": WATCH | {Purpose.CONDITIONS},
    "rollback": LOOK,
    "resume": WATCH | {Purpose.CONDITIONS},
    "promote": WATCH | {Purpose.CONDITIONS},
    "abort": LOOK | {Purpose.NOTICES},
    "guard": WATCH,
    "compare": LOOK,
    "drift": LOOK | {Purpose.NOTICES},
    "explain": LOOK,
    "logs": LOOK,
    # Nobody opens a shell by a command of Systems Manager.
    "ssh": FIND | {Purpose.LOGIN},
    "report": LOOK,
    "heal": LOOK,
    "history": LOOK,
    "lock": LOOK,
    "unlock": LOOK,
    "doctor": LOOK | {Purpose.CONDITIONS},
}


@click.command()
@click.option("--command", metavar="NAME", type=click.Choice(list(PURPOSES)), help="Only what this command needs.")
@engine_option
@fleet_option
def iam(command: str | None, fleet_file: str | None) -> None:
    """Print the least IAM policy that jada needs.

    It allows the calls that the commands make for the hosts of fleet.yml, and no others; where there is no fleet.yml,
    those for EC2, Lightsail, Systems Manager, CloudWatch and a topic of SNS. What a profile needs to take on a role
    (sts:AssumeRole) comes to that.

    \b
    Examples:
      jada iam
      jada iam --command drift
      jada iam --engine ssm
      aws iam put-role-policy --role-name jada --policy-name jada --policy-document "$(jada iam)"
    """
    from jada.inventory.fleet.search import find
    from jada.inventory.permissions import calls_of, policy
    from jada.inventory.yaml_readers import working_folder

    purposes = PURPOSES[command] if command else frozenset[Purpose]().union(*PURPOSES.values())
    try:
        find(fleet_file, os.environ, working_folder())
    except ConfigError:
        if fleet_file or os.environ.get("JADA_FLEET"):
            raise
        calls = needed({call.service for call in CALLS}, purposes)
    else:
        calls = calls_of(load(fleet_file), purposes)
    if not calls:
        raise JadaError("This fleet needs nothing of AWS", "none of its hosts is there, and nobody is told by SNS")
    put(json_text(policy(calls)) + "\n")
