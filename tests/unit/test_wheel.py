"""The wheel holds all there is: every module, and every file that jada brings along."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from zipfile import ZipFile

import jada

ROOT = Path(jada.__file__).parent.resolve()
# Folders that are no part of the product.
BESIDE = {"tests", "benchmarks", "docs", "build"}
FOLDERS = sorted(
    file.parent.relative_to(ROOT)
    for file in ROOT.rglob("__init__.py")
    if not any(part.startswith(".") or part in BESIDE for part in file.relative_to(ROOT).parts)
)


def test_the_packages_are_the_folders_of_modules() -> None:
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    names = {".".join(("jada", *folder.parts)) for folder in FOLDERS} | {"jada.files"}
    assert set(setuptools["packages"]) == names
    assert {name: path.replace("/", ".") for name, path in setuptools["package-dir"].items()} == {
        name: name.removeprefix("jada.") if name != "jada" else "." for name in names
    }


def test_a_wheel_holds_every_file(tmp_path: Path) -> None:
    source, out = tmp_path / "source", tmp_path / "out"
    shutil.copytree(
        ROOT, source, ignore=shutil.ignore_patterns(".*", "*.egg-info", "__pycache__", "tests", "build", "man")
    )
    build = f"from setuptools.build_meta import build_wheel; build_wheel({str(out)!r})"
    subprocess.run([sys.executable, "-c", build], cwd=source, check=True, capture_output=True)
    (wheel,) = out.iterdir()
    modules = {file for folder in FOLDERS for file in (ROOT / folder).glob("*.py") if file != ROOT / "deploy.py"}
    brought = {file for file in (ROOT / "files").rglob("*") if file.is_file()}
    expected = {f"jada/{file.relative_to(ROOT)}" for file in (*modules, *brought)}
    expected |= {"jada/py.typed", "jada/inventory/fleet.yml", "jada/inventory/fleet.schema.json"}
    assert expected == {name for name in ZipFile(wheel).namelist() if ".dist-info/" not in name} - {"jada/deploy.py"}
