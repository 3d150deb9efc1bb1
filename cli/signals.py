"""SIGTERM and SIGHUP while there is something to clean up."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

ENDING = (signal.SIGTERM, signal.SIGHUP)


@contextmanager
def cleaned_up() -> Iterator[None]:
    """Lets either signal end the block as an exception does, with 128 and its number as the exit code; once only.

    The second one ends jada at once. Hosts that are being changed finish or undo the change by themselves. What is
    ignored, as by nohup, stays so.
    """
    import gevent

    main = gevent.getcurrent()
    taken = [one for one in ENDING if signal.getsignal(one) is signal.SIG_DFL]

    def give_back() -> None:
        for one in taken:
            signal.signal(one, signal.SIG_DFL)

    def end(number: int, _: FrameType | None) -> None:
        give_back()
        if gevent.getcurrent() is main:
            raise SystemExit(128 + number)
        # In the greenlet of a host it would be that host's trouble.
        gevent.kill(main, SystemExit(128 + number))

    for one in taken:
        signal.signal(one, end)
    try:
        yield
    finally:
        give_back()
