"""What a transaction itself looks at (files/change/host.sh)."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from jada.tasks import FILES
from jada.tasks.transaction import assignments
from tests.unit.files.look.conftest import SHELLS

FACTS = 'LONGEST_VERB=1; read_settings_facts; echo "$?|$kind|$owner|$mode|$folder_owner|$why"'


@pytest.fixture(params=SHELLS, ids=" ".join)
def shell(request: pytest.FixtureRequest) -> tuple[str, ...]:
    words: tuple[str, ...] = request.param
    return words


def facts(shell: tuple[str, ...], folder: Path, path: str = os.environ["PATH"]) -> str:
    return told(shell, folder, FACTS, path).strip()


def told(shell: tuple[str, ...], folder: Path, command: str, path: str) -> str:
    values = {"HOME_OF_JADA": "/none", "RELEASE": "r", "DROPIN": "/none", "LIMITS": "/none", "UNIT": "a.service",
              "FOLDER": str(folder), "NAME": "settings.json", "USER_ID": str(os.getuid()), "GROUP_ID": str(os.getgid()),
              "LINKED": ""}  # fmt: skip
    script = assignments(values) + (FILES / "change/host.sh").read_text() + command
    environ = {**os.environ, "PATH": path}
    done = subprocess.run(shell, input=script, capture_output=True, text=True, check=True, env=environ, timeout=300)
    assert not done.stderr
    return done.stdout


def test_a_file_is_known_by_the_name_it_has_in_its_folder(shell: tuple[str, ...], tmp_path: Path) -> None:
    user, group = os.getuid(), os.getgid()
    assert facts(shell, tmp_path) == f"0|absent|{user}:{group}|600|{user}|"
    (tmp_path / "settings.json").touch(0o640)
    assert facts(shell, tmp_path) == f"0|file|{user}:{group}|640|{user}|"
    # Root follows no link to it.
    (tmp_path / "link").symlink_to(tmp_path)
    assert facts(shell, tmp_path / "link") == f"0|absent|{user}:{group}|600||"


def test_a_file_system_that_never_answers_keeps_no_transaction(shell: tuple[str, ...], tmp_path: Path) -> None:
    stat = tmp_path / "stat"
    stat.write_text("#!/bin/sh\nexec sleep 20\n")
    stat.chmod(0o755)
    seen = facts(shell, tmp_path, f"{tmp_path}:{os.environ['PATH']}")
    assert seen.startswith("1|absent|")
    assert seen.endswith("|its folder can't be looked at within 1 s")


def test_memory_that_never_answers_keeps_no_log(shell: tuple[str, ...], tmp_path: Path) -> None:
    """A process's environment is its memory, and that may lie in a file system that never answers."""
    head = tmp_path / "head"
    hangs = 'case "$* $(readlink /proc/self/fd/0)" in *environ*) exec sleep 1000 ;; esac'
    head.write_text(f"#!/bin/sh\n{hangs}\nexec cat\n")
    head.chmod(0o755)
    command = "pid=$$; settings() { echo '{}'; }; known_values"
    assert told(shell, tmp_path, command, f"{tmp_path}:{os.environ['PATH']}") == "{}\1\n\n"


def test_restarts_before_a_change_are_none_of_its_own(shell: tuple[str, ...], tmp_path: Path) -> None:
    """Nor are those that systemd makes between what was seen last and this one."""
    systemctl = tmp_path / "systemctl"
    systemctl.write_text(f'#!/bin/sh\necho "$1" >>{tmp_path}/calls\n[ "$1" != reset-failed ]\n')
    systemctl.chmod(0o755)
    command = "RESTART_TIMEOUT=5 restarts=0; restart_service; echo $?"
    assert told(shell, tmp_path, command, f"{tmp_path}:{os.environ['PATH']}") == "0\n"
    assert (tmp_path / "calls").read_text().split() == ["restart", "reset-failed"]
