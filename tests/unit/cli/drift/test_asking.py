"""The CLIs of hosts are asked again only where their last answers no longer stand."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from jada import HostError, HostKeyError, ModelCheck, OtherMachineError, Service
from jada.cli.drift.asking import check_hosts, remember_answers
from jada.cli.records.sqlite import open_records
from jada.tasks.asked import Asked
from jada.tasks.evidence import evidence_of
from jada.tasks.state import Login, ModelReport, State
from tests.fakes import FLEET, FakeEngine, fake_session

Host = Callable[..., State]
MODEL = "claude-sonnet-4.6"
ANSWER = Asked(model=MODEL, version="2.1.332", is_running=True)
SILENT = Service(model_check=ModelCheck())
ALONE = ["look", "ask alone"]


class Hosts:
    """A host, web-1, that is checked again and again; `seen` is what the last look saw."""

    def __init__(self, state: State) -> None:
        self.states = {"web-1": state}
        self.service = SILENT
        self.seen: State | HostError = state

    def check(self) -> list[str]:
        """Returns what one check did on the host."""
        engine = FakeEngine(self.states, service=self.service)
        self.seen = check_hosts(fake_session(self.states, replace(FLEET, service=self.service), engine))["web-1"]
        return engine.connections["web-1"].log

    @property
    def asked(self) -> Asked:
        assert isinstance(self.seen, State)
        return self.seen.asked

    def change(self, **changes: object) -> None:
        self.states["web-1"] = replace(self.states["web-1"], **changes)  # type: ignore[arg-type]


@pytest.fixture
def record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "jada/history.db"


@pytest.fixture
def hosts(host: Host, record: Path) -> Hosts:
    return Hosts(host(report=ModelReport(), asked=ANSWER))


def later(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    clock = time.time
    monkeypatch.setattr(time, "time", lambda: clock() + seconds)


def test_it_is_asked_once_and_then_its_answer_stands(hosts: Hosts) -> None:
    assert hosts.check() == ["look", "ask"]
    assert hosts.asked == ANSWER
    for _ in range(2):
        assert hosts.check() == ["look"]
        assert hosts.asked == replace(ANSWER, at=hosts.asked.at)
    assert hosts.asked.at
    assert isinstance(hosts.seen, State)
    assert f"{MODEL} (its CLI 2.1.332 asked for it at " in str(evidence_of(hosts.seen)[0])


def test_it_is_asked_again_once_the_settings_changed(hosts: Hosts, host: Host) -> None:
    hosts.check()
    hosts.change(settings=replace(host().settings, changed=host().now - 50))
    assert hosts.check() == ALONE
    assert hosts.asked == ANSWER
    assert hosts.check() == ["look"]


def test_it_is_not_asked_again_for_what_decides_no_answer(hosts: Hosts, host: Host) -> None:
    hosts.check()
    hosts.change(login=Login(1024), now=host().now + 60)
    assert hosts.check() == ["look"]


@pytest.mark.parametrize(
    ("seconds", "log"), [(23 * 3600, ["look"]), (25 * 3600, ["look", "ask"]), (-60, ["look", "ask"])]
)
def test_an_answer_stands_for_a_day(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch, seconds: float, log: list[str]
) -> None:
    """One of a time to come is by a clock that was wrong."""
    hosts.check()
    later(monkeypatch, seconds)
    assert hosts.check() == log


def test_an_answer_against_the_host_is_asked_for_again(hosts: Hosts) -> None:
    hosts.change(asked=replace(ANSWER, model="claude-opus-5"))
    assert hosts.check() == ["look", "ask"]
    assert hosts.check() == ALONE
    hosts.change(asked=ANSWER)
    assert hosts.check() == ALONE
    assert hosts.check() == ["look"]


def test_a_reason_not_to_be_asked_stands_where_the_model_is_proven_without(hosts: Hosts) -> None:
    hosts.change(asked=Asked(error="no Claude CLI was found"))
    assert hosts.check() == ["look", "ask"]
    assert hosts.check() == ALONE
    hosts.change(report=ModelReport("url", MODEL))
    assert hosts.check() == ["look"]
    assert hosts.asked.error == "no Claude CLI was found"


def test_always_and_never(hosts: Hosts) -> None:
    for ask, log in (("always", ["look", "ask"]), ("never", ["look"])):
        hosts.service = replace(SILENT, ask=ask)
        hosts.check()
        assert hosts.check() == log
    assert hosts.asked == Asked()


def test_another_fleet_and_another_program_are_another_question(hosts: Hosts) -> None:
    hosts.check()
    hosts.service = replace(SILENT, cli="/srv/claude")
    assert hosts.check() == ALONE


@pytest.mark.parametrize("changes", [{"process": None}, {"running_transaction": "ann since 2026-11-24"}])
def test_what_does_not_run_or_is_being_changed_is_not_asked_alone(hosts: Hosts, changes: dict[str, object]) -> None:
    hosts.check()
    hosts.change(**changes)
    assert hosts.check() == ["look"]
    assert hosts.asked == Asked()


def test_a_question_that_is_lost_is_a_reason_and_no_trouble_of_the_look(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch, host: Host
) -> None:
    def lost(*_: object) -> Asked:
        raise HostError("web-1 can't ask its Claude CLI: cut off")

    hosts.check()
    hosts.change(boot="boot-2")
    monkeypatch.setattr("tests.fakes.FakeConnection.ask", lost)
    hosts.check()
    assert hosts.asked.error == "the question to it, or its answer, was lost"


@pytest.mark.parametrize("error", [HostKeyError("another key"), OtherMachineError("another machine")])
def test_another_machine_than_the_one_that_was_looked_at_is_that_host_s_trouble(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch, error: HostError
) -> None:
    def other(*_: object) -> Asked:
        raise error

    hosts.check()
    hosts.change(boot="boot-2")
    monkeypatch.setattr("tests.fakes.FakeConnection.ask", other)
    hosts.check()
    assert hosts.seen is error


def test_an_answer_while_a_file_changed_is_not_kept(hosts: Hosts, host: Host) -> None:
    """The CLI may have read the one that was there before."""
    hosts.change(settings=replace(host().settings, changed=host().now))
    assert hosts.check() == ["look", "ask"]
    assert hosts.check() == ["look", "ask"]


def test_without_a_record_it_is_asked(hosts: Hosts, record: Path) -> None:
    hosts.check()
    record.write_bytes(b"no database at all" * 100)
    assert hosts.check() == ["look", "ask"]
    assert hosts.asked == ANSWER
    record.unlink()
    record.parent.rmdir()
    record.parent.write_text("a file in its place")
    assert hosts.check() == ["look", "ask"]


def test_the_record_holds_the_answer_and_no_word_of_the_settings(hosts: Hosts, record: Path) -> None:
    hosts.check()
    with closing(sqlite3.connect(record)) as connection:
        ((fleet, host, _, fingerprint, *answer),) = connection.execute("SELECT * FROM answer").fetchall()
    assert (fleet, host, answer) == ("f", "web-1", [MODEL, "2.1.332", 1, ""])
    assert len(fingerprint) == 64


def test_checks_side_by_side_keep_one_answer_of_each_host(hosts: Hosts, record: Path) -> None:
    """As of `jada drift` of a timer and of a person."""
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: remember_answers(fake_session(hosts.states), hosts.states), range(32)))
    with open_records() as records:
        assert list(records.answers("f")) == ["web-1"]
        assert records.answers("other") == {}
