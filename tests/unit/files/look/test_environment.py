"""An EnvironmentFile is read as systemd reads it: each case was compared with what systemd 252 made of it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from jada.tasks.transaction import half_of_user

AWKS = [awk for awk in (["mawk"], ["gawk"], ["busybox", "awk"], ["original-awk"]) if shutil.which(awk[0])]
# The text, and what is read of it: A stands for a variable that matters, N for another.
CASES = [
    ("A=x", ["A=x"]),
    ("  A = x y  \n", ["A=x y"]),
    ("A=x\nA=y", ["A=x", "A=y"]),
    ("A=\n", ["A="]),
    ("A", []),
    ("A\n=x", []),
    ("export A=x", []),
    ("#A=x\n;A=y\n # A=z", []),
    ("A=x # y", ["A=x # y"]),
    ("A=x\r\nN=y\r\n", ["A=x"]),
    # Quotes, which may begin where the value begins, and again behind each other.
    ('A="x y"  ', ["A=x y"]),
    ("A='x'\"y\" z  ", ["A=xyz"]),
    ('A=x"y"', ['A=x"y"']),
    ('A=" x "', ["A= x "]),
    ("A='x", ["A=x"]),
    ("A='\\x'", ["A=\\x"]),
    ('A="\\$\\`\\\\\\n\\""', ['A=$`\\\\n"']),
    # Text in quotes is no line of its own.
    ("N='a\nA=x\n'\nA=y", ["A=y"]),
    ("A='a\nb'", ["A=a b"]),
    # A backslash takes what follows as it is, or takes the end of the line away.
    ("A=x\\\ny", ["A=xy"]),
    ("A=x \\\n  y \\ \n", ["A=x   y  "]),
    ('A="x\\\ny"', ["A=xy"]),
    ("A=\\x", ["A=x"]),
    ("N=\\\nA=x", []),
    ("AB=x\nXA=y", []),
]


def read(text: str, awk: list[str], folder: Path, comments_go_on: str = "") -> list[str]:
    (folder / "file").write_text(text, newline="")
    script = f'{half_of_user()}NAMES=A COMMENTS_GO_ON={comments_go_on}\nenvironment_file "$1"\n'
    if awk != ["awk"]:
        script = f'awk() {{ {shutil.which(awk[0])} {" ".join(awk[1:])} "$@"; }}\n{script}'
    argv = ["sh", "-c", script, "sh", str(folder / "file")]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()


@pytest.mark.parametrize("awk", AWKS, ids=" ".join)
@pytest.mark.parametrize(("text", "expected"), CASES)
def test_an_environment_file_is_read_by_systemds_rules(
    text: str, expected: list[str], awk: list[str], tmp_path: Path
) -> None:
    assert read(text, awk, tmp_path) == expected


@pytest.mark.parametrize("awk", AWKS, ids=" ".join)
def test_a_comment_goes_on_behind_a_backslash_before_systemd_254(awk: list[str], tmp_path: Path) -> None:
    text = "# x \\\nA=y\nA=z"
    assert read(text, awk, tmp_path) == ["A=y", "A=z"]
    assert read(text, awk, tmp_path, "yes") == ["A=z"]
