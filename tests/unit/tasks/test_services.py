"""The services that may be an agent, as a host says them."""

from __future__ import annotations

import subprocess

import pytest

from jada.tasks.frames import LookError
from jada.tasks.services import MOST, read_services, services_script


def test_names_that_no_unit_has_are_left_out() -> None:
    lines = ["claude.service", "a b.service", "-x.service", "x.mount", "\x1b[2J.service", "a@1.service", "end"]
    assert read_services(lines) == ("claude.service", "a@1.service")


@pytest.mark.parametrize("lines", [[], ["a.service"], ["a.service"] * (MOST + 1) + ["end"]])
def test_what_is_not_whole_is_an_error(lines: list[str]) -> None:
    with pytest.raises(LookError):
        read_services(lines)


def test_the_script_ends_its_answer_wherever_it_runs() -> None:
    done = subprocess.run(["sh", "-s"], input=services_script(), capture_output=True, text=True, check=True)
    read_services(done.stdout.splitlines())
