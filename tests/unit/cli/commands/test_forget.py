"""`jada forget`: what goes, what stays, and who is left alone."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace

import pytest

from jada import Exit, Fence, HostError
from jada.cli import signals
from jada.cli.commands import forget
from jada.cli.commands.forget import Outcome
from jada.cli.records.model import RolloutEntry, RolloutStatus
from jada.cli.records.sqlite import open_records
from jada.cli.rollout import leased
from jada.cli.rollout.exclusive import LocalLease
from jada.tasks.forget import ForgetAnswer, ForgetRequest, Forgotten
from jada.tasks.operator_lock import OperatorLock
from jada.tasks.state import State
from tests.fakes import TRACES, FakeConnection
from tests.unit.cli.conftest import Jada

ANN = OperatorLock("ann@ops", "2026-11-25T10:00:00+00:00", "", "incident 4711")


def outcomes(jada: Jada, *argv: str) -> dict[str, str]:
    return {row["host"]: row["outcome"] for row in jada("forget", *argv, "--json").json()["hosts"]}


def log(jada: Jada, name: str) -> list[str]:
    return [word for engine in jada.engines for word in engine.connections[name].log]


def test_a_dry_run_tells_what_would_go_and_takes_nothing(jada: Jada) -> None:
    before = dict(jada.states)
    done = jada("forget", "--dry-run")
    assert done.exit == Exit.OK
    assert all(path in done.out for path in TRACES)
    assert "settings.json stays as it is" in done.out
    assert "no way back" in done.out
    assert set(outcomes(jada, "--dry-run").values()) == {Outcome.PLANNED}
    assert jada.states == before


def test_it_asks_a_host_once_with_yes_and_then_nothing_is_left(jada: Jada) -> None:
    assert set(outcomes(jada, "--yes").values()) == {Outcome.FORGOTTEN}
    assert log(jada, "web-1") == ["forget"]
    assert set(outcomes(jada, "--yes").values()) == {Outcome.NOTHING}


def test_without_a_terminal_nobody_is_asked(jada: Jada) -> None:
    done = jada("forget")
    assert done.exit == Exit.USAGE
    assert "--yes" in done.err
    assert jada.engines == []


def test_somebody_at_a_terminal_sees_first_what_goes(jada: Jada, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr(forget, "confirm", lambda question, _: asked.append(question))
    done = jada("forget", "--limit", "web-1")
    assert done.exit == Exit.OK
    assert asked == ["Take all that away from 1 host of f?"]
    assert log(jada, "web-1") == ["forget dry", "forget"]
    # Where nothing would go, nobody is asked.
    assert jada("forget", "--limit", "web-1").out.count("jada has left nothing there") == 1
    assert len(asked) == 1


def test_a_host_that_is_locked_changing_or_off_is_left_alone_and_the_others_are_served(jada: Jada) -> None:
    web, db = jada.states["web-1"], jada.states["db-1"]
    assert isinstance(web, State)
    assert isinstance(db, State)
    jada.states.update(
        {"web-1": replace(web, operator_lock=ANN), "db-1": replace(db, running_transaction="bob, release r")}
    )
    done = jada("forget", "--yes", "--json")
    assert done.exit == Exit.LOCKED
    errors = {row["host"]: row["error"] for row in done.json()["hosts"]}
    assert "ann@ops" in errors["web-1"]
    assert "bob" in errors["db-1"]
    assert errors["web-2"] is None
    jada.states["web-1"] = HostError("web-1 is off")
    assert jada("forget", "--yes").exit == Exit.FAILED


def open_a_rollout() -> None:
    values = dict.fromkeys(("why", "asked", "asked_by"), "")
    with open_records() as records:
        records.begin_rollout(
            RolloutEntry(
                release="20261124-110000-aaaa", fleet="f", status=RolloutStatus.PAUSED, wave=0, baking=0,
                values_json="{}", updated="2026-11-24T11:00:00+00:00", **values,
            )
        )  # fmt: skip


def test_while_a_rollout_is_open_no_host_is_asked(jada: Jada) -> None:
    open_a_rollout()
    done = jada("forget", "--yes")
    assert done.exit == Exit.LOCKED
    assert "jada abort" in done.err
    assert log(jada, "web-1") == []


def at_a_terminal(monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[], object]) -> None:
    """Somebody who agrees, after something else has happened."""
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr(forget, "confirm", lambda *_: meanwhile())


def test_a_rollout_that_was_begun_while_somebody_thought_stops_it(jada: Jada, monkeypatch: pytest.MonkeyPatch) -> None:
    at_a_terminal(monkeypatch, open_a_rollout)
    assert jada("forget").exit == Exit.LOCKED
    assert log(jada, "web-1") == ["forget dry"]


def test_only_hosts_that_somebody_agreed_to_are_touched(jada: Jada, monkeypatch: pytest.MonkeyPatch) -> None:
    web = jada.states["web-1"]
    assert isinstance(web, State)
    jada.states["web-1"] = replace(web, operator_lock=ANN)
    at_a_terminal(monkeypatch, lambda: jada.states.update({"web-1": web}))
    assert jada("forget").exit == Exit.LOCKED
    assert (log(jada, "web-1"), log(jada, "web-2")) == (["forget dry"], ["forget dry", "forget"])


@pytest.mark.parametrize("why", ["", "is bob's now"])
def test_hosts_are_told_the_number_of_the_lease_and_are_left_alone_once_it_is_lost(
    jada: Jada, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    numbers = []

    def keep(_: FakeConnection, request: ForgetRequest) -> ForgetAnswer:
        numbers.append(request.fence)
        return ForgetAnswer(Forgotten.DONE, TRACES)

    monkeypatch.setattr(leased, "exclusive_rollout", lambda *_: nullcontext(LocalLease(Fence("team", 7))))
    monkeypatch.setattr(LocalLease, "why_not", lambda _: why)
    monkeypatch.setattr(FakeConnection, "forget", keep)
    assert jada("forget", "--yes").exit == (Exit.FAILED if why else Exit.OK)
    assert numbers == ([] if why else [Fence("team", 7)] * 3)


def test_what_is_gone_of_a_host_that_can_not_be_rid_of_all_is_told(jada: Jada, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = ForgetAnswer(Forgotten.FAILED, TRACES[:1], why="/x can't be removed")
    monkeypatch.setattr(FakeConnection, "forget", lambda *_: answer)
    done = jada("forget", "--yes", "--limit", "web-1")
    assert done.exit == Exit.FAILED
    assert "web-1: /x can't be removed" in done.out
    assert f"not all of it is gone, but this is\n    {TRACES[0]}" in done.out
    assert outcomes(jada, "--yes", "--limit", "web-1") == {"web-1": Outcome.FAILED}
    with open_records() as records:
        assert records.locks("f", None) == []


def test_the_history_tells_it_and_no_release_stands_there_any_more(jada: Jada) -> None:
    assert jada("upgrade", "--to", "opus-5", "--yes").exit == Exit.OK
    with open_records() as records:
        assert set(records.released("f")) == {"web-1", "web-2", "db-1"}
    assert jada("forget", "--yes", "--limit", "web-*").exit == Exit.OK
    with open_records() as records:
        assert set(records.released("f")) == {"db-1"}
    entry = jada("history", "--json").json()["locks"][0]
    assert (entry["kind"], [host["host"] for host in entry["hosts"]]) == ("forget", ["web-1", "web-2"])
    assert "what jada had left there was taken away" in jada("history").out


def test_ctrl_c_while_hosts_are_rid_of_it_begins_no_other_and_is_recorded(
    jada: Jada, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = FakeConnection.forget

    def pressed(connection: FakeConnection, request: ForgetRequest) -> ForgetAnswer:
        monkeypatch.setattr(signals._ctrl_c, "asked", True)
        return done(connection, request)

    monkeypatch.setattr(FakeConnection, "forget", pressed)
    result = jada("forget", "--yes", "--json")
    assert result.exit == Exit.FAILED
    outcomes = [row["outcome"] for row in result.json()["hosts"]]
    assert outcomes == [Outcome.FORGOTTEN, Outcome.FAILED, Outcome.FAILED]
    monkeypatch.setattr(signals._ctrl_c, "asked", False)
    assert [host["host"] for host in jada("history", "--json").json()["locks"][0]["hosts"]] == ["db-1"]
