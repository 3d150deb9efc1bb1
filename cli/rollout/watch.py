"""Hosts that are watched: looks at them, and what the probes of fleet.yml measure, with a verdict of each probe."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jada import ON_HOST, JadaError, Probe
from jada.cli.drift.asking import check_hosts
from jada.cli.results import HostResults, judge_each
from jada.cli.session import PATIENCE, FleetSession, check_kept_by_aws
from jada.inventory.fleet.probes import REQUESTS
from jada.tasks import measure, preflight
from jada.tasks.measure import Judgement, Measurement, Sample
from jada.tasks.preflight import PreflightCheck
from jada.tasks.state import State

if TYPE_CHECKING:
    from jada import Aws
    from jada.tasks.engine import Connection

# The values of hosts before their change, by host and probe.
Baselines = Mapping[str, Mapping[str, Measurement]]
# Seconds for what a host measures as its service's user: while it is watched, where it has to answer within PATIENCE,
# and before its change; and for an answer of CloudWatch.
LONGEST, LONGEST_BEFORE = 15, 60
LONGEST_OF_CLOUD = 10
# Samples of a host and a probe that are kept, and values for a chart of them.
MOST_SAMPLES = 500
MOST_VALUES = 60
# A probe is due again a moment before its time: else each look would come just too early for it.
EARLY = 0.5


@dataclass(frozen=True, slots=True)
class Watched:
    """A host as it was seen, and the verdicts of the probes on it."""

    state: State
    judgements: tuple[Judgement, ...] = ()


class Watch:
    """Looks at hosts, as often as it is asked to, and measures there what probes are due.

    `series` are the last values by host and probe, the newest last.
    """

    def __init__(self, session: FleetSession, baselines: Baselines | None = None) -> None:
        self._session, self._probes = session, session.fleet.probes
        self._baselines = baselines or {}
        self._due: dict[str, float] = {}
        self._samples: dict[tuple[str, str], deque[Sample]] = {}
        self.series: dict[tuple[str, str], deque[float]] = {}

    def use(self, session: FleetSession) -> None:
        """Goes on with another session of the same fleet, whose probes may be others by now."""
        self._session, self._probes = session, session.fleet.probes

    @property
    def interval(self) -> int:
        """The seconds after which the first of the probes is due again, 0 where there are none."""
        return min((probe.interval for probe in self._probes), default=0)

    @property
    def most_errors(self) -> Mapping[str, int]:
        """How often in a row each of the probes may come to nothing, by its name."""
        return {probe.name: probe.max_errors for probe in self._probes}

    def look(self, names: Iterable[str], deadline: float = math.inf) -> HostResults[Watched]:
        """One look at these hosts, side by side, with what the probes that are due measure; neither waits for a host
        past the deadline (monotonic), nor for longer than PATIENCE.
        """
        seen = check_hosts(self._session, "Watching hosts", names, _until(deadline))
        now = time.monotonic()
        due = [probe for probe in self._probes if now >= self._due.get(probe.name, now)]
        self._due |= {probe.name: now + probe.interval - EARLY for probe in due}
        for name, samples in samples_of(self._session, seen.ok, due, within=_until(deadline)).items():
            for probe, sample in samples.items():
                self._samples.setdefault((name, probe), deque(maxlen=MOST_SAMPLES)).append(sample)
        return judge_each(seen, self._watched)

    def _watched(self, name: str, state: State) -> Watched:
        judgements = tuple(self._judge(name, probe) for probe in self._probes)
        for judgement in judgements:
            if judgement.value is not None and math.isfinite(judgement.value):
                values = self.series.setdefault((name, judgement.probe), deque(maxlen=MOST_VALUES))
                values.append(judgement.value)
        return Watched(state, judgements)

    def _judge(self, name: str, probe: Probe) -> Judgement:
        baseline = self._baselines.get(name, {}).get(probe.name)
        return measure.judge(probe, self._samples.get((name, probe.name), ()), baseline)


def baselines(session: FleetSession, seen: Mapping[str, State]) -> Baselines:
    """The values of these hosts, as they were seen before their change, of the probes that need them."""
    probes = [probe for probe in session.fleet.probes if probe.threshold.is_relative]
    wanted = max((probe.min_sample for probe in probes if probe.kind == "http"), default=REQUESTS)
    samples = samples_of(session, seen, probes, max(wanted, REQUESTS), LONGEST_BEFORE)
    return {
        name: {
            probe.name: value
            for probe in probes
            if probe.name in samples[name] and (value := measure.before_change(probe, [samples[name][probe.name]]))
        }
        for name in samples
    }


def samples_of(
    session: FleetSession,
    seen: Mapping[str, State],
    probes: Sequence[Probe],
    requests: int = REQUESTS,
    longest: int = LONGEST,
    within: float | None = None,
) -> dict[str, dict[str, Sample]]:
    """What the probes measure on these hosts in `longest` s, by host and probe, with so many requests for each of http.

    A host that takes longer than `within` s has failed.
    """
    on_host = [probe for probe in probes if probe.kind in ON_HOST]
    fleet = {probe.name: _of_fleet(session.fleet.home, probe, within) for probe in probes if probe.is_of_fleet}
    requests_of = [probe for probe in probes if probe.kind == "requests"]
    samples = {
        name: fleet | {probe.name: measure.of_requests(probe, state) for probe in requests_of}
        for name, state in seen.items()
    }
    if on_host and seen:

        def ask(_: str, connection: Connection) -> dict[str, Sample]:
            return connection.measure(on_host, requests, longest)

        answers = session.run_on_each("Measuring", seen, ask, within=within)
        for name, answer in answers.ok.items():
            samples[name] |= answer
        for name, error in answers.failed.items():
            samples[name] |= {probe.name: Sample(error=error.message) for probe in on_host}
    return samples


def alarm_checks(session: FleetSession) -> tuple[PreflightCheck, ...]:
    """The checks before a change of the alarms that could undo it: one that is red already, or can't be read, watches
    nothing.
    """
    alarms = [probe for probe in session.fleet.probes if probe.alarm and probe.is_enforced]
    judgements = [measure.judge(probe, [_of_fleet(session.fleet.home, probe)]) for probe in alarms]
    return tuple(preflight.alarm(judgement) for judgement in judgements)


def watched_by(session: FleetSession) -> str:
    """The probes as the plan tells them. Raises ConfigError for one that these hosts are not to be told."""
    probes = session.fleet.probes
    for probe in probes if any(host.engine == "ssm" for host in session.hosts) else ():
        check_kept_by_aws(f"probes.{probe.name}", probe.url, "{kind: command, command: /usr/local/bin/…}")
    return f"Watched by {', '.join(map(measure.in_words, probes))}" if probes else ""


def _until(deadline: float) -> float:
    """The seconds that there are for a host."""
    return max(0.0, min(PATIENCE, deadline - time.monotonic()))


def _of_fleet(aws: Aws, probe: Probe, within: float | None = None) -> Sample:
    # boto3 takes as long to import as ten hosts to read.
    import gevent

    from jada.inventory.cloud import cloudwatch

    at, longest = time.monotonic(), LONGEST_OF_CLOUD if within is None else min(LONGEST_OF_CLOUD, within)
    try:
        with gevent.Timeout(longest):
            if probe.metric:
                return Sample(at=at, values=cloudwatch.metric_values(aws, probe.metric, probe.window, probe.region))
            state = cloudwatch.alarm_state(aws, probe.alarm, probe.region)
    except gevent.Timeout:
        return Sample(error=f"CloudWatch did not answer within {longest:.0f} s")
    except JadaError as error:
        return Sample(error=error.message)
    return Sample(at=at, values={"OK": (0.0,), "ALARM": (1.0,)}.get(state, ()))
