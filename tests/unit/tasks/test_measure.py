"""The verdicts of probes, by what was measured: a table for each kind, and what is no number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from jada import Metric, Probe, Threshold
from jada.tasks import FILES, measure
from jada.tasks.measure import Measurement, Sample, Verdict, before_change, built_in, chance, judge, measured
from jada.tasks.served import Fallbacks, tally
from jada.tasks.state import State

PASSED, FAILED, INCONCLUSIVE, ERROR = Verdict
SONNET, HAIKU = "claude-sonnet-4-6", "claude-haiku-4-5"


def probe(kind: str, what: str, amount: float, *, relative: bool = False, least: bool = False, **more: object) -> Probe:
    threshold = Threshold(amount, relative, least)
    values = {"name": "p", "kind": kind, "measure": what, "threshold": threshold, **more}
    return Probe(**values)  # type: ignore[arg-type]


def gauge(*values: float) -> list[Sample]:
    return [Sample(at=10.0 * number, values=(value,)) for number, value in enumerate(values)]


def of_cpu(pairs: list[tuple[float, float]]) -> list[Sample]:
    """Seconds of the clock, and of processor time."""
    return [Sample(at=at, values=(used, 1.0)) for at, used in pairs]


def requests(failed: int, count: int, at: float = 0.0) -> Sample:
    return Sample(at=at, count=count, failed=failed)


CPU = probe("cpu", "share", 80, unit="%")
MEMORY = probe("memory", "size", 2, relative=True, unit="bytes")
RATE = probe("journal", "rate", 5, unit="/m", window=60)
MANY, FEW = (probe("journal", "rate", 20_000, unit="/m", window=60, least=least) for least in (False, True))
COUNT = probe("journal", "count", 3)
FAILING = probe("http", "failed", 5, unit="%", min_sample=20)
SLOW = probe("http", "p95", 2, relative=True, unit="s", min_sample=20)
NUMBER = probe("command", "number", 10)
LEAST = probe("command", "number", 0.5, relative=True, least=True)
ASKED = probe("requests", "failed", 5, unit="%", min_sample=20)
ALARM = probe("cloudwatch", "alarm", 0, alarm="agents")
METRIC = probe("cloudwatch", "metric", 7, metric=Metric("Agents", "Errors", "Sum"))
LATENCIES = (0.01,) * 18 + (0.2, 0.3)


@pytest.mark.parametrize(
    ("probed", "samples", "baseline", "verdict", "words"),
    [
        (CPU, [(0, 1.0), (10, 10.0)], None, FAILED, "cpu 90% (2 measurements), more than 80%"),
        (CPU, [(0, 1.0), (10, 9.0)], None, PASSED, "no more than 80%"),
        (CPU, [(0, 1.0)], None, INCONCLUSIVE, "0 measurements, and 1 are needed"),
        (MEMORY, gauge(300e6), 100e6, FAILED, "2x what it was"),
        (MEMORY, gauge(150e6), 100e6, PASSED, "no more than 190.7 MiB"),
        (MEMORY, gauge(150e6), None, INCONCLUSIVE, "what it was before the change is not known"),
        (RATE, gauge(90, 5), None, PASSED, "journal entries 5/m"),
        (RATE, gauge(6), None, FAILED, "more than 5/m"),
        (COUNT, gauge(4), None, FAILED, "more than 3"),
        (COUNT, gauge(0), None, PASSED, "journal entries 0"),
        (COUNT, gauge(10_000), None, FAILED, "more than 3"),
        # A host counts no more: there may be a million.
        (MANY, gauge(10_000), None, INCONCLUSIVE, "1e+04/m or more: a host counts no more than 10,000"),
        (MANY, gauge(9_999), None, PASSED, "no more than 2e+04/m"),
        (FEW, gauge(10_000), None, INCONCLUSIVE, "or more"),
        (FEW, gauge(9_999), None, FAILED, "less than"),
        (FAILING, [requests(1, 10), requests(0, 10, 10)], None, PASSED, "5% (20 requests)"),
        (FAILING, [requests(1, 10), requests(1, 10, 10)], None, FAILED, "10% (20 requests), more than 5%"),
        (FAILING, [requests(9, 10)], None, INCONCLUSIVE, "10 requests, and 20 are needed"),
        (SLOW, [Sample(values=LATENCIES)], 0.05, FAILED, "p95 200 ms (20 requests), more than 100 ms"),
        (SLOW, [Sample(values=LATENCIES)], 0.1, PASSED, "no more than 200 ms"),
        (SLOW, [Sample(values=LATENCIES[:19])], 0.01, INCONCLUSIVE, "19 requests, and 20 are needed"),
        (NUMBER, gauge(9, 12), None, FAILED, "its number 10.5 (2 measurements)"),
        (NUMBER, gauge(9, 10), None, PASSED, "no more than 10"),
        (NUMBER, gauge(-20), None, PASSED, "-20"),
        (LEAST, gauge(4), 10, FAILED, "less than 5, 0.5x what it was"),
        (LEAST, gauge(6), 10, PASSED, "no less than 5"),
        (ASKED, [requests(9, 20), requests(1, 20)], None, PASSED, "requests failed 5% (20 requests)"),
        (ASKED, [requests(2, 20)], None, FAILED, "10%"),
        (ASKED, [requests(0, 0)], None, INCONCLUSIVE, "0 requests, and 20 are needed"),
        (ALARM, gauge(1), None, FAILED, "the alarm agents is red"),
        (ALARM, gauge(0), None, PASSED, "the alarm agents is quiet"),
        (ALARM, [Sample()], None, INCONCLUSIVE, "CloudWatch has not enough data for the alarm agents"),
        (METRIC, [Sample(values=(7.0, 9.0))], None, FAILED, "its metric 8"),
        (METRIC, [Sample()], None, INCONCLUSIVE, "CloudWatch has not enough data for its metric"),
        (NUMBER, [], None, INCONCLUSIVE, "not measured yet"),
        (NUMBER, [*gauge(99), Sample(error="no")], None, ERROR, "no"),
        (NUMBER, [Sample(error="no"), *gauge(1)], None, PASSED, "1 measurement"),
    ],
)  # fmt: skip
def test_verdicts(probed: Probe, samples: list[Sample], baseline: float | None, verdict: Verdict, words: str) -> None:
    if probed is CPU:
        samples = of_cpu(samples)  # type: ignore[arg-type]
    judgement = judge(probed, samples, None if baseline is None else Measurement(baseline, 1))
    assert (judgement.verdict, words in judgement.text) == (verdict, True), judgement


def test_a_host_counts_as_many_entries_as_the_verdicts_hold_it_to() -> None:
    assert f"MOST_ENTRIES={measure.MOST_ENTRIES}\n" in (FILES / "look/measure.sh").read_text()


def test_only_what_is_enforced_counts() -> None:
    observed = replace(NUMBER, is_enforced=False)
    assert judge(NUMBER, gauge(99)).counts
    assert not judge(observed, gauge(99)).counts
    assert judge(observed, gauge(99)).as_data()["mode"] == "observe"
    assert not judge(NUMBER, gauge(1)).counts


def test_what_is_older_than_the_window_does_not_count() -> None:
    samples = [Sample(at=at, values=(value,)) for at, value in ((0, 99.0), (119, 1.0), (200, 3.0))]
    assert measured(NUMBER, samples) == Measurement(2.0, 2)


def test_a_restart_begins_anew() -> None:
    """What was counted before it was of another process; its clock may begin anew too, after a reboot."""
    old = Sample(at=100, start="a", values=(50.0, 1.0))
    assert measured(CPU, [old, Sample(at=110, start="b", values=(0.5, 1.0))]) is None
    assert measured(
        CPU, [old, Sample(at=5, start="b", values=(1.0, 1.0)), Sample(at=15, start="b", values=(3.0, 1.0))]
    ) == (Measurement(20.0, 2))


@pytest.mark.parametrize(
    "later", [Sample(at=90, start="a", values=(60.0, 1.0)), Sample(at=110, start="a", values=(40.0, 1.0)),
              Sample(at=100, start="a", values=(60.0, 1.0))],
)  # fmt: skip
def test_a_clock_or_a_counter_that_goes_back_tells_nothing(later: Sample) -> None:
    assert measured(CPU, [Sample(at=100, start="a", values=(50.0, 1.0)), later]) is None


@pytest.mark.parametrize(
    ("probed", "samples", "value"),
    [
        # Of none that failed, one more is taken to have: twice none would be none.
        (ASKED, [requests(0, 99)], Measurement(1.0, 99)),
        (ASKED, [requests(0, 19)], None),
        (RATE, gauge(0), Measurement(1.0, 1)),
        (RATE, gauge(9_999), Measurement(10_000, 1)),
        (RATE, gauge(10_000), None),
        (SLOW, [Sample(values=LATENCIES)], Measurement(0.2, 20)),
        (SLOW, [Sample(values=LATENCIES[:5])], None),
        (MEMORY, gauge(100), Measurement(100, 1)),
        # Over all its life: there is no other look to hold it against.
        (CPU, [Sample(values=(50.0, 200.0))], Measurement(25.0, 1)),
        (CPU, [Sample(values=(0.0, 0.0))], None),
        (CPU, [Sample(error="no")], None),
        (NUMBER, [Sample(error="no")], None),
    ],
)
def test_what_a_host_had_before_its_change(probed: Probe, samples: list[Sample], value: Measurement | None) -> None:
    assert before_change(probed, samples) == value


@pytest.mark.parametrize(
    ("failed", "count", "verdict"),
    [
        (0, 0, PASSED), (1, 1, PASSED), (2, 2, FAILED), (1, 5, PASSED), (3, 20, PASSED), (6, 20, FAILED),
        (5, 5, FAILED), (101, 1000, PASSED), (140, 1000, FAILED), (5000, 5000, FAILED), (500, 5000, PASSED),
    ],
)  # fmt: skip
def test_requests_that_fail_are_held_against_a_rollout_once_that_is_no_chance(
    host: Callable[..., State], failed: int, count: int, verdict: Verdict
) -> None:
    at = datetime(2026, 11, 26, tzinfo=UTC)
    kinds = ["failed\n529\nx"] * failed + [f"answer\n{SONNET}\n{SONNET}"] * (count - failed)
    rows = [
        (kind, at.isoformat(), "", one, other, "0", "0", "0", "0")
        for kind, one, other in (k.split("\n") for k in kinds)
    ]
    requests, fallbacks = built_in(host(served=tally(rows, 0.0)))
    assert (requests.verdict, requests.count, fallbacks.verdict) == (verdict, count, PASSED)
    assert f"{failed} of {count} requests failed" in requests.text


def test_fallbacks_are_held_against_a_rollout_too(host: Callable[..., State]) -> None:
    at = datetime(2026, 11, 26, tzinfo=UTC).isoformat()
    rows = [("answer", at, "", HAIKU, HAIKU, "0", "0", "0", "0")] * 5
    served = replace(tally(rows, 0.0), fallbacks=(Fallbacks(original=SONNET, model=HAIKU, count=9, last=1.0),))
    _, fallbacks = built_in(host(served=served))
    assert (fallbacks.verdict, fallbacks.value, fallbacks.count) == (FAILED, 100, 5)


def test_requests_are_those_of_the_window(host: Callable[..., State]) -> None:
    now = datetime(2026, 11, 26, tzinfo=UTC).timestamp()
    rows = [
        (kind, datetime.fromtimestamp(now + after, UTC).isoformat(), "", one, SONNET, "0", "0", "0", "0")
        for kind, one, after in (
            # The last one is of a clock that was set back since.
            ("failed", "529", -200), ("failed", "529", -60), ("answer", SONNET, -5), ("failed", "529", 60),
        )
    ]  # fmt: skip
    assert measure.of_requests(ASKED, host(served=tally(rows, 0.0), now=now)) == Sample(count=2, failed=1)


def test_chances() -> None:
    assert chance(1, 1, 0.1) == pytest.approx(0.1)
    assert chance(0, 7, 0.1) == pytest.approx(1)
    assert chance(2, 3, 0.1) == pytest.approx(0.028)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.0123, "s", "12 ms"), (2.5, "s", "2.50 s"), (2**20 * 1536.0, "bytes", "1,536.0 MiB"),
        (12.3456, "%", "12.35%"), (3, "/m", "3/m"),
    ],
)  # fmt: skip
def test_amounts_in_words(value: float, unit: str, text: str) -> None:
    assert measure.amount(value, unit) == text


def test_probes_in_words() -> None:
    assert measure.in_words(SLOW) == "p (http requests p95 above 2x what it was)"
    assert measure.in_words(replace(LEAST, is_enforced=False)) == "p (its number below 0.5x what it was; only observed)"
    assert measure.in_words(ALARM) == "p (the alarm agents)"
    assert measure.in_words(CPU) == "p (cpu above 80%)"
