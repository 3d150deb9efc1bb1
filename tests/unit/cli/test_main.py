"""Words typed before the command: an option, or a command that there is not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from jada import Exit

FLEET = "fleet: {}\nsources: [{{static: {{hosts: {{a: {{address: 192.0.2.1}}}}}}}}]\nroles: {{rest: {{}}}}\n"


def run(*argv: str) -> subprocess.CompletedProcess[str]:
    """jada in a process of its own: what it imports can't be taken back."""
    program = "from jada.cli.main import main; main()"
    return subprocess.run([sys.executable, "-c", program, *argv], capture_output=True, text=True, check=False)


def test_the_fleet_may_be_named_before_or_behind_the_command(tmp_path: Path) -> None:
    for name in ("here", "there"):
        (tmp_path / name).write_text(FLEET.format(name))
    here, there = str(tmp_path / "here"), str(tmp_path / "there")
    for argv, expected in (
        (["--fleet", here, "hosts"], "here"),
        (["hosts", "--fleet", here], "here"),
        (["--fleet", here, "hosts", "--fleet", there], "there"),
    ):
        done = run(*argv)
        assert done.returncode == Exit.OK, done.stderr
        assert f"1 host in {expected}" in done.stdout


@pytest.mark.parametrize(
    ("argv", "hint"),
    [
        (["upgrad", "--to", "opus-5"], "There is no command upgrad; did you mean upgrade?\nTry: jada --help\n"),
        (["zzz"], "There is no command zzz\n"),
        (["--limit", "web-1", "status"], "options of a command come behind it: jada COMMAND --limit …"),
        (
            ["--fleet", "fleet.yml", "completion", "bash"],
            "jada completion is about no fleet.yml\nTry: leave --fleet out",
        ),
        (["--fleet"], "requires an argument"),
    ],
)
def test_what_is_typed_wrong_is_told_with_what_was_meant(argv: list[str], hint: str) -> None:
    done = run(*argv)
    assert done.returncode == Exit.USAGE
    assert hint in done.stderr


def test_the_version_has_a_short_option() -> None:
    assert run("-V").stdout == run("--version").stdout != ""
