"""The block of next steps, as every command prints it."""

from __future__ import annotations

import pytest

from jada.cli.ui.next_steps import NextStep, show_next, unreachable


def test_each_step_is_a_line_with_what_it_is_for(capsys: pytest.CaptureFixture[str]) -> None:
    show_next([NextStep("jada logs a", "why"), NextStep("jada doctor --limit 'b\x1b'", "where [it] ends")])
    assert capsys.readouterr().out == (
        "Next:\n  jada logs a                  why\n  jada doctor --limit 'b\\x1b'  where [it] ends\n"
    )


def test_where_there_is_none_nothing_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    show_next(())
    assert capsys.readouterr().out == ""


def test_a_step_for_one_host_has_its_name() -> None:
    assert unreachable(["web-1"]).command == "jada doctor --limit web-1"
