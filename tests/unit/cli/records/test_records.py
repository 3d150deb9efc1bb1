"""The record: what a million entries must not slow down, and what no host and no broken file may do to it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jada import JadaError, Service, Tiers
from jada.cli.records import sqlite as module
from jada.cli.records.migrations import VERSION
from jada.cli.records.model import ComparisonEntry, Entry, HostEntry, HostOutcome, RolloutEntry, ServedEntry
from jada.cli.records.rows import write
from jada.cli.records.sqlite import Records, open_records, prepare
from jada.cli.records.store import LocalStore
from jada.cli.rollout.exclusive import LockedError, exclusive_rollout
from jada.cli.rollout.options import RolloutOptions
from jada.cli.rollout.run import run_rollout
from jada.inventory.lease import Holder
from jada.tasks import plan
from jada.tasks.plan import Request
from jada.tasks.state import State
from tests.fakes import FLEET, fake_session
from tests.unit.conftest import back_alone

ENTRY = Entry(
    id="20261124-120000-aaaa",
    fleet="f",
    kind="upgrade",
    at="2026-11-24T12:00:00+00:00",
    who="ann@box",
    reason="",
    model="claude-opus-5",
)
HOST = HostEntry(
    release=ENTRY.id,
    host="a",
    outcome=HostOutcome.VERIFIED,
    model_before="old",
    model_after="claude-opus-5",
    seconds=1.5,
)


@pytest.fixture
def database() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as connection:
        prepare(connection)
        yield connection


def test_every_query_is_answered_from_an_index_and_sorts_nothing(database: sqlite3.Connection) -> None:
    records = Records(LocalStore(database))
    records.add(ENTRY, [HOST])
    asked: list[str] = []
    database.set_trace_callback(asked.append)
    records.entries("f", None, 20)
    records.entries("f", ("a",), 20)
    records.entry(ENTRY.id)
    records.hosts(ENTRY.id)
    records.outcomes(ENTRY.id)
    records.since("f", datetime(2026, 11, 1, tzinfo=UTC))
    records.locks("f", None)
    records.locks("f", ("a",))
    records.comparison("f", "canary")
    records.served("f", "canary")
    database.set_trace_callback(None)
    assert len(asked) == 10
    for query in asked:
        steps = [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {query}")]
        assert not [step for step in steps if step.startswith("SCAN") and "json_each" not in step], (query, steps)
        # Outcomes are counted and sorted within one release, never over the whole record.
        sorted_here = [step for step in steps if "TEMP B-TREE" in step]
        assert not sorted_here or "GROUP BY outcome" in query, (query, steps)


def test_a_comparison_stays_as_it_was_set_up(database: sqlite3.Connection) -> None:
    records = Records(LocalStore(database))
    first = ComparisonEntry(
        fleet="f", subject="canary", alpha=0.05, margin=0.02, since=1.5, at="2026-11-24T12:00:00+00:00", who="ann@box"
    )
    assert records.comparison("f", "canary") is None
    assert records.begin_comparison(first) == first
    assert records.begin_comparison(replace(first, alpha=0.5, who="eve@box")) == first
    assert records.comparison("f", "canary") == first
    assert records.begin_comparison(replace(first, fleet="other", alpha=0.1)).alpha == 0.1


def test_what_was_counted_replaces_what_was_known_of_the_same_process(database: sqlite3.Connection) -> None:
    records = Records(LocalStore(database))
    entry = ServedEntry(
        fleet="f", subject="", host="a", process="boot:1", release=ENTRY.id, model="m", counted_until=1.25, requests=7
    )
    other = replace(entry, process="boot:2")
    records.add_served([entry, other, replace(entry, subject="canary")])
    records.add_served([replace(entry, requests=9, counted_until=2.5)])
    assert records.served("f", "") == [replace(entry, requests=9, counted_until=2.5), other]
    assert records.served("f", "canary") == [replace(entry, subject="canary")]


def test_entries_come_newest_first_for_a_fleet_or_a_host(database: sqlite3.Connection) -> None:
    records = Records(LocalStore(database))
    for number in range(5):
        entry = replace(ENTRY, id=f"20261124-12000{number}-aaaa", fleet="f" if number < 4 else "other")
        hosts = [replace(HOST, release=entry.id, host=name) for name in ("ab" if number % 2 else "a")]
        records.add(entry, hosts)
    assert [entry.id[14] for entry in records.entries("f", None, 3)] == ["3", "2", "1"]
    assert [entry.id[14] for entry in records.entries("f", ("b",), 3)] == ["3", "1"]


def test_entries_since_a_moment_come_oldest_first(database: sqlite3.Connection) -> None:
    records = Records(LocalStore(database))
    for number in range(4):
        records.add(replace(ENTRY, id=f"20261124-12000{number}-aaaa"), [])
    records.add(replace(ENTRY, id="20261124-120003-bbbb", fleet="other"), [])
    found = records.since("f", datetime(2026, 11, 24, 12, 0, 2, 999, tzinfo=UTC))
    assert [entry.id[14] for entry in found] == ["2", "3"]


def test_the_next_release_comes_behind_one_by_a_clock_that_is_ahead(database: sqlite3.Connection) -> None:
    records, now = Records(LocalStore(database)), datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
    assert records.next_moment("f", now) == now
    records.add(replace(ENTRY, id="20261124-115900-aaaa"), [])
    assert records.next_moment("f", now) == now
    records.add(replace(ENTRY, id="20261124-120310-aaaa"), [])
    assert records.next_moment("f", now) == datetime(2026, 11, 24, 12, 3, 11, tzinfo=UTC)
    assert records.next_moment("another", now) == now
    # Nobody's clock is ahead by a day.
    records.add(replace(ENTRY, id="20261125-120000-aaaa"), [])
    assert records.next_moment("f", now) == datetime(2026, 11, 24, 12, 3, 11, tzinfo=UTC)


def test_an_open_rollout_comes_first_whatever_the_clock_of_who_began_it(database: sqlite3.Connection) -> None:
    records = Records(LocalStore(database))
    for release, status in (("20261124-120000-aaaa", "done"), ("20261124-115000-aaaa", "running")):
        records.begin_rollout(
            RolloutEntry(
                release=release, fleet="f", status=status, why="", wave=0, baking=0, values_json="{}", asked="",
                asked_by="", updated="",
            )
        )  # fmt: skip
    assert [entry.release[9:13] for entry in records.rollouts("f", 9)] == ["1150", "1200"]


def test_the_outcome_replaces_that_it_began(database: sqlite3.Connection) -> None:
    records, begun = Records(LocalStore(database)), HostOutcome.IN_PROGRESS
    records.add(ENTRY, [replace(HOST, outcome=begun), replace(HOST, host="b", outcome=begun)])
    records.update([HOST])
    assert [host.outcome for host in records.hosts(ENTRY.id)] == [HostOutcome.VERIFIED, begun]
    assert records.outcomes(ENTRY.id) == {HostOutcome.VERIFIED: 1, begun: 1}
    assert records.entry("20261124-120000-bbbb") is None


FORGED = [
    {"id": "[/x]"},
    {"id": "99999999-999999-aaaa"},
    {"id": ""},
    {"id": "20260231-120000-aaaa"},
    {"kind": "[/red]"},
    {"kind": ""},
]


@pytest.mark.parametrize("forged", FORGED, ids=str)
def test_no_forged_entry_is_written(database: sqlite3.Connection, forged: dict[str, str]) -> None:
    entry = replace(ENTRY, **forged)
    with pytest.raises(JadaError):
        Records(LocalStore(database)).add(entry, [replace(HOST, release=entry.id)])
    assert Records(LocalStore(database)).entries("f", None, 20) == []


@pytest.mark.parametrize("forged", FORGED, ids=str)
def test_a_forged_entry_of_an_older_jada_is_passed_over(database: sqlite3.Connection, forged: dict[str, str]) -> None:
    records = Records(LocalStore(database))
    records.add(ENTRY, [HOST])
    entry = replace(ENTRY, id="20261124-120000-bbbb")
    with database:
        write(database, "release", [replace(entry, **forged)])
        insert = "INSERT INTO result (release, host, outcome, detail, model_before, model_after, seconds) "
        database.execute(f"{insert} VALUES (?, ?, ?, ?, ?, ?, ?)", ("zzz", "a", b"\xff", "", "", "", "x"))
        database.execute(f"{insert} VALUES (?, ?, ?, ?, ?, ?, ?)", (ENTRY.id, "b", "[/x]", 1, "", "", 1))
    assert records.entries("f", None, 20) == [ENTRY]
    assert records.since("f", datetime(2026, 1, 1, tzinfo=UTC)) == [ENTRY]
    assert (records.hosts("zzz"), records.outcomes("zzz")) == ([], {})
    assert (records.hosts(ENTRY.id), records.outcomes(ENTRY.id)) == ([HOST], {"verified": 1})
    assert records.released("f") == {"a": HOST}


def test_the_last_release_before_a_moment_is_that_of_each_host(database: sqlite3.Connection) -> None:
    records = Records(LocalStore(database))
    later = replace(ENTRY, id="20261125-120000-bbbb")
    failed = replace(HOST, release="20261124-130000-cccc", outcome=HostOutcome.ROLLED_BACK)
    records.add(ENTRY, [HOST, replace(HOST, host="b")])
    records.add(replace(ENTRY, id=failed.release), [failed])
    records.add(later, [replace(HOST, release=later.id)])
    midnight = datetime(2026, 11, 25, tzinfo=UTC)
    assert records.released("f", midnight) == {"a": HOST, "b": replace(HOST, host="b")}
    assert records.released("f", midnight - timedelta(days=1)) == {}
    assert records.released("f")["a"].release == later.id


@pytest.mark.parametrize("at", ["yesterday", "", "0001-01-01T00:00:00+00:00", "2026-11-24T12:00:00", "\x1b[2J"])
def test_a_time_that_can_not_be_is_the_ids(database: sqlite3.Connection, at: str) -> None:
    records = Records(LocalStore(database))
    records.add(replace(ENTRY, at=at), [HOST])
    assert records.entries("f", None, 20) == [ENTRY]
    with database:
        database.execute("UPDATE release SET at = ?", (at,))
    assert records.entries("f", None, 20) == [ENTRY]


def test_texts_are_kept_on_one_line_and_of_bounded_length(database: sqlite3.Connection) -> None:
    records = Records(LocalStore(database))
    records.add(
        replace(ENTRY, who="a\n::error::", reason="\ud800" + "x" * 9000, model="\x1b[2J"),
        [replace(HOST, detail="\r", seconds=float("nan"), model_before="\u202e")],
    )
    (entry,) = records.entries("f", None, 20)
    assert (entry.who, entry.model) == (r"a\n::error::", r"\x1b[2J")
    assert entry.reason.startswith(r"\ud800xxx")
    assert len(entry.reason) == 2000
    assert records.hosts(ENTRY.id) == [replace(HOST, detail=r"\r", seconds=0.0, model_before=r"\u202e")]


def corrupt(file: Path) -> None:
    file.write_bytes(b"not a database" * 100)


def newer(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")


def otherwise(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE release (id TEXT)")


def folder(file: Path) -> None:
    file.mkdir()


def no_folder(file: Path) -> None:
    file.parent.rmdir()
    file.parent.write_text("a file in its place")


BROKEN = [corrupt, newer, otherwise, folder, no_folder]


def held(file: Path) -> sqlite3.Connection:
    """A connection that keeps everybody else from writing."""
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    return connection


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_record_is_told_in_one_sentence(file: Path, broken: Callable[[Path], None]) -> None:
    broken(file)
    with pytest.raises(JadaError, match="record"), open_records() as records:
        records.add(ENTRY, [HOST])


def test_a_newer_record_is_left_as_it_is(file: Path) -> None:
    newer(file)
    before = file.read_bytes()
    with pytest.raises(JadaError, match="newer jada") as caught, open_records():
        pass
    assert (caught.value.hint, caught.value.exit_code) == ("update the jada of this machine", 1)
    assert file.read_bytes() == before


def test_a_record_that_is_held_keeps_a_rollback_only_for_a_moment(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "BUSY_TIMEOUT_BACK", 0)
    with open_records():
        pass
    with closing(held(file)), open_records(needed=False) as records:
        records.add(ENTRY, [HOST])
    assert "Not recorded here" in capsys.readouterr().err


def test_no_home_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", lambda: (_ for _ in ()).throw(RuntimeError("no home")))
    with pytest.raises(JadaError, match="no home folder"):
        module.state_folder()


REQUEST = Request("20261124-130000-bbbb", "f", "ann@box", "2026-11-24T13:00:00+00:00", 4096)
SERVICE = Service()


def rolled(kind: str, state: State, force: bool = False) -> int:
    """The exit code of a rollout to one host that does as it is told."""
    request = replace(REQUEST, force=force)

    def planner(_: str, seen: State) -> plan.Plan:
        if kind == "rollback":
            return back_alone(request, seen, SERVICE)
        return plan.upgrade(request, "r", Tiers("claude-opus-5"), seen, SERVICE)

    states = {"web-1": state}
    options = RolloutOptions(yes=True, dry_run=False, as_json=False, verbose=False)
    return run_rollout(fake_session(states), request, planner, kind=kind, title="t", options=options, seen=states)


@pytest.mark.parametrize("broken", BROKEN)
def test_no_broken_record_stops_the_way_back(
    file: Path, broken: Callable[[Path], None], host: Callable[..., State], capsys: pytest.CaptureFixture[str]
) -> None:
    """An upgrade is refused there before anything is done."""
    broken(file)
    assert rolled("rollback", host()) == 0
    output = capsys.readouterr()
    assert "web-1 verified" in output.out
    assert "Not recorded here" in output.err
    with pytest.raises(JadaError):
        rolled("upgrade", host())


def test_a_rollback_is_recorded_where_it_can_be(
    file: Path, host: Callable[..., State], capsys: pytest.CaptureFixture[str]
) -> None:
    assert rolled("rollback", host()) == 0
    # The line of its host alone.
    assert capsys.readouterr().err.count("\n") == 1
    with open_records() as records:
        assert [(entry.id, entry.kind) for entry in records.entries("f", None, 9)] == [(REQUEST.id, "rollback")]
        assert records.outcomes(REQUEST.id) == {"verified": 1}


def test_a_second_rollout_is_locked_out_and_told_by_whom(file: Path) -> None:
    with (
        exclusive_rollout(FLEET, Holder("ann")),
        pytest.raises(LockedError, match="locked by ann"),
        exclusive_rollout(FLEET, Holder("bob")),
    ):
        pass
    with (
        exclusive_rollout(FLEET, Holder("ann")),
        pytest.raises(LockedError),
        exclusive_rollout(FLEET, Holder("bob"), needed=False),
    ):
        pass
    with (
        exclusive_rollout(FLEET, Holder("\udcff")),
        pytest.raises(LockedError),
        exclusive_rollout(FLEET, Holder("bob")),
    ):
        pass


def test_another_jada_that_hangs_stops_no_rollback_by_force(
    file: Path, host: Callable[..., State], capsys: pytest.CaptureFixture[str]
) -> None:
    """The lock of each host still lets one change run at a time; without force the hint says what goes on."""
    with exclusive_rollout(FLEET, Holder("ann\x1b[2J")):
        for kind in ("rollback", "upgrade"):
            with pytest.raises(LockedError, match="locked by ann") as caught:
                rolled(kind, host())
            assert caught.value.exit_code == 5
            assert "jada rollback --force" in caught.value.hint
        capsys.readouterr()
        assert rolled("rollback", host(), force=True) == 0
    output = capsys.readouterr()
    assert r"Not locked here: f is locked by ann\x1b[2J, which is running on this machine now. Each" in output.err
    assert "web-1 verified" in output.out


@pytest.mark.parametrize("name", ["f", "x" * 300])
def test_a_lock_that_can_not_be_had_stops_an_upgrade_and_no_rollback(
    file: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file.with_name("f.lock").mkdir()
    with pytest.raises(JadaError, match="can't be taken"), exclusive_rollout(replace(FLEET, name=name), Holder("ann")):
        pass
    with exclusive_rollout(replace(FLEET, name=name), Holder("ann"), needed=False):
        pass
    assert "Not locked here" in capsys.readouterr().err
