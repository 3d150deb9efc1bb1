"""Commands that judge hosts share the answers of their CLIs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from jada.tasks.asked import Asked
from jada.tasks.state import State
from tests.unit.cli.conftest import Jada

ANSWER = Asked(model="claude-sonnet-4.6", version="2.1.332", is_running=True)


@pytest.fixture
def asked(jada: Jada, host: Callable[..., State]) -> Callable[..., list[str]]:
    """asked("drift"): what the command did on web-1, whose CLI can be asked."""
    jada.states["web-1"] = host(asked=ANSWER)

    def run(*argv: str) -> list[str]:
        jada(*argv)
        return jada.engines[-1].connections["web-1"].log

    return run


def test_an_answer_to_one_command_stands_in_the_others(asked: Callable[..., list[str]], tmp_path: Path) -> None:
    assert asked("drift") == ["look", "ask"]
    for argv in (("drift",), ("status",), ("report", "--html", str(tmp_path / "page.html")), ("heal", "--yes")):
        assert asked(*argv) == ["look"], argv


def test_explain_and_changes_always_ask_and_leave_their_answers(
    asked: Callable[..., list[str]], jada: Jada, host: Callable[..., State]
) -> None:
    for _ in range(2):
        assert asked("explain", "web-1") == ["look", "ask"]
    assert asked("drift", "--limit", "web-1") == ["look"]
    jada.states["web-1"] = host(asked=ANSWER, process={"soft": 1024})
    assert asked("upgrade", "--limit", "web-1", "--yes") == ["look", "ask alone", "probe", "apply", "look", "ask"]
    assert asked("drift", "--limit", "web-1") == ["look"]
    assert "asked_at" in jada("drift", "--json", "--limit", "web-1").out
