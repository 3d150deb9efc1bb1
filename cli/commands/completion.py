"""jada completion"""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

# The variable that click looks at, made of the program's name.
COMPLETE_VAR = "_JADA_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script that lets bash, zsh or fish complete jada.

    Commands, options, models, roles, hosts, releases and codes of findings are completed, in zsh and fish each with
    what it is. Nobody is asked for them: hosts are those that AWS listed last, releases those of this machine's record.

    \b
    Examples:
      jada completion bash >/etc/bash_completion.d/jada
      echo 'eval "$(jada completion zsh)"' >>~/.zshrc
      jada completion fish >~/.config/fish/completions/jada.fish
    """
    completion_class = get_completion_class(shell)
    assert completion_class is not None  # noqa: S101 - for the type checker: click has all three
    click.echo(completion_class(ctx.find_root().command, {}, "jada", COMPLETE_VAR).source())
