"""Many calls side by side, and one error for those that fail."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TypeVar

from jada import JadaError

# One thread a region is enough for all of AWS's regions at once.
THREADS = 40

A = TypeVar("A")
B = TypeVar("B")


class LateError(JadaError):
    """There was no answer in the time that was given."""


def map_concurrently(
    act: Callable[[A], B], items: Sequence[A], at_once: int = THREADS, within: float | None = None
) -> list[B | JadaError]:
    """Runs `act` on all items in threads, so many side by side: the result of each, in order, or the JadaError that it
    raised; a LateError where there is none `within` so many seconds. Nobody waits for these threads where whoever
    called does not: neither Ctrl-C nor the end of jada.
    """
    todo, results = deque(enumerate(items)), dict[int, B | Exception]()

    def work() -> None:
        while todo:
            # Another thread may have taken the last one.
            with suppress(IndexError):
                number, item = todo.popleft()
                results[number] = _result(act, item)

    # By its module's name: gevent, which may patch that once this one is imported, puts another class there.
    threads = [threading.Thread(target=work, daemon=True) for _ in items[:at_once]]
    for thread in threads:
        thread.start()
    ends = None if within is None else time.monotonic() + within
    for thread in threads:
        thread.join(None if ends is None else max(0.0, ends - time.monotonic()))
    todo.clear()
    late = LateError(f"there was no answer within {within or 0:g} s")
    return [_or_raised(results.get(number, late)) for number in range(len(items))]


def _result(act: Callable[[A], B], item: A) -> B | Exception:
    try:
        return act(item)
    except Exception as error:  # raised where it is waited for
        return error


def _or_raised(result: B | Exception) -> B | JadaError:
    if isinstance(result, Exception) and not isinstance(result, JadaError):
        raise result
    return result


def combine_failures(failures: Sequence[tuple[str, JadaError]], problem: str, hint: str) -> JadaError:
    """One error for all failures, each with its place; equal ones are told once, with all their places. Their own hints
    come before the one of all.
    """
    places: dict[tuple[str, str], list[str]] = {}
    for place, error in failures:
        places.setdefault((error.message, error.hint), []).append(place)
    lines = [f"{', '.join(where)}: {message}" for (message, _), where in places.items()]
    hints = dict.fromkeys(text for text in (*(own for _, own in places), hint) if text)
    message = f"{problem}: {lines[0]}" if len(lines) == 1 else "\n  ".join([f"{problem}:", *lines])
    combined = JadaError(message, "; ".join(hints))
    combined.__cause__ = failures[0][1]
    return combined
