"""jada status"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click

from jada import Exit, HostError
from jada.cli.fleet import each_judged, host_options, open_fleet
from jada.cli.output import emit_json, escape, out, since, table
from jada.tasks import checks
from jada.tasks.state import State

COLUMNS = (
    "host",
    "role",
    "source",
    "state",
    "model on disk",
    "model running",
    "open files",
    "release",
    "up",
)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Report as JSON.")
@host_options
def status(as_json: bool, fleet_file: str | None, role: str | None, limit: str | None) -> int:
    """Show what every host really runs. Read-only, one look per host.

    Exit code 1 when a host could not be looked at; drift does not change the exit code here (see `jada drift`).

    \b
    Examples:
      jada status
      jada status --role orchestrator
      jada status --json | jq -r '.hosts[] | [.host, .model_running] | @tsv'
    """
    with open_fleet(fleet_file, role, limit) as opened:
        seen = opened.look()
    facts = each_judged(seen, lambda _, state: _facts(state))
    rows: list[dict[str, Any]] = []
    for host in opened.hosts:
        one = facts[host.name]
        told = {"error": one.message} if isinstance(one, HostError) else one
        rows.append({"host": host.name, "role": host.role, "source": host.source, **told})
    if as_json:
        emit_json("status", {"hosts": rows})
    else:
        out.print(table(COLUMNS, (_cells(row) for row in rows)))
        for row in rows:
            if "error" in row:
                out.print(f"[red]✗[/] {escape(row['error'])}")
    return Exit.FAILED if any("error" in row for row in rows) else Exit.OK


def _facts(state: State) -> dict[str, Any]:
    process = state.process
    return {
        "state": state.unit.active if state.unit.loaded else state.unit.load.replace("not-found", "no such service"),
        "model_on_disk": state.settings.model,
        "model_running": checks.running_model(state),
        "open_files": process.soft if process else None,
        "open_files_asked": state.release.wanted.nofile_asked if state.release else None,
        "release": state.release.id if state.release else "",
        "started": datetime.fromtimestamp(process.started, UTC).isoformat(timespec="seconds") if process else None,
        "since": since(process.started, state.now) if process else "",
        "drift": [] if state.lock else [finding.code for finding in checks.drift(state) if finding.is_drift],
    }


def _cells(row: dict[str, Any]) -> list[str]:
    first = [escape(row["host"]), escape(row["role"] or "–"), escape(row["source"])]
    if "error" in row:
        return [*first, "[red]unreachable[/]", *["–"] * (len(COLUMNS) - 4)]
    drifted = f" [red]({', '.join(row['drift'])})[/]" if row["drift"] else ""
    colour = "green" if row["state"] == "active" else "red"
    running = row["model_running"]
    same = running == row["model_on_disk"]
    return [
        *first,
        f"[{colour}]{escape(row['state'])}[/]{drifted}",
        escape(row["model_on_disk"] or "none"),
        escape(running or "unknown") if same else f"[red]{escape(running or 'unknown')}[/]",
        str(row["open_files"] or "–"),
        escape(row["release"] or "none"),
        row["since"] or "–",
    ]
