"""Somebody's own command as a script, run here by the way that a host takes it, and what is read of it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from jada.tasks import shell
from jada.tasks.frames import LookError


@pytest.fixture
def spools(tmp_path: Path) -> Path:
    (tmp_path / "spools").mkdir()
    return tmp_path / "spools"


def run(spools: Path, command: str, stdin: bytes = b"", longest: int = 30) -> shell.Said:
    script = shell.script(command, stdin, longest)
    assert "/run/jada-ssm" in script
    process = subprocess.run(
        ["sh", "-c", 'umask 077; export LC_ALL=C; eval "$(cat)"'],
        input=script.replace("/run/jada-ssm", str(spools)),
        env={"PATH": os.environ["PATH"], "HOME": str(spools)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert (process.stderr, list(spools.iterdir())) == ("", [])
    return shell.read(process.stdout.removesuffix("\n"))


def test_both_streams_and_the_exit_code_are_told(spools: Path) -> None:
    said = run(spools, "echo a; echo b >&2; printf 'no end'; exit 7")
    assert said == shell.Said(7, (("stdout", "a"), ("stdout", "no end"), ("stderr", "b")))
    assert run(spools, ":") == shell.Said(0, ())
    assert run(spools, "exit 124").code == 124


def test_it_gets_its_stdin_and_the_environment_of_a_login(spools: Path) -> None:
    said = run(spools, 'cat; pwd; umask; echo "${LC_ALL-none}"', "ä\x00'\n".encode())
    assert [line for _, line in said.lines] == ["ä\x00'", str(spools), "0022", "none"]
    assert run(spools, "cat") == shell.Said(0, ())


def test_what_takes_too_long_is_ended(spools: Path) -> None:
    with pytest.raises(shell.LateError):
        run(spools, "sleep 600", longest=1)


@pytest.mark.parametrize("command", ["yes", "yes >&2", f"head -c {shell.MOST_OUTPUT} /dev/zero"])
def test_a_flood_is_ended_and_not_told_as_whole(spools: Path, command: str) -> None:
    with pytest.raises(LookError, match="more than 4194304 bytes"):
        run(spools, command)


def test_a_long_command_is_on_no_command_line(spools: Path) -> None:
    said = run(spools, f": {'x' * 200_000}; ps -eo args | grep -c '[x]xxxx'")
    assert said.lines == (("stdout", "0"),)


def test_lines_have_an_end() -> None:
    """However small they come: each is a value here."""
    with pytest.raises(LookError, match="more than 500000 lines"):
        shell.read("0" + "\no" * 500_001)
    assert len(shell.read("0" + "\no" * 500_000).lines) == 500_000


@pytest.mark.parametrize("text", ["", "0\nx", "x\noy", "-1", "1000", "٣", "0\n"])
def test_what_is_no_answer_is_an_error(text: str) -> None:
    with pytest.raises(LookError, match="no answer"):
        shell.read(text)


def test_what_the_host_says_in_place_of_an_answer_is_told() -> None:
    with pytest.raises(LookError, match="does not say which instance"):
        shell.read("error=the agent does not say which instance it is")
