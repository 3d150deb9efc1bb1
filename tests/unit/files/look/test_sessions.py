"""Open sessions of the Claude CLI (files/look/sessions.sh)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.unit.files.look.conftest import Tree


def sessions(tree: Tree) -> list[tuple[str, str]]:
    return tree.frames("sessions", members="\n5")


def owner(tree: Tree) -> str:
    return Path(tree.root).owner()


def test_processes_of_the_cli_that_are_not_the_services(tree: Tree) -> None:
    tree.process(5, "claude")
    tree.process(6, "claude", "--model", "m", "fix", "*")
    tree.process(7, "node", "/opt/claude-code/cli.js", "--model=n")
    tree.process(8, "node", "server.js", "x", "claude")
    tree.process(9, "python3", "claude")
    assert sessions(tree) == [
        ("session+", f"6\n22\n34816\n{owner(tree)}\nm"),
        ("session+", f"7\n22\n34816\n{owner(tree)}\nn"),
    ]


def test_no_word_of_a_command_line_is_a_pattern_to_root(tree: Tree) -> None:
    """It would have root look for files, of as many folders as somebody likes."""
    tree.file("/--model=found")
    tree.process(6, "claude", "--model=[f]ound", "--mode[l]=found")
    assert sessions(tree) == [("session+", f"6\n22\n34816\n{owner(tree)}\n[f]ound")]


def test_a_process_may_be_called_anything(tree: Tree) -> None:
    tree.process(6, "claude")
    tree.file("/proc/6/stat", f"6 (x) y\n) z) S 1 1 1 34816 {' '.join(map(str, range(8, 53)))}\n")
    assert sessions(tree) == [("session+", f"6\n22\n34816\n{owner(tree)}\n")]


def test_one_that_is_gone_is_left_out(tree: Tree) -> None:
    tree.process(6, "claude")
    tree.file("/proc/6/stat", "")
    assert sessions(tree) == []


def test_more_of_them_than_a_host_has_are_told(tree: Tree) -> None:
    for pid in range(100, 152):
        tree.process(pid, "claude")
    values = sessions(tree)
    assert [name for name, _ in values].count("session+") == 50
    assert values[-1] == ("over+", "sessions: more than 50 processes are called claude or node")


def test_a_model_longer_than_any_is_told_as_that(tree: Tree) -> None:
    tree.process(6, "claude", "--model", "m" * 5000)
    assert sessions(tree) == [
        ("over+", "process 6: an option is longer than 4096 bytes"),
        ("session+", f"6\n22\n34816\n{owner(tree)}\n"),
    ]


def test_no_more_words_are_read_than_a_session_needs(tree: Tree) -> None:
    tree.process(6, "claude", *[""] * 20_000, "--model", "late")
    assert sessions(tree) == [
        ("over+", "process 6: more than 10000 words"),
        ("session+", f"6\n22\n34816\n{owner(tree)}\n"),
    ]
