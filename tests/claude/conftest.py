"""A lab whose hosts have the real Claude CLI as their agent, each with a release of DESIRED."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from jada import JadaError
from jada.inventory.lab import claude, fleet
from jada.inventory.lab.machine import Machine
from jada.inventory.lab.named import Lab
from tests import conftest
from tests.claude import hosts
from tests.claude.hosts import DESIRED, Configuration

LAB = Lab(f"c{conftest.LAB.name[-8:]}")
HOSTS = int(os.environ.get("JADA_CLAUDE_HOSTS", "6"))


# The models that were asked for, in order.
Asked = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Seen:
    """The models that the CLI asked for with one configuration, and what `jada explain --json` told of that host."""

    asked: Asked
    told: Mapping[str, Any]

    @property
    def truth(self) -> str | None:
        return self.asked[0] if self.asked else None


class ClaudeLab:
    """The hosts of the lab, and the `jada` command pointed at them."""

    @property
    def hosts(self) -> tuple[Machine, ...]:
        return fleet.current(LAB)

    def jada(self, *argv: str) -> str:
        """Runs jada, whatever its exit code, and returns its stdout."""
        environ = {**os.environ, "JADA_FLEET": str(LAB.fleet_file), "JADA_LAB": LAB.name}
        done = subprocess.run([conftest.JADA, *argv], capture_output=True, text=True, env=environ, check=False)
        assert "lab-secret" not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr, done.stderr
        return done.stdout

    def rounds(self, configurations: Iterable[Configuration]) -> Iterator[dict[Configuration, Machine]]:
        """As many at a time as there are hosts, each with the host to lay it on."""
        waiting: dict[bool, list[Configuration]] = {True: [], False: []}
        for configuration in configurations:
            waiting[configuration.is_root].append(configuration)
        while any(waiting.values()):
            yield {waiting[not host.user].pop(0): host for host in self.hosts if waiting[not host.user]}

    def lay(self, side_by_side: Mapping[Configuration, Machine]) -> dict[Configuration, Asked | BaseException]:
        """The models that are asked for with each."""
        with ThreadPoolExecutor(len(side_by_side)) as pool:
            futures = {each: pool.submit(hosts.lay, host, each) for each, host in side_by_side.items()}
        return {each: future.exception() or future.result() for each, future in futures.items()}

    def explain(self) -> dict[str, Any]:
        """What jada tells of each host."""
        return {row["host"]: row for row in json.loads(self.jada("explain", "*", "--json"))["hosts"]}


@pytest.fixture(scope="session")
def claude_lab(tests_record: None) -> Iterator[ClaudeLab]:
    try:
        cli = claude.find_cli()
    except JadaError as error:
        # In CI, make has installed it: there its absence is a failure.
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    lab = ClaudeLab()
    fleet.up(LAB, HOSTS, print, conftest.SUITE, cli)
    with ThreadPoolExecutor(HOSTS) as pool:
        list(pool.map(hosts.put_back, lab.hosts))
        lab.jada("upgrade", "--to", DESIRED, "--yes")
        list(pool.map(hosts.keep, lab.hosts))
        list(pool.map(hosts.put_back, lab.hosts))
    # Else drift of another kind would hide what the tests are after.
    assert [row["findings"] for row in lab.explain().values()] == [[]] * HOSTS
    yield lab
    if not os.environ.get("JADA_LAB_KEEP"):
        fleet.down(LAB, print)


@pytest.fixture(scope="session")
def seen(claude_lab: ClaudeLab, request: pytest.FixtureRequest) -> dict[str, Seen | BaseException]:
    """What was seen of each configuration that a test of this run is about."""
    found: dict[str, Seen | BaseException] = {}
    for side_by_side in claude_lab.rounds(chosen(request, "seen")):
        laid = claude_lab.lay(side_by_side)
        told = claude_lab.explain()
        for configuration, asked in laid.items():
            row = told[side_by_side[configuration].name]
            found[configuration.name] = asked if isinstance(asked, BaseException) else Seen(asked, row)
    return found


def chosen(request: pytest.FixtureRequest, fixture: str) -> list[Configuration]:
    """The configurations that tests of this run want this fixture to be about."""
    found: dict[str, Configuration] = {}
    for item in request.session.items:
        if isinstance(item, pytest.Function) and fixture in item.fixturenames:
            configuration = item.callspec.params["configuration"]
            assert isinstance(configuration, Configuration)
            found[configuration.name] = configuration
    return list(found.values())
