"""A lock that people put on a host, as scripts read it."""

from __future__ import annotations

from typing import Any

from jada.cli.ui.console import nulled
from jada.tasks.operator_lock import OperatorLock


def lock_as_json(lock: OperatorLock) -> dict[str, Any]:
    """The lock as a JSON object."""
    return nulled({"who": lock.who, "locked_at": lock.since, "until": lock.until, "reason": lock.reason})
