"""jada explain"""

from __future__ import annotations

from typing import Any

import click

from jada import Exit, HostError
from jada.cli.discovery import inventory_age
from jada.cli.options import cached_option, engine_option, fleet_option
from jada.cli.results import HostResults, judge_each
from jada.cli.selection import HOST
from jada.cli.session import open_session
from jada.cli.ui.complete import host_names
from jada.cli.ui.console import emit_json, escape, out
from jada.cli.ui.given import GIVEN


@click.command()
@click.argument("host", type=GIVEN, shell_complete=host_names)
@click.option("--json", "as_json", is_flag=True, help="Report as JSON.")
@fleet_option
@engine_option
@cached_option
def explain(host: str, as_json: bool, fleet_file: str | None) -> int:
    """Tell why a host runs the model it runs. Every place that names one is listed, the one that counts first.

    HOST is a name, or shell patterns. Read-only, one look per host. Two processes may differ: the one that runs, and
    one that systemd would start now. What is not read, outranked or hidden is listed too, and why. Exit code 1 when a
    host could not be looked at; drift does not change the exit code here (see `jada drift`).

    \b
    Examples:
      jada explain web-3
      jada explain 'web-*' --json | jq '.hosts[].next_start.model'
    """
    # Not for completion, which wants the options alone.
    from jada.cli.drift.asking import remember_answers
    from jada.cli.ui import explanation

    with open_session(fleet_file, None, host, limit_by=HOST) as session:
        seen = session.look(ask=session.engine.service.asks)
        remember_answers(session, seen)
    if as_json:
        facts = judge_each(seen, explanation.explanation_dict)
        roles = {chosen.name: chosen.role or None for chosen in session.hosts}
        rows = [{"host": name, "role": roles[name], **_row(result)} for name, result in facts.items()]
        age = inventory_age()
        emit_json("explain", session.fleet.name, _exit(facts), {"hosts": rows, "inventory_age_seconds": age})
        return _exit(facts)
    texts = judge_each(seen, lambda name, state: "\n".join(explanation.lines(name, state)))
    for text in texts.values():
        out.print(f"[red]✗[/] {escape(text.message)}\n" if isinstance(text, HostError) else text)
    return _exit(texts)


def _row(facts: dict[str, Any] | HostError) -> dict[str, Any]:
    from jada.cli.ui.explanation import FACTS

    if isinstance(facts, HostError):
        return {"error": facts.message, **dict.fromkeys(FACTS)}
    return {"error": None, **facts}


def _exit(results: HostResults[Any]) -> Exit:
    return Exit.FAILED if results.failed else Exit.OK
