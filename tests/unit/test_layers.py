"""The order of imports: they go one way between folders, and nowhere in a circle, lazy and type-only ones counted."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import jada

ROOT = Path(jada.__file__).parent
ROOMS = ("cli", "tasks", "inventory")
VOCABULARY = ("__init__.py", "values.py")
# From the top down: each may import from below it, and from its own place. Folders in a line together know
# nothing of each other. A module that lies in a room's own folder is a place of its own.
ORDER = {
    "cli": (
        {"cli/entry.py", "cli/ssm_connector.py", "cli/api"},
        {"cli/main.py"},
        {"cli/commands"},
        {"cli/init"},
        {"cli/report", "cli/logs.py", "cli/doctor"},
        {"cli/compare"},
        {"cli/rollout"},
        {"cli/drift"},
        {"cli/session.py"},
        {"cli/records"},
        {"cli/discovery.py"},
        {"cli/options.py"},
        {"cli/selection.py"},
        {"cli/ui", "cli/startup.py"},
        {"cli/results.py"},
        {"cli/signals.py"},
    ),
    "tasks": (
        {"tasks/converge.py"},
        {"tasks/engines"},
        {"tasks"},
    ),
    "inventory": (
        {"inventory/aws.py", "inventory/cache.py", "inventory/ansible_inventory.py", "inventory/lab"},
        {
            "inventory/discover.py",
            "inventory/lease.py",
            "inventory/conditions.py",
            "inventory/network.py",
            "inventory/permissions.py",
            "inventory/pyinfra_groups.py",
            "inventory/access",
        },
        {"inventory/fleet"},
        {"inventory/roles.py", "inventory/sources"},
        {"inventory/models.py", "inventory/tags.py", "inventory/cloud"},
        {"inventory/yaml_readers.py", "inventory/concurrency.py"},
        {"inventory/yaml_values.py"},
        {"inventory/suggest.py"},
    ),
}
MAY_IMPORT = {"cli": {"cli", "tasks", "inventory"}, "tasks": {"tasks"}, "inventory": {"inventory"}}


def modules(root: Path = ROOT, rooms: Iterable[str] = ROOMS) -> dict[str, Path]:
    """Each module of the rooms by its name without "jada.", packages too."""
    files = (file.relative_to(root) for room in rooms for file in sorted((root / room).rglob("*.py")))
    return {".".join((file.parent if file.stem == "__init__" else file.with_suffix("")).parts): file for file in files}


def imports(file: Path, known: Iterable[str]) -> Iterator[str]:
    """The modules among `known` that a file imports anywhere: at its top, for types only, or within a function."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names = [(alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [(node.module or "", alias.name) for alias in node.names]
        else:
            continue
        for module, name in names:
            path = module.removeprefix("jada.") if module.startswith("jada.") else ""
            inner = f"{path}.{name}".removeprefix(".") if module.partition(".")[0] == "jada" else ""
            yield from (found for found in (inner, path) if found in known)


def graph(root: Path = ROOT, rooms: Iterable[str] = ROOMS) -> dict[str, set[str]]:
    """The imports of each module; a package that only holds the module that is meant does not count."""
    files = modules(root, rooms)
    imported = {name: set(imports(root / file, files)) for name, file in files.items()}
    packages = {name for name, file in files.items() if file.name == "__init__.py"}
    return {
        name: {module for module in targets if module not in packages or (root / files[module]).stat().st_size} - {name}
        for name, targets in imported.items()
    }


def cycle(arrows: Mapping[str, set[str]]) -> list[str]:
    """A circle that the arrows make, or []."""
    try:
        TopologicalSorter(arrows).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def place(module: str, order: Iterable[set[str]], files: Mapping[str, Path]) -> int:
    """The depth of a module: by its file, or else by its folder."""
    file = files[module]
    names = (str(file), str(file.parent))
    return next(at for name in names for at, level in enumerate(order) if name in level)


def test_no_module_imports_itself_by_way_of_others() -> None:
    assert cycle(graph()) == []


def test_rooms_do_not_know_each_other_but_as_they_may() -> None:
    wrong = {
        f"{module} imports {other}"
        for module, others in graph().items()
        for other in others
        if other.partition(".")[0] not in MAY_IMPORT[module.partition(".")[0]]
    }
    assert not wrong
    # For type checkers; the values are loaded when the first is asked for, and the API, which none of ours uses, too.
    ours = {name: re.findall(r"^ *from (jada\S*) import", (ROOT / name).read_text(), re.M) for name in VOCABULARY}
    assert ours == {"__init__.py": ["jada.cli.api.fleet", "jada.values"], "values.py": ["jada"]}


@pytest.mark.parametrize("room", ORDER)
def test_folders_import_one_way(room: str) -> None:
    files, order = modules(rooms=[room]), ORDER[room]
    for level in order:
        assert all((ROOT / name).exists() for name in level)
    places = {module: place(module, order, files) for module, file in files.items() if (ROOT / file).stat().st_size}
    wrong = {
        f"{module} imports {other}"
        for module, others in graph(rooms=[room]).items()
        for other in others
        if places[other] < places[module]
        or (places[other] == places[module] and files[module].parent != files[other].parent)
    }
    assert not wrong


def test_the_check_sees_circles_and_imports_of_any_kind(tmp_path: Path) -> None:
    (tmp_path / "cli").mkdir()
    (tmp_path / "cli/a.py").write_text("import boto3\nfrom jada import Host\nfrom jada.cli import b\n")
    (tmp_path / "cli/b.py").write_text("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import jada.cli.c\n")
    (tmp_path / "cli/c.py").write_text("def f() -> None:\n    from jada.cli.a import x\n")
    arrows = graph(tmp_path, ["cli"])
    assert arrows == {"cli.a": {"cli.b"}, "cli.b": {"cli.c"}, "cli.c": {"cli.a"}}
    assert set(cycle(arrows)) == set(arrows)


@pytest.mark.parametrize(
    ("library", "allowed"),
    [
        ("boto3", ("inventory/cloud", "inventory/lab")),
        ("botocore", ("inventory/cloud",)),
        ("pyinfra", ("tasks/engines", "tasks/converge.py")),
        ("click", ("cli",)),
    ],
)
def test_each_library_lives_in_one_place(library: str, allowed: tuple[str, ...]) -> None:
    outside = [
        str(file)
        for file in modules().values()
        if not str(file).startswith(allowed)
        and any(f"{word} {library}" in (ROOT / file).read_text() for word in ("import", "from"))
    ]
    assert not outside
