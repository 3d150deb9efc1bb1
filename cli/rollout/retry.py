"""The hosts of the last upgrade that did not end verified, by the record, to try them alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from jada import Exit, JadaError, natural
from jada.cli.records.model import Entry, HostEntry
from jada.cli.records.sqlite import open_records
from jada.cli.rollout.options import RolloutOptions
from jada.cli.session import FleetSession
from jada.cli.ui.console import emit_json, err, escape, named, out

# As many entries of the record are looked through.
MOST_ENTRIES = 1000


def only_failed(session: FleetSession, command: str, options: RolloutOptions) -> FleetSession:
    """The session of those of its hosts that failed in the last upgrade; that there is none is told as the end of the
    command. Raises JadaError where no upgrade is recorded.
    """
    fleet = session.fleet.name
    with open_records(session.fleet) as records:
        entries = records.entries(fleet, None, MOST_ENTRIES)
        upgrade = next((entry for entry in entries if entry.kind == "upgrade"), None)
        if upgrade is None:
            raise JadaError(
                f"No upgrade of {fleet} is recorded here, so which hosts failed is not known",
                "leave --failed out, or read the record back: jada history --rebuild",
            )
        failed = failed_of(records.hosts(upgrade.id))
    hosts = tuple(host for host in session.hosts if host.name in failed)
    if hosts:
        note = f"only {named([host.name for host in hosts])}, where release {upgrade.id} was not seen to run in the end"
        err.print(f"[yellow]Note[/] {escape(note)}")
    else:
        _tell_none(fleet, upgrade, command, options)
    if others := sorted(failed - {host.name for host in hosts}, key=natural):
        note = f"it was not on {named(others)} either: left out, or found no more"
        err.print(f"[yellow]Note[/] {escape(note)}")
    return replace(session, hosts=hosts)


def failed_of(hosts: Iterable[HostEntry]) -> set[str]:
    """The names of hosts whose part in a release came to another end than was asked for."""
    return {host.host for host in hosts if not host.outcome.ok}


def _tell_none(fleet: str, upgrade: Entry, command: str, options: RolloutOptions) -> None:
    text = f"Nothing to try again: release {upgrade.id} failed on none of these hosts"
    if options.as_json:
        facts = {
            "release": upgrade.id, "dry_run": options.dry_run, "notes": [text], "waves": [], "status": None,
            "why": None, "models": {}, "hosts": [],
        }  # fmt: skip
        emit_json(command, fleet, Exit.OK, facts, indent=None)
    else:
        out.print(f"{escape(text)}.")
