"""The rehearsal fleet as a whole: up, down, and what is there."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from jada import JadaError
from jada.inventory.lab import cgroup, image, machine
from jada.inventory.lab.machine import Machine, Tell
from jada.inventory.lab.shell import LAB, require_lab_machine, run, write

FLEET_FILE = LAB / "fleet.yml"
STATE = LAB / "lab.json"
KEY = LAB / "id_lab"
CA = LAB / "ca"
ENDPOINT = LAB / "aws-endpoint"
LOCK = Path("/run", f"{LAB.name}.lock")
# The control group of the emulated endpoint; no host is named so.
AWS = "aws"
MOST_HOSTS = 60
# Far more than any boot takes; each host more on the same processors adds some.
BOOT_SECONDS = 120
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
  orchestrator: {{model: sonnet-4.6, tags: {{role: orchestrator}}}}
  specialist: {{model: sonnet-4.6}}
model_check: {{url: http://127.0.0.1:{port}/healthz}}
settle: 5
ssh:
  key: {key}
  known_hosts: {lab}/known_hosts
  host_keys: strict
"""
AWS_CONFIG = """\
[profile jada-lab]
region = us-east-1
aws_access_key_id = lab
aws_secret_access_key = lab
endpoint_url = {endpoint}
"""


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
    except (OSError, ValueError, KeyError, TypeError):
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


def up(count: int, tell: Tell, suite: str = image.SUITE) -> tuple[Machine, ...]:
    """Brings up a fresh lab of `count` hosts; a healthy one of the same size and suite is left as it is.

    Raises JadaError.
    """
    require_lab_machine()
    hosts = machines(count)
    with _alone():
        if current() == hosts and _base() == image.path(suite) and is_healthy(hosts):
            _let_in(hosts)
            tell(f"The lab is up already, with {count} hosts.")
            return hosts
        _take_down(tell)
        if not image.path(suite).is_dir():
            tell(f"Building the base image of {suite} with debootstrap: about a minute, only this once…")
        base = image.build(suite)
        tell(f"Booting {count} hosts…")
        LAB.mkdir(parents=True, mode=0o700)
        write(STATE, json.dumps({"hosts": count, "base": str(base)}))
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "jada lab", "-f", KEY)
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "jada lab ca", "-f", CA)
        machine.make_room(count)
        machine.make_bridge()
        with ThreadPoolExecutor(count) as pool:
            list(pool.map(_make_disk, hosts))
        for host in hosts:
            machine.boot(host, base)
        _start_aws(hosts)
        machine.wait_until_ready(hosts, BOOT_SECONDS + 10 * count, tell)
        _wait_for_aws()
        _let_in(hosts)
    return hosts


def down(tell: Tell) -> bool:
    """Takes down whatever there is of a lab, whole, half-started or crashed. Returns whether there was anything."""
    require_lab_machine()
    with _alone():
        return _take_down(tell)


def power_on(host: Machine) -> None:
    """Boots a host of the lab again that was powered off, with the disk it had. Raises JadaError."""
    if cgroup.processes(host.name):
        raise JadaError(f"The lab host {host.name} is on already")
    machine.pull_the_plug(host)
    machine.boot(host, _base())
    machine.wait_until_ready(host)


def reset(host: Machine) -> None:
    """Gives a host, on or off, a fresh disk and boots it; only its ssh host keys stay. Raises JadaError."""
    machine.power_off(host)
    keys = host.folder / "keys"
    keys.mkdir()
    for key in (host.folder / "upper/etc/ssh").glob("ssh_host_*"):
        key.rename(keys / key.name)
    for layer in ("upper", "work"):
        shutil.rmtree(host.folder / layer)
    (host.folder / "upper/etc").mkdir(parents=True)
    keys.rename(host.folder / "upper/etc/ssh")
    _make_disk(host)
    power_on(host)


def is_healthy(hosts: Sequence[Machine]) -> bool:
    """Whether every host is whole, and its agent and the emulated AWS endpoint answer."""
    # A host whose systemd-nspawn was killed runs on, but can't reboot and has no console.
    whole = bool(hosts) and all(cgroup.processes(f"{host.name}/supervisor") for host in hosts)
    return whole and endpoint() is not None and all(machine.healthz(host) for host in hosts)


def endpoint() -> str | None:
    """The URL of the emulated AWS endpoint; None when it isn't running."""
    return ENDPOINT.read_text().strip() if cgroup.processes(AWS) and ENDPOINT.exists() else None


def login(host: Machine) -> list[str]:
    """The ssh command that opens a shell on a host; for Lightsail with a certificate signed on the spot."""
    key, known_hosts = KEY, LAB / "known_hosts"
    if host.cloud == "lightsail":
        # A pair for each process: several people may log in at once.
        key, known_hosts = host.folder / f"login-{os.getpid()}", host.folder / "known_hosts"
        for old in host.folder.glob(f"{key.name}*"):
            old.unlink()
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
        run("ssh-keygen", "-q", "-s", CA, "-I", "jada lab ssh", "-n", host.login, "-V", "+10m", f"{key}.pub")
        write(known_hosts, "".join(f"{host.address} {line}\n" for line in host.host_keys()))
    options = ("LogLevel=ERROR", "IdentitiesOnly=yes", f"UserKnownHostsFile={known_hosts}", "StrictHostKeyChecking=yes")
    words = [word for option in options for word in ("-o", option)]
    return ["ssh", "-i", str(key), *words, f"{host.login}@{host.address}"]


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
    write(LAB / "instances.json", json.dumps(instances, indent=1))
    known = (f"{host.address} {key}\n" for host in hosts if host.cloud == "ec2" for key in host.host_keys())
    write(LAB / "known_hosts", "".join(known))
    write(FLEET_FILE, FLEET_YML.format(lab=LAB, key=KEY, port=machine.PORT))
    argv = [sys.executable, "-m", "jada.inventory.lab.aws", "--state-dir", str(LAB)]
    cgroup.start(AWS, argv, LAB / "aws.log")


def _wait_for_aws() -> None:
    deadline = time.monotonic() + 60
    while not (url := endpoint()):
        if not cgroup.processes(AWS) or time.monotonic() > deadline:
            raise JadaError("The emulated AWS endpoint did not start", f"its log is in {LAB / 'aws.log'}")
        time.sleep(0.1)
    write(LAB / "aws-config", AWS_CONFIG.format(endpoint=url))


def _let_in(hosts: Sequence[Machine]) -> None:
    """What points at the lab is for all to read, its key for root and for who called sudo; the disks are root's own."""
    for file in (FLEET_FILE, LAB / "aws-config", LAB / "known_hosts"):
        file.chmod(0o644)
    for host in hosts:
        host.folder.chmod(0o700)
    if caller := os.environ.get("SUDO_UID"):
        os.chown(KEY, int(caller), -1)
    LAB.chmod(0o711)


def _take_down(tell: Tell) -> bool:
    hosts = [host for host in machines(MOST_HOSTS) if host.leaves_traces]
    bridge = machine.BRIDGE in machine.links()
    if not (hosts or bridge or LAB.exists() or cgroup.exists(AWS)):
        return False
    tell(f"Shutting down {len(hosts)} hosts…" if hosts else "Clearing away what is left of a lab…")
    with ThreadPoolExecutor(max(1, len(hosts))) as pool:
        list(pool.map(machine.power_off, hosts))
    cgroup.remove(AWS)
    if bridge:
        run("ip", "link", "del", machine.BRIDGE)
    run("rm", "-rf", "--one-file-system", LAB)
    return True


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Keeps a second `lab up` or `lab down` from working on the same lab; the kernel frees it when we die."""
    with LOCK.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise JadaError("Another `jada lab` is bringing the lab up or down", "wait for it, or stop it") from None
        yield


def _make_disk(host: Machine) -> None:
    authorized_key, ca = (key.with_suffix(".pub").read_text() for key in (KEY, CA))
    try:
        machine.make_disk(host, _base(), authorized_key, ca)
    except (OSError, JadaError) as error:
        raise JadaError(
            f"The disk of the lab host {host.name} can't be made: {error}", f"it is in {host.folder}"
        ) from None


def _base() -> Path:
    """The image that this lab's disks were made on; a newer jada may build another."""
    return Path(json.loads(STATE.read_text())["base"])
