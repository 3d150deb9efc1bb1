"""The workflow of `jada schedule --print github`: its shell steps as a runner of GitHub runs them, on real hosts."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.conftest import about_ssh, short_fleet

if TYPE_CHECKING:
    from tests.conftest import Lab

pytestmark = pytest.mark.lab
# jada is installed here already; all that uv is to do else is to run it.
UV = """#!/bin/sh
case $1 in sync) exit ;; run) shift 3; exec "$@" ;; *) exit 9 ;; esac
"""


class Runner:
    """A runner with a home, a checkout and a bin of its own: each step is a bash whose first error ends it."""

    def __init__(self, folder: Path, values: dict[str, str]) -> None:
        self.values, self.folder = values, folder
        self.home, self.files, self.bin = folder / "home", folder / "files", folder / "bin"
        for made in (self.home, self.files, self.bin):
            made.mkdir()
        (self.bin / "uv").write_text(UV)
        (self.bin / "uv").chmod(0o755)
        self.env = {
            "HOME": str(self.home),
            "PATH": f"{self.bin}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "GITHUB_ENV": str(self.files / "env"),
            "GITHUB_STEP_SUMMARY": str(self.files / "summary"),
        }

    def run(self, step: dict[str, object]) -> subprocess.CompletedProcess[str]:
        script = self.files / "step.sh"
        script.write_text(str(step["run"]))
        own = step.get("env", {})
        assert isinstance(own, dict)
        told = {name: re.sub(r"\$\{\{ (\S+) \}\}", lambda found: self.values.get(found[1], ""), text)
                for name, text in own.items()}  # fmt: skip
        return subprocess.run(
            ["bash", "-e", script], env={**self.env, **self.kept(), **told}, cwd=self.folder,
            capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def kept(self) -> dict[str, str]:
        """The variables that a step has left for those behind it."""
        file = self.files / "env"
        return dict(line.split("=", 1) for line in file.read_text().splitlines()) if file.exists() else {}


@about_ssh("the key that a runner logs in with")
def test_the_workflow_checks_the_fleet_and_writes_a_summary(lab: Lab, tmp_path: Path) -> None:
    text = short_fleet()
    key, known = (re.search(rf"^  {name}: (.*)$", text, re.M) for name in ("key", "known_hosts"))
    assert key and known
    (tmp_path / "fleet.yml").write_text(re.sub(r"^  (key|known_hosts): .*\n", "", text, flags=re.M))
    secrets = {"secrets.JADA_SSH_KEY": Path(key[1]).read_text(), "vars.JADA_KNOWN_HOSTS": Path(known[1]).read_text()}
    runner = Runner(tmp_path, secrets)
    printed = subprocess.run(
        ["jada", "schedule", "--every", "1d", "--print", "github", "--fleet", "fleet.yml"],
        env=runner.env, cwd=tmp_path, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    steps = [step for step in yaml.safe_load(printed)["jobs"]["drift"]["steps"] if "run" in step]
    install, log_in, check = (runner.run(step) for step in steps)
    try:
        assert (install.returncode, log_in.returncode, log_in.stdout) == (0, 0, ""), log_in.stderr
        # Nothing was ever released there.
        assert check.returncode == 3, check.stdout + check.stderr
        hosts = [host.name for host in lab.hosts if host.cloud == "ec2"]
        assert all(f" title={name}%3A J401 no-release::" in check.stdout for name in hosts)
        assert "| J401 no-release |" in (runner.files / "summary").read_text()
        assert (runner.home / ".ssh").stat().st_mode & 0o777 == 0o700
        # The key itself is in no file.
        files = [file for file in runner.home.rglob("*") if file.is_file()]
        assert not any(b"PRIVATE KEY" in file.read_bytes() for file in files)
    finally:
        # As a runner does at the end of a job.
        agent = subprocess.run(["pgrep", "-x", "ssh-agent"], capture_output=True, text=True, check=False).stdout
        for process in agent.split():
            if f"HOME={runner.home}".encode() in Path(f"/proc/{process}/environ").read_bytes().split(b"\0"):
                os.kill(int(process), signal.SIGTERM)


def test_a_runner_without_a_key_or_known_hosts_goes_on(tmp_path: Path) -> None:
    runner = Runner(tmp_path, {})
    (tmp_path / "fleet.yml").write_text("fleet: f\nsources: [{static: {hosts: {a: {address: a}}}}]\nroles: {r: {}}\n")
    printed = subprocess.run(
        ["jada", "schedule", "--every", "1d", "--print", "github", "--fleet", "fleet.yml"],
        env=runner.env, cwd=tmp_path, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    steps = [step for step in yaml.safe_load(printed)["jobs"]["drift"]["steps"] if "run" in step]
    done = runner.run(steps[1])
    assert (done.returncode, done.stderr, runner.kept()) == (0, "", {})
    assert not (runner.home / ".ssh/known_hosts").exists()
