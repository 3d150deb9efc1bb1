"""Notices: what each channel has to tell people of drift, once, and of rollouts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from jada import JadaError
from jada.cli.drift.in_time import in_time
from jada.cli.drift.log import NEW, DriftLog, Notice
from jada.cli.drift.webhook import post
from jada.cli.ui.console import err, escape, visible
from jada.tasks.codes import CODES

if TYPE_CHECKING:
    from jada.inventory.fleet.config import Fleet

# Seconds for a whole message, from the look-up of the name to the answer; chat services and SNS need one.
TIMEOUT: float = 15
# More lines than that nobody reads in a chat; `jada drift --since` has them all.
MOST_LINES = 30
# About so long is a line at most, so that all of them are less than SNS (256 KB) and Slack (40,000 characters) take.
MOST_CHARACTERS = 1000
Sender = Callable[[str, str], None]


def channels(fleet: Fleet) -> Mapping[str, Sender]:
    """The channels of notices, by name: each takes a subject and a text. Raises JadaError when called in vain."""
    senders: dict[str, Sender] = {}
    if topic := fleet.notify.sns:
        # Here, because a webhook needs no boto3.
        from jada.inventory.cloud.sns import publish

        senders["SNS topic"] = lambda subject, text: in_time(TIMEOUT, lambda: publish(fleet.home, topic, subject, text))
    if webhook := fleet.notify.webhook:
        senders["webhook"] = lambda subject, text: in_time(
            TIMEOUT, lambda: post(webhook, _for_slack(f"{subject}\n{text}"))
        )
    return senders


def notify(fleet: str, log: DriftLog, sends: Mapping[str, Sender]) -> list[JadaError]:
    """Sends each target what it has not been told; what fails is kept for the next time, and returned."""
    failed = []
    for target, send in sends.items():
        if notices := log.pending(fleet, target):
            try:
                send(*message(fleet, notices))
            except JadaError as error:
                failed.append(_untold(target, error))
            else:
                log.delivered(target, notices)
    return failed


def tell(fleet: Fleet, subject: str, text: str) -> None:
    """Sends every channel a message; what fails is told here."""
    for target, send in channels(fleet).items():
        try:
            send(visible(subject), visible(text[:MOST_CHARACTERS]))
        except JadaError as error:
            err.print(f"[yellow]Warning[/] {escape(_untold(target, error).message)}")


def _untold(target: str, error: JadaError) -> JadaError:
    return JadaError(f"The {target} of fleet.yml was not told: {error.message}", error.hint)


def message(fleet: str, notices: Sequence[Notice]) -> tuple[str, str]:
    """A subject, and a text with one line for each notice, whatever a host has put into it."""
    counts = Counter(notice.event for notice in notices)
    subject = f"jada drift: {fleet}: " + ", ".join(f"{count} {event}" for event, count in sorted(counts.items()))
    lines = [_line(notice) for notice in notices[:MOST_LINES]]
    if more := len(notices) - MOST_LINES:
        lines += [f"… and {more} more: jada drift --since 1d"] if more > 0 else []
    return visible(subject), "\n".join(lines)


def _line(notice: Notice) -> str:
    episode = notice.episode
    name = CODES[episode.code].name if episode.code in CODES else ""
    about = f"{_short(episode.host)} {episode.code} {name}"
    if notice.event != NEW:
        return visible(f"{episode.resolution.upper()}: {about}, found {episode.opened_at}")
    fix = visible(episode.fix)
    # Half a command is another command.
    fix = fix if len(fix) <= MOST_CHARACTERS // 2 else "jada drift tells it whole"
    expected, actual = _short(episode.expected), _short(episode.actual)
    return f"NEW {episode.severity}: {about}: expected {expected}, saw {actual}. Fix: {fix}"


def _short(text: str) -> str:
    shown, most = visible(text), MOST_CHARACTERS // 5
    return shown if len(shown) <= most else f"{shown[:most]}…"


def _for_slack(text: str) -> str:
    """Escapes a text for Slack: it reads these three characters as markup, no others, and makes a link of any URL."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return escaped.replace("://", "[:]//")
