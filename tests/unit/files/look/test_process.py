"""The process of a unit that asks for a model, and its words for it (files/look/process.sh)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.unit.files.look.conftest import Tree

CLAUDE = ("claude", "--model", "m")
# As much as a word of a command line can have.
LONG = "x" * 131_000
TELL = 'running_process >/dev/null; printf "%s/%s" "$speaker" "$wrapped"'


def speaker(tree: Tree, *pids: int, program: str = "/usr/bin/agent") -> str:
    members = "".join(f"\n{pid}" for pid in pids)
    return tree.run(TELL, members=members, pid=str(pids[0]), program=program, home="/home/agent")


def running(tree: Tree, *pids: int, program: str = "/usr/bin/agent") -> list[tuple[str, str]]:
    members = "".join(f"\n{pid}" for pid in pids)
    (tree.root / "work").mkdir(exist_ok=True)
    for pid in pids:
        (tree.root / f"proc/{pid}/cwd").symlink_to(tree.root / "work")
    return tree.frames("running_process", members=members, pid=str(pids[0]), program=program, home="/home/agent")


@pytest.mark.parametrize(
    ("processes", "expected"),
    [
        ([CLAUDE], "1/yes"),
        ([("/usr/bin/agent",)], "1/"),
        ([("/bin/sh", "/usr/bin/agent")], "1/"),
        ([("/bin/sh", "/usr/bin/agent"), CLAUDE], "2/"),
        ([("/bin/sh", "/usr/bin/agent"), ("python3", "x"), CLAUDE], "3/"),
        # Behind what only starts others, the first that does more.
        ([("sh", "-c", "x"), ("sudo", "x"), ("python3", "x"), ("perl", "x")], "3/yes"),
        ([("node", "/opt/claude.js")], "1/yes"),
        ([("node", "--no-warnings", "/opt/claude-code/cli.js")], "1/yes"),
        ([("node", "server.js"), ("node", "a", "b", "claude")], "1/yes"),
        # A word that is empty is a word.
        ([("node", "", "", "claude")], "1/yes"),
        ([("node", "", "claude")], "1/yes"),
    ],
)
def test_the_process_that_asks_for_a_model(tree: Tree, processes: list[tuple[str, ...]], expected: str) -> None:
    for pid, words in enumerate(processes, 1):
        tree.process(pid, *words)
    assert speaker(tree, *range(1, len(processes) + 1)) == expected


def test_node_with_four_words_is_the_cli_by_the_first_three_alone(tree: Tree) -> None:
    tree.process(1, "sh", "/usr/bin/agent")
    tree.process(2, "node", "a", "b", "claude")
    tree.process(3, "node", "claude")
    assert speaker(tree, 1, 2, 3) == "3/"


def test_its_options_environment_and_folder(tree: Tree) -> None:
    env = {"HOME": "/srv", "TOKEN": "secret", "ANTHROPIC_MODEL": "a\nb"}
    tree.process(
        1, "claude", "--model", "", "--settings=/x.json", "-p", "two words *", "--agent=one", "--model", env=env
    )
    values = running(tree, 1)
    assert values == [
        ("process.pid", "1"),
        ("running.cwd", str(tree.root / "work")),
        ("running.wrapped", "yes"),
        ("running.env.HOME", "/srv"),
        # A list has an item a line: a line break is a blank there.
        ("running.env.ANTHROPIC_MODEL", "a b"),
        ("running.argv+", "model\n"),
        ("running.argv+", "settings\n/x.json"),
        ("running.argv+", "agent\none"),
    ]


def test_the_words_of_a_prompt_are_no_options(tree: Tree) -> None:
    """What an option of the CLI's takes as its value is none, whatever it looks like."""
    text = ("--append-system-prompt", "--model", "x", "--system-prompt", "--agent=x", "-n", "--settings", "--add-dir")
    tree.process(1, "claude", *text, "--agent", "y", "--model", "m", "-p", "--setting-sources", "--model")
    options = [value for name, value in running(tree, 1) if name == "running.argv+"]
    assert options == ["model\nm", "setting-sources\n--model"]


def test_a_child_that_asks_is_told_beside_what_the_main_process_has(tree: Tree) -> None:
    tree.process(1, "/bin/sh", "/usr/bin/agent", env={"ANTHROPIC_MODEL": "unit", "HOME": "/h"})
    tree.process(2, "claude", "--model=m", env={"HOME": "/other"})
    values = dict(running(tree, 1, 2))
    assert (values["process.pid"], values["speaker.pid"]) == ("1", "2")
    assert (values["running.env.HOME"], values["main.env.HOME"]) == ("/other", "/h")
    assert "running.env.ANTHROPIC_MODEL" not in values
    assert values["main.env.ANTHROPIC_MODEL"] == "unit"
    assert values["running.argv+"] == "model\nm"


def test_of_two_variables_with_one_name_the_first_counts_and_the_settings_are_there(tree: Tree) -> None:
    tree.process(1, "claude")
    tree.file("/proc/1/environ", "HOME=/first\0HOME=/second\0CLAUDE_CONFIG_DIR=/config\0")
    (tree.root / "proc/1/cwd").symlink_to("/")
    script = 'running_process >/dev/null; printf "%s" "$configs"'
    configs = tree.run(script, members="\n1", pid="1", program="", home="/home/agent")
    assert configs.split() == ["/home/agent/.claude", "/first/.claude", "/config"]


def test_settings_where_no_path_leads_are_told_and_not_looked_for(tree: Tree) -> None:
    """Of those that a process names, root's own work is made: it has to fit into what execve(2) takes."""
    tree.process(1, "claude", env={"HOME": "/h" * 30_000, "CLAUDE_CONFIG_DIR": "/c" * 30_000})
    (tree.root / "proc/1/cwd").symlink_to("/")
    values = {"members": "\n1", "pid": "1", "program": "", "home": "/home/agent", "uid": "1000", "SETTINGS": "/s.json"}
    values |= {"MANAGED": "/etc/claude-code", "files_to_say": "", "CHECK_URL": "", "units": ""}
    for of, inode in (("self", "1"), ("1", "2")):
        tree.file(f"/proc/{of}/ns/mnt", inode)
    found = tree.frames("running_process; kernel_files_and_report", **values)
    names = [name for name, _ in found]
    assert {"running.env.HOME", "running.env.CLAUDE_CONFIG_DIR", "uptime"} <= {*names}
    assert [text for name, text in found if name == "over+"] == 2 * [
        "settings of the service are looked for in a folder whose path is longer than 4096 bytes"
    ]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--model=m"] * 51, "process 1: more than 50 options"),
        (["x"] * 10_001, "process 1: more than 10000 words"),
        (["--model=" + "m" * 5000], "process 1: an option is longer than 4096 bytes"),
        (["--settings={" + "x" * 131_072], "process 1: an option is longer than 131072 bytes"),
    ],
)
def test_what_is_too_much_is_told_and_the_environment_is_read_all_the_same(
    tree: Tree, words: list[str], why: str
) -> None:
    tree.process(1, "claude", *words, env={"HOME": "/srv"})
    values = running(tree, 1)
    assert ("over+", why) in values
    assert ("running.env.HOME", "/srv") in values


@pytest.mark.parametrize("words", [("agent", LONG, LONG), (LONG, LONG, LONG)], ids=["prompts", "a name"])
def test_a_long_command_line_keeps_no_host_busy(tree: Tree, words: tuple[str, ...]) -> None:
    """A prompt may be one. Whole words are not searched for their last part: shells do that in quadratic time."""
    tree.process(1, *words, comm="agent", env={"HOME": "/srv"})
    # Seconds of the processor's time, of which it took ten to thirty.
    assert tree.run(f"ulimit -t 3; {TELL}", members="\n1", pid="1", program="/usr/bin/agent", home="/home/agent")


def test_a_command_line_that_has_no_end_is_cut_and_the_environment_follows(tree: Tree) -> None:
    tree.process(1, "claude", "--model", "m", env={"HOME": "/srv"})
    tree.file("/proc/1/cmdline", "claude\0--model\0" + "m" * 30)
    assert ("running.argv+", "model\n" + "m" * 30) in running(tree, 1)


def test_settings_on_the_command_line_are_masked(tree: Tree) -> None:
    tree.process(1, "claude", "--settings", '{"model": "m", "env": {"T": "secret"}}')
    values = dict(running(tree, 1))
    assert values["running.argv+"] == "settings\n(on the command line)"
    assert values["inline.masked"][: int(values["inline.size"])] == '{"model": "m", "env": {"T": "******"}}'


def test_the_processes_of_a_control_group_and_of_those_in_it(tree: Tree) -> None:
    tree.file("/sys/fs/cgroup/a.service/cgroup.procs", "7\n5\n")
    tree.file("/sys/fs/cgroup/a.service/sub/cgroup.procs", "9\n0\nx\n5\n")
    tell = 'members; printf "%s:" "$pid" $members'
    assert tree.run(tell, group="/a.service", pid="5", UNIT="a.service") == "5:5:7:9:"
    # Where systemd knows no main process.
    assert tree.run(tell, group="/a.service", pid="0", UNIT="a.service") == "7:7:5:9:"
    assert tree.run(tell, group="", pid="5", UNIT="a.service") == "5:5:"


def test_more_processes_than_a_unit_can_have_are_told(tree: Tree) -> None:
    tree.file("/sys/fs/cgroup/a.service/cgroup.procs", "".join(f"{pid}\n" for pid in range(1, 502)))
    values = tree.frames("members", group="/a.service", pid="1", UNIT="a.service")
    assert values == [("over+", "a.service: more than 500 processes")]


def test_of_a_variable_that_is_there_often_the_first_counts_and_no_more_are_read_than_a_process_needs(
    tree: Tree,
) -> None:
    """Their user can give a process hundreds of thousands, each of which root would join to all before."""
    tree.process(1, "claude")
    tree.file("/proc/1/environ", "HOME=/first\0" + "HOME=/other\0" * 20_000 + "ANTHROPIC_MODEL=late\0")
    values = running(tree, 1)
    assert [value for name, value in values if name.startswith("running.env.")] == ["/first"]
    assert ("over+", "process 1: more than 10000 variables") in values
