"""jada help"""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

from jada.inventory.suggest import did_you_mean


def _complete(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    root = ctx.find_root()
    return root.command.shell_complete(root, incomplete)


@click.command()
@click.argument("words", metavar="[COMMAND]...", nargs=-1, shell_complete=_complete)
@click.pass_context
def help(ctx: click.Context, words: tuple[str, ...]) -> None:
    """Show the help of a command, as `jada COMMAND --help` does.

    \b
    Examples:
      jada help
      jada help upgrade
      jada help lab up
    """
    context = ctx.find_root()
    for word in words:
        group = context.command
        command = group.get_command(context, word) if isinstance(group, click.Group) else None
        if command is None:
            known = group.list_commands(context) if isinstance(group, click.Group) else ()
            raise click.UsageError(f"{context.command_path} has no command {word}{did_you_mean(word, known)}")
        context = click.Context(command, context, word)
    click.echo(context.get_help())
