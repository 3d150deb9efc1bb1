"""The help of every command by the rules of CONTRIBUTING.md, "Voice and layout", as far as they can be checked."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from itertools import combinations

import click

from jada.cli.main import COMMANDS
from jada.cli.main import jada as group

WIDTH = 80
ROOT = click.Context(group, info_name="jada", terminal_width=WIDTH)
DEFAULT = re.compile(r"\s*\[default: .*\]$")


def commands() -> Iterator[tuple[str, click.Context]]:
    """Each command by its words, and those below it."""
    for name in COMMANDS:
        command = group.get_command(ROOT, name)
        assert command is not None
        context = click.Context(command, ROOT, name, terminal_width=WIDTH)
        yield name, context
        for verb, part in command.commands.items() if isinstance(command, click.Group) else ():
            yield f"{name} {verb}", click.Context(part, context, verb, terminal_width=WIDTH)


CONTEXTS = dict(commands())


def options(context: click.Context) -> list[click.Option]:
    return [option for option in context.command.params if isinstance(option, click.Option) and not option.hidden]


def paragraphs(context: click.Context) -> list[str]:
    """The paragraphs of what a command says of itself; one whose lines stay as they are begins with \\b."""
    return [part.lstrip("\n") for part in inspect.cleandoc(context.command.help or "").split("\n\n")]


def test_a_command_has_examples_that_show_it() -> None:
    lacks = []
    for name, context in CONTEXTS.items():
        heading, *lines = next((part for part in paragraphs(context) if "Examples:" in part), "").splitlines() or [""]
        if (heading, *lines[:1]) != ("\b", "Examples:") or not any(f"jada {name}" in line for line in lines):
            lacks.append(name)
    assert lacks == []


def test_sentences_begin_with_a_capital_and_end_with_a_full_stop() -> None:
    texts = [
        (name, text)
        for name, context in CONTEXTS.items()
        for text in (
            *(part for part in paragraphs(context) if not part.startswith("\b")),
            *(DEFAULT.sub("", option.help or "") for option in options(context)),
        )
    ]
    odd = [(name, text) for name, text in texts if not re.match(r"[A-Z`-]", text) or not text.endswith((".", ":"))]
    assert odd == []


def test_no_line_of_a_help_is_wider_than_a_terminal() -> None:
    wide = [line for context in CONTEXTS.values() for line in context.get_help().splitlines() if len(line) > WIDTH]
    assert wide == []


def test_what_a_group_says_of_its_commands_is_whole() -> None:
    groups = [context for context in CONTEXTS.values() if isinstance(context.command, click.Group)]
    cut = [line for context in groups for line in context.get_help().splitlines()[1:] if line.endswith("...")]
    assert groups
    assert cut == []


def test_options_come_in_the_same_order_everywhere() -> None:
    """Of two options that several commands have, one always comes first."""
    first: dict[tuple[str, str], str] = {}
    odd = []
    for name, context in CONTEXTS.items():
        for one, other in combinations([option.opts[-1] for option in options(context)], 2):
            if (other, one) in first:
                odd.append(f"{name}: {one} before {other}, unlike {first[other, one]}")
            else:
                first.setdefault((one, other), name)
    assert odd == []
