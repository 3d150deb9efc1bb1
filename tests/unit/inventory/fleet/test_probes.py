"""fleet.yml's probes: their meaning, and what is told of one that could never come to a verdict."""

from __future__ import annotations

from pathlib import Path

import pytest

from jada import ConfigError, Metric, Probe, Threshold
from jada.inventory.fleet import config

LEAST = "fleet: f\nsources:\n  - static: {hosts: {a: {address: 192.0.2.1}}}\nroles: {any: {}}\n"
URL = "http://127.0.0.1:8787/healthz"


def probes(tmp_path: Path, *lines: str) -> tuple[Probe, ...]:
    file = tmp_path / "fleet.yml"
    file.write_text(LEAST + "probes:\n" + "".join(f"  {line}\n" for line in lines))
    return config.load(str(file)).probes


@pytest.mark.parametrize(
    ("line", "probe"),
    [
        (
            "slow: {kind: http, url: 'http://127.0.0.1:8787/healthz', measure: p95, above: 2x}",
            Probe(
                name="slow", kind="http", measure="p95", threshold=Threshold(2, is_relative=True), unit="s", url=URL,
                min_sample=20,
            ),
        ),
        (
            "busy: {kind: cpu, above: 80%, mode: observe, max_errors: 9}",
            Probe(
                name="busy", kind="cpu", measure="share", threshold=Threshold(80), unit="%", is_enforced=False,
                max_errors=9,
            ),
        ),
        (
            "grown: {kind: memory, above: 1.5G}",
            Probe(name="grown", kind="memory", measure="size", threshold=Threshold(1.5 * 2**30), unit="bytes"),
        ),
        (
            "errors: {kind: journal, priority: err, pattern: 'time.?out', above: 10/m, interval: 5s, window: 1m}",
            Probe(
                name="errors", kind="journal", measure="rate", threshold=Threshold(10), unit="/m", priority="err",
                pattern="time.?out", interval=5, window=60,
            ),
        ),
        (
            "served: {kind: command, command: my-agent --served, below: 0.5x, min_sample: 3}",
            Probe(
                name="served", kind="command", measure="number", threshold=Threshold(0.5, True, True), min_sample=3,
                command="my-agent --served",
            ),
        ),
        (
            "cold: {kind: command, command: t, below: -3.5}",
            Probe(name="cold", kind="command", measure="number", threshold=Threshold(-3.5, False, True), command="t"),
        ),
        (
            "failing: {kind: requests, above: 5%}",
            Probe(name="failing", kind="requests", measure="failed", threshold=Threshold(5), unit="%", min_sample=20),
        ),
        (
            "alarm: {kind: cloudwatch, alarm: agents, region: eu-west-1}",
            Probe(
                name="alarm", kind="cloudwatch", measure="alarm", threshold=Threshold(0), alarm="agents",
                region="eu-west-1",
            ),
        ),
        (
            "errors: {kind: cloudwatch, metric: {namespace: A, name: E, statistic: Sum, dimensions: {k: v}}, above: 3}",
            Probe(
                name="errors", kind="cloudwatch", measure="metric", threshold=Threshold(3),
                metric=Metric("A", "E", "Sum", (("k", "v"),)),
            ),
        ),
        (
            "quick: {kind: http, url: 'http://127.0.0.1:8787/healthz', measure: p50, above: 800ms}",
            Probe(name="quick", kind="http", measure="p50", threshold=Threshold(0.8), unit="s", url=URL, min_sample=10),
        ),
    ],
)  # fmt: skip
def test_each_kind_is_read(tmp_path: Path, line: str, probe: Probe) -> None:
    assert probes(tmp_path, line) == (probe,)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("a: {above: 2x}", "fleet.yml:6: probes.a lacks the key kind"),
        ("a: {kind: cpus, above: 2x}", "should be requests or http or .* did you mean cpu"),
        ("a: {kind: cpu}", "exactly one of above, below, not none"),
        ("a: {kind: cpu, above: 1%, below: 2%}", "exactly one of above, below, not above and below"),
        ("a: {kind: cpu, above: 80}", "probes.a.above should be an amount such as 5%, or .* 2x, not 80"),
        ("a: {kind: cpu, above: [1]}", "probes.a.above should be an amount such as 5%, or .* 2x, not a list"),
        ("a: {kind: http, url: 'http://a/', above: 1s}", "should be an amount such as 5%, .*, not 1s"),
        ("a: {kind: command, command: x, above: lots}", "such as 100"),
        ("a: {kind: http, measure: p95, above: 2x}", "lacks the key url"),
        (
            "a: {kind: http, measure: p96, url: 'http://a/', above: 2x}",
            "should be failed or p50 or p95 or p99, not p96",
        ),
        ("a: {kind: http, url: 'ftp://user:geheim@a/', above: 2x}", "should be a URL"),
        ("a: {kind: http, measure: p99, url: 'http://a/', above: 1s, window: 1m}", "wants 100 requests, and makes 60"),
        ("a: {kind: http, url: 'http://a/', above: 1%, min_sample: 101}", "from 1 to 100"),
        ("a: {kind: cloudwatch, alarm: red, min_sample: 2}", "has an alarm, whose state is one measurement"),
        ("a: {kind: memory, above: 1G, min_sample: 13}", "wants 13 measurements, and makes 12 in its window"),
        ("a: {kind: cpu, above: 1%, interval: 2m, window: 1m}", "measures less often than once in its window"),
        ("a: {kind: journal, measure: count, above: 2x}", "counts since the release"),
        ("a: {kind: journal, priority: loud, above: 2x}", "should be emerg or"),
        ("a: {kind: cloudwatch}", "exactly one of alarm, metric, not none"),
        ("a: {kind: cloudwatch, alarm: x, above: 3}", "exactly one of alarm, above, below, not alarm and above"),
        ("a: {kind: cloudwatch, metric: {name: x}, above: 3}", "lacks the key namespace"),
        ("a: {kind: cpu, url: 'http://a/', above: 1%}", "probes.a.url does not go with kind: cpu"),
        ("a: {kind: cpu, above: 1%, mode: quiet}", "should be enforce or observe"),
        ("a b: {kind: cpu, above: 1%}", "letters, digits"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, line: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem) as told:
        probes(tmp_path, line)
    assert "geheim" not in told.value.message


def test_no_host_is_asked_more_than_it_can_answer_in_time(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has 11 entries, and at most 10 go here"):
        probes(tmp_path, *(f"p{number}: {{kind: cpu, above: 1%}}" for number in range(11)))
