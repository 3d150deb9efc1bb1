"""The tasks that agents tell of: read on the host by a journalctl that is a script, and at the border."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from jada import Service
from jada.tasks.frames import LookError
from jada.tasks.outcomes import MOST, TaskOutcome, read_outcomes
from jada.tasks.transaction import tasks_script
from tests.unit.files.look.conftest import SHELLS

AT = '"__REALTIME_TIMESTAMP":"1700000000000001"'


@pytest.fixture(params=SHELLS, ids=" ".join)
def shell(request: pytest.FixtureRequest) -> tuple[str, ...]:
    words: tuple[str, ...] = request.param
    return words


def said(shell: tuple[str, ...], folder: Path, journalctl: str) -> list[str]:
    (folder / "journalctl").write_text(f"#!/bin/sh\n{journalctl}\n")
    (folder / "journalctl").chmod(0o755)
    script = tasks_script(Service(unit="a.service"), 1700000000.5)
    done = subprocess.run(
        shell, input=script, capture_output=True, text=True, check=True, timeout=100,
        env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"},
    )  # fmt: skip
    assert not done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ('"JADA_TASK_OUTCOME":"success","JADA_TASK_SECONDS":"12.5"', "success 12.5"),
        ('"JADA_TASK_SECONDS":"3","JADA_TASK_OUTCOME":"failure"', "failure 3"),
        ('"JADA_TASK_OUTCOME" : "failure"', "failure -"),
        *(
            (f'"JADA_TASK_OUTCOME":"success","JADA_TASK_SECONDS":{value}', "success -")
            for value in (
                '"-1"', '"NaN"', '"inf"', '"1e999"', '"9223372036854775808"', '""', "null", '["1","2"]', '"1.2.3"',
                '"0x10"', '"1 "', '"99999999"', '"1.00000000000000000000"', '"1\\n2"',
            )
        ),
        ('"JADA_TASK_OUTCOME":"great","JADA_TASK_SECONDS":"1"', None),
        ('"JADA_TASK_OUTCOME":["success","failure"]', None),
        ('"JADA_TASK_OUTCOME":"success\\n1 failure 2"', None),
        ('"JADA_TASK_OUTCOME":null', None),
    ],
)  # fmt: skip
def test_of_an_entry_only_what_can_be_is_told(
    shell: tuple[str, ...], tmp_path: Path, fields: str, line: str | None
) -> None:
    lines = said(shell, tmp_path, f"cat <<'E'\n{{{AT},{fields}}}\nE")
    assert lines == ([f"1700000000000001 {line}"] if line else []) + ["end"]
    assert len(read_outcomes(lines)) == (1 if line else 0)


def test_the_journal_is_asked_for_tasks_of_the_unit_alone(shell: tuple[str, ...], tmp_path: Path) -> None:
    assert said(shell, tmp_path, f'echo "$*" >{tmp_path}/asked') == ["end"]
    asked = (tmp_path / "asked").read_text()
    assert "--since=@1700000000 " in asked
    assert asked.endswith("-u a.service JADA_TASK_OUTCOME=success JADA_TASK_OUTCOME=failure\n")


def test_a_journal_that_is_not_read_in_time_is_told(shell: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "timeout").write_text("#!/bin/sh\nexit 124\n")
    (tmp_path / "timeout").chmod(0o755)
    lines = said(shell, tmp_path, "")
    assert lines == ["cut-off"]
    with pytest.raises(LookError, match="could not be read in time"):
        read_outcomes(lines)


def test_a_flood_is_cut_off(shell: tuple[str, ...], tmp_path: Path) -> None:
    assert said(shell, tmp_path, "head -c 9000000 /dev/zero | tr '\\0' x; echo")[-1] == "cut-off"


def test_tasks_as_they_come() -> None:
    assert read_outcomes(["1700000000500000 success 12.5", "1700000001000000 failure -", "end"]) == [
        TaskOutcome(1700000000.5, True, 12.5),
        TaskOutcome(1700000001.0, False, None),
    ]
    assert read_outcomes(["end"]) == []


@pytest.mark.parametrize(
    "lines",
    [
        [], [""], ["1 success 1"], ["1 success 1", "end", ""], ["1 success -1", "end"], ["1 success nan", "end"],
        ["1 success 1e9", "end"], ["0 success 1", "end"], ["99999999999999999 success 1", "end"],
        ["1 success \u0661", "end"], ["1 success", "end"], ["1 better 1", "end"], ["1 success 1\n2 failure 2", "end"],
        ["1 success 1"] * (MOST + 1) + ["end"],
    ],
)  # fmt: skip
def test_what_no_host_says_is_an_error(lines: list[str]) -> None:
    with pytest.raises(LookError):
        read_outcomes(lines)
