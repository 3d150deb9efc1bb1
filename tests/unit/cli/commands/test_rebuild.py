"""`jada history --rebuild` of what hosts remember: each of them speaks for itself, and for no other."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from jada import Exit, HostError
from jada.cli.commands.history import read_back
from jada.cli.records.model import Entry, HostEntry, HostOutcome
from jada.cli.records.sqlite import Records, prepare
from jada.cli.records.store import LocalStore
from jada.tasks.release import Desired, Release
from jada.tasks.state import HistoryEntry
from tests.fakes import fake_session
from tests.unit.conftest import HEALTHY

ID = "20261124-120000-aaaa"
NOW = datetime(2026, 11, 24, 13, tzinfo=UTC)
MADE = Release(
    ID, "upgrade", Desired("claude-opus-5", 4096, 4096, ID), Desired("old", 0), fleet="f", role="r", who="ann@box",
    at="2026-11-24T12:00:00+00:00", reason="why",
)  # fmt: skip
ENTRY = Entry(id=ID, fleet="f", kind="upgrade", at=MADE.at, who="ann@box", reason="why", model="claude-opus-5")
VERIFIED = HostEntry(release=ID, host="a", outcome=HostOutcome.VERIFIED)


@pytest.fixture
def records() -> Iterator[Records]:
    with closing(sqlite3.connect(":memory:")) as connection:
        prepare(connection)
        yield Records(LocalStore(connection))


def rebuilt(records: Records, **releases: list[Release] | HostError) -> Exit:
    """The exit code of reading back what these hosts remember."""
    states = {
        name: past
        if isinstance(past, HostError)
        else replace(HEALTHY, history=tuple(HistoryEntry(release, "") for release in past))
        for name, past in releases.items()
    }
    return read_back(fake_session(states), records, NOW)


def hosts_of(records: Records, release: str = ID) -> list[str]:
    return [entry.host for entry in records.hosts(release)]


def test_what_hosts_agree_on_is_read_back(records: Records, capsys: pytest.CaptureFixture[str]) -> None:
    other = replace(MADE, desired=replace(MADE.desired, model="claude-haiku-4.5"))
    assert rebuilt(records, a=[MADE], b=[MADE], c=HostError("c is off")) is Exit.FAILED
    assert records.entry(ID) == ENTRY
    assert hosts_of(records) == ["a", "b"]
    assert capsys.readouterr().err == "✗ not read: c is off\nRead 1 release back from 2 hosts.\n"
    later = "20261124-123000-bbbb"
    both = [replace(release, id=later) for release in (MADE, other)]
    assert rebuilt(records, a=both[:1], b=both[1:]) is Exit.OK
    assert records.entry(later) == replace(ENTRY, id=later, model="")
    assert "Left out" not in capsys.readouterr().err


def test_a_heal_is_read_back_as_one(records: Records) -> None:
    rebuilt(records, a=[replace(MADE, kind="heal")], b=[replace(MADE, kind="heal")])
    assert records.entry(ID) == replace(ENTRY, kind="heal")


@pytest.mark.parametrize("release", ["20991231-235959-ffff", "20261124-130501-ffff"])
def test_a_release_whose_time_has_not_come_is_left_out_and_told(
    records: Records, release: str, capsys: pytest.CaptureFixture[str]
) -> None:
    forged = [replace(MADE, id=f"{release[:-2]}{number}") for number in range(10, 40)]
    assert rebuilt(records, evil=forged, b=[MADE, replace(MADE, id="20261124-130459-aaaa")]) is Exit.OK
    assert [entry.id for entry in records.entries("f", None, 99)] == ["20261124-130459-aaaa", ID]
    output = capsys.readouterr().err
    assert f"Left out of evil, because its time has not come: {forged[0].id}, {forged[1].id}, {forged[2].id}" in output
    assert "and 27 more" in output
    assert "Read 2 releases back" in output


@pytest.mark.parametrize("fleet", ["other", "", "\x1b[2J"])
def test_a_word_about_another_fleet_is_left_out_and_told(
    records: Records, fleet: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Under a real id: else the entry of all would be of that fleet, and this one would have lost it."""
    rebuilt(records, evil=[replace(MADE, fleet=fleet)], b=[MADE])
    assert records.entry(ID) == ENTRY
    assert list(records.released("f")) == ["b"]
    assert f"Left out of evil, because it is of another fleet: {ID}\n" in capsys.readouterr().err


def test_no_host_adds_itself_to_another_fleets_release(records: Records, capsys: pytest.CaptureFixture[str]) -> None:
    """Even if it says that it is of this fleet."""
    records.add(replace(ENTRY, fleet="prod"), [replace(VERIFIED, host="p")])
    rebuilt(records, evil=[MADE])
    assert list(records.released("prod")) == ["p"]
    assert records.entries("f", None, 9) == []
    assert "another fleet" in capsys.readouterr().err


def test_an_entry_of_this_machine_stays_whatever_all_hosts_say(records: Records) -> None:
    kept = replace(ENTRY, kind="heal", who="bob@ops")
    records.add(kept, [VERIFIED, replace(VERIFIED, host="b", outcome=HostOutcome.IN_PROGRESS)])
    rebuilt(records, **{name: [replace(MADE, who="eve")] for name in "abc"})
    assert records.entry(ID) == kept
    assert [entry.outcome for entry in records.hosts(ID)] == ["verified", "done", "done"]


@pytest.mark.parametrize("forged", [{"who": "eve@box"}, {"reason": "x"}, {"kind": "rollback"}, {"at": ""}])
@pytest.mark.parametrize("order", ["evil-first", "evil-last"])
def test_where_hosts_differ_most_of_them_count_and_it_is_told(
    records: Records, forged: dict[str, Any], order: str, capsys: pytest.CaptureFixture[str]
) -> None:
    remembered: dict[str, list[Release] | HostError] = {"evil": [replace(MADE, **forged)], "b": [MADE], "c": [MADE]}
    rebuilt(records, **dict(remembered.items() if order == "evil-first" else reversed(remembered.items())))
    assert records.entry(ID) == ENTRY
    assert hosts_of(records) == ["b", "c"]
    assert f"Left out of evil, because most hosts tell otherwise of it: {ID}\n" in capsys.readouterr().err


def test_where_as_many_say_one_thing_as_another_nobody_is_believed(
    records: Records, capsys: pytest.CaptureFixture[str]
) -> None:
    rebuilt(records, a=[replace(MADE, who="eve")], b=[MADE])
    assert records.entry(ID) is None
    output = capsys.readouterr().err
    assert output.count("because hosts differ on it, and none is in the majority") == 2
    assert "Read 0 releases" in output


def test_one_manifest_twice_is_one_word(records: Records) -> None:
    """A host may keep the same id in two folders."""
    rebuilt(records, evil=[replace(MADE, who="eve")] * 3, b=[MADE], c=[MADE])
    assert records.entry(ID) == ENTRY


BACK = Desired("claude-opus-5", 4096, 4096, "20261124-110000-aaaa")
UNDO = Release(ID, "rollback", BACK, Desired("old", 0), fleet="f", at=MADE.at)
FORWARD = replace(UNDO, redoes="20261124-110000-aaaa")


@pytest.mark.parametrize(
    ("remembered", "kind"),
    [
        ({"a": [UNDO], "b": [UNDO]}, "rollback"),
        ({"a": [FORWARD], "b": [FORWARD]}, "redo"),
        # By one `jada rollback --to`.
        ({"a": [FORWARD], "b": [UNDO]}, "rollback"),
        ({"a": [replace(MADE, redoes=ID)], "b": [MADE]}, "upgrade"),
    ],
)
def test_a_rollback_that_went_forward_again_is_read_back_as_that(
    records: Records, remembered: dict[str, list[Release] | HostError], kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    rebuilt(records, **remembered)
    assert hosts_of(records) == ["a", "b"]
    (entry,) = records.entries("f", None, 9)
    assert entry.kind == kind
    assert "Left out" not in capsys.readouterr().err
