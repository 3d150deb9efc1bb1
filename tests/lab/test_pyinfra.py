"""pyinfra itself over `@ssm/i-…`: its own command line and operations, on hosts of the lab that have no port 22."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jada.inventory.lab.machine import OLD_MODEL
from tests.conftest import LAB, about_ssh
from tests.unit.tasks.test_run_command import noise

if TYPE_CHECKING:
    from tests.conftest import Lab

pytestmark = pytest.mark.lab
# The first is in the region of the AWS profile, the other is not.
HOST, OTHER = "orchestrator-1", "specialist-1"
NEW = "claude-sonnet-4.6"


class Pyinfra:
    """pyinfra with the lab's AWS, whose EC2 hosts take no connection."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab, self.folder = lab, folder
        self.instances = {row["host"]: row["id"] for row in lab.json("hosts")["hosts"]}
        self.env = {"AWS_CONFIG_FILE": str(LAB.aws_config), "AWS_PROFILE": "jada-lab", "AWS_EC2_METADATA_DISABLED": "1"}

    def __call__(self, *argv: str, exit_code: int = 0, cwd: Path | None = None, **env: str) -> str:
        process = subprocess.run(
            [Path(sys.executable).with_name("pyinfra"), "-y", "-v", *argv],
            cwd=cwd or self.folder, env={**os.environ, **self.env, **env}, capture_output=True, text=True, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        output = process.stdout + process.stderr
        assert process.returncode == exit_code, output
        assert "Traceback" not in output
        assert "lab-secret" not in output
        return output

    def name(self, host: str) -> str:
        return f"@ssm/{self.instances[host]}"

    def deploy(self, text: str, exit_code: int = 0) -> str:
        (self.folder / "deploy.py").write_text(text)
        return self(self.name(HOST), "deploy.py", exit_code=exit_code)


@pytest.fixture
def pyinfra(lab: Lab, tmp_path: Path) -> Iterator[Pyinfra]:
    for name in (HOST, OTHER):
        lab.run(name, "systemctl stop ssh; rm -rf /srv/it /run/jada-ssm")
    yield Pyinfra(lab, tmp_path)
    for name in (HOST, OTHER):
        lab.run(name, "systemctl start ssh; rm -rf /srv/it /run/jada-ssm")


def test_a_command_runs_as_root_and_once(pyinfra: Pyinfra) -> None:
    output = pyinfra(
        pyinfra.name(HOST), "exec", "--", "id -un; echo ran >>/srv/it; pwd; umask; echo $HOME; echo no >&2"
    )
    lines = re.findall(r"^\[@ssm/i-\w+\] (.*)$", output, re.M)
    assert lines == ["root", "/root", "0022", "/root", "no"]
    assert pyinfra.lab.run(HOST, "cat /srv/it") == "ran\n"
    # Its answer alone, until the next boot or an hour later.
    assert set(pyinfra.lab.run(HOST, "ls -A /run/jada-ssm/*/ | grep -v : | sort -u").split()) == {"answer"}


def test_a_host_in_another_region_is_named_with_it(pyinfra: Pyinfra) -> None:
    output = pyinfra(pyinfra.name(OTHER), "exec", "--", "true", exit_code=1)
    assert "Systems Manager does not know it" in output
    assert "`ssm_region` in its data names another" in output
    pyinfra(pyinfra.name(OTHER), "--data", "ssm_region=eu-west-1", "exec", "--", "true")


def test_what_fails_fails_its_host_alone(pyinfra: Pyinfra) -> None:
    (pyinfra.folder / "hosts.py").write_text(
        f"agents = ['{pyinfra.name(HOST)}', ('@ssm/other', dict(ssm_instance='{pyinfra.instances[OTHER]}', "
        "ssm_region='eu-west-1')), '@ssm/i-0aaaaaaaaaaaaaaaa']\n"
    )
    output = pyinfra("hosts.py", "exec", "--", '[ "$(hostname)" = specialist-1 ] || exit 3', exit_code=1)
    assert "[@ssm/i-0aaaaaaaaaaaaaaaa] Systems Manager does not know it" in output
    assert re.search(r"\[other\] +Success", output)
    assert re.search(rf"\[{pyinfra.name(HOST)}\] +Error", output)
    pyinfra("hosts.py", "--limit", "other", "exec", "--", "true")


def test_files_go_there_and_come_back_whole(pyinfra: Pyinfra) -> None:
    content = noise(150_000) + b"\x00\r\n\xff"
    (pyinfra.folder / "up").write_bytes(content)
    pyinfra.deploy("""
from io import StringIO
from pyinfra.operations import files, server
files.put(src="up", dest="/srv/it/of root's", mode="640", create_remote_dir=True)
files.directory(path="/srv/it/own", user="agent", _sudo=True)
files.put(src=StringIO("x=ü\\n"), dest="/srv/it/own/as-agent", _sudo=True, _sudo_user="agent", _sudo_password="lab-secret")
files.get(src="/srv/it/of root's", dest="down")
server.shell(commands=["cat >/srv/it/own/said; pwd; echo $A"], _stdin=["one", "two"], _chdir="/srv", _env={"A": "ä'"})
server.shell(commands=["exit 7"], _success_exit_codes=[7])
""")  # noqa: E501
    assert (pyinfra.folder / "down").read_bytes() == content
    lab = pyinfra.lab
    assert lab.run(HOST, 'sha256sum <"/srv/it/of root\'s"').split()[0] == sha256(content).hexdigest()
    assert lab.run(HOST, "stat -c '%U %a' \"/srv/it/of root's\" /srv/it/own/as-agent") == "root 640\nagent 644\n"
    assert lab.run(HOST, "cat /srv/it/own/as-agent /srv/it/own/said") == "x=ü\none\ntwo\n"


def test_a_file_that_can_not_be_had_or_put_fails_its_operation(pyinfra: Pyinfra) -> None:
    (pyinfra.folder / "up").write_text("x")
    text = 'from pyinfra.operations import files\nfiles.{}, _sudo=True, _sudo_user="agent")\n'
    output = pyinfra.deploy(text.format('put(src="up", dest="/srv/no"'), exit_code=1)
    assert "/srv/no was not uploaded: " in output
    assert "Permission denied" in output
    output = pyinfra.deploy(
        'from pyinfra.operations import files\nfiles.get(src="/srv/none", dest="down")\n', exit_code=1
    )
    assert "/srv/none was not downloaded: " in output
    assert not (pyinfra.folder / "down").exists()


def test_a_long_answer_comes_whole_and_a_flood_is_ended(pyinfra: Pyinfra) -> None:
    output = pyinfra(pyinfra.name(HOST), "exec", "--", "seq 100000")
    assert re.findall(r"\] (\d+)$", output, re.M) == [f"{number}" for number in range(1, 100_001)]
    output = pyinfra(pyinfra.name(HOST), "exec", "--", "yes", exit_code=1)
    assert "it says more than 4194304 bytes" in output
    # Nor is anything of it left running, or in the way.
    assert pyinfra.lab.run(HOST, "pgrep -c -x yes || true") == "0\n"
    assert "shell" not in pyinfra.lab.run(HOST, "ls /run/jada-ssm")


def test_what_takes_too_long_is_ended(pyinfra: Pyinfra) -> None:
    output = pyinfra.deploy(
        'from pyinfra.operations import server\nserver.shell(commands=["sleep 600"], _timeout=2)\n', exit_code=1
    )
    assert "Command timed out after 2s" in output
    assert pyinfra.lab.run(HOST, "pgrep -c -x sleep || true") == "0\n"


def test_the_playbook_goes_as_the_fleet_says(pyinfra: Pyinfra) -> None:
    """`engine: ssm` for the EC2 hosts, ssh for the one of Lightsail; by the names that the fleet has."""
    fleet = LAB.folder / "pyinfra.yml"
    text = LAB.fleet_file.read_text()
    fleet.write_text(re.sub("      user: admin\n(      engine: .*\n)?", "      engine: ssm\n", text))
    root = Path(__file__).parents[2]
    output = pyinfra("inventory/aws.py", "deploy.py", "--limit", HOST, cwd=root, JADA_FLEET=str(fleet))
    assert f"[{HOST}]" in output
    assert (pyinfra.lab.model(HOST), pyinfra.lab.model(OTHER)) == (NEW, OLD_MODEL)
    pyinfra("inventory/aws.py", "deploy.py", cwd=root, JADA_FLEET=str(fleet))
    assert pyinfra.lab.models() == {NEW}
    pyinfra("inventory/aws.py", "debug-inventory", cwd=root, JADA_FLEET=str(fleet))
    fleet.write_text(re.sub("url: (.*)}", r'url: "\1?key=lab-secret"}', fleet.read_text()))
    output = pyinfra("inventory/aws.py", "deploy.py", "--limit", HOST, cwd=root, JADA_FLEET=str(fleet), exit_code=1)
    assert "AWS would keep the URL" in output


@about_ssh("the ssh data of an inventory")
def test_the_example_of_the_docs_goes_with_other_operations(lab: Lab, tmp_path: Path) -> None:
    """docs/pyinfra.md: its two files as they stand there."""
    root = Path(__file__).parents[2]
    inventory, deploy = re.findall(r"```python\n(.*?)```", (root / "docs/pyinfra.md").read_text(), re.DOTALL)
    (tmp_path / "inventory.py").write_text(inventory)
    (tmp_path / "agents.py").write_text(deploy)
    pyinfra = Pyinfra(lab, tmp_path)
    output = pyinfra("inventory.py", "agents.py", "--limit", "specialist", JADA_FLEET=str(LAB.fleet_file))
    assert f"{OTHER} runs {NEW}; beside what was asked for: nothing" in output
    assert lab.run(OTHER, "cat /etc/motd") == "Ask the agents' people first.\n"
    assert (lab.model(HOST), lab.model(OTHER)) == (OLD_MODEL, NEW)
    # It is a release like any other.
    rows = lab.json("rollback", "--yes", "--limit", OTHER)["hosts"]
    assert [(row["outcome"], row["model_after"]) for row in rows] == [("verified", OLD_MODEL)]
