"""The pieces of a look (files/look/), run without root on a tree of files that stands for a host's."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from jada import Service
from jada.tasks.transaction import (
    as_service,
    endpoint_as_service,
    half_of_root,
    half_of_user,
    measure_as_user,
    measure_functions,
    probe_functions,
    question,
)

# /bin/sh on Debian and Ubuntu, on Amazon Linux, and in small images.
SHELLS = [words for words in (("dash",), ("bash", "--posix"), ("busybox", "sh")) if shutil.which(words[0])]
# What the parts of a look consist of.
HALVES = {
    "root": half_of_root,
    "user": half_of_user,
    "ask": lambda: half_of_root() + question(Service()),
    "service": as_service,
    "measure": measure_functions,
    "measure as user": lambda: measure_as_user(0, (), ()),
    "probe": lambda: probe_functions(Service()),
    "endpoint": endpoint_as_service,
}
_FRAME = re.compile(r"([A-Za-z][\w.]*\+?) (\d+)\n")
# As look() and look_as_user() begin.
_BEGIN = "set -f\nIFS=$NL\n"


@dataclass(frozen=True)
class Tree:
    """A host's files below `root`, and the shell that looks at them."""

    root: Path
    shell: tuple[str, ...]

    def file(self, path: str, text: str | bytes = "") -> Path:
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return file

    def process(self, pid: int, *words: str, comm: str = "", env: Mapping[str, str] | None = None) -> None:
        """A process of /proc; its comm is its program's name unless told."""
        variables = [f"{name}={value}" for name, value in (env or {}).items()]
        self.file(f"/proc/{pid}/comm", f"{comm or words[0].rpartition('/')[2]}\n")
        self.file(f"/proc/{pid}/cmdline", "".join(f"{word}\0" for word in words))
        self.file(f"/proc/{pid}/environ", "".join(f"{variable}\0" for variable in variables))
        self.file(f"/proc/{pid}/stat", f"{pid} ({comm or words[0]}) S 1 1 1 34816 {' '.join(map(str, range(8, 53)))}\n")

    def run(self, script: str, half: str = "root", **values: str) -> str:
        """Runs the script after the functions of this half, with these variables, and returns its output."""
        functions = HALVES[half]()
        assignments = "".join(
            f"{name}={shlex.quote(text)}\n" for name, text in {"ROOT": str(self.root), **values}.items()
        )
        text = functions + assignments + _BEGIN + script + "\n"
        process = subprocess.run(self.shell, input=text.encode(), capture_output=True, check=False, cwd=self.root)
        assert not process.stderr, process.stderr.decode()
        return process.stdout.decode("latin-1")

    def frames(self, script: str, half: str = "root", **values: str) -> list[tuple[str, str]]:
        """The frames that the script prints: nothing else may be between them."""
        text, at, fields = self.run(script, half, **values), 0, []
        while at < len(text):
            head = _FRAME.match(text, at)
            assert head, text[at:]
            end = head.end() + int(head[2])
            fields.append((head[1], text[head.end() : end]))
            assert text[end] == "\n"
            at = end + 1
        return fields


@pytest.fixture(params=SHELLS, ids=" ".join)
def tree(request: pytest.FixtureRequest, tmp_path: Path) -> Tree:
    return Tree(tmp_path, request.param)
