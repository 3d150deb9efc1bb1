"""Rollouts in waves on real hosts: a bad model touches one, a killed jada is gone on from, a person's word counts."""

from __future__ import annotations

import os
import random
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jada.inventory.lab.machine import OLD_MODEL
from tests.conftest import HOSTS, JADA, LAB, eventually

if TYPE_CHECKING:
    from tests.conftest import Lab

pytestmark = pytest.mark.lab
NEW = "claude-sonnet-4.6"
UPGRADE = ("upgrade", "--to", "sonnet-4.6", "--yes")
# How often a jada is killed, how often one is carried out of which nothing is to be said, and the seconds after which a
# bad model's agents die: `make test-rollouts` asks for all.
KILLS, HEALTHY, DIES = (20, 20, 20) if os.environ.get("JADA_ALL_ROLLOUTS") else (2, 1, 8)


@pytest.fixture(autouse=True)
def _own_record(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


@contextmanager
def begun(*argv: str) -> Iterator[subprocess.Popen[str]]:
    """A jada in the background, which is gone afterwards."""
    env = {**os.environ, "JADA_FLEET": str(LAB.fleet_file)}
    process = subprocess.Popen(
        [JADA, *argv], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def rollout(lab: Lab) -> dict[str, Any]:
    """The last rollout, {} before there is one."""
    return next(iter(lab.json("rollouts")["rollouts"]), {})


def releases(lab: Lab) -> dict[str, int]:
    """The number of changes that each host remembers."""
    return {host.name: int(lab.run(host.name, "ls /var/lib/jada/releases 2>/dev/null | wc -l")) for host in lab.hosts}


def test_a_model_on_which_agents_die_after_a_while_reaches_one_host(lab: Lab) -> None:
    for host in lab.hosts:
        lab.misbehave(host.name, crash_after=DIES, models=[NEW])
    output = lab.jada(*UPGRADE, "--waves", "1,2,100%", "--bake", f"{DIES + 20}s", exit_code=4)
    assert "Wave 1 of 3" in output
    assert "The rollout is rolled back: 1 host of 1 failed" in output
    assert lab.models() == {OLD_MODEL}
    touched = {name: count for name, count in releases(lab).items() if count}
    assert len(touched) == 1
    assert rollout(lab)["status"] == "rolled_back"
    lab.jada("drift", exit_code=None)


def test_a_rollout_goes_through_its_waves(lab: Lab) -> None:
    report = lab.json(*UPGRADE, "--waves", "1,2,100%", "--no-bake")
    assert [len(wave) for wave in report["waves"]] == [1, 1, HOSTS - 2]
    assert report["status"] == "done"
    assert lab.models() == {NEW}
    assert set(releases(lab).values()) == {1}


def test_no_healthy_rollout_is_stopped(lab: Lab) -> None:
    for model in islice(cycle(("sonnet-4.6", "haiku-4.5")), HEALTHY):
        report = lab.json("upgrade", "--to", model, "--yes", "--waves", "1,2,100%", "--bake", "5s")
        assert report["status"] == "done", report


def test_a_rollback_waits_for_no_rollout_that_watches_its_hosts(lab: Lab) -> None:
    with begun(*UPGRADE, "--waves", "2,100%", "--bake", "10m") as process:
        eventually(lambda: bool(rollout(lab).get("baking")), "it never came to its bake")
        lab.jada("rollback", "--yes")
        assert lab.models() == {OLD_MODEL}
        output, _ = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "superseded" in output or "rolled back" in output, output
    assert rollout(lab)["status"] == "rolled_back"
    assert sorted(releases(lab).values()) == [0] * (HOSTS - 2) + [2, 2]


def test_a_person_pauses_promotes_and_aborts_a_rollout(lab: Lab) -> None:
    with begun(*UPGRADE, "--waves", "1,2,100%", "--bake", "10m") as process:
        eventually(lambda: bool(rollout(lab).get("baking")), "it never came to its bake")
        lab.jada("promote")
        eventually(lambda: rollout(lab)["wave"] == 2 and rollout(lab)["baking"], "it did not go on")
        lab.jada("pause")
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 6, output
    assert "jada resume " in output
    assert sorted(releases(lab).values()) == [0] * (HOSTS - 2) + [1, 1]
    lab.jada("abort", exit_code=4)
    assert lab.models() == {OLD_MODEL}
    assert rollout(lab)["status"] == "aborted"


@pytest.mark.parametrize("seed", range(KILLS))
def test_a_jada_that_was_killed_is_gone_on_from(lab: Lab, seed: int) -> None:
    moment = random.Random(seed).uniform(1, 20)  # noqa: S311 - any moment will do
    with begun(*UPGRADE, "--waves", "1,2,100%", "--bake", "1s") as process:
        eventually(lambda: bool(rollout(lab)), "it never began")
        ends = time.monotonic() + moment
        while time.monotonic() < ends and process.poll() is None:
            time.sleep(0.05)
        process.kill()
        process.wait()
    if rollout(lab)["status"] == "running":
        lab.jada("resume")
    assert rollout(lab)["status"] == "done"
    assert lab.models() == {NEW}
    assert set(releases(lab).values()) == {1}
    lab.jada("drift")
