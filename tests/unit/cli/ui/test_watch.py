"""`jada status --watch`: looks again and again, in one place on a terminal, one below the other elsewhere."""

from __future__ import annotations

import pytest
from rich.text import Text

from jada import Exit, HostError
from jada.cli.ui import watch
from jada.cli.ui.console import err, out
from jada.cli.ui.watch import fitting
from tests.fakes import Clock
from tests.forms import lines
from tests.unit.cli.conftest import Jada

LOOKS = 3


class Waits(Clock):
    """Time in which somebody presses Ctrl-C at the third wait; web-2 is gone at the second look alone."""

    def __init__(self, jada: Jada) -> None:
        super().__init__()
        self._jada, self._there = jada, jada.states["web-2"]
        self.waits: list[float] = []

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        self.waits.append(seconds)
        is_gone = len(self.waits) == 1
        self._jada.states["web-2"] = HostError("web-2 can't be reached") if is_gone else self._there
        if len(self.waits) == LOOKS:
            raise KeyboardInterrupt


@pytest.fixture
def clock(jada: Jada, monkeypatch: pytest.MonkeyPatch) -> Waits:
    waits = Waits(jada)
    monkeypatch.setattr(watch, "time", waits)
    return waits


def test_a_pipe_gets_a_block_for_each_look_until_ctrl_c(jada: Jada, clock: Waits) -> None:
    done = jada("status", "--watch", "7")
    assert (done.exit, done.err) == (Exit.STOPPED, "\nStopped.\n")
    blocks = done.out.split("a look every 7 s until Ctrl-C\n")[1:]
    assert [block.count("active") for block in blocks] == [4, 3, 4]
    assert ["jada doctor --limit web-2" in block for block in blocks] == [False, True, False]
    assert clock.waits == [7] * LOOKS
    assert "\x1b" not in done.out


def test_scripts_get_an_object_a_line(jada: Jada, clock: Waits) -> None:
    reports = lines(jada("status", "--json", "--watch").out)
    assert [report["exit"] for report in reports] == [Exit.OK, Exit.FAILED, Exit.OK]
    assert len(clock.waits) == LOOKS


def test_on_a_terminal_the_block_keeps_its_place(jada: Jada, clock: Waits, monkeypatch: pytest.MonkeyPatch) -> None:
    from rich.console import Console

    monkeypatch.setattr(type(out), "is_terminal", property(lambda printer: printer is out))
    monkeypatch.setattr(out, "console", Console(force_terminal=True, width=80, height=24))
    done = jada("status", "--watch", "--limit", "web-*")
    assert done.exit == Exit.STOPPED
    shown = Text.from_ansi(done.out).plain
    # What was seen last is left there.
    assert shown.count("a look every 10 s until Ctrl-C") == LOOKS + 1
    # The cursor goes back to the first line.
    assert "\x1b[1A" in done.out
    assert not err.is_drawn_on


def test_what_a_terminal_has_no_room_for_is_counted() -> None:
    block = [Text(f"line {number}") for number in range(30)]
    assert [line.plain for line in fitting(block, 31)] == [f"line {number}" for number in range(30)]
    shown = fitting(block, 11)
    assert len(shown) == 10
    assert shown[-1].plain.startswith("21 more lines: ")
    assert all(line.no_wrap for line in shown)


@pytest.mark.parametrize("seconds", ["0", "-1", "web-1"])
def test_other_spans_are_refused(jada: Jada, seconds: str) -> None:
    assert jada("status", f"--watch={seconds}").exit == Exit.USAGE
