"""The freezes of fleet.yml: what they stop, and what is told of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from jada import Exit, JadaError
from jada.cli.ui.console import err, escape
from jada.cli.ui.duration import local
from jada.inventory.fleet.freeze import Freeze, freeze_at, next_freeze

if TYPE_CHECKING:
    from jada.inventory.fleet.config import Fleet


class FrozenError(JadaError):
    """A freeze of fleet.yml is on."""

    exit_code = Exit.LOCKED


def require_unfrozen(fleet: Fleet, force: bool = False, reason: str = "") -> None:
    """Raises FrozenError while a freeze is on, unless by `force` and for a reason, which goes into the record."""
    freeze = freeze_at(fleet.freeze, datetime.now(UTC))
    if freeze is None:
        return
    if not (force and reason):
        raise FrozenError(
            f"{fleet.name} is frozen until {_told(freeze.ends)}: {freeze.reason}",
            "a rollback is never frozen; in an emergency: jada upgrade --force --reason WHY",
        )
    err.print(
        f"[yellow]Frozen[/] until {escape(_told(freeze.ends))}: {escape(freeze.reason)}; going on because of --force"
    )


def is_frozen(fleet: Fleet) -> bool:
    """True while a freeze is on."""
    return freeze_at(fleet.freeze, datetime.now(UTC)) is not None


def freeze_notes(fleet: Fleet) -> Iterator[str]:
    """The notes for people: that a freeze is on, and when the next one begins."""
    now = datetime.now(UTC)
    if freeze := freeze_at(fleet.freeze, now):
        yield f"Frozen until {_told(freeze.ends)}: {freeze.reason}"
    if coming := next_freeze(fleet.freeze, freeze.ends if freeze else now):
        yield f"The next freeze is from {_told(coming.begins)} to {_told(coming.ends)}: {coming.reason}"


def freezes_as_json(fleet: Fleet) -> dict[str, Any]:
    """The freeze that is on, and the next one, for scripts."""
    now = datetime.now(UTC)
    freeze = freeze_at(fleet.freeze, now)
    coming = next_freeze(fleet.freeze, freeze.ends if freeze else now)
    return {"now": _as_json(freeze), "next": _as_json(coming)}


def _as_json(freeze: Freeze | None) -> dict[str, str] | None:
    if freeze is None:
        return None
    return {"begins": freeze.begins.isoformat(), "ends": freeze.ends.isoformat(), "reason": freeze.reason}


def _told(at: datetime) -> str:
    return local(at.isoformat())
