"""`jada lock` and `jada unlock` of a fleet."""

from __future__ import annotations

import pytest

from jada import Exit
from jada.cli.ui import locks
from jada.tasks.operator_lock import OperatorLock
from tests.unit.cli.conftest import Jada


@pytest.mark.parametrize("argv", [(), ("--reason", " "), ("--reason", "x", "--for", "soon")])
def test_a_lock_has_a_reason_and_an_end_that_can_be(jada: Jada, argv: tuple[str, ...]) -> None:
    assert jada("lock", *argv).exit == Exit.USAGE
    assert not jada.engines


def test_a_locked_fleet_is_not_upgraded_until_it_is_unlocked(jada: Jada) -> None:
    assert jada("lock", "--reason", "incident").exit == Exit.OK
    for argv in (("upgrade", "--to", "opus-5", "--yes"), ("upgrade", "--to", "opus-5", "--dry-run")):
        assert jada(*argv).exit == Exit.LOCKED
    assert jada.changed == []
    assert jada("unlock").exit == Exit.OK
    assert jada("upgrade", "--to", "opus-5", "--yes").exit == Exit.OK


def test_a_lock_for_scripts_has_null_for_what_it_lacks() -> None:
    row = locks.lock_as_json(OperatorLock("ann@ops", "2027-01-01T10:00:00+00:00", "", "why"))
    assert row == {"who": "ann@ops", "locked_at": "2027-01-01T10:00:00+00:00", "until": None, "reason": "why"}
