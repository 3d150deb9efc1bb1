"""The examples of the Python API, which its docstrings and docs/api.md have, on real hosts."""

from __future__ import annotations

import doctest
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jada.cli.api import fleet
from tests.conftest import short_fleet

if TYPE_CHECKING:
    from tests.conftest import Lab

pytestmark = pytest.mark.lab


def test_each_example_does_what_it_says(lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "fleet.yml"
    file.write_text(short_fleet())
    monkeypatch.setenv("JADA_FLEET", str(file))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    # One after the other, as people read them: each goes on with the names of those before it.
    found = {test.name.rpartition(".")[2]: test for test in doctest.DocTestFinder().find(fleet.Fleet, "Fleet")}
    order = ("Fleet", "hosts", "status", "drift", "plan", "apply", "rollback")
    assert set(order) == {name for name, test in found.items() if test.examples}
    names: dict[str, object] = {}
    told: list[str] = []
    for name in order:
        found[name].globs = names
        doctest.DocTestRunner().run(found[name], out=told.append, clear_globs=False)
    assert not told, "".join(told)
