"""The rehearsal fleet for the tests: brought up once, every host put back to its first condition before each test."""

from __future__ import annotations

import json
import os
import platform
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from jada.inventory.lab import fleet, image, machine
from jada.inventory.lab.machine import OLD_MODEL, Machine
from tests.forms import checked

# A shell's background ignores Ctrl-C, nohup a terminal that is closed, and all that is started from there does.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

JADA = Path(sys.executable).with_name("jada")
SUITE = os.environ.get("JADA_LAB_SUITE", image.SUITE)
# All that jada, an incident or a test may leave on a host; settings.json comes on stdin.
RESET = """
set -e
systemctl stop jada-agent
rm -rf /var/lib/jada /etc/systemd/system/jada-agent.service.d /run/systemd/system/jada-agent.service.d
rm -rf /etc/jada-agent.json /etc/default/jada-agent /etc/claude-code {home}/.claude
find /etc/systemd/system /etc/security/limits.d -name '*jada*' ! -name jada-agent.service -delete
install -d -o {owner} -g {owner} -m 755 {home}/.claude
install -o {owner} -g {owner} -m 600 /dev/stdin {home}/.claude/settings.json
systemctl daemon-reload
systemctl reset-failed
systemctl start jada-agent
for i in $(seq 100); do curl -fs http://127.0.0.1:8787/healthz >/dev/null && exit 0; sleep 0.05; done
echo "the agent does not answer" >&2
exit 1
"""


@dataclass(frozen=True)
class Lab:
    """The hosts, and the `jada` command pointed at them."""

    hosts: tuple[Machine, ...]

    def __getitem__(self, name: str) -> Machine:
        return next(host for host in self.hosts if host.name == name)

    def jada(self, *argv: str, exit_code: int | None = 0, env: dict[str, str] | None = None) -> str:
        """Runs jada and returns all it printed; a secret of the lab's settings in it fails the test."""
        environ = {**os.environ, "JADA_FLEET": str(fleet.FLEET_FILE), **(env or {})}
        done = subprocess.run(
            [JADA, *argv], capture_output=True, text=True, env=environ, check=False, stdin=subprocess.DEVNULL
        )
        told = done.stdout + done.stderr
        assert "lab-secret" not in told
        assert "Traceback" not in told, told
        if exit_code is not None:
            assert done.returncode == exit_code, told
        return told

    def json(self, *argv: str, exit_code: int | None = 0, env: dict[str, str] | None = None) -> dict[str, Any]:
        told = self.jada(*argv, "--json", exit_code=exit_code, env=env)
        return checked(told[told.index("{") :])

    def reset(self) -> None:
        """Puts every host back to its first condition."""
        with ThreadPoolExecutor(len(self.hosts)) as pool:
            list(pool.map(reset, self.hosts))

    def run(self, name: str, command: str) -> str:
        """Runs a shell command as root inside a host."""
        return machine.inside(self[name], command).stdout

    def model(self, name: str) -> object:
        """The model the agent says it runs."""
        return machine.healthz(self[name]).get("model")

    def models(self) -> set[object]:
        return {self.model(host.name) for host in self.hosts}

    def settings_sha(self, name: str) -> str:
        """Content, owner and mode of the host's settings.json."""
        path = self[name].settings
        return self.run(name, f"sha256sum <{path}; stat -c '%u:%g %a' {path}")

    def settings(self, name: str) -> bytes:
        return self.run(name, f"base64 -w0 {self[name].settings}").encode()

    def misbehave(self, name: str, **orders: object) -> None:
        machine.inside(self[name], "cat >/etc/jada-agent.json", stdin=json.dumps(orders))


def bring_up(hosts: int) -> tuple[Machine, ...]:
    """A lab of so many hosts, of the suite that is tested."""
    return fleet.up(hosts, print, SUITE)


def asking_no_model(text: str) -> str:
    """A fleet.yml whose roles ask for no model: there a host differs from its own release alone."""
    return re.sub(r"model: [\w.-]+(, )?", "", text)


def reset(host: Machine) -> None:
    """Puts the host into its first condition without a reboot: about ten times faster than fleet.reset."""
    if host.leader is None:
        fleet.power_on(host)
    command = RESET.format(home=host.home, owner=host.user or "root")
    machine.inside(host, command, stdin=host.first_settings)


@pytest.fixture(scope="session")
def whole_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A fresh lab of JADA_LAB_HOSTS hosts (default 3) of JADA_LAB_SUITE; JADA_LAB_KEEP leaves it up afterwards."""
    # The record of whoever runs the tests is not for tests to write to.
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))
    if not os.environ.get("CI") and (platform.system() != "Linux" or os.geteuid() != 0):
        pytest.skip("the lab needs Linux and root")
    fleet.down(print)
    hosts = bring_up(int(os.environ.get("JADA_LAB_HOSTS", "3")))
    yield Lab(hosts)
    if not os.environ.get("JADA_LAB_KEEP"):
        fleet.down(print)


@pytest.fixture
def lab(whole_lab: Lab) -> Lab:
    """The lab, every host in its first condition."""
    whole_lab.reset()
    assert whole_lab.models() == {OLD_MODEL}
    return whole_lab
