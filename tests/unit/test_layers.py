"""Who may import whom: cli → tasks, inventory; these two know neither each other nor cli; jada itself knows none."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import jada

ROOT = Path(jada.__file__).parent
MAY_IMPORT = {"cli": {"cli", "tasks", "inventory"}, "tasks": {"tasks"}, "inventory": {"inventory"}, ".": set()}


def imported_rooms(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            module = node.module or ""
            names = [f"jada.{alias.name}" for alias in node.names] if module == "jada" else [module]
        for name in names:
            top, _, rest = name.partition(".")
            room = rest.partition(".")[0]
            if top == "jada" and (ROOT / room).is_dir() and room:
                yield room


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_imports_go_one_way(room: str) -> None:
    files = [ROOT / "__init__.py"] if room == "." else sorted((ROOT / room).rglob("*.py"))
    assert files
    wrong = {f"{file.relative_to(ROOT)} imports {other}" for file in files for other in imported_rooms(file)
             if other not in MAY_IMPORT[room]}  # fmt: skip
    assert not wrong


def test_the_check_sees_an_import_the_wrong_way(tmp_path: Path) -> None:
    file = tmp_path / "x.py"
    file.write_text(
        "import boto3\nfrom jada import Host\nfrom jada.cli.ui.console import out\nimport jada.tasks.engines.look\n"
    )
    assert set(imported_rooms(file)) == {"cli", "tasks"}


@pytest.mark.parametrize(("library", "room"), [("boto3", "inventory"), ("pyinfra", "tasks"), ("click", "cli")])
def test_each_library_lives_in_one_room(library: str, room: str) -> None:
    outside = [
        file.relative_to(ROOT)
        for other in {"cli", "tasks", "inventory"} - {room}
        for file in sorted((ROOT / other).rglob("*.py"))
        if f"import {library}" in file.read_text() or f"from {library}" in file.read_text()
    ]
    assert not outside


def test_only_the_cloud_room_asks_aws() -> None:
    """The rehearsal fleet's own endpoint aside; all others ask through a client that says in words what went wrong."""
    outside = [
        file.relative_to(ROOT)
        for file in sorted((ROOT / "inventory").rglob("*.py"))
        if not {"cloud", "lab"} & set(file.relative_to(ROOT).parts)
        and any(f"{start} {library}" in file.read_text() for start in ("import", "from") for library in ("boto3", "botocore"))
    ]
    assert not outside
