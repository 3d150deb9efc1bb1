"""A duration as an option (15m, 6h, 7d), and moments as programs read them."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import click

UNITS = {"m": 60, "h": 3600, "d": 86400}


def parse_duration(text: str) -> int:
    """The seconds of a duration in minutes, hours or days. Raises click.BadParameter."""
    found = re.fullmatch(r"([1-9]\d{0,4})([mhd])", text)
    if found is None:
        raise click.BadParameter(f"{text} is no span of time: write 15m, 6h or 7d")
    return int(found[1]) * UNITS[found[2]]


def iso(seconds: float) -> str | None:
    """A Unix time as ISO 8601 UTC; None where no clock can tell it."""
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError):
        return None
