"""Values as the page shows them: texts, moments and the ids of its parts. Pure, but for the zone of this machine."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo
from typing import Any
from urllib.parse import quote

from jada.cli.report.page import moment
from jada.cli.ui.console import visible


def shown(value: Any) -> Any:
    """A value as the template puts it on the page, before it escapes it; what is markup already is ours."""
    return visible(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def anchor(host: str) -> str:
    """The id of a host's part of the page: a name without blanks, and no other host's."""
    return "host-" + quote(host, safe="", errors="backslashreplace")


def offset(at: datetime, zone: tzinfo | None) -> str:
    """The offset from UTC that a zone has at a moment: +01:00."""
    behind = f"{at.astimezone(zone):%z}"
    return f"{behind[:3]}:{behind[3:5]}"


def time(at: datetime | str | None, zone: tzinfo | None, usual: str = "") -> Any:
    """A moment for people and for programs; the words themselves where they tell none.

    People see its offset from UTC, unless that is the `usual` one.
    """
    from markupsafe import Markup

    if at is None:
        return "not known"
    parsed = moment(at) if isinstance(at, str) else at
    if parsed is None:
        return at
    try:
        local = parsed.astimezone(zone)
    except (ValueError, OverflowError, OSError):
        return at
    seen, behind = f"{local:%Y-%m-%d %H:%M}", offset(local, zone)
    return Markup('<time datetime="{}">{}</time>').format(
        local.isoformat(timespec="seconds"), seen if behind == usual else f"{seen} {behind}"
    )


def tick(at: datetime, zone: tzinfo | None, span: timedelta) -> str:
    """A moment on an axis: the day on a long one, the time of day on a short one."""
    return f"{at.astimezone(zone):{'%Y-%m-%d' if span >= timedelta(days=2) else '%H:%M'}}"
