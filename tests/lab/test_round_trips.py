"""Round trips are the cost of everything over a wide area: exactly how many each command takes, counted at sshd."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jada.inventory.lab import machine
from jada.inventory.lab.machine import Machine
from tests.conftest import about_ssh

if TYPE_CHECKING:
    from tests.conftest import Lab

pytestmark = [pytest.mark.lab, about_ssh("counted at sshd")]
HOST = "specialist-1"
# The first host that is changed: it is asked for its endpoint and disks before.
CANARY = "jada-agent"
LOUD = "/etc/ssh/sshd_config.d/round-trips.conf"


class Sshd:
    """The work of the sshd of every host since `forget`: (connections, commands) by host."""

    def __init__(self, hosts: tuple[Machine, ...]) -> None:
        self._hosts = hosts
        self._seen: dict[str, int] = {}
        self.forget()

    def forget(self) -> None:
        self._seen = {host.name: len(self._log(host)) for host in self._hosts}

    def counts(self) -> dict[str, tuple[int, int]]:
        counts = {}
        for host in self._hosts:
            lines = self._log(host)[self._seen[host.name] :]
            words = Counter(" ".join(line.split()[:2]) for line in lines)
            # A shell or an sftp session would be a round trip too.
            counts[host.name] = (words["Connection from"], words["Starting session:"])
        return counts

    def _log(self, host: Machine) -> list[str]:
        # A session is logged by a program of its own since OpenSSH 9.8.
        sshd = "journalctl --boot -t sshd -t sshd-session -o cat --no-pager"
        return machine.inside(host, f"journalctl --sync; {sshd}").stdout.splitlines()


@pytest.fixture
def sshd(lab: Lab) -> Iterator[Sshd]:
    # A reload does not wait until sshd, which starts anew for it, listens again.
    for host in lab.hosts:
        machine.inside(host, f"echo 'LogLevel VERBOSE' >{LOUD} && systemctl restart ssh")
    yield Sshd(lab.hosts)
    for host in lab.hosts:
        machine.inside(host, f"rm {LOUD} && systemctl restart ssh")


def on_every(lab: Lab, connections: int, commands: int) -> dict[str, tuple[int, int]]:
    return {host.name: (connections, commands) for host in lab.hosts}


def test_sshd_tells_of_connections_and_commands(lab: Lab, sshd: Sshd) -> None:
    """The measure itself: a plain ssh that runs one command is one of each."""
    lab.jada("lab", "ssh", HOST, "true")
    lab.jada("lab", "ssh", HOST, "true")
    assert sshd.counts() == {**on_every(lab, 0, 0), HOST: (2, 2)}


def test_looking_takes_one_connection_and_one_command(lab: Lab, sshd: Sshd, tmp_path: Path) -> None:
    """The first look asks the CLI too; later ones go by its answer, until something that decides it has changed."""
    env = {"XDG_STATE_HOME": str(tmp_path)}
    for argv, code in ((["status"], 0), (["drift"], 3)):
        sshd.forget()
        lab.jada(*argv, exit_code=code, env=env)
        assert sshd.counts() == on_every(lab, 1, 1), argv
    sshd.forget()
    lab.run(HOST, "systemctl restart jada-agent")
    lab.jada("status", env=env)
    assert sshd.counts() == {**on_every(lab, 1, 1), HOST: (1, 2)}


def test_a_dry_run_asks_the_clis_of_the_hosts_too(lab: Lab, sshd: Sshd) -> None:
    lab.jada("upgrade", "--to", "sonnet-4.6", "--dry-run")
    assert sshd.counts() == {**on_every(lab, 1, 2), CANARY: (1, 3)}


def test_finding_hosts_connects_to_none(lab: Lab, sshd: Sshd) -> None:
    lab.jada("hosts")
    assert sshd.counts() == on_every(lab, 0, 0)


def test_changing_takes_one_connection_and_one_command(lab: Lab, sshd: Sshd) -> None:
    """A look to decide on, the transaction, and a look behind it; whether anything is to change or not. The canary is
    asked before the transaction, which is a command more.
    """
    lab.jada("upgrade", "--to", "sonnet-4.6", "--yes")
    assert sshd.counts() == {**on_every(lab, 1, 1), CANARY: (1, 2)}
    sshd.forget()
    lab.jada("upgrade", "--to", "sonnet-4.6", "--yes")
    assert sshd.counts() == on_every(lab, 1, 1)
    sshd.forget()
    lab.jada("rollback", "--yes")
    assert sshd.counts() == on_every(lab, 1, 1)


def test_only_the_chosen_hosts_are_connected_to(lab: Lab, sshd: Sshd) -> None:
    lab.jada("upgrade", "--to", "sonnet-4.6", "--limit", HOST, "--yes")
    assert sshd.counts() == {**on_every(lab, 0, 0), HOST: (1, 2)}
