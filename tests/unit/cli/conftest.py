"""`jada` as people type it, on a fleet.yml with static hosts that a fake engine reaches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from jada import Host, HostError
from jada.cli import main, session
from jada.inventory.fleet.config import Fleet
from jada.tasks.asked import Asked
from jada.tasks.probe import Probe
from jada.tasks.state import State
from tests.fakes import FakeEngine
from tests.forms import checked

FLEET = """\
fleet: f
sources:
  - static:
      hosts:
        web-1: {address: 192.0.2.1}
        web-2: {address: 192.0.2.2}
        db-1: {address: 192.0.2.3}
roles:
  keepers: {names: ["db-*"], model: opus-5}
  r: {model: sonnet-4.6}
rollout: {waves: [100%]}
"""


@dataclass
class Done:
    """The end of a command: its exit code, and the text of its stdout and stderr."""

    exit: int
    out: str
    err: str

    def json(self) -> dict[str, Any]:
        """The JSON that it printed, which has the form that docs/schemas/ has for it."""
        form = checked(self.out)
        assert form["exit"] == self.exit
        return form


@dataclass
class Jada:
    """`jada(*argv)`: the command, of hosts that look as `states` says; `changed` those that it tried to change."""

    states: dict[str, State | HostError]
    capsys: pytest.CaptureFixture[str]
    fleet_file: Path
    engines: list[FakeEngine] = field(default_factory=list)
    answers: dict[str, Asked] = field(default_factory=dict)
    probes: dict[str, Probe] = field(default_factory=dict)
    slow: set[str] = field(default_factory=set)

    def __call__(self, *argv: str) -> Done:
        code = main.run(argv)
        output = self.capsys.readouterr()
        assert "Traceback" not in output.out + output.err
        assert all(engine.is_closed for engine in self.engines)
        return Done(code, output.out, output.err)

    @property
    def changed(self) -> list[str]:
        return [name for engine in self.engines for name in engine.changed]

    @contextmanager
    def open_engine(self, fleet: Fleet, hosts: tuple[Host, ...]) -> Iterator[FakeEngine]:
        self.engines.append(
            FakeEngine(self.states, service=fleet.service, answers=self.answers, probes=self.probes, slow=self.slow)
        )
        assert {host.name for host in hosts} <= self.states.keys()
        try:
            yield self.engines[-1]
        finally:
            self.engines[-1].close()


@pytest.fixture
def jada(
    host: Callable[..., State], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Jada:
    """web-1 and web-2 with role r, db-1 with role keepers; all on sonnet-4.6 by jada, in sync with their release."""
    file = tmp_path / "fleet.yml"
    # Not the one of whoever runs the tests, which need not be there.
    (tmp_path / "known_hosts").touch()
    file.write_text(FLEET + f"ssh: {{known_hosts: {tmp_path}/known_hosts}}\n")
    monkeypatch.setenv("JADA_FLEET", str(file))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    # Not that of whoever runs the tests, with their ssh configuration.
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    states: dict[str, State | HostError] = {
        "web-1": host(), "web-2": host(), "db-1": host(release={"role": "keepers"}),
    }  # fmt: skip
    command = Jada(states, capsys, file)
    monkeypatch.setattr(session, "open_engine", command.open_engine)
    return command
