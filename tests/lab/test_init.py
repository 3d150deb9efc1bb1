"""The first hour on real hosts: a fleet.yml by `jada init` on which doctor passes, an upgrade, the way back, away with
jada.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from jada import Exit
from tests.conftest import LAB, Lab, about_ssh
from tests.warm import JADA

pytestmark = pytest.mark.lab

# All that may differ on a host, but for what systemd and sudo keep for themselves.
TREE = r"""
find /etc /var/lib /home /root /srv /usr/local /opt ! -path '/var/lib/s[yu]*/*' ! -name '.sudo*' \
    -printf '%y %m %u:%g %p %l\n' | sort
find /etc /home /root /srv -type f ! -name '.sudo*' -exec sha256sum {} + | sort -k 2"""


def differing(lab: Lab, name: str, before: str) -> set[str]:
    """The paths that are otherwise on a host than before."""
    return {line.split()[-1] for line in {*lab.run(name, TREE).splitlines()} ^ {*before.splitlines()}}


@about_ssh("static hosts and their keys")
def test_from_nothing_to_a_practised_rollback_and_away_with_it(lab: Lab, tmp_path: Path) -> None:
    names = ("orchestrator-1", "specialist-1")
    file = tmp_path / "fleet.yml"
    before = {name: lab.run(name, TREE) for name in names}
    env = {"HOME": str(tmp_path), "JADA_FLEET": str(file), "XDG_STATE_HOME": str(tmp_path / "state")}
    hosts = " ".join(f"{name}={lab[name].login}@{lab[name].address}" for name in names)
    # The hosts, that their keys are right, the service in place of one that is not there, and who says the model.
    answers = f"{hosts}\nyes\njada-agent.service\nhttp://127.0.0.1:8787/healthz\n"
    done = subprocess.run(
        [JADA, "init", "--static", "--key", str(LAB.folder / "id_lab"), "--service", "nosuch.service"],
        input=answers,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == Exit.OK, done
    # It was found on the hosts.
    assert "What runs there and may be one: jada-agent.service" in done.stdout
    assert [differing(lab, name, before[name]) for name in names] == [set(), set()]
    form = lab.json("doctor", env=env)
    assert not [row for row in form["checks"] if row["verdict"] == "fail"]
    file.write_text(file.read_text() + "\nsettle: 1\n")
    lab.jada("upgrade", "--to", "opus-5", "--waves", "100%", "--yes", env=env)
    lab.jada("rollback", "--limit", names[0], "--yes", env=env)
    lab.jada("lock", "--reason", "incident", "--limit", names[0], env=env)
    form = lab.json("forget", "--yes", exit_code=Exit.LOCKED, env=env)
    assert [row["outcome"] for row in form["hosts"]] == ["locked", "forgotten"]
    lab.jada("unlock", "--limit", names[0], env=env)
    lab.jada("forget", "--yes", env=env)
    assert not differing(lab, names[0], before[names[0]])
    # Of the host that was not rolled back, the settings are those of the release, and still run.
    assert differing(lab, names[1], before[names[1]]) == {lab[names[1]].settings}
    assert lab.model(names[1]) == "claude-opus-5"
    assert lab.json("doctor", env=env)["exit"] == Exit.OK
