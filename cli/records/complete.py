"""Completion of releases in the shell, by the record of this machine as it is, and no other."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

from jada.cli.ui.complete import Offer, fleet_of, offered

# As many releases are offered, the newest first.
MOST = 50


def releases(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The releases of the fleet, with what they were and who made them."""
    try:
        return offered(_releases(ctx), incomplete)
    except Exception:
        return []


def _releases(ctx: click.Context) -> list[Offer]:
    # Not for completion of anything else.
    from jada.cli.records.sqlite import Records, open_unchanged, state_path
    from jada.cli.records.store import LocalStore

    fleet = fleet_of(ctx)
    if fleet is None:
        return []
    with open_unchanged(state_path() / "history.db") as db:
        entries = Records(LocalStore(db)).entries(fleet.name, None, MOST)
    return [
        (entry.id, " ".join(filter(None, (entry.kind, entry.model and f"to {entry.model}", f"by {entry.who}"))))
        for entry in entries
    ]
