"""The rehearsal fleet as a whole: up, down, and what is there."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from jada import JadaError
from jada.inventory.lab import image, machine
from jada.inventory.lab.machine import Machine
from jada.inventory.lab.shell import LAB, require_lab_machine, run

FLEET_FILE = LAB / "fleet.yml"
STATE = LAB / "lab.json"
KEY = LAB / "id_lab"
CA = LAB / "ca"
ENDPOINT = LAB / "aws-endpoint"
FLEET_YML = """\
# Written by `jada lab up`: the rehearsal fleet, behind an emulated AWS endpoint on this machine.
fleet: rehearsal
aws:
  profile: jada-lab
  config_file: {lab}/aws-config
sources:
  - ec2:
      regions: [us-east-1, eu-west-1]
      tags: {{jada: agent}}
      address: private
      user: admin
  - lightsail:
      regions: [us-east-1]
      names: [jada-agent]
      address: private
roles:
  orchestrator: {{model: sonnet-4.5, tags: {{role: orchestrator}}}}
  specialist: {{model: sonnet-4.5}}
health: http://127.0.0.1:{port}/healthz
settle: 4
ssh:
  key: {key}
  known_hosts: {lab}/known_hosts
"""
AWS_CONFIG = """\
[profile jada-lab]
region = us-east-1
aws_access_key_id = lab
aws_secret_access_key = lab
endpoint_url = {endpoint}
"""

Tell = Callable[[str], None]


def machines(count: int) -> tuple[Machine, ...]:
    """The hosts of a lab of `count`: one Lightsail instance, one orchestrator, specialists in two regions."""
    made = [Machine(1, "jada-agent", "lightsail", "us-east-1", "bitnami")]
    for number in range(2, count + 1):
        role = "orchestrator" if number == 2 else "specialist"
        name = "orchestrator-1" if number == 2 else f"specialist-{number - 2}"
        region = "eu-west-1" if number % 2 else "us-east-1"
        tags = {"Name": name, "jada": "agent", "role": role}
        made.append(Machine(number, name, "ec2", region, "admin", image.AGENT_USER, tags))
    return tuple(made)


def current() -> tuple[Machine, ...]:
    """The hosts of the lab that was brought up last, whether they run or not; () when there is none."""
    try:
        return machines(int(json.loads(STATE.read_text())["hosts"]))
    except (OSError, ValueError, KeyError):
        return ()


def find(name: str) -> Machine:
    """One host of the lab by its name. Raises JadaError."""
    hosts = current()
    found = next((host for host in hosts if host.name == name), None)
    if found is None:
        names = ", ".join(host.name for host in hosts)
        hint = f"one of: {names}" if names else "jada lab up"
        raise JadaError(f"The lab has no host {name}" if names else "The lab is not up", hint)
    return found


def up(count: int, tell: Tell) -> tuple[Machine, ...]:
    """Brings up a fresh lab of `count` hosts; a healthy one of the same size is left as it is. Raises JadaError."""
    require_lab_machine()
    hosts = machines(count)
    if current() == hosts and is_healthy(hosts):
        tell(f"The lab is up already, with {count} hosts.")
        return hosts
    down(tell)
    if not image.path().is_dir():
        tell("Building the base image with debootstrap: about a minute, only this once…")
    base = image.build()
    LAB.mkdir(parents=True, mode=0o700)
    STATE.write_text(json.dumps({"hosts": count}))
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "jada lab", "-f", KEY)
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "jada lab ca", "-f", CA)
    tell(f"Booting {count} hosts…")
    machine.make_bridge()
    authorized, ca = KEY.with_suffix(".pub").read_text(), CA.with_suffix(".pub").read_text()
    with ThreadPoolExecutor(count) as pool:
        list(pool.map(lambda host: machine.make_disk(host, base, authorized, ca), hosts))
        for host in hosts:
            machine.boot(host, base)
        _start_aws(hosts)
        list(pool.map(machine.wait_until_ready, hosts))
    _wait_for_aws()
    return hosts


def down(tell: Tell) -> bool:
    """Takes down whatever there is of a lab, whole, half-started or crashed. Returns whether there was anything."""
    require_lab_machine()
    namespaces = [line.split()[0] for line in run("ip", "netns", "list").splitlines()]
    left = [name for name in namespaces if name.startswith("jada-")]
    if not LAB.exists() and not left:
        return False
    hosts = current()
    if any(host.leader for host in hosts):
        tell("Shutting the lab down…")
    with ThreadPoolExecutor(max(1, len(hosts))) as pool:
        list(pool.map(machine.power_off, hosts))
    _stop_aws()
    # What a crashed lab of another size left behind.
    for name in left:
        if name not in {host.namespace for host in hosts}:
            machine.clean_up(name, LAB / "hosts" / name.removeprefix("jada-"), f"none-{name}"[:15])
    for line in run("ip", "-o", "link", "show", "type", "veth").splitlines():
        link = line.split(":")[1].strip().split("@")[0]
        if link.startswith("jl") and link[2:].isdigit():
            run("ip", "link", "del", link, check=False)
    for mount in _mounts():
        run("umount", "--lazy", mount)
    run("ip", "link", "del", machine.BRIDGE, check=False)
    shutil.rmtree(LAB, ignore_errors=True)
    return True


def power_on(host: Machine) -> None:
    """Boots a host of the lab again that was powered off, with the disk it had."""
    machine.boot(host, image.build())
    machine.wait_until_ready(host)


def is_healthy(hosts: Sequence[Machine]) -> bool:
    """Whether every host's agent and the emulated AWS endpoint answer."""
    return bool(hosts) and all(host.leader and machine.healthz(host) for host in hosts) and _aws_pid() is not None


def login(host: Machine) -> list[str]:
    """The ssh command that opens a shell on a host; for Lightsail with a certificate signed on the spot."""
    key = KEY
    known_hosts = LAB / "known_hosts"
    if host.cloud == "lightsail":
        key = host.folder / "login"
        for old in host.folder.glob("login*"):
            old.unlink()
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
        run("ssh-keygen", "-q", "-s", CA, "-I", "jada lab ssh", "-n", host.login, "-V", "+10m", f"{key}.pub")
        known_hosts = host.folder / "known_hosts"
        known_hosts.write_text("".join(f"{host.address} {line}\n" for line in host.host_keys()))
    return ["ssh", "-q", "-i", str(key), "-o", "IdentitiesOnly=yes", "-o", f"UserKnownHostsFile={known_hosts}",
            "-o", "StrictHostKeyChecking=yes", f"{host.login}@{host.address}"]  # fmt: skip


def _start_aws(hosts: Sequence[Machine]) -> None:
    """Starts the emulated endpoint, and writes what points at the lab: known_hosts and fleet.yml."""
    ec2, lightsail = (
        [
            {"name": host.name, "region": host.region, "address": host.address, "username": host.login,
             "tags": dict(host.tags), "state": "running", "host_keys": host.host_keys()}
            for host in hosts
            if host.cloud == cloud
        ]
        for cloud in ("ec2", "lightsail")
    )  # fmt: skip
    instances = {"ec2": ec2, "lightsail": lightsail, "ssh_ca": str(CA)}
    (LAB / "instances.json").write_text(json.dumps(instances, indent=1))
    known = (f"{host.address} {key}\n" for host in hosts if host.cloud == "ec2" for key in host.host_keys())
    (LAB / "known_hosts").write_text("".join(known))
    FLEET_FILE.write_text(FLEET_YML.format(lab=LAB, key=KEY, port=machine.PORT))
    with (LAB / "aws.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "jada.inventory.lab.aws", "--state-dir", LAB],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    (LAB / "aws.pid").write_text(str(process.pid))


def _wait_for_aws() -> None:
    deadline = time.monotonic() + 60
    while not ENDPOINT.exists():
        if _aws_pid() is None or time.monotonic() > deadline:
            raise JadaError("The emulated AWS endpoint did not start", f"its log is in {LAB / 'aws.log'}")
        time.sleep(0.1)
    (LAB / "aws-config").write_text(AWS_CONFIG.format(endpoint=ENDPOINT.read_text().strip()))


def _aws_pid() -> int | None:
    try:
        pid = int((LAB / "aws.pid").read_text())
        words = Path(f"/proc/{pid}/cmdline").read_text()
    except (OSError, ValueError):
        return None
    return pid if "jada.inventory.lab.aws" in words else None


def _stop_aws() -> None:
    if pid := _aws_pid():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)


def _mounts() -> list[str]:
    points = (line.split()[1] for line in Path("/proc/mounts").read_text().splitlines())
    return [point for point in points if point.startswith(f"{LAB}/hosts/")]
