"""How the service's own CLI is asked (files/look/ask.sh, ask-as-service.sh): with a stand-in for it, without root."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.unit.files.look.conftest import Tree

MARK = "(jada: its environment)"
BETWEEN = "\x1e"
INIT = '{"type":"system","subtype":"init","model":"m"}'
# Tells how it was started, as far as the test wants to know, and says what the CLI says.
CLI = f"""#!/bin/sh
for word in "$@"; do printf '%s\\n' "$word" >>"$ROOT/argv"; done
env >"$ROOT/env"
pwd >"$ROOT/folder"
printf '%s\\n' '{{"type":"system","subtype":"hook_started"}}' '{INIT}' more
"""
ALWAYS = ["-p", "x", "--output-format", "stream-json", "--verbose", "--strict-mcp-config"]
NO_HOOKS = '{"disableAllHooks":true}'


@pytest.fixture
def cli(tree: Tree) -> Path:
    """A stand-in for the CLI, in the PATH of the service."""
    file = tree.file("bin/claude", CLI)
    file.chmod(0o755)
    return file


def ask(
    tree: Tree,
    *words: str,
    comm: str = "claude",
    exe: str = "",
    cli: str = "",
    edits: tuple[str, ...] = (),
    settings: str = "",
    request: str = "",
    environment: Mapping[str, str] = {},
) -> tuple[str, str]:
    """What is printed, and the exit code, for a process of these words and variables."""
    env = {"ROOT": str(tree.root), "PATH": f"{tree.root}/bin:/usr/bin:/bin", "HOME": f"{tree.root}/home", **environment}
    given = BETWEEN.join([*words, MARK, *(f"{name}={value}" for name, value in env.items()), ""])
    tree.file("given", given)
    (tree.root / "home").mkdir(exist_ok=True)
    names = ("MARK", "COMM", "EXE", "CLI", "FOLDER", "FILE", "REQUEST")
    values = (MARK, comm, exe or f"{tree.root}/bin/claude", cli, f"{tree.root}/home", settings, request)
    call = " ".join([*(f'"${name}"' for name in names), shlex.join(edits)])
    script = f'(ask_as_service {call} <given); echo "$?"'
    *lines, code = tree.run(script, half="service", **dict(zip(names, values, strict=True))).splitlines()
    return "\n".join(lines), code


def argv(tree: Tree) -> list[str]:
    """The words that the CLI was given, but for those that it always is."""
    words = (tree.root / "argv").read_text().splitlines()
    assert words[: len(ALWAYS)] == ALWAYS
    return words[len(ALWAYS) :]


@pytest.mark.usefixtures("cli")
def test_the_line_in_which_it_names_its_model(tree: Tree) -> None:
    assert ask(tree, "claude") == (f"process\n{INIT}", "0")
    assert argv(tree) == ["--settings", NO_HOOKS]
    assert (tree.root / "folder").read_text() == f"{tree.root}/home\n"


@pytest.mark.usefixtures("cli")
def test_options_that_decide_the_model(tree: Tree) -> None:
    some, others = ["--model", "a"], ["--agent=b", "--setting-sources", "user", "-c", "--resume", "1", "--agents", "{}"]
    left = [
        "--mcp-config",
        "f",
        "--resume",
        "--verbose",
        "a text with --model z",
        "--append-system-prompt",
        "--model=z",
    ]
    left += ["--name", "--agent", "-n", "-c", "--allowed-tools", "--settings", "--system-prompt", "--resume"]
    ask(tree, "claude", *some, "--input-format", "stream-json", *others, "--bare", *left)
    assert argv(tree) == [*some, *others, "--bare", "--settings", NO_HOOKS]


@pytest.mark.usefixtures("cli")
def test_a_command_line_that_was_cut_off(tree: Tree) -> None:
    """Its last word has the mark behind it."""
    tree.file("given", "")
    ask(tree, "claude", "--model", "a", "--setting-sources")
    assert argv(tree)[:2] == ["--model", "a"]


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("{}", NO_HOOKS),
        (' { "model": "m" }', '{"disableAllHooks":true,"model": "m" }'),
        ("{ } ", '{"disableAllHooks":true} '),
        ("none.json", "none.json"),
    ],
)
@pytest.mark.usefixtures("cli")
def test_the_settings_of_the_command_line_stay_without_their_hooks(tree: Tree, named: str, said: str) -> None:
    for words in (("--settings", named), (f"--settings={named}",)):
        (tree.root / "argv").unlink(missing_ok=True)
        ask(tree, "claude", *words)
        assert argv(tree) == ["--settings", said]


@pytest.mark.usefixtures("cli")
def test_a_settings_file_stays_a_file(tree: Tree) -> None:
    """What is in it is not for everybody to see, as a command line is."""
    tree.file("home/own.json", '{"env": {"TOKEN": "secret"}}')
    ask(tree, "claude", "--settings", "own.json")
    *_, named = argv(tree)
    text = Path(named).read_text()
    assert json.loads(text) == {"disableAllHooks": True, "env": {"TOKEN": "secret"}}
    assert Path(named).stat().st_mode & 0o077 == 0
    assert (tree.root / "home/own.json").read_text() == '{"env": {"TOKEN": "secret"}}'


@pytest.mark.usefixtures("cli")
def test_it_has_the_environment_of_the_process(tree: Tree) -> None:
    odd = {
        "word": "w",
        "in_it": "no",
        "given": "g",
        "MULTI": "a\nb  c",
        "EMPTY": "",
        "A-B": "no",
        "IFS": "x",
        "UID": "7",
    }
    ask(tree, "claude", environment=odd)
    env = (tree.root / "env").read_text()
    assert "LC_ALL" not in env
    assert "\nMULTI=a\nb  c\n" in f"\n{env}"
    assert {"EMPTY=", "ANTHROPIC_BASE_URL=http://127.0.0.1:9"} <= set(env.splitlines())
    assert "A-B" not in env


@pytest.mark.parametrize("place", ["ANTHROPIC_BASE_URL", "CLAUDE_CODE_USE_BEDROCK", "file"])
@pytest.mark.usefixtures("cli")
def test_the_endpoint_that_decides_is_left_alone(tree: Tree, place: str) -> None:
    given = {} if place == "file" else {place: "1"}
    if place == "file":
        tree.file("home/.claude/remote-settings.json", "{}")
    ask(tree, "claude", environment=given)
    env = (tree.root / "env").read_text()
    assert "127.0.0.1:9" not in env


@pytest.mark.usefixtures("cli")
def test_who_has_logged_in_does_not_wait_for_the_vendor(tree: Tree) -> None:
    """It would try for 18 seconds to get settings, and names the same model without (measured with 2.1.332)."""
    tree.file("home/.claude/.credentials.json", "{}")
    ask(tree, "claude", environment={"CLAUDE_CODE_OAUTH_TOKEN": "1"})
    assert "ANTHROPIC_BASE_URL=http://127.0.0.1:9\n" in (tree.root / "env").read_text()


def test_node_that_runs_it(tree: Tree, cli: Path) -> None:
    script = tree.file("lib/claude-code/cli.js", "")
    assert ask(tree, "node", str(script), "--model", "a", comm="node")[0] == f"process\n{INIT}"
    assert (tree.root / "argv").read_text().splitlines()[0] == str(script)
    assert ask(tree, "node", "server.js", "--model", "a", comm="node", exe="/bin/false")[0] == f"path\n{INIT}"
    assert cli.exists()


def test_a_service_that_starts_it_only_now_and_then(tree: Tree, cli: Path) -> None:
    """Found in its PATH, or where fleet.yml says; the options of what runs are not the CLI's."""
    assert ask(tree, "python3", "--model", "a", comm="python3", exe="/bin/false") == (f"path\n{INIT}", "0")
    assert argv(tree) == ["--settings", NO_HOOKS]
    cli.rename(tree.root / "cli")
    assert ask(tree, "python3", comm="python3", cli=f"{tree.root}/cli") == (f"path\n{INIT}", "0")
    assert ask(tree, "python3", comm="python3") == ("", "70")


def test_a_cli_that_was_replaced_since(tree: Tree, cli: Path) -> None:
    assert ask(tree, "claude", exe=f"{cli} (deleted)") == (f"process\n{INIT}", "0")


def test_one_that_names_no_model(tree: Tree, cli: Path) -> None:
    cli.write_text('#!/bin/sh\necho \'{"type":"result","text":"{\\"type\\":\\"system\\",\\"subtype\\":\\"init\\""}\'\n')
    assert ask(tree, "claude") == ("process", "75")


@pytest.mark.usefixtures("cli")
def test_a_body_that_names_a_model_of_its_own(tree: Tree) -> None:
    assert ask(tree, "claude", environment={"CLAUDE_CODE_EXTRA_BODY": '{"model": "x"}'}) == ("", "72")
    assert ask(tree, "claude", environment={"CLAUDE_CODE_EXTRA_BODY": '{"x": 1}'})[1] == "0"


@pytest.mark.usefixtures("cli")
def test_settings_that_are_not_there_yet(tree: Tree) -> None:
    """As a change would leave them, in the place where a link leads."""
    (tree.root / "home/.claude").mkdir(parents=True)
    (tree.root / "home/.claude/settings.json").symlink_to("real.json")
    file = tree.file("home/.claude/real.json", '{"model": "old", "env": {"A": "\u00e4"}}')
    settings = f"{tree.root}/home/.claude/settings.json"
    edits = ("10", "5", '"new"', "25", "0", '"B": "\'x\'",\n ')
    assert ask(tree, "claude", settings=settings, edits=edits)[1] == "0"
    assert file.read_text() == '{"model": "new", "env": {"B": "\'x\'",\n "A": "\u00e4"}}'
    file.unlink()
    assert ask(tree, "claude", settings=settings, edits=("0", "0", "{}\n"))[1] == "0"
    assert file.read_text() == "{}\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root refuses")
def test_root_runs_nothing_that_others_can_change(tree: Tree, cli: Path) -> None:
    cli.chmod(0o777)
    assert ask(tree, "claude") == ("", "71")
    cli.chmod(0o755)
    os.chown(cli, 12345, 12345)
    assert ask(tree, "claude") == ("", "71")
    os.chown(cli, 0, 0)
    os.chown(cli.parent, 12345, 12345)
    assert ask(tree, "claude") == ("", "71")


def test_whose_a_process_is(tree: Tree) -> None:
    tree.file(
        "proc/7/status", "Name:\tclaude\nUid:\t6\t6\t6\t6\nGid:\t8\t8\t8\t8\nFDSize:\t64\nGroups:\t8 27 100 3 4 5\n"
    )
    said = 'process=$ROOT/proc/7; read_ids; echo "$user_id $group_id $groups $mixed"'
    assert tree.run(said, half="ask") == "6 8 8,27,100,3,4,5 \n"
    tree.file("proc/7/status", "Uid:\t6\t6\t6\t6\nGid:\t8\t8\t8\t8\nGroups:\t \n")
    assert tree.run(said, half="ask") == "6 8  \n"
    # A set-uid program, a set-gid one, and one that took back what it had for a while.
    for uids, gids in (("6 0 0 0", "8 8 8 8"), ("6 6 6 6", "8 42 42 42"), ("6 6 0 6", "8 8 8 8")):
        tree.file("proc/7/status", f"Uid:\t{uids}\nGid:\t{gids}\nGroups:\t8\n".replace(" ", "\t"))
        assert tree.run(said, half="ask").rstrip().endswith("yes"), uids
    tree.file("proc/7/status", "")
    assert tree.run("process=$ROOT/proc/7; read_ids || echo gone", half="ask") == "gone\n"


def test_whether_root_would_run_the_same_there(tree: Tree) -> None:
    tree.file("proc/7/mountinfo", "1 0 8:1 / / rw - ext4 d rw\n2 1 8:1 /x /home/u/.claude rw - ext4 d rw\n")
    tree.file("proc/8/mountinfo", "1 0 8:1 / / rw - ext4 d rw\n")
    (tree.root / "proc/7/root").symlink_to("/")
    (tree.root / "proc/8/root").mkdir()
    same = "process=$ROOT/proc/%s; has_same_tools && echo same"
    assert tree.run(same % 7, half="ask") == "same\n"
    assert tree.run(same % 8, half="ask") == ""
    (tree.root / "proc/7/root").unlink()
    (tree.root / "proc/7/root").mkdir()
    for name in ("usr", "bin", "sbin", "lib", "lib64", "etc"):
        if Path("/", name).exists():
            (tree.root / "proc/7/root" / name).symlink_to(f"/{name}")
    assert tree.run(same % 7, half="ask") == ""


SYNTHETIC = '{"type":"assistant","message":{"id":"1","model":"<synthetic>","content":[]},"api_error_status":404}'
RETRY = '{"type":"system","subtype":"api_retry","attempt":1,"error_status":529,"error":"overloaded"}'
ANSWER = '{"type":"assistant","message":{"id":"1","model":"claude-x-1","content":[{"text":"\\"model\\":\\"y\\""}]}}'


@pytest.mark.parametrize(
    ("line", "said"), [(ANSWER, "served claude-x-1"), (SYNTHETIC, "refused 404"), (RETRY, "refused 529")]
)
def test_one_real_request_tells_which_model_answered_or_how_it_was_refused(
    tree: Tree, cli: Path, line: str, said: str
) -> None:
    tree.file("said", f"{INIT}\n{line}\n{ANSWER}\n")
    cli.write_text(CLI.partition("printf '%s\\n' '{")[0] + 'cat "$ROOT/said"\n')
    assert ask(tree, "claude", "--model", "old", "--agent=b", request="new") == (said, "0")
    words = (tree.root / "argv").read_text().splitlines()
    assert words[1] == "Say yes."
    assert words[-5:] == ["--agent=b", "--model", "new", "--settings", NO_HOOKS]
    assert "ANTHROPIC_BASE_URL" not in (tree.root / "env").read_text()


@pytest.mark.usefixtures("cli")
def test_a_request_without_an_answer(tree: Tree) -> None:
    assert ask(tree, "claude", request="new") == ("", "76")
