"""Turns of hosts whose way is shared: a connection that nobody uses is closed for one that is wanted."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol

from gevent.event import Event
from gevent.lock import Semaphore

from jada import SharedWay, attempt

# The part of its life in which a connection is still begun with: what is under way then is not cut off at its end.
FRESH = 0.5


class Closing(Protocol):
    """A connection, as far as its turn is concerned."""

    name: str

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class _Idle:
    """A connection that nobody uses, open since `begun` or not at all."""

    connection: Closing
    begun: float


class Turns:
    """The connections on one way: as many are in use at a time as there may be, and the others wait in line."""

    def __init__(self, way: SharedWay) -> None:
        self.way = way
        self._free = Semaphore(way.most)
        # Those in use by their names, with when they were begun; and the others, that left longest ago first.
        self._in_use: dict[str, float] = {}
        self._idle: dict[str, _Idle] = {}
        # Set once a connection is closed.
        self._closing: dict[str, Event] = {}

    def take(self, connection: Closing, waits: bool = True) -> bool:
        """Waits until this connection may be used; False where it does not wait, and none is free."""
        if not self._free.acquire(blocking=waits):
            return False
        name = connection.name
        self._in_use[name] = time.monotonic()
        try:
            if name in self._closing:
                self._closing[name].wait()
            idle = self._idle.pop(name, None)
            if idle and self._in_use[name] - idle.begun > self.way.seconds * FRESH:
                attempt(name, connection.close)
            elif idle:
                self._in_use[name] = idle.begun
            while self._idle and len(self._in_use) + len(self._idle) > self.way.most:
                self._close(self._idle.pop(next(iter(self._idle))).connection)
        except BaseException:
            self.leave(connection)
            raise
        return True

    def leave(self, connection: Closing) -> None:
        """Lets the next one have its turn; the connection stays open until its place is wanted."""
        self._idle[connection.name] = _Idle(connection, self._in_use.pop(connection.name))
        self._free.release()

    def _close(self, connection: Closing) -> None:
        """Closes it, which takes a moment; whoever wants to use it waits for that."""
        closed = self._closing[connection.name] = Event()
        try:
            attempt(connection.name, connection.close)
        finally:
            del self._closing[connection.name]
            closed.set()
