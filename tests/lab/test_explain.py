"""`jada explain` and `jada drift` from outside: the whole way over ssh, and what it costs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jada.inventory.lab import machine
from tests.conftest import LAB, about_ssh

if TYPE_CHECKING:
    from tests.conftest import Lab

pytestmark = pytest.mark.lab
HOST = "specialist-1"

# Runs jada with every channel counted that it opens inside an ssh connection, by address.
COUNTED = """
import collections, json, sys
from jada.cli.startup import patch_gevent
patch_gevent()  # gevent's, before anything that speaks ssh
import paramiko
opened = collections.Counter()
real = paramiko.Transport.open_channel
def open_channel(self, *args, **kwargs):
    opened[self.getpeername()[0]] += 1
    return real(self, *args, **kwargs)
paramiko.Transport.open_channel = open_channel
from jada.cli.main import main
try:
    main(sys.argv[1:])
finally:
    print("OPENED", json.dumps(opened))
"""


@pytest.fixture(autouse=True)
def own_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A record that no other test has written to."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


@about_ssh("the channels of a connection are counted")
def test_drift_is_one_exec_a_host(lab: Lab) -> None:
    environ = {**os.environ, "JADA_FLEET": str(LAB.fleet_file)}
    process = subprocess.run(
        [sys.executable, "-c", COUNTED, "drift"], capture_output=True, text=True, env=environ, check=False
    )
    assert process.returncode == 3, process.stderr
    _, _, counts = process.stdout.rpartition("OPENED")
    assert json.loads(counts) == {host.address: 1 for host in lab.hosts}


def test_lies_of_several_hosts_are_found_together(lab: Lab) -> None:
    lab.jada("upgrade", "--to", "sonnet-4.6", "--yes")
    lab.run("jada-agent", 'mkdir /etc/claude-code; echo \'{"model": "x"}\' >/etc/claude-code/managed-settings.json')
    lab.run(
        "orchestrator-1",
        "touch /home/agent/.claude/settings.json",
    )
    lab.run(HOST, "echo ANTHROPIC_MODEL=claude-x >/etc/default/jada-agent; systemctl restart jada-agent")
    rows: Any = lab.json("drift", exit_code=3)["hosts"]
    assert {row["host"]: [finding["code"] for finding in row["findings"]] for row in rows} == {
        "jada-agent": ["J103"],
        "orchestrator-1": [],
        HOST: ["J103", "J105"],
    }


def test_explain_shows_what_wins_and_what_does_not(lab: Lab) -> None:
    lab.jada("upgrade", "--to", "opus-5", "--yes")
    lab.run(HOST, "echo ANTHROPIC_MODEL=claude-x >/etc/default/jada-agent")
    output = lab.jada("explain", HOST)
    assert "A process started now would ask for claude-x (derived from ANTHROPIC_MODEL in" in output
    assert "→ claude-x                      ANTHROPIC_MODEL in /etc/default/jada-agent\n" in output
    assert f"  claude-opus-5                 model in {lab[HOST].settings}  (outranked)\n" in output
    pid = machine.healthz(lab[HOST])["pid"]
    assert f"Process {pid}, running for" in output
    uses = "uses claude-opus-5 (reported by its model check)"
    assert f"{uses}; started again as it was, it would ask for claude-opus-5 (derived)" in output
    assert "J103 model-shadowed" in output
    assert f"jada heal --limit {HOST}" in output

    hosts: Any = lab.json("explain", HOST)["hosts"]
    row = hosts[0]
    assert (row["model_desired"], row["next_start"]["model"], row["running"]["model"]) == (
        "claude-opus-5",
        "claude-x",
        "claude-opus-5",
    )
    assert [origin["where"] for origin in row["next_start"]["chain"] if origin["wins"]] == [
        "ANTHROPIC_MODEL in /etc/default/jada-agent"
    ]
    assert row["open_files"]["requested"] == 2_147_483_646
    assert row["open_files"]["in_force"] == row["open_files"]["at_login"] == row["open_files"]["released"]


def test_the_probe_and_the_projects_of_the_fleet_are_looked_at(lab: Lab) -> None:
    lab.jada("upgrade", "--to", "opus-5", "--yes")
    project = f"{lab[HOST].home}/Documents/repos/one/.claude"
    lab.run(HOST, f'mkdir -p {project}; echo \'{{"model": "claude-x"}}\' >{project}/settings.local.json')
    own = LAB.folder / "probed.yml"
    text = re.sub("model_check: .*", "model_check: {command: id -un}", LAB.fleet_file.read_text())
    own.write_text(text + "projects: [~/Documents/repos]\n")
    output = lab.jada("drift", "--limit", HOST, exit_code=3, env={"JADA_FLEET": str(own)})
    assert "J105 model-running: expected claude-opus-5, saw agent (model_check.command)" in output
    assert f"saw claude-x from model in {project}/settings.local.json" in output
    lab.run(HOST, "rm -r /home/agent/Documents")
