"""A rollout as a whole: what is planned, locked, stopped and recorded, and by which exit code that is told."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from jada import Exit, Host, HostError, Service, Tiers
from jada.cli import signals
from jada.cli.commands import rollback, upgrade
from jada.cli.records import sqlite
from jada.cli.records.model import HostOutcome
from jada.cli.records.sqlite import open_records
from jada.cli.rollout.options import RolloutOptions
from jada.cli.rollout.outcome import HostResult, exit_code
from jada.cli.rollout.record import as_entry
from jada.cli.rollout.run import run_rollout
from jada.cli.rollout.show import show_plan
from jada.cli.session import FleetSession, NotStartedError
from jada.cli.ui.duration import local_times
from jada.inventory.fleet.config import Fleet
from jada.inventory.fleet.rollout import ALL_AT_ONCE
from jada.inventory.roles import Role
from jada.tasks import plan, release
from jada.tasks.operator_lock import OperatorLock
from jada.tasks.plan import Plan, Request
from jada.tasks.release import Desired, Release
from jada.tasks.state import HistoryEntry, State
from tests.fakes import FakeEngine, fake_session
from tests.forms import checked

OPUS, SONNET = "claude-opus-5", "claude-sonnet-4.6"
FLEET = Fleet("f", Path("fleet.yml"), (), (Role("r", "opus-5"),), rollout=ALL_AT_ONCE)
SERVICE = Service()
REQUEST = Request("20270101-120000-aaaa", "f", "ann@box", "2027-01-01T12:00:00+00:00", 4096)
OPTIONS = RolloutOptions(dry_run=False, yes=True, as_json=False, verbose=False)
ANN = OperatorLock("ann@ops", "2027-01-01T10:00:00+00:00", "", "incident 4711")


Command = Callable[..., Result]


@pytest.fixture
def states(host: Callable[..., State]) -> dict[str, State]:
    """web-2 and web-10, on sonnet-4.6 by jada; before that they were on opus-5, by jada too."""
    on_opus = Desired(OPUS, 4096, 4096, "20261124-110000-aaaa")
    first = Release("20261124-110000-aaaa", "upgrade", on_opus, Desired("", 0), role="r")
    last = release.upgrade("20261124-120000-aaaa", first.desired, Desired(SONNET, 4096, 4096), role="r")
    state = host(
        release=last, history=(HistoryEntry(first, ""), HistoryEntry(last, "")), process={"soft": 4096, "hard": 4096}
    )
    return {"web-2": state, "web-10": state}


@pytest.fixture
def command(states: dict[str, State], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """command("rollback", "--yes", …), of these hosts."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    # In one second, the order of ids is left to chance.
    numbers = itertools.count(10)
    monkeypatch.setattr(release, "new_id", lambda _: f"20261124-1300{next(numbers)}-aaaa")
    hosts = tuple(Host(name, "192.0.2.1", "static", role="r") for name in states)

    @contextmanager
    def open_session(*_: object, **__: object) -> Iterator[FleetSession]:
        yield FleetSession(FLEET, hosts, FakeEngine(states, service=SERVICE), time.monotonic() + 1000)

    for module in (rollback, upgrade):
        monkeypatch.setattr(module, "open_session", open_session)
    commands = {"rollback": rollback.rollback, "upgrade": upgrade.upgrade}
    return lambda name, *argv: CliRunner().invoke(commands[name], argv, standalone_mode=False)


@pytest.mark.parametrize(
    ("argv", "hint"),
    [
        (("rollback",), "jada unlock, or in an incident: jada rollback --force"),
        (("upgrade", "--to", "opus-5"), "jada unlock"),
    ],
)
def test_a_dry_run_under_a_lock_shows_the_plan_and_that_it_would_end_there(
    command: Command, states: dict[str, State], argv: tuple[str, ...], hint: str
) -> None:
    states["web-10"] = replace(states["web-10"], operator_lock=ANN)
    done = command(*argv, "--dry-run")
    assert done.return_value == Exit.LOCKED
    assert f"+model {OPUS}" in done.stdout or f'+"model": "{OPUS}"' in done.stdout
    note = f"f is locked: web-10 by {local_times(str(ANN))}: that would stop this here. To go on: {hint}"
    assert f"  Note {note}\n" in done.stdout
    assert "Dry run: nothing was changed." in done.stdout
    report = json.loads(command(*argv, "--dry-run", "--json").stdout)
    assert report["exit"] == Exit.LOCKED
    assert note in report["notes"]
    assert {row["outcome"] for row in report["hosts"]} == {"planned"}
    done = command(*argv, "--yes")
    assert (done.exception.exit_code, done.exception.hint) == (Exit.LOCKED, hint)  # type: ignore[union-attr]


def test_a_dry_run_that_is_forced_is_not_stopped(command: Command, states: dict[str, State]) -> None:
    states["web-10"] = replace(states["web-10"], operator_lock=ANN)
    done = command("rollback", "--dry-run", "--force")
    assert (done.return_value, "that would stop this" in done.stdout) == (Exit.OK, False)


def test_a_rollback_that_goes_forward_again_is_recorded_as_that(command: Command) -> None:
    for argv in (("rollback",), ("rollback", "--redo"), ("rollback",)):
        assert command(*argv, "--yes").return_value == Exit.OK
    with open_records() as kept:
        assert [entry.kind for entry in kept.entries("f", None, 9)] == ["rollback", "redo", "rollback"]


@pytest.mark.parametrize("redo", [(), ("--redo",)])
def test_a_change_that_was_cut_off_makes_no_other_thing_of_a_rollback(
    command: Command, states: dict[str, State], redo: tuple[str, ...]
) -> None:
    if redo:
        command("rollback", "--yes")
    entry = as_entry(
        REQUEST,
        "rollback",
        {
            name: plan.redo(REQUEST, "r", state, SERVICE, "20261124-120000-aaaa")
            if redo
            else plan.rollback(REQUEST, "r", "", state, SERVICE, "20261124-120000-aaaa")
            for name, state in {
                **states, "cut": replace(states["web-2"], unfinished_transaction="20261124-120000-aaaa")
            }.items()
        },
    )  # fmt: skip
    assert entry.kind == ("redo" if redo else "rollback")


def test_a_rollback_opens_the_record_once(
    command: Command, states: dict[str, State], monkeypatch: pytest.MonkeyPatch
) -> None:
    session = []
    real = sqlite.open_database

    def count(*argv: Any) -> Any:
        session.append(argv)
        return real(*argv)

    monkeypatch.setattr(sqlite, "open_database", count)
    assert command("rollback", "--yes").return_value == Exit.OK
    assert len(session) == 1


def test_a_record_that_can_not_be_written_is_told_once(command: Command, tmp_path: Path) -> None:
    (tmp_path / "state/jada").mkdir(parents=True)
    (tmp_path / "state/jada/history.db").write_bytes(b"no database at all" * 100)
    done = command("rollback", "--yes")
    assert done.return_value == Exit.OK
    assert done.stderr.count("Not recorded here") == 1


def test_a_release_to_go_back_to_is_chosen_from_those_there_are(command: Command) -> None:
    done = command("rollback", "--to", "nosuch", "--dry-run")
    assert done.return_value == Exit.FAILED
    kept = f"20261124-110000-aaaa ({OPUS}, 2026-11-24 11:00:00Z)"
    assert f"  Refused web-2, web-10: it keeps no snapshot of nosuch; it keeps {kept}\n" in done.stdout


def test_what_is_told_of_several_hosts_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    plans: dict[str, Plan | HostError] = {
        "a": Plan(refusal="no"),
        "b": Plan(lock="ann"),
        "c": Plan(refusal="no"),
        "d": Plan(lock="ann"),
        "e": Plan(refusal="never"),
        "f": HostError("f is off"),
    }
    show_plan("t", plans)
    lines = [line.strip() for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert lines == ["t", "Unreachable f is off", "Refused a, c: no", "Refused e: never", "Locked b, d by ann"]


OUTCOMES = {
    (HostOutcome.VERIFIED, HostOutcome.UNCHANGED): Exit.OK,
    (HostOutcome.VERIFIED, HostOutcome.LOCKED): Exit.LOCKED,
    (HostOutcome.LOCKED, HostOutcome.ROLLED_BACK): Exit.ROLLED_BACK,
    (HostOutcome.ROLLED_BACK, HostOutcome.ROLLBACK_FAILED): Exit.FAILED,
    (HostOutcome.ROLLED_BACK, HostOutcome.UNREACHABLE): Exit.FAILED,
    (HostOutcome.LOCKED, HostOutcome.REJECTED): Exit.FAILED,
}


@pytest.mark.parametrize(("outcomes", "code"), OUTCOMES.items(), ids=str)
@pytest.mark.parametrize("stopped", [False, True])
def test_one_exit_code_tells_of_many_hosts(
    outcomes: tuple[HostOutcome, ...], code: Exit, stopped: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """README.md, Exit codes. Ctrl-C that came too late to leave a host out changes nothing."""
    monkeypatch.setattr(signals, "stopped", lambda: stopped)
    reports = {str(number): HostResult(outcome) for number, outcome in enumerate(outcomes)}
    assert exit_code(reports) is code
    reports["late"] = HostResult(HostOutcome.NOT_STARTED)
    assert exit_code(reports) is (Exit.STOPPED if stopped else Exit.FAILED)


def test_a_run_that_was_stopped_hides_no_host_that_needs_somebody(
    states: dict[str, State], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(signals, "stopped", lambda: True)
    ended = {
        "web-2": HostResult(HostOutcome.ROLLBACK_FAILED, "it crashed"),
        "web-10": NotStartedError("web-10 was not begun"),
    }
    monkeypatch.setattr(FleetSession, "run_on_each", lambda *_: ended)
    session = fake_session(states, FLEET, FakeEngine(states))

    def planner(_: str, state: State) -> Plan:
        return plan.upgrade(REQUEST, "r", Tiers(OPUS), state, SERVICE)

    def run(options: RolloutOptions) -> tuple[Exit, str]:
        code = run_rollout(session, REQUEST, planner, kind="heal", title="t", options=options, seen=states)
        return code, capsys.readouterr().out

    code, output = run(OPTIONS)
    assert code is Exit.STOPPED
    assert f"✗ web-2 {HostOutcome.ROLLBACK_FAILED.label}: it crashed" in output
    assert "2 hosts: 1 failed and needs you, 1 not started" in output
    assert "\nNeeds you: web-2\n" in output
    code, output = run(replace(OPTIONS, as_json=True))
    assert code is Exit.STOPPED
    assert [row["outcome"] for row in checked(output)["hosts"]] == ["rollback_failed", "not_started"]
