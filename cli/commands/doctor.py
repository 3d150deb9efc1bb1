"""jada doctor"""

from __future__ import annotations

import click

from jada import Exit
from jada.cli.options import host_options
from jada.cli.ui.console import emit_json


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Report as JSON.")
@host_options
def doctor(as_json: bool, fleet_file: str | None, role: str | None, limit: str | None) -> Exit:
    """Check all that jada needs, here, in AWS and on every host, and tell how to fix it.

    Everything is told at once: this machine, fleet.yml, credentials and permissions in AWS, how each host is reached
    and known, and what a change would meet there. Nothing is changed, and no permission is tried that would write. Each
    result is PASS, WARN, FAIL, or SKIP where it could not be checked; hosts with the same one are one line.

    Exit codes: 0 nothing failed, though there may be warnings; 1 a check failed; 2 fleet.yml can't be used.

    \b
    Examples:
      jada doctor
      jada doctor --limit web-1
      jada doctor --json | jq '.checks[] | select(.verdict == "fail")'
    """
    from jada.cli.doctor.result import exit_code, folded
    from jada.cli.doctor.run import examine
    from jada.cli.doctor.show import as_json as row
    from jada.cli.doctor.show import show

    fleet, found = examine(fleet_file, role, limit)
    results, code = folded(found), exit_code(found)
    if as_json:
        emit_json("doctor", fleet.name if fleet else None, code, {"checks": [row(result) for result in results]})
    else:
        show(results)
    return code
