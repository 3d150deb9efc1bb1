"""Hosts that are watched by probes: their verdicts decide how a rollout goes on, and what was measured is told."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import gevent
import pytest

from jada import ConfigError, Exit, Host, HostError, JadaError, Metric, Model, Probe, Service, Threshold, Tiers
from jada.cli.records.model import HostOutcome
from jada.cli.records.sqlite import open_records
from jada.cli.results import HostResults
from jada.cli.rollout import bake, watch
from jada.cli.rollout.options import RolloutOptions
from jada.cli.rollout.preflight import PreflightOptions
from jada.cli.rollout.progress import Values
from jada.cli.rollout.resume import resume
from jada.cli.rollout.run import run_rollout
from jada.cli.rollout.waves import divide
from jada.cli.session import FleetSession
from jada.inventory.cloud import cloudwatch
from jada.inventory.fleet.config import Fleet
from jada.inventory.fleet.rollout import ALL, RolloutPolicy, Share
from jada.tasks import plan
from jada.tasks.measure import Measurement, Sample
from jada.tasks.plan import Plan, Request
from jada.tasks.state import State
from tests.fakes import Clock, FakeConnection, FakeEngine, fake_session

REQUEST = Request("20270101-120000-aaaa", "f", "ann@box", "2027-01-01T12:00:00+00:00", 2_147_483_646)
OPTIONS = RolloutOptions(dry_run=False, yes=True, as_json=True, verbose=False)
OPUS = Model("opus-5", "claude-opus-5")
POLICY = RolloutPolicy(waves=(Share(1), ALL), bake_time=60)
NUMBER = Probe(name="load", kind="command", measure="number", threshold=Threshold(10), command="load")
TWICE = replace(NUMBER, threshold=Threshold(2, is_relative=True))
ALARM = Probe(name="alarm", kind="cloudwatch", measure="alarm", threshold=Threshold(0), alarm="agents")
# What a host measures, by the number of the measurement; 0 is the one before its change where there is one.
Later = Callable[[int], float | str | HostError]


class Measuring(FakeConnection):
    """A host whose probes measure something else each time."""

    later: Later = staticmethod(lambda _: 1.0)
    measurements = 0

    def measure(self, probes: Sequence[Probe], requests: int, longest: int) -> dict[str, Sample]:
        self.log.append("measure")
        value = self.later(self.measurements)
        at = float(self.measurements * 1000)
        self.measurements += 1
        if isinstance(value, HostError):
            raise value
        sample = Sample(error=value) if isinstance(value, str) else Sample(at=at, values=(value,))
        return {probe.name: sample for probe in probes}


@dataclass
class Done:
    """The end of a rollout, what was printed as JSON and else, and what is in the record."""

    exit: Exit
    report: dict[str, object]
    told: str
    outcomes: dict[str, HostOutcome]
    details: dict[str, str]
    measured: dict[str, list[dict[str, object]]]
    baselines: dict[str, dict[str, Measurement]]
    logs: dict[str, list[str]]
    slept: float
    session: FleetSession


Roll = Callable[..., Done]


@pytest.fixture
def roll(
    host: Callable[..., State], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Roll:
    """roll(probe, h1=later, …): an upgrade of three hosts in two waves, the first of one, that this probe watches."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    clock = Clock()
    for module in (bake, watch):
        monkeypatch.setattr(module, "time", clock)

    def run(
        *probes: Probe,
        policy: RolloutPolicy = POLICY,
        deadline: float = 600,
        force: bool = False,
        way: str = "ssh",
        **later: Later,
    ) -> Done:
        states: dict[str, State] = {name: host() for name in ("h1", "h2", "h3")}
        engine = FakeEngine(states)
        for name in states:
            engine.connections[name] = Measuring(name, states)
            if name in later:
                engine.connections[name].later = later[name]  # type: ignore[attr-defined]
        hosts = tuple(Host(name, "192.0.2.1", "static", role="r", engine=way) for name in states)
        fleet = Fleet("f", Path("fleet.yml"), (), (), probes=probes, deadline=10_000)
        session = FleetSession(fleet, hosts, engine, clock.now + deadline)
        began = clock.slept

        def planner(_: str, state: State) -> Plan:
            return plan.upgrade(REQUEST, "r", Tiers("claude-opus-5"), state, Service())

        division = partial(divide, policies={"r": policy})
        code = run_rollout(
            session, REQUEST, planner, kind="upgrade", title="t", options=OPTIONS, seen=HostResults(states),
            division=division,
            preflight=PreflightOptions(models=dict.fromkeys(states, OPUS), division=division, force=force),
        )  # fmt: skip
        printed = capsys.readouterr()
        with open_records() as records:
            entries = records.hosts(REQUEST.id)
            entry = records.rollout(REQUEST.id)
        values, measured = (entry.values_json, entry.measured_json) if entry else ("", "{}")
        return Done(
            code, json.loads(printed.out.splitlines()[-1]), printed.err, {each.host: each.outcome for each in entries},
            {each.host: each.detail for each in entries}, json.loads(measured),
            {name: dict(of_host) for name, of_host in Values.from_json(values).baselines.items()} if values else {},
            {name: each.log for name, each in engine.connections.items()}, clock.slept - began, session,
        )  # fmt: skip

    return run


@pytest.mark.parametrize("url", ["http://me:hidden@127.0.0.1/", "http://127.0.0.1/?key=hidden"])
def test_a_url_that_aws_would_keep_is_refused_before_anything_is_changed(roll: Roll, url: str) -> None:
    slow = Probe(name="slow", kind="http", measure="p50", threshold=Threshold(1), unit="s", url=url)
    with pytest.raises(ConfigError, match=r"probes\.slow's url has a user.*AWS keeps the text") as caught:
        roll(slow, way="ssm")
    assert "hidden" not in caught.value.message + caught.value.hint
    assert roll(slow, policy=replace(POLICY, bake_time=0), way="ssm").exit is Exit.OK
    assert roll(slow).logs["h1"].count("measure")


def test_a_rollout_that_all_probes_pass_is_done_and_says_what_they_measured(roll: Roll) -> None:
    done = roll(NUMBER)
    assert done.exit is Exit.OK
    assert done.report["notes"] == ["Watched by load (its number above 10)"]
    (probe,) = [probe for probe in done.measured["h1"] if probe["probe"] == "load"]
    assert (probe["verdict"], probe["measured"], probe["threshold"], probe["count"]) == ("passed", 1, 10, 1)
    # Nothing was measured before: the bound needs no past.
    assert done.logs["h1"].index("measure") > done.logs["h1"].index("apply")
    assert {*done.measured} == {"h1"}


def test_a_probe_that_fails_sends_all_back_at_once_and_the_record_has_the_figures(roll: Roll) -> None:
    done = roll(NUMBER, h1=lambda number: 11.0 if number == 2 else 1.0)
    assert done.exit is Exit.ROLLED_BACK
    assert done.outcomes == {
        "h1": HostOutcome.ROLLED_BACK,
        "h2": HostOutcome.NOT_STARTED,
        "h3": HostOutcome.NOT_STARTED,
    }
    figures = "load: its number 11 (1 measurement), more than 10"
    assert done.details["h1"] == f"sent back: 1 host of 1 failed (h1): {figures}"
    assert done.report["why"] == f"1 host of 1 failed (h1): {figures}"
    assert "failed" in {probe["verdict"] for probe in done.measured["h1"]}
    # The third look was the last.
    assert done.slept == pytest.approx(3 * bake.INTERVAL, abs=1)


def test_a_probe_that_only_observes_is_told_and_stops_nothing(roll: Roll) -> None:
    done = roll(replace(NUMBER, is_enforced=False), h1=lambda _: 99.0)
    assert done.exit is Exit.OK
    (probe,) = [probe for probe in done.measured["h1"] if probe["probe"] == "load"]
    assert (probe["mode"], probe["verdict"], probe["measured"]) == ("observe", "failed", 99)
    assert done.report["notes"] == ["Watched by load (its number above 10; only observed)"]


@pytest.mark.parametrize(("on", "least", "most"), [("wait", 600, 720), ("pause", 60, 70)])
def test_too_small_a_sample_is_a_persons_to_decide(roll: Roll, on: str, least: float, most: float) -> None:
    done = roll(replace(NUMBER, min_sample=3), policy=replace(POLICY, on_inconclusive=on))
    assert done.exit is Exit.PAUSED
    assert done.outcomes["h1"] is HostOutcome.VERIFIED
    assert done.report["why"] == "h1 can't be judged: load: 1 measurement, and 3 are needed"
    assert least <= done.slept <= most


def test_what_was_before_the_change_is_measured_before_it_and_kept(roll: Roll) -> None:
    done = roll(TWICE, h1=lambda number: 5.0 if number == 0 else 9.0)
    assert done.exit is Exit.OK
    assert done.baselines == {
        "h1": {"load": Measurement(5.0, 1)}, "h2": {"load": Measurement(1.0, 1)}, "h3": {"load": Measurement(1.0, 1)},
    }  # fmt: skip
    assert all(log.index("measure") < log.index("apply") for log in done.logs.values())
    failed = roll(TWICE, h1=lambda number: 5.0 if number == 0 else 11.0)
    assert failed.exit is Exit.ROLLED_BACK
    assert "more than 10, 2x what it was" in str(failed.report["why"])


def test_without_what_was_before_there_is_no_verdict(roll: Roll) -> None:
    done = roll(TWICE, h1=lambda number: HostError("h1 can't be measured: busy") if number == 0 else 900.0)
    assert done.exit is Exit.PAUSED
    assert "what it was before the change is not known" in str(done.report["why"])


@pytest.mark.parametrize("most", [4, 2])
def test_what_can_not_be_measured_so_often_in_a_row_is_a_persons_to_decide(roll: Roll, most: int) -> None:
    done = roll(replace(NUMBER, max_errors=most), h1=lambda number: "no curl" if number > 0 else 1.0)
    assert done.exit is Exit.PAUSED
    assert done.report["why"] == "h1 could not be looked at: load: no curl" or "load: no curl" in str(
        done.report["why"]
    )
    assert done.slept == pytest.approx((1 + most) * bake.INTERVAL, abs=1)
    assert done.outcomes["h1"] is HostOutcome.VERIFIED


def test_what_can_not_be_measured_for_a_while_is_no_failure(roll: Roll) -> None:
    assert roll(NUMBER, h1=lambda number: "busy" if number in (1, 2, 3) else 1.0).exit is Exit.OK
    gone = HostError("h1 can't be measured: gone")
    assert roll(NUMBER, h1=lambda number: gone if number == 1 else 1.0).exit is Exit.OK


def test_the_last_wave_is_done_only_once_its_probes_say_so(roll: Roll) -> None:
    policy = replace(POLICY, final_bake_time=60, on_inconclusive="pause")
    done = roll(NUMBER, policy=policy, h2=lambda _: "no curl")
    assert done.exit is Exit.PAUSED
    assert "h2" in str(done.report["why"])
    assert set(done.outcomes.values()) == {HostOutcome.VERIFIED}


def test_an_alarm_of_the_fleet_fails_it_however_many_may_fail(roll: Roll, monkeypatch: pytest.MonkeyPatch) -> None:
    states = iter(["OK", "OK", "INSUFFICIENT_DATA", "OK", "ALARM"])
    monkeypatch.setattr(cloudwatch, "alarm_state", lambda *_: next(states))
    done = roll(ALARM, policy=replace(POLICY, max_failures=Share(5)))
    assert done.exit is Exit.ROLLED_BACK
    assert done.report["why"] == "1 host of 1 failed (h1): alarm: the alarm agents is red"


def test_what_the_cloud_does_not_tell_is_an_error(roll: Roll, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = iter(["OK"])

    def refuse(*_: object) -> str:
        for state in looks:
            return state
        raise JadaError("access denied; these credentials lack the permission cloudwatch:DescribeAlarms")

    monkeypatch.setattr(cloudwatch, "alarm_state", refuse)
    done = roll(ALARM)
    assert done.exit is Exit.PAUSED
    assert "cloudwatch:DescribeAlarms" in str(done.report["why"])


def test_a_metric_is_held_against_its_bound(roll: Roll, monkeypatch: pytest.MonkeyPatch) -> None:
    probe = replace(ALARM, measure="metric", alarm="", metric=Metric("A", "E", "Sum"), threshold=Threshold(3))
    monkeypatch.setattr(cloudwatch, "metric_values", lambda *_: (2.0, 6.0))
    assert "its metric 4 (2 measurements), more than 3" in str(roll(probe).report["why"])


def test_a_probe_measures_no_more_often_than_it_is_to(roll: Roll) -> None:
    done = roll(replace(NUMBER, interval=30), replace(NUMBER, name="often"))
    assert done.exit is Exit.OK
    # Six looks, and the others measured at each.
    assert done.logs["h1"].count("measure") == 6


def test_looks_come_as_often_as_the_quickest_probe_wants(
    host: Callable[..., State], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    clock = Clock()
    monkeypatch.setattr(watch, "time", clock)
    probes = (replace(NUMBER, interval=5), replace(NUMBER, name="slowly", interval=60))
    states: dict[str, State] = {"h1": host()}
    engine = FakeEngine(states)
    engine.connections["h1"] = Measuring("h1", states)
    watching = watch.Watch(fake_session(states, Fleet("f", Path("fleet.yml"), (), (), probes=probes), engine))
    assert watching.interval == 5
    for _ in range(100):
        watching.look(["h1"])
        clock.sleep(5)
    # The last of them, for a chart; the other one stays at what it measured.
    assert [len(values) for values in watching.series.values()] == [watch.MOST_VALUES] * 2
    assert [judgement.count for judgement in watching.look(["h1"]).ok["h1"].judgements] == [1, 1]


def test_a_host_that_can_not_be_looked_at_is_not_measured(
    host: Callable[..., State], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    states: dict[str, object] = {"h1": HostError("h1 can't be reached"), "h2": host()}
    fleet = Fleet("f", Path("fleet.yml"), (), (), probes=(NUMBER,))
    engine = FakeEngine(states)
    engine.connections["h2"].samples["load"] = Sample(values=(3.0,))
    seen = watch.Watch(fake_session(states, fleet, engine)).look(states)
    assert {*seen.failed} == {"h1"}
    assert "measure" not in engine.connections["h1"].log
    assert seen.ok["h2"].judgements[0].value == 3


def test_what_was_before_the_change_outlives_the_jada_that_measured_it(
    roll: Roll, capsys: pytest.CaptureFixture[str]
) -> None:
    """Measured anew, it would be that of the new model."""
    policy = replace(POLICY, on_inconclusive="pause")
    done = roll(
        replace(TWICE, min_sample=1, max_errors=1), policy=policy, h1=lambda number: 5.0 if number == 0 else "busy"
    )
    assert done.exit is Exit.PAUSED
    done.session.engine.connections["h1"].later = lambda _: 11.0  # type: ignore[attr-defined]
    with open_records() as records:
        entry = records.rollout(REQUEST.id)
        assert entry
        assert resume(done.session, entry, records, OPTIONS) is Exit.ROLLED_BACK
    assert "more than 10, 2x what it was" in json.loads(capsys.readouterr().out.splitlines()[-1])["why"]


def test_an_alarm_that_is_red_refuses_an_upgrade_unless_it_is_forced(
    roll: Roll, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cloudwatch, "alarm_state", lambda *_: "ALARM")
    done = roll(ALARM)
    assert done.exit is Exit.FAILED
    assert set(done.outcomes.values()) == {HostOutcome.REJECTED}
    assert "alarm: the alarm agents is red; --force" in done.details["h1"]
    states = iter(["ALARM"])
    monkeypatch.setattr(cloudwatch, "alarm_state", lambda *_: next(states, "OK"))
    assert roll(ALARM, force=True).exit is Exit.OK


def test_a_cloud_that_never_answers_holds_up_nobody(
    host: Callable[..., State], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "LONGEST_OF_CLOUD", 0.01)
    monkeypatch.setattr(cloudwatch, "alarm_state", lambda *_: gevent.sleep(3600))
    samples = watch.samples_of(fake_session({"h1": host()}), {"h1": host()}, [ALARM])
    assert samples["h1"]["alarm"].error == "CloudWatch did not answer within 0 s"


@pytest.mark.parametrize(
    ("state", "is_enforced", "verdicts"),
    [
        ("ALARM", True, ["failed"]), ("OK", True, ["passed"]), ("INSUFFICIENT_DATA", True, ["unknown"]),
        (JadaError("CloudWatch has no alarm agents"), True, ["failed"]), ("ALARM", False, []),
    ],
)  # fmt: skip
def test_an_alarm_that_is_red_before_the_change_refuses_it(
    host: Callable[..., State], monkeypatch: pytest.MonkeyPatch, state: str | JadaError, is_enforced: bool,
    verdicts: list[str],
) -> None:  # fmt: skip
    def answer(*_: object) -> str:
        if isinstance(state, JadaError):
            raise state
        return state

    monkeypatch.setattr(cloudwatch, "alarm_state", answer)
    fleet = Fleet("f", Path("fleet.yml"), (), (), probes=(replace(ALARM, is_enforced=is_enforced),))
    checks = watch.alarm_checks(fake_session({"h1": host()}, fleet))
    assert [check.verdict for check in checks] == verdicts
    assert all("--force" in check.text for check in checks if check.is_refusal)
