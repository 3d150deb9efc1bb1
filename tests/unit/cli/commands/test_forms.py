"""Every `--json`: one form for each command, as docs/schemas/ has it, and one word for a thing in all of them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest
from click.testing import CliRunner

from jada import Exit, Host, HostError
from jada.cli.commands import drift, explain, heal, history, hosts, lab, models, plan, rollback, status, upgrade
from jada.cli.main import COMMANDS
from jada.cli.main import jada as program
from jada.cli.records.model import Entry, HostEntry, HostOutcome
from jada.cli.records.sqlite import open_records
from jada.cli.session import FleetSession
from jada.inventory.fleet import config
from jada.inventory.fleet.config import Fleet
from jada.inventory.fleet.rollout import ALL_AT_ONCE
from jada.inventory.lab import fleet as lab_fleet
from jada.inventory.lab import machine
from jada.inventory.roles import Role
from jada.tasks.operator_lock import OperatorLock
from jada.tasks.state import OpenSession, State
from tests.fakes import FakeEngine
from tests.forms import SCHEMAS, checked, schema

FLEET = Fleet("f", Path("fleet.yml"), (), (Role("r", "opus-5"),), rollout=ALL_AT_ONCE)
ANN = OperatorLock("ann@ops", "2027-01-01T10:00:00+00:00", "", "incident 4711")
HOSTS = (
    Host("web-1", "192.0.2.1", "ec2", "i-1", "us-east-1", role="r", tags={"Empty": ""}),
    Host("web-2", "192.0.2.2", "static"),
    Host("web-3", "192.0.2.3", "static", role="r"),
    Host("off-1", "", "lightsail", "off-1", "us-east-1", role="r", trouble=HostError("off-1 has no address")),
)
RELEASE = "20261124-110000-aaaa"
# Places of texts that may be empty: values and keys of tags, lines of a diff and of a journal.
FOREIGN = {"tags", "diff", "log"}
Run = Callable[..., dict[str, Any]]


@pytest.fixture
def states(host: Callable[..., State]) -> dict[str, State | HostError]:
    """One in sync, one that drifted and is locked, one that is being changed, and one that is off."""
    session = OpenSession(pid=9, user="ann", tty="", started=float("inf"), ticks=1, model="")
    return {
        "web-1": host(sessions=(session,)),
        "web-2": host(release=None, process=None, operator_lock=ANN, settings={"text": None}),
        "web-3": host(running_transaction="ann@ops since 2026-11-24T12:00:00+00:00 for release r1"),
        "off-1": HostError("off-1 is off"),
    }


@pytest.fixture
def run(states: dict[str, State | HostError], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """run(command, …): what it prints with --json of these hosts, in the form that is described."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    @contextmanager
    def open_session(*_: object, **__: object) -> Iterator[FleetSession]:
        yield FleetSession(FLEET, HOSTS, FakeEngine(states), time.monotonic() + 1000)

    for module in (drift, explain, heal, plan, rollback, status, upgrade):
        monkeypatch.setattr(module, "open_session", open_session)
    for module in (drift, history, hosts):
        monkeypatch.setattr(module, "load", lambda *_: FLEET)
    monkeypatch.setattr(config, "load", lambda *_: FLEET)
    monkeypatch.setattr(hosts, "find", lambda *_: HOSTS)
    with open_records() as records:
        records.add(
            Entry(id=RELEASE, fleet="f", kind="upgrade", at="2026-11-24T11:00:00+00:00", who="ann@ops", reason="",
                  model=""),
            [HostEntry(release=RELEASE, host="web-1", outcome=HostOutcome.REJECTED)],
        )  # fmt: skip

    def printed(command: click.Command, *argv: str) -> dict[str, Any]:
        done = CliRunner().invoke(command, [*argv, "--json"], standalone_mode=False)
        if done.exception:
            raise done.exception
        form = checked(done.stdout)
        assert form["exit"] == (done.return_value or Exit.OK)
        assert datetime.fromisoformat(form["at"]).utcoffset() is not None
        return form

    return printed


EVERY: Mapping[str, tuple[click.Command, tuple[str, ...]]] = {
    "drift": (drift.drift, ()),
    "drift-history": (drift.drift, ("--since", "7d")),
    "explain": (explain.explain, ("*",)),
    "heal": (heal.heal, ("--dry-run",)),
    "history": (history.history, ()),
    "hosts": (hosts.hosts, ()),
    "models": (models.models, ()),
    "plan": (plan.plan, ("--to", "opus-5")),
    "rollback": (rollback.rollback, ("--dry-run", "--force")),
    "show": (history.show, (RELEASE,)),
    "status": (status.status, ()),
    "upgrade": (upgrade.upgrade, ("--to", "opus-5", "--dry-run")),
}


# Those that other tests have.
ELSEWHERE = (
    "lab-status", "lock", "locks", "unlock", "rollouts", "resume", "compare", "apply", "doctor", "state-migrate",
    "host-keys", "forget",
)  # fmt: skip


@pytest.mark.parametrize("name", EVERY)
def test_what_is_absent_is_null_and_hosts_are_told_alike(run: Run, name: str) -> None:
    command, argv = EVERY[name]
    form = run(command, *argv)
    assert form["schema"] == f"jada.{name}/1"
    assert form["fleet"] == "f"
    assert not list(empty(form))
    assert all(host["host"] for host in form.get("hosts", ()))


def empty(value: Any, path: str = "") -> Iterator[str]:
    """Where an empty text stands that somebody else did not write."""
    if value == "":
        yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from () if key in FOREIGN else empty(inner, f"{path}.{key}")
    if isinstance(value, list):
        for inner in value:
            yield from empty(inner, path)


def test_every_command_with_json_has_a_form_and_no_other() -> None:
    found = {"drift-history"}
    for name in COMMANDS:
        command = program.get_command(click.Context(program), name)
        inner = command.commands.items() if isinstance(command, click.Group) else [("", command)]
        found |= {
            f"{name}-{verb}".removesuffix("-")
            for verb, part in inner
            if part and any(option.name == "as_json" for option in part.params)
        }
    # Of the logs and the guard, each line has one (test_logs.py, test_guard.py), as each event of a rollout and each
    # message (test_observe.py).
    assert {*found, "events", "log"} == {file.stem for file in SCHEMAS.glob("*.json")}
    assert found == {*EVERY, *ELSEWHERE, "logs", "guard"}


@pytest.mark.parametrize("name", [*EVERY, *ELSEWHERE])
def test_a_form_says_what_it_is_of_and_takes_nothing_else(name: str) -> None:
    form = schema(name).schema
    assert form["properties"]["schema"] == {"const": f"jada.{name}/1"}
    assert {"schema", "fleet", "at", "exit"} <= set(form["required"])
    assert all(part["additionalProperties"] is not True and part.get("required") is not None for part in objects(form))


def objects(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in a schema that lists its keys."""
    if isinstance(value, dict):
        if value.get("type") == "object" and "properties" in value:
            yield value
        for inner in value.values():
            yield from objects(inner)
    if isinstance(value, list):
        for inner in value:
            yield from objects(inner)


@pytest.mark.parametrize("name", ["upgrade", "heal"])
def test_a_dry_run_carries_the_diff_as_people_are_shown_it(
    run: Run, states: dict[str, State | HostError], name: str
) -> None:
    state = states["web-1"]
    assert isinstance(state, State)
    text = json.dumps({"env": {"TOKEN": "*" * 40}, "model": "claude-haiku-4.5"})
    states["web-1"] = replace(state, settings=replace(state.settings, text=text))
    states["web-2"] = replace(state, release=None)
    command, argv = EVERY[name]
    rows = {host["host"]: host for host in run(command, *argv)["hosts"]}
    diff = rows["web-1"]["diff"]
    assert diff[0] == "--- ~/.claude/settings.json"
    assert any(line.startswith("-") and "•••" in line and "claude-haiku-4.5" in line for line in diff), diff
    assert "***" not in json.dumps(rows)
    assert diff[-1] == "restart jada-agent.service"
    assert rows["off-1"]["diff"] == rows["web-3"]["diff"] == []


def test_the_lab_is_told_in_the_same_words(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    off = SimpleNamespace(name="specialist-1", cloud="ec2", region="us-east-1", address="10.77.1.1", login="admin",
                          user="agent", leader=None, console=tmp_path / "console")  # fmt: skip
    monkeypatch.setattr(lab, "_require_lab_machine", lambda: None)
    monkeypatch.setattr(lab_fleet, "current", lambda _: [off])
    monkeypatch.setattr(lab_fleet, "endpoint", lambda _: "")
    monkeypatch.setattr(machine, "healthz", lambda _: {})
    form = checked(CliRunner().invoke(lab.lab, ["status", "--json"]).stdout)
    assert form["endpoint"] is None
    assert (form["hosts"][0]["provider"], form["hosts"][0]["model"], form["hosts"][0]["power"]) == ("ec2", None, "off")
