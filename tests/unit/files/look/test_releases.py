"""What jada itself left on a host (files/look/releases.sh, root-files.awk)."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.unit.files.look.conftest import Tree

FIRST, SECOND = "20261125-120000-aaaa", "20261126-120000-bbbb"
SAY = 'releases; FILES=$files_to_say awk -v most_of_value="$MOST_OF_VALUE" "$SAY_AWK$ROOT_FILES_AWK"'


@pytest.fixture
def home(tree: Tree) -> str:
    """Jada's folder on a host with two releases."""
    for release in (FIRST, SECOND):
        tree.file(f"jada/releases/{release}/manifest.json", f'{{"id": "{release}"}}\n')
        tree.file(f"jada/releases/{release}/place", "1000\n\n/home/agent")
        tree.file(f"jada/releases/{release}/before/dropin", "text")
        hashed = hashlib.sha256(b"text").hexdigest()
        rest = "settings absent 1:1 600 0 settings.json\nlimits unreadable - - - /l\n"
        tree.file(f"jada/releases/{release}/before/files", f"dropin {hashed} - - - /d\n{rest}")
    tree.file("jada/current", f"{SECOND}\n")
    tree.file("jada/previous", f"{FIRST}\n")
    return str(tree.root / "jada")


def said(tree: Tree, home: str, history: str = "") -> list[tuple[str, str]]:
    return tree.frames(SAY, HOME_OF_JADA=home, HISTORY=history)


def test_the_current_release_and_the_one_before(tree: Tree, home: str) -> None:
    tree.file("jada/held", "0\nann\n\n\nwhy\n\n")
    assert said(tree, home) == [
        ("release.id", SECOND),
        ("release.manifest.json", f'{{"id": "{SECOND}"}}'),
        ("release.place", "1000\n\n/home/agent"),
        ("release.previous", f'{{"id": "{FIRST}"}}'),
        ("held", "0\nann\n\n\nwhy\n"),
    ]


def test_a_host_that_jada_never_changed_says_nothing(tree: Tree) -> None:
    assert said(tree, str(tree.root / "none"), "yes") == []


def test_a_release_without_its_manifest_is_told_as_that(tree: Tree, home: str) -> None:
    (tree.root / f"jada/releases/{SECOND}/manifest.json").unlink()
    assert ("release.manifest.json", "") in said(tree, home)


def test_a_file_that_is_too_long_or_can_not_be_read_is_not_told_as_missing(tree: Tree, home: str) -> None:
    tree.file("jada/transaction", "x" * 65537)
    assert ("transaction", "longer than 65536 bytes") in said(tree, home)
    tree.file("jada/transaction", "x\n" * 32768)
    assert ("transaction", "x\n" * 32767 + "x") in said(tree, home)
    (tree.root / "jada/transaction").unlink()
    gone = 'files_to_say="transaction $HOME_OF_JADA/none"; ' + SAY.removeprefix("releases; ")
    assert tree.frames(gone, HOME_OF_JADA=home) == [("transaction", "")]


def test_the_history_and_the_snapshots_that_are_whole(tree: Tree, home: str) -> None:
    tree.file(f"jada/releases/{FIRST}/before/files", f"limits {'0' * 64} - - - /l\n" * 3)
    tree.file(f"jada/releases/{FIRST}/before/limits", "text")
    tree.file(f"jada/releases/{FIRST}/result", "failed it")
    found = said(tree, home, "yes")
    assert [value for name, value in found if name.startswith("history")] == [
        FIRST, SECOND,
        f'{{"id": "{FIRST}"}}', "1000\n\n/home/agent", "failed it", f'{{"id": "{SECOND}"}}', "1000\n\n/home/agent",
    ]  # fmt: skip
    assert [value for name, value in found if name == "whole+"] == []
    complete = (tree.root / f"jada/releases/{SECOND}/before/files").read_text()
    tree.file(f"jada/releases/{SECOND}/before/files", complete.replace("unreadable", "absent"))
    assert [value for name, value in said(tree, home, "yes") if name == "whole+"] == [SECOND]
    tree.file(f"jada/releases/{SECOND}/before/dropin", "other")
    assert [value for name, value in said(tree, home, "yes") if name == "whole+"] == []


def test_a_transaction_that_runs_is_told_by_whom(tree: Tree, home: str) -> None:
    tree.file("jada/lock", "ann@box, since 12:00")
    assert tree.frames("transaction_lock", HOME_OF_JADA=home, busy="") == []
    assert tree.frames("transaction_lock", HOME_OF_JADA=home, busy="yes") == [("lock", "ann@box, since 12:00")]
