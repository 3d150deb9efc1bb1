"""jada heal"""

from __future__ import annotations

import click

from jada import Exit
from jada.cli.options import host_options
from jada.cli.rollout.options import RolloutOptions, rollout_options
from jada.cli.session import open_session


@click.command()
@rollout_options
@host_options
def heal(
    reason: str,
    options: RolloutOptions,
    fleet_file: str | None,
    role: str | None,
    limit: str | None,
) -> Exit:
    """Bring drifted hosts back to their release. All others are left alone.

    Each is changed and verified as by `jada upgrade`. A host without a release, or with another role than at its
    release, gets what this machine's record says that it or its role runs, or else the model of its role in fleet.yml.
    Only where neither says anything, the word of other hosts counts, for models of the catalogue. What no release can
    fix (see `jada drift`) is refused, with what does. Accepted findings are left alone.

    \b
    Examples:
      jada heal --dry-run             what it would do
      jada heal                       the plan first, then asks
      jada heal --limit web-3 --yes   one host, no questions
    """
    # Not for completion, which wants the options alone.
    from jada.cli.rollout.heal import heal_hosts
    from jada.cli.rollout.leased import waited

    with open_session(fleet_file, None, None) as opened, waited(opened, options, "heal") as whole_fleet:
        return heal_hosts(whole_fleet, role, limit, reason, options)
