"""What counts as drift, and what does not."""

from collections.abc import Callable
from typing import Any

import pytest

from jada.tasks import checks
from jada.tasks.state import File, Settings, State

Host = Callable[..., State]
MANAGED = "/etc/claude-code/managed-settings.json"


def codes(state: State) -> list[str]:
    return [finding.code for finding in checks.drift(state)]


def test_a_healthy_host_is_in_sync(host: Host) -> None:
    assert codes(host()) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"release": None}, ["J401"]),
        ({"interrupted": "r2"}, ["J402"]),
        ({"unit": {"loaded": False}}, ["J201"]),
        ({"unit": {"active": "failed"}}, ["J202"]),
        ({"unit": {"active": "activating", "sub": "auto-restart"}}, ["J202"]),
        ({"unit": {"restarts": 3}, "process": {"started": 1_800_000_000.0 - 5}}, ["J203"]),
        ({"unit": {"needs_reload": True}}, ["J205"]),
        ({"settings": {"text": '{"model": "claude-sonnet-4.6",}'}}, ["J101"]),
        ({"settings": {"text": '{"model": "claude-haiku-4.5"}'}}, ["J102"]),
        ({"settings": {"text": "{}"}}, ["J102"]),
        ({"settings": {"file": File("0:0", "644", "b" * 64)}}, ["J107"]),
        ({"layers": (Settings(MANAGED, text='{"model": "claude-opus-5"}'),)}, ["J103"]),
        ({"layers": (Settings(MANAGED, text='{"env": {"ANTHROPIC_MODEL": "x"}}'),)}, ["J103"]),
        ({"process": {"env": {"ANTHROPIC_MODEL": "claude-opus-5"}}}, ["J103"]),
        ({"process": {"argv_model": "claude-opus-5"}}, ["J103"]),
        ({"process": {"env": {"CLAUDE_CONFIG_DIR": "/srv/claude"}}}, ["J104"]),
        ({"health_model": "claude-haiku-4.5"}, ["J105"]),
        ({"health_model": "", "health_error": "connection refused"}, ["J105"]),
        ({"process": {"soft": 1024}}, ["J301"]),
        ({"dropin": File("0:0", "644", "f" * 64)}, ["J204"]),
        ({"limits": File()}, ["J204"]),
        # The process is older than the release, and nothing tells what it read.
        (
            {"process": {"started": 1_800_000_000.0 - 500, "ticks": 10}, "health_asked": False, "health_model": ""},
            ["J106"],
        ),
    ],
)
def test_each_lie_is_found(host: Host, changes: dict[str, Any], expected: list[str]) -> None:
    assert codes(host(**changes)) == expected


@pytest.mark.parametrize(
    "changes",
    [
        # The Claude CLI rewrote the file after the release, and the model is still the same.
        {
            "settings": {"mtime": 1_800_000_000.0 - 10, "file": File("1000:1000", "600", "c" * 64)},
            "health_asked": False,
            "health_model": "",
        },
        # The host rebooted since.
        {"boot": "boot-2", "process": {"ticks": 17}},
        # A layer that asks for the same model.
        {"layers": (Settings(MANAGED, text='{"model": "claude-sonnet-4.6"}'),)},
        # The local layer of a project the service does not work in.
        {
            "layers": (Settings("/home/agent/.claude/settings.local.json", text='{"model": "x"}'),),
            "unit": {"working_directory": "/srv"},
        },
        # A lower-ranking default.
        {"process": {"env": {"ANTHROPIC_DEFAULT_MODEL": "x"}}},
        {"process": {"env": {"CLAUDE_CONFIG_DIR": "/home/agent/.claude/"}}},
        {"unit": {"restarts": 1}},
        # A transaction is at work right now.
        {"interrupted": "r2", "lock": "ann"},
    ],
)
def test_the_harmless_is_not_drift(host: Host, changes: dict[str, Any]) -> None:
    assert codes(host(**changes)) == []


def test_running_model_is_known_only_from_what_runs(host: Host) -> None:
    assert checks.running_model(host()) == "claude-sonnet-4.6"
    assert checks.running_model(host(process=None)) == ""
    stale = host(process={"started": 1.0, "ticks": 1}, health_model="", health_asked=False)
    assert checks.running_model(stale) == ""
    shadowed = host(process={"env": {"ANTHROPIC_MODEL": "x"}}, health_model="", health_asked=False)
    assert checks.running_model(shadowed) == "x"
