"""`jada rollback`, from what is typed to what was changed."""

from __future__ import annotations

from pathlib import Path

from jada import Exit
from tests.unit.cli.conftest import Jada


def test_the_last_change_is_undone_once(jada: Jada) -> None:
    assert jada("upgrade", "--to", "opus-5", "--limit", "web-*", "--yes").exit == Exit.OK
    report = jada("rollback", "--yes", "--json").json()
    assert {row["host"]: row["outcome"] for row in report["hosts"]} == {
        "web-1": "verified", "web-2": "verified", "db-1": "unchanged",
    }  # fmt: skip
    again = jada("rollback", "--yes")
    assert again.exit == Exit.OK
    assert "Nothing to undo" in again.out


def test_a_host_that_answers_late_keeps_nobody_waiting_and_goes_back_too(jada: Jada) -> None:
    assert jada("upgrade", "--to", "opus-5", "--yes").exit == Exit.OK
    jada.slow.add("web-1")
    report = jada("rollback", "--yes", "--json").json()
    assert {row["host"]: row["outcome"] for row in report["hosts"]} == {
        "web-1": "verified", "web-2": "verified", "db-1": "verified",
    }  # fmt: skip


def test_a_late_host_whose_last_change_was_another_stays_as_it_is(jada: Jada) -> None:
    assert jada("upgrade", "--to", "opus-5", "--limit", "web-2", "--yes").exit == Exit.OK
    jada.slow.add("web-1")
    report = jada("rollback", "--yes", "--json").json()
    assert {row["host"]: row["outcome"] for row in report["hosts"]} == {
        "web-1": "unchanged", "web-2": "verified", "db-1": "unchanged",
    }  # fmt: skip


def test_two_ways_at_once_are_a_wrong_use(jada: Jada) -> None:
    done = jada("rollback", "--to", "opus-5", "--redo")
    assert (done.exit, done.out) == (Exit.USAGE, "")
    assert "--to and --redo are two ways" in done.err


def test_people_s_lock_stops_it_unless_by_force(jada: Jada) -> None:
    assert jada("upgrade", "--to", "opus-5", "--yes").exit == Exit.OK
    assert jada("lock", "--reason", "incident", "--limit", "web-1").exit == Exit.OK
    stopped = jada("rollback", "--yes")
    assert stopped.exit == Exit.LOCKED
    assert "incident" in stopped.err
    assert jada("rollback", "--yes", "--force").exit == Exit.OK


def test_a_record_with_damaged_pages_does_not_stop_it(jada: Jada, tmp_path: Path) -> None:
    """It opens well, for its first page is good: what hosts say has to do."""
    assert jada("upgrade", "--to", "opus-5", "--limit", "web-1", "--yes").exit == Exit.OK
    file = tmp_path / "state/jada/history.db"
    pages = file.read_bytes()
    first = int.from_bytes(pages[16:18], "big")
    file.write_bytes(pages[:first] + b"\xff" * (len(pages) - first))
    done = jada("rollback", "--limit", "web-1", "--yes")
    assert (done.exit, "web-1" in done.out) == (Exit.OK, True), done
    assert "malformed" in done.err


def test_a_way_back_to_a_model_is_to_its_exact_id(jada: Jada) -> None:
    assert "it keeps no snapshot of claude-opus-5" in jada("rollback", "--to", "opus-5").out
    assert "it keeps no snapshot of acme-own-1" in jada("rollback", "--to", "acme-own-1").out
