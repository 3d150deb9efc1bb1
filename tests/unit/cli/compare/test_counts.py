"""Requests of a process, counted from look to look: each once, whatever is out of sight by then."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from jada import Model
from jada.cli.compare.counts import MOST, Totals, count, count_tasks, model_of, release_of, total, uncounted
from jada.cli.compare.quantiles import Durations, from_json
from jada.cli.records.model import ServedEntry
from jada.tasks.outcomes import TaskOutcome
from jada.tasks.release import Desired
from jada.tasks.served import tally
from jada.tasks.state import Process, State
from tests.unit.conftest import ID, MODEL, NOW

BEGAN = NOW - 90
CATALOGUE = (Model("sonnet", MODEL, 3.0, 15.0), Model("free", "claude-free"))
Row = tuple[str, ...]
Host = Callable[..., State]


def row(second: int, kind: str = "answer", asked: str = MODEL, tokens: str = "1000 0 0 200") -> Row:
    time = datetime.fromtimestamp(BEGAN + second, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    of_kind = {"failed": ("529", MODEL), "retried": ("529", "")}
    one, other = of_kind.get(kind, (asked, asked.removesuffix("[1m]")))
    return (kind, time, "", one, other, *(tokens if kind == "answer" else "0 0 0 0").split())


def state(host: Host, *rows: Row) -> State:
    return host(served=tally(rows, BEGAN))


def entry(host: Host) -> ServedEntry:
    process = host().process
    assert isinstance(process, Process)
    return uncounted("f", "web-1", host(), process)


def test_what_an_earlier_look_counted_is_not_counted_again(host: Host) -> None:
    first = count(entry(host), state(host, row(1), row(2), row(3, "failed")), CATALOGUE)
    assert (first.requests, first.failed, first.tokens_in, first.counted_until) == (3, 1, 2000, BEGAN + 3)
    # The first two are out of sight.
    second = count(first, state(host, row(3, "failed"), row(4), row(5, "fallback"), row(6, "failed")), CATALOGUE)
    assert (second.requests, second.failed, second.fallbacks) == (5, 2, 1)
    assert (second.tokens_in, second.tokens_out, second.counted_until) == (3000, 600, BEGAN + 6)
    assert count(second, state(host, row(6, "failed")), CATALOGUE) == second
    assert count(second, state(host), CATALOGUE) == second


def test_requests_of_a_time_to_come_are_none(host: Host) -> None:
    counted = count(entry(host), state(host, row(1), row(9_999)), CATALOGUE)
    assert (counted.requests, counted.counted_until) == (1, BEGAN + 1)


def test_requests_that_the_cli_tried_again_are_no_failures(host: Host) -> None:
    assert count(entry(host), state(host, row(1), row(2, "retried")), CATALOGUE).requests == 1


@pytest.mark.parametrize("model", ["claude-free", "claude-nobody-knows", f"{MODEL}[1m]"])
def test_of_an_answer_without_a_price_no_cost_is_told(host: Host, model: str) -> None:
    priced = count(entry(host), state(host, row(1), row(2)), CATALOGUE)
    assert priced.cost == pytest.approx(2 * (1000 * 3 + 200 * 15) / 1e6)
    assert total([priced]).cost == priced.cost
    unpriced = count(priced, state(host, row(3, asked=model)), CATALOGUE)
    assert (unpriced.cost, unpriced.unpriced) == (priced.cost, 1)
    assert total([priced, unpriced]).cost is None


def test_a_profile_behind_which_any_model_may_hide_has_no_price(host: Host) -> None:
    arn = "arn:aws:bedrock:us-east-1:1:application-inference-profile/x"
    assert count(entry(host), state(host, row(1)), (Model("mine", arn, 3.0, 15.0),)).unpriced == 1


def test_an_arm_is_the_sum_of_its_processes(host: Host) -> None:
    counted = count(entry(host), state(host, row(1), row(2, "failed"), row(3, "fallback")), CATALOGUE)
    assert total([counted, counted]) == Totals(
        requests=4, failed=2, fallbacks=2, tokens_in=2000, tokens_out=400, cost=2 * counted.cost, tasks=0,
        tasks_failed=0, durations=Durations({}),
    )  # fmt: skip
    assert total([]) == Totals(
        requests=0, failed=0, fallbacks=0, tokens_in=0, tokens_out=0, cost=0.0, tasks=0, tasks_failed=0,
        durations=Durations({}),
    )  # fmt: skip


def test_no_host_makes_a_count_that_can_not_be_kept(host: Host) -> None:
    most = str(2**63)
    rows = [row(second, tokens=f"{most} 0 0 {most}") for second in range(9)]
    counted = count(entry(host), state(host, *rows), CATALOGUE)
    assert (counted.tokens_in, counted.tokens_out) == (MOST, MOST)


def test_a_process_has_the_release_and_the_model_that_its_host_is_to_have(host: Host) -> None:
    assert (entry(host).release, entry(host).model, entry(host).process) == (ID, MODEL, "boot-1:5000")
    release = host().release
    assert release
    older = "20261124-110000-aaaa"
    back = host(release=replace(release, kind="rollback", desired=Desired("claude-opus-5", 0, 0, older)))
    assert (release_of(back), model_of(back)) == (older, "claude-opus-5")
    before_jada = replace(release, kind="rollback", desired=Desired("", 0))
    assert release_of(host(release=before_jada)) == ID
    assert (release_of(host(release=None)), model_of(host(release=None))) == ("", MODEL)


def test_tasks_are_counted_once_each(host: Host) -> None:
    began = host().process.started  # type: ignore[union-attr]
    tasks = [
        TaskOutcome(began - 1, False, 9.0),
        TaskOutcome(began + 1, True, 2.0),
        TaskOutcome(began + 2, False, None),
        TaskOutcome(NOW + 9, False, 3.0),
    ]
    first = count_tasks(entry(host), tasks, NOW)
    assert (first.tasks, first.tasks_failed, first.tasks_until) == (2, 1, began + 2)
    assert from_json(first.durations).of == 1
    assert count_tasks(first, tasks, NOW) == first
    second = count_tasks(first, [*tasks, TaskOutcome(began + 3, True, 4.0)], NOW)
    assert (second.tasks, second.tasks_failed, from_json(second.durations).of) == (3, 1, 2)
    assert total([first, second]).durations.of == 3
    assert (total([first, second]).tasks, total([first, second]).tasks_failed) == (5, 2)
