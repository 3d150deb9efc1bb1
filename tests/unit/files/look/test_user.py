"""The half of a look that runs as the service's user (files/look/user.sh)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.unit.files.look.conftest import Tree

AGENT = "---\nname: %s\ndescription: d\nmodel: %s\n---\ntext\nmodel: no\n"


def look(tree: Tree, settings: str = "home/.claude/settings.json", **variables: str) -> list[tuple[str, str]]:
    """The whole half, for settings below the tree."""
    home = str(tree.root / "home")
    values = {
        "CONFIGS": f"\n{home}/.claude",
        "FOLDERS": "",
        "PROJECTS": "",
        "NAMED": "",
        "ENVIRONMENTS": "",
        **variables,
    }
    call = 'look_as_user "$S" "$H" "$CONFIGS" "$FOLDERS" "$PROJECTS" "$NAMED" "$ENVIRONMENTS"'
    return tree.frames(call, half="user", S=f"{tree.root}/{settings}", H=home, COMMENTS_GO_ON="", **values)


def of(values: list[tuple[str, str]], name: str) -> list[str]:
    return [value for field, value in values if field == name]


def test_settings_masked_and_the_folders_above_them(tree: Tree) -> None:
    text = '{"model": "m", "env": {"TOKEN": "secret"}}'
    file = tree.file("home/.claude/settings.json", text)
    file.chmod(0o640)
    values = look(tree)
    about = dict(values)
    assert (about["settings.real"], about["settings.mode"], about["settings.size"]) == (
        str(file),
        "640",
        str(len(text)),
    )
    assert about["settings.masked"][: len(text)] == text.replace("secret", "******")
    assert len(about["settings.sha256"]) == 64
    above = [row.rpartition("\n")[2] for row in of(values, "folder+")]
    assert sorted(above) == sorted(map(str, file.parents))
    assert values[-1] == ("end", "ok")
    assert of(values, "link+") == []


def test_a_path_without_links_is_where_it_leads(tree: Tree) -> None:
    """They are told without a process; one with something to fold is asked for."""
    file = tree.file("home/.claude/settings.json", "{}")
    odd = "home/.claude/../.claude//settings.json"
    assert dict(look(tree, odd))["settings.real"] == str(file)
    assert dict(look(tree, "home/none/settings.json"))["settings.real"] == f"{tree.root}/home/none/settings.json"


def test_links_on_the_way(tree: Tree) -> None:
    tree.file("home/dotfiles/settings.json", "{}")
    (tree.root / "home/.claude").symlink_to("dotfiles")
    values = look(tree)
    assert of(values, "link+") == [f"{tree.root}/home/.claude"]
    assert dict(values)["settings.real"] == f"{tree.root}/home/dotfiles/settings.json"
    (tree.root / "home/dotfiles/settings.json").unlink()
    (tree.root / "home/dotfiles/settings.json").symlink_to("nothing")
    assert of(look(tree), "settings.dangling") == ["yes"]


def test_what_is_no_file_or_too_large_is_told(tree: Tree) -> None:
    (tree.root / "home/.claude/settings.json").mkdir(parents=True)
    assert of(look(tree), "settings.problem") == ["it is not a regular file"]
    (tree.root / "home/.claude/settings.json").rmdir()
    with tree.file("home/.claude/settings.json").open("wb") as file:
        file.truncate(8388609)
    (problem,) = of(look(tree), "settings.problem")
    assert problem == "it has 8388609 bytes, more than the 8388608 that jada reads"


def test_other_settings_files_once_each(tree: Tree) -> None:
    work = tree.root / "work"
    for path in ("home/.claude/settings.json", "home/.claude/settings.local.json", "work/.claude/settings.json",
                 "named.json", "work/one/.claude/settings.json", "work/two/.claude/settings.json"):  # fmt: skip
        tree.file(path, '{"model": "m"}')
    tree.file("work/two/.claude/settings.json", '{"theme": "dark"}')
    values = look(
        tree,
        FOLDERS=f"\n{work}\n{tree.root}/home",
        NAMED=f"\n{tree.root}/named.json\n{work}/.claude/settings.json",
        PROJECTS=f"{work}",
    )
    paths = [value.removeprefix(f"{tree.root}/") for name, value in values if name.endswith(".path")]
    assert sorted(paths) == [
        "home/.claude/settings.local.json",
        "named.json",
        "work/.claude/settings.json",
        "work/one/.claude/settings.json",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (AGENT % ("one", "m"), "one\nm"),
        (AGENT % ('"one"', "'m' # why"), "one\nm"),
        ("---\r\nname: one\r\ndescription: d\r\nmodel: m\r\n---\r\n", "one\nm"),
        ("---\nname: one\ndescription: d\n---\nmodel: no\n", "one\n"),
        ("---\nname: one\nmodel: m\n---\n", None),
        ("name: one\ndescription: d\n---\n", None),
        ("---\nname: one\ndescription: d\n", None),
    ],
)
def test_agents(tree: Tree, text: str, expected: str | None) -> None:
    file = tree.file("home/.claude/agents/deep/a.md", text)
    tree.file("home/.claude/agents/a.txt", AGENT % ("no", "m"))
    assert of(look(tree), "agent+") == ([] if expected is None else [f"{file}\n{expected}"])


def test_an_agent_with_a_name_without_end_is_told_as_that(tree: Tree) -> None:
    tree.file("home/.claude/agents/a.md", AGENT % ("n" * 1100, "m"))
    values = look(tree)
    assert of(values, "agent+") == []
    assert of(values, "over+") == ["agents: a name or model is longer than 1024 bytes"]


def test_environment_files_of_the_user_and_where_they_lead(tree: Tree) -> None:
    file = tree.file("home/env", f"HOME={tree.root}/other\nTOKEN=secret\n")
    tree.file("other/.claude/settings.json", "{}")
    values = look(tree, ENVIRONMENTS=f"\n{file}\n{tree.root}/none")
    assert of(values, "fresh.env+") == [f"{file}\nHOME\n{tree.root}/other"]
    assert f"{tree.root}/other/.claude/settings.json" in [value for name, value in values if name.endswith(".path")]


def test_a_name_with_a_line_break_in_it_is_one_name(tree: Tree) -> None:
    tree.file("work/a\nb/.claude/settings.json", '{"model": "m"}')
    values = look(tree, PROJECTS=str(tree.root / "work"))
    assert of(values, "over+") == ["a path with a line break in it is not followed"]
    assert Path(tree.root).exists()
