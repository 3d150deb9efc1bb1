"""The rollout lease of a team on real hosts: whoever was stopped, killed or cut off changes nothing after another."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from jada.inventory.lab import fleet
from jada.inventory.lab.machine import OLD_MODEL
from tests.conftest import HOSTS, JADA, LAB, eventually

if TYPE_CHECKING:
    from tests.conftest import Lab

pytestmark = pytest.mark.lab
HAIKU, SONNET = "claude-haiku-4.5", "claude-sonnet-4.6"
FIRST = ("upgrade", "--to", "sonnet-4.6", "--yes", "--waves", "1,100%")
NOWHERE = {"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9", "AWS_MAX_ATTEMPTS": "1"}
# Seconds for which a holder is stopped, longer than its lease lasts: `make test-rollouts` has it wait for five minutes.
STOPPED = 300 if os.environ.get("JADA_ALL_ROLLOUTS") else 62


@pytest.fixture
def team(lab: Lab, tmp_path: Path) -> Callable[[str], dict[str, str]]:
    """The environment of somebody in a team that shares its state: on a machine of their own, but for the bucket."""
    bucket = f"team-{tmp_path.name.replace('_', '-').lower()[:50].strip('-')}"
    s3 = boto3.client(
        "s3", "us-east-1", endpoint_url=fleet.endpoint(LAB), aws_access_key_id="a", aws_secret_access_key="b"
    )
    s3.create_bucket(Bucket=bucket)
    file = LAB.fleet_file.with_name(f"{bucket}.yml")
    file.write_text(LAB.fleet_file.read_text() + f"state: s3://{bucket}/jada\n")

    def of(person: str) -> dict[str, str]:
        return {"JADA_FLEET": str(file), "XDG_STATE_HOME": str(tmp_path / person), "LOGNAME": person}

    return of


@contextmanager
def begun(env: dict[str, str], *argv: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [JADA, *argv], env={**os.environ, **env}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def bakes(lab: Lab, env: dict[str, str]) -> bool:
    rollouts = lab.json("rollouts", env=env)["rollouts"]
    return bool(rollouts and rollouts[0]["baking"])


def releases(lab: Lab) -> list[str]:
    return [lab.run(host.name, "ls /var/lib/jada/releases 2>/dev/null") for host in lab.hosts]


def lease(lab: Lab, env: dict[str, str]) -> dict[str, Any]:
    report = lab.json("locks", env=env)
    assert report["rollout_lease_error"] is None
    return dict(report["rollout_lease"] or {})


def test_a_holder_that_was_stopped_writes_nothing_once_another_has_come(
    lab: Lab, team: Callable[[str], dict[str, str]]
) -> None:
    with begun(team("ann"), *FIRST, "--bake", "10m") as process:
        eventually(lambda: bakes(lab, team("ann")), "it never came to its bake")
        assert lease(lab, team("bob"))["pid"] == process.pid
        assert lease(lab, team("bob"))["who"].startswith("ann@")
        locked = lab.jada("upgrade", "--to", "haiku-4.5", "--yes", env=team("bob"), exit_code=5)
        assert re.search(
            r"is locked by ann@\S+ \(run \S+, process \d+\) since \S+ \S+ for upgrade, release \d+", locked
        )
        process.send_signal(signal.SIGSTOP)
        stopped = time_of(lab)
        output = lab.jada("upgrade", "--to", "haiku-4.5", "--yes", "--lock-wait", "75s", "--no-bake", env=team("bob"))
        assert "Waiting for " in output
        assert "The rollout lease was taken over from ann@" in output
        eventually(lambda: time_of(lab) - stopped > STOPPED, "time stands still", STOPPED + 60)
        before = releases(lab)
        process.send_signal(signal.SIGCONT)
        told, _ = process.communicate(timeout=120)
    assert process.returncode == 6, told
    assert "lease was lost to " in told
    assert releases(lab) == before
    assert lab.models() == {HAIKU}


def test_the_next_need_not_wait_long_for_one_that_was_killed(lab: Lab, team: Callable[[str], dict[str, str]]) -> None:
    with begun(team("ann"), *FIRST, "--bake", "10m") as process:
        eventually(lambda: bakes(lab, team("ann")), "it never came to its bake")
        process.kill()
        process.wait()
        output = lab.jada("upgrade", "--to", "haiku-4.5", "--yes", "--lock-wait", "75s", "--no-bake", env=team("bob"))
    assert "The rollout lease was taken over from ann@" in output
    assert lab.models() == {HAIKU}
    assert not lease(lab, team("ann"))


def test_a_host_that_has_met_a_later_rollout_refuses_an_earlier_one(
    lab: Lab, team: Callable[[str], dict[str, str]]
) -> None:
    lab.jada(*FIRST, "--no-bake", env=team("ann"))
    numbers = [lab.run(host.name, "cat /var/lib/jada/fence") for host in lab.hosts]
    assert all(re.fullmatch(r"[0-9a-f]{16} 1 open ann@.* for release \S+\n", number) for number in numbers), numbers
    for host in lab.hosts:
        lab.run(host.name, "sed -i 's/ 1 open .*/ 9 open bob@laptop/' /var/lib/jada/fence")
    before = releases(lab)
    for argv in (("upgrade", "--to", "haiku-4.5", "--waves", "100%"), ("rollback",)):
        output = lab.jada(*argv, "--yes", env=team("ann"), exit_code=5)
        assert output.count("another rollout, number 9, has come to this host since: bob@laptop") >= 1
    assert (releases(lab), lab.models()) == (before, {SONNET})
    # In an incident, whatever a host has met.
    lab.jada("rollback", "--yes", "--force", env=team("ann"))
    assert lab.models() == {OLD_MODEL}


def test_the_way_back_needs_no_store_and_ends_the_rollout_that_it_undoes(
    lab: Lab, team: Callable[[str], dict[str, str]]
) -> None:
    with begun(team("ann"), *FIRST, "--bake", "10m") as process:
        eventually(lambda: bakes(lab, team("ann")), "it never came to its bake")
        lab.jada("upgrade", "--to", "haiku-4.5", "--yes", env={**team("bob"), **NOWHERE}, exit_code=1)
        output = lab.jada("rollback", "--yes", env={**team("bob"), **NOWHERE})
        assert "Not locked here" in output
        assert lab.models() == {OLD_MODEL}
        lab.jada("promote", env=team("ann"), exit_code=None)
        told, _ = process.communicate(timeout=120)
    assert process.returncode != 0, told
    changed = [
        host for host in lab.hosts if lab.run(host.name, "ls /var/lib/jada/releases 2>/dev/null | wc -l") != "0\n"
    ]
    assert len(changed) <= HOSTS
    assert all("closed" in lab.run(host.name, "cat /var/lib/jada/fence") for host in changed[:1])


def time_of(lab: Lab) -> float:
    """Seconds of a clock that no signal stops."""
    return float(lab.run(lab.hosts[0].name, "cut -d' ' -f1 /proc/uptime"))
