"""The signals that end jada: Ctrl-C from the first line on, SIGTERM and SIGHUP while there is something to clean up.

Python would raise KeyboardInterrupt in whatever code runs at that moment: in the greenlet of a host it would be that
host's trouble, in a destructor nobody's at all, and the change would go on. Here Ctrl-C is remembered, and ends the
main greenlet where it waits.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

from jada import Exit

ENDING = (signal.SIGTERM, signal.SIGHUP)
# Seconds to clean up after Ctrl-C, for whatever is in the middle of something that does not end.
GRACE = 2


class _CtrlC:
    """The state of Ctrl-C in this process. `tell` is set while hosts are changed, `hub` once gevent runs, and `due`
    until the main greenlet, which waits or is about to, was ended.
    """

    asked: bool = False
    due: bool = False
    leaving: bool = False
    tell: Callable[[], None] | None = None
    main: Any = None
    hub: Any = None
    waker: Any = None


_ctrl_c = _CtrlC()


def begin() -> None:
    """Takes Ctrl-C over, unless it is ignored, as in the background of a script."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, _on_ctrl_c)
        sys.unraisablehook = _tell_unraisable


def cooperate() -> None:
    """Has Ctrl-C end the main greenlet where it waits, now that gevent runs, and each signal be heard at once.

    One that comes just before gevent's loop begins to wait would else be heard only when something else ends that wait.
    """
    import gevent

    _ctrl_c.main, _ctrl_c.hub = gevent.getcurrent(), gevent.get_hub()
    heard, told = os.pipe()
    for end in (heard, told):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(told, warn_on_full_buffer=False)
    _ctrl_c.waker = _ctrl_c.hub.loop.io(heard, 1, ref=False)
    _ctrl_c.waker.start(os.read, heard, 512)


def over(code: int) -> None:
    """Lets Ctrl-C stop Python itself from now on: all is done and told, and nothing else is left to be stopped."""
    if signal.getsignal(signal.SIGINT) is _on_ctrl_c:
        _ctrl_c.due = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGINT, lambda *_: os._exit(code))


def stopped() -> bool:
    """True if somebody has pressed Ctrl-C."""
    return _ctrl_c.asked


def leaving() -> bool:
    """True if Ctrl-C ends the command: whatever error comes then may be KeyboardInterrupt in the words of a library."""
    return _ctrl_c.leaving


def check() -> None:
    """Raises KeyboardInterrupt if it was swallowed on its way; not while hosts are changed."""
    if _ctrl_c.asked and not _ctrl_c.tell:
        _ctrl_c.due = False
        raise KeyboardInterrupt


@contextmanager
def held(tell: Callable[[], None]) -> Iterator[None]:
    """Holds Ctrl-C back while hosts are changed: the first is told, for stopped() to know; the second leaves at once.

    Leaving is safe: a host that is being changed finishes or undoes the change by itself. Raises KeyboardInterrupt
    where there was a Ctrl-C before.
    """
    check()
    _ctrl_c.tell = tell
    try:
        yield
    finally:
        _ctrl_c.tell = None


def leave() -> None:
    """Ends the process as it is: the kernel frees its locks, and the next command removes its folder."""
    with suppress(OSError):
        # A bar that shows how far things are hides the cursor.
        os.write(2, b"\x1b[?25hStopped.\n" if os.isatty(2) else b"Stopped.\n")
    os._exit(Exit.STOPPED)


def _on_ctrl_c(_: int, __: FrameType | None) -> None:
    again, _ctrl_c.asked = _ctrl_c.asked, True
    if _ctrl_c.leaving:
        leave()
    if _ctrl_c.tell and not again:
        _soon(_ctrl_c.tell)
        return
    _ctrl_c.leaving = True
    signal.signal(signal.SIGALRM, lambda *_: leave())
    signal.setitimer(signal.ITIMER_REAL, GRACE)
    if not _ctrl_c.hub:
        raise KeyboardInterrupt
    _ctrl_c.due = True
    _ctrl_c.hub.loop.run_callback_threadsafe(_end_main)


def _end_main() -> None:
    if _ctrl_c.due:
        _ctrl_c.due = False
        _ctrl_c.main.throw(KeyboardInterrupt)


def _soon(tell: Callable[[], None]) -> None:
    """Calls `tell`, but not in the handler itself, which may have interrupted another line on its way out."""
    if not _ctrl_c.hub:
        tell()
        return
    import gevent

    _ctrl_c.hub.loop.run_callback_threadsafe(gevent.spawn, tell)


def _tell_unraisable(error: sys.UnraisableHookArgs) -> None:
    # A destructor that Ctrl-C came to: it is remembered, and no news.
    if not _ctrl_c.leaving:
        sys.__unraisablehook__(error)


@contextmanager
def cleaned_up() -> Iterator[None]:
    """Lets SIGTERM or SIGHUP end the block as an exception does, with 128 and its number as the exit code; once only.

    The second one ends jada at once. Hosts that are being changed finish or undo the change by themselves. What is
    ignored, as by nohup, stays so.
    """
    import gevent

    main = gevent.getcurrent()
    taken = [signum for signum in ENDING if signal.getsignal(signum) is signal.SIG_DFL]

    def give_back() -> None:
        for signum in taken:
            signal.signal(signum, signal.SIG_DFL)

    def end(number: int, _: FrameType | None) -> None:
        give_back()
        if gevent.getcurrent() is main:
            raise SystemExit(128 + number)
        # In the greenlet of a host it would be that host's trouble.
        gevent.kill(main, SystemExit(128 + number))

    for signum in taken:
        signal.signal(signum, end)
    try:
        yield
    finally:
        give_back()
