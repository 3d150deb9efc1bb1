"""Wrong uses of jada: each ends as one sentence, a hint and an exit code, which docs/wrong-uses.md lists.

`JADA_WRITE_DOCS=1 pytest tests/unit/cli/test_wrong_uses.py` writes the present ones into wrong_uses.yml, to be read
before they are kept; `make docs` makes the page of them.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from jada import Exit
from jada.cli.records.sqlite import state_folder
from jada.cli.rollout import exclusive
from jada.inventory.lease import Holder
from jada.tasks.operator_lock import OperatorLock
from jada.tasks.state import State
from tests.fakes import FLEET as NAMED
from tests.unit.cli.conftest import Done, Jada

FILE = Path(__file__).with_name("wrong_uses.yml")
GROUPS: list[dict[str, Any]] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
USES: list[dict[str, Any]] = [use for group in GROUPS for use in group["uses"]]
# The working folder, as the page calls it.
FOLDER = "/etc/jada"
WRITES = bool(os.environ.get("JADA_WRITE_DOCS"))
MOMENT = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(?::\d\d)?(?: UTC|[+-]\d\d:\d\d)?")
ENDS = re.compile(r"^Error: (.+?)(?:\nTry: (.+))?\n\Z", re.DOTALL | re.MULTILINE)
BIN = Path(sys.executable).parent
WORD = re.compile(r"([A-Z_]+)=(.*)")
ANN = Holder("ann@ops", "2026-11-26T11:00:00+00:00", "upgrade, release 20261126-110000-aaaa", 4711, "r1")

Given = Callable[[Jada], AbstractContextManager[None]]


def writes(name: str, text: str) -> Given:
    """A file of the working folder has this text."""

    def write(jada: Jada) -> AbstractContextManager[None]:
        jada.fleet_file.with_name(name).write_text(text)
        return nullcontext()

    return write


def changed_fleet(fleet: Callable[[str], str]) -> Given:
    def change(jada: Jada) -> AbstractContextManager[None]:
        jada.fleet_file.write_text(fleet(jada.fleet_file.read_text()))
        return nullcontext()

    return change


def no_fleet(jada: Jada) -> AbstractContextManager[None]:
    jada.fleet_file.unlink()
    return use_environ(JADA_FLEET=None)


def link_to_itself(jada: Jada) -> AbstractContextManager[None]:
    jada.fleet_file.unlink()
    jada.fleet_file.symlink_to("fleet.yml")
    return nullcontext()


def plan_made(jada: Jada) -> AbstractContextManager[None]:
    assert jada("plan", "--to", "opus-5", "-o", "opus.plan").exit == Exit.OK
    return nullcontext()


def plan_edited(jada: Jada) -> AbstractContextManager[None]:
    plan_made(jada)
    file = jada.fleet_file.with_name("opus.plan")
    file.write_text(file.read_text().replace("claude-opus-5", "claude-opus-4-6"))
    return nullcontext()


def plan_of_another(jada: Jada) -> AbstractContextManager[None]:
    plan_made(jada)
    jada.fleet_file.write_text(jada.fleet_file.read_text().replace("fleet: f", "fleet: staging"))
    return nullcontext()


def plan_outdated(jada: Jada) -> AbstractContextManager[None]:
    plan_made(jada)
    state = jada.states["web-1"]
    assert isinstance(state, State)
    jada.states["web-1"] = replace(state, instance="i-0bad")
    return nullcontext()


@contextmanager
def other_upgrade(_: Jada) -> Iterator[None]:
    with exclusive.exclusive_rollout(NAMED, ANN):
        yield


def lock_of_ann(jada: Jada) -> AbstractContextManager[None]:
    lock = OperatorLock("ann@ops", "2026-11-26T11:00:00+00:00", "", "incident 4711")
    jada.states.update(
        {name: replace(state, operator_lock=lock) for name, state in jada.states.items() if isinstance(state, State)}
    )
    return nullcontext()


def freeze_on(jada: Jada) -> AbstractContextManager[None]:
    begun = datetime.now(UTC) - timedelta(minutes=5)
    window = f'freeze: [{{cron: "{begun.minute} {begun.hour} * * *", for: 5h, reason: the fair}}]\n'
    return changed_fleet(lambda fleet: fleet + window)(jada)


def record(make: Callable[[Path], object]) -> Given:
    def put(_: Jada) -> AbstractContextManager[None]:
        make(state_folder() / "history.db")
        return nullcontext()

    return put


def no_place(jada: Jada) -> AbstractContextManager[None]:
    jada.fleet_file.with_name("state").write_text("")
    return nullcontext()


def no_release(jada: Jada) -> AbstractContextManager[None]:
    jada.states.update(
        {
            name: replace(state, release=None, history=())
            for name, state in jada.states.items()
            if isinstance(state, State)
        }
    )
    return nullcontext()


@contextmanager
def use_environ(**environ: str | None) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environ.items():
            patch.delenv(name, raising=False) if value is None else patch.setenv(name, value)
        yield


def no_credentials(_: Jada) -> AbstractContextManager[None]:
    return use_environ(AWS_EC2_METADATA_DISABLED="true", AWS_ACCESS_KEY_ID=None, AWS_SECRET_ACCESS_KEY=None)


GIVEN: dict[str, Given] = {
    "nothing was changed yet": no_release,
    "opus.plan is there": plan_made,
    "opus.plan was edited": plan_edited,
    "opus.plan is of another fleet": plan_of_another,
    "web-1 has changed since opus.plan was made": plan_outdated,
    "another upgrade runs": other_upgrade,
    "ann has locked the fleet": lock_of_ann,
    "a freeze is on": freeze_on,
    "there is no fleet.yml": no_fleet,
    "fleet.yml is empty": writes("fleet.yml", ""),
    "fleet.yml is half a file": changed_fleet(lambda fleet: fleet[: fleet.index("address") + 3]),
    "fleet.yml is a link to itself": link_to_itself,
    "there are no AWS credentials": no_credentials,
    "the record is no database": record(lambda path: path.write_text("not a database, however long it may be" * 9)),
    "the record is a folder": record(Path.mkdir),
    "the place of the record can't be written": no_place,
}


def use_fleet(jada: Jada, written: str) -> None:
    """Puts keys of fleet.yml in the place of those that it has."""
    key = written.partition(":")[0]
    sections = re.split(r"(?m)^(?=\w)", jada.fleet_file.read_text())
    rest = [section for section in sections if section and not section.startswith(f"{key}:")]
    jada.fleet_file.write_text("".join(rest) + written + "\n")


def typed(jada: Jada, line: str) -> Done:
    """Runs the one command of a line, with the variables before it, without a shell."""
    words = shlex.split(line)
    at = words.index("jada")
    with use_environ(**{match[1]: match[2] for word in words[:at] if (match := WORD.fullmatch(word))}):
        return jada(*words[at + 1 :])


def typed_in_shell(jada: Jada, line: str) -> Done:
    environ = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "LANG": "C.UTF-8"}
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False, env=environ)
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module", autouse=True)
def _written() -> Iterator[None]:
    """Writes what was said into the table, where somebody asks for that."""
    yield
    if WRITES:
        FILE.write_text(yaml.safe_dump(GROUPS, sort_keys=False, allow_unicode=True, width=1000), encoding="utf-8")


@pytest.mark.parametrize("use", USES, ids=lambda use: f"{use['typed']} {use.get('given') or use.get('fleet', '')}")
def test_a_wrong_use_ends_in_a_sentence_and_a_hint(
    jada: Jada, use: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    if "fleet" in use:
        use_fleet(jada, use["fleet"])
    with GIVEN[use["given"]](jada) if "given" in use else nullcontext():
        done = (typed_in_shell if use.get("in_shell") else typed)(jada, use["typed"])
    said = MOMENT.sub("…", done.err.replace(str(tmp_path), FOLDER))
    if WRITES:
        for name in ("error", "try"):
            use.pop(name, None)
        use |= {"exit": int(done.exit)} | parts(said)
    assert done.exit == use["exit"]
    assert parts(said) == {name: use[name] for name in ("error", "try") if name in use}
    if "says" in use:
        assert use["says"] in done.out


def parts(said: str) -> dict[str, str]:
    """The error and the hint, with which stderr ends."""
    found = ENDS.search(said)
    return {name: text for name, text in zip(("error", "try"), found.groups(), strict=True) if text} if found else {}


def test_each_is_of_its_own_and_there_are_enough_of_them() -> None:
    assert len(USES) >= 60
    assert len({(use["typed"], use.get("given"), use.get("fleet")) for use in USES}) == len(USES)
    assert {use["given"] for use in USES if "given" in use} == GIVEN.keys()
    assert all(("says" in use) != ("error" in use) for use in USES)
    assert all("try" in use or "says" in use or "fleet" in use for use in USES)
    assert not any(use.get("error", "").endswith(".") for use in USES)
