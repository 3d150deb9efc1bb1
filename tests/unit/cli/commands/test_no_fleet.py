"""Commands that a fleet.yml is of use to, and that go on without one."""

from __future__ import annotations

from pathlib import Path

import pytest

from jada import Exit
from tests.unit.cli.conftest import Jada


@pytest.fixture
def nowhere(jada: Jada, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Jada:
    """A place where no fleet.yml is found."""
    monkeypatch.delenv("JADA_FLEET")
    monkeypatch.chdir(tmp_path)
    return jada


def test_a_release_is_looked_for_in_this_machines_record(nowhere: Jada, monkeypatch: pytest.MonkeyPatch) -> None:
    done = nowhere("show", "nosuch")
    assert (done.exit, "No release nosuch is recorded here" in done.err) == (Exit.FAILED, True)
    assert nowhere("show", "nosuch", "--fleet", "nosuch.yml").exit == Exit.USAGE
    monkeypatch.setenv("JADA_FLEET", "nosuch.yml")
    assert nowhere("show", "nosuch").exit == Exit.USAGE


def test_the_catalogue_is_listed(nowhere: Jada, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "claude-opus-5" in nowhere("models").out
    nowhere.fleet_file.write_text("fleet: [")
    monkeypatch.setenv("JADA_FLEET", str(nowhere.fleet_file))
    assert "claude-opus-5" in nowhere("models").out
    assert nowhere("models", "--fleet", str(nowhere.fleet_file)).exit == Exit.USAGE
