"""The signs and words in which the page draws what is known; none of them tells by its colour alone. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from jada.cli.compare.sequential import Verdict as ComparisonVerdict
from jada.cli.drift.evaluate import EvaluatedFinding, Status
from jada.cli.records.model import RolloutStatus
from jada.tasks.codes import SEVERITIES
from jada.tasks.measure import Verdict


@dataclass(frozen=True, slots=True)
class Mark:
    """A thing as it is drawn: `kind` is the class that colours it."""

    kind: str
    symbol: str
    word: str


STATUSES = {
    Status.IN_SYNC: Mark("fine", "✓", "in sync"),
    Status.DRIFTED: Mark("error", "✗", "drifted"),
    Status.UNPROVEN: Mark("unknown", "?", "unproven"),
    Status.NOT_CHECKED: Mark("unknown", "?", "not checked"),
    Status.CHANGING: Mark("note", "↻", "being changed"),
    Status.GONE: Mark("gone", "–", "gone"),
}
ACCEPTED = Mark("accepted", "○", "accepted")
NOTHING, UNKNOWN = Mark("nothing", "·", "not found"), Mark("unknown", "?", "not known")
FOUND = {
    "error": Mark("error", "✗", "error"),
    "warning": Mark("warning", "!", "warning"),
    "note": Mark("note", "•", "note"),
}
COMPARISONS = {
    ComparisonVerdict.WORSE: Mark("error", "✗", ComparisonVerdict.WORSE.label),
    ComparisonVerdict.BETTER: Mark("fine", "✓", ComparisonVerdict.BETTER.label),
    ComparisonVerdict.EQUIVALENT: Mark("fine", "✓", ComparisonVerdict.EQUIVALENT.label),
    ComparisonVerdict.NOT_ENOUGH_DATA: Mark("unknown", "?", ComparisonVerdict.NOT_ENOUGH_DATA.label),
}
# The gravest first.
PROBES = {
    Verdict.FAILED: Mark("error", "✗", "failed"),
    Verdict.ERROR: Mark("warning", "!", "not measured"),
    Verdict.INCONCLUSIVE: Mark("unknown", "?", "inconclusive"),
    Verdict.PASSED: Mark("fine", "✓", "passed"),
}
ROLLOUTS = {
    RolloutStatus.RUNNING: Mark("note", "↻", RolloutStatus.RUNNING.label),
    RolloutStatus.PAUSED: Mark("warning", "!", RolloutStatus.PAUSED.label),
    RolloutStatus.DONE: Mark("fine", "✓", RolloutStatus.DONE.label),
    RolloutStatus.ROLLED_BACK: Mark("error", "✗", RolloutStatus.ROLLED_BACK.label),
    RolloutStatus.ABORTED: Mark("error", "✗", RolloutStatus.ABORTED.label),
    RolloutStatus.SUPERSEDED: Mark("gone", "–", RolloutStatus.SUPERSEDED.label),
}
CUT_OFF = Mark("warning", "!", "cut off")
# Of the hosts of a role on a model.
ALL_RUN_IT = Mark("fine", "✓", "as asked for")
SOME_RUN_ANOTHER = Mark("warning", "≠", "not as asked for")
NOT_ASKED_FOR = Mark("plain", "", "")


def mark_of(evaluated: EvaluatedFinding) -> Mark:
    """The mark of a finding; one that is accepted is no trouble any more."""
    return ACCEPTED if evaluated.is_accepted else FOUND[evaluated.finding.severity]


def gravity(mark: Mark) -> int:
    """The place of a finding's mark among them: the gravest is 0."""
    return [*SEVERITIES, ACCEPTED.kind].index(mark.kind)
