"""`jada drift` itself: whatever of its outputs fails, the others are written, and it does not pass for a check."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from jada import ConfigError, Host, JadaError
from jada.cli import session
from jada.cli.commands import drift
from jada.cli.drift import check
from jada.cli.drift.evaluate import DriftReport, EvaluatedFinding, HostDrift, Status
from jada.cli.drift.log import open_log
from jada.cli.records.sqlite import open_records
from jada.cli.session import FleetSession
from jada.inventory.fleet.config import Fleet
from jada.inventory.roles import Role
from jada.tasks import codes
from jada.tasks.checks import Finding
from jada.tasks.state import State
from tests.fakes import fake_session

Run = Callable[..., Result]


@pytest.fixture
def run(host: Callable[..., State], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """run("--json", …): the check of one host in sync; its files are in the temporary folder."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)

    @contextmanager
    def open_session(*_: object) -> Iterator[FleetSession]:
        yield fake_session({"web-1": host()})

    monkeypatch.setattr(drift, "open_session", open_session)
    return lambda *argv: CliRunner().invoke(drift.drift, argv, standalone_mode=False)


FILES = ("--junit", "drift.xml", "--sarif", "drift.sarif", "--prometheus", "drift.prom")


def corrupt(state: Path) -> None:
    (state / "jada").mkdir(parents=True)
    (state / "jada/history.db").write_bytes(b"no database at all" * 100)


def no_folder(state: Path) -> None:
    state.write_text("a file in its place")


def no_log(state: Path) -> None:
    """The record can be read, and the history of drift can't be written."""
    with open_records() as records:
        records._store.db.execute("DROP TABLE drift_check")


@pytest.mark.parametrize("broken", [corrupt, no_folder, no_log])
@pytest.mark.parametrize("form", [(), ("--json",), ("--github",)])
def test_a_record_that_is_no_good_fails_the_check_after_all_was_written(
    run: Run, tmp_path: Path, broken: Callable[[Path], None], form: tuple[str, ...]
) -> None:
    broken(tmp_path / "state")
    done = run(*form, *FILES)
    assert isinstance(done.exception, JadaError)
    assert done.exception.exit_code == 1
    assert "record" in done.exception.message
    assert all((tmp_path / name).is_file() for name in FILES[1::2])
    if form == ("--json",):
        assert json.loads(done.stdout)["hosts"][0]["host"] == "web-1"
    elif not form:
        assert done.stdout == "1 host: 1 in sync.\n"


@pytest.mark.parametrize("option", FILES[::2])
def test_a_file_that_can_not_be_written_keeps_no_other_from_it(
    run: Run, tmp_path: Path, option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    remembered: list[str] = []
    monkeypatch.setattr(check, "remember_and_tell", lambda *_: remembered.append("yes"))
    argv = list(FILES)
    argv[argv.index(option) + 1] = "nowhere/x"
    done = run(*argv)
    assert isinstance(done.exception, JadaError)
    assert "nowhere/x can't be written" in done.exception.message
    assert sum((tmp_path / name).is_file() for name in FILES[1::2]) == 2
    assert remembered == ["yes"]


@pytest.mark.parametrize("trouble", [JadaError("stdout can't be written"), BrokenPipeError()])
def test_an_answer_that_nobody_takes_keeps_the_check_from_nothing(
    run: Run, tmp_path: Path, trouble: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def show(_: object) -> None:
        raise trouble

    monkeypatch.setattr(check, "show", show)
    done = run("--sarif", "nowhere/x", "--prometheus", "drift.prom")
    assert done.exception is trouble
    assert "nowhere/x can't be written" in done.stderr
    assert (tmp_path / "drift.prom").is_file()
    assert (tmp_path / "state/jada/history.db").is_file()


def test_a_check_that_all_goes_well_with_exits_as_it_found(run: Run, tmp_path: Path) -> None:
    done = run(*FILES)
    assert (done.exception, done.return_value, done.stderr) == (None, 0, "")
    assert done.stdout == "1 host: 1 in sync.\n"


@pytest.fixture
def past(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """past("--limit", …): what was found on web-2 and web-10, which is gone; nothing ever was on web-1."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    roles = (Role("r"), Role("s"))
    monkeypatch.setattr(drift, "load", lambda _: Fleet("f", tmp_path / "fleet.yml", (), roles))
    hosts = (Host("web-1", "192.0.2.1", "static", role="s"), Host("web-2", "192.0.2.2", "static", role="r"))
    monkeypatch.setattr(session, "find_hosts", lambda *_: hosts)
    found = (EvaluatedFinding(Finding.of(codes.MODEL_ON_DISK, "claude-a", "claude-b")),)
    rows = tuple(HostDrift(name, "r", Status.DRIFTED, found) for name in ("web-10", "web-2"))
    with open_log() as log:
        log.add(DriftReport("f", datetime.now(UTC), rows, True), ())
    return lambda *argv: CliRunner().invoke(drift.drift, ("--since", "1d", *argv), standalone_mode=False)


@pytest.mark.parametrize(
    ("argv", "hosts"),
    [
        ((), ["web-2", "web-10"]),
        (("--limit", "web-10"), ["web-10"]),
        (("--limit", "web-1"), []),
        (("--limit", "web-1,web-2"), ["web-2"]),
        (("--role", "r"), ["web-2"]),
        (("--role", "s"), []),
    ],
)
def test_the_past_of_the_chosen_hosts_alone_is_told(past: Run, argv: tuple[str, ...], hosts: list[str]) -> None:
    assert [episode["host"] for episode in json.loads(past(*argv, "--json").stdout)["episodes"]] == hosts
    end = past(*argv).stdout.rpartition("this machine; ")[2]
    of_these = " on these hosts" if argv else ""
    assert end == {0: "nothing found", 1: "1 finding", 2: "2 findings"}[len(hosts)] + f"{of_these}.\n"


@pytest.mark.parametrize("argv", [("--limit", "web-2,typo"), ("--role", "typo"), ("--role", "s", "--limit", "web-2")])
def test_the_past_of_no_host_is_wrong_usage(past: Run, argv: tuple[str, ...]) -> None:
    assert isinstance(past(*argv).exception, ConfigError)
