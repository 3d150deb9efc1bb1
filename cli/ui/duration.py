"""A duration as an option (15m, 6h, 7d), and moments as programs and as people read them."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import click

from jada import SPAN, span_seconds

# A moment within a text, with its offset.
MOMENT = re.compile(
    r"\b[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(?:Z|[+-][0-9]{2}:[0-9]{2})\b"
)


def parse_duration(text: str) -> int:
    """The seconds of a span of time in minutes, hours or days. Raises click.BadParameter."""
    seconds = span_seconds(text)
    if seconds is None or text.endswith("s"):
        raise click.BadParameter(f"{text} is not a span of time in minutes, hours or days, such as 15m, 6h or 7d")
    return seconds


def parse_span(text: str) -> int:
    """The seconds of any span of time, 0 among them. Raises click.BadParameter."""
    seconds = 0 if text == "0" else span_seconds(text)
    if seconds is None:
        raise click.BadParameter(f"{text} is not {SPAN}")
    return seconds


def told(seconds: int) -> str:
    """A span of time as fleet.yml has it, in its largest unit that leaves nothing over: 90s, 2m, 1h."""
    unit, size = next((unit, size) for unit, size in (("h", 3600), ("m", 60), ("s", 1)) if seconds % size == 0)
    return f"{seconds // size}{unit}" if seconds else "0s"


def iso(seconds: float) -> str | None:
    """A Unix time as ISO 8601 UTC; None where no clock can tell it."""
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError):
        return None


def local(at: str) -> str:
    """A moment in ISO 8601 as people read it, with the time of this machine's zone: "2026-11-26 15:09:36+01:00"; a text
    that is none as it is.
    """
    try:
        return datetime.fromisoformat(at).astimezone().isoformat(" ", timespec="seconds")
    except (ValueError, OverflowError, OSError):
        return at


def local_times(text: str) -> str:
    """A text for people, such as who holds a lock since when, with each moment in it as they read it."""
    return MOMENT.sub(lambda found: local(found[0]), text)
