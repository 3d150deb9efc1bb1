"""A span of time as an option: 15m, 6h, 7d."""

from __future__ import annotations

import re

import click

UNITS = {"m": 60, "h": 3600, "d": 86400}


def span(text: str) -> int:
    """Seconds, of minutes, hours or days. Raises click.BadParameter."""
    found = re.fullmatch(r"([1-9]\d{0,4})([mhd])", text)
    if found is None:
        raise click.BadParameter(f"{text} is no span of time: write 15m, 6h or 7d")
    return int(found[1]) * UNITS[found[2]]
