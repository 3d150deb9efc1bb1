"""Ctrl-C at many moments of a real upgrade: whatever came of it is whole, told and recorded."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import LAB, short_fleet

if TYPE_CHECKING:
    from tests.conftest import Lab

pytestmark = pytest.mark.lab
MODELS = {"sonnet-4.6": "claude-sonnet-4.6", "haiku-4.5": "claude-haiku-4.5"}
# Python's own start can't be told what to make of Ctrl-C: the clock runs from jada's first line.
PROGRAM = """
from jada.cli import entry, signals
begin = signals.begin
def begun():
    begin()
    print("begun", flush=True)
signals.begin = begun
entry.main()
"""
MOMENTS = 48 if os.environ.get("JADA_ALL_FAULTS") else 6
# All of the command but for the waiting while services settle.
LONGEST = 2.4


def interrupted(after: float, model: str, env: dict[str, str]) -> tuple[int, str]:
    argv = [sys.executable, "-c", PROGRAM, "upgrade", "--to", model, "--yes"]
    process = subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **env},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    time.sleep(after)
    process.send_signal(signal.SIGINT)
    output = process.communicate()[0]
    return process.returncode, output


def test_ctrl_c_at_any_moment_leaves_whole_hosts_and_a_true_record(lab: Lab, tmp_path: Path) -> None:
    own = LAB.folder / "interrupted.yml"
    own.write_text(short_fleet(is_static=False).replace("settle: 1", "settle: 0"))
    env = {"JADA_FLEET": str(own), "XDG_STATE_HOME": str(tmp_path)}
    names = [host.name for host in lab.hosts]
    for number in range(MOMENTS):
        short, model = list(MODELS.items())[number % 2]
        before = {name: lab.model(name) for name in names}
        code, output = interrupted(LONGEST * number / MOMENTS, short, env)
        assert code in (0, 130), output
        assert "Traceback" not in output, output
        changed = {name for name in names if lab.model(name) != before[name]}
        assert {lab.model(name) for name in changed} <= {model}
        # Files, process and release of each host agree, and no change is half done.
        rows: Any = lab.json("status", env=env)["hosts"]
        # But for hosts that were never changed, and for what the calendar says of a model.
        assert {code for row in rows for code in row["drift"]} <= {"J401", "J121"}, output
        if changed:
            assert code == 0 or "Stopping" in output
            (release,) = lab.json("history", "--last", "1", env=env)["releases"]
            hosts: Any = lab.json("show", release["release"], env=env)["hosts"]
            assert {host["host"] for host in hosts if host["outcome"] == "verified"} == changed, output
        if code == 0:
            assert {lab.model(name) for name in names} == {model}, output
