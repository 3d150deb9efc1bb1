"""`jada lock`: whose it is, what ends it, and that nobody loses one unasked."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from jada import Exit, HostError
from jada.cli.commands import history, lock
from jada.cli.session import FleetSession
from jada.tasks import FILES, operator_lock
from jada.tasks.operator_lock import LockAnswer, LockRequest, OperatorLock
from jada.tasks.plan import Request
from jada.tasks.transaction import lock_script
from tests.fakes import FLEET, FakeEngine, fake_session
from tests.forms import checked
from tests.unit.conftest import HEALTHY

ANN = OperatorLock("ann@ops", "2026-11-25T10:00:00+00:00", "", "incident 4711")
BOB = OperatorLock("bob@ops", "2026-11-25T11:00:00+00:00", "2026-11-25T13:00:00+00:00", "a; rm -rf $(x) \"'")
OFF = OperatorLock("bob@ops", "2026-11-25T11:00:00+00:00", "", "")


def on_host(folder: Path, request: LockRequest) -> LockAnswer:
    """The answer of the script on a host whose own folder is this."""
    script = lock_script(request).replace("/var/lib/jada", str(folder))
    done = subprocess.run(["sh", "-s"], input=script, capture_output=True, text=True, check=False)
    *before, last = done.stdout.splitlines()
    assert last in ("jada-held", "jada-refused"), done
    return LockAnswer(last == "jada-held", operator_lock.read("\n".join(before), 0.0) if before else None)


def held(folder: Path, now: float = 2e9) -> OperatorLock | None:
    file = folder / "held"
    return operator_lock.read(file.read_text(), now) if file.exists() else None


def test_a_lock_is_put_on_changed_and_taken_off_by_whose_it_is(tmp_path: Path) -> None:
    home = tmp_path / "jada"
    assert on_host(home, LockRequest(BOB)) == LockAnswer(True)
    assert held(home) == BOB
    later = OperatorLock(BOB.who, BOB.since, "", "longer than we thought")
    assert on_host(home, LockRequest(later)) == LockAnswer(True, BOB)
    assert on_host(home, LockRequest(OFF)) == LockAnswer(True, later)
    assert on_host(home, LockRequest(OFF)) == LockAnswer(True)
    assert held(home) is None


def test_anothers_lock_stays_unless_by_force(tmp_path: Path) -> None:
    on_host(tmp_path, LockRequest(ANN))
    for mine in (BOB, OFF):
        assert on_host(tmp_path, LockRequest(mine)) == LockAnswer(False, ANN)
        assert held(tmp_path) == ANN
    assert on_host(tmp_path, LockRequest(BOB, force=True)) == LockAnswer(True, ANN)
    assert held(tmp_path) == BOB


def test_of_two_at_once_one_locks_and_the_other_is_told_whose_it_is(tmp_path: Path) -> None:
    for n in range(20):
        home = tmp_path / str(n)
        with ThreadPoolExecutor(2) as pool:
            answers = list(pool.map(lambda lock, home=home: on_host(home, LockRequest(lock)), (ANN, BOB)))
        winner = held(home)
        assert sorted(answers, key=lambda answer: answer.done) == [LockAnswer(False, winner), LockAnswer(True)]
        assert answers[(ANN, BOB).index(winner)].done
        assert sorted(file.name for file in home.iterdir()) == ["held", "held.lock"]


def test_who_can_not_have_the_hosts_lock_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = subprocess.run(
        ["sh", "-s"],
        input=lock_script(LockRequest(ANN)).replace("/var/lib/jada", str(tmp_path / "file")),
        capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 2
    assert "can't be written" in done.stdout


@pytest.mark.parametrize("text", ["", "ann@ops since yesterday: incident 4711\n", "05\nann\n", "9" * 400, "\n" * 9])
def test_what_is_no_lock_of_this_jada_is_somebodys_and_never_ends(tmp_path: Path, text: str) -> None:
    """As of an older jada, or made by hand."""
    (tmp_path / "held").write_text(text)
    assert is_held(tmp_path)[0]
    answer = on_host(tmp_path, LockRequest(BOB))
    assert not answer.done
    assert str(answer.before or operator_lock.read(text, 2e9)) == " ".join(text.split()) or "somebody"
    assert on_host(tmp_path, LockRequest(BOB, force=True)).done


def is_held(folder: Path) -> tuple[bool, str]:
    """Asks a transaction: True if the lock is held, and by whom it says that it is."""
    (function,) = re.findall(r"^is_held\(\) \{.*?^\}", (FILES / "change" / "transaction.sh").read_text(), re.M | re.S)
    script = f'set -u\nHOME_OF_JADA={folder}\n{function}\nis_held || exit 1\necho "$by since $since: $why"\n'
    done = subprocess.run(["sh", "-s"], input=script, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.returncode == 0, done.stdout.strip()


def test_a_lock_ends_by_itself_by_the_clock_of_its_host(tmp_path: Path) -> None:
    on_host(tmp_path, LockRequest(BOB, seconds=7200))
    ends, *_ = (tmp_path / "held").read_text().splitlines()
    assert is_held(tmp_path) == (True, f"{BOB.who} since {BOB.since}: {BOB.reason}")
    assert held(tmp_path, float(ends) - 1) == BOB
    assert held(tmp_path, float(ends)) is None
    text = (tmp_path / "held").read_text()
    (tmp_path / "held").write_text(text.replace(ends, "1000", 1))
    assert not is_held(tmp_path)[0]
    # It is nobody's any more.
    assert on_host(tmp_path, LockRequest(ANN)) == LockAnswer(True)
    assert is_held(tmp_path) == (True, f"{ANN.who} since {ANN.since}: {ANN.reason}")


@pytest.mark.parametrize("text", ["0\nann\x1b[2J\nnow\n-\n" + "x" * 9000, "9" * 400 + "\na\nb\nc\nd", "\x00"])
def test_whatever_a_host_says_of_its_lock_can_be_told(text: str) -> None:
    shown = str(operator_lock.read(text, 2e9))
    assert shown.isprintable()
    assert len(shown) < 4000


Command = Callable[..., Result]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """command("lock", "--reason", …): of two hosts and one that is off, by ann@ops."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    states = {"web-1": HEALTHY, "web-2": HEALTHY, "off-1": HostError("off-1 is off")}

    @contextmanager
    def open_session(_: object, __: object, limit: str | None) -> Iterator[FleetSession]:
        chosen = {name: state for name, state in states.items() if limit in (None, name)}
        engine = FakeEngine(chosen)
        for name in chosen.keys() - {"off-1"}:
            monkeypatch.setattr(engine.connections[name], "set_lock", partial(on_host, tmp_path / name))
        yield fake_session(chosen, engine=engine)

    def request(_: FleetSession) -> Request:
        return Request("20261125-120000-aaaa", "f", who[0], "2026-11-25T12:00:00+00:00", 4096)

    who = ["ann@ops"]
    monkeypatch.setattr(FleetSession, "request", request)
    monkeypatch.setattr(lock, "open_session", open_session)
    monkeypatch.setattr(history, "load", lambda _: FLEET)

    def run(name: str, *argv: str, by: str = "ann@ops") -> Result:
        who[0] = by
        program = {"lock": lock.lock, "unlock": lock.unlock, "history": history.history}[name]
        return CliRunner().invoke(program, argv, standalone_mode=False)

    return run


@pytest.mark.parametrize("reason", ["", "   "])
def test_a_lock_has_a_reason(command: Command, reason: str) -> None:
    done = command("lock", "--reason", reason)
    assert "--reason is empty" in str(done.exception)
    assert getattr(done.exception, "exit_code", None) == Exit.USAGE


def test_anothers_lock_is_left_told_and_recorded_when_it_is_taken(command: Command, tmp_path: Path) -> None:
    command("lock", "--reason", "incident 4711", "--for", "2h", "--limit", "web-1")
    lock_of_ann = "ann@ops since 2026-11-25 12:00:00+00:00 until 2026-11-25 14:00:00+00:00: incident 4711"
    done = command("lock", "--reason", "mine", by="bob@ops")
    assert done.return_value == Exit.FAILED  # off-1
    assert f"✗ web-1: locked by {lock_of_ann}" in done.stdout
    assert "1 host locked by bob@ops" in done.stdout
    assert command("unlock", "--limit", "web-1", by="bob@ops").return_value == Exit.LOCKED
    assert held(tmp_path / "web-1", 0.0) is not None
    done = command("unlock", "--force", "--limit", "web-1", by="bob@ops")
    assert (done.return_value, held(tmp_path / "web-1")) == (Exit.OK, None)
    assert f"web-1 had the lock of {lock_of_ann}" in done.stdout
    output = command("history").stdout
    assert "incident 4711 (until 2026-11-25 14:00:00+00:00)" in output
    assert f"had the lock of {lock_of_ann}" in output
    assert "mine" not in command("history", "--limit", "web-1").stdout
    assert "mine" in command("history", "--limit", "web-2,web-1").stdout


def test_a_host_that_was_not_locked_is_told_as_that_and_not_recorded(command: Command) -> None:
    command("lock", "--reason", "mine", "--limit", "web-1")
    done = command("unlock")
    assert "web-2 was not locked\n1 host unlocked.\n" in done.stdout
    assert command("unlock", "--limit", "web-1").stdout == "web-1 was not locked\n0 hosts unlocked.\n"
    assert command("unlock", "--limit", "web-1").return_value == Exit.OK
    unlocks = [entry for entry in json.loads(command("history", "--json").stdout)["locks"] if entry["kind"] == "unlock"]
    assert [entry["hosts"] for entry in unlocks] == [[{"host": "web-1"}]]


def test_scripts_are_told_what_came_of_each_host(command: Command) -> None:
    command("lock", "--reason", "incident 4711", "--limit", "web-1")
    done = command("lock", "--reason", "mine", "--for", "2h", "--json", by="bob@ops")
    form = checked(done.stdout)
    assert done.return_value == form["exit"] == Exit.FAILED  # off-1
    ann = {"who": "ann@ops", "locked_at": "2026-11-25T12:00:00+00:00", "until": None, "reason": "incident 4711"}
    bob = {"who": "bob@ops", "locked_at": ann["locked_at"], "until": "2026-11-25T14:00:00+00:00", "reason": "mine"}
    assert (form["schema"], form["fleet"], form["operator_lock"]) == ("jada.lock/1", "f", bob)
    assert form["hosts"] == [
        {"host": "web-1", "role": "r", "outcome": "rejected", "operator_lock_before": ann, "error": None},
        {"host": "web-2", "role": "r", "outcome": "locked", "operator_lock_before": None, "error": None},
        {"host": "off-1", "role": "r", "outcome": "failed", "operator_lock_before": None, "error": "off-1 is off"},
    ]
    form = json.loads(command("unlock", "--json").stdout)
    assert (form["schema"], form["operator_lock"]) == ("jada.unlock/1", None)
    outcomes = {row["host"]: (row["outcome"], row["operator_lock_before"]) for row in form["hosts"]}
    assert outcomes == {"web-1": ("unlocked", ann), "web-2": ("rejected", bob), "off-1": ("failed", None)}
    (row,) = json.loads(command("unlock", "--json", "--limit", "web-1").stdout)["hosts"]
    assert row["outcome"] == "not_locked"
