"""The verdicts of probes: what was measured on a host, held against a bound or against the host's own past. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from jada import Probe, Threshold
from jada.tasks import codes
from jada.tasks.codes import FindingCode
from jada.tasks.state import State

# Findings of shares of requests, which the built-in probes weigh while hosts are watched: one that failed is none yet.
WEIGHED: frozenset[FindingCode] = frozenset({codes.MODEL_FALLBACK, codes.REQUESTS_FAILING})
# Percent of requests that may fail, or be answered by a fallback; and how unlikely it is that more do by chance.
MOST_FAILING = 10.0
UNLIKELY = 0.02
# Entries of a journal that a host counts at most (files/look/measure.sh): there may be more then.
MOST_ENTRIES = 10_000
# Seconds that a request without an answer counts as: files/look/measure-as-user.sh waits no longer.
LONGEST_OF_REQUEST = 5.0


class Verdict(StrEnum):
    """The verdict of a probe, on a host, or on a wave. Only FAILED sends hosts back."""

    PASSED = "passed"
    FAILED = "failed"
    # Not enough is known to say.
    INCONCLUSIVE = "inconclusive"
    # It could not be measured, or looked at.
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What one measurement gave for a probe: `values`, or `failed` of `count`; or the `error` that it came to.

    `at` is the host's own clock, in seconds since it booted, and `start` names the start of the service that it is of.
    """

    at: float = 0.0
    start: str = ""
    values: tuple[float, ...] = ()
    count: int = 0
    failed: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True)
class Measurement:
    """The value that a probe has measured, of so many."""

    value: float
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The verdict of one probe on one host: the measured `value` of `count`, held against `bound`; None where unknown.

    `text` says it to people.
    """

    probe: str
    measure: str
    unit: str
    verdict: Verdict
    text: str
    value: float | None = None
    bound: float | None = None
    count: int = 0
    is_enforced: bool = True
    is_of_fleet: bool = False

    @property
    def counts(self) -> bool:
        """True if it keeps the host from passing."""
        return self.is_enforced and self.verdict is not Verdict.PASSED

    def __str__(self) -> str:
        return f"{self.probe}: {self.text}"

    def as_data(self) -> dict[str, Any]:
        """The verdict for scripts, and for the record."""
        return {
            "probe": self.probe,
            "measure": self.measure,
            "mode": "enforce" if self.is_enforced else "observe",
            "verdict": self.verdict,
            "measured": self.value,
            "threshold": self.bound,
            "unit": self.unit,
            "count": self.count,
            "text": self.text,
        }


def judge(probe: Probe, samples: Sequence[Sample], baseline: Measurement | None = None) -> Judgement:
    """The verdict of a probe by what it has measured, the newest last, and by what that was before the change."""

    def judgement(verdict: Verdict, text: str, value: float | None = None, count: int = 0) -> Judgement:
        return Judgement(
            probe=probe.name, measure=probe.measure, unit=probe.unit, verdict=verdict, text=text, value=value,
            bound=bound, count=count, is_enforced=probe.is_enforced, is_of_fleet=probe.is_of_fleet,
        )  # fmt: skip

    bound = bound_of(probe.threshold, baseline)
    if not samples:
        return judgement(Verdict.INCONCLUSIVE, "not measured yet")
    if samples[-1].error:
        return judgement(Verdict.ERROR, samples[-1].error)
    found = measured(probe, samples)
    if found is None or found.count < probe.min_sample:
        count = found.count if found else 0
        return judgement(Verdict.INCONCLUSIVE, _too_few(probe, count), found.value if found else None, count)
    if bound is None:
        text = f"{_told(probe, found.value)}, and what it was before the change is not known"
        return judgement(Verdict.INCONCLUSIVE, text, found.value, found.count)
    if _is_at_least(probe, samples) and found.value <= bound:
        text = f"{_told(probe, found.value)} or more: a host counts no more than {MOST_ENTRIES:,}"
        return judgement(Verdict.INCONCLUSIVE, text, found.value, found.count)
    is_failed = found.value < bound if probe.threshold.is_least else found.value > bound
    if probe.alarm:
        text = f"the alarm {probe.alarm} is {'red' if is_failed else 'quiet'}"
    else:
        text = f"{_told(probe, found.value)} ({_sample(probe, found.count)}), {_bound(probe, bound, is_failed)}"
    return judgement(Verdict.FAILED if is_failed else Verdict.PASSED, text, found.value, found.count)


def bound_of(threshold: Threshold, baseline: Measurement | None) -> float | None:
    """The bound in the unit of the probe; None where it is a multiple of what is not known."""
    if not threshold.is_relative:
        return threshold.amount
    return threshold.amount * baseline.value if baseline else None


def measured(probe: Probe, samples: Sequence[Sample]) -> Measurement | None:
    """The value of what a probe has measured in its window; None where that is no number yet."""
    recent = list(_recent(probe, samples))
    if probe.kind in ("requests", "journal", "cloudwatch"):
        # Each tells all that was in the window.
        recent = recent[-1:]
    if not recent:
        return None
    if probe.measure in ("failed", "fallbacks"):
        count, failed = sum(sample.count for sample in recent), sum(sample.failed for sample in recent)
        return Measurement(100 * failed / count, count) if count else None
    if probe.measure == "share":
        return _share(recent)
    values = sorted(value for sample in recent for value in sample.values)
    if not values:
        return None
    if probe.kind == "http":
        return Measurement(values[math.ceil(len(values) * int(probe.measure[1:]) / 100) - 1], len(values))
    per = 60 / probe.window if probe.measure == "rate" else 1
    return Measurement(math.fsum(values) / len(values) * per, len(values))


def before_change(probe: Probe, samples: Sequence[Sample]) -> Measurement | None:
    """The value of a host before its change, that later ones are held against; None where too little is known.

    Of what is counted, one more is taken to have failed: twice none would be none.
    """
    if probe.measure == "share" and samples and samples[-1].values:
        used, since = samples[-1].values
        return Measurement(100 * used / since, 1) if since > 0 else None
    found = measured(probe, samples)
    if found is None or found.count < probe.min_sample or _is_at_least(probe, samples):
        return None
    if probe.measure in ("failed", "fallbacks"):
        failed = found.value * found.count / 100
        return Measurement(100 * (failed + 1) / (found.count + 1), found.count)
    if probe.measure == "rate":
        return Measurement(found.value + 60 / probe.window, found.count)
    return found


def built_in(state: State) -> tuple[Judgement, ...]:
    """The verdicts on the requests of the service since its process began: they fail only where that is no chance, and
    want no sample.
    """
    served = state.served
    fallbacks = min(sum(fallback.count for fallback in served.fallbacks), served.count)
    return (
        _surely("requests", "failed", served.failed, served.failed + served.count),
        _surely("fallbacks", "fallbacks", fallbacks, served.count),
    )


def of_requests(probe: Probe, state: State) -> Sample:
    """What the transcripts of a service tell of its requests in the window of a probe."""
    served = state.served.between(state.now - probe.window, state.now)
    if probe.measure == "failed":
        return Sample(count=served.count + served.failed, failed=served.failed)
    fallbacks = sum(fallback.count for fallback in served.fallbacks)
    return Sample(count=served.count, failed=min(fallbacks, served.count))


def amount(value: float, unit: str) -> str:
    """A value in words, with its unit."""
    match unit:
        case "s" if value < 1:
            return f"{value * 1000:.0f} ms"
        case "s":
            return f"{value:.2f} s"
        case "bytes":
            return f"{value / 2**20:,.1f} MiB"
    return f"{value:.4g}{unit}"


def in_words(probe: Probe) -> str:
    """A probe as the plan tells it: its name, and what is a failure for it."""
    if probe.alarm:
        text = f"the alarm {probe.alarm}"
    else:
        bound = probe.threshold
        than = f"{bound.amount:g}x what it was" if bound.is_relative else amount(bound.amount, probe.unit)
        text = f"{_what(probe)} {'below' if bound.is_least else 'above'} {than}"
    return f"{probe.name} ({text}{'' if probe.is_enforced else '; only observed'})"


def _recent(probe: Probe, samples: Sequence[Sample]) -> Iterator[Sample]:
    """The samples of the window, of the service's present start: a restart, or a reboot, begins anew."""
    usable = [sample for sample in samples if not sample.error]
    for sample in usable:
        last = usable[-1]
        if sample.start == last.start and last.at - probe.window <= sample.at <= last.at:
            yield sample


def _is_at_least(probe: Probe, samples: Sequence[Sample]) -> bool:
    """True if there may be more of what was counted."""
    return probe.kind == "journal" and samples[-1].values >= (MOST_ENTRIES,)


def _share(samples: Sequence[Sample]) -> Measurement | None:
    """The processor's time between the first and the last sample, in percent of one processor: a start costs more than
    what comes after it, and is not counted. The values of a sample are the seconds used, and those since the start.
    """
    passed, used = samples[-1].at - samples[0].at, samples[-1].values[0] - samples[0].values[0]
    return Measurement(100 * used / passed, len(samples)) if passed > 0 and used >= 0 else None


def _surely(name: str, measure: str, failed: int, count: int) -> Judgement:
    """The verdict on a share of requests: FAILED where so many are unlikely if no more than MOST_FAILING do in all."""
    value = 100 * failed / count if count else None
    is_failed = value is not None and value > MOST_FAILING and chance(failed, count, MOST_FAILING / 100) < UNLIKELY
    doing = "answered by a fallback" if measure == "fallbacks" else "failed"
    than = "more than" if is_failed else "not surely more than"
    text = f"{failed} of {count} requests {doing}, {than} {MOST_FAILING:g}%"
    return Judgement(
        probe=name, measure=measure, unit="%", verdict=Verdict.FAILED if is_failed else Verdict.PASSED, text=text,
        value=value, bound=MOST_FAILING, count=count,
    )  # fmt: skip


def chance(failed: int, count: int, share: float) -> float:
    """The chance of so many failures or more, of `count`, where this share of all fails."""

    def exactly(number: int) -> float:
        ways = math.lgamma(count + 1) - math.lgamma(number + 1) - math.lgamma(count - number + 1)
        return math.exp(ways + number * math.log(share) + (count - number) * math.log1p(-share))

    return math.fsum(exactly(number) for number in range(failed, count + 1))


def _what(probe: Probe) -> str:
    """The name of what is measured."""
    match probe.kind:
        case "requests" | "http":
            of = {"failed": "failed", "fallbacks": "by a fallback"}
            return (
                f"{'requests' if probe.kind == 'requests' else 'http requests'} {of.get(probe.measure, probe.measure)}"
            )
        case "journal":
            return "journal entries"
        case "cloudwatch":
            return "its metric"
        case "command":
            return "its number"
    return probe.kind


def _told(probe: Probe, value: float) -> str:
    return f"{_what(probe)} {amount(value, probe.unit)}"


def _sample(probe: Probe, count: int) -> str:
    unit = "request" if probe.kind in ("requests", "http") else "measurement"
    return f"{count} {unit}{'' if count == 1 else 's'}"


def _too_few(probe: Probe, count: int) -> str:
    if probe.is_of_fleet:
        return f"CloudWatch has not enough data for {f'the alarm {probe.alarm}' if probe.alarm else 'its metric'}"
    return f"{_sample(probe, count)}, and {probe.min_sample} are needed"


def _bound(probe: Probe, bound: float, is_failed: bool) -> str:
    threshold = probe.threshold
    than = ("less" if threshold.is_least else "more") if is_failed else ("no less" if threshold.is_least else "no more")
    times = f", {threshold.amount:g}x what it was" if threshold.is_relative else ""
    return f"{than} than {amount(bound, probe.unit)}{times}"
