"""The edits of a text on a host (files/edit.sh), against those made here."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from jada import Tiers
from jada.tasks import FILES
from jada.tasks.settings import BOM, Splice, Splices, apply, set_models
from jada.tasks.transaction import _words
from tests.unit.files.look.conftest import SHELLS

TIERS = Tiers("claude-opus-5", ("claude-sonnet-4.6", "claude-haiku-4.5"), "claude-haiku-4.5")


def run(shell: tuple[str, ...], verb: str, file: Path, splices: Splices) -> subprocess.CompletedProcess[bytes]:
    script = f'{(FILES / "edit.sh").read_text()}\neval "set -- $EDITS"\n{verb} "$FILE" "$@"\n'
    env = {"PATH": "/usr/bin:/bin", "EDITS": _words(splices), "FILE": str(file), "LC_ALL": "C"}
    return subprocess.run([*shell, "-c", script], capture_output=True, env=env, check=False)


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
@pytest.mark.parametrize(
    "text",
    [
        "{}",
        '{"model":"x"}',
        BOM + '{\r\n\t"env" : {\r\n\t\t"T": "it\'s $HOME `id` \\\\ \\" \xc3\xa9"\r\n\t} , "model": "x"}\r\n\n\n',
        '{"fallbackModel": [\n  "a",\n  "b"\n], "env": {"A": "%s"}}' % ("*" * 100_000),
    ],
)
def test_a_host_makes_the_same_edits(shell: tuple[str, ...], text: str, tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    file.write_bytes(text.encode("latin-1"))
    splices = set_models(text, TIERS)
    done = run(shell, "edited", file, splices)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode("latin-1") == apply(text, splices)
    assert run(shell, "edited", file, ()).stdout.decode("latin-1") == text


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_edits_that_reach_into_each_other_are_none(shell: tuple[str, ...], tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    file.write_text("0123456789")
    assert run(shell, "edited", file, (Splice(2, 3, "x"), Splice(4, 1, "y"))).returncode == 1
    assert run(shell, "edited", file, (Splice(2, 3, "x"), Splice(5, 0, "y"))).stdout == b"01xy56789"
