"""The conditions under which a guard watches, told once as each comes and goes, to people or to programs."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from io import StringIO

from jada import Exit
from jada.cli.drift import notices
from jada.cli.ui.console import emit_json_line, err, escape
from jada.cli.ui.duration import local
from jada.inventory.fleet.config import Fleet


class Event(StrEnum):
    """The kind of a line that a guard prints."""

    WATCHING = "watching"
    # Conditions, which last.
    UNSEEN = "unseen"
    FAILING = "failing"
    WAITING = "waiting"
    LEFT = "left_as_they_are"
    # What it does.
    CHANGING = "changing"
    CHANGED = "changed"
    TRYING = "trying"
    WELL = "well"


OVER = {
    Event.UNSEEN: "can be looked at again",
    Event.FAILING: "fails on no host any more",
    Event.WAITING: "waits for nothing any more",
    Event.LEFT: "needs nobody any more",
}


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that lasts from look to look, of a `subject`: a host, a release, or the fleet. Its text says it all;
    a number in that which changes makes no other condition of it, other `hosts` do.
    """

    event: Event
    subject: str
    text: str = field(compare=False)
    hosts: tuple[str, ...] = ()


class Teller:
    """The lines of one guard: on stderr for people, or as JSON on stdout."""

    def __init__(self, fleet: Fleet, as_json: bool) -> None:
        self._fleet, self._as_json = fleet, as_json
        self._standing: frozenset[Condition] = frozenset()

    def tell(
        self,
        event: Event,
        text: str,
        *,
        hosts: Collection[str] = (),
        release: str = "",
        code: Exit | None = None,
        is_over: bool = False,
        notify: bool = False,
    ) -> None:
        """Prints one line; people elsewhere are told too, if it is to `notify` them."""
        if self._as_json:
            facts = {
                "fleet": self._fleet.name,
                "at": datetime.now(UTC).isoformat(timespec="seconds"),
                "event": event,
                "is_over": is_over,
                "text": text,
                "hosts": list(hosts),
                "release": release or None,
                "exit": None if code is None else int(code),
            }
            emit_json_line("guard", facts)
        else:
            is_good = is_over or event in (Event.WATCHING, Event.WELL) or code is Exit.OK
            shown = f"[green]{escape(text)}[/]" if is_good else f"[yellow]{escape(text)}[/]"
            at = local(datetime.now(UTC).isoformat())
            err.print(f"{at} {shown}")
        if notify:
            notices.tell(self._fleet, f"jada guard: {self._fleet.name}", text)

    @contextmanager
    def lines_alone(self) -> Iterator[None]:
        """Keeps what else is printed for people meanwhile from the lines that programs read: it goes to stderr, or
        nowhere where programs read that too.
        """
        with redirect_stdout(StringIO() if err.is_json else sys.stderr) if self._as_json else nullcontext():
            yield

    def conditions(self, standing: Collection[Condition]) -> None:
        """Tells which of them are new, and which of those that stood until now are over."""
        for condition in standing:
            if condition not in self._standing:
                self.tell(condition.event, condition.text, hosts=condition.hosts, notify=condition.event is Event.LEFT)
        lasting = {(condition.event, condition.subject) for condition in standing}
        for condition in self._standing:
            if (condition.event, condition.subject) not in lasting:
                text = f"{condition.subject} {OVER[condition.event]}"
                self.tell(condition.event, text, hosts=condition.hosts, is_over=True)
        self._standing = frozenset(standing)
