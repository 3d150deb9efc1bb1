"""jada drift"""

from __future__ import annotations

import click

from jada import Exit
from jada.cli.fleet import host_options, open_fleet, worst
from jada.cli.output import emit_json, escape, out, plural
from jada.cli.rollout import finding_as_json, finding_line
from jada.tasks import checks
from jada.tasks.session import HostError


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Report as JSON.")
@host_options
def drift(as_json: bool, fleet_file: str | None, role: str | None, limit: str | None) -> int:
    """Check that what runs on every host is what was asked for. Read-only, one look per host.

    Prints one line for each finding. Exit code 0: all in sync. 3: drift. 1: a host could not be checked.

    \b
    Examples:
      jada drift
      jada drift --json | jq '.hosts[] | select(.in_sync | not)'
      jada drift --role specialist
    """
    with open_fleet(fleet_file, role, limit) as opened:
        seen = opened.look("Checking hosts")
    found = {name: () if isinstance(state, HostError) else checks.drift(state) for name, state in seen.items()}
    failed = {name: state for name, state in seen.items() if isinstance(state, HostError)}
    drifted = [name for name, findings in found.items() if any(finding.is_drift for finding in findings)]
    code = worst({Exit.DRIFT} if drifted else set()) if not failed else Exit.FAILED
    if as_json:
        hosts = [
            {
                "host": name,
                "in_sync": None if name in failed else name not in drifted,
                "error": failed[name].message if name in failed else None,
                "findings": [finding_as_json(finding) for finding in found[name]],
            }
            for name in seen
        ]
        emit_json("drift", {"exit": int(code), "hosts": hosts})
        return code
    for name, findings in found.items():
        for finding in findings:
            mark = "[red]✗[/]" if finding.is_drift else "[yellow]•[/]"
            out.print(f"{mark} [bold]{escape(name)}[/] {escape(finding_line(finding))}")
    for error in failed.values():
        out.print(f"[red]✗[/] not checked: {escape(error.message)}")
    in_sync = len(seen) - len(failed) - len(drifted)
    counts = {"in sync": in_sync, "drifted": len(drifted), "not checked": len(failed)}
    out.print(
        f"{plural(len(seen), 'host')}: {', '.join(f'{count} {what}' for what, count in counts.items() if count)}."
    )
    return code
