"""`jada history`: of which hosts it tells."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from jada import ConfigError, Host
from jada.cli import session
from jada.cli.commands import history
from jada.cli.records.model import Entry, HostEntry, HostOutcome, LockEntry
from jada.cli.records.sqlite import open_records
from jada.inventory.fleet.config import Fleet
from jada.inventory.roles import Role

FLEET = Fleet("f", Path("fleet.yml"), (), (Role("web"), Role("db")))
FIRST, SECOND = "20261124-120000-aaaa", "20261124-130000-bbbb"
# web-2 and db-1 are gone by now.
HOSTS = (Host("web-1", "192.0.2.1", "static", role="web"), Host("new-1", "192.0.2.9", "static", role="db"))


@pytest.fixture
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(history, "load", lambda _: FLEET)
    monkeypatch.setattr(session, "find_hosts", lambda *_: HOSTS)
    with open_records() as records:
        for release, names in ((FIRST, ("web-1", "web-2", "db-1")), (SECOND, ("db-1",))):
            at = f"2026-11-24T{release[9:11]}:00:00+00:00"
            entry = Entry(id=release, fleet="f", kind="upgrade", at=at, who="ann@ops", reason="", model="claude-opus-5")
            verified = HostOutcome.VERIFIED
            records.add(entry, [HostEntry(release=release, host=name, outcome=verified) for name in names])


@pytest.mark.parametrize(
    ("argv", "counts"),
    [
        ((), {SECOND: 1, FIRST: 3}),
        (("--limit", "web-*"), {FIRST: 2}),
        (("--limit", "web-1, db-*"), {SECOND: 1, FIRST: 2}),
        (("--host", "web-2"), {FIRST: 1}),
        (("--host", "web-2", "--limit", "db-*"), {}),
        (("--role", "web"), {FIRST: 1}),
        (("--role", "db"), {}),
        (("--role", "web", "--limit", "web-1"), {FIRST: 1}),
        (("--limit", "db-1", "--last", "1"), {SECOND: 1}),
        (("--limit", "new-1"), {}),
        (("--limit", "new-*,db-1"), {SECOND: 1, FIRST: 1}),
        (("--host", "new-1"), {}),
    ],
)
def test_it_tells_of_the_chosen_hosts_alone(recorded: None, argv: tuple[str, ...], counts: dict[str, int]) -> None:
    done = CliRunner().invoke(history.history, [*argv, "--json"], standalone_mode=False)
    assert done.exception is None
    assert {row["release"]: sum(row["outcomes"].values()) for row in json.loads(done.stdout)["releases"]} == counts


def test_that_nothing_is_told_of_them_is_said(recorded: None) -> None:
    done = CliRunner().invoke(history.history, ["--limit", "new-1"], standalone_mode=False)
    assert done.stdout == "Nothing of these hosts is recorded for f here. Try: jada history --rebuild\n"


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("--limit", "web-1,typo"), "None of the 2 hosts matches --limit typo"),
        (("--limit", "typo-*"), "None of the 2 hosts matches --limit typo-*"),
        (("--role", "web", "--limit", "db-1"), "None of the 1 host of role web matches --limit db-1"),
        (("--role", "typo"), "fleet.yml names no role typo"),
        (("--host", "typo"), "None of the 2 hosts matches --host typo"),
        (("--host", "web-*"), "None of the 2 hosts matches --host web-[*]"),
        (("--host", "typo", "--limit", "web-1"), "None of the 2 hosts matches --host typo"),
    ],
)
def test_a_name_that_neither_the_record_nor_the_fleet_knows_is_wrong_usage(
    recorded: None, argv: tuple[str, ...], message: str
) -> None:
    done = CliRunner().invoke(history.history, argv, standalone_mode=False)
    assert isinstance(done.exception, ConfigError)
    assert done.exception.message == message


def test_for_hosts_that_are_recorded_no_cloud_is_asked(recorded: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "find_hosts", lambda *_: pytest.fail("asked"))
    done = CliRunner().invoke(history.history, ["--limit", "web-*,db-1", "--host", "web-2"], standalone_mode=False)
    assert done.exception is None


def test_hosts_stand_in_the_order_in_which_people_count(recorded: None) -> None:
    lock = LockEntry(
        fleet="f",
        at="2026-11-24T12:00:00+00:00",
        host="",
        kind="lock",
        who="ann@ops",
        reason="why",
        until="",
        before="",
    )
    with open_records() as records:
        records.add_locks(replace(lock, host=f"web-{number}") for number in (10, 9, 11))
    done = CliRunner().invoke(history.history, ["--json"], standalone_mode=False)
    assert json.loads(done.stdout)["locks"][0]["hosts"] == [{"host": f"web-{number}"} for number in (9, 10, 11)]
