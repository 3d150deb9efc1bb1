"""The questions to a host before a change (files/look/probe.sh) that need no root."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.unit.files.look.conftest import Tree


def test_what_is_free_on_disks(tree: Tree) -> None:
    (tree.root / "lib").mkdir()
    values = {"HOME_OF_JADA": f"{tree.root}/lib/jada", "SETTINGS": f"{tree.root}/settings.json", "uid": "0", "gid": "0"}
    found = tree.frames("probe_disks", half="probe", **values)
    assert [(name, text.split("\n")[0]) for name, text in found] == [
        ("disk+", f"{tree.root}/lib"), ("disk+", "/etc"), ("disk+", str(tree.root)),
    ]  # fmt: skip
    assert all(int(number) >= 0 for _, text in found for number in text.split("\n")[1:])


@pytest.mark.parametrize("answer", ["", "1 2 3", "1 2 3 x", "1 2 3 4 5", "-1 2 3 4", "08 1 3 4", "1 010 3 4"])
def test_what_a_folder_of_the_user_does_not_tell(tree: Tree, answer: str) -> None:
    assert tree.frames('say_disk /p "$A"', half="probe", A=answer) == []


@pytest.mark.parametrize("answer", ["18446744073709551615 18446744073709551615 7 9", "9223372036854775807 2 7 9"])
def test_more_than_a_shell_can_count_is_much(tree: Tree, answer: str) -> None:
    assert tree.frames('say_disk /p "$A"', half="probe", A=answer) == [("disk+", "/p\n999999999999999999\n7\n9")]


@pytest.mark.parametrize("answer", ["1 2 %s 4", "1 2 3 %s"])
def test_a_number_that_no_kernel_gives_is_none(tree: Tree, answer: str) -> None:
    assert tree.frames('say_disk /p "$A"', half="probe", A=answer % ("9" * 19)) == []


def test_bytes_are_counted_on_the_host(tree: Tree) -> None:
    assert tree.frames('say_disk /p "10 4096 7 9"', half="probe") == [("disk+", "/p\n40960\n7\n9")]
