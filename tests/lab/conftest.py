"""The rehearsal fleet for the tests: brought up once, every host put back to its first condition before each test."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from jada.inventory.lab import fleet, machine
from jada.inventory.lab.machine import OLD_MODEL, Machine

JADA = Path(sys.executable).with_name("jada")
KEEP = "cp -a {settings} /root/pristine"
RESET = """
systemctl stop jada-agent
rm -rf /var/lib/jada /etc/systemd/system/jada-agent.service.d /etc/security/limits.d/50-jada.conf
rm -rf /etc/jada-agent.json /etc/default/jada-agent /etc/claude-code {home}/.claude
install -d -o {owner} -g {owner} -m 755 {home}/.claude
cp -a /root/pristine {settings}
systemctl daemon-reload
systemctl reset-failed jada-agent 2>/dev/null
systemctl start jada-agent
for i in $(seq 50); do curl -fs http://127.0.0.1:8787/healthz >/dev/null && exit 0; sleep 0.1; done
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

    def json(self, *argv: str, exit_code: int | None = 0) -> dict[str, object]:
        told = self.jada(*argv, "--json", exit_code=exit_code)
        return dict(json.loads(told[told.index("{") :]))

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


def reset(host: Machine) -> None:
    if host.leader is None:
        fleet.power_on(host)
    owner = host.user or "root"
    machine.inside(host, RESET.format(home=host.home, settings=host.settings, owner=owner))


@pytest.fixture(scope="session")
def whole_lab() -> Iterator[Lab]:
    if os.geteuid() != 0 and not os.environ.get("CI"):
        pytest.skip("the lab needs root")
    count = int(os.environ.get("JADA_LAB_HOSTS", "3"))
    fleet.down(print)
    hosts = fleet.up(count, print)
    for host in hosts:
        machine.inside(host, KEEP.format(settings=host.settings))
    yield Lab(hosts)
    fleet.down(print)


@pytest.fixture
def lab(whole_lab: Lab) -> Lab:
    with ThreadPoolExecutor(len(whole_lab.hosts)) as pool:
        list(pool.map(reset, whole_lab.hosts))
    assert whole_lab.models() == {OLD_MODEL}
    return whole_lab
