"""The steps of a transaction, read while its output still comes."""

from __future__ import annotations

import re

import pytest

from jada.tasks import FILES
from jada.tasks.transaction import BEGIN, MOST_STEPS, STEPS, StepReader

SAID = f"""Welcome to web-1
step restart
{BEGIN}
step check
step snapshot
recovering 20261124-110000-aaaa
step restore
step restart
result done
step tidy
H4sIAAAA
step verify
"""


def steps(*parts: str) -> list[str]:
    told: list[str] = []
    reader = StepReader(told.append)
    for part in parts:
        reader.feed(part.encode())
    return told


def test_each_step_is_told_once_it_has_come_whole() -> None:
    assert steps(f"\n{BEGIN}\nstep che") == []
    assert steps(f"\n{BEGIN}\nstep che", "ck\nstep sna") == ["check"]


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_only_steps_of_the_script_are_told_however_they_come(size: int) -> None:
    parts = [SAID[start : start + size] for start in range(0, len(SAID), size)]
    assert steps(*parts) == ["check", "snapshot", "restore", "restart"]


def test_no_other_word_passes() -> None:
    begin = f"{BEGIN}\n"
    assert steps(begin, "step rm -rf\nstep \x1b[2J\nstep\nstepcheck\nstep check \n") == []
    assert steps(begin, "x" * 100_000, "\nstep " + "check" * 9999, "\nstep check\n") == ["check"]


def test_a_host_that_never_ends_tells_so_many() -> None:
    assert len(steps(f"{BEGIN}\n" + "step check\n" * 1000)) == MOST_STEPS


def test_every_step_that_the_scripts_print_is_read() -> None:
    scripts = ((FILES / f"change/{name}.sh").read_text() for name in ("host", "transaction"))
    printed = {name for script in scripts for name in re.findall(r"^\s*step ([a-z]+)$", script, re.M)}
    assert printed == set(STEPS)
