"""The evidence of the model that runs: its order, what it proves, and what it says of a process that is older."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from jada.tasks import checks
from jada.tasks.asked import Asked
from jada.tasks.evidence import Kind, evidence_of, running_model
from jada.tasks.release import Desired
from jada.tasks.state import ModelReport, State
from tests.unit.conftest import NOW

Host = Callable[..., State]
MODEL, OTHER = "claude-sonnet-4.6", "claude-opus-5"
UNASKED = {"report": ModelReport()}


def asked(model: str) -> dict[str, Any]:
    return {"asked": Asked(model=model, version="2.1.332", is_running=True)}


def kinds(state: State) -> list[tuple[str, str]]:
    return [(piece.kind, piece.model) for piece in evidence_of(state)]


def codes(state: State) -> list[str]:
    return [finding.code for finding in checks.drift(state)]


def test_the_strongest_evidence_comes_first_and_the_table_proves_nothing(host: Host) -> None:
    state = host(**asked(MODEL))
    assert kinds(state) == [("reported", MODEL), ("asked", MODEL), ("derived", MODEL)]
    assert [piece.proves for piece in evidence_of(state)] == [True, True, False]
    assert checks.unproven(state) is None
    assert evidence_of(host(process=None, **asked(MODEL))) == ()


def test_what_only_the_table_says_is_unproven(host: Host) -> None:
    silent = host(**UNASKED)
    assert kinds(silent) == [("derived", MODEL)]
    unproven = checks.unproven(silent)
    assert unproven
    assert unproven.code == "J113"
    assert "its CLI was not asked" in unproven.actual
    why = checks.unproven(host(**UNASKED, asked=Asked(error="no Claude CLI was found")))
    assert why
    assert "could not be asked: no Claude CLI was found" in why.actual
    assert checks.unproven(host(**UNASKED, **asked(MODEL))) is None
    # Nobody asked for a model.
    assert checks.unproven(host(**UNASKED, release={"desired": Desired("", 0)})) is None


def test_what_the_cli_asks_for_counts_before_what_the_table_says(host: Host) -> None:
    """A key that it does not know makes the CLI drop the whole file: jada's table knows nothing of that."""
    state = host(**UNASKED, **asked(OTHER))
    assert running_model(state) == OTHER
    assert codes(state) == ["J103", "J105"]
    shadowed = [finding for finding in checks.drift(state) if finding.code == "J103"]
    assert OTHER in shadowed[0].actual
    assert "its own CLI 2.1.332" in shadowed[0].actual


def test_a_shadow_that_only_the_table_sees_is_none_where_the_cli_was_asked(host: Host) -> None:
    spec = {"env": {"ANTHROPIC_MODEL": OTHER}, "where": {"ANTHROPIC_MODEL": "/etc/default/agent"}}
    predicted = host(next_start=spec)
    assert codes(predicted) == ["J103"]
    assert codes(host(next_start=spec, **asked(MODEL))) == []


@pytest.mark.parametrize(("reported", "expected"), [(MODEL, ["J103", "J114"]), (OTHER, ["J103", "J105"])])
def test_two_that_disagree_are_a_finding(host: Host, reported: str, expected: list[str]) -> None:
    assert codes(host(report={"model": reported}, **asked(OTHER))) == expected


def test_of_a_process_that_is_older_than_its_files_the_cli_knows_only_the_next_start(host: Host) -> None:
    """Asked now it reads the new file; the process never does."""
    settings = {"text": f'{{"model": "{OTHER}"}}', "changed": NOW + 5}
    state = host(settings=settings, result=(), **UNASKED, **asked(OTHER))
    assert kinds(state) == []
    assert "J106" in codes(state)


def test_the_process_that_a_release_started_may_have_its_files_rewritten(host: Host) -> None:
    settings = {"changed": NOW + 5}
    state = host(settings=settings, **UNASKED, **asked(MODEL))
    assert kinds(state)[0] == (Kind.ASKED, MODEL)


def test_a_long_context_is_no_disagreement(host: Host) -> None:
    assert codes(host(report={"model": MODEL}, **asked(f"{MODEL}[1m]"))) in ([], ["J103"])
