"""Hosts side by side: a slot that is free is filled at once, and results come as they are ready."""

from __future__ import annotations

from collections.abc import Iterator

import gevent
import pytest
from gevent.event import Event

from jada import HostError, NoAnswerError, Service
from jada.tasks.engines import ssh
from jada.tasks.engines.ssh import SshConnection, SshEngine

# Seconds to wait: it comes at once, or never.
PATIENCE = 20
SERVICE = Service()


def engine(*names: str) -> SshEngine:
    return SshEngine({name: {"ssh_hostname": "192.0.2.1"} for name in names}, SERVICE, {})


def test_the_next_host_starts_as_soon_as_a_slot_is_free() -> None:
    """No barrier: while the slow host of the first two still works, all the others are done one after the other."""
    others_done, order = Event(), []

    def visit(name: str, _: SshConnection) -> str:
        if name == "slow":
            others_done.wait()
        elif name == "last":
            others_done.set()
        return name.upper()

    with gevent.Timeout(PATIENCE):
        for name, result in engine("slow", "b", "c", "d", "last").imap(
            ["slow", "b", "c", "d", "last"], visit, at_once=2
        ):
            order.append((name, result))
    assert {name for name, _ in order} == {"slow", "b", "c", "d", "last"}
    assert order[0] == ("b", "B")
    assert order[-1][0] in ("slow", "last")


def test_no_more_hosts_than_asked_for_are_visited_at_a_time() -> None:
    running, most = 0, 0

    def visit(_: str, __: SshConnection) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        gevent.sleep(0)
        running -= 1

    names = [f"host-{number}" for number in range(20)]
    assert len(list(engine(*names).imap(names, visit, at_once=3))) == 20
    assert most == 3


def test_a_host_that_hangs_holds_the_others_up_no_longer_than_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is let go of: what it still owes must not be taken for the answer to the next question."""
    closed: list[SshConnection] = []
    seen: list[SshConnection] = []

    def close(connection: SshConnection) -> None:
        closed.append(connection)

    monkeypatch.setattr(SshConnection, "close", close)

    def visit(name: str, connection: SshConnection) -> str:
        if name == "hangs":
            seen.append(connection)
            Event().wait()
        return name

    with gevent.Timeout(PATIENCE):
        results = dict(engine("hangs", "b").imap(["hangs", "b"], visit, within=3))
    assert results.pop("b") == "b"
    error = results.pop("hangs")
    assert isinstance(error, NoAnswerError)
    assert error.message == "hangs gave no answer in 3 s"
    assert closed == seen


def test_a_host_that_is_in_trouble_already_is_not_visited() -> None:
    trouble = HostError("b has no address")
    engine = SshEngine({"a": {"ssh_hostname": "192.0.2.1"}, "b": trouble}, SERVICE, {})
    assert dict(engine.imap(["b", "a"], lambda name, _: name)) == {"a": "a", "b": trouble}
    engine.close()


def test_a_host_that_fails_does_not_stop_the_others() -> None:
    def visit(name: str, _: SshConnection) -> str:
        if name == "b":
            raise HostError("b is broken")
        return name

    results = dict(engine("a", "b", "c").imap(["a", "b", "c"], visit, at_once=1))
    assert isinstance(results.pop("b"), HostError)
    assert results == {"a": "a", "c": "c"}


def test_a_host_that_never_pauses_keeps_no_line_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pause is told by the clock, not by silence: one busy host would put off what all have said."""
    monkeypatch.setattr(ssh, "IDLE", 0.02)

    def busy(_: str, __: SshConnection) -> Iterator[int]:
        for number in range(100):
            yield number
            gevent.sleep(0.001)

    with gevent.Timeout(PATIENCE):
        events = list(engine("a").follow(["a"], busy))
    assert events.index(None) < events.index(("a", 99))
