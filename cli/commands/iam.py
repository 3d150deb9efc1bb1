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

FIND = frozenset({Purpose.REGIONS, Purpose.HOSTS, Purpose.ROLES})
LOOK = FIND | {Purpose.LOGIN, Purpose.PUSHED_LOGIN, Purpose.TUNNEL, Purpose.HOST_KEYS, Purpose.COMMANDS}
# A team's record, read, and written too.
READ = frozenset({Purpose.STATE, Purpose.LISTING})
KEEP = READ | {Purpose.RECORD}
# Its rollout lease too.
HOLD = KEEP | {Purpose.LEASE}
WATCH = LOOK | {Purpose.ALARMS, Purpose.METRICS, Purpose.NOTICES}
CHANGE = {Purpose.CONDITIONS, Purpose.NETWORK}
# The purposes of the calls that each command makes. Those that are not here ask nothing of AWS; a test runs them all.
# Before there is a fleet.yml, `jada init` asks of one cloud what `jada status` does.
PURPOSES: Mapping[str, Set[Purpose]] = {
    "hosts": FIND,
    "status": LOOK | KEEP,
    "upgrade": WATCH | HOLD | CHANGE,
    "plan": LOOK | READ | {Purpose.CONDITIONS, Purpose.ALARMS},
    "apply": WATCH | HOLD | CHANGE,
    "rollback": LOOK | HOLD | {Purpose.NETWORK},
    "rollouts": READ,
    "resume": WATCH | HOLD | CHANGE,
    "promote": WATCH | HOLD | CHANGE,
    "pause": KEEP,
    "abort": LOOK | HOLD | {Purpose.NOTICES, Purpose.NETWORK},
    "guard": WATCH | HOLD | {Purpose.NETWORK},
    "compare": LOOK | KEEP,
    "drift": LOOK | KEEP | {Purpose.NOTICES},
    "explain": LOOK | KEEP,
    "logs": LOOK,
    # Nobody opens a shell by a command of Systems Manager.
    "ssh": LOOK - {Purpose.COMMANDS},
    "host-keys": FIND,
    "report": LOOK | KEEP,
    "heal": LOOK | HOLD | {Purpose.NETWORK},
    "history": LOOK | KEEP,
    "show": READ,
    "forget": LOOK | HOLD,
    "lock": LOOK | KEEP,
    "unlock": LOOK | KEEP,
    "locks": LOOK | {Purpose.STATE},
    "state": KEEP,
    "doctor": LOOK | READ | {Purpose.CONDITIONS},
}


@click.command()
@click.option("--command", metavar="NAME", type=click.Choice(list(PURPOSES)), help="Only what this command needs.")
@fleet_option
@engine_option
def iam(command: str | None, fleet_file: str | None) -> None:
    """Print the least IAM policy that jada needs.

    It allows the calls that the commands make for the hosts of fleet.yml, and no others; where there is no fleet.yml,
    those for EC2 and its Instance Connect, Lightsail, Systems Manager, CloudWatch and topics of SNS, for all there are.
    sts:AssumeRole, on each role that a source of fleet.yml names, is for the profile that takes it on; all else is for
    the role. What a profile needs to take on a role of its own comes to that.

    \b
    Examples:
      jada iam
      jada iam --command drift
      jada iam --engine ssm
      aws iam put-role-policy --role-name jada --policy-name jada \\
        --policy-document "$(jada iam)"
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
        # Which roles a fleet takes on, and whose bucket is the team's, its fleet.yml alone knows: nobody is to delete
        # from all of them.
        calls = needed({call.service for call in CALLS} - {"s3"}, purposes - {Purpose.ROLES})
    else:
        calls = calls_of(load(fleet_file), purposes)
    if not calls:
        raise JadaError(
            "This fleet needs nothing of AWS", "no host is there, nobody is told by SNS, and `state` names no bucket"
        )
    put(json_text(policy(calls)) + "\n")
