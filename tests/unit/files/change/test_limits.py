"""files/change/limits.awk: how many processes of a service may open fewer files than it was given."""

from __future__ import annotations

import subprocess
from pathlib import Path

from jada.tasks import FILES

PROGRAM = "".join((FILES / name).read_text() for name in ("look/proc.awk", "change/limits.awk"))
LIMITS = "Max processes  9  9  processes\nMax open files   %s   4096   files\n"


def process(root: Path, pid: int, soft: str, birth: int = 2000, state: str = "S") -> None:
    folder = root / f"proc/{pid}"
    folder.mkdir(parents=True)
    (folder / "stat").write_text(f"{pid} (a) b\n) {state} {' '.join(map(str, range(2, 20)))} {birth} 1 2\n")
    (folder / "limits").write_text(LIMITS % soft)


def counted(root: Path, pids: str, stood_still: int = 0) -> str:
    options = (f"root={root}", "least=1024", f"stood_still={stood_still}")
    command = ["awk", *(word for option in options for word in ("-v", option)), PROGRAM]
    return subprocess.run(command, input=pids, capture_output=True, text=True, check=True).stdout


def test_those_with_fewer_are_counted_once(tmp_path: Path) -> None:
    for pid, soft in enumerate(("1024", "1023", "unlimited", "999"), 1):
        process(tmp_path, pid, soft)
    assert counted(tmp_path, "1\n2\n3\n4\n2\n0\nx\n\n77\n") == "2 of 4\n"
    assert counted(tmp_path, "1\n3\n") == ""


def test_neither_those_that_have_ended_nor_those_of_an_earlier_start(tmp_path: Path) -> None:
    process(tmp_path, 1, "100", state="Z")
    process(tmp_path, 2, "100", birth=1000)
    process(tmp_path, 3, "1024")
    assert counted(tmp_path, "1\n2\n3\n", stood_still=10_015_000) == ""
    assert counted(tmp_path, "1\n2\n3\n", stood_still=10_005_000) == "1 of 2\n"
