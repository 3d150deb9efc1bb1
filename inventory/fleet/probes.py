"""fleet.yml's `probes`: what is measured while hosts are watched, and from where on that is a failure."""

from __future__ import annotations

import re
from typing import Any

from jada import Metric, Probe, Threshold
from jada.inventory.fleet import service
from jada.inventory.yaml_readers import span
from jada.inventory.yaml_values import Readers, Value, shown

# All of them are measured one after the other, in the time that a host has for an answer.
MOST_PROBES = 10
# The requests of one look, and of all that a probe may want: those before the change are made in one go.
REQUESTS = 10
MOST_REQUESTS = 100
MODES = ("enforce", "observe")
PRIORITIES = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")
STATISTICS = ("Average", "Sum", "Minimum", "Maximum", "SampleCount")
# What each kind measures, the first by default, in which unit, and the least sample for that.
MEASURES = {
    "requests": {"failed": ("%", 20), "fallbacks": ("%", 20)},
    "http": {"failed": ("%", 20), "p50": ("s", 10), "p95": ("s", 20), "p99": ("s", 100)},
    "journal": {"rate": ("/m", 1), "count": ("", 1)},
    "cpu": {"share": ("%", 1)},
    "memory": {"size": ("bytes", 1)},
    "command": {"number": ("", 1)},
    "cloudwatch": {"alarm": ("", 1), "metric": ("", 1)},
}
# Of a probe of a kind, beside those of every one.
REQUIRED = {"http": ("url",), "command": ("command",)}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")
_NUMBER = r"([0-9]{1,12}(?:\.[0-9]{1,6})?)"
_RELATIVE = re.compile(rf"{_NUMBER}x")
# How an amount of each unit is written, what it is in that unit, and an example.
_WRITTEN = {
    "%": ({"%": 1.0}, "5%"),
    "s": ({"ms": 1e-3, "s": 1.0}, "800ms"),
    "/m": ({"/m": 1.0}, "10/m"),
    "bytes": ({"K": 2.0**10, "M": 2.0**20, "G": 2.0**30}, "500M"),
    "": ({"": 1.0}, "100"),
}


def read(value: Value) -> tuple[Probe, ...]:
    entries = value.entries()
    if len(entries) > MOST_PROBES:
        raise value.error(f"has more than {MOST_PROBES} probes, which a host can't answer in time")
    return tuple(_probe(name, entry) for name, entry in entries.items())


def _probe(name: str, value: Value) -> Probe:
    if not _NAME.fullmatch(name):
        raise value.error("should be called by letters, digits and _ . - alone, at most 40 of them")
    entries = value.entries()
    if "kind" not in entries:
        raise value.error("lacks the key kind", f"one of: {', '.join(MEASURES)}")
    kind = entries["kind"].choice(MEASURES)
    of_kind: dict[str, Readers] = {
        "http": {"url": service.url},
        "command": {"command": Value.text},
        "journal": {"priority": lambda priority: priority.choice(PRIORITIES), "pattern": Value.text},
        "cloudwatch": {"alarm": Value.text, "metric": _metric, "region": Value.text},
    }
    fields = value.fields(
        {
            "kind": Value.text,
            **({"measure": lambda measure: measure.choice(MEASURES[kind])} if len(MEASURES[kind]) > 1 else {}),
            **of_kind.get(kind, {}),
            "above": lambda bound: bound,
            "below": lambda bound: bound,
            "min_sample": lambda least: least.integer(1, MOST_REQUESTS if kind == "http" else 10_000),
            "interval": lambda interval: span(interval, least=1),
            "window": lambda window: span(window, least=1),
            "mode": lambda mode: mode.choice(MODES),
            "max_errors": lambda most: most.integer(1, 100),
        },
        required=REQUIRED.get(kind, ()),
    )
    return _checked(value, Probe(**_values(value, {"name": name, **fields})))


def _values(value: Value, fields: dict[str, Any]) -> dict[str, Any]:
    """The fields of a probe of what was written of it."""
    kind = fields["kind"]
    if kind == "cloudwatch":
        if ("alarm" in fields) == ("metric" in fields):
            raise value.error("should say either `alarm` or `metric`")
        fields["measure"] = "alarm" if "alarm" in fields else "metric"
    measure = fields.setdefault("measure", next(iter(MEASURES[kind])))
    unit, least = MEASURES[kind][measure]
    bounds = {name: fields.pop(name) for name in ("above", "below") if name in fields}
    if measure == "alarm":
        if bounds:
            raise value.error("has an alarm, which has its threshold itself", "delete `above` and `below`")
        threshold = Threshold(0)
    elif len(bounds) != 1:
        raise value.error("should say either `above` or `below`: from where on that is a failure")
    else:
        threshold = _threshold(*bounds.popitem(), unit)
    mode = fields.pop("mode", MODES[0])
    return {"min_sample": least, **fields, "threshold": threshold, "unit": unit, "is_enforced": mode == MODES[0]}


def _checked(value: Value, probe: Probe) -> Probe:
    """The probe, if it can ever come to a verdict. Raises ConfigError."""
    if probe.interval > probe.window:
        raise value.error("measures less often than once in its window", "make `interval` shorter or `window` longer")
    most = REQUESTS * (probe.window // probe.interval)
    if probe.kind == "http" and most < probe.min_sample:
        raise value.error(
            f"wants {probe.min_sample} requests, and makes {most} in its window: {REQUESTS} every {probe.interval}s",
            "make `window` longer, or `interval` or `min_sample` less",
        )
    if probe.alarm and probe.min_sample > 1:
        raise value.error("has an alarm, whose state is one measurement", "delete `min_sample`")
    if probe.kind in ("cpu", "memory", "command") and probe.window // probe.interval < probe.min_sample:
        raise value.error(
            f"wants {probe.min_sample} measurements, and makes {probe.window // probe.interval} in its window",
            "make `window` longer, or `interval` or `min_sample` less",
        )
    if probe.measure == "count" and probe.threshold.is_relative:
        raise value.error("counts since the release, which is no multiple of a count before", "measure: rate is")
    return probe


def _threshold(name: str, value: Value, unit: str) -> Threshold:
    written = str(value.node.value)
    if found := _RELATIVE.fullmatch(written):
        return Threshold(float(found[1]), is_relative=True, is_least=name == "below")
    factors, example = _WRITTEN[unit]
    sign = "" if unit else "-?"
    for suffix, factor in factors.items():
        if found := re.fullmatch(f"({sign}{_NUMBER}){re.escape(suffix)}", written):
            return Threshold(float(found[1]) * factor, is_least=name == "below")
    raise value.error(
        f"should be an amount such as {example}, or as many times the one before as 2x; not {shown(written)}"
    )


def _metric(value: Value) -> Metric:
    readers: Readers = {
        "namespace": Value.text,
        "name": Value.text,
        "statistic": lambda statistic: statistic.choice(STATISTICS),
        "dimensions": lambda dimensions: tuple((name, each.text()) for name, each in dimensions.entries().items()),
    }
    return Metric(**{"statistic": STATISTICS[0], **value.fields(readers, required=("namespace", "name"))})
