"""`jada report` of a fleet."""

from __future__ import annotations

from pathlib import Path

from jada import Exit, HostError
from jada.cli.commands import report
from jada.tasks.state import State
from tests.unit.cli.conftest import Jada


def test_the_page_is_written_also_of_hosts_that_are_off(jada: Jada, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    jada.states["web-1"] = HostError("web-1 is off")
    done = jada("report", "--html", str(file))
    assert done.exit == Exit.FAILED
    assert done.out.startswith(f"Wrote {file}. 3 hosts:")
    assert "web-1 is off" in file.read_text()


def test_wrong_uses_write_no_page(jada: Jada, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    assert jada("report").exit == Exit.USAGE
    assert jada("report", "--html", str(file), "--since", "long ago").exit == Exit.USAGE
    assert jada("report", "--html", str(file), "--limit", "nosuch").exit == Exit.USAGE
    assert not file.exists()


def test_a_state_of_which_nothing_can_be_told_is_its_hosts_trouble(jada: Jada) -> None:
    state = jada.states["web-1"]
    assert isinstance(state, State)
    assert report._explainable("web-1", state) is state
