"""The next steps of a person after a rollout, by the outcome of each host and how the whole of it ended. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from jada.cli.records.model import HostOutcome, RolloutStatus
from jada.cli.rollout.outcome import HostResult
from jada.cli.ui.console import plural
from jada.cli.ui.next_steps import MOST_NAMED, NextStep, of_hosts, unreachable

# Of a rollout that waits for a person; and as the end of a sentence.
VERBS = (
    NextStep("jada resume", "watch its hosts again, then go on"),
    NextStep("jada promote", "go on at once"),
    NextStep("jada abort", "all go back"),
)
DECIDE = ", ".join(f"{command} ({purpose})" for command, purpose in VERBS)
# For hosts of an outcome: the command that their names stand behind, what it is for, and how many names it takes.
STEPS = {
    HostOutcome.IN_PROGRESS: ("jada status --limit", "what runs there now", MOST_NAMED),
    HostOutcome.UNPROVEN: ("jada explain", "what runs there, and what says so", 1),
    HostOutcome.ROLLED_BACK: ("jada logs", "what the service wrote when it failed", MOST_NAMED),
    HostOutcome.ROLLBACK_FAILED: ("jada logs", "why it does not run", MOST_NAMED),
    HostOutcome.REJECTED: ("jada doctor --limit", "all that a change needs there", MOST_NAMED),
}
# The commands that try it again on such hosts alone. A plan in a file is for hosts as they were before.
RETRIES = {"upgrade": "jada upgrade … --failed", "resume": "jada upgrade … --failed", "heal": "jada heal"}


def next_steps(
    command: str, results: Mapping[str, HostResult], release: str, status: RolloutStatus
) -> Iterator[NextStep]:
    """The steps after a rollout of a command, those that tell why before those that change anything."""
    left = {outcome: [name for name, result in results.items() if result.outcome is outcome] for outcome in HostOutcome}
    # What was sent back for the sake of another host wrote nothing of interest.
    if failed := [name for name in left[HostOutcome.ROLLED_BACK] if results[name].log]:
        left[HostOutcome.ROLLED_BACK] = failed
    elif left[HostOutcome.ROLLED_BACK]:
        yield NextStep(f"jada show {release}", "what happened on each host")
        left[HostOutcome.ROLLED_BACK] = []
    for outcome, (words, purpose, most) in STEPS.items():
        if names := left[outcome]:
            yield of_hosts(words, names, purpose, most)
    if names := left[HostOutcome.UNREACHABLE]:
        yield unreachable(names)
    if left[HostOutcome.LOCKED]:
        yield NextStep("jada locks", "who holds them, and until when")
    if names := left[HostOutcome.ROLLBACK_FAILED]:
        yield of_hosts("jada rollback --limit", names, "try the way back again")
    count = sum(not result.outcome.ok for result in results.values())
    if status is RolloutStatus.PAUSED:
        yield from VERBS
    elif command in RETRIES and count and status is not RolloutStatus.ABORTED:
        yield NextStep(RETRIES[command], f"after that: {plural(count, 'host')} alone")
