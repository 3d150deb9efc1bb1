"""`--failed`: the hosts of the last upgrade that did not end well, alone."""

from __future__ import annotations

from jada import Exit, HostError
from jada.cli.records.model import HostEntry, HostOutcome
from jada.cli.rollout.retry import failed_of
from tests.unit.cli.conftest import Jada

UPGRADE = ("upgrade", "--to", "opus-5", "--yes")


def test_only_hosts_that_failed_are_tried_again_and_then_none_is_left(jada: Jada) -> None:
    answers = jada.states["web-2"]
    jada.states["web-2"] = HostError("web-2 can't be reached")
    first = jada(*UPGRADE)
    assert first.exit == Exit.FAILED
    assert "jada doctor --limit web-2" in first.out
    assert "jada upgrade … --failed" in first.out
    jada.states["web-2"] = answers
    again = jada(*UPGRADE, "--failed")
    assert (again.exit, jada.engines[-1].changed) == (Exit.OK, ["web-2"])
    assert "Note only web-2, where release " in again.err
    none = jada(*UPGRADE, "--failed")
    assert (none.exit, jada.engines[-1].changed) == (Exit.OK, [])
    assert none.out.startswith("Nothing to try again: release ")
    assert "Next:" not in again.out + none.out


def test_that_none_failed_is_told_scripts_in_the_form_of_the_command(jada: Jada) -> None:
    jada(*UPGRADE)
    for command in (UPGRADE, ("apply", "--yes")):
        report = jada(*command, "--failed", "--json").json()
        assert (report["hosts"], report["exit"]) == ([], Exit.OK)
        assert "failed on none of these hosts" in report["notes"][0]
    assert jada.engines[-1].changed == []


def test_hosts_that_are_left_out_are_told(jada: Jada) -> None:
    for name in ("web-1", "web-2"):
        jada.states[name] = HostError(f"{name} can't be reached")
    jada(*UPGRADE)
    done = jada(*UPGRADE, "--failed", "--limit", "web-1", "--dry-run")
    assert "Note it was not on web-2 either: left out, or found no more" in done.err


def test_without_a_record_nobody_knows_which_failed(jada: Jada) -> None:
    unknown = jada(*UPGRADE, "--failed")
    assert (unknown.exit, jada.changed) == (Exit.FAILED, [])
    assert "which hosts failed is not known" in unknown.err
    # A way back is no upgrade.
    jada(*UPGRADE)
    jada("rollback", "--yes")
    assert jada(*UPGRADE, "--failed").out.startswith("Nothing to try again")


def test_a_plan_in_a_file_says_itself_which_hosts(jada: Jada) -> None:
    refused = jada("apply", "opus.plan", "--failed")
    assert (refused.exit, "A plan says itself which hosts" in refused.err) == (Exit.USAGE, True)


def test_each_outcome_that_is_not_well_is_a_failure() -> None:
    entries = [HostEntry(release="r", host=outcome, outcome=outcome) for outcome in HostOutcome]
    assert failed_of(entries) == {outcome for outcome in HostOutcome if not outcome.ok}
