"""The explanation of a host for people (cli/ui/explanation.py)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from jada.cli.ui.explanation import lines
from jada.tasks.state import State


def test_it_begins_with_all_models_that_the_release_asks_for(host: Callable[..., State]) -> None:
    release = host().release
    assert release
    assert next(lines("web-1", host())).endswith(f"release {release.id} asks for claude-sonnet-4.6")
    desired = replace(release.desired, fallback=("claude-opus-5", "x"), subagent_model="claude-haiku-4.5")
    assert next(lines("web-1", host(release=replace(release, desired=desired)))).endswith(
        "asks for claude-sonnet-4.6, claude-opus-5, x where that can't answer, claude-haiku-4.5 for subagents"
    )
