"""The guard on real hosts: services that fail on a model go to the fallback of their role, while it runs unattended."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import JADA, LAB, eventually
from tests.forms import checked

if TYPE_CHECKING:
    from tests.conftest import Lab

pytestmark = pytest.mark.lab
NEW, FALLBACK = "claude-opus-5", "claude-haiku-4.5"
MORE = "roles:\n  every: {model: opus-5, fallback: [haiku-4.5]}\nguard: {to: fallback, interval: 5s}\n"


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """The environment of a jada with a record and a fleet.yml of its own."""
    text = re.sub(r"^(roles|guard):.*\n(?: .*\n)*", "", LAB.fleet_file.read_text(), flags=re.MULTILINE)
    file = tmp_path / "fleet.yml"
    file.write_text(text + MORE)
    return {"JADA_FLEET": str(file), "XDG_STATE_HOME": str(tmp_path)}


def test_hosts_of_a_model_that_crashes_go_to_the_fallback(lab: Lab, env: dict[str, str]) -> None:
    lab.jada("upgrade", "--yes", env=env)
    assert lab.models() == {NEW}
    name = lab.hosts[0].name
    watching = subprocess.Popen(
        [JADA, "guard", "--for", "30m", "--json"],
        env={**os.environ, **env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        lab.misbehave(name, crash_on_start=True, models=[NEW])
        lab.run(name, "systemctl kill --signal=KILL jada-agent")
        eventually(lambda: lab.models() == {FALLBACK}, "the hosts did not come to the fallback")
        # A guard that is told to stop while hosts are changed does so once they are.
        watching.send_signal(signal.SIGINT)
        output, errors = watching.communicate(timeout=60)
    finally:
        watching.kill()
        watching.wait()
    assert watching.returncode == 130, output + errors
    events = [checked(line) for line in output.splitlines()]
    assert [line["event"] for line in events][:4] == ["watching", "failing", "changing", "changed"]
    assert events[3]["exit"] == 0
    assert f"on it go to {FALLBACK}" in events[2]["text"]
    reason = lab.json("history", "--last", "1", env=env)["releases"][0]["reason"]
    assert reason.startswith("guard: 1 host of")
    # fleet.yml still asks for the other one: that is for a person.
    drift = lab.json("drift", exit_code=3, env=env)
    assert {finding["code"] for host in drift["hosts"] for finding in host["findings"]} == {"J422"}
