"""Right and wrong uses that all commands about hosts share."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import jada as package
from jada import Exit, HostError
from tests.unit.cli.conftest import Jada

# Commands about the hosts of a fleet, with what each needs to be typed at least; the last takes a host by its name.
READING = [("status",), ("drift",), ("hosts",)]
CHANGING = [("upgrade", "--to", "opus-5"), ("rollback",), ("heal",)]
LOCKING = [("lock", "--reason", "why"), ("unlock",)]
CHOOSING = [*READING, *CHANGING, *LOCKING]
BY_NAME = [("explain",), ("logs",)]
IMPORT = re.compile(r"from jada\.([\w.]+) import (\([^)]*\)|[^\n]*)")
OFF = HostError("web-1 is off", "see whether it runs")


def name(argv: tuple[str, ...]) -> str:
    return argv[0]


@pytest.mark.parametrize("argv", CHOOSING, ids=name)
@pytest.mark.parametrize(
    ("option", "message"),
    [
        (("--limit", "nosuch"), "None of the 3 hosts matches --limit nosuch"),
        (("--limit", "web-1,nosuch"), "None of the 3 hosts matches --limit nosuch"),
        (("--role", "nosuch"), "fleet.yml names no role nosuch"),
        (("--limit", ""), "--limit"),
        (("--nosuch",), "No such option"),
        (("--fleet", "/nosuch/fleet.yml"), "/nosuch/fleet.yml"),
    ],
)
def test_wrong_uses_end_in_words_before_anything_is_done(
    jada: Jada, argv: tuple[str, ...], option: tuple[str, ...], message: str
) -> None:
    done = jada(*argv, *option)
    assert (done.exit, done.out) == (Exit.USAGE, "")
    assert message in done.err
    assert not any(connection.log for engine in jada.engines for connection in engine.connections.values())


@pytest.mark.parametrize("argv", BY_NAME, ids=name)
def test_a_host_that_there_is_not_is_a_wrong_use(jada: Jada, argv: tuple[str, ...]) -> None:
    done = jada(*argv, "nosuch")
    assert (done.exit, done.out) == (Exit.USAGE, "")
    assert "None of the 3 hosts matches HOST nosuch" in done.err


@pytest.mark.parametrize("argv", [*CHOOSING, *((*argv, "web-1") for argv in BY_NAME)], ids=name)
def test_a_fleet_without_hosts_or_a_fleet_yml_that_can_not_be_read_is_an_error(
    jada: Jada, argv: tuple[str, ...]
) -> None:
    jada.fleet_file.write_text("fleet: f\nsources: []\nroles: {}\n")
    done = jada(*argv)
    assert (done.exit, done.out) == (Exit.USAGE, "")
    assert "fleet.yml" in done.err
    jada.fleet_file.write_text("fleet: [")
    assert jada(*argv).exit == Exit.USAGE


@pytest.mark.parametrize("as_json", [(), ("--json",)])
def test_hosts_are_changed_without_a_question_by_yes_alone(jada: Jada, as_json: tuple[str, ...]) -> None:
    done = jada("upgrade", "--to", "opus-5", *as_json)
    assert done.exit == Exit.USAGE
    assert done.err == "Error: There is no terminal to ask at\nTry: add --yes to go on, or --dry-run to look only\n"
    assert jada.changed == []


@pytest.mark.parametrize("argv", CHANGING, ids=name)
def test_a_dry_run_changes_nothing(jada: Jada, argv: tuple[str, ...]) -> None:
    before = dict(jada.states)
    for as_json in ((), ("--json",)):
        done = jada(*argv, "--dry-run", *as_json)
        assert done.exit == Exit.OK
    assert done.json()["hosts"]
    assert (jada.changed, jada.states) == ([], before)
    assert jada("history", "--json").json()["releases"] == []


@pytest.mark.parametrize("argv", [*READING[:2], *CHANGING, *LOCKING], ids=name)
def test_one_host_that_is_off_is_told_and_fails_the_command(jada: Jada, argv: tuple[str, ...]) -> None:
    jada.states["web-1"] = OFF
    yes = ("--yes",) if argv in CHANGING else ()
    done = jada(*argv, *yes, "--json")
    assert done.exit == Exit.FAILED
    assert {row["host"] for row in done.json()["hosts"]} == {"web-1", "web-2", "db-1"}
    assert "web-1 is off" in done.out
    assert "web-1" not in jada.changed


@pytest.mark.parametrize("argv", [*CHOOSING, *((*argv, "web-2") for argv in BY_NAME)], ids=name)
def test_the_trouble_of_a_host_that_is_not_meant_is_no_matter(jada: Jada, argv: tuple[str, ...]) -> None:
    jada.states["web-1"] = OFF
    limit = () if argv[-1] == "web-2" else ("--limit", "web-2")
    yes = ("--yes",) if argv in CHANGING else ()
    assert jada(*argv, *limit, *yes).exit == Exit.OK


@pytest.mark.parametrize("argv", [*CHOOSING, ("history",), ("models",), ("explain", "web-*")], ids=name)
def test_json_has_its_form(jada: Jada, argv: tuple[str, ...]) -> None:
    yes = ("--yes",) if argv in CHANGING else ()
    assert jada(*argv, *yes, "--json").json()["fleet"] == "f"


def test_each_module_of_cli_is_imported_by_a_test() -> None:
    root = Path(package.__file__).parent
    modules = {
        ".".join(file.relative_to(root).with_suffix("").parts)
        for file in (root / "cli").rglob("*.py")
        if file.name != "__init__.py"
    }
    imported = {found for file in (root / "tests").rglob("*.py") for found in _imports(file)}
    assert modules - imported == set()


def _imports(file: Path) -> set[str]:
    """Every name that a test imports from jada, as modules are called; also in the programs that it runs."""
    found: set[str] = set()
    for module, names in IMPORT.findall(file.read_text(encoding="utf-8")):
        found |= {module, *(f"{module}.{name}" for name in re.findall(r"\w+", names))}
    return found
