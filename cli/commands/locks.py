"""jada locks"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from jada import Exit, Host, HostError
from jada.cli.options import host_options
from jada.cli.session import open_session
from jada.cli.ui.console import emit_json, escape, grouped, named, nulled, out, plural
from jada.cli.ui.duration import local_times
from jada.cli.ui.locks import lock_as_json
from jada.tasks.release import printable

if TYPE_CHECKING:
    from jada.inventory.fleet.config import Fleet
    from jada.inventory.lease import Holder
    from jada.tasks.state import State


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Report as JSON.")
@host_options
def locks(as_json: bool, fleet_file: str | None, role: str | None, limit: str | None) -> Exit:
    """Show who holds the fleet, from where, since when and to do what. Read-only, one look per host.

    There are three: the rollout lease, of which one jada at a time changes the fleet (on this machine; with `state:` in
    fleet.yml, in the whole team), the change that runs on a host, and what people have locked with `jada lock`.

    Exit code 1 when a host could not be looked at, or nobody knows who holds the lease.

    \b
    Examples:
      jada locks
      jada locks --json | jq .rollout_lease
    """
    # Not for completion, which wants the options alone.
    from jada.cli.rollout.exclusive import NotKnownError, holder_now

    with open_session(fleet_file, role, limit) as session:
        seen = session.look()
        holder, unknown = None, ""
        try:
            holder = holder_now(session.fleet)
        except NotKnownError as error:
            unknown = error.message
    code = Exit.FAILED if unknown or seen.failed else Exit.OK
    if as_json:
        facts = {
            "state": str(session.fleet.state) if session.fleet.state else None,
            "rollout_lease": _holder_as_json(holder) if holder else None,
            "rollout_lease_error": unknown or None,
            "hosts": [_as_json(host, seen[host.name]) for host in session.hosts],
        }
        emit_json("locks", session.fleet.name, code, facts)
        return code
    for line in (_lease(session.fleet, holder, unknown), *_of_hosts(seen)):
        out.print(line)
    return code


def _lease(fleet: Fleet, holder: Holder | None, unknown: str) -> str:
    where = f"in {fleet.state}" if fleet.state else "on this machine"
    if unknown:
        return f"[red]✗[/] Who holds the rollout lease {escape(where)} is not known: {escape(unknown)}"
    held = f"held by {local_times(str(holder))}" if holder else "nobody's"
    return f"The rollout lease of [bold]{escape(fleet.name)}[/] {escape(where)} is {escape(held)}"


def _of_hosts(seen: Mapping[str, State | HostError]) -> Iterator[str]:
    states = {name: state for name, state in seen.items() if not isinstance(state, HostError)}
    running = grouped((state.running_transaction, name) for name, state in states.items() if state.running_transaction)
    for holder, names in running.items():
        yield f"[bold]{escape(named(names))}[/] being changed by {escape(local_times(holder))}"
    held = grouped((state.operator_lock, name) for name, state in states.items() if state.operator_lock)
    for lock, names in held.items():
        yield f"[bold]{escape(named(names))}[/] locked by {escape(local_times(str(lock)))}"
    for error in seen.values():
        if isinstance(error, HostError):
            yield f"[red]✗[/] {escape(error.message)}"
    busy = {name for group in (*running.values(), *held.values()) for name in group}
    counts = (
        (len(states.keys() - busy), "free"),
        (sum(map(len, running.values())), "being changed"),
        (sum(map(len, held.values())), "locked"),
        (len(seen) - len(states), "not looked at"),
    )
    yield f"{plural(len(seen), 'host')}: {', '.join(f'{count} {text}' for count, text in counts if count)}."


def _holder_as_json(holder: Holder) -> dict[str, Any]:
    return nulled(
        {
            "who": holder.who,
            "machine": holder.who.partition("@")[2],
            "pid": holder.pid or None,
            "run": holder.run,
            "since": holder.since,
            "doing": holder.doing,
        }
    )


def _as_json(host: Host, seen: State | HostError) -> dict[str, Any]:
    about = {"host": host.name, "role": host.role or None}
    if isinstance(seen, HostError):
        return {**about, "error": seen.message, "changing_by": None, "operator_lock": None}
    lock = seen.operator_lock
    return {
        **about,
        "error": None,
        "changing_by": printable(seen.running_transaction) or None,
        "operator_lock": lock_as_json(lock) if lock else None,
    }
