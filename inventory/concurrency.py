"""Many calls side by side, and one error for those that fail."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from jada import JadaError

# One thread a region is enough for all of AWS's regions at once.
THREADS = 40

A = TypeVar("A")
B = TypeVar("B")


def map_concurrently(act: Callable[[A], B], items: Sequence[A]) -> list[B | JadaError]:
    """Runs `act` on all items in threads: the result of each, in order, or the JadaError that it raised."""

    def run(item: A) -> B | JadaError:
        try:
            return act(item)
        except JadaError as error:
            return error

    if len(items) < 2:
        return [run(item) for item in items]
    with ThreadPoolExecutor(max_workers=THREADS) as pool:
        return list(pool.map(run, items))


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
