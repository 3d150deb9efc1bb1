"""`jada rollback`, from what is typed to what was changed."""

from __future__ import annotations

from jada import Exit
from tests.unit.cli.conftest import Jada


def test_the_last_change_is_undone_once(jada: Jada) -> None:
    assert jada("upgrade", "--to", "opus-5", "--limit", "web-*", "--yes").exit == Exit.OK
    told = jada("rollback", "--yes", "--json").json()
    assert {one["host"]: one["outcome"] for one in told["hosts"]} == {
        "web-1": "verified", "web-2": "verified", "db-1": "unchanged",
    }  # fmt: skip
    again = jada("rollback", "--yes")
    assert again.exit == Exit.OK
    assert "Nothing to undo" in again.out


def test_two_ways_at_once_are_a_wrong_use(jada: Jada) -> None:
    done = jada("rollback", "--to", "opus-5", "--redo")
    assert (done.exit, done.out) == (Exit.USAGE, "")
    assert "--to and --redo are two ways: take one" in done.err


def test_people_s_lock_stops_it_unless_by_force(jada: Jada) -> None:
    assert jada("upgrade", "--to", "opus-5", "--yes").exit == Exit.OK
    assert jada("lock", "--reason", "incident", "--limit", "web-1").exit == Exit.OK
    stopped = jada("rollback", "--yes")
    assert stopped.exit == Exit.LOCKED
    assert "incident" in stopped.err
    assert jada("rollback", "--yes", "--force").exit == Exit.OK
