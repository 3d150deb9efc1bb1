"""The questions of `jada init`: answered by a pipe, by defaults, or not at all."""

from __future__ import annotations

import io

import click
import pytest

from jada import ConfigError
from jada.cli.init.ask import Asker


def number(answer: str) -> int:
    if not answer.isdigit():
        raise ConfigError(f"{answer} is no number", "write digits")
    return int(answer)


@pytest.fixture(autouse=True)
def _stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())


def ask(monkeypatch: pytest.MonkeyPatch, typed: str, default: str = "") -> int:
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    return Asker().ask("How many?", "So many there are.", "--many", number, default)


def test_an_answer_that_does_not_do_is_asked_for_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask(monkeypatch, "x\n\n 7 \n") == 7
    output = capsys.readouterr().out
    assert "x is no number" in output
    assert "write digits" in output
    assert ask(monkeypatch, "\n", default="3") == 3


def test_a_pipe_that_ends_is_a_wrong_use_that_names_the_option(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(click.UsageError, match="--many"):
        ask(monkeypatch, "")


def test_with_yes_the_default_answers_and_what_has_none_names_its_option() -> None:
    asker = Asker(takes_defaults=True)
    assert asker.ask("How many?", "", "--many", number, "3") == 3
    with pytest.raises(click.UsageError, match="--many"):
        asker.ask("How many?", "", "--many", number)


def test_a_choice_is_made_by_its_first_letter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("s\nsto\n"))
    assert Asker().choose("What?", "", "--what", ("start", "stop"), "start") == "stop"
