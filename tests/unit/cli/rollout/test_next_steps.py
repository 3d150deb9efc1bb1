"""The next steps after a rollout: by outcomes, never by what they are called."""

from __future__ import annotations

import pytest

from jada.cli.records.model import HostOutcome, RolloutStatus
from jada.cli.rollout.next_steps import STEPS, VERBS, next_steps
from jada.cli.rollout.outcome import HostResult

DONE, PAUSED = RolloutStatus.DONE, RolloutStatus.PAUSED
FAILED = HostResult(HostOutcome.ROLLED_BACK, log=("it broke",))
SENT_BACK = HostResult(HostOutcome.ROLLED_BACK)
UNREACHABLE, VERIFIED = HostResult(HostOutcome.UNREACHABLE), HostResult(HostOutcome.VERIFIED)


def commands(command: str = "upgrade", status: RolloutStatus = DONE, **results: HostResult) -> list[str]:
    return [step.command for step in next_steps(command, results, "r1", status)]


def test_where_all_is_well_there_is_nothing_to_do() -> None:
    assert commands(a=VERIFIED, b=HostResult(HostOutcome.UNCHANGED)) == []


@pytest.mark.parametrize("outcome", [outcome for outcome in HostOutcome if not outcome.ok])
def test_every_other_outcome_has_a_step(outcome: HostOutcome) -> None:
    assert len(commands(a=HostResult(outcome))) >= 1
    assert commands(command="rollback", a=HostResult(outcome)) or outcome in (
        HostOutcome.NOT_STARTED, HostOutcome.PLANNED,
    )  # fmt: skip


def test_what_tells_why_comes_before_what_changes_anything() -> None:
    assert commands(a=FAILED, b=UNREACHABLE, c=VERIFIED) == [
        "jada logs a", "jada doctor --limit b", "jada upgrade … --failed",
    ]  # fmt: skip
    assert commands(a=HostResult(HostOutcome.ROLLBACK_FAILED)) == [
        "jada logs a", "jada rollback --limit a", "jada upgrade … --failed",
    ]  # fmt: skip


def test_hosts_that_were_sent_back_for_another_are_not_those_to_look_at() -> None:
    assert commands(a=SENT_BACK, b=FAILED)[0] == "jada logs b"
    assert commands(a=SENT_BACK)[0] == "jada show r1"


def test_one_that_waits_for_a_person_is_decided_on_and_not_tried_again() -> None:
    assert commands(status=PAUSED, a=UNREACHABLE)[1:] == [step.command for step in VERBS]
    assert "jada upgrade … --failed" not in commands(status=RolloutStatus.ABORTED, a=SENT_BACK)
    assert commands(command="rollback", a=UNREACHABLE) == ["jada doctor --limit a"]


def test_of_many_hosts_the_first_are_named_and_no_name_is_an_order() -> None:
    names = ["a", "$(b)", "c", "d", "e"]
    (step, _) = next_steps("upgrade", dict.fromkeys(names, UNREACHABLE), "r1", DONE)
    assert step.command == "jada doctor --limit 'a,$(b),c'"
    assert step.purpose.endswith("likewise for 2 more")
    (step, _) = next_steps("upgrade", dict.fromkeys(names, HostResult(HostOutcome.UNPROVEN)), "r1", DONE)
    assert step.command == "jada explain a"


def test_no_outcome_is_told_of_twice() -> None:
    assert not any(outcome.ok for outcome in STEPS)
