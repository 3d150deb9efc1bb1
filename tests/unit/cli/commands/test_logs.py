"""`jada logs` of a host."""

from __future__ import annotations

import pytest

from jada import Exit, HostError
from jada.cli.commands.logs import MOST
from tests.unit.cli.conftest import Jada


def test_the_end_of_the_journal_is_printed(jada: Jada) -> None:
    assert jada("logs", "web-1").out == "one line\nanother\n"
    assert jada("logs", "web-1", "-n", "1").out == "another\n"


@pytest.mark.parametrize("lines", ["0", str(MOST + 1), "many"])
def test_no_other_number_of_lines_is_taken(jada: Jada, lines: str) -> None:
    assert jada("logs", "web-1", "-n", lines).exit == Exit.USAGE


def test_one_host_is_meant_and_it_can_be_off(jada: Jada) -> None:
    done = jada("logs", "web-*")
    assert (done.exit, "web-* matches 2 hosts" in done.err) == (Exit.USAGE, True)
    jada.states["web-1"] = HostError("web-1 is off", "see whether it runs")
    done = jada("logs", "web-1")
    assert (done.exit, done.out, done.err) == (Exit.FAILED, "", "Error: web-1 is off\nTry: see whether it runs\n")
