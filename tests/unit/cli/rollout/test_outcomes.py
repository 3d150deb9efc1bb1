"""A rollout on each way a host can answer: its outcome, the exit code, all that is printed and recorded."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from jada import Exit, Host, HostError, HostKeyError, JadaError, OtherMachineError, Service, Tiers, UnforeseenError
from jada.cli import signals
from jada.cli.records import sqlite
from jada.cli.records.model import HostOutcome
from jada.cli.records.sqlite import open_records
from jada.cli.results import HostResults
from jada.cli.rollout.options import RolloutOptions
from jada.cli.rollout.run import run_rollout
from jada.cli.session import FleetSession
from jada.inventory.fleet.config import Fleet
from jada.tasks import plan
from jada.tasks.plan import Plan, Request
from jada.tasks.state import Member, ModelReport, State
from jada.tasks.transaction import Outcome, Result
from tests.fakes import DONE, FakeEngine, Seen

OPUS = "claude-opus-5"
FLEET = Fleet("f", Path("fleet.yml"), (), ())
REQUEST = Request("20270101-120000-aaaa", "f", "ann@box", "2027-01-01T12:00:00+00:00", 2_147_483_646)
OPTIONS = RolloutOptions(dry_run=False, yes=True, as_json=False, verbose=False)
OTHERS = [HostKeyError("web-1 shows another key"), OtherMachineError("web-1 is another")]
LOST = HostError("the connection to web-1 was lost while it was being changed", "look at it with `jada status`")


@dataclass
class Rollout:
    """The end of a rollout to one host: `output` is all that was printed."""

    exit: Exit
    output: str
    recorded: dict[str, HostOutcome]
    engine: FakeEngine


@pytest.fixture
def rolled(
    host: Callable[..., State], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Rollout]:
    """rolled(*outcomes, before=…, after=…, late=…): an upgrade of web-1, whose changes come to these outcomes."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    def roll(
        *outcomes: Outcome | BaseException,
        before: State | HostError | None = None,
        after: Seen | None = None,
        late: bool = False,
        names: Sequence[str] = ("web-1",),
        options: RolloutOptions = OPTIONS,
    ) -> Rollout:
        states = {name: host() if before is None else before for name in names}
        engine = FakeEngine(states, {names[0]: outcomes}, {} if after is None else {names[0]: after})
        ends = time.monotonic() + (-1 if late else 1000)
        session = FleetSession(
            FLEET, tuple(Host(name, "192.0.2.1", "static", role="r") for name in names), engine, ends
        )
        # As the first look did, before anything else could happen.
        seen = HostResults(
            (name, state if isinstance(state, State | HostError) else host()) for name, state in states.items()
        )
        code = run_rollout(session, REQUEST, upgrade, kind="upgrade", title="t", options=options, seen=seen)
        printed = capsys.readouterr()
        with open_records() as records:
            recorded = {entry.host: entry.outcome for entry in records.hosts(REQUEST.id)}
        return Rollout(code, printed.out + printed.err, recorded, engine)

    return roll


def upgrade(_: str, state: State) -> Plan:
    return plan.upgrade(REQUEST, "r", Tiers(OPUS), state, Service())


def test_a_host_that_does_as_it_is_told_is_verified(rolled: Callable[..., Rollout]) -> None:
    done = rolled()
    assert (done.exit, done.recorded) == (Exit.OK, {"web-1": HostOutcome.VERIFIED})
    assert re.search(rf"^✓ web-1 verified( in [0-9.]+ s)?: {OPUS} \(reported\)$", done.output, re.MULTILINE)
    assert "1 host: 1 verified; 1 on opus-5." in done.output


@pytest.mark.parametrize(
    ("result", "outcome", "code", "message"),
    [
        (Result.RESTORED, HostOutcome.ROLLED_BACK, Exit.ROLLED_BACK, "failed, rolled back and runs"),
        (Result.BROKEN, HostOutcome.ROLLBACK_FAILED, Exit.FAILED, "Needs you: web-1"),
        (Result.REFUSED, HostOutcome.REJECTED, Exit.FAILED, "rejected and untouched: because"),
        (Result.LOCKED, HostOutcome.LOCKED, Exit.LOCKED, "locked: by because"),
        (Result.FENCED, HostOutcome.LOCKED, Exit.LOCKED, "locked: because; if nobody works on it now, begin anew, or"),
    ],
)
def test_each_result_of_a_change_has_its_outcome(
    rolled: Callable[..., Rollout], result: Result, outcome: HostOutcome, code: Exit, message: str
) -> None:
    done = rolled(Outcome(result, "because", ()))
    assert (done.exit, done.recorded) == (code, {"web-1": outcome})
    assert message in " ".join(done.output.split())
    assert "because" in done.output


def test_every_result_is_tried_here() -> None:
    """RECOVERED and DONE have tests of their own."""
    tried = {Result.RESTORED, Result.BROKEN, Result.REFUSED, Result.LOCKED, Result.FENCED}
    assert tried | {Result.RECOVERED, Result.DONE} == set(Result)


def test_an_earlier_change_that_was_undone_first_is_planned_for_anew(
    rolled: Callable[..., Rollout], host: Callable[..., State]
) -> None:
    recovered = Outcome(Result.RECOVERED, "undone", ())
    done = rolled(recovered, DONE)
    assert (done.exit, done.recorded) == (Exit.OK, {"web-1": HostOutcome.VERIFIED})
    assert done.engine.connections["web-1"].log == ["apply", "look", "apply", "look", "ask"]
    again = rolled(recovered, recovered)
    assert (again.exit, again.recorded) == (Exit.ROLLED_BACK, {"web-1": HostOutcome.ROLLED_BACK})
    locked = rolled(recovered, after=host(running_transaction="bob@ops"))
    assert (locked.exit, locked.recorded) == (Exit.LOCKED, {"web-1": HostOutcome.LOCKED})
    assert locked.engine.connections["web-1"].log == ["apply", "look"]


def test_what_is_done_by_its_own_word_alone_is_unproven(
    rolled: Callable[..., Rollout], host: Callable[..., State]
) -> None:
    """The look behind it sees another release."""
    done = rolled(DONE, after=host())
    assert (done.exit, done.recorded) == (Exit.FAILED, {"web-1": HostOutcome.UNPROVEN})
    assert "what runs is not what was asked for" in done.output


@pytest.mark.parametrize("after", [HostError("web-1 can't be reached"), ValueError("secret")])
def test_a_host_that_is_gone_after_its_change_is_unproven(rolled: Callable[..., Rollout], after: BaseException) -> None:
    done = rolled(DONE, after=after)
    assert (done.exit, done.recorded) == (Exit.FAILED, {"web-1": HostOutcome.UNPROVEN})
    assert "the host says that it is done, but" in done.output
    assert "secret" not in done.output


@pytest.mark.parametrize("after", [HostError("web-1 can't be reached"), ValueError("secret")])
def test_a_host_that_went_back_unseen_needs_somebody(rolled: Callable[..., Rollout], after: BaseException) -> None:
    done = rolled(Outcome(Result.RESTORED, "it crashed", ()), after=after)
    assert (done.exit, done.recorded) == (Exit.FAILED, {"web-1": HostOutcome.ROLLBACK_FAILED})
    assert "it crashed; it says that it rolled back, but" in done.output


def test_a_host_that_went_back_and_does_not_run_needs_somebody(
    rolled: Callable[..., Rollout], host: Callable[..., State]
) -> None:
    done = rolled(Outcome(Result.RESTORED, "it crashed", ()), after=host(unit={"active": "failed"}))
    assert (done.exit, done.recorded) == (Exit.FAILED, {"web-1": HostOutcome.ROLLBACK_FAILED})
    assert "rolled back, but it does NOT run. it crashed" in done.output


def test_what_the_restarts_of_the_way_back_left_behind_is_told_and_is_no_service_that_does_not_run(
    rolled: Callable[..., Rollout], host: Callable[..., State]
) -> None:
    left = (Member(200, 1.0, 1_048_576, False, True),)
    done = rolled(Outcome(Result.RESTORED, "it crashed", ()), after=host(process={"members": left}))
    assert (done.exit, done.recorded) == (Exit.ROLLED_BACK, {"web-1": HostOutcome.ROLLED_BACK})


def test_a_mark_that_stays_on_a_read_only_disk_is_told_beside_the_way_back(
    rolled: Callable[..., Rollout], host: Callable[..., State]
) -> None:
    done = rolled(Outcome(Result.RESTORED, "it crashed", ()), after=host(unfinished_transaction="r2"))
    assert (done.exit, done.recorded) == (Exit.ROLLED_BACK, {"web-1": HostOutcome.ROLLED_BACK})
    assert "failed, rolled back and runs" in done.output
    assert "J402" in done.output


@pytest.mark.parametrize("error", [LOST, *OTHERS])
def test_trouble_that_is_known_is_told_as_it_is(rolled: Callable[..., Rollout], error: HostError) -> None:
    """A link that was lost, and all kinds of hosts that are not the one that was meant."""
    done = rolled(error)
    assert (done.exit, done.recorded) == (Exit.FAILED, {"web-1": HostOutcome.UNREACHABLE})
    assert f"web-1 unreachable: {error.message}" in done.output
    assert done.engine.connections["web-1"].log == ["apply"]


@pytest.mark.parametrize("error", [UnforeseenError("web-1: jada could not go on"), ValueError("x"), EOFError()])
def test_after_trouble_that_nobody_foresaw_a_look_tells_how_it_ended(
    rolled: Callable[..., Rollout], error: BaseException
) -> None:
    """On a link of its own: here the host is on its earlier release still."""
    done = rolled(error)
    assert (done.exit, done.recorded) == (Exit.FAILED, {"web-1": HostOutcome.UNPROVEN})
    assert done.engine.connections["web-1"].log == ["apply", "close", "look", "ask"]


@pytest.mark.parametrize("error", [HostError("web-1 is off"), *OTHERS])
def test_a_host_that_was_not_seen_is_not_changed(rolled: Callable[..., Rollout], error: HostError) -> None:
    done = rolled(before=error)
    assert (done.exit, done.recorded) == (Exit.FAILED, {"web-1": HostOutcome.UNREACHABLE})
    assert f"Unreachable {error.message}" in done.output
    assert done.engine.changed == []


def test_one_hosts_trouble_leaves_the_others_to_be_changed(rolled: Callable[..., Rollout]) -> None:
    done = rolled(ValueError("secret"), names=("bad", "good", "fine"))
    assert done.exit is Exit.FAILED
    assert done.recorded == {
        "bad": HostOutcome.UNPROVEN, "good": HostOutcome.VERIFIED, "fine": HostOutcome.VERIFIED,
    }  # fmt: skip
    assert "secret" not in done.output


def test_a_host_that_is_being_changed_is_left_alone(rolled: Callable[..., Rollout], host: Callable[..., State]) -> None:
    done = rolled(before=host(running_transaction="bob@ops since noon"))
    assert (done.exit, done.recorded) == (Exit.LOCKED, {"web-1": HostOutcome.LOCKED})
    assert done.engine.changed == []


def test_past_the_deadline_no_host_is_begun(rolled: Callable[..., Rollout]) -> None:
    done = rolled(late=True, names=("web-1", "web-2"))
    assert done.exit is Exit.FAILED
    assert done.recorded == {"web-1": HostOutcome.NOT_STARTED, "web-2": HostOutcome.NOT_STARTED}
    assert "fleet.yml's deadline had passed" in done.output
    assert done.engine.changed == []


def test_after_ctrl_c_no_other_host_is_begun(rolled: Callable[..., Rollout], monkeypatch: pytest.MonkeyPatch) -> None:
    """The one under way ends first, and is told and recorded as it ended."""
    pressed: list[bool] = []
    apply = FakeEngine.imap

    def press_after_the_first(*argv: Any) -> Iterator[tuple[str, object]]:
        for step in apply(*argv):
            pressed.append(True)
            yield step

    monkeypatch.setattr(signals, "stopped", lambda: bool(pressed))
    monkeypatch.setattr(FakeEngine, "imap", press_after_the_first)
    done = rolled(names=("web-1", "web-2"))
    assert done.exit is Exit.STOPPED
    assert done.recorded == {"web-1": HostOutcome.VERIFIED, "web-2": HostOutcome.NOT_STARTED}
    assert "web-2 was not begun: jada was told to stop" in done.output
    assert done.engine.changed == ["web-1"]


def test_a_record_that_turns_unwritable_meanwhile_hides_no_outcome(
    rolled: Callable[..., Rollout], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The begin is on record; the end is printed, with why it could not be written."""
    monkeypatch.setattr(sqlite.Records, "update", lambda *_: (_ for _ in ()).throw(JadaError("disk full")))
    done = rolled()
    assert done.exit is Exit.OK
    assert "web-1 verified" in done.output
    assert "disk full" in done.output
    assert done.recorded == {"web-1": HostOutcome.IN_PROGRESS}


def test_a_dry_run_changes_and_records_nothing(rolled: Callable[..., Rollout]) -> None:
    done = rolled(options=replace(OPTIONS, dry_run=True))
    assert (done.exit, done.recorded, done.engine.changed) == (Exit.OK, {}, [])
    assert done.output.endswith("Dry run: nothing was changed.\n")


def test_where_all_run_what_was_asked_for_there_is_nothing_to_do(
    rolled: Callable[..., Rollout], host: Callable[..., State]
) -> None:
    release = host().release
    assert release
    settled = host(
        release=replace(release, desired=replace(release.desired, model=OPUS)),
        settings={"text": f'{{"model": "{OPUS}"}}'},
        report=ModelReport(by="url", model=OPUS),
    )
    done = rolled(before=settled)
    assert (done.exit, done.recorded, done.engine.changed) == (Exit.OK, {}, [])
    assert "Nothing to do on 1 host: web-1" in done.output
