"""Rollouts that are paused, cut off, gone on with and ended by a person: `jada` as people type it, on a fake fleet."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from jada import Exit, HostError, Service, Tiers
from jada.cli import signals
from jada.cli.commands import rollouts
from jada.cli.drift import notices
from jada.cli.records.model import Entry, HostEntry, HostOutcome, RolloutStatus
from jada.cli.records.sqlite import open_database, open_records
from jada.cli.rollout import bake, progress
from jada.cli.rollout import resume as resuming
from jada.cli.rollout.carry_out import DONE
from jada.cli.rollout.exclusive import exclusive_rollout
from jada.cli.rollout.progress import Values
from jada.cli.rollout.resume import known_end
from jada.cli.rollout.waves import Group
from jada.inventory.fleet import config
from jada.inventory.fleet.config import Fleet
from jada.inventory.fleet.rollout import ALL, RolloutPolicy, Share
from jada.inventory.lease import Holder
from jada.tasks.plan import Request
from jada.tasks.state import HistoryEntry, ModelReport, State
from tests.fakes import FLEET, Clock, FakeConnection
from tests.forms import lines
from tests.unit.cli.conftest import Jada

OPUS = "claude-opus-5"
WAVES = "rollout: {waves: [1, 2, 100%], bake_time: 1s, on_inconclusive: pause}\n"
ORDER = ["db-1", "web-1", "web-2"]


class KilledError(BaseException):
    """As a kill -9 at that moment: nothing is written down any more."""


@pytest.fixture
def rolled(jada: Jada, monkeypatch: pytest.MonkeyPatch) -> Jada:
    """The fleet of three hosts, whose upgrades go in three waves."""
    text = jada.fleet_file.read_text()
    jada.fleet_file.write_text(text.replace("rollout: {waves: [100%]}\n", WAVES))
    monkeypatch.setattr(bake, "time", Clock())
    return jada


def upgrade(jada: Jada, *argv: str) -> int:
    return jada("upgrade", "--to", "opus-5", "--yes", *argv).exit


def silence(jada: Jada, name: str) -> None:
    state = jada.states[name]
    assert isinstance(state, State)
    jada.states[name] = replace(state, report=ModelReport())


def know(jada: Jada, name: str) -> None:
    state = jada.states[name]
    assert isinstance(state, State)
    jada.states[name] = replace(state, report=ModelReport(by="url", model=OPUS))


def ill(jada: Jada, name: str) -> State:
    """The host with a service that has failed."""
    state = jada.states[name]
    assert isinstance(state, State)
    return replace(state, unit=replace(state.unit, active="failed", sub="failed"), process=None)


def status(jada: Jada) -> tuple[str, int, str]:
    """The last rollout: its status, wave and why."""
    row = jada("rollouts", "--json").json()["rollouts"][0]
    return row["status"], row["wave"], row["why"] or ""


def models(jada: Jada) -> dict[str, str]:
    return {name: state.settings.model for name, state in jada.states.items() if isinstance(state, State)}


@pytest.fixture
def paused(rolled: Jada, monkeypatch: pytest.MonkeyPatch) -> Jada:
    """A rollout that waits for a person behind its first wave, of which nobody knows what it runs."""
    apply = FakeConnection.apply

    def then_silent(self: FakeConnection, *argv: object, **options: object) -> object:
        outcome = apply(self, *argv, **options)  # type: ignore[arg-type]
        if self._name == "db-1":
            silence(rolled, "db-1")
        return outcome

    with monkeypatch.context() as patched:
        patched.setattr(FakeConnection, "apply", then_silent)
        assert upgrade(rolled) == Exit.PAUSED
    assert status(rolled) == ("paused", 1, "db-1 can't be judged")
    assert rolled.changed == ["db-1"]
    return rolled


def test_a_rollout_that_comes_to_its_end_is_listed_as_done(rolled: Jada) -> None:
    assert rolled("rollouts").out == "f: no rollout in waves yet.\n"
    assert upgrade(rolled) == Exit.OK
    assert status(rolled) == ("done", 3, "")
    listed = rolled("rollouts")
    assert "done" in listed.out
    assert "3 of 3" in listed.out
    for verb in ("resume", "promote", "pause", "abort"):
        refused = rolled(verb)
        assert (refused.exit, "No rollout of f is under way or paused" in refused.err) == (Exit.FAILED, True)


def test_a_paused_rollout_says_what_a_person_may_do(rolled: Jada, paused: Jada) -> None:
    silent = rolled("resume")
    assert silent.exit == Exit.PAUSED
    assert "jada resume " in silent.out
    assert rolled.changed == ["db-1"]


def test_resume_goes_on_and_changes_no_host_twice(paused: Jada) -> None:
    know(paused, "db-1")
    done = paused("resume", "--json")
    form = done.json()
    begin, first, *_ = lines(done.out)
    assert (begin["event"], begin["command"], begin["waves"]) == ("begin", "resume", form["waves"])
    # It was changed before; nothing is done to it.
    assert (first["event"], first["host"]) == ("host_end", "db-1")
    assert (form["status"], form["waves"]) == ("done", [["db-1"], ["web-1"], ["web-2"]])
    assert done.exit == Exit.OK, done.out + done.err
    assert sorted(paused.changed) == ORDER
    assert set(models(paused).values()) == {OPUS}
    assert status(paused) == ("done", 3, "")


def test_hosts_that_were_not_begun_have_their_preflight_and_one_that_is_refused_holds_up_no_other(
    paused: Jada,
) -> None:
    know(paused, "db-1")
    paused.states["web-1"] = ill(paused, "web-1")
    done = paused("resume", "--json")
    assert done.exit == Exit.FAILED
    form = done.json()
    found = {row["host"]: row["outcome"] for row in form["hosts"]}
    assert found == {"db-1": "verified", "web-1": "rejected", "web-2": "verified"}
    assert form["status"] == "done"
    assert sorted(paused.changed) == ["db-1", "web-2"]
    # Of those to come, the first for each model was asked what it would meet.
    assert [name for name, host in paused.engines[-1].connections.items() if host.questions] == ["web-2"]


def test_what_was_forced_before_stays_forced(rolled: Jada, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(signals, "stopped", lambda: rolled.changed == ["db-1"])
        assert upgrade(rolled, "--force") == Exit.STOPPED
    rolled.states["web-1"] = ill(rolled, "web-1")
    rolled("resume")
    assert "web-1" in rolled.changed


def test_the_way_back_has_no_preflight(paused: Jada) -> None:
    assert paused("abort").exit == Exit.ROLLED_BACK
    assert not any(host.questions for host in paused.engines[-1].connections.values())


@pytest.mark.parametrize("verb", ["resume", "promote", "abort"])
def test_fleet_yml_is_read_once(paused: Jada, monkeypatch: pytest.MonkeyPatch, verb: str) -> None:
    parsed: list[Path] = []
    parse = config.parse

    def counted(file: Path, *argv: Any) -> Fleet:
        parsed.append(file)
        return parse(file, *argv)

    monkeypatch.setattr(config, "parse", counted)
    paused(verb)
    assert parsed == [paused.fleet_file]


def test_promote_takes_what_nobody_knows_for_good(paused: Jada, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []
    monkeypatch.setattr(notices, "channels", lambda _: {"webhook": lambda subject, _: sent.append(subject)})
    done = paused("promote")
    # Whoever did not press it is told, and how it ended.
    assert [subject.rpartition(" is ")[2] for subject in sent] == ["promoted", "paused"]
    assert sorted(paused.changed) == ["db-1", "web-1"]
    assert done.exit == Exit.PAUSED, done.out + done.err
    assert status(paused)[:2] == ("paused", 2)
    # It is told all the same: one host is not seen to run what was asked for.
    assert paused("promote").exit == Exit.FAILED
    assert sorted(paused.changed) == ORDER
    assert status(paused)[:2] == ("done", 3)


def test_abort_sends_back_what_was_changed(paused: Jada) -> None:
    done = paused("abort")
    assert done.exit == Exit.ROLLED_BACK, done.out + done.err
    assert paused.changed == ["db-1", "db-1"]
    assert status(paused)[0] == "aborted"
    assert "aborted it" in done.out


def test_a_rollback_ends_a_paused_rollout(paused: Jada) -> None:
    assert paused("rollback", "--yes").exit in (Exit.OK, Exit.FAILED)
    assert status(paused)[0] == "rolled_back"


def test_a_later_upgrade_supersedes_a_paused_one(paused: Jada) -> None:
    assert paused("upgrade", "--to", "haiku-4.5", "--yes", "--waves", "100%").exit == Exit.OK
    assert paused("rollouts", "--json").json()["rollouts"][0]["status"] == "superseded"


def test_pause_of_one_that_nobody_carries_out(paused: Jada) -> None:
    done = paused("pause")
    assert (done.exit, "is paused" in done.out) == (Exit.OK, True)


@pytest.mark.parametrize("verb", ["pause", "promote", "abort"])
@pytest.mark.parametrize("is_done", [True, False])
def test_what_is_asked_of_a_jada_that_carries_it_out_is_waited_for(
    paused: Jada, monkeypatch: pytest.MonkeyPatch, verb: str, is_done: bool
) -> None:
    """Another process holds the lock; here nobody, or the clock, does what was asked."""
    with open_records() as records:
        (entry,) = records.rollouts("f", 1)
        records.advance(entry.release, RolloutStatus.RUNNING, "", 0, is_baking=True)
        clock = Clock()
        ends = {"pause": RolloutStatus.PAUSED, "promote": RolloutStatus.RUNNING, "abort": RolloutStatus.ABORTED}

        def do(_: float) -> None:
            records.ask(entry.release, "", "")
            records.update([replace(host, outcome=HostOutcome.ROLLED_BACK) for host in records.hosts(entry.release)])
            records.advance(entry.release, ends[verb], "ann did", 0, is_baking=False)

        if is_done:
            monkeypatch.setattr(clock, "sleep", do)
        monkeypatch.setattr(rollouts, "time", clock)
        with exclusive_rollout(FLEET, Holder("ann")):
            done = paused(verb)
        assert done.exit == (Exit.OK if is_done else Exit.FAILED), done.out + done.err
        again = records.rollout(entry.release)
    assert paused.changed == ["db-1"]
    assert again
    assert again.asked == ("" if is_done else verb)
    if not is_done:
        assert f"was asked to {verb}, and has not come to that yet" in done.err


@pytest.mark.parametrize("verb", ["pause", "promote", "abort"])
def test_what_was_asked_too_late_is_not_called_done(paused: Jada, monkeypatch: pytest.MonkeyPatch, verb: str) -> None:
    with open_records() as records:
        (entry,) = records.rollouts("f", 1)
        records.advance(entry.release, RolloutStatus.RUNNING, "", 0, is_baking=True)
        clock = Clock()
        end = partial(records.advance, entry.release, RolloutStatus.DONE, "", 2, is_baking=False)
        monkeypatch.setattr(clock, "sleep", lambda _: end())
        monkeypatch.setattr(rollouts, "time", clock)
        with exclusive_rollout(FLEET, Holder("ann")):
            done = paused(verb)
    assert (done.exit, done.out) == (Exit.FAILED, "")
    assert f"was asked to {verb}, and came to another end before: it is done" in done.err


@pytest.mark.parametrize(("verb", "end"), [("pause", "is paused"), ("promote", "web-1 verified"), ("abort", "aborted")])
def test_what_is_asked_of_a_jada_that_is_gone_is_done_here(
    paused: Jada, monkeypatch: pytest.MonkeyPatch, verb: str, end: str
) -> None:
    """A lease in a team's store outlives its holder by up to a minute."""
    with open_records() as records, ExitStack() as lease:
        (entry,) = records.rollouts("f", 1)
        records.advance(entry.release, RolloutStatus.RUNNING, "", 0, is_baking=True)
        clock = Clock()
        sleep = clock.sleep

        def end_of_lease(seconds: float) -> None:
            sleep(seconds)
            if clock.slept > 30:
                lease.close()

        monkeypatch.setattr(clock, "sleep", end_of_lease)
        monkeypatch.setattr(rollouts, "time", clock)
        lease.enter_context(exclusive_rollout(FLEET, Holder("ann")))
        done = paused(verb)
    assert clock.slept < rollouts.PATIENCE
    assert end in done.out, done.out + done.err
    assert status(paused)[0] == {"pause": "paused", "promote": "paused", "abort": "aborted"}[verb]
    assert ("db-1" in paused.changed[1:]) == (verb == "abort")


def test_an_abort_that_left_hosts_on_the_release_names_them(paused: Jada, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_records() as records:
        (entry,) = records.rollouts("f", 1)
        records.advance(entry.release, RolloutStatus.RUNNING, "", 0, is_baking=True)
        clock = Clock()

        def do(_: float) -> None:
            changed = [host for host in records.hosts(entry.release) if host.host == "db-1"]
            records.update([replace(host, outcome=HostOutcome.ROLLBACK_FAILED) for host in changed])
            records.advance(entry.release, RolloutStatus.ABORTED, "", 0, is_baking=False)

        monkeypatch.setattr(clock, "sleep", do)
        monkeypatch.setattr(rollouts, "time", clock)
        with exclusive_rollout(FLEET, Holder("ann")):
            done = paused("abort")
    assert (done.exit, done.out) == (Exit.FAILED, "")
    assert "was aborted, and db-1 may still be on it" in done.err


@pytest.mark.parametrize("verb", ["promote", "abort", "resume"])
def test_a_paused_rollout_is_nobodys_though_another_jada_changes_the_fleet(paused: Jada, verb: str) -> None:
    """As `jada heal`, which would never hear what it is asked."""
    with exclusive_rollout(FLEET, Holder("ann")):
        done = paused(verb)
    assert done.exit == Exit.LOCKED
    assert "f is locked by ann" in done.err
    assert status(paused)[0] == "paused"
    assert paused.changed == ["db-1"]


def test_a_rollout_that_an_earlier_jada_wrote_down_is_listed_and_can_not_be_gone_on_with(paused: Jada) -> None:
    with open_database() as database, database:
        database.execute("UPDATE rollout SET values_json = '{\"waves\": []}'")
    (row,) = paused("rollouts", "--json").json()["rollouts"]
    assert (row["status"], row["wave"], row["waves"]) == ("paused", 1, None)
    assert "1 of not known" in paused("rollouts").out
    resumed = paused("resume")
    assert (resumed.exit, "The record of this rollout can't be read" in resumed.err) == (Exit.FAILED, True)


def test_a_host_that_was_changed_and_can_not_be_seen_is_a_persons_to_decide(paused: Jada) -> None:
    """It did not fail: the hosts that are well stay as they are."""
    know(paused, "db-1")
    paused.states["db-1"], seen = HostError("db-1 can't be reached: timed out"), paused.states["db-1"]
    done = paused("resume", "--json")
    assert (done.exit, done.json()["status"]) == (Exit.PAUSED, "paused")
    assert paused.changed == ["db-1"]
    aborted = paused("abort")
    assert aborted.exit == Exit.FAILED
    assert "not sent back" in aborted.out
    paused.states["db-1"] = seen


def test_abort_sends_hosts_back_while_another_is_still_being_changed(
    rolled: Jada, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(signals, "stopped", lambda: sorted(rolled.changed) == ["db-1", "web-1"])
        assert upgrade(rolled) == Exit.STOPPED
    first, second = rolled.states["db-1"], rolled.states["web-1"]
    assert isinstance(second, State)
    assert isinstance(first, State)
    assert first.release
    rolled.states["web-1"] = replace(second, running_transaction=f"ann@box for release {first.release.id}")

    def wait(_: float) -> None:
        assert rolled.engines[-1].changed == ["db-1"]
        rolled.states["web-1"] = second

    clock = Clock()
    monkeypatch.setattr(clock, "sleep", wait)
    monkeypatch.setattr(resuming, "time", clock)
    done = rolled("abort", "--fleet", str(rolled.fleet_file))
    assert done.exit == Exit.ROLLED_BACK, done.out + done.err
    assert sorted(rolled.engines[-1].changed) == ["db-1", "web-1"]


MOMENTS = [(number, when) for number in range(1, 4) for when in ("before", "after")]


@pytest.mark.parametrize(("number", "when"), MOMENTS)
def test_a_rollout_that_was_cut_off_ends_right_and_visits_no_host_twice(
    rolled: Jada, monkeypatch: pytest.MonkeyPatch, number: int, when: str
) -> None:
    apply, count = FakeConnection.apply, 0

    def until_killed(self: FakeConnection, *argv: object, **options: object) -> object:
        nonlocal count
        count += 1
        if count == number and when == "before":
            raise KilledError
        outcome = apply(self, *argv, **options)  # type: ignore[arg-type]
        if count == number:
            raise KilledError
        return outcome

    with monkeypatch.context() as patched:
        patched.setattr(FakeConnection, "apply", until_killed)
        patched.setattr(progress.Progress, "end", lambda *_: None)
        patched.setattr(progress.Progress, "save", _but_the_last(progress.Progress.save, lambda: count >= number))
        with pytest.raises(KilledError):
            upgrade(rolled)
    rolled.capsys.readouterr()
    assert status(rolled)[0] == "running"
    assert rolled("resume").exit == Exit.OK
    assert sorted(rolled.changed) == ORDER
    assert set(models(rolled).values()) == {OPUS}
    assert status(rolled) == ("done", 3, "")


def _but_the_last(save: Callable[..., None], is_dead: Callable[[], bool]) -> Callable[..., None]:
    return lambda *argv: None if is_dead() else save(*argv)


def entry(outcome: HostOutcome) -> HostEntry:
    return HostEntry(release="r2", host="a", outcome=outcome, detail="why")


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        (None, None),
        (HostOutcome.NOT_STARTED, None),
        (HostOutcome.IN_PROGRESS, None),
        (HostOutcome.REJECTED, HostOutcome.REJECTED),
        (HostOutcome.UNREACHABLE, HostOutcome.UNREACHABLE),
        # It was on it, and somebody took it off: to do it once more is for a person to say.
        (HostOutcome.VERIFIED, HostOutcome.UNPROVEN),
    ],
)
def test_the_part_of_a_host_that_is_not_on_the_release(
    host: Callable[..., State], before: HostOutcome | None, expected: HostOutcome | None
) -> None:
    end = known_end(host(), entry(before) if before else None, "r2", Service())
    assert (end and end.outcome) is expected


def test_the_part_of_a_host_that_is_on_it_or_failed(host: Callable[..., State]) -> None:
    state = host()
    release = state.release
    assert release
    on_it = known_end(state, None, release.id, Service())
    assert on_it
    assert on_it.outcome is HostOutcome.VERIFIED
    failed = known_end(host(history=(HistoryEntry(replace(release, id="r2"), "no"),)), None, "r2", Service())
    assert failed
    assert failed.outcome is HostOutcome.ROLLED_BACK
    gone = known_end(HostError("off"), None, "r2", Service())
    assert gone
    assert gone.outcome is HostOutcome.UNREACHABLE


def test_what_is_written_down_comes_back() -> None:
    values = Values(
        request=Request("20270101-120000-aaaa", "f", "ann@box", "2027-01-01T12:00:00+00:00", 1, reason="x"),
        groups=(
            Group(RolloutPolicy(waves=(Share(1), ALL), canary={"a": ("b",)}, first_bake_time=3), (("a",), ("b", "c"))),
        ),
        tiers={"a": Tiers(OPUS), "b": Tiers(OPUS, ("claude-sonnet-4.6",), "claude-haiku-4.5")},
    )
    assert Values.from_json(values.to_json()) == values
    assert DONE.status is RolloutStatus.DONE


def test_the_record_knows_the_last_rollouts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with open_records() as records:
        about = {"fleet": "f", "kind": "upgrade", "at": "", "who": "", "reason": "", "model": ""}
        records.add(Entry(id="20270101-120000-aaaa", **about), [])
        assert records.rollouts("f", 9) == []
        assert records.rollout("20270101-120000-aaaa") is None
