"""Calls side by side: their results in order, and who waits for them."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from jada import JadaError
from jada.inventory.concurrency import LateError, map_concurrently

# As a command does it: gevent patches what is imported by then.
PATCHED = """
from jada.inventory.concurrency import map_concurrently
from gevent import monkey
monkey.patch_all()
import time
print(map_concurrently(lambda seconds: time.sleep(seconds) or seconds, [0.02, 0.01, 0.03], 2))
"""


def test_results_are_in_order_and_errors_of_ours_among_them() -> None:
    def act(number: int) -> int:
        if number == 1:
            raise JadaError("no")
        return number * 10

    first, second, third = map_concurrently(act, [0, 1, 2])
    assert (first, third) == (0, 20)
    assert isinstance(second, JadaError)
    assert map_concurrently(act, []) == []


def test_an_error_that_nobody_foresaw_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        map_concurrently(lambda number: 1 // number, [1, 0])


def test_no_more_than_so_many_are_side_by_side() -> None:
    both, most, lock, now = threading.Barrier(2), 0, threading.Lock(), 0

    def act(_: int) -> None:
        nonlocal most, now
        with lock:
            now += 1
            most = max(most, now)
        both.wait(60)
        with lock:
            now -= 1

    map_concurrently(act, range(6), 2)
    assert most == 2


def test_it_works_where_gevent_has_patched_threads() -> None:
    process = subprocess.run([sys.executable, "-c", PATCHED], capture_output=True, text=True, check=True)
    assert process.stdout == "[0.02, 0.01, 0.03]\n"


def test_nobody_waits_for_an_answer_that_comes_too_late() -> None:
    hangs = threading.Event()
    begun: list[int] = []

    def act(number: int) -> int:
        begun.append(number)
        hangs.wait()
        return number

    first, second = map_concurrently(act, [1, 2], at_once=1, within=0)
    hangs.set()
    assert (type(first), type(second)) == (LateError, LateError)
    assert "no answer within 0 s" in str(first)
    # It is asked nothing more.
    assert begun in ([], [1])
