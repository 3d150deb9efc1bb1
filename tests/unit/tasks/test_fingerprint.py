"""The fingerprint of what a CLI answers by: another for each thing that may bring another answer, and for no other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from jada.tasks.asked import Asked
from jada.tasks.fingerprint import fingerprint
from jada.tasks.state import Agent, File, Login, ModelReport, OpenSession, ProcessSpec, Settings, State

Host = Callable[..., State]
OTHER = ProcessSpec({"ANTHROPIC_MODEL": "x"}, {"ANTHROPIC_MODEL": "a"}, cwd="/srv")
LAYER = Settings("/etc/claude-code/managed-settings.json", changed=1.0, text='{"env": {"TOKEN": "****"}}')


@pytest.mark.parametrize(
    "changes",
    [
        {"settings": {"file": File("1000:1000", "600", "b" * 64)}},
        {"settings": {"file": File("1000:1000", "000", "a" * 64)}},
        {"settings": {"changed": 1.0}},
        {"settings": {"problem": "it is not a regular file"}},
        {"settings": {"real": "/srv/settings.json"}},
        {"layers": (LAYER,)},
        {"managed_changed": 1.0},
        {"agents": (Agent("/home/agent/.claude/agents/a.md", "a", ""),)},
        {"process": None},
        {"process": {"pid": 301}},
        {"process": {"ticks": 5001}},
        {"process": {"speaker": 301, "spoke_ticks": 5001}},
        {"process": {"spec": OTHER}},
        {"process": {"respawn": OTHER}},
        {"boot": "boot-2"},
        {"next_start": OTHER},
        {"reloaded": OTHER},
        {"release": {"id": "20261124-120000-bbbb"}},
        {"release": None},
        {"user": "other"},
        {"home": "/home/other"},
        {"unit": {"name": "other.service"}},
        {"unseen": "it was cut off"},
    ],
    ids=str,
)
def test_what_may_bring_another_answer(host: Host, changes: dict[str, Any]) -> None:
    assert fingerprint(host(**changes), "") != fingerprint(host(), "")


def test_the_program_of_fleet_yml_and_each_thing_of_a_layer(host: Host) -> None:
    layers = (
        LAYER,
        replace(LAYER, changed=2.0),
        replace(LAYER, text='{"model": "x"}'),
        replace(LAYER, path="/srv/.claude/settings.json"),
        replace(LAYER, problem="the service's user may not read it"),
    )
    seen = [fingerprint(host(layers=(layer,)), "") for layer in layers]
    seen += [fingerprint(host(layers=(LAYER, LAYER)), ""), fingerprint(host(), ""), fingerprint(host(), "/srv/claude")]
    assert len(set(seen)) == len(seen)


@pytest.mark.parametrize(
    "changes",
    [
        {"now": 1.0},
        # What a look works out from the time of day.
        {"process": {"started": 1.0, "spoke": 2.0}},
        {"process": {"soft": 1024}},
        {"report": ModelReport("url", "x")},
        {"asked": Asked(model="x", version="2.1.332", is_running=True)},
        {"login": Login(1024)},
        {"sessions": (OpenSession(7, 1.0, 100, "pts/0", "ann", ""),)},
        {"unread": ("sessions: more than 50",)},
        {"limits": File()},
    ],
    ids=str,
)
def test_what_does_not(host: Host, changes: dict[str, Any]) -> None:
    assert fingerprint(host(**changes), "") == fingerprint(host(), "")
