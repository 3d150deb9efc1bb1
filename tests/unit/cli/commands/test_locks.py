"""`jada locks`, `--lock-wait` and `freeze:`: who holds the fleet, how long others wait, and when nobody changes it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from jada import Exit, Fence, HostError, JadaError
from jada.cli.commands import locks
from jada.cli.doctor import machine
from jada.cli.doctor.result import Verdict
from jada.cli.records.sqlite import open_records
from jada.cli.rollout import exclusive, freeze, leased
from jada.cli.ui.duration import local, local_times
from jada.inventory import lease as leases
from jada.inventory.fleet import config
from jada.inventory.fleet.freeze import Window
from jada.inventory.fleet.state import SharedState
from jada.inventory.lease import Holder, TakenError
from jada.tasks.operator_lock import OperatorLock
from jada.tasks.state import State
from tests.fakes import FLEET, Clock, FakeConnection
from tests.forms import checked

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Jada

ANN = Holder("ann@ops", "2026-11-26T11:00:00+00:00", "upgrade, release 20261126-110000-aaaa", 4711, "r1")
OPUS, SONNET = "claude-opus-5", "claude-sonnet-4.6"
UPGRADE = ("upgrade", "--to", "opus-5", "--yes")


class TeamLease:
    """A lease of a team as it is had, and what becomes of it."""

    def __init__(self, took_over: Holder | None = None) -> None:
        self.fence, self.took_over = Fence("5f0c", 7), took_over
        self.why, self.is_lost, self.is_over = "", False, False

    def why_not(self) -> str:
        return self.why

    def release(self) -> None:
        self.is_over = True


class Team:
    """The leases of a team: `held` by somebody, or to be had. `lease` is the one that was had last."""

    def __init__(self) -> None:
        self.held: Holder | None = None
        self.trouble = ""
        self.left_behind: Holder | None = None
        self.taken: list[tuple[Holder, bool]] = []
        self.lease = TeamLease()

    def holder(self) -> Holder | None:
        if self.trouble:
            raise JadaError(self.trouble)
        return self.held

    def take(self, holder: Holder, tell: object, *, by_force: bool = False) -> TeamLease:
        if (found := self.holder()) and not by_force:
            raise TakenError("", found)
        self.taken.append((holder, by_force))
        self.lease = TeamLease(self.held or self.left_behind)
        return self.lease


@pytest.fixture
def team(jada: Jada, monkeypatch: pytest.MonkeyPatch) -> Team:
    """The record stays this machine's: the team's own has tests of its own."""
    team = Team()
    monkeypatch.setattr(exclusive, "leases_of", lambda _: team)
    return team


@pytest.fixture
def shared(jada: Jada, team: Team) -> Team:
    jada.fleet_file.write_text(jada.fleet_file.read_text() + "state: s3://team/jada\n")
    return team


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    for module in (exclusive, leased):
        monkeypatch.setattr(module, "time", clock)
    return clock


def state(jada: Jada, name: str) -> State:
    found = jada.states[name]
    assert isinstance(found, State)
    return found


def test_all_three_kinds_are_told(jada: Jada, shared: Team) -> None:
    shared.held = ANN
    lock = OperatorLock("bob@ops", "2026-11-26T10:00:00+00:00", "", "incident")
    jada.states["web-1"] = replace(state(jada, "web-1"), operator_lock=lock)
    jada.states["web-2"] = replace(state(jada, "web-2"), running_transaction="ann@ops since noon")
    done = jada("locks")
    assert done.exit == Exit.OK
    assert done.out == (
        f"The rollout lease of f in s3://team/jada is held by {local_times(str(ANN))}\n"
        "web-2 being changed by ann@ops since noon\n"
        f"web-1 locked by {local_times(str(lock))}\n"
        "3 hosts: 1 free, 1 being changed, 1 locked.\n"
    )
    form = checked(jada("locks", "--json").out)
    assert form["rollout_lease"] == {
        "who": "ann@ops", "machine": "ops", "pid": 4711, "run": "r1", "since": ANN.since, "doing": ANN.doing,
    }  # fmt: skip
    assert form["state"] == "s3://team/jada"
    hosts = {host["host"]: host for host in form["hosts"]}
    assert hosts["web-1"]["operator_lock"]["who"] == "bob@ops"
    assert hosts["web-2"]["changing_by"] == "ann@ops since noon"


def test_what_nobody_can_know_is_not_told_as_free(jada: Jada, shared: Team) -> None:
    shared.trouble = "S3 does not answer"
    done = jada("locks")
    assert done.exit == Exit.FAILED
    assert "Who holds the rollout lease in s3://team/jada is not known: S3 does not answer" in done.out
    form = checked(jada("locks", "--json").out)
    assert (form["exit"], form["rollout_lease"], form["rollout_lease_error"]) == (1, None, "S3 does not answer")
    shared.trouble = ""
    jada.states["db-1"] = HostError("db-1 is not there")
    done = jada("locks")
    assert (done.exit, "1 not looked at" in done.out) == (Exit.FAILED, True)


def test_the_lease_of_this_machine_is_read_and_left_alone(jada: Jada) -> None:
    assert "The rollout lease of f on this machine is nobody's" in jada("locks").out
    with exclusive.exclusive_rollout(FLEET, ANN):
        assert f"is held by {local_times(str(ANN))}" in jada("locks").out
        assert checked(jada("locks", "--json").out)["rollout_lease"]["pid"] == 4711
    assert checked(jada("locks", "--json").out)["rollout_lease"] is None


def test_a_change_goes_under_the_number_of_its_lease(jada: Jada, team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    fences = []
    apply = FakeConnection.apply

    def noted(self: FakeConnection, *argv: object, **options: object) -> object:
        fences.append(argv[0].fence)  # type: ignore[attr-defined]
        return apply(self, *argv, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(FakeConnection, "apply", noted)
    assert jada(*UPGRADE, "--waves", "100%").exit == Exit.OK
    assert fences == [Fence("5f0c", 7)] * 3
    assert team.lease.is_over
    holder, by_force = team.taken[0]
    assert (holder.doing.partition(",")[0], by_force) == ("upgrade", False)
    fences.clear()
    # Whatever number a host has met.
    assert jada("rollback", "--yes", "--force").exit == Exit.OK
    assert fences == [None] * 3
    assert team.taken[1][1] is True


def test_hosts_hear_of_a_lease_that_was_not_given_back(jada: Jada, team: Team) -> None:
    team.left_behind = ANN
    jada.states["db-1"] = HostError("db-1 is not there")
    done = jada(*UPGRADE, "--waves", "100%")
    assert f"The rollout lease was taken over from {ANN}" in done.err
    logs = {name: connection.log for name, connection in jada.engines[-1].connections.items()}
    assert logs["web-1"].index(f"raise_fence 7 {team.taken[0][0]}") < logs["web-1"].index("apply")
    assert "Lease db-1 is not there" in done.err


@pytest.mark.parametrize(("is_lost", "code"), [(True, Exit.PAUSED), (False, Exit.PAUSED)])
def test_no_host_is_begun_once_the_lease_is_gone(
    jada: Jada, team: Team, monkeypatch: pytest.MonkeyPatch, is_lost: bool, code: Exit
) -> None:
    apply = FakeConnection.apply

    def then_lose(self: FakeConnection, *argv: object, **options: object) -> object:
        outcome = apply(self, *argv, **options)  # type: ignore[arg-type]
        team.lease.why, team.lease.is_lost = "was lost to bob@laptop", is_lost
        return outcome

    monkeypatch.setattr(FakeConnection, "apply", then_lose)
    done = jada(*UPGRADE, "--waves", "1,100%", "--no-bake")
    assert done.exit == code
    assert "its lease was lost to bob@laptop" in done.out
    assert len(jada.changed) == 1
    # What another goes on with is not written down as paused.
    with open_records() as records:
        assert records.rollouts("f", 1)[0].status == ("running" if is_lost else "paused")


@pytest.mark.parametrize("is_lost", [True, False])
def test_who_has_lost_the_lease_sends_nothing_back_and_who_can_not_know_does(
    jada: Jada, team: Team, monkeypatch: pytest.MonkeyPatch, is_lost: bool
) -> None:
    apply, ill = FakeConnection.apply, list[str]()

    def then_fail(self: FakeConnection, *argv: object, **options: object) -> object:
        outcome = apply(self, *argv, **options)  # type: ignore[arg-type]
        if not ill:
            ill.append(self._name)
            changed = state(jada, self._name)
            jada.states[self._name] = replace(changed, report=replace(changed.report, model="another"))
            team.lease.why, team.lease.is_lost = "is gone", is_lost
        return replace(outcome, seen=None)

    monkeypatch.setattr(FakeConnection, "apply", then_fail)
    done = jada(*UPGRADE, "--waves", "1,100%", "--no-bake")
    assert jada.engines[-1].connections[ill[0]].log.count("apply") == (1 if is_lost else 2), done.out + done.err
    assert done.exit == (Exit.PAUSED if is_lost else Exit.ROLLED_BACK)


def test_a_store_that_does_not_answer_stops_an_upgrade_and_no_rollback(jada: Jada, team: Team) -> None:
    assert jada(*UPGRADE).exit == Exit.OK
    team.trouble = "S3 does not answer"
    done = jada("upgrade", "--to", "haiku-4.5", "--yes")
    assert (done.exit, "S3 does not answer" in done.err) == (Exit.FAILED, True)
    done = jada("rollback", "--yes")
    assert (done.exit, "can't be had: S3 does not answer" in done.err) == (Exit.OK, True)
    assert "Not locked here" in done.err
    assert {state(jada, name).report.model for name in jada.states} == {SONNET}


@pytest.mark.parametrize("command", [UPGRADE, ("apply", "--yes"), ("heal", "--yes"), ("rollback", "--yes")])
def test_lock_wait_waits_for_whoever_holds_the_lease(
    jada: Jada, team: Team, clock: Clock, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    team.held = ANN
    sleep = clock.sleep

    def then_free(seconds: float) -> None:
        sleep(seconds)
        if clock.slept > 60:
            team.held = None

    monkeypatch.setattr(clock, "sleep", then_free)
    done = jada(*command, "--lock-wait", "15m")
    assert done.exit == Exit.OK, done.err
    assert done.err.count(f"Waiting for f, which is locked by {local_times(str(ANN))}") == 1
    # It looks at nothing before, and has the lease when it does.
    assert len(team.taken) == 1
    assert team.lease.is_over


def test_lock_wait_ends(jada: Jada, team: Team, clock: Clock) -> None:
    team.held = ANN
    done = jada(*UPGRADE, "--lock-wait", "5m")
    assert done.exit == Exit.LOCKED
    assert f"f is locked by {local_times(str(ANN))}" in done.err
    assert 300 <= clock.slept < 310
    assert jada.changed == []
    assert jada(*UPGRADE).exit == Exit.LOCKED
    assert clock.slept < 310


def test_what_goes_on_by_force_waits_for_nobody(jada: Jada, team: Team, clock: Clock) -> None:
    assert jada(*UPGRADE).exit == Exit.OK
    team.held = ANN
    assert jada("rollback", "--yes", "--force", "--lock-wait", "5m").exit == Exit.OK
    assert clock.slept == 0
    assert [by_force for _, by_force in team.taken] == [False, True]


def test_a_rollback_waits_for_nobody_where_that_can_not_be_known(
    jada: Jada, team: Team, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert jada(*UPGRADE).exit == Exit.OK
    team.trouble = "S3 does not answer"
    monkeypatch.setattr("jada.cli.rollout.run.agree", lambda *_: True)
    done = jada("rollback", "--lock-wait", "5m")
    assert (done.exit, clock.slept) == (Exit.OK, 0), done.err
    assert "Not locked here: S3 does not answer" in done.err
    assert "can't be had: S3 does not answer" in done.err
    assert jada("upgrade", "--to", "opus-5", "--lock-wait", "5m").exit == Exit.FAILED


def test_a_dry_run_waits_for_nobody(jada: Jada, team: Team, clock: Clock) -> None:
    team.held = ANN
    assert jada("upgrade", "--to", "opus-5", "--dry-run", "--lock-wait", "5m").exit == Exit.OK
    assert (clock.slept, team.taken) == (0, [])


def test_lock_wait_waits_for_transactions_and_for_no_lock_of_people(
    jada: Jada, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    jada.states["web-1"] = replace(state(jada, "web-1"), running_transaction="pyinfra of carl")
    sleep = clock.sleep

    def then_free(seconds: float) -> None:
        sleep(seconds)
        if clock.slept > 30:
            jada.states["web-1"] = replace(state(jada, "web-1"), running_transaction="")

    monkeypatch.setattr(clock, "sleep", then_free)
    done = jada(*UPGRADE, "--waves", "100%", "--lock-wait", "5m")
    assert done.exit == Exit.OK, done.err
    assert done.err.count("Waiting for web-1, which is being changed by pyinfra of carl") == 1
    lock = OperatorLock("bob@ops", "2026-11-26T10:00:00+00:00", "", "incident")
    jada.states["web-1"] = replace(state(jada, "web-1"), operator_lock=lock)
    before = clock.slept
    assert jada("upgrade", "--to", "haiku-4.5", "--yes", "--lock-wait", "5m").exit == Exit.LOCKED
    assert clock.slept == before


@pytest.fixture
def frozen(jada: Jada) -> Iterator[datetime]:
    """A freeze that is on, to its end."""
    began = datetime.now(UTC) - timedelta(hours=1)
    cron = f"{began.minute} {began.hour} {began.day} {began.month} *"
    jada.fleet_file.write_text(
        jada.fleet_file.read_text() + f'freeze: [{{cron: "{cron}", for: 5h, reason: "the fair [bold]"}}]\n'
    )
    yield began.replace(second=0, microsecond=0) + timedelta(hours=5)


@pytest.mark.parametrize("command", [UPGRADE, ("apply", "--yes"), ("heal", "--yes"), (*UPGRADE, "--force")])
def test_a_freeze_stops_what_changes_hosts(jada: Jada, frozen: datetime, command: tuple[str, ...]) -> None:
    done = jada(*command)
    assert done.exit == Exit.LOCKED
    assert f"f is frozen until {local(frozen.isoformat())}: the fair [bold]" in done.err
    assert "jada upgrade --force --reason WHY" in done.err
    assert jada.changed == []


def test_a_freeze_stops_no_way_back_and_no_emergency_with_a_reason(jada: Jada, frozen: datetime) -> None:
    done = jada(*UPGRADE, "--force", "--reason", "it burns")
    assert (done.exit, "going on because of --force" in done.err) == (Exit.OK, True)
    with open_records() as records:
        assert records.entries("f", None, 1)[0].reason == "it burns"
    assert jada("rollback", "--yes").exit == Exit.OK
    assert {state(jada, name).report.model for name in jada.states} == {SONNET}


def test_plan_and_status_tell_of_freezes(jada: Jada, frozen: datetime) -> None:
    until = f"Frozen until {local(frozen.isoformat())}: the fair [bold]"
    for argv in (("plan", "--to", "opus-5"), ("status",), ("heal", "--dry-run")):
        done = jada(*argv)
        assert done.exit == Exit.OK
        if argv[0] != "heal":
            assert until in done.out
            assert "The next freeze is from " in done.out
    form = checked(jada("status", "--json").out)
    assert form["freeze"]["now"]["ends"] == frozen.isoformat()
    assert form["freeze"]["next"]["reason"] == "the fair [bold]"
    report = checked(jada("plan", "--to", "opus-5", "--json").out.splitlines()[-1])
    assert until in report["notes"]


def test_without_freezes_nothing_is_told_of_them(jada: Jada) -> None:
    assert not list(freeze.freeze_notes(FLEET))
    assert "reeze" not in jada("status").out
    assert checked(jada("status", "--json").out)["freeze"] == {"now": None, "next": None}


def test_the_doctor_tells_of_a_lease_and_of_a_freeze(jada: Jada, team: Team, frozen: datetime) -> None:
    fleet = config.load(str(jada.fleet_file))
    assert machine.lease(fleet).verdict is Verdict.PASS
    team.held = ANN
    held = machine.lease(fleet)
    assert (held.verdict, held.text) == (Verdict.WARN, f"held by {ANN}")
    team.trouble = "S3 does not answer"
    assert machine.lease(fleet).verdict is Verdict.FAIL
    assert machine.freeze(fleet).verdict is Verdict.WARN
    assert f"Frozen until {local(frozen.isoformat())}" in machine.freeze(fleet).text
    assert machine.freeze(FLEET).verdict is Verdict.SKIP
    later = Window("0 0 1 1 *", 60, "UTC", "new year")
    coming = machine.freeze(replace(FLEET, freeze=(later,)))
    assert coming.verdict is Verdict.PASS or datetime.now(UTC).strftime("%m-%d %H:%M") == "01-01 00:00"


def test_its_help_tells_the_three_apart() -> None:
    assert "There are three: the rollout lease" in (locks.locks.help or "")


def test_a_team_shares_its_leases_and_one_alone_has_none() -> None:
    assert leases.leases_of(FLEET) is None
    assert leases.leases_of(replace(FLEET, state=SharedState("team", "jada/"))) is not None


@pytest.mark.parametrize("text", ["", "null", "[]", '{"who": 1}', "ann since noon"])
def test_a_holder_that_no_jada_wrote_is_told_as_it_stands(text: str) -> None:
    assert str(Holder.of(text)) == (text or "somebody")
    assert Holder.of(ANN.to_json()) == ANN
    assert json.loads(ANN.to_json())["pid"] == 4711
