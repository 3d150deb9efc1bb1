"""The questions of `jada init` to whoever is at stdin: a terminal, or a pipe with an answer a line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import click

from jada import ConfigError, JadaError
from jada.cli.ui.console import escape, out

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Asker:
    """Somebody who answers; or, where it `takes_defaults`, what each question has for an answer by itself."""

    takes_defaults: bool = False

    def ask(self, question: str, why: str, option: str, read: Callable[[str], T], default: str = "") -> T:
        """The answer, as `read` takes it; one for which that raises ConfigError is asked for again. Raises UsageError,
        which names the `option`, where there is nobody to answer.
        """
        if self.takes_defaults:
            if not default:
                raise click.UsageError(f"--yes can't answer “{question}”: give {option}")
            return read(default)
        out.print(f"\n[bold]{escape(question)}[/]\n  {escape(why)}")
        while True:
            answer = _line(f"  [{default}] " if default else "  > ", option) or default
            if not answer:
                continue
            try:
                return read(answer)
            except ConfigError as error:
                tell(error)

    def choose(self, question: str, why: str, option: str, choices: Sequence[str], default: str) -> str:
        """One of the choices, of which the first letter will do."""

        def read(answer: str) -> str:
            chosen = [choice for choice in choices if choice.startswith(answer.lower())]
            if len(chosen) != 1:
                raise ConfigError(f"{answer!r} is none of these: {', '.join(choices)}")
            return chosen[0]

        return self.ask(f"{question} ({', '.join(choices)})", why, option, read, default)


def tell(error: JadaError) -> None:
    """Tells what is wrong with an answer, or came of it."""
    out.print(f"[red]✗[/] {escape(error.message)}")
    if error.hint:
        out.print(f"    Try: {escape(error.hint)}")


def _line(prompt: str, option: str) -> str:
    """One line of stdin, without blanks around it. Raises UsageError at its end."""
    click.echo(prompt, nl=False)
    if sys.stdin.isatty():
        # Ctrl-C is heard where gevent waits.
        from gevent.socket import wait_read

        wait_read(sys.stdin.fileno())
    line = sys.stdin.readline()
    if not line:
        click.echo("")
        raise click.UsageError(f"stdin has ended, and nobody answers: give {option}, or --yes for the defaults")
    return line.strip()
