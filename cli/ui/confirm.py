"""A question that people answer while the connections to hosts live on."""

from __future__ import annotations

import sys

import click

from jada import ConfigError
from jada.cli.ui.streams import fold


def require_terminal(as_json: bool) -> None:
    """Raises ConfigError where nobody can be asked."""
    if as_json or not sys.stdin.isatty():
        raise ConfigError("There is no terminal to ask at", "add --yes to go on, or --dry-run to look only")


def confirm(question: str, word: str = "y") -> None:
    """Asks, and goes on at "y", or at another `word` where that is wanted. Raises click.Abort.

    Until there is an answer gevent runs: a link is kept alive, and one that dies is found dead when it is used next.
    """
    from gevent.socket import wait_read

    while True:
        how = "[y/N]:" if word == "y" else f"Type {word} to go on:"
        click.echo(f"{fold(f'{question} {how}')} ", nl=False)
        wait_read(sys.stdin.fileno())
        answer = sys.stdin.readline().strip()
        if answer == word or (word == "y" and answer.lower() in ("y", "yes")):
            return
        if answer.lower() in ("", "n", "no"):
            raise click.Abort
        click.echo("Error: invalid input")
