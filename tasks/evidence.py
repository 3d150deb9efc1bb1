"""Evidence of the model that a service uses, strongest first, and where two of it disagree. Pure.

The precedence table (tasks/effective.py) explains; it never proves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from itertools import combinations

from jada.tasks import effective
from jada.tasks.asked import Asked
from jada.tasks.served import is_asked_for, is_same
from jada.tasks.state import Process, State

# A file written in the same instant as the process started is no news to it: ticks are 10 ms, the look samples twice.
SAME_INSTANT = 0.05
# What it puts into the body of each request, the CLI does not tell.
OWN_BODY = "CLAUDE_CODE_EXTRA_BODY"


class Kind(StrEnum):
    """The kinds of evidence, the strongest first."""

    SERVED = "served"
    REPORTED = "reported"
    ASKED = "asked"
    DERIVED = "derived"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One thing that speaks for a model: of what `kind`, and what was seen.

    Of served: `count` of so many `answers` since then, Unix seconds, were of this model. Of asked: the CLI's `version`,
    and when it was asked (`at`), where that was before this look. Of reported and derived: `by` what.
    """

    kind: Kind
    model: str
    count: int = 0
    answers: int = 0
    since: float = 0.0
    version: str = ""
    by: str = ""
    at: float = 0.0

    @property
    def is_proof(self) -> bool:
        return self.kind != Kind.DERIVED

    @property
    def text(self) -> str:
        """The evidence in words that stand behind the name of its model."""
        return {
            Kind.SERVED: f"{self.count} of {self.answers} answers since {moment(self.since)}",
            Kind.REPORTED: "reported by its model check",
            Kind.ASKED: f"its CLI {self.version} {f'asked for it at {moment(self.at)}' if self.at else 'asks for it'}",
            Kind.DERIVED: f"derived from {self.by}, not observed",
        }[self.kind]

    def __str__(self) -> str:
        return f"{self.model} ({self.text})"


def word_of(asked: Asked) -> str:
    """The words by which findings call the service's own CLI to witness."""
    return f"its CLI {asked.version} said at {moment(asked.at)}" if asked.at else f"says its CLI {asked.version}"


def moment(at: float) -> str:
    """A time as findings tell it."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")


def evidence_of(state: State) -> tuple[Evidence, ...]:
    """All that speaks for the model that the running process uses, the strongest first; none where nothing runs."""
    return tuple(_all(state, state.process)) if state.process else ()


def strongest_evidence(state: State) -> Evidence | None:
    """The evidence that is believed; None where nothing runs, or nothing speaks for a model."""
    # The table, which comes last, costs the most.
    return next(_all(state, state.process), None) if state.process else None


def disagreements(evidence: tuple[Evidence, ...]) -> tuple[tuple[Evidence, Evidence], ...]:
    """The pairs of which each speaks for another model, the stronger one first; what is only derived is no match."""
    proofs = [each for each in evidence if each.is_proof]
    return tuple(
        (stronger, weaker)
        for stronger, weaker in combinations(proofs, 2)
        if not is_same(weaker.model, stronger.model) and not is_same(stronger.model, weaker.model)
    )


def _all(state: State, process: Process) -> Iterator[Evidence]:
    served = state.served
    if served.own:
        # As many of one model, by whatever name it was asked for.
        first = served.own[0].model
        count = sum(answers.count for answers in served.own if answers.model == first)
        yield Evidence(kind=Kind.SERVED, model=first, count=count, answers=served.count, since=served.since)
    if state.report.model:
        yield Evidence(kind=Kind.REPORTED, model=state.report.model, by=state.report.by)
    if speaks_for_process(state, process):
        asked = state.asked
        yield Evidence(kind=Kind.ASKED, model=asked.model, version=asked.version, at=asked.at)
    if not state.unseen and (now := effective.resolve(state, process.spec)).model != effective.UNKNOWN:
        yield Evidence(kind=Kind.DERIVED, model=now.model, by=now.winner.where)


def speaks_for_process(state: State, process: Process) -> bool:
    """True if the CLI's answer holds for the process that runs: it is the service's own, and what decides its model has
    not changed since. The CLI rewrites its files at times: that a release started the process with this very model
    outweighs that.
    """
    if not is_known(state) or state.unseen:
        return False
    desired = state.release.desired.model if state.release else ""
    if started_by_current_release(state) and is_asked_for(desired, state.asked.model):
        return True
    return process.began + SAME_INSTANT >= effective.resolve(state, process.spec).changed


def is_known(state: State) -> bool:
    """True if the CLI's answer is that of the service: it was asked with its options, and no file may have it send
    another model than it tells.
    """
    asked = state.asked
    # Most hosts are not asked: only what was answered is worth reading all files for.
    if not asked.model or not asked.is_running:
        return False
    return not any(_sends_other(file.read(), asked.model) for file in (*state.layers, state.settings))


def _sends_other(settings: Mapping[str, object], model: str) -> bool:
    """True if these settings have the CLI send another model in place of the one that it tells, as measured."""
    env, overrides = settings.get("env"), settings.get("modelOverrides")
    has_own_body = isinstance(env, dict) and OWN_BODY in env
    return has_own_body or (isinstance(overrides, dict) and model.lower() in {str(key).lower() for key in overrides})


def started_by_current_release(state: State) -> bool:
    """True if the process is the very one that the current release started, which was seen to run its model then.

    So it does not matter that the CLI rewrites the file at times. A process that came later, by a crash or by hand, may
    have read anything that was there in between.
    """
    if state.process is None or len(state.result) != 4:
        return False
    done, _, ticks, boot = state.result
    return (done, boot, ticks) == ("done", state.boot, str(state.process.ticks))
