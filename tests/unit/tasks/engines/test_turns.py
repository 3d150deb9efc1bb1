"""Hosts whose way is shared: never more connections than there may be, and everybody's turn comes."""

from __future__ import annotations

import time

import gevent
import pytest
from gevent.event import Event

from jada import HostError, SharedWay
from jada.tasks.engines import turns
from jada.tasks.engines.turns import Turns

WAY = SharedWay("eice-1", 3, 3600)


class Line:
    """A connection that counts how many are open."""

    def __init__(self, name: str, are_open: dict[str, Line], closing: Event | None = None) -> None:
        self.name = name
        self.opened = 0
        self._are_open = are_open
        self._closing = closing

    def open(self) -> None:
        if self.name not in self._are_open:
            self.opened += 1
            self._are_open[self.name] = self
        assert len(self._are_open) <= WAY.most

    def close(self) -> None:
        if self._closing:
            self._closing.wait()
        # As a websocket, which takes its leave.
        gevent.sleep(0)
        self._are_open.pop(self.name, None)


def use(turns: Turns, line: Line) -> None:
    assert turns.take(line)
    try:
        gevent.sleep(0)
        line.open()
        gevent.sleep(0)
    finally:
        turns.leave(line)


def test_many_hosts_take_turns_and_no_more_are_open_than_may_be() -> None:
    are_open: dict[str, Line] = {}
    lines = [Line(f"h{number}", are_open) for number in range(40)]
    shared = Turns(WAY)
    for _ in range(3):
        gevent.joinall([gevent.spawn(use, shared, line) for line in lines], raise_error=True)
    assert all(line.opened for line in lines)
    assert len(are_open) == WAY.most


def test_a_few_hosts_keep_their_connections() -> None:
    are_open: dict[str, Line] = {}
    lines = [Line(f"h{number}", are_open) for number in range(WAY.most)]
    shared = Turns(WAY)
    for _ in range(3):
        gevent.joinall([gevent.spawn(use, shared, line) for line in lines], raise_error=True)
    assert [line.opened for line in lines] == [1] * WAY.most


def test_whoever_does_not_wait_is_told() -> None:
    are_open: dict[str, Line] = {}
    lines = [Line(f"h{number}", are_open) for number in range(WAY.most + 1)]
    shared = Turns(WAY)
    assert [shared.take(line, waits=False) for line in lines] == [True] * WAY.most + [False]
    shared.leave(lines[0])
    assert shared.take(lines[-1], waits=False)


def test_a_connection_that_is_being_closed_is_waited_for() -> None:
    are_open: dict[str, Line] = {}
    said = Event()
    slow = Line("slow", are_open, said)
    others = [Line(f"h{number}", are_open) for number in range(WAY.most)]
    shared = Turns(WAY)
    use(shared, slow)
    for line in others[1:]:
        use(shared, line)
    # The place of the slow one is wanted; it is wanted itself while it takes its leave.
    first = gevent.spawn(use, shared, others[0])
    gevent.sleep(0)
    again = gevent.spawn(use, shared, slow)
    gevent.sleep(0)
    assert not first.dead
    assert not again.dead
    said.set()
    gevent.joinall([first, again], raise_error=True)
    assert slow.opened == 2


def test_a_connection_that_may_end_soon_is_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    are_open: dict[str, Line] = {}
    line, shared = Line("h", are_open), Turns(WAY)
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    use(shared, line)
    now[0] += WAY.seconds * turns.FRESH
    use(shared, line)
    assert line.opened == 1
    now[0] += 1
    use(shared, line)
    assert line.opened == 2


def test_trouble_with_one_that_is_closed_is_nobody_elses() -> None:
    are_open: dict[str, Line] = {}
    lines = [Line(f"h{number}", are_open) for number in range(WAY.most + 1)]

    def fail() -> None:
        are_open.pop("h0")
        raise HostError("it does not answer")

    lines[0].close = fail  # type: ignore[method-assign]
    shared = Turns(WAY)
    for line in lines:
        use(shared, line)
    assert list(are_open) == ["h1", "h2", "h3"]
