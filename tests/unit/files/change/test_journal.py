"""The service's journal for people, read to its end or said not to be (files/change/journal.sh)."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from jada.tasks import FILES
from jada.tasks.journal import NOT_WHOLE
from jada.tasks.transaction import assignments
from tests.conftest import eventually
from tests.unit.files.look.conftest import SHELLS

ENTRY = '{"__REALTIME_TIMESTAMP":"1","MESSAGE":"%s"}'


@pytest.fixture(params=SHELLS, ids=" ".join)
def shell(request: pytest.FixtureRequest) -> tuple[str, ...]:
    words: tuple[str, ...] = request.param
    return words


def started(shell: tuple[str, ...], folder: Path, journalctl: str, command: str) -> subprocess.Popen[str]:
    """The script with this `command`, whose journalctl is a script too."""
    (folder / "journalctl").write_text(f"#!/bin/sh\n{journalctl}\n")
    (folder / "journalctl").chmod(0o755)
    values = {"HOME_OF_JADA": "/none", "RELEASE": "r", "DROPIN": "/none", "LIMITS": "/none", "UNIT": "a.service",
              "MASK_LOG": (FILES / "change/mask-log.awk").read_text(), "NOT_WHOLE": NOT_WHOLE}  # fmt: skip
    script = assignments(values) + (FILES / "change/host.sh").read_text() + (FILES / "change/journal.sh").read_text()
    script += f"known_values() {{ echo; echo; }}\n{command}\n"
    environ = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
    (folder / "script").write_text(script)
    command_line = [*shell, str(folder / "script")]
    return subprocess.Popen(
        command_line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ
    )


def said(shell: tuple[str, ...], folder: Path, journalctl: str, command: str) -> list[str]:
    with started(shell, folder, journalctl, command) as process:
        out, errors = process.communicate(timeout=300)
    assert not errors
    return out.splitlines()


def test_a_long_entry_hides_no_later_one(shell: tuple[str, ...], tmp_path: Path) -> None:
    long = f"printf '%s' '{ENTRY[:-4]}'; head -c 24000000 /dev/zero | tr '\\0' x; echo '\"}}'; echo '{ENTRY % 'last'}'"
    lines = said(shell, tmp_path, long, "entries '' -n 2")
    assert lines == ["1 - - ****", "1 - - … the rest of an entry of more than 100000 bytes was left out", "1 - - last"]


def test_a_journal_that_was_not_read_to_its_end_says_so(shell: tuple[str, ...], tmp_path: Path) -> None:
    journalctl = f"echo '{ENTRY % 'first'}'; printf '%s' '{ENTRY[:-4]}cut'; exec sleep 1000"
    lines = said(shell, tmp_path, journalctl, "LONGEST_OF_JOURNAL=1; entries '' -n 2")
    assert (lines[0], lines[-1]) == ("1 - - first", NOT_WHOLE)
    assert "cut" not in " ".join(lines)


def test_what_is_followed_comes_at_once_and_ends_with_stdin(shell: tuple[str, ...], tmp_path: Path) -> None:
    # It goes on under its own name, as the process that has to end.
    waits = f"mkfifo {tmp_path}/never; read -r line <{tmp_path}/never"
    journalctl = f"echo '{ENTRY % 'first'}'; echo \"$*\" >{tmp_path}/words; {waits}"
    with started(shell, tmp_path, journalctl, "entries yes -n 2") as process:
        assert process.stdout
        assert process.stdout.readline() == "1 - - first\n"
        words = eventually_read(tmp_path / "words").split()
        # Its longest field is journalctl's own then.
        assert "-f" in words
        assert "-a" not in words
        # Its stdout is held open by all that it has started.
        assert process.communicate("", timeout=300) == ("", "")


def eventually_read(path: Path) -> str:
    eventually(lambda: path.exists() and path.read_text().endswith("\n"), f"there is no {path}")
    return path.read_text()


def test_what_ended_by_itself_is_not_ended_again(shell: tuple[str, ...], tmp_path: Path) -> None:
    """Its number may be another process's by then."""
    kill = f'kill() {{ echo "$*" >{tmp_path}/killed; }}\n'
    with started(shell, tmp_path, f"echo $$ >{tmp_path}/pid", kill + "entries yes -n 2") as process:
        pid = eventually_read(tmp_path / "pid").strip()
        eventually(lambda: not Path("/proc", pid).exists(), "it does not end")
        process.communicate("", timeout=300)
    assert not (tmp_path / "killed").exists()
