"""Whatever hangs, a rollout ends: with the outcome that is known by then, and what a person has to type.

Each hang has an end that docs/rollouts.md names; how long after it jada was gone is the test's property `past`.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jada.inventory.lab import cgroup, fleet, machine
from jada.inventory.lab.machine import OLD_MODEL, Machine
from tests import warm
from tests.conftest import ENGINE, JADA, LAB, eventually, short_fleet

if TYPE_CHECKING:
    from tests.conftest import Lab

pytestmark = pytest.mark.lab
NEW = "claude-sonnet-4.6"
# fleet.yml's, in seconds; and what a busy machine may take beside it, after which the test fails.
DEADLINE, BAKE, GRACE = 15 if ENGINE == "ssh" else 60, 5, 120
# Seconds for one look at a host that others don't wait for.
LOOK = 100
UPGRADE = ("upgrade", "--to", "sonnet-4.6", "--yes", "--waves", "1,100%", "--bake", f"{BAKE}s")
needs_time = pytest.mark.skipif(not os.environ.get("JADA_ALL_ROLLOUTS"), reason="takes minutes: make test-rollouts")


class Hang:
    """A lab of which something hangs: its jada, and the seconds at which that is to end."""

    def __init__(self, lab: Lab, folder: Path, record_property: Callable[[str, object], None]) -> None:
        self.lab, self.folder, self._tell = lab, folder, record_property
        self.env = {**os.environ, "XDG_STATE_HOME": str(folder / "state"), "JADA_FLEET": str(folder / "fleet.yml")}
        self.configure()

    def configure(self, more: str = "", replaced: tuple[str, str] = ("", "")) -> None:
        """Writes fleet.yml: two hosts, a short deadline, and what is given."""
        text = f"{short_fleet()}deadline: {DEADLINE}\n{more}"
        (self.folder / "fleet.yml").write_text(text.replace(*replaced))

    @contextmanager
    def begun(self, *argv: str) -> Iterator[subprocess.Popen[str]]:
        process = subprocess.Popen(
            [JADA, *argv], env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True,
        )  # fmt: skip
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    def ends(self, process: subprocess.Popen[str], limit: float, exit_code: int, *words: str) -> None:
        """It ends with that exit code and words; `limit` are the seconds from now at which it should."""
        began = time.monotonic()
        output, _ = process.communicate(timeout=limit + GRACE)
        self._tell("past", round(time.monotonic() - began - limit, 1))
        assert process.returncode == exit_code, output
        for word in words:
            assert word in output, output

    def run(self, *argv: str, limit: float, exit_code: int, words: tuple[str, ...] = ()) -> None:
        with self.begun(*argv) as process:
            self.ends(process, limit, exit_code, *words)

    def is_baking(self) -> bool:
        listed = warm.run(("rollouts", "--json"), self.env).stdout
        return any(rollout["baking"] for rollout in json.loads(listed)["rollouts"])

    def bakes(self, act: Callable[[Machine], object], exit_code: int, *words: str) -> Machine:
        """While the canary bakes, it comes to `act`: the rollout ends by its deadline. Returns that host."""
        with self.begun(*UPGRADE) as process:
            eventually(self.is_baking, "it never came to its bake")
            canary = next(host for host in self.lab.hosts if self.lab.model(host.name) == NEW)
            act(canary)
            self.ends(process, DEADLINE + BAKE, exit_code, *words)
        return canary


@pytest.fixture
def hang(lab: Lab, tmp_path: Path, record_property: Callable[[str, object], None]) -> Hang:
    return Hang(lab, tmp_path, record_property)


def freeze(host: Machine) -> None:
    """The host takes connections, as its kernel does, and nothing on it runs."""
    _signal(host, signal.SIGSTOP)


def thaw(host: Machine) -> None:
    _signal(host, signal.SIGCONT)


def _signal(host: Machine, number: int) -> None:
    for pid in cgroup.processes(host.group):
        with suppress(ProcessLookupError):
            os.kill(pid, number)


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a port that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def drop_in(lab: Lab, host: Machine, lines: str) -> None:
    """Puts lines into the host's unit."""
    folder = "/etc/systemd/system/jada-agent.service.d"
    lab.run(host.name, f"mkdir -p {folder}")
    machine.inside(host, f"cat >{folder}/10-hang.conf; systemctl daemon-reload", stdin=f"[Service]\n{lines}\n")


@needs_time
def test_a_canary_is_switched_off(hang: Hang) -> None:
    canary = hang.bakes(machine.pull_the_plug, 6, "could not be looked at", "jada resume ")
    fleet.power_on(canary)


def test_a_canary_freezes(hang: Hang) -> None:
    try:
        hang.bakes(freeze, 6, "could not be looked at", "jada resume ")
    finally:
        for host in hang.lab.hosts:
            thaw(host)


def test_another_hosts_failure_is_seen_while_one_is_frozen(hang: Hang) -> None:
    """The breaker opens by what the others do: all that answer are back, and that one is told."""
    hang.configure(replaced=(f"deadline: {DEADLINE}", "deadline: 600"))
    names = [host.name for host in hang.lab.hosts]
    with hang.begun("upgrade", "--to", "sonnet-4.6", "--yes", "--waves", "2,100%", "--bake", "5m") as process:
        eventually(hang.is_baking, "it never came to its bake")
        stuck, failing = (host for host in hang.lab.hosts if hang.lab.model(host.name) == NEW)
        try:
            freeze(stuck)
            hang.lab.run(failing.name, "systemctl stop jada-agent")
            # 20 s for the look of each round, and once more for the way back; the frozen one has a second try.
            eventually(lambda: hang.lab.model(failing.name) == OLD_MODEL, "the failing one never went back")
        finally:
            thaw(stuck)
        hang.ends(process, 120, 4, f"({failing.name})")
    assert {hang.lab.model(name) for name in names} == {OLD_MODEL}


@needs_time
def test_an_agent_never_says_what_it_runs(hang: Hang) -> None:
    def stop(host: Machine) -> None:
        hang.lab.run(host.name, "kill -STOP $(systemctl show --property=MainPID --value jada-agent)")

    hang.bakes(stop, 4, "sent back")
    assert hang.lab.models() == {OLD_MODEL}


@needs_time
def test_a_check_never_ends(hang: Hang) -> None:
    hang.configure(replaced=("model_check: {url: http://127.0.0.1:8787/healthz}", "model_check: {command: sleep 9999}"))
    hang.run(*UPGRADE, limit=LOOK, exit_code=1, words=("is ill before the change",))


def test_a_service_never_comes_up(hang: Hang) -> None:
    for host in hang.lab.hosts:
        is_old = f"grep -q {OLD_MODEL} {host.settings}"
        drop_in(hang.lab, host, f"TimeoutStartSec=5\nExecStartPre=/bin/sh -c '{is_old} || exec sleep 9999'")
    hang.run(*UPGRADE, limit=2 * (5 + 5) + 20, exit_code=4, words=("systemctl restart jada-agent.service failed",))
    assert hang.lab.models() == {OLD_MODEL}


@needs_time
def test_a_service_never_goes_down(hang: Hang) -> None:
    for host in hang.lab.hosts:
        drop_in(hang.lab, host, "TimeoutStopSec=5\nExecStop=/bin/sleep 9999")
    hang.run(*UPGRADE, limit=2 * (5 + 5) + 2 * BAKE + 20, exit_code=0)


@needs_time
def test_a_host_freezes_while_it_is_changed(hang: Hang) -> None:
    """It is waited for as long as its change may take, and for a minute to answer again."""
    canary = next(host for host in hang.lab.hosts if host.cloud == "ec2")
    drop_in(hang.lab, canary, "TimeoutStartSec=20\nTimeoutStopSec=2\nExecStartPre=/bin/sleep 15")
    is_starting = "systemctl show --property=SubState jada-agent"
    try:
        with hang.begun(*UPGRADE) as process:
            eventually(lambda: "start-pre" in hang.lab.run(canary.name, is_starting), "it was never restarted")
            freeze(canary)
            longest = 1 + 2 * (2 * 2 + 2 * 20 + 20) + 60
            hang.ends(process, longest + LOOK + 60, 1, "the host finishes or undoes the change by itself")
    finally:
        thaw(canary)


def test_another_change_never_ends(hang: Hang) -> None:
    hold = "systemd-run --quiet --unit=holder flock /var/lib/jada/lock sleep 9999"
    for host in hang.lab.hosts:
        hang.lab.run(host.name, f"mkdir -p /var/lib/jada; {hold}")
    try:
        hang.run(*UPGRADE, limit=20, exit_code=5)
    finally:
        for host in hang.lab.hosts:
            hang.lab.run(host.name, "systemctl stop holder")


@needs_time
def test_aws_never_answers(hang: Hang, silent: str) -> None:
    (hang.folder / "fleet.yml").write_text(LAB.fleet_file.read_text())
    hang.env |= {"AWS_ENDPOINT_URL": f"http://{silent}", "AWS_CONFIG_FILE": "/dev/null"}
    hang.run(
        "upgrade",
        "--to",
        "sonnet-4.6",
        "--yes",
        limit=4 * 30,
        exit_code=1,
        words=("can't be reached after 4 attempts",),
    )


@needs_time
def test_an_ssh_agent_never_answers(hang: Hang, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as agent:
        agent.bind(str(tmp_path / "agent"))
        agent.listen(100)
        hang.env["SSH_AUTH_SOCK"] = str(tmp_path / "agent")
        hang.run(*UPGRADE, limit=90, exit_code=1, words=("no connection came about in 90 s",))


@needs_time
def test_whoever_is_to_be_told_never_answers(hang: Hang, silent: str) -> None:
    hang.configure(f"notify: {{webhook: 'http://{silent}/'}}\n")
    hang.run(*UPGRADE, limit=15 + 2 * BAKE + 30, exit_code=0)


def test_the_record_is_held_by_another(hang: Hang) -> None:
    """An upgrade begins nothing; the way back needs no record."""
    hang.run(*UPGRADE, limit=60, exit_code=0)
    with closing(sqlite3.connect(hang.folder / "state/jada/history.db")) as other:
        other.execute("BEGIN EXCLUSIVE")
        hang.run("upgrade", "--to", "haiku-4.5", "--yes", limit=30, exit_code=1, words=("is held by another program",))
        hang.run("rollback", "--yes", limit=20, exit_code=0)
    assert OLD_MODEL in hang.lab.models()
