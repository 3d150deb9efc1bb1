"""A team's record on real hosts: two machines, each with a home of its own, work on one fleet."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from jada.inventory.lab.machine import OLD_MODEL
from tests.conftest import HOSTS, eventually
from tests.lab.test_lease import FIRST, NOWHERE, SONNET, bakes, begun, team

if TYPE_CHECKING:
    from tests.conftest import Lab

pytestmark = pytest.mark.lab
__all__ = ["team"]


def test_colleagues_pause_promote_and_undo_what_another_began(lab: Lab, team: Callable[[str], dict[str, str]]) -> None:
    ann, bob = team("ann"), team("bob")
    with begun(ann, *FIRST, "--bake", "10m") as process:
        eventually(lambda: bakes(lab, bob))
        assert "is paused" in lab.jada("pause", env=bob)
        assert process.wait() == 6
    [paused] = lab.json("rollouts", env=ann)["rollouts"]
    assert paused["status"] == "paused"
    with begun(bob, "promote") as process:
        eventually(lambda: bakes(lab, ann) and lab.json("rollouts", env=ann)["rollouts"][0]["wave"] == 2)
        assert "goes on to its next wave" in lab.jada("promote", env=ann)
        assert process.wait() == 0
    assert lab.models() == {SONNET}
    [done] = lab.json("rollouts", env=ann)["rollouts"]
    assert (done["release"], done["status"]) == (paused["release"], "done")
    seen = lab.json("show", done["release"], env=ann)
    assert [host["outcome"] for host in seen["hosts"]] == ["verified"] * HOSTS
    lab.jada("rollback", "--yes", env={**ann, **NOWHERE})
    assert lab.models() == {OLD_MODEL}
    assert "kept here are in the record" in " ".join(lab.jada("history", env=ann).split())
    kinds = [entry["kind"] for entry in lab.json("history", env=bob)["releases"]]
    assert kinds == ["rollback", "upgrade"]
