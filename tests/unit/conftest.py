"""A healthy host as one look would see it; tests say only what is different about theirs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from jada.tasks.release import Release, Wanted
from jada.tasks.state import Answer, Capacity, File, Launch, Login, Process, Settings, State, Unit

MODEL = "claude-sonnet-4.6"
ID = "20261124-120000-aaaa"
NOW = 1_800_000_000.0
HEALTHY = State(
    user="agent",
    home="/home/agent",
    unit=Unit(
        name="jada-agent.service",
        loaded=True,
        active="active",
        sub="running",
        result="success",
        main_pid=300,
        restarts=0,
        needs_reload=False,
        dropins=("/etc/systemd/system/jada-agent.service.d/50-jada.conf",),
    ),
    settings=Settings(
        path="/home/agent/.claude/settings.json",
        real="/home/agent/.claude/settings.json",
        file=File("1000:1000", "600", "a" * 64),
        changed=NOW - 100,
        text='{\n  "model": "claude-sonnet-4.6",\n  "env": {"TOKEN": "****"}\n}\n',
    ),
    layers=(),
    managed_changed=0.0,
    denied=False,
    agents=(),
    dropin=File("0:0", "644", "d" * 64),
    limits=File("0:0", "644", "e" * 64),
    capacity=Capacity(nr_open=1_048_576, can_raise=True, hard_pid1=1_048_576, hard_login=524_288),
    fresh=Launch(cwd="/srv"),
    process=Process(pid=300, started=NOW - 90, ticks=5000, soft=1_048_576, hard=1_048_576, launch=Launch(cwd="/srv")),
    login=Login(1_048_576),
    sessions=(),
    health=Answer(asked=True, model=MODEL),
    probe=Answer(),
    release=Release(
        ID, "upgrade", Wanted(MODEL, 1_048_576, 2_147_483_646, ID), Wanted("claude-haiku-4.5", 0), fleet="f", role="r"
    ),
    previous=None,
    after={
        "settings": File("1000:1000", "600", "a" * 64),
        "dropin": File("0:0", "644", "d" * 64),
        "limits": File("0:0", "644", "e" * 64),
    },
    result=("done", "300", "5000", "boot-1"),
    history=(),
    interrupted="",
    held="",
    lock="",
    free_kib={"settings": 10_000, "state": 10_000, "etc": 10_000},
    boot="boot-1",
    now=NOW,
)


@pytest.fixture
def host() -> Callable[..., State]:
    """host(unit={"active": "failed"}, held="ann"): HEALTHY, changed where the test says; dicts reach one level down."""

    def make(**changes: Any) -> State:
        state = HEALTHY
        for name, value in changes.items():
            part = getattr(state, name)
            new = replace(part, **value) if isinstance(value, dict) and not isinstance(part, dict) else value
            state = replace(state, **{name: new})
        return state

    return make
