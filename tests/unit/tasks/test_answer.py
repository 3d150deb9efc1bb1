"""The output of a script that runs as root, told apart from the words of the login shell, and sudo, around it."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import pytest

from jada.tasks.engines.change import NO_SUDO
from jada.tasks.engines.look import Look
from jada.tasks.transaction import BEGIN, END, ERROR, Result, answer, as_root, failure, not_begun, on_stdin, outcome


def run(tmp_path: Path, script: str, sudo: str = 'shift; exec "$@"', uid: int = 1000, refusal: str = ERROR) -> str:
    """The output of the command for a user whose sudo is this script."""
    for name, text in (("sudo", sudo), ("id", f"echo {uid}")):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\n{text}\n")
        program.chmod(0o755)
    environ = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    return subprocess.run(
        ["sh", "-c", as_root(refusal)], input=on_stdin(script), capture_output=True, text=True, env=environ, check=False
    ).stdout


@pytest.mark.parametrize("uid", [0, 1000])
def test_the_answer_is_what_the_script_says(tmp_path: Path, uid: int) -> None:
    assert answer(run(tmp_path, "echo one; echo; echo three", uid=uid)) == ["one", "", "three"]
    assert answer(run(tmp_path, "printf x", uid=uid)) == ["x"]
    assert answer(run(tmp_path, ":", uid=uid)) == []


@pytest.mark.parametrize("before", ["", "hello", "hello\n", "hello\n\nFri\n", f"{BEGIN} is not it\n", "\n" * 5000])
@pytest.mark.parametrize("after", ["", "bye", "bye\n", f"{END}\n"])
def test_noise_before_and_after_is_ignored(tmp_path: Path, before: str, after: str) -> None:
    assert answer(before + run(tmp_path, "echo one; echo two") + after) == ["one", "two"]


def test_pyinfra_by_hand_gives_the_marks_as_lines_like_others(tmp_path: Path) -> None:
    lines = run(tmp_path, f"echo '{ERROR}no way in'").splitlines()
    assert str(Look().process(lines)) == "no way in"


def test_an_answer_that_was_cut_off_is_as_far_as_it_came(tmp_path: Path) -> None:
    output = "hello\n" + run(tmp_path, "echo one; echo two")
    whole = output.index(END) - 2
    assert [answer(output[:length]) for length in range(whole - 7, whole + 2)] == [
        [], ["o"], ["on"], ["one"], ["one"], ["one", "t"], ["one", "tw"], ["one", "two"], ["one", "two"],
    ]  # fmt: skip
    assert answer(output[: output.index(BEGIN)]) is None


@pytest.mark.parametrize(
    "words",
    ["sudo: a password is required", "sudo: sorry, you must have a tty to run sudo", "sudo: x\nx is not allowed"],
)
def test_sudos_own_words_are_told(tmp_path: Path, words: str) -> None:
    refused = f"echo {shlex.quote(words)} >&2; exit 1"
    reason = failure(answer(run(tmp_path, "echo never", sudo=refused)) or [])
    assert reason.startswith(" ".join(words.split()) + "; jada needs sudo without a password")
    changed = outcome(answer(run(tmp_path, "echo never", sudo=refused, refusal=NO_SUDO)) or [])
    assert changed
    assert (changed.result, changed.reason) == (Result.REFUSED, reason)


def test_a_host_that_ran_nothing_is_told_with_its_words() -> None:
    output = 'Please login as the user\r\n\n "admin" rather than \x1b[1mroot\n'
    assert answer(output) is None
    assert failure([not_begun(output)]) == (
        'the login shell there ran nothing, and said: Please login as the user "admin" rather than \\x1b[1mroot'
    )
    assert failure([not_begun("")]) == "the login shell there ran nothing"
    assert len(failure([not_begun("x" * 10**6)])) < 1100
    assert failure(["step snapshot"]) == failure([]) == ""


@pytest.mark.parametrize("refusal", [ERROR, NO_SUDO])
def test_every_login_shell_can_read_the_command(refusal: str) -> None:
    """In quotes, csh takes no newline and its history begins at "!"; fish takes a backslash before another one."""
    command = as_root(refusal, 45)
    assert not set("\n!") & set(command)
    assert "\\\\" not in command
    assert "\\'" not in command
