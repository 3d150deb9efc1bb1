"""fleet.yml's `probes`: what is measured while hosts are watched, and from where on that is a failure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from jada import Metric, Probe, Threshold
from jada.inventory.fleet import service
from jada.inventory.yaml_readers import span
from jada.inventory.yaml_values import Fields, Numbers, Readers, Value, shown

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
# Amounts that have no unit.
_PLAIN = Numbers(f"-?{_NUMBER}", -999_999_999_999, 999_999_999_999, is_whole=False)
# How an amount of each unit is written, what it is in that unit, and an example.
_WRITTEN = {
    "%": ({"%": 1.0}, "5%"),
    "s": ({"ms": 1e-3, "s": 1.0}, "800ms"),
    "/m": ({"/m": 1.0}, "10/m"),
    "bytes": ({"K": 2.0**10, "M": 2.0**20, "G": 2.0**30}, "500M"),
    "": ({"": 1.0}, "100"),
}


def read(value: Value) -> tuple[Probe, ...]:
    # More than ten a host can't answer in time.
    of_names = "the name of a probe has letters, digits and _ . - alone, at most 40 of them"
    return tuple(value.named(_probe, _NAME, of_names, most=MOST_PROBES).values())


def _probe(name: str, value: Value) -> Probe:
    of_kind: dict[str, Readers] = {
        "http": {"url": service.url},
        "command": {"command": Value.text},
        "journal": {"priority": lambda priority: priority.choice(PRIORITIES), "pattern": Value.text},
        "cloudwatch": {"alarm": Value.text, "metric": _metric, "region": Value.text},
    }
    fields = value.variant("kind", {kind: _fields(kind, of_kind.get(kind, {})) for kind in MEASURES})
    return _checked(value, Probe(**_values(value, {"name": name, **fields})))


def _fields(kind: str, own: Readers) -> Fields:
    measures = MEASURES[kind]
    units = [unit for unit, _ in measures.values()]
    # An alarm has its threshold itself.
    is_alarm = "alarm" in own
    return Fields(
        {
            **({"measure": lambda measure: measure.choice(measures)} if len(measures) > 1 and not is_alarm else {}),
            **own,
            "above": lambda bound: _amount(bound, units),
            "below": lambda bound: _amount(bound, units),
            "min_sample": lambda least: least.integer(1, MOST_REQUESTS if kind == "http" else 10_000),
            "interval": lambda interval: span(interval, least=1),
            "window": lambda window: span(window, least=1),
            "mode": lambda mode: mode.choice(MODES),
            "max_errors": lambda most: most.integer(1, 100),
        },
        required=REQUIRED.get(kind, ()),
        one_of=[("alarm", "metric"), ("alarm", "above", "below")] if is_alarm else [("above", "below")],
    )


def _values(value: Value, fields: dict[str, Any]) -> dict[str, Any]:
    """The fields of a probe of what was written of it."""
    kind = fields["kind"]
    if kind == "cloudwatch":
        fields["measure"] = "alarm" if "alarm" in fields else "metric"
    measure = fields.setdefault("measure", next(iter(MEASURES[kind])))
    unit, least = MEASURES[kind][measure]
    bounds = [(name, fields.pop(name)) for name in ("above", "below") if name in fields]
    threshold = Threshold(0)
    for name, written in bounds:
        threshold = _threshold(name, value.part(name) or value, written, unit)
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


def _amount(value: Value, units: Sequence[str]) -> str:
    """An amount of one of these units, or a number of times the one before, as it is written."""
    suffixes = [re.escape(suffix) for unit in units for suffix in _WRITTEN[unit][0] if suffix]
    pattern = re.compile(f"{_NUMBER}(?:{'|'.join(dict.fromkeys((*suffixes, 'x')))})")
    return value.written(pattern, None if all(units) else _PLAIN, _expected(units[0]))


def _expected(unit: str) -> str:
    return f"an amount such as {_WRITTEN[unit][1]}, or as many times the one before as 2x"


def _threshold(name: str, value: Value, written: str, unit: str) -> Threshold:
    if found := _RELATIVE.fullmatch(written):
        return Threshold(float(found[1]), is_relative=True, is_least=name == "below")
    sign = "" if unit else "-?"
    for suffix, factor in _WRITTEN[unit][0].items():
        if found := re.fullmatch(f"({sign}{_NUMBER}){re.escape(suffix)}", written):
            return Threshold(float(found[1]) * factor, is_least=name == "below")
    raise value.error(f"should be {_expected(unit)}, not {shown(written)}")


def _metric(value: Value) -> Metric:
    readers: Readers = {
        "namespace": Value.text,
        "name": Value.text,
        "statistic": lambda statistic: statistic.choice(STATISTICS),
        "dimensions": lambda dimensions: tuple(dimensions.named(lambda _, dimension: dimension.text()).items()),
    }
    return Metric(**{"statistic": STATISTICS[0], **value.fields(readers, required=("namespace", "name"))})
