"""The emulated AWS endpoint in a process of its own, and fleets that point at it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from jada.inventory.cloud import objects
from jada.inventory.cloud.objects import Objects
from jada.inventory.fleet import config
from jada.inventory.fleet.config import Fleet
from jada.inventory.lab.instance_connect import authority

# Of the only access key that the tunnels know.
PASSWORD = "b"
PATIENCE = 300  # seconds for the endpoint to come up on a loaded machine


def ec2(name: str, region: str, address: str, state: str = "running", **tags: str) -> dict[str, Any]:
    return {"name": name, "region": region, "address": address, "state": state, "tags": {"jada": "agent", **tags}}


def lightsail(
    name: str, address: str, region: str = "us-east-1", state: str = "running", **tags: str
) -> dict[str, Any]:
    return {"name": name, "region": region, "address": address, "username": "admin", "state": state, "tags": tags}


INSTANCES: dict[str, Any] = {
    "ec2": [
        ec2("orch-1", "us-east-1", "10.77.0.11", role="orchestrator", env="prod"),
        ec2("spec-1", "eu-west-1", "10.77.0.12", env="prod"),
        ec2("spec-2", "eu-west-1", "10.77.0.13", env="staging"),
        ec2("spec-3", "eu-west-1", "10.77.0.14", state="stopped"),
        ec2("twin", "us-east-1", "10.77.0.15"),
        ec2("twin", "us-east-1", "10.77.0.16"),
        {"name": "ghost-1", "region": "eu-central-1", "address": "10.77.0.18"},
        {"name": "ghost-2", "region": "ap-south-1", "address": "10.77.0.18"},
        {"name": "stranger", "region": "us-east-1", "address": "10.77.0.17"},
    ],
    "lightsail": [
        lightsail("jada-agent", "10.77.0.21", team="a"),
        lightsail("jada-agent-2", "10.77.0.22", team="b"),
        lightsail("jada-agent-3", "10.77.0.23", team="b"),
        lightsail("jada-off", "10.77.0.24", state="stopped"),
        lightsail("other", "10.77.0.25"),
        lightsail("jada-agent", "10.77.0.26", region="eu-west-1"),
    ],
}


@dataclass(frozen=True, slots=True)
class Emulator:
    """A running endpoint; `host_key` is the public key that every Lightsail instance shows, and spec-2's console. The
    tunnels of EC2 Instance Connect lead to `tunnel_port`.
    """

    folder: Path
    url: str
    host_key: str
    tunnel_port: int

    def fails(self, faults: dict[str, dict[str, dict[str, Any]]]) -> None:
        """From now on, calls fail as faults.json says."""
        part = self.folder / "faults.part"
        part.write_text(json.dumps(faults))
        part.replace(self.folder / "faults.json")

    def log(self) -> str:
        return (self.folder / "log").read_text()


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    folder = tmp_path_factory.mktemp("aws")
    for name in ("ca", "host"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    host_key = (folder / "host.pub").read_text().strip()
    entries = [{**instance, "host_keys": [host_key]} for instance in INSTANCES["lightsail"]]
    block = f"-----BEGIN SSH HOST KEY KEYS-----\r\n{host_key}\r\n-----END SSH HOST KEY KEYS-----\r\n"
    (folder / "console").write_text(f"Linux version 6.1\r\n{block}", newline="")
    consoles = {"spec-2": {"console": str(folder / "console")}}
    ec2_entries = [{**instance, **consoles.get(instance["name"], {})} for instance in INSTANCES["ec2"]]
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    eice = {"secret": PASSWORD, "regions": ["us-east-1"], "port": port}
    instances = {"ec2": ec2_entries, "lightsail": entries, "ssh_ca": str(folder / "ca"), "eice": eice}
    (folder / "instances.json").write_text(json.dumps(instances))
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "jada.inventory.lab.aws", "--state-dir", folder], stdout=log, stderr=log
        )
    try:
        yield Emulator(folder, _wait_for(folder / "aws-endpoint", process), host_key, port)
    finally:
        process.terminate()
        assert process.wait(timeout=PATIENCE) == 0
        assert not (folder / "aws-endpoint").exists()


@pytest.fixture
def aws(running: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Emulator]:
    """The endpoint without faults, and an environment without AWS settings of the person who runs the tests."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    running.fails({})
    yield running
    # A module's fixtures are set up before this one: they need the endpoint without the last test's faults too.
    running.fails({})


@pytest.fixture
def fleet_of(aws: Emulator, tmp_path: Path) -> Callable[..., Fleet]:
    """Makes a fleet from the text of its sources; other sections by name."""

    def make(sources: str, url: str = aws.url, password: str = PASSWORD, **sections: str) -> Fleet:
        (tmp_path / "aws-config").write_text(
            f"[profile lab]\naws_access_key_id = a\naws_secret_access_key = {password}\nendpoint_url = {url}\n"
            f"ca_bundle = {authority(aws.folder)}\n"
        )
        entries = {
            "fleet": "test",
            "aws": "{profile: lab, config_file: aws-config}",
            "roles": "{orchestrator: {tags: {role: orchestrator}}, specialist: {model: haiku-4.5}}",
            **sections,
            "sources": sources,
        }
        file = tmp_path / "fleet.yml"
        file.write_text("".join(f"{key}: {value}\n" for key, value in entries.items()))
        return config.load(str(file))

    return make


def _wait_for(file: Path, process: subprocess.Popen[bytes]) -> str:
    deadline = time.monotonic() + PATIENCE
    while not file.exists():
        assert process.poll() is None, (file.parent / "log").read_text()
        assert time.monotonic() < deadline, "the endpoint did not come up"
        time.sleep(0.05)
    return file.read_text()


@pytest.fixture
def bucket(aws: Emulator, fleet_of: Callable[..., Fleet], monkeypatch: pytest.MonkeyPatch) -> Objects:
    """A team's place in a new bucket, whose writers wait for each other no longer than need be."""
    monkeypatch.setattr(objects, "PAUSE", 0.001)
    name = f"jada-{uuid.uuid4().hex}"
    s3 = boto3.client("s3", "us-east-1", endpoint_url=aws.url, aws_access_key_id="a", aws_secret_access_key="b")
    s3.create_bucket(Bucket=name)
    return Objects(fleet_of("[{static: {hosts: {s: {address: 192.0.2.1}}}}]").aws, name, "team/")
