"""All processes of a unit, and the view of files that the one has that asks for a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.unit.files.look.conftest import Tree

LIMITS = (
    "Limit  Soft  Hard  Units\nMax processes  9  9  processes\nMax open files   %s   4096   files\nMax msgqueue 1 1 b\n"
)
REST = " ".join(map(str, range(4, 53)))


def process(tree: Tree, pid: int, name: str, soft: str = "1024", state: str = "S", birth: int = 20) -> None:
    fields = f"{state} {' '.join(map(str, range(2, 20)))} {birth} {REST}"
    tree.file(f"/proc/{pid}/stat", f"{pid} ({name}) {fields}\n")
    tree.file(f"/proc/{pid}/limits", LIMITS % soft)


def look(tree: Tree, field: str, **values: str) -> list[str]:
    common = {"files_to_say": "", "CHECK_URL": "", "uid": "1000", "units": "", "MANAGED": "/etc/claude-code"}
    common |= {"speaker": "7", "pid": "7", "members": "\n7", "SETTINGS": "", "configs": "", "cwd": "/srv"}
    # What never ends fails, and hangs no tests.
    frames = tree.frames("ulimit -t 20; kernel_files_and_report", **{**common, **values})
    return [value for name, value in frames if name == field]


def members(tree: Tree, *pids: int) -> list[tuple[str, ...]]:
    found = look(tree, "member+", members="".join(f"\n{pid}" for pid in pids), pid="0", speaker="0")
    return [tuple(value.split("\n")) for value in found]


def test_each_process_with_its_birth_and_its_limit(tree: Tree) -> None:
    process(tree, 7, "agent")
    process(tree, 8, "claude", soft="unlimited", birth=31)
    assert members(tree, 7, 8) == [("7", "20", "1024", "0"), ("8", "31", "unlimited", "1")]


@pytest.mark.parametrize("name", ["a\nb", ") S 1 1 1", "x (claude) S 1", "claude) S (x", "", "claude2", "a b\n"])
def test_a_name_hides_nothing_and_makes_no_cli(tree: Tree, name: str) -> None:
    process(tree, 7, name)
    assert members(tree, 7) == [("7", "20", "1024", "0")]


def test_what_has_ended_is_none(tree: Tree) -> None:
    process(tree, 7, "defunct", state="Z")
    process(tree, 9, "claude")
    # Gone before its limits are read.
    process(tree, 10, "claude")
    (tree.root / "proc/10/limits").unlink()
    assert members(tree, 7, 8, 9, 10) == [("9", "20", "1024", "1")]
    assert look(tree, "member+", members="", pid="0", speaker="0") == []


HOST = """\
1 1 0:2 / / rw - rootfs rootfs rw
20 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw
21 20 0:5 / /proc rw - proc proc rw
22 20 8:2 / /home rw - ext4 /dev/sdb1 rw
"""
COPY = "40 1 8:1 / / rw - ext4 /dev/sda1 rw\n41 40 8:2 / /home rw - ext4 /dev/sdb1 rw\n"
SETTINGS = "/home/agent/.claude/settings.json"
OWN = [SETTINGS, "/home/agent/.claude/settings.local.json", "/home/agent/.claude/agents"]


def own_view(tree: Tree, mounts: str, is_root: bool = False) -> list[str]:
    """The files that process 7 sees otherwise, with these mounts of its own."""
    for of, text, mount in (("self", HOST, "1"), ("7", mounts, "2")):
        tree.file(f"/proc/{of}/mountinfo", text)
        tree.file(f"/proc/{of}/ns/mnt", mount)
    (tree.root / "proc/7/root").unlink(missing_ok=True)
    (tree.root / "proc/7/root").symlink_to("/nowhere" if is_root else tree.root)
    return look(tree, "own_view+", SETTINGS=SETTINGS, configs="\n/home/agent/.claude")


@pytest.mark.parametrize(
    ("mounts", "expected"),
    [
        (COPY, []),
        # PrivateTmp=yes, and a mount of the very same folder, as ProtectHome=read-only makes.
        (COPY + "42 40 0:9 / /tmp rw - tmpfs tmpfs rw\n43 41 8:2 / /home ro - ext4 /dev/sdb1 ro\n", []),
        (COPY + "43 41 8:2 /agent/.claude /home/agent/.claude rw - ext4 /dev/sdb1 rw\n", []),
        # ProtectHome=yes: over what is mounted below it, too.
        (COPY + "42 41 0:9 / /home ro - tmpfs tmpfs ro\n", [SETTINGS, *OWN]),
        (COPY + "42 41 8:3 / /home/agent rw - ext4 x rw\n43 41 0:9 / /home ro - tmpfs tmpfs ro\n", [SETTINGS, *OWN]),
        # BindPaths= over the folder, or the file.
        (COPY + "42 41 8:1 /srv/c /home/agent/.claude rw - ext4 x rw\n", [SETTINGS, *OWN]),
        (COPY + "42 41 8:1 /srv/s.json /home/agent/.claude/settings.json rw - ext4 x rw\n", [SETTINGS, SETTINGS]),
        # A name that only begins the same.
        (COPY + "42 41 8:1 /srv/c /home/agent/.cla rw - ext4 x rw\n", []),
        (
            COPY + "42 40 8:1 /srv/m /etc/claude-code rw - ext4 x rw\n",
            ["/etc/claude-code/managed-settings.json", "/etc/claude-code/managed-settings.d"],
        ),
        (COPY + "42 40 0:9 / /srv/.claude/settings.json rw - tmpfs x rw\n", ["/srv/.claude/settings.json"]),
    ],
)
def test_the_files_that_a_process_sees_otherwise(tree: Tree, mounts: str, expected: list[str]) -> None:
    assert own_view(tree, mounts) == expected


def test_a_root_of_its_own(tree: Tree) -> None:
    """RootDirectory= moves it; a chroot has no mount for its root, and then nothing is known of what it sees."""
    inner = "40 1 8:1 /srv/root / rw - ext4 x rw\n"
    assert SETTINGS in own_view(tree, inner, is_root=True)
    assert SETTINGS in own_view(tree, "41 40 8:2 / /home rw - ext4 x rw\n", is_root=True)
    assert SETTINGS in own_view(tree, "")


def test_more_mounts_than_any_host_has_are_not_read(tree: Tree) -> None:
    many = "".join(f"{number} 40 0:9 / /mnt/{number} rw - tmpfs x rw\n" for number in range(50, 5051))
    assert SETTINGS in own_view(tree, COPY + many)


def test_mounts_that_lie_on_each_other_in_a_circle_end_no_look(tree: Tree) -> None:
    """The ids of mounts that are gone are used again, also while the table is read."""
    circle = "42 41 0:9 / /home rw - tmpfs x rw\n41 42 0:9 / /home rw - tmpfs x rw\n"
    assert SETTINGS in own_view(tree, COPY + circle)


def test_a_space_in_a_path_is_one_of_the_table(tree: Tree) -> None:
    own_view(tree, COPY + "42 40 0:9 / /srv/a\\040b/.claude rw - tmpfs x rw\n")
    assert "/srv/a b/.claude/settings.json" in look(tree, "own_view+", cwd="/srv/a b")
    assert look(tree, "own_view+", cwd="/srv/a") == []


def test_the_mounts_of_the_host_are_no_view_of_its_own(tree: Tree) -> None:
    """One process has none, and one that is gone has nothing to compare."""
    own_view(tree, COPY + "42 41 0:9 / /home ro - tmpfs tmpfs ro\n")
    (tree.root / "proc/7/ns/mnt").unlink()
    assert look(tree, "own_view+", SETTINGS=SETTINGS) == []
    (tree.root / "proc/7/ns/mnt").hardlink_to(tree.root / "proc/self/ns/mnt")
    assert look(tree, "own_view+", SETTINGS=SETTINGS) == []
