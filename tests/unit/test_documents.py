"""Pages hold together without a host: command lines parse, parts of fleet.yml load, pictures are of what is shown."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest
import yaml

import jada
from jada.cli.main import COMMANDS
from jada.inventory.fleet import config
from tests import documents, terminal
from tests.documents import Block

ROOT = Path(jada.__file__).parent
PAGES = documents.pages(ROOT)
# Has command lines that are wrong on purpose.
WRONG_USES = "docs/wrong-uses.md"
# Made from the code, whose tests see to them.
GENERATED = ("docs/api.md", "docs/cli.md", "docs/findings.md", "docs/fleet.md", WRONG_USES)
BLOCKS = [block for page, text in PAGES.items() if page not in GENERATED for block in documents.blocks(page, text)]
SCREENS = ROOT / "docs/screens"
# Most of what a page shows is run: this is not.
NOT_RUN = [f"{block.place}: {block.order('not run')}" for block in BLOCKS if block.order("not run")]
LEAST_FLEET = {
    "fleet": "agents",
    "sources": [{"static": {"hosts": {"web-1": {"address": "192.0.2.10", "user": "debian"}}}}],
    "roles": {"worker": {"model": "haiku-4.5"}},
}


def of_kind(*kinds: str) -> list[object]:
    return [pytest.param(block, id=block.place) for block in BLOCKS if block.kind in kinds]


@pytest.mark.parametrize("page", sorted(PAGES.keys() - {WRONG_USES}))
def test_every_command_line_of_a_page_is_one_that_jada_takes(page: str) -> None:
    lines = list(documents.command_lines(PAGES[page]))
    wrong = {argv: problem for argv, is_mentioned in lines if (problem := documents.why_wrong(argv, is_mentioned))}
    assert wrong == {}


@pytest.mark.parametrize("block", of_kind("yaml"))
def test_yaml_of_a_page_is_a_part_of_fleet_yml(block: Block, tmp_path: Path) -> None:
    part = yaml.safe_load(block.text)
    if not block.order("no fleet.yml"):
        (tmp_path / "fleet.yml").write_text(yaml.safe_dump(LEAST_FLEET | part))
        config.parse(tmp_path / "fleet.yml")


@pytest.mark.parametrize("block", of_kind("json"))
def test_json_of_a_page_is_json(block: Block) -> None:
    json.loads(block.text if block.text.startswith("{\n") else f"[{block.text}]")


@pytest.mark.parametrize("block", of_kind("python"))
def test_python_of_a_page_compiles(block: Block) -> None:
    ast.parse(block.text)


def test_what_is_shown_is_run_or_says_why_not() -> None:
    print(f"\n{len(NOT_RUN)} blocks of README and docs/ are not run:", *NOT_RUN, sep="\n  ")  # noqa: T201
    known = {"console", "sh", "yaml", "json", "python"}
    silent = [block.place for block in BLOCKS if block.kind not in known and not block.order("not run")]
    assert silent == []
    assert len(NOT_RUN) < 12


def test_every_comment_above_a_block_is_one_that_the_tests_know() -> None:
    comments = [comment for text in PAGES.values() for comment in re.findall(r"<!-- ([^:>]+):", text)]
    assert set(comments) <= set(documents.ORDERS)


def test_each_picture_is_of_what_its_page_shows_and_each_command_has_one() -> None:
    named = [(block.order("screen"), block) for block in BLOCKS if block.order("screen")]
    stale = [
        name
        for name, block in named
        if not (SCREENS / f"{name}.svg").exists()
        or not (SCREENS / f"{name}.svg").read_text().endswith(f"<!-- {documents.signature(block)} -->\n")
    ]
    assert stale == [], "make docs-outputs"
    names = [name for name, _ in named]
    assert sorted(names) == sorted({*names}) == sorted(file.stem for file in SCREENS.iterdir())
    gallery = PAGES["docs/screens.md"]
    shown = re.findall(r"!\[([^\]]+)\]\(screens/([\w-]+)\.svg\)", gallery)
    assert {name for _, name in shown} >= COMMANDS.keys()
    assert all(len(alt) > 20 for alt, _ in shown)


PAGE = """\
A page.

1. In a list:

    <!-- setup: true -->
    <!-- exit: 3 -->
    ```console
    $ jada drift
    ✗ web-1 J102
    $ jada heal
    ```

```sh
sudo jada schedule --every 15m   # and `jada not-this`
```

`jada status`, `jada upgrade --to` and `jada.yml`.
"""


def test_blocks_know_their_place_and_what_is_said_above_them() -> None:
    first, second = documents.blocks("page.md", PAGE)
    assert (first.place, first.setups, first.order("exit"), first.order("screen")) == ("page.md:7", ["true"], "3", "")
    assert documents.steps(first) == [
        documents.Step("jada drift", ("✗ web-1 J102",)),
        documents.Step("jada heal", ()),
    ]
    assert (second.kind, second.orders) == ("sh", ())
    assert documents.rewritten(PAGE, [(first, "$ jada drift\n\nfine\n")]) == PAGE.replace(
        "    ✗ web-1 J102\n    $ jada heal\n", "\n    fine\n"
    )


def test_command_lines_are_found_in_blocks_and_in_sentences() -> None:
    assert list(documents.command_lines(PAGE)) == [
        (("drift",), False),
        (("heal",), False),
        (("schedule", "--every", "15m"), False),
        (("status",), True),
        (("upgrade", "--to"), True),
    ]


@pytest.mark.parametrize(
    ("line", "is_mentioned", "problem"),
    [
        ("upgrade --to opus-5 --yes", False, ""),
        ("upgrade --too opus-5", False, "No such option"),
        ("upgrade --to", True, ""),
        ("upgrade --to", False, "requires an argument"),
        ("upgrad", True, "there is no command"),
        ("COMMAND --help", True, ""),
        ("hosts web-1", False, "too many arguments"),
        ("lab up --hosts 3", False, ""),
        ("--log-format json …", True, ""),
        ("lab upp", False, "there is no command"),
    ],
)
def test_click_says_what_is_wrong_with_a_command_line(line: str, is_mentioned: bool, problem: str) -> None:
    found = documents.why_wrong(line.split(), is_mentioned)
    assert found.startswith(problem) if problem == "" else problem in found
    assert bool(found) == bool(problem)


@pytest.mark.parametrize(
    ("expected", "actual", "is_same"),
    [
        (["active for 6 s; pid 12"], ["active for 1 min;", "  pid 4711"], True),
        (["release 20261126-142200-411c"], ["release 20270101-000000-ffff"], True),
        (["web-1 10.77.0.11  x"], ["web-1   10.9.0.1 x"], True),
        (["web-1 2 hosts"], ["web-1 3 hosts"], False),
        (["✓ a pid", "  12"], ["✓ a pid 3"], True),
        (["running for 12", "s, and well"], ["running for 1 min, and", "well"], True),
        (["✗ b", "  why", "✓ a"], ["✓ a", "✗ b", "  why"], True),
        (["a", "b"], ["b", "a"], False),
        (["first", "…", "last"], ["first", "and", "more", "last"], True),
        (["first", "…", "last"], ["first", "last"], True),
        (["first", "…", "last"], ["first", "and"], False),
        (["3 hosts: 3 verified"], ["3 hosts: 2 verified"], False),
        ([], ["something"], False),
    ],
)
def test_outputs_are_the_same_but_for_what_differs_from_run_to_run(
    expected: list[str], actual: list[str], is_same: bool
) -> None:
    assert documents.matches(expected, actual) is is_same


@pytest.mark.parametrize(
    ("expected", "actual", "shown"),
    [
        (["a"], ["b", "c"], "b c"),
        (["a", "…", "z"], ["a", "b", "c", "z"], "a … z"),
        (["a", "…", "y"], ["a", "b", "c", "z"], "a … z"),
        (["x", "…", "y", "z"], ["a", "b", "c", "d"], "a … c d"),
        (["…", "z"], ["a", "b", "z"], "… z"),
        (["a", "…"], ["a", "b", "c"], "a …"),
        (["a", "…", "b"], ["a", "b"], "a b"),
    ],
)
def test_what_a_page_leaves_out_stays_left_out(expected: list[str], actual: list[str], shown: str) -> None:
    chosen = documents.aligned(expected, actual)
    assert " ".join("…" if number is None else actual[number] for number in chosen) == shown


def test_a_terminal_shows_what_is_left_in_the_end() -> None:
    drawn = "\x1b[?25la\r\nworking…\r\n\x1b[1A\x1b[2K\x1b[1;32mdone\x1b[0m\r\n\r\x1b[2K\x1b[?25h\r\n"
    lines = terminal.shown(drawn)
    assert [line.plain for line in lines] == ["a", "done"]
    assert [str(span.style) for span in lines[1].spans] == ["bold color(2)"]
    assert terminal.picture("x", "jada x", lines) == terminal.picture("x", "jada x", lines)
    assert "http" not in terminal.picture("x", "jada x", lines).replace("http://www.w3.org", "")
