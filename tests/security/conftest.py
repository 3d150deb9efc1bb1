"""A host whose service's user, or whose root, means harm; and what has to be as it was after each attempt."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from jada import Service
from jada.inventory.lab import machine
from jada.inventory.lab.machine import Machine
from jada.tasks.engines.look import read_look
from jada.tasks.state import State
from jada.tasks.transaction import look_script
from tests import warm
from tests.conftest import JADA, LAB, eventually, reset, short_fleet
from tests.faults.conftest import judged

if TYPE_CHECKING:
    from tests.conftest import Lab

# Everything outside the home of the agent's user, by name, owner, mode and the time of its last change of any kind; but
# for what jada itself makes as root, and what a running system writes: of that, what the agent's user owns.
EVERYTHING = """
find / -xdev \\( -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /tmp -o -path {home} \
    -o -path /var/log -o -path /var/lib/systemd -o -path /var/lib/jada -o -path /var/tmp \
    -o -path /etc/systemd/system/jada-agent.service.d -o -name 50-jada.conf -o -name jada-recover.service \
    -o -name .sudo_as_admin_successful \\) -prune \
    -o ! -type d -printf '%p %U:%G %m %C@\\n' -o -type d -printf '%p %U:%G %m\\n'
find /etc /var -xdev -user agent
"""
ATTACK = "systemd-run --quiet --collect --unit=attacker --uid=agent --working-directory=/home/agent"
# Of the release that a host is on, for its shell.
MANIFEST = "/var/lib/jada/releases/$(cat /var/lib/jada/current)/manifest.json"
WORKERS = "sha256sum|awk|find|stat|curl|readlink"


C = TypeVar("C")


def cases(everything: dict[str, C], *rest: str) -> dict[str, C]:
    """The cases of `make test`: without the `rest`, which `make test-faults` tries too."""
    remaining = {} if os.environ.get("JADA_ALL_FAULTS") else dict.fromkeys(rest)
    assert remaining.keys() <= everything.keys()
    return {name: case for name, case in everything.items() if name not in remaining}


@dataclass(frozen=True)
class Victim:
    """A host, what there is on it, and jada with a record of its own."""

    host: Machine
    env: dict[str, str]

    def root(self, command: str, check: bool = True, stdin: str | None = None) -> str:
        """Runs a command as the host's root."""
        return machine.inside(self.host, command, check=check, stdin=stdin).stdout

    def user(self, command: str, check: bool = True) -> str:
        """Runs a command as the agent's user, in its home."""
        words = "cd; " + command
        return machine.inside(self.host, "runuser -l agent -s /bin/sh -c 'sh -s'", check=check, stdin=words).stdout

    def in_background(self, command: str) -> Callable[[], None]:
        """Begins a command as the agent's user, in its home, that goes on until the returned function is called.

        The function says if it went on till then: an attack that did not take place proves nothing.
        """
        self.root(f"{ATTACK} sh -c 'while :; do {command}; done'")

        def end() -> None:
            self.root("systemctl is-active --quiet attacker && systemctl kill -s KILL attacker")
            eventually(lambda: not self.root("pgrep -u agent -x sh", check=False), "the attacker goes on")

        return end

    def start(self, *argv: str, fleet_file: Path | None = None, env: dict[str, str] | None = None) -> Any:
        environ = {**self._env(fleet_file), **(env or {})}
        return subprocess.Popen(
            [JADA, *argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=environ, start_new_session=True)  # fmt: skip

    def jada(self, *argv: str, fleet_file: Path | None = None) -> tuple[int, dict[str, Any], str]:
        """Runs jada on the whole fleet; gives the exit code, the JSON if it was asked for, and all it printed."""
        return judged(warm.run(argv, self._env(fleet_file)))

    def on_this_host(self, command: str, *argv: str, fleet_file: Path | None = None) -> tuple[int, dict[str, Any], str]:
        """Runs a command that changes hosts, on this host alone; gives what was reported of it."""
        words = (command, *argv, "--yes", "--json", "--limit", self.host.name)
        code, report, output = self.jada(*words, fleet_file=fleet_file)
        return code, report["hosts"][0] if report.get("hosts") else {}, output

    def upgrade(
        self, *argv: str, to: str = "opus-5", fleet_file: Path | None = None
    ) -> tuple[int, dict[str, Any], str]:
        return self.on_this_host("upgrade", "--to", to, *argv, fleet_file=fleet_file)

    def makedirs(self, path: str) -> None:
        """Makes a folder in the home of the agent's user, as that user, whatever bytes its name has."""
        name = path.encode("utf-8", "surrogateescape").hex()
        self.user(f"python3 -c \"import os; os.makedirs(bytes.fromhex('{name}'))\"")

    def look(self, **service: Any) -> State:
        """Looks at the host, by the script that goes over ssh."""
        service_of_case = Service(**service)
        return read_look(service_of_case, machine.inside(self.host, look_script(service_of_case)).stdout.splitlines())

    def ready(self) -> None:
        eventually(lambda: bool(machine.healthz(self.host)), "the agent does not answer")

    def model(self) -> object:
        return machine.healthz(self.host).get("model")

    def _env(self, fleet_file: Path | None) -> dict[str, str]:
        return {**self.env, **({"JADA_FLEET": str(fleet_file)} if fleet_file else {})}

    def everything(self) -> set[str]:
        return set(self.root(EVERYTHING.format(home=self.host.home)).splitlines())

    def fleet_with(self, folder: Path, **keys: str) -> Path:
        """The lab's fleet.yml with other values for some keys at its top."""
        lines = (LAB.folder / "security.yml").read_text().splitlines()
        lines_kept = [line for line in lines if line.partition(":")[0] not in keys]
        file = folder / "fleet.yml"
        file.write_text("\n".join([*lines_kept, *(f"{name}: {value}" for name, value in keys.items())]) + "\n")
        return file


@pytest.fixture(scope="session")
def security_fleet(whole_lab: object) -> Path:
    file = LAB.folder / "security.yml"
    file.write_text(short_fleet())
    return file


@pytest.fixture
def victim(whole_lab: Lab, security_fleet: Path, tmp_path: Path) -> Iterator[Victim]:
    """The last host of the lab, whose agent has a user of its own.

    Afterwards nothing outside of that user's home is changed or belongs to it, and no process of a look runs on.
    """
    host = whole_lab.hosts[-1]
    reset(host)
    ours = "! -name .claude ! -name '.bash*' ! -name .profile"
    clean = f"find {host.home} -mindepth 1 -maxdepth 1 {ours} -exec rm -rf {{}} +"
    machine.inside(host, clean)
    env = {**os.environ, "JADA_FLEET": str(security_fleet), "XDG_STATE_HOME": str(tmp_path / "state")}
    found = Victim(host, env)
    before = found.everything()
    yield found
    # Files that the tests' own root lays.
    machine.inside(host, clean + "; rm -rf /etc/default/jada-agent /etc/jada-agent.json /etc/claude-code")
    assert not found.everything() ^ before
    eventually(lambda: not found.root(f"pgrep -x '{WORKERS}'", check=False), "a process of a look runs on")
