"""jada docs"""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

from jada.cli.ui.console import put
from jada.cli.ui.given import GIVEN
from jada.inventory.fleet import shipped
from jada.inventory.suggest import did_you_mean


def _complete(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The keys of a level, and those below one that is complete."""
    keys = shipped.keys()
    level = incomplete.count(".")
    levels = (level, level + 1) if incomplete in keys else (level,)
    return [
        CompletionItem(key, help=text.partition(". ")[0].replace("\n", " "))
        for key, text in keys.items()
        if key.startswith(incomplete) and key.count(".") in levels
    ]


@click.command()
@click.argument("key", metavar="[KEY]", required=False, type=GIVEN, shell_complete=_complete)
@click.option("--schema", "is_schema", is_flag=True, help="Print the path of the JSON Schema of fleet.yml instead.")
def docs(key: str | None, is_schema: bool) -> None:
    """Show what goes into fleet.yml: all of it, or one key.

    It is the fleet.yml that comes with jada: each key with its default, or an example, and a comment. KEY is a key,
    or a dotted one within it; names of your own, as of roles or hosts, are left out of it.

    With its JSON Schema, an editor completes and checks the keys of a fleet.yml that begins with the line
    `# yaml-language-server: $schema=PATH`, and so do other tools.

    \b
    Examples:
      jada docs ssh
      jada docs rollout.waves
      jada docs sources.ec2
      jada docs > fleet.yml
      check-jsonschema --schemafile "$(jada docs --schema)" fleet.yml
    """
    if is_schema:
        if key:
            raise click.UsageError("--schema is about the whole of fleet.yml: leave the key out")
        put(f"{shipped.schema_file()}\n")
    elif key is None:
        put(shipped.shipped_file().read_text(encoding="utf-8"))
    else:
        keys = shipped.keys()
        if key not in keys:
            raise click.UsageError(f"fleet.yml has no key {key}{did_you_mean(key, keys)}")
        put("\n".join(line.written for line in shipped.part(key)) + "\n")
