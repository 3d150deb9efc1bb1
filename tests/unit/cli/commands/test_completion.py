"""`jada completion`, and what the shell is offered."""

from __future__ import annotations

import click
import pytest

from jada import Exit
from jada.cli.commands.completion import COMPLETE_VAR
from jada.cli.ui.complete import model_names, role_names, wishes
from tests.unit.cli.conftest import Jada


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_its_script(jada: Jada, shell: str) -> None:
    assert COMPLETE_VAR in jada("completion", shell).out
    assert jada("completion").exit == jada("completion", "tcsh").exit == Exit.USAGE


def test_models_and_roles_are_offered_and_no_fleet_yml_is_no_trouble(jada: Jada) -> None:
    context, option = click.Context(click.Command("upgrade")), click.Option(["--to"])
    assert role_names(context, option, "") == ["keepers", "r"]
    assert role_names(context, option, "k") == ["keepers"]
    assert "opus-5" in model_names(context, option, "opus")
    assert wishes(context, option, "k") == ["keepers="]
    assert wishes(context, option, "keepers=opus-5.") == ["keepers=opus-5.5"]
    assert "opus-5" in wishes(context, option, "")
    jada.fleet_file.write_text("fleet: [")
    assert role_names(context, option, "") == []
    assert "opus-5" in model_names(context, option, "opus")
