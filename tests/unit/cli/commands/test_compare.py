"""`jada compare` on a fake fleet whose hosts tell what came of their requests."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from jada import Exit, HostError, Tiers
from jada.cli.commands import compare
from jada.cli.compare import run
from jada.cli.compare.comparison import ALPHA, MARGIN, points
from jada.cli.compare.sequential import Share, compare_shares
from jada.cli.compare.show import ASCII_SIGNS, WIDTH, chart
from jada.cli.records.model import RolloutEntry
from jada.cli.records.sqlite import open_records
from jada.cli.rollout.progress import Values
from jada.cli.rollout.waves import Group
from jada.inventory.fleet.rollout import RolloutPolicy
from jada.tasks.outcomes import TaskOutcome
from jada.tasks.plan import Request
from jada.tasks.release import Desired
from jada.tasks.served import tally
from jada.tasks.state import State
from tests.fakes import FakeConnection
from tests.unit.cli.conftest import Done, Jada
from tests.unit.conftest import MODEL, NOW

OLD, NEW = "20261124-120000-aaaa", "20261125-120000-bbbb"
OPUS = "claude-opus-5"
RELEASES = (OLD, NEW)
# Seconds before NOW at which the processes of both releases began.
LONG_AGO, LATELY = 7200, 3600
Kind = tuple[str, ...]
Tasks = list[TaskOutcome] | HostError
ANSWER: Kind = ("answer", MODEL, MODEL, "1000", "200")
FAILED: Kind = ("failed", "529", MODEL, "0", "0")
FALLBACK: Kind = ("fallback", OPUS, MODEL, "0", "0")


def requests(answered: int, failed: int = 0, fallbacks: int = 0) -> list[Kind]:
    return [FAILED] * failed + [FALLBACK] * fallbacks + [ANSWER] * answered


def served(jada: Jada, name: str, kinds: Iterable[Kind], ago: float = LATELY / 2, began: float = LONG_AGO) -> None:
    """Has the host's transcripts tell of these requests, a millisecond apart."""
    rows = []
    for number, (kind, one, other, tokens_in, tokens_out) in enumerate(kinds):
        at = datetime.fromtimestamp(NOW - ago + number / 1000, UTC).isoformat(timespec="milliseconds")
        rows.append((kind, at.replace("+00:00", "Z"), "", one, other, tokens_in, "0", "0", tokens_out))
    state = jada.states[name]
    assert isinstance(state, State)
    jada.states[name] = replace(state, served=tally(rows, NOW - began))


def runs(jada: Jada, name: str, release: str, model: str, ago: float) -> None:
    """Has the host run the release, in a process of its own that began so long ago."""
    state = jada.states[name]
    assert isinstance(state, State)
    assert state.release
    assert state.process
    began = replace(state.process, started=NOW - ago, ticks=int(1_000_000 - ago))
    desired = Desired(model, 1_048_576, 0, release)
    jada.states[name] = replace(state, release=replace(state.release, id=release, desired=desired), process=began)


@pytest.fixture
def fleet(jada: Jada, monkeypatch: pytest.MonkeyPatch) -> Jada:
    """web-1 and db-1 with the older release, web-2 with the newer one, at the same time."""
    monkeypatch.setattr(run, "time", SimpleNamespace(time=lambda: NOW))
    for name in ("web-1", "db-1"):
        runs(jada, name, OLD, MODEL, LONG_AGO)
    runs(jada, "web-2", NEW, OPUS, LATELY)
    return jada


def compared(jada: Jada, *argv: str) -> dict[str, Any]:
    return jada("compare", *(argv or RELEASES), "--json").json()


def measure(form: dict[str, Any], name: str = "failed") -> dict[str, Any]:
    return next(each for each in form["measures"] if each["measure"] == name)


@pytest.mark.parametrize(
    ("old", "new", "verdict", "code"),
    [
        (requests(396, 4), requests(360, 40), "worse", Exit.DRIFT),
        (requests(100, 100), requests(200), "not_enough_data", Exit.FAILED),
        (requests(1000), requests(1000), "equivalent", Exit.OK),
        (requests(1800, 200), requests(1980, 20), "better", Exit.OK),
        (requests(400), requests(400, fallbacks=60), "worse", Exit.DRIFT),
        (requests(178, 2), requests(178, 2), "not_enough_data", Exit.FAILED),
        ([], requests(178, 2), "not_enough_data", Exit.FAILED),
    ],
    ids=["worse", "better-in-one-alone", "equivalent", "better", "falls-back", "few", "none"],
)
def test_verdicts_and_exit_codes(fleet: Jada, old: list[Kind], new: list[Kind], verdict: str, code: Exit) -> None:
    served(fleet, "web-1", old)
    served(fleet, "web-2", new, began=LATELY)
    form = compared(fleet)
    assert (form["verdict"], form["exit"], form["design"]) == (verdict, code, "same_time")
    assert [arm["hosts"] for arm in form["arms"]] == [["db-1", "web-1"], ["web-2"]]


def test_it_is_told_to_people_with_how_many_it_is_from(fleet: Jada) -> None:
    served(fleet, "web-1", requests(178, 2))
    served(fleet, "web-2", requests(178, 2), began=LATELY)
    text = fleet("compare", *RELEASES).out
    assert "B beside A, by release, at the same time, since 2027-01-15 07:00:00+00:00" in text
    assert "margin 2 percentage points and alpha 0.05, fixed by " in text
    assert "1.1 % (2)" in text
    assert "+0.0 points (-" in text
    assert "├" in text
    assert "Not enough data: have 180 of about " in text
    served(fleet, "web-2", requests(0, 400), ago=60, began=LATELY)
    served(fleet, "web-1", requests(400), ago=60)
    text = fleet("compare", *RELEASES).out
    assert "B is worse: more of its requests fail (580 requests in the smaller arm)." in text


@pytest.fixture
def tasks(monkeypatch: pytest.MonkeyPatch) -> dict[str, Tasks]:
    """The tasks that hosts tell of, by name."""
    by_name: dict[str, Tasks] = {}

    def told(connection: FakeConnection, since: float) -> list[TaskOutcome]:
        of_host = by_name.get(connection._name, [])
        if not isinstance(of_host, list):
            raise of_host
        return [task for task in of_host if task.at > since]

    monkeypatch.setattr(FakeConnection, "tasks", told)
    return by_name


def done(succeeded: int, failed: int = 0, seconds: float | None = None) -> list[TaskOutcome]:
    """So many tasks, a millisecond apart, most of which took as long."""
    outcomes = [True] * succeeded + [False] * failed
    return [
        TaskOutcome(NOW - LATELY / 2 + number / 1000, outcome, seconds and seconds * (1 + number % 10 / 100))
        for number, outcome in enumerate(outcomes)
    ]


def test_tasks_that_fail_make_a_model_worse_that_answers_as_well(fleet: Jada, tasks: dict[str, Tasks]) -> None:
    for name in ("web-1", "web-2"):
        served(fleet, name, requests(1000), began=LATELY)
    tasks |= {"web-1": done(396, 4), "web-2": done(340, 60)}
    form = compared(fleet)
    assert [(each["measure"], each["verdict"]) for each in form["measures"]] == [
        ("failed", "equivalent"), ("fallbacks", "equivalent"), ("tasks_failed", "worse"),
    ]  # fmt: skip
    assert (form["verdict"], form["exit"]) == ("worse", Exit.DRIFT)
    assert [(arm["tasks"], arm["tasks_failed"], arm["p95_seconds"]) for arm in form["arms"]] == [
        (400, 4, None), (400, 60, None),
    ]  # fmt: skip
    text = fleet("compare", *RELEASES).out
    assert "B is worse: more of its tasks fail (1000 requests and 400 tasks in the smaller arm)." in text
    assert "15.0 % (60)" in text


def test_tasks_that_take_twice_as_long_make_a_model_worse(fleet: Jada, tasks: dict[str, Tasks]) -> None:
    tasks |= {"web-1": done(300, seconds=10.0), "web-2": done(300, seconds=20.0)}
    form = compared(fleet)
    # Without a request, of those nothing is to be known.
    assert [(each["measure"], each["verdict"]) for each in form["measures"]] == [
        ("tasks_failed", "equivalent"), ("p95_seconds", "worse"),
    ]  # fmt: skip
    slower = measure(form, "p95_seconds")
    assert slower["a"] == pytest.approx(10.9, rel=0.025)
    assert (slower["difference"], slower["requests_an_arm"]) == (pytest.approx(1.0, abs=0.05), 300)
    assert 0.5 < slower["low"] < slower["difference"] < slower["high"] < 1.5
    text = fleet("compare", *RELEASES).out
    assert "its slow tasks take longer (300 tasks in the smaller arm)" in text
    assert "p95 of tasks  2.00 times (1." in text
    assert "s (of 300)" in text


def test_few_tasks_are_told_with_how_many_it_takes(fleet: Jada, tasks: dict[str, Tasks]) -> None:
    for name in ("web-1", "web-2"):
        served(fleet, name, requests(178, 2), began=LATELY)
    tasks |= {"web-1": done(60, seconds=10.0), "web-2": done(60, seconds=10.0)}
    form = compared(fleet)
    assert measure(form, "p95_seconds")["high"] is None
    text = fleet("compare", *RELEASES).out
    assert "Not enough data: have 180 of about 7" in text
    assert "; have 60 of about " in text
    assert " tasks in the smaller arm." in text
    assert " to any)" in text


def test_tasks_of_one_arm_alone_are_no_measure(fleet: Jada, tasks: dict[str, Tasks]) -> None:
    for name in ("web-1", "web-2"):
        served(fleet, name, requests(1000), began=LATELY)
    tasks |= {"web-2": done(100, 100, seconds=99.0)}
    form = compared(fleet)
    assert (form["verdict"], len(form["measures"])) == ("equivalent", 2)
    assert [arm["tasks"] for arm in form["arms"]] == [0, 200]


def test_each_task_counts_once_and_since_both_ran(fleet: Jada, tasks: dict[str, Tasks]) -> None:
    before = [TaskOutcome(NOW - LATELY - 60, False, 5.0)]
    tasks |= {"web-1": [*before, *done(60)], "web-2": done(60)}
    for _ in range(2):
        assert [arm["tasks"] for arm in compared(fleet)["arms"]] == [60, 60]


def test_a_host_whose_journal_can_not_be_read_is_told(fleet: Jada, tasks: dict[str, Tasks]) -> None:
    tasks["web-1"] = HostError("web-1 can't tell its tasks: it tells of a task what can't be")
    served(fleet, "web-1", requests(1000))
    served(fleet, "web-2", requests(1000), began=LATELY)
    form = compared(fleet)
    assert (form["verdict"], form["exit"]) == ("equivalent", Exit.FAILED)
    assert form["not_seen"] == [
        {"host": "web-1", "error": "web-1 can't tell its tasks: it tells of a task what can't be"}
    ]


def test_each_look_adds_to_what_is_known(fleet: Jada) -> None:
    for look in range(4):
        served(fleet, "web-1", requests(99, 1), ago=1000 - look)
        served(fleet, "web-2", requests(90, 10), ago=1000 - look, began=LATELY)
        form = compared(fleet)
        assert [arm["requests"] for arm in form["arms"]] == [100 * (look + 1)] * 2
    assert (form["verdict"], measure(form)["requests_an_arm"], measure(form)["needed_an_arm"]) == ("worse", 400, None)
    assert [(arm["failed"], arm["tokens_in"]) for arm in form["arms"]] == [(4, 396_000), (40, 360_000)]


def test_only_requests_since_both_ran_count(fleet: Jada) -> None:
    served(fleet, "web-1", requests(50, 50), ago=LATELY + 60)
    served(fleet, "web-2", requests(70), began=LATELY)
    form = compared(fleet)
    assert form["since"] == "2027-01-15T07:00:00+00:00"
    assert [(arm["requests"], arm["failed"]) for arm in form["arms"]] == [(0, 0), (70, 0)]
    assert measure(form) == {
        "measure": "failed", "a": None, "b": 0.0, "difference": None, "low": -1.0, "high": 1.0,
        "verdict": "not_enough_data", "requests_an_arm": 0, "needed_an_arm": None,
    }  # fmt: skip
    assert "no requests in A" in fleet("compare", *RELEASES).out


def test_a_clock_that_is_ahead_stops_no_count(fleet: Jada) -> None:
    runs(fleet, "web-2", NEW, OPUS, -9_999)
    assert compared(fleet)["since"] == "2027-01-15T08:00:00+00:00"


def test_cost_is_by_list_prices_and_not_known_where_one_is_not(fleet: Jada) -> None:
    served(fleet, "web-1", requests(100))
    served(fleet, "web-2", [("answer", "claude-x", "claude-x", "1", "1")] * 10, began=LATELY)
    form = compared(fleet)
    assert [arm["usd_per_1000_requests"] for arm in form["arms"]] == [pytest.approx(6.0), None]
    assert "not known" in fleet("compare", *RELEASES).out


def test_margin_and_alpha_are_fixed_before_the_first_look(fleet: Jada) -> None:
    served(fleet, "web-1", requests(50))
    first = compared(fleet, *RELEASES, "--margin", "1.5", "--alpha", "0.01")
    assert (first["margin"], first["alpha"]) == (0.015, 0.01)
    later = compared(fleet)
    assert {key: later[key] for key in ("margin", "alpha", "fixed_at", "since")} == {
        key: first[key] for key in ("margin", "alpha", "fixed_at", "since")
    }
    assert compared(fleet, *RELEASES, "--margin", "1.5")["margin"] == 0.015
    # Nor is it another comparison the other way round.
    for argv in (("--margin", "3"), ("--alpha", "0.05")):
        for releases in (RELEASES, RELEASES[::-1]):
            done = fleet("compare", *releases, *argv)
            assert (done.exit, done.out) == (Exit.USAGE, "")
            assert f"{argv[0]} {'1.5' if argv[0] == '--margin' else '0.01'} counts: " in done.err
    assert compared(fleet)["margin"] == 0.015


def test_the_other_way_round_the_arms_change_places(fleet: Jada) -> None:
    served(fleet, "web-1", requests(396, 4))
    served(fleet, "web-2", requests(360, 40), began=LATELY)
    there, back = compared(fleet), compared(fleet, *RELEASES[::-1])
    assert measure(there)["difference"] == -measure(back)["difference"]
    assert [arm["name"] for arm in back["arms"]] == [NEW, OLD]


def test_hosts_by_the_model_that_they_are_to_run(fleet: Jada) -> None:
    served(fleet, "web-1", requests(10))
    served(fleet, "web-2", requests(20), began=LATELY)
    form = compared(fleet, "--model", "claude-sonnet-4-6", "--model", "opus-5")
    assert [arm["hosts"] for arm in form["arms"]] == [["db-1", "web-1"], ["web-2"]]
    assert [arm["models"] for arm in form["arms"]] == [[MODEL], [OPUS]]


def test_a_profile_behind_which_any_model_may_hide_is_a_model_of_its_own(fleet: Jada) -> None:
    arn = "arn:aws:bedrock:us-east-1:1:application-inference-profile/x"
    runs(fleet, "db-1", OLD, arn, LONG_AGO)
    form = compared(fleet, "--model", arn, "--model", "opus-5")
    assert [arm["hosts"] for arm in form["arms"]] == [["db-1"], ["web-2"]]


def test_before_and_after_are_no_experiment(fleet: Jada) -> None:
    for name in ("web-1", "web-2", "db-1"):
        runs(fleet, name, OLD, MODEL, LONG_AGO)
        served(fleet, name, requests(100), ago=LATELY + 600)
    # Nobody runs the newer release yet; what the older one does is kept.
    done = fleet("compare", *RELEASES)
    assert (done.exit, done.out) == (Exit.FAILED, "")
    assert f"Nothing is known of release {NEW}: no host runs it" in done.err
    for name in ("web-1", "web-2", "db-1"):
        runs(fleet, name, NEW, OPUS, LATELY)
        served(fleet, name, requests(60, 40), began=LATELY)
    form = compared(fleet)
    assert (form["design"], form["since"], form["verdict"], form["exit"]) == ("before_after", None, "worse", 3)
    assert [(arm["requests"], arm["failed"]) for arm in form["arms"]] == [(300, 0), (300, 120)]
    assert "before/after, not an experiment" in fleet("compare", *RELEASES).out


def test_once_an_arm_has_no_host_nothing_more_is_counted(fleet: Jada) -> None:
    served(fleet, "web-1", requests(100))
    served(fleet, "web-2", requests(100), began=LATELY)
    assert not compared(fleet)["is_over"]
    for name in ("web-1", "db-1"):
        runs(fleet, name, NEW, OPUS, 60)
    served(fleet, "web-2", requests(0, 100), ago=60, began=LATELY)
    form = compared(fleet)
    assert (form["is_over"], form["design"]) == (True, "same_time")
    assert [(arm["requests"], arm["failed"]) for arm in form["arms"]] == [(100, 0), (100, 0)]
    assert "An arm has no host any more" in fleet("compare", *RELEASES).out


def test_a_process_counts_for_what_it_was_started_with(fleet: Jada) -> None:
    served(fleet, "web-1", requests(10))
    compared(fleet)
    state = fleet.states["web-1"]
    assert isinstance(state, State)
    # Its release is there, and its restart is to come.
    changing = replace(state, running_transaction="ann@ops since 2027-01-15T08:00:00+00:00 for release r1")
    fleet.states["web-1"] = changing
    runs(fleet, "web-1", NEW, OPUS, LONG_AGO)
    served(fleet, "web-1", requests(20), ago=60)
    assert [arm["requests"] for arm in compared(fleet)["arms"]] == [10, 0]
    fleet.states["web-1"] = replace(fleet.states["web-1"], running_transaction="")  # type: ignore[type-var]
    assert [arm["requests"] for arm in compared(fleet)["arms"]] == [30, 0]


def begun(jada: Jada, hosts: tuple[str, ...]) -> None:
    """Writes down a rollout of the newer release to these hosts, one a wave."""
    request = Request(NEW, "f", "ann@ops", "2026-11-25T12:00:00+00:00", 0, False, "", False)
    waves = tuple((host,) for host in hosts)
    values = Values(request=request, groups=(Group(RolloutPolicy(), waves),), tiers=dict.fromkeys(hosts, Tiers(OPUS)))
    entry = RolloutEntry(
        release=NEW, fleet="f", status="paused", why="", wave=0, baking=0, values_json=values.to_json(), asked="",
        asked_by="", updated="2026-11-25T12:00:00+00:00",
    )  # fmt: skip
    with open_records() as records:
        records.begin_rollout(entry)


def test_a_canary_is_compared_with_hosts_of_its_role_that_the_rollout_has_not_changed(fleet: Jada) -> None:
    done = fleet("compare", "--canary")
    assert (done.exit, done.out) == (Exit.FAILED, "")
    assert "No rollout of f is under way or paused" in done.err
    begun(fleet, ("web-2", "web-1", "db-1"))
    served(fleet, "web-1", requests(400))
    served(fleet, "db-1", requests(0, 400))
    served(fleet, "web-2", requests(300, 100), began=LATELY)
    form = compared(fleet, "--canary")
    assert (form["by"], form["verdict"], form["design"]) == ("canary", "worse", "same_time")
    assert [(arm["name"], arm["hosts"]) for arm in form["arms"]] == [("untouched", ["web-1"]), (NEW, ["web-2"])]
    assert "Canary beside untouched hosts" in fleet("compare", "--canary").out


@pytest.mark.parametrize(("release", "why"), [(NEW, "has left no host as it was"), (OLD, "has changed no host yet")])
def test_a_canary_without_another_arm_is_told(fleet: Jada, release: str, why: str) -> None:
    begun(fleet, ("web-2", "web-1"))
    for name in ("web-1", "web-2"):
        runs(fleet, name, release, OPUS, LATELY)
    done = fleet("compare", "--canary")
    assert (done.exit, done.out) == (Exit.FAILED, "")
    assert why in done.err


def test_a_host_that_can_not_be_seen_is_told_and_hides_no_verdict(fleet: Jada) -> None:
    served(fleet, "web-1", requests(1000))
    served(fleet, "web-2", requests(1000), began=LATELY)
    state = fleet.states["db-1"]
    assert isinstance(state, State)
    for trouble in (HostError("db-1 is off"), replace(state, unseen="its user's half did not end in time")):
        fleet.states["db-1"] = trouble
        form = compared(fleet)
        assert (form["verdict"], form["exit"]) == ("equivalent", Exit.FAILED)
        assert [each["host"] for each in form["not_seen"]] == ["db-1"]
        assert f"✗ {form['not_seen'][0]['error']}" in fleet("compare", *RELEASES).out
    served(fleet, "web-2", requests(0, 500), ago=60, began=LATELY)
    assert fleet("compare", *RELEASES).exit == Exit.DRIFT


def test_the_page_of_the_fleet_has_it(fleet: Jada, tmp_path: Path) -> None:
    served(fleet, "web-1", requests(396, 4))
    served(fleet, "web-2", requests(360, 40), began=LATELY)
    compared(fleet)
    compared(fleet, "--model", "sonnet-4.6", "--model", "opus-5")
    page = tmp_path / "page.html"
    fleet("report", "--html", str(page))
    assert page.read_text().count("B is worse: more of its requests fail") == 2
    # Of some hosts alone, it is no part.
    fleet("report", "--html", str(page), "--limit", "web-*")
    assert "B is worse" not in page.read_text()


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ((), "Two things are compared: releases, or models, or the canary and the others"),
        ((OLD,), "jada compare RELEASE RELEASE, or --model MODEL --model MODEL, or --canary"),
        ((OLD, NEW, OLD), "jada compare RELEASE RELEASE, or --model MODEL --model MODEL, or --canary"),
        (("--model", "opus-5"), "jada compare RELEASE RELEASE, or --model MODEL --model MODEL, or --canary"),
        ((*RELEASES, "--canary"), "jada compare RELEASE RELEASE, or --model MODEL --model MODEL, or --canary"),
        ((OLD, "nosuch"), "which can't be the id of a release"),
        ((OLD, OLD), "Both arms are the same release"),
        (("--model", "sonnet-4.6", "--model", "claude-sonnet-4-6"), "Both arms are the same model"),
        (("--model", "opus", "--model", "opus-5"), "alias"),
        ((*RELEASES, "--margin", "0"), "--margin"),
        ((*RELEASES, "--alpha", "nan"), "--alpha"),
        ((*RELEASES, "--margin", "nan"), "--margin"),
        ((*RELEASES, "--fleet", "/nosuch/fleet.yml"), "/nosuch/fleet.yml"),
    ],
)
def test_wrong_uses_end_in_words_before_anything_is_done(fleet: Jada, argv: tuple[str, ...], message: str) -> None:
    done: Done = fleet("compare", *argv)
    assert (done.exit, done.out) == (Exit.USAGE, "")
    assert message in done.err
    assert not any(connection.log for engine in fleet.engines for connection in engine.connections.values())


def test_the_help_has_the_defaults() -> None:
    texts = {option.name: getattr(option, "help", "") for option in compare.compare.params}
    assert f"[default: {points(MARGIN)}]" in texts["margin"]
    assert f"[default: {ALPHA:g}]" in texts["alpha"]


def test_the_chart_shows_the_interval_against_the_margin() -> None:
    line = chart(compare_shares(Share(10, 1000), Share(10, 1000), alpha=0.05, margin=0.02), 0.02)
    assert len(line) == WIDTH
    assert line == line[::-1].translate(str.maketrans("├┤", "┤├"))
    assert line.index("┊") < line.index("├") < line.index("●") == WIDTH // 2 < line.index("┤") < line.rindex("┊")
    worse = chart(compare_shares(Share(4, 400), Share(40, 400), alpha=0.05, margin=0.02), 0.02, ASCII_SIGNS)
    assert worse.index("|") < worse.rindex(":") < worse.index("[") < worse.index("o") < worse.index("]") == WIDTH - 1
    # What is certain fits too.
    assert chart(compare_shares(Share(0, 99), Share(99, 99), alpha=0.05, margin=0.02), 0.02)[-1] == "●"
