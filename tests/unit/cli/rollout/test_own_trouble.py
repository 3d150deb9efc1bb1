"""One host's trouble stays that host's: the others are served, and told, and what is known is recorded."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, cast

import gevent
import pytest

from jada import Exit, Host, HostError, JadaError, attempt
from jada.cli.commands.history import read_each
from jada.cli.drift.evaluate import Status, evaluate
from jada.cli.records.model import HostOutcome
from jada.cli.records.sqlite import open_records
from jada.cli.results import judge_each
from jada.cli.rollout import run
from jada.cli.rollout.apply import Planner
from jada.cli.rollout.options import RolloutOptions
from jada.cli.rollout.run import run_rollout
from jada.cli.rollout.show import model_lines
from jada.cli.session import FleetSession
from jada.inventory.fleet.config import Fleet
from jada.tasks import checks
from jada.tasks.engines.ssh import SshConnection, SshEngine
from jada.tasks.plan import Plan, Request
from jada.tasks.release import Desired, Release
from jada.tasks.state import HistoryEntry, State
from jada.tasks.transaction import Transaction
from tests.fakes import DONE, SERVICE, FakeEngine

# Errors that one host may bring about; none may pass.
TROUBLES = [
    OverflowError("secret"), RecursionError(), MemoryError(), UnicodeDecodeError("utf-8", b"secret", 0, 1, "x"),
    ValueError("secret"), TypeError("secret"), EOFError("secret"), SystemExit(3), OSError(104, "reset", "secret"),
    AssertionError("secret"), LookupError("secret"),
]  # fmt: skip
each_trouble = pytest.mark.parametrize("trouble", TROUBLES, ids=lambda error: type(error).__name__)
FLEET = Fleet("f", Path("fleet.yml"), (), ())
OPTIONS = RolloutOptions(dry_run=False, yes=True, as_json=False, verbose=True)


@each_trouble
def test_any_trouble_with_a_host_becomes_an_error_that_names_it_and_tells_no_value(trouble: BaseException) -> None:
    def fail() -> None:
        raise trouble

    error = attempt("web-1", fail)
    assert isinstance(error, HostError)
    assert error.message.startswith("web-1: jada could not judge what it saw there (")
    assert type(trouble).__name__ in error.message
    assert "secret" not in error.message + error.hint
    assert error.__cause__ is trouble


def test_what_is_of_no_one_host_and_what_the_user_wants_pass() -> None:
    for error in (JadaError("x"), KeyboardInterrupt(), gevent.GreenletExit()):
        with pytest.raises(type(error)):
            attempt("a", lambda error=error: (_ for _ in ()).throw(error))  # type: ignore[misc]


@each_trouble
def test_a_visit_that_fails_in_any_way_is_that_hosts_result(trouble: BaseException) -> None:
    def visit(name: str, _: SshConnection) -> str:
        if name == "b":
            raise trouble
        return name

    engine = SshEngine({name: {"ssh_hostname": "192.0.2.1"} for name in "abc"}, SERVICE, {})
    results = dict(engine.imap("abc", visit, at_once=1))
    error = results.pop("b")
    assert results == {"a": "a", "c": "c"}
    assert isinstance(error, HostError)
    lost, unforeseen = "the connection to b was lost (", "b: jada could not go on with it ("
    assert error.message.startswith(lost if isinstance(trouble, EOFError) else unforeseen)


@pytest.mark.parametrize("error", [JadaError("no record", "a hint"), gevent.Timeout(1)])
def test_errors_of_ours_and_time_limits_are_a_hosts_own_during_a_visit(error: BaseException) -> None:
    def visit(name: str, _: SshConnection) -> str:
        raise error

    engine = SshEngine({"a": {"ssh_hostname": "192.0.2.1"}}, SERVICE, {})
    ((_, result),) = engine.imap("a", visit)
    assert isinstance(result, HostError)
    assert result.message.startswith("a")


@pytest.mark.parametrize(("is_active", "closed"), [(True, []), (False, ["a"])])
def test_a_link_that_died_since_the_last_visit_is_made_anew(
    is_active: bool, closed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As while a plan waited for its answer."""

    class Transport:
        def is_active(self) -> bool:
            return is_active

    seen: list[str] = []
    engine = SshEngine({"a": {"ssh_hostname": "192.0.2.1"}}, SERVICE, {})
    monkeypatch.setattr(SshConnection, "_transport", lambda _: Transport())
    monkeypatch.setattr(SshConnection, "close", lambda _: seen.append("a"))
    assert list(engine.imap("a", lambda _, __: list(seen))) == [("a", closed)]


@pytest.mark.parametrize(
    "change",
    [
        {"release": {"at": "yesterday"}},
        {"release": {"at": "0001-01-01T00:00:00+14:00"}},
        {"release": {"at": 7}},
        {"result": ("done", "300", "x", "boot-1")},
        {"unit": {"restarts": "x"}, "now": float("nan")},
        {"now": None, "unit": {"restarts": 1}},
        {"process": {"started": None}},
        {"settings": {"text": 7}},
        {"settings": {"text": "[" * 200_000}},
    ],
)
def test_a_host_that_can_not_be_judged_was_not_checked_and_the_others_were(
    host: Callable[..., State], change: dict[str, Any]
) -> None:
    seen = {"a": host(), "b": host(**change), "c": host()}
    hosts = [Host(name, "192.0.2.1", "static", role="r") for name in seen]
    found = evaluate(FLEET, hosts, seen, {}, datetime(2027, 1, 1, tzinfo=UTC))
    statuses = {row.host: row.status for row in found.hosts}
    assert statuses["a"] is statuses["c"] is Status.IN_SYNC
    # Some nonsense is judged as it should be: as drift.
    assert statuses["b"] in (Status.NOT_CHECKED, Status.DRIFTED, Status.IN_SYNC)


def test_why_a_host_could_not_be_judged_is_a_finding(host: Callable[..., State]) -> None:
    state = host(process={"started": None}, unit={"restarts": 1})
    found = evaluate(FLEET, [Host("a", "x", "static", role="r")], {"a": state}, {}, datetime(2027, 1, 1, tzinfo=UTC))
    (unchecked,) = found.hosts[0].findings
    assert unchecked.finding.code == "J408"
    assert unchecked.finding.actual == "a: jada could not judge what it saw there (TypeError)"
    assert "report" in unchecked.finding.fix_on("a")


def test_each_host_is_told_by_itself(host: Callable[..., State]) -> None:
    def tell(name: str, state: State) -> str:
        return name if state.now else str(1 / 0)

    seen: dict[str, State | HostError] = {"a": host(), "b": host(now=0), "c": HostError("off")}
    results = judge_each(seen, tell)
    assert results["a"] == "a"
    assert [str(results[name]) for name in "bc"] == [
        "b: jada could not judge what it saw there (ZeroDivisionError)",
        "off",
    ]


def test_a_forged_record_of_a_host_is_kept_as_words_or_is_that_hosts_trouble() -> None:
    release = Release("id\n::error::x", "upgrade", Desired("\ud800", 1), Desired("", 0), who="\x1b[2J")
    listed = replace(release, id=cast("str", ["id"]))
    bad = {name: (HistoryEntry(cast("Release", past), ""),) for name, past in (("b", None), ("c", listed))}
    results = read_each({"a": (HistoryEntry(release, "\u202e"),), **bad, "d": HostError("off")})
    assert [isinstance(results[name], HostError) for name in "abcd"] == [False, True, True, True]
    ((entry, result),) = cast("list[Any]", results["a"])
    assert (entry.id, entry.model, entry.who, result.detail) == (r"id\n::error::x", r"\ud800", r"\x1b[2J", r"\u202e")


def answering(answers: Mapping[str, tuple[Any, Any]]) -> FakeEngine:
    """Hosts by name: what a change there comes to, and what a look after it sees."""
    seen = {name: look for name, (_, look) in answers.items()}
    return FakeEngine(dict(seen), {name: [outcome] for name, (outcome, _) in answers.items()}, seen, SERVICE)


@pytest.fixture
def rolled(
    host: Callable[..., State], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[Exit, dict[str, str]]]:
    """rolled(a=(apply, look), …): an upgrade of these hosts; its exit code, and the outcomes in the record."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    request = Request("20270101-120000-aaaa", "f", "ann@box", "2027-01-01T12:00:00+00:00")
    release = Release(request.id, "upgrade", Desired("claude-sonnet-4.6", 1), Desired("old", 0))

    def roll(planner: Planner | None = None, **answers: tuple[Any, Any]) -> Any:
        hosts = tuple(Host(name, "192.0.2.1", "static") for name in answers)
        session = FleetSession(FLEET, hosts, answering(answers), time.monotonic() + 1000)
        seen: dict[str, State | HostError] = {name: host() for name in answers}

        def plan(name: str, state: State) -> Plan:
            return Plan(Transaction(release, state, SERVICE, "ann"), diff=((f"--- {name}",),))

        code = run_rollout(session, request, planner or plan, kind="upgrade", title="t", options=OPTIONS, seen=seen)
        with open_records() as records:
            return code, {entry.host: entry.outcome for entry in records.hosts(request.id)}

    return roll


@pytest.fixture
def done(host: Callable[..., State]) -> State:
    return host(release={"id": "20270101-120000-aaaa", "desired": replace(host().release.desired, release="x")})  # type: ignore[union-attr]


def test_the_deadline_counts_from_the_answer_to_the_question(
    done: State, host: Callable[..., State], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An agreed change begins, however late the answer came; with --yes there is nothing to wait for."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(run, "agree", lambda _, __, options: not options.yes)
    release = cast("Release", done.release)
    request = Request(release.id, "f", "ann@box", "2027-01-01T12:00:00+00:00")
    for yes, code in ((True, Exit.FAILED), (False, Exit.OK)):
        late = FleetSession(FLEET, (Host("a", "x", "static"),), answering({"a": (DONE, done)}), time.monotonic() - 1)
        plan = Plan(Transaction(release, host(), SERVICE, "ann"))
        options = replace(OPTIONS, yes=yes)
        made_plan = cast("Any", lambda *_, plan=plan: plan)
        assert (
            run_rollout(late, request, made_plan, kind="rollback", title="t", options=options, seen={"a": host()})
            is code
        )


@each_trouble
def test_a_plan_that_can_not_be_made_is_that_hosts_and_the_others_change(
    rolled: Callable[..., tuple[Exit, dict[str, str]]], done: State, trouble: BaseException
) -> None:
    def planner(name: str, state: State) -> Plan:
        if name == "b":
            raise trouble
        return Plan(Transaction(done.release, state, SERVICE, "ann"))  # type: ignore[arg-type]

    code, outcomes = rolled(planner, a=(DONE, done), b=(DONE, done), c=(DONE, done))
    assert outcomes == {"a": "verified", "b": "unreachable", "c": "verified"}
    assert code is Exit.FAILED


@each_trouble
def test_an_answer_that_jada_can_not_use_is_looked_behind(
    rolled: Callable[..., tuple[Exit, dict[str, str]]],
    host: Callable[..., State],
    done: State,
    trouble: BaseException,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A link that died, an outcome that can't be read: only a look tells how it ended."""
    code, outcomes = rolled(a=(trouble, done), b=(trouble, host()), c=(trouble, trouble), d=(DONE, done))
    assert outcomes == {"a": "verified", "b": "unproven", "c": "unproven", "d": "verified"}
    assert code is Exit.FAILED
    output = capsys.readouterr().out
    assert f"b {HostOutcome.UNPROVEN.label}: b: jada could not tell how its change ended" in output
    assert "J403" in output
    assert "secret" not in output


@each_trouble
def test_a_state_that_can_not_be_judged_afterwards_leaves_its_host_unproven(
    rolled: Callable[..., tuple[Exit, dict[str, str]]],
    done: State,
    trouble: BaseException,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def drift(state: State) -> tuple[()]:
        if state.now == 7:
            raise trouble
        return ()

    monkeypatch.setattr(checks, "drift", drift)
    code, outcomes = rolled(a=(DONE, replace(done, now=7)), b=(DONE, done))
    assert outcomes == {"a": "unproven", "b": "verified"}
    assert code is Exit.FAILED


def test_a_host_that_can_not_be_shown_or_recorded_in_full_ends_nothing(
    rolled: Callable[..., tuple[Exit, dict[str, str]]], done: State, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = replace(
        done, report=replace(done.report, model="\ud800"), unit=replace(done.unit, active="[/x]", status="[/y]")
    )
    broken = replace(done, process=replace(done.process, started="x"))  # type: ignore[type-var]
    _, outcomes = rolled(a=(DONE, odd), b=(DONE, done), c=(DONE, broken))
    assert outcomes == {"a": "unproven", "b": "verified", "c": "verified"}
    output = capsys.readouterr().out
    assert "[/y]" in output
    assert "\n    c: jada could not show what it saw there (TypeError)" in output
    assert r"\ud800" in output


def test_what_is_known_is_recorded_even_when_the_user_leaves(
    rolled: Callable[..., tuple[Exit, dict[str, str]]], done: State
) -> None:
    with pytest.raises(KeyboardInterrupt):
        rolled(a=(DONE, done), b=(KeyboardInterrupt(), done), c=(DONE, done))
    with open_records() as records:
        outcomes = {entry.host: entry.outcome for entry in records.hosts("20270101-120000-aaaa")}
    assert outcomes == {"a": "verified", "b": "in_progress", "c": "in_progress"}


@pytest.mark.parametrize("kind", ["rollback", "upgrade"])
def test_only_the_way_back_goes_on_without_a_record(
    kind: str, done: State, host: Callable[..., State], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Corrupt, of a newer jada, or where no folder can be made: all the same to the hosts."""
    release = cast("Release", done.release)
    newer = tmp_path / "newer/jada"
    newer.mkdir(parents=True)
    corrupt = tmp_path / "corrupt/jada"
    corrupt.mkdir(parents=True)
    (corrupt / "history.db").write_bytes(b"no database at all" * 100)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(newer.parent))
    with open_records() as records:
        cast("Any", records)._store.db.execute("PRAGMA user_version = 99")
    for state_home in (newer.parent, corrupt.parent, tmp_path / "file"):
        monkeypatch.setenv("XDG_STATE_HOME", str(state_home))
        session = FleetSession(
            FLEET, (Host("a", "x", "static"),), answering({"a": (DONE, done)}), time.monotonic() + 1000
        )
        request = Request(release.id, "f", "ann@box", "2027-01-01T12:00:00+00:00")

        def run(session: FleetSession = session, request: Request = request) -> Exit:
            plan = Plan(Transaction(release, host(), SERVICE, "ann"))
            return run_rollout(
                session, request, lambda *_: plan, kind=kind, title="t", options=OPTIONS, seen={"a": host()}
            )

        if kind == "rollback":
            assert run() is Exit.OK
        else:
            with pytest.raises(JadaError):
                run()


def test_the_evidence_shows_no_value_but_the_models() -> None:
    nested = {"mcp": {"model": "nested-secret", "agent": "secret"}, "model": "claude-x", "availableModels": ["secret"]}
    for indent in (None, 2):
        text = json.dumps(nested, indent=indent)
        (line,) = model_lines(text)
        assert '"model": "claude-x"' in line
        assert "secret" not in line
    assert model_lines('{\n  "model": "claude-x",\n  "env": {}\n}') == ['2:"model": "claude-x",']
    assert model_lines('{\n  "model": "a"\n}') == ['2:"model": "a"']
    assert model_lines('{"model": {"model": "secret"}}') == ['1:… "model": … …']
    assert model_lines('{"model": ["secret"], "model": "b"}') == ['1:… "model": … …', '1:… "model": "b" …']
    assert model_lines('{"model": "secret" oops}') == model_lines("") == []


ASK = """
from jada.cli import signals
from jada.cli.startup import patch_gevent
signals.begin()
patch_gevent()
import gevent, sys
from jada.cli.ui.confirm import confirm
ticks = []
gevent.spawn(lambda: [(ticks.append(1), gevent.sleep(0.01)) for _ in range(10)] and print("alive", flush=True))
try:
    confirm("Change 1 host?", sys.argv[1])
    print("yes", flush=True)
except BaseException as error:
    print(type(error).__name__, flush=True)
signals.over(0)
"""


@pytest.mark.parametrize(
    ("word", "typed", "answer"),
    [
        ("y", b"y\n", "yes"),
        ("y", b"YES\n", "yes"),
        ("y", b"n\n", "Abort"),
        ("y", b"\n", "Abort"),
        ("y", b"x\ny\n", "yes"),
        ("y", b"\x04", "Abort"),
        ("y", b"\x03", "KeyboardInterrupt"),
        # A fleet in production wants its name.
        ("agents", b"agents\n", "yes"),
        ("agents", b"y\nagents\n", "yes"),
        ("agents", b"y\nno\n", "Abort"),
    ],
)
def test_connections_live_on_while_a_question_waits(word: str, typed: bytes, answer: str) -> None:
    """Their keep-alive runs until there is an answer: here it is awaited before one is given."""
    main, side = pty.openpty()
    login = partial(os.login_tty, side)
    done = subprocess.Popen([sys.executable, "-c", ASK, word], preexec_fn=login, pass_fds=(side,))  # noqa: PLW1509
    os.close(side)
    output = b""
    asked = b"[y/N]" if word == "y" else b"Type agents to go on:"
    while asked not in output or b"alive" not in output:
        output += os.read(main, 1000)
    os.write(main, typed)
    while answer.encode() not in output.partition(b"alive")[2]:
        output += os.read(main, 1000)
    assert done.wait() == 0
    os.close(main)
