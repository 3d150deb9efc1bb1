"""A question that people answer while the connections to hosts live on."""

from __future__ import annotations

import sys

import click

from jada.cli.ui.streams import fold


def confirm(question: str) -> None:
    """Asks, and goes on at "y". Raises click.Abort.

    Until there is an answer gevent runs: a link is kept alive, and one that dies is found dead when it is used next.
    """
    from gevent.socket import wait_read

    while True:
        click.echo(f"{fold(f'{question} [y/N]:')} ", nl=False)
        wait_read(sys.stdin.fileno())
        answer = sys.stdin.readline()
        if answer.strip().lower() in ("y", "yes"):
            return
        if answer.strip().lower() in ("", "n", "no"):
            raise click.Abort
        click.echo("Error: invalid input")
