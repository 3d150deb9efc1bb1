"""What README and docs/ show is what the commands print: each console block is run, page by page.

`make docs-outputs` writes what they print now into the pages, and their pictures into docs/screens/.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from rich.text import Text

import jada
from tests import documents, terminal, warm
from tests.conftest import HOSTS, LAB, about_ssh
from tests.documents import ELIDED, Block

if TYPE_CHECKING:
    from tests.conftest import Lab

pytestmark = [pytest.mark.lab, about_ssh("they show a fleet over ssh")]
ROOT = Path(jada.__file__).parent
IS_WRITTEN = bool(os.environ.get("JADA_WRITE_DOCS"))
STATUS = "; echo $?"
# Nothing in it is for a shell to see to.
PLAIN = re.compile(r"jada [^|;&<>$`*?]*(?:'[^']*'[^|;&<>$`*?]*|\"[^\"$`]*\"[^|;&<>$`*?]*)*")


@dataclass(frozen=True)
class Named:
    """The id of a release: as the page has it, as this run has it, and as the page is to have it."""

    in_page: str
    here: str
    shown: str


def has_run(text: str) -> bool:
    return any(block.kind == "console" and not block.order("not run") for block in documents.blocks("", text))


PAGES = [page for page, text in documents.pages(ROOT).items() if has_run(text)]


@pytest.fixture
def env(lab: Lab) -> Iterator[dict[str, str]]:
    """What the commands of a page run in: a lab as `jada lab up` makes it, a record of their own, ann's name."""
    assert len(lab.hosts) == HOSTS == 3, "the pages show a lab of three hosts"
    text = re.sub("^rollout: .*$", "rollout: {bake_time: 3s}", LAB.fleet_file.read_text(), flags=re.M)
    text = text.replace("settle: 5\n", "settle: 3\n")
    file = LAB.folder / "documents.yml"
    file.write_text(text.replace(f"fleet: {LAB.fleet}\n", "fleet: rehearsal\n"))
    # A short path: outputs are folded where they have it.
    home = LAB.folder / "ann"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir()
    yield {
        **{name: value for name, value in os.environ.items() if name not in {"COLUMNS", "NO_COLOR", "CI"}},
        "PATH": f"{warm.JADA.parent}:{os.environ['PATH']}",
        "JADA_FLEET": str(file),
        "JADA_LAB": LAB.name,
        "LOGNAME": "ann",
        "SUDO_USER": "root",
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        "TZ": "UTC",
        "XDG_STATE_HOME": str(home / ".local/state"),
        "PWD": str(home),
    }
    file.unlink()
    shutil.rmtree(home)


def run(typed: str, env: Mapping[str, str], answers: list[bytes]) -> tuple[int, list[Text]]:
    """The exit code of a command, and the lines that a terminal shows of it; `echo $?` is told as one."""
    line = typed.removesuffix(STATUS)
    is_plain = PLAIN.fullmatch(line) is not None

    def command(tty: str) -> int:
        if is_plain:
            return warm.run(shlex.split(line, comments=True)[1:], env, tty).returncode
        with Path(tty).open("r+b", buffering=0) as file:
            return subprocess.run(
                ["sh", "-c", line], env=env, stdin=file, stdout=file, stderr=file, check=False
            ).returncode

    code, written = terminal.run(command, answers)
    lines = terminal.shown(as_shown(written))
    if line != typed:
        return 0, [*lines, Text(str(code))]
    return code, lines


def set_up(line: str, env: Mapping[str, str]) -> None:
    """Has a command done that a page needs and does not show."""
    if PLAIN.fullmatch(line):
        done = warm.run(shlex.split(line)[1:], env)
    else:
        own = {**env, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(["sh", "-ec", line], env=own, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"


def as_shown(written: str) -> str:
    """What a lab of a test says of itself, as that of whoever reads the page says it."""
    for theirs, ours in (
        (f"{LAB.folder}/documents.yml", "/var/lib/jada-lab/fleet.yml"),
        (str(warm.JADA), "/root/.local/bin/jada"),
        (f"{LAB.folder}/ann", "/home/ann"),
        (str(LAB.folder), "/var/lib/jada-lab"),
        # As long, so that tables stay tables.
        (f"@{socket.gethostname()}", "@" + "pc".ljust(len(socket.gethostname()), "1")),
        (f"rehearsal-{LAB.name}", "rehearsal"),
    ):
        written = written.replace(theirs, ours)
    written = re.sub("Other labs on this machine: .*\r\n", "", written)
    return re.sub(r"\b(?:10|172)\.\d+\.(0\.1\d\b)", r"10.77.\1", written)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_shows_what_its_commands_print(
    page: str, lab: Lab, env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(env["PWD"])
    text = (ROOT / page).read_text(encoding="utf-8")
    wrong, changes = [], []
    releases: list[Named] = []
    for block in documents.blocks(page, text):
        for setup in block.setups:
            set_up(setup, env)
        if block.kind == "console" and not block.order("not run"):
            new, pictured, differences = carried_out(block, env, releases)
            wrong += differences
            changes.append((block, new))
            if IS_WRITTEN and (name := block.order("screen")):
                draw(name, documents.blocks(page, "```console\n" + new + "```\n")[0], pictured)
    if IS_WRITTEN:
        (ROOT / page).write_text(documents.rewritten(text, changes), encoding="utf-8")
        return
    assert not wrong, "\n".join([*wrong, "", "make docs-outputs writes what the commands print now"])


def carried_out(block: Block, env: Mapping[str, str], releases: list[Named]) -> tuple[str, list[Text], list[str]]:
    """The text that the block is to have, the lines of its picture, and what it shows otherwise than it is.

    A command may name one of `releases`, which outputs above it show.
    """
    new: list[str] = []
    pictured: list[Text] = []
    wrong: list[str] = []
    answers = [answer.encode() for answer in block.order("answers").split()]
    found = documents.steps(block)
    for step in found:
        typed = command = step.command
        for release in releases:
            typed = typed.replace(release.in_page, release.here)
            command = command.replace(release.in_page, release.shown)
        code, lines = run(typed, env, answers if step is found[-1] else [])
        actual = [line.plain for line in lines]
        assert "lab-secret" not in "".join(actual)
        expected_code = int(block.order("exit") or 0) if step is found[-1] else 0
        assert code == expected_code, f"{block.place}: $ {typed} ended with {code}:\n" + "\n".join(actual)
        is_same = documents.matches(step.output, actual)
        if not is_same:
            wrong.append(f"{block.place}: $ {command}\n{documents.difference(step.output, actual)}")
        in_page, here = (documents.RELEASE.findall("\n".join(output)) for output in (step.output, actual))
        if len(in_page) == len(here):
            releases += [Named(*ids, ids[0] if is_same else ids[1]) for ids in zip(in_page, here, strict=True)]
        chosen = documents.aligned(step.output, actual)
        new += [f"$ {command}"]
        new += step.output if is_same else [ELIDED if number is None else actual[number] for number in chosen]
        prompt = Text.assemble(("$ ", "bold green"), (command, "bold"))
        pictured += [prompt, *(Text(ELIDED, "dim") if number is None else lines[number] for number in chosen)]
    return "\n".join(new) + "\n", pictured, wrong


def draw(name: str, block: Block, lines: list[Text]) -> None:
    """Writes a picture, if there is none of what the block shows."""
    file = ROOT / f"docs/screens/{name}.svg"
    mark = f"<!-- {documents.signature(block)} -->\n"
    if not file.exists() or not file.read_text(encoding="utf-8").endswith(mark):
        file.parent.mkdir(exist_ok=True)
        file.write_text(terminal.picture(f"jada-{name}", f"jada {name}", lines) + mark, encoding="utf-8")
