"""The events of a rollout: the view, the lines, the JSON stream and the hooks are all made of them. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from jada import Exit
from jada.cli.records.model import HostOutcome, RolloutStatus
from jada.cli.rollout.waves import Waves
from jada.cli.ui.console import named
from jada.cli.ui.duration import told
from jada.tasks.measure import Judgement
from jada.tasks.plan import Request


class Kind(StrEnum):
    """The kind of an event, as scripts and hooks read it."""

    BEGIN = "begin"
    WAVE_BEGIN = "wave_begin"
    HOST_BEGIN = "host_begin"
    STEP = "step"
    HOST_END = "host_end"
    BAKE = "bake"
    READING = "reading"
    WAVE_PASSED = "wave_passed"
    WAVE_FAILED = "wave_failed"
    PROMOTED = "promoted"
    ROLLBACK = "rollback"
    END = "end"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened: `wave` counts from 1, 0 where it is about none. `seconds` is how long a host's change
    took, or a wave bakes; `reading` is what a probe measured on the host. `why` is the end of a sentence, for people;
    `text` is how a host's turn ended, in one line behind its name.
    """

    kind: Kind
    waves: Waves = ()
    wave: int = 0
    hosts: tuple[str, ...] = ()
    host: str = ""
    step: str = ""
    outcome: HostOutcome | None = None
    seconds: float = 0
    status: RolloutStatus | None = None
    exit: Exit | None = None
    reading: Judgement | None = None
    why: str = ""
    text: str = ""


Observer = Callable[[Event], None]


def as_row(event: Event, request: Request, command: str, at: str) -> dict[str, Any]:
    """An event of a command as scripts and hooks get it; what it does not have is null."""
    return {
        "event": event.kind,
        "at": at,
        "command": command,
        "fleet": request.fleet,
        "release": request.id,
        "run": request.run or None,
        "who": request.who,
        "waves": [list(wave) for wave in event.waves] if event.kind is Kind.BEGIN else None,
        "wave": event.wave or None,
        "hosts": list(event.hosts) or None,
        "host": event.host or None,
        "step": event.step or None,
        "outcome": event.outcome,
        "seconds": event.seconds or None,
        "status": event.status,
        "exit": None if event.exit is None else int(event.exit),
        "reading": event.reading.as_data() if event.reading else None,
        "why": event.why or None,
    }


def in_words(event: Event, waves: Waves) -> str:
    """An event as a line for people, "" for one that is no news by itself."""
    wave = f"Wave {event.wave} of {len(waves)} ({named(waves[event.wave - 1])})" if event.wave else ""
    texts = {
        Kind.WAVE_BEGIN: f"{wave}: begins",
        Kind.HOST_BEGIN: f"{event.host}: begins",
        Kind.HOST_END: f"{event.host} {event.text}",
        Kind.BAKE: f"{wave}: changed; it bakes for {told(round(event.seconds))}",
        Kind.WAVE_PASSED: f"{wave}: passed",
        Kind.WAVE_FAILED: f"{wave}: failed: {event.why}",
        Kind.PROMOTED: f"{wave}: promoted by {event.why}",
        Kind.ROLLBACK: f"Going back: {named(event.hosts)}",
    }
    return texts.get(event.kind, "")
