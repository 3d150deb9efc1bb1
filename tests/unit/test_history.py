"""`jada history`: of which hosts it tells."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from jada import Host
from jada.cli.commands import history
from jada.cli.records.model import Entry, HostEntry, HostOutcome
from jada.cli.records.sqlite import open_records
from jada.inventory.fleet.config import Fleet

FLEET = Fleet("f", Path("fleet.yml"), (), ())
FIRST, SECOND = "20261124-120000-aaaa", "20261124-130000-bbbb"


@pytest.fixture
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(history, "load", lambda _: FLEET)
    hosts = (Host("web-1", "192.0.2.1", "static", role="web"),)
    monkeypatch.setattr(history, "find", lambda _config, role, _limit: hosts if role == "web" else ())
    with open_records() as records:
        for release, names in ((FIRST, ("web-1", "web-2", "db-1")), (SECOND, ("db-1",))):
            at = f"2026-11-24T{release[9:11]}:00:00+00:00"
            entry = Entry(id=release, fleet="f", kind="upgrade", at=at, who="ann@ops", reason="", model="claude-opus-5")
            verified = HostOutcome.VERIFIED
            records.add(entry, [HostEntry(release=release, host=name, outcome=verified) for name in names])


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        ((), {SECOND: 1, FIRST: 3}),
        (("--limit", "web-*"), {FIRST: 2}),
        (("--limit", "web-1, db-*"), {SECOND: 1, FIRST: 2}),
        (("--host", "web-2"), {FIRST: 1}),
        (("--host", "web-2", "--limit", "db-*"), {}),
        (("--role", "web"), {FIRST: 1}),
        (("--role", "db"), {}),
        (("--limit", "db-1", "--last", "1"), {SECOND: 1}),
    ],
)
def test_it_tells_of_the_chosen_hosts_alone(recorded: None, argv: tuple[str, ...], told: dict[str, int]) -> None:
    done = CliRunner().invoke(history.history, [*argv, "--json"], standalone_mode=False)
    assert done.exception is None
    assert {one["id"]: sum(one["hosts"].values()) for one in json.loads(done.stdout)["releases"]} == told


def test_that_nothing_is_told_of_them_is_said(recorded: None) -> None:
    done = CliRunner().invoke(history.history, ["--limit", "nope"], standalone_mode=False)
    assert done.stdout == "Nothing of these hosts is recorded for f here. Try: jada history --rebuild\n"
