"""The Claude CLI as a lab's agent: where it is found, and that a lab remembers it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from jada import JadaError
from jada.inventory.lab import claude, fleet, named
from jada.inventory.lab.named import Lab, LabState, read_state


def program(path: Path, mode: int = 0o755) -> Path:
    path.parent.mkdir(parents=True)
    path.write_text("#!/bin/sh\necho '2.1.332 (Claude Code)'\n")
    path.chmod(mode)
    return path


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("JADA_CLAUDE", raising=False)
    monkeypatch.setattr(claude, "CHECKOUT", tmp_path / ".claude-cli")
    return tmp_path / ".claude-cli/lib/python3.12/site-packages/claude_agent_sdk/_bundled/claude"


def test_the_cli_of_the_checkout_is_found(checkout: Path) -> None:
    program(checkout)
    assert claude.find_cli() == checkout
    assert claude.version(checkout) == "2.1.332"


def test_one_installed_beside_jada_comes_first(checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(checkout)
    installed = program(tmp_path / "site/claude_agent_sdk/_bundled/claude")
    (installed.parents[1] / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path / "site")
    assert claude.find_cli() == installed


def test_one_that_is_named_comes_before_all(checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(checkout)
    own = program(tmp_path / "bin/claude")
    monkeypatch.setenv("JADA_CLAUDE", str(own))
    assert claude.find_cli() == own


def test_a_cli_that_is_lacking_is_told(checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(JadaError, match="is not installed for the lab") as lacking:
        claude.find_cli()
    assert "pip install claude-agent-sdk" in lacking.value.hint
    program(checkout)
    monkeypatch.setenv("JADA_CLAUDE", str(program(tmp_path / "bin/claude", 0o644)))
    with pytest.raises(JadaError, match="bin/claude, which is no program"):
        claude.find_cli()


def test_a_lab_remembers_its_agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(named, "FOLDERS", tmp_path)
    lab = Lab("a")
    lab.folder.mkdir()
    lab.state.write_text(json.dumps(asdict(LabState(2, "/base", "10.78", "/x/claude", "2.1.332"))))
    state = read_state(lab)
    assert state
    assert state.agent == "Claude CLI 2.1.332"
    assert [host.claude for host in fleet.current(lab)] == ["/x/claude"] * 2
    # As a jada wrote it that knew of no Claude CLI.
    lab.state.write_text('{"hosts": 1, "base": "/base", "network": "10.78"}')
    state = read_state(lab)
    assert state
    assert state.agent == "stand-in"
    assert [host.claude for host in fleet.current(lab)] == [""]
