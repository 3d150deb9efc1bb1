"""A time limit for an action, whatever it waits for."""

from __future__ import annotations

from collections.abc import Callable

from gevent.monkey import get_original

from jada import JadaError


def in_time(seconds: float, act: Callable[[], object]) -> None:
    """Runs `act` in a thread of its own, left behind when the time is up. Raises JadaError then, or what `act` raises.

    The time-outs of sockets begin anew with each byte that comes. The thread is the system's: a greenlet, which gevent
    puts in its place, would keep all others waiting for as long as bytes come without a pause.
    """
    ended: list[Exception | None] = []
    running = get_original("_thread", "allocate_lock")()
    running.acquire()

    def run() -> None:
        try:
            act()
        except Exception as error:  # whatever it is, it is raised where it is waited for
            ended.append(error)
        else:
            ended.append(None)
        running.release()

    get_original("_thread", "start_new_thread")(run, ())
    if not running.acquire(timeout=seconds):
        raise JadaError(f"it did not answer within {seconds} s")
    if error := ended[0]:
        raise error
