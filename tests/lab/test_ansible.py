"""Ansible itself on the hosts that jada finds, and jada on the hosts of an inventory of Ansible's."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jada.inventory.lab.machine import OLD_MODEL
from tests.conftest import about_ssh, short_fleet

if TYPE_CHECKING:
    from tests.conftest import Lab

pytestmark = pytest.mark.lab
BIN = Path(sys.executable).parent


@about_ssh("Ansible's own way to hosts")
def test_ansible_reaches_the_hosts_of_jada_and_jada_those_of_ansible(lab: Lab, tmp_path: Path) -> None:
    environ = {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "ANSIBLE_HOME": str(tmp_path / "ansible")}
    (tmp_path / "hosts.json").write_text(lab.jada("hosts", "--ansible"))
    script = tmp_path / "hosts.sh"
    script.write_text(f"#!/bin/sh\ncat {tmp_path}/hosts.json\n")
    script.chmod(0o755)
    ran = subprocess.run(
        ["ansible", "-i", script, "provider_ec2", "-m", "ansible.builtin.raw", "-a", "hostname"],
        env={**os.environ, **environ}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    ec2 = {host.name for host in lab.hosts if host.cloud == "ec2"}
    assert set(re.findall(r"^(\S+) \| CHANGED \| rc=0 >>\n\1\r?$", ran.stdout, re.M)) == ec2, ran.stdout + ran.stderr

    variables = json.loads((tmp_path / "hosts.json").read_text())["_meta"]["hostvars"]
    lines = (f"{name} ansible_host={variables[name]['ansible_host']} ansible_user=admin\n" for name in sorted(ec2))
    (tmp_path / "hosts.ini").write_text(f"[agents]\n{''.join(lines)}")
    file = tmp_path / "fleet.yml"
    source = "sources:\n  - ansible: {inventory: hosts.ini, group: agents}\n"
    file.write_text(re.sub(r"^sources:\n(  .*\n)+", source, short_fleet(), flags=re.M))
    rows = lab.json("status", "--fleet", str(file), env=environ)["hosts"]
    assert {(row["host"], row["provider"], row["model_running"]) for row in rows} == {
        (name, "ansible", OLD_MODEL) for name in ec2
    }
