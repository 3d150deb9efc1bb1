"""The report of `make coverage`."""

from __future__ import annotations

from pathlib import Path

from tests.coverage_by_room import Measured, report


def test_each_room_has_its_number_and_each_line_that_no_test_ran_is_named() -> None:
    modules = [
        Measured(Path("tasks/plan.py"), 10, 0),
        Measured(Path("cli/ui/console.py"), 8, 2, "3, 7"),
        Measured(Path("cli/ui/__init__.py"), 0, 0),
        Measured(Path("cli/empty/__init__.py"), 0, 0),
    ]
    assert [line.split() for line in report(modules)] == [
        ["cli/empty", "0", "of", "0", "100.0", "%"],
        ["cli/ui", "6", "of", "8", "75.0", "%"],
        ["tasks", "10", "of", "10", "100.0", "%"],
        ["all", "16", "of", "18", "88.9", "%"],
        [],
        ["cli/ui/console.py:", "3,", "7"],
    ]
