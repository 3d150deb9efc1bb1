"""Writes the reference pages from what they tell of: `make docs`. A test holds that they are fresh.

docs/cli.md is made of the commands' own help, docs/findings.md of the catalogue of findings, docs/fleet.md of the
fleet.yml that is shipped, docs/api.md of the API's docstrings, inventory/fleet.schema.json of that file's comments and
of the readers of such a file, and docs/wrong-uses.md of the table that a test walks. With `--man`, it writes docs/man/,
which a release has and the repository has not.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import yaml
from click_man.man import ManPage

import jada
from jada.cli.api import results
from jada.cli.api.fleet import Fleet
from jada.cli.main import COMMANDS
from jada.cli.main import jada as program
from jada.docs.sketch import schema
from jada.tasks.codes import CODES

ROOT = Path(jada.__file__).parent
# The table that a test walks.
WRONG_USES = "tests/unit/cli/wrong_uses.yml"
# Columns of a command's help.
WIDTH = 100
MADE = "<!-- Made by `make docs`; edit {} instead. -->"
# At the top of the page about fleet.yml.
IN_AN_EDITOR = """\
`jada docs` prints this file, `jada docs rollout.waves` what it says of one key. All that is wrong with a fleet.yml is
told at once, and each error names the part that helps.

Its JSON Schema, `jada docs --schema`, is made of the readers that load it. With this first line, an editor with
[yaml-language-server](https://github.com/redhat-developer/yaml-language-server) completes keys, explains them, and
marks what is wrong as it is typed. It reads YAML 1.2: write `true` and `false`, not `yes` and `no`.

```yaml
# yaml-language-server: $schema=/path/that/jada/docs/--schema/prints
```

Other tools take it too, as before a commit:

```sh
check-jsonschema --schemafile "$(jada docs --schema)" fleet.yml
```

What depends on several keys, on the models that there are, on AWS's regions or on this machine is not in the schema:
jada itself tells of that.
"""
# A key of fleet.yml, commented out or not.
_KEY = re.compile(r"(?:# )?([a-z_]+):(?: |$)")


def pages() -> dict[str, str]:
    """Each page's text by its path below the project's root."""
    return {
        "docs/cli.md": "\n".join(_commands()),
        "docs/findings.md": "\n".join(_findings()),
        "docs/fleet.md": "\n".join(_fleet((ROOT / "inventory/fleet.yml").read_text(encoding="utf-8"))),
        "docs/api.md": "\n".join(_api()),
        "inventory/fleet.schema.json": json.dumps(schema(), indent=1) + "\n",
        "docs/wrong-uses.md": "\n".join(_wrong_uses(yaml.safe_load((ROOT / WRONG_USES).read_text(encoding="utf-8")))),
    }


def _commands() -> Iterator[str]:
    yield from ("# Commands", "", MADE.format("the docstrings and options in cli/commands/"), "")
    yield from ("```text", _help(program, _context(program, "jada")), "```", "")
    for name in COMMANDS:
        parent = _context(program, "jada")
        command = program.get_command(parent, name)
        assert command is not None  # noqa: S101 - for the type checker
        yield from _sections(command, name, parent, "##")


def _sections(command: click.Command, name: str, parent: click.Context, marks: str) -> Iterator[str]:
    context = _context(command, name, parent)
    yield from (f"{marks} {context.command_path}", "", "```text", _help(command, context), "```", "")
    if isinstance(command, click.Group):
        for inner, subcommand in command.commands.items():
            yield from _sections(subcommand, inner, context, marks + "#")


def _context(command: click.Command, name: str, parent: click.Context | None = None) -> click.Context:
    return click.Context(
        command, parent=parent, info_name=name, terminal_width=WIDTH, max_content_width=WIDTH, color=False
    )


def _help(command: click.Command, context: click.Context) -> str:
    lines = command.get_help(context).splitlines()
    return "\n".join(line.rstrip() for line in lines)


def _findings() -> Iterator[str]:
    yield from ("# Findings", "", MADE.format("tasks/codes.py"), "")
    yield (
        "What `jada drift` finds, and (J5xx) what a rollout finds of the network. `jada drift --explain J103` tells "
        "one of them. Codes are stable. In a fix, HOST is the host's name and UNIT the service."
    )
    yield from (
        "",
        "- *error*: the service does not run what was released, or would not after its next restart.",
        "- *warning*: something beside the service is not as it should be.",
        "- *note*: told, but no drift: a host with notes alone is in sync.",
        "",
        "| code | name | severity | meaning | fix |",
        "| --- | --- | --- | --- | --- |",
    )
    for code in CODES.values():
        yield f"| {code.code} | {code.name} | {code.severity} | {code.meaning} | {code.fix} |"
    yield ""


def _fleet(text: str) -> Iterator[str]:
    """The sections of the file, which blank lines part: the comment before a key as text, the key itself as YAML."""
    yield from ("# fleet.yml", "", MADE.format("inventory/fleet.yml"), "", IN_AN_EDITOR)
    for block in text.strip().split("\n\n"):
        prose, yaml = _parted(block.splitlines())
        keys = [match[1] for line in yaml if (match := _KEY.match(line))]
        if keys:
            yield from (f"## {keys[0]}", "")
        if prose:
            yield from (*prose, "")
        if yaml:
            yield from ("```yaml", *yaml, "```", "")


def _api() -> Iterator[str]:
    """The methods of the API with their docstrings, and the fields of what they give."""
    yield from ("# Python", "", MADE.format("the docstrings in cli/api/"), "")
    yield from _documented(Fleet)
    for name, method in vars(Fleet).items():
        if inspect.isfunction(method) and not name.startswith("_"):
            signature = inspect.signature(method)
            shown = str(signature.replace(parameters=list(signature.parameters.values())[1:])).replace("'", "")
            yield from (f"## {name}", "", "```python", f"{name}{shown}", "```", "")
            yield from _documented(method)
    yield from ("## Results", "", inspect.cleandoc(results.__doc__ or ""), "")
    for name, value in vars(results).items():
        if dataclasses.is_dataclass(value) and value.__module__ == results.__name__:
            names = [f"    {field.name}: {field.type}" for field in dataclasses.fields(value) if field.repr]
            yield from (f"### {name}", "")
            yield from _documented(value)
            yield from ("```python", f"class {name}:", *names, "```", "")


def _documented(thing: object) -> Iterator[str]:
    """A docstring: its text, with the examples in it as Python."""
    for paragraph in inspect.cleandoc(thing.__doc__ or "").split("\n\n"):
        yield from (("```python", paragraph, "```", "") if paragraph.startswith(">>>") else (paragraph, ""))


def _wrong_uses(groups: list[dict[str, Any]]) -> Iterator[str]:
    yield from ("# Wrong uses", "", MADE.format(WRONG_USES), "")
    yield (
        "What jada says to wrong uses: a sentence that tells what is wrong, a hint what to do, and an exit code: 2 for "
        "what was typed or is in fleet.yml, 5 where somebody else holds the fleet, 1 for what failed. Nothing was "
        "changed on any host, but where the sentence says so. `jada COMMAND --help` tells what each command takes. "
        "Here they are typed in the folder /etc/jada, on a fleet f of the hosts web-1, web-2 and db-1."
    )
    for group in groups:
        yield from ("", f"## {group['about']}", "", "| typed | exit | error | try |", "| --- | --- | --- | --- |")
        for use in group["uses"]:
            given = f"<br>where {use['given']}" if "given" in use else ""
            fleet = f"<br>fleet.yml: {_code(use['fleet'])}" if "fleet" in use else ""
            texts = (use.get("error") or use["says"], use.get("try", ""))
            yield f"| {_code(use['typed'])}{given}{fleet} | {use['exit']} | {' | '.join(map(_cell, texts))} |"
    yield ""


def _code(text: str) -> str:
    return "<br>".join(f"`{line}`" for line in text.replace("|", "\\|").splitlines())


def _cell(text: str) -> str:
    """A text as it is, in a table of Markdown."""
    return "<br>".join(re.sub(r"([\\`*_\[\]<>|])", r"\\\1", line) for line in text.splitlines())


def _parted(lines: list[str]) -> tuple[list[str], list[str]]:
    first = next((at for at, line in enumerate(lines) if not line.startswith("#") or _KEY.match(line)), len(lines))
    return [line.removeprefix("#").strip() for line in lines[:first]], lines[first:]


def man_pages() -> dict[str, str]:
    """Each manual page's text by its path below the project's root; dated by $SOURCE_DATE_EPOCH."""
    texts = {}
    for command, context in _every_command():
        page = ManPage(context.command_path)
        page.version = jada.__version__
        page.short_help = roff(command.get_short_help_str(limit=200))
        page.synopsis = " ".join(command.collect_usage_pieces(context))
        page.description = roff(command.help or "")
        records = [parameter.get_help_record(context) for parameter in command.get_params(context)]
        page.options = [(option, roff(text)) for option, text in filter(None, records)]
        if isinstance(command, click.Group):
            inner = [(name, command.get_command(context, name)) for name in command.list_commands(context)]
            page.commands = [(name, roff(each.get_short_help_str(limit=200))) for name, each in inner if each]
        texts[f"docs/man/{context.command_path.replace(' ', '-')}.1"] = str(page)
    return texts


def _every_command() -> Iterator[tuple[click.Command, click.Context]]:
    waiting: list[tuple[click.Command, click.Context]] = [(program, _context(program, "jada"))]
    while waiting:
        command, context = waiting.pop()
        yield command, context
        if isinstance(command, click.Group):
            for name in command.list_commands(context):
                if inner := command.get_command(context, name):
                    waiting.append((inner, _context(inner, name, context)))


def roff(text: str) -> str:
    """A help text as groff_man(7) has it: what click is not to fold (\\b) is set as it is."""
    paragraphs = []
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        is_fixed = paragraph.startswith("\b\n")
        lines = paragraph.removeprefix("\b\n").replace("\\", "\\e").replace("-", "\\-").split("\n")
        # A line that begins with one of these is a request.
        lines = [f"\\&{line}" if line.startswith((".", "'")) else line for line in lines]
        paragraphs.append("\n".join([".nf", *lines, ".fi"] if is_fixed else lines))
    return "\n\n".join(paragraphs)


def main() -> None:
    """Writes every page, or every manual page."""
    for path, text in (man_pages() if "--man" in sys.argv else pages()).items():
        (ROOT / path).parent.mkdir(exist_ok=True)
        (ROOT / path).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
