"""Prints how much of each room the tests have run, and the lines that they have not: `make coverage`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from coverage import Coverage

import jada

ROOT = Path(jada.__file__).parent.resolve()


@dataclass(frozen=True)
class Measured:
    """A module below the project's root: how many statements it has, how many of them no test ran, and their lines."""

    path: Path
    statements: int
    missing: int
    lines: str = ""

    @property
    def room(self) -> str:
        return str(self.path.parent)


def report(modules: Iterable[Measured]) -> Iterator[str]:
    """A line for each room, one for all of them, and one for each module with lines that no test ran."""
    known = sorted(modules, key=lambda module: module.path)
    for room in sorted({module.room for module in known}):
        yield _line(room, [module for module in known if module.room == room])
    yield _line("all", known)
    yield ""
    yield from (f"{module.path}: {module.lines}" for module in known if module.missing)


def _line(name: str, modules: list[Measured]) -> str:
    statements = sum(module.statements for module in modules)
    run = statements - sum(module.missing for module in modules)
    return f"{name:20} {run:6} of {statements:6} {100 * run / statements if statements else 100:6.1f} %"


def measured() -> Iterator[Measured]:
    """The modules by the data of the last run."""
    coverage = Coverage()
    coverage.load()
    for file in coverage.get_data().measured_files():
        _, statements, _, missing, lines = coverage.analysis2(file)
        yield Measured(Path(file).resolve().relative_to(ROOT), len(statements), len(missing), lines)


if __name__ == "__main__":
    sys.stdout.writelines(f"{line}\n" for line in report(measured()))
