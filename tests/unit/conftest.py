"""A healthy host as one look would see it; tests say only what is different about theirs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from jada import Host, HostError, Service
from jada.cli.drift.evaluate import evaluate
from jada.cli.records.drift import Check, Episode
from jada.cli.records.model import Entry, HostEntry, HostOutcome
from jada.cli.report.page import Done, Page
from jada.cli.ui import console
from jada.inventory.fleet.accept import Acceptance
from jada.inventory.fleet.config import Fleet
from jada.tasks import plan
from jada.tasks.plan import Plan, Request
from jada.tasks.release import Desired, Release
from jada.tasks.state import (
    Capacity,
    File,
    Folder,
    Login,
    ModelReport,
    OpenSession,
    Process,
    ProcessSpec,
    Settings,
    State,
    Unit,
    Way,
)
from tests.forms import checked

MODEL = "claude-sonnet-4.6"
ID = "20261124-120000-aaaa"
NOW = 1_800_000_000.0
HEALTHY = State(
    user="agent",
    uid=1000,
    gid=1000,
    home="/home/agent",
    home_real="/home/agent",
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
    way=Way(
        folders=(
            Folder("/", 0, "drwxr-xr-x"),
            Folder("/home", 0, "drwxr-xr-x"),
            Folder("/home/agent", 1000, "drwxr-xr-x"),
            Folder("/home/agent/.claude", 1000, "drwxr-xr-x"),
        )
    ),
    agents=(),
    dropin=File("0:0", "644", "d" * 64),
    limits=File("0:0", "644", "e" * 64),
    capacity=Capacity(nr_open=1_048_576, can_raise=True, hard_pid1=1_048_576, hard_login=524_288),
    next_start=ProcessSpec(cwd="/srv"),
    process=Process(
        pid=300, started=NOW - 90, ticks=5000, soft=1_048_576, hard=1_048_576, spec=ProcessSpec(cwd="/srv")
    ),
    login=Login(1_048_576),
    sessions=(),
    report=ModelReport(by="url", model=MODEL),
    release=Release(
        ID, "upgrade", Desired(MODEL, 1_048_576, 2_147_483_646, ID), Desired("claude-haiku-4.5", 0), fleet="f", role="r"
    ),
    previous=None,
    place=("1000", "1000", "jada-agent.service", "", "/home/agent/.claude", "settings.json"),
    after={
        "settings": File("1000:1000", "600", "a" * 64),
        "dropin": File("0:0", "644", "d" * 64),
        "limits": File("0:0", "644", "e" * 64),
    },
    result=("done", "300", "5000", "boot-1"),
    history=(),
    unfinished_transaction="",
    operator_lock=None,
    running_transaction="",
    boot="boot-1",
    now=NOW,
    unread=(),
)


@pytest.fixture(autouse=True)
def _forms(monkeypatch: pytest.MonkeyPatch) -> None:
    """Holds every JSON that a command prints to the form that docs/schemas/ has for it."""
    as_text = console.json_text

    def json_text(data: Any, ascii_only: bool = False, indent: int | None = 2) -> str:
        text = as_text(data, ascii_only, indent)
        checked(text)
        return text

    monkeypatch.setattr(console, "json_text", json_text)


@pytest.fixture(autouse=True)
def _as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has stderr told as text, however the test before had it."""
    monkeypatch.setattr(console.err, "is_json", False)


@pytest.fixture
def host() -> Callable[..., State]:
    """host(unit={"active": "failed"}, lock="ann"): HEALTHY, changed where the test says; dicts reach one level down."""

    def make(**changes: Any) -> State:
        state = HEALTHY
        for name, value in changes.items():
            part = getattr(state, name)
            new = replace(part, **value) if isinstance(value, dict) and not isinstance(part, dict) else value
            state = replace(state, **{name: new})
        return state

    return make


def back_alone(request: Request, state: State, service: Service, to: str = "") -> Plan:
    """The rollback of a fleet of one host: of the last change that it tells of."""
    change = state.release.change if state.release else ""
    return plan.rollback(request, "r", to, state, service, change)


@pytest.fixture
def page(host: Callable[..., State]) -> Page:
    """A page with a host of every status, a past, and words that try to be more than words."""
    at = datetime(2027, 1, 15, 8, 10, tzinfo=UTC)
    nasty = "<script>alert(1)</script>"
    layer = Settings("/etc/claude-code/managed-settings.json", "", File("0:0", "644", "a"), NOW - 500,
                     '{"model": "claude-opus-5\'<img src=x onerror=alert(2)>"}')  # fmt: skip
    results: dict[str, State | HostError] = {
        "shadowed-1": host(layers=(layer,), process={"soft": 1024}),
        'quoted" onmouseover="alert(3)': host(settings={"text": '{"model": "</code><b>bold"}'}),
        "session-1": host(sessions=(OpenSession(7, NOW - 9000, 100, "pts/0", nasty, ""),)),
        "new-1": host(release=None),
        "off-1": HostError("off-1 can't be reached: <b>no route</b>", "see whether it runs"),
        "fine-1": host(),
        "fine-2": host(),
    }
    hosts = [Host(name, "192.0.2.1", "static", role="r") for name in results]
    accept = (Acceptance("J301", ("*",), f"new image {nasty}", date(2027, 3, 1), 3),)
    fleet = Fleet(f"agents {nasty}", Path("fleet.yml"), (), (), accept=accept)
    drift = evaluate(fleet, hosts, results, {"gone-1": ID}, at)

    def day(days: float) -> str:
        return (at - timedelta(days=days)).isoformat(timespec="seconds")

    def episode(host: str, code: str, opened: float, resolved: float | None) -> Episode:
        return Episode(
            fleet=drift.fleet,
            host=host,
            code=code,
            opened_at=day(opened),
            closed_at="" if resolved is None else day(resolved),
            resolution="" if resolved is None else "resolved",
            severity="error",
            expected="<i>that</i>",
            actual="</svg>this",
            fix="fix it",
        )

    def entry(id: str, kind: str, days: float, who: str, reason: str, model: str) -> Entry:
        return Entry(id=id, fleet=drift.fleet, kind=kind, at=day(days), who=who, reason=reason, model=model)

    def check(days: float, in_sync: int, drifted: int, not_checked: int) -> Check:
        return Check(fleet=drift.fleet, at=day(days), in_sync=in_sync, drifted=drifted, not_checked=not_checked)

    def done(entry: Entry, *outcomes: HostOutcome) -> Done:
        hosts = (
            HostEntry(release=entry.id, host=f"old-{number}", outcome=outcome)
            for number, outcome in enumerate(outcomes)
        )
        return Done(entry, tuple(hosts))

    flapping = [episode("off-1", "J408", days, days - 0.3) for days in (20, 15.5, 9, 2)]
    many = [episode(f"old-{number}", "J102", 12, 11.5) for number in range(8)]
    return Page(
        fleet=fleet,
        drift=drift,
        states={name: state for name, state in results.items() if isinstance(state, State)},
        since=at - timedelta(days=30),
        who=f"cyn@{nasty}",
        checks=(check(3, 5, 1, 0), check(2, 5, 0, 1)),
        episodes=(*flapping, *many, episode("shadowed-1", "J103", 3, None), episode("fine-1", "J204", 45, 6)),
        done=(
            done(entry("20261226-081000-cccc", "upgrade", 20, f"ann@{nasty}", f"try {nasty}", MODEL),
                 *[HostOutcome.VERIFIED] * 6, HostOutcome.ROLLED_BACK),
            done(entry("20270114-081000-dddd", "rollback", 1, "bob@ops", "", ""), *[HostOutcome.IN_PROGRESS] * 7),
        ),
        zone=UTC,
    )  # fmt: skip
