"""jada help: the same as --help, by the name that people try first."""

from __future__ import annotations

import pytest
from click.shell_completion import ShellComplete

from jada import Exit
from jada.cli import main
from jada.cli.commands.help import help as command


@pytest.mark.parametrize(("words", "flags"), [([], ["--help"]), (["lab", "up"], ["lab", "up", "--help"])])
def test_help_is_a_command_too(words: list[str], flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["help", *words]) == Exit.OK
    asked = capsys.readouterr().out
    assert main.run(flags) == Exit.OK
    assert asked == capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["lab", "upp"], "jada lab has no command upp; did you mean up?"),
        (["hosts", "all"], "jada hosts has no command all"),
        (["upgrad"], "jada has no command upgrad; did you mean upgrade?"),
    ],
)
def test_a_command_that_there_is_not_is_wrong_usage(
    words: list[str], error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run(["help", *words]) == Exit.USAGE
    assert error in capsys.readouterr().err


def test_its_commands_are_completed() -> None:
    completion = ShellComplete(main.jada, {}, "jada", "_JADA_COMPLETE")
    found = [item.value for item in completion.get_completions([command.name or ""], "up")]
    assert found == ["upgrade"]
