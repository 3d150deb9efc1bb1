"""The next steps of a person, as every command tells them: a command a line, with what it is for."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from jada.cli.ui.console import escape, out, visible

# As many hosts as are named in a command that takes several.
MOST_NAMED = 3
LIMIT = "--limit"


class NextStep(NamedTuple):
    """A command, and what it is for."""

    command: str
    purpose: str


def of_hosts(command: str, names: Sequence[str], purpose: str, most: int = MOST_NAMED) -> NextStep:
    """The step that is `command` with the names of hosts behind it; where there are more than `most`, of the first."""
    shown = names[:most]
    quoted = shlex.quote(",".join(shown)) if command.endswith(LIMIT) else shlex.join(shown)
    more = f"; likewise for {len(names) - most} more" if len(names) > most else ""
    return NextStep(f"{command} {quoted}", f"{purpose}{more}")


def unreachable(names: Sequence[str]) -> NextStep:
    """The step for hosts that could not be reached or looked at."""
    return of_hosts("jada doctor --limit", names, "where the way there ends")


def show_next(steps: Iterable[NextStep]) -> None:
    """Prints the steps below "Next:", if there are any."""
    for line in next_lines(steps):
        out.print(line)


def next_lines(steps: Iterable[NextStep]) -> list[str]:
    """The lines of the steps, as markup."""
    shown = dict.fromkeys(steps)
    width = max((len(visible(step.command)) for step in shown), default=0)
    lines = [f"  [bold]{escape(visible(step.command).ljust(width))}[/]  {escape(step.purpose)}" for step in shown]
    return ["Next:", *lines] if lines else []
