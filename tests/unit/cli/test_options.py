"""An option that is given and empty is a variable that is not set: never the default, never every host."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest

from jada import Exit
from jada.cli.main import COMMANDS, jada
from jada.cli.options import host_options

# Texts that people may leave empty, or that are checked where they are read.
FREE = {"reason", "every"}


def commands() -> Iterator[tuple[str, click.Command]]:
    yield "jada", jada
    for name in COMMANDS:
        command = jada.get_command(click.Context(jada), name)
        assert command
        yield name, command


@pytest.mark.parametrize(("name", "command"), commands())
def test_no_text_may_be_empty(name: str, command: click.Command) -> None:
    texts = [
        option
        for option in command.params
        if type(option.type) is click.types.StringParamType and option.name not in FREE
    ]
    assert [option.name for option in texts] == []


@pytest.mark.parametrize("words", ["status --limit", "upgrade --to", "rollback --to", "drift --role", "--fleet"])
def test_an_empty_one_is_wrong_usage(words: str) -> None:
    more = ["status"] if words == "--fleet" else []
    with pytest.raises(click.BadParameter, match="is empty; is a variable not set"):
        jada.main([*words.split(), " ", *more], standalone_mode=False)


def test_limits_that_are_given_twice_are_both_meant() -> None:
    calls: list[object] = []

    @click.command
    @host_options
    def look(**options: object) -> Exit:
        calls.append(options)
        return Exit.OK

    look.main(["--limit", "web-*", "--limit", "db-1", "--fleet", "f.yml"], standalone_mode=False)
    assert calls == [{"fleet_file": "f.yml", "role": None, "limit": "web-*,db-1"}]
