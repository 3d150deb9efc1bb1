"""Rollouts with their waves, and the verdicts of the probes that watched them. Pure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from jada import JadaError
from jada.cli.records.model import HostOutcome, RolloutEntry, RolloutStatus
from jada.cli.report.marks import CUT_OFF, PROBES, ROLLOUTS, UNKNOWN, Mark
from jada.cli.report.page import Done, Page
from jada.cli.rollout.progress import Values
from jada.cli.ui.console import grouped
from jada.tasks.measure import Verdict


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """The last verdict of one probe on one host, as the record has it."""

    probe: str
    verdict: Verdict
    text: str
    is_enforced: bool


@dataclass(frozen=True, slots=True)
class ProbeLine:
    """The verdicts of one probe on the hosts of a wave: `mark` is the gravest, and `told` what that was told of."""

    probe: str
    mark: Mark
    counts: str
    told: str
    is_enforced: bool


@dataclass(frozen=True, slots=True)
class Wave:
    """One wave, counted from 1; `is_here` where the rollout is in it."""

    number: int
    hosts: tuple[str, ...]
    outcomes: Mapping[HostOutcome, int]
    not_begun: int
    probes: tuple[ProbeLine, ...]
    is_here: bool


@dataclass(frozen=True, slots=True)
class Rollout:
    """One rollout in waves, None of these where an earlier jada wrote them down in another way; `waits` where somebody
    has to decide how it goes on.
    """

    done: Done
    mark: Mark
    why: str
    waves: tuple[Wave, ...] | None
    is_baking: bool
    waits: bool


def rollouts(page: Page) -> list[Rollout]:
    """The rollouts that the page knows, the newest first."""
    return [_rollout(page, done, done.rollout) for done in reversed(page.done) if done.rollout]


def _rollout(page: Page, done: Done, entry: RolloutEntry) -> Rollout:
    is_cut_off = entry.status == RolloutStatus.RUNNING and page.lease is None and not page.lease_trouble
    mark, waves = UNKNOWN, None
    with suppress(ValueError):
        mark = CUT_OFF if is_cut_off else ROLLOUTS[RolloutStatus(entry.status)]
    with suppress(JadaError):
        waves = tuple(_waves(done, entry, Values.from_json(entry.values_json).waves))
    waits = is_cut_off or entry.status == RolloutStatus.PAUSED
    return Rollout(done, mark, entry.why, waves, bool(entry.baking) and entry.is_open, waits)


def _waves(done: Done, entry: RolloutEntry, waves: Sequence[Sequence[str]]) -> Iterator[Wave]:
    """The waves, of a page about some hosts with those alone."""
    results = {host.host: host for host in done.hosts}
    measured = _measured(entry.measured_json)
    for number, names in enumerate(waves):
        own = [results[name].outcome for name in names if name in results]
        outcomes: Counter[HostOutcome] = Counter(outcome for outcome in own if outcome is not HostOutcome.NOT_STARTED)
        probes = [result for name in names if name in results for result in measured.get(name, ())]
        yield Wave(
            number=number + 1,
            hosts=tuple(name for name in names if name in results),
            outcomes=outcomes,
            not_begun=len(own) - outcomes.total(),
            probes=tuple(_lines(probes)),
            is_here=entry.is_open and number == entry.wave,
        )


def _lines(results: Sequence[ProbeResult]) -> Iterator[ProbeLine]:
    for probe, same in grouped((result.probe, result) for result in results).items():
        by_verdict = grouped((result.verdict, result) for result in same)
        gravest = next(verdict for verdict in PROBES if verdict in by_verdict)
        told = list(dict.fromkeys(result.text for result in by_verdict[gravest]))
        yield ProbeLine(
            probe,
            PROBES[gravest],
            ", ".join(
                f"{len(by_verdict[verdict])} {mark.word}" for verdict, mark in PROBES.items() if verdict in by_verdict
            ),
            told[0] if len(told) == 1 or gravest is not Verdict.PASSED else "",
            all(result.is_enforced for result in same),
        )


def _measured(text: str) -> dict[str, list[ProbeResult]]:
    """The verdicts by host; what no jada can have written is left out."""
    try:
        form = json.loads(text)
        pairs = [(str(host), result) for host, results in form.items() for result in results]
    except (ValueError, TypeError, AttributeError, RecursionError):
        return {}
    return grouped((host, read) for host, result in pairs if (read := _probe(result)))


def _probe(result: Any) -> ProbeResult | None:
    with suppress(ValueError, TypeError, KeyError):
        return ProbeResult(
            str(result["probe"]), Verdict(result["verdict"]), str(result["text"]), result["mode"] != "observe"
        )
    return None
