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
from dataclasses import asdict, replace
from pathlib import Path

from jada import JadaError
from jada.inventory.lab import cgroup, claude, image, instance_connect, machine
from jada.inventory.lab.machine import Machine, Tell
from jada.inventory.lab.named import Lab, LabState, free_network, read_state
from jada.inventory.lab.shell import require_lab_machine, run, write

# Held while a lab takes a network, so that no two take the same.
NETWORK_LOCK = Path("/run/jada.lock")
MOST_HOSTS = 60
# Far more than any boot takes; each host more on the same processors adds some.
BOOT_SECONDS = 120
FLEET_YML = """\
# Written by `jada lab up`: a rehearsal fleet, behind an emulated AWS endpoint on this machine.
fleet: {lab.fleet}
aws:
  profile: jada-lab
  config_file: {lab.aws_config}
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
{model_check}settle: 5
rollout: {{bake_time: 3s}}
ssh:
  key: {lab.key}
  known_hosts: {lab.known_hosts}
  host_keys: known_hosts
"""
# Of the stand-in for an agent alone: the Claude CLI answers no such question.
MODEL_CHECK = f"model_check: {{url: http://127.0.0.1:{machine.PORT}/healthz}}\n"
AWS_CONFIG = """\
[profile jada-lab]
region = us-east-1
aws_access_key_id = lab
aws_secret_access_key = {secret}
endpoint_url = {endpoint}
ca_bundle = {authority}
"""
SECRET = "lab"  # noqa: S105 - nobody's


def machines(lab: Lab, network: str, count: int, cli: str = "") -> tuple[Machine, ...]:
    """The hosts of a lab of `count`: one Lightsail instance, one orchestrator, specialists in two regions."""
    hosts = [Machine(lab, network, 1, "jada-agent", "lightsail", "us-east-1", "bitnami", claude=cli)]
    for number in range(2, count + 1):
        role = "orchestrator" if number == 2 else "specialist"
        name = "orchestrator-1" if number == 2 else f"specialist-{number - 2}"
        region = "eu-west-1" if number % 2 else "us-east-1"
        tags = {"Name": name, "jada": "agent", "role": role}
        hosts.append(Machine(lab, network, number, name, "ec2", region, "admin", image.AGENT_USER, tags, cli))
    return tuple(hosts)


def current(lab: Lab) -> tuple[Machine, ...]:
    """The hosts that the lab was brought up with, whether they run or not; () when there is none."""
    state = read_state(lab)
    return machines(lab, state.network, state.hosts, state.claude) if state else ()


def find(lab: Lab, name: str) -> Machine:
    """One host of the lab by its name. Raises JadaError."""
    hosts = current(lab)
    host = next((host for host in hosts if host.name == name), None)
    if host is None:
        names = ", ".join(host.name for host in hosts)
        hint = f"one of: {names}" if names else lab.command("up")
        raise JadaError(f"{lab.title} has no host {name}" if names else f"{lab.title} is not up", hint)
    return host


def up(lab: Lab, count: int, tell: Tell, suite: str = image.SUITE, cli: Path | None = None) -> tuple[Machine, ...]:
    """Brings up a fresh lab of `count` hosts whose agent is the Claude CLI `cli`, or the stand-in for one; a healthy
    lab of the same kind is left as it is.

    Raises JadaError.
    """
    require_lab_machine()
    made_of = LabState(count, str(image.path(suite)), "", *((str(cli), claude.version(cli)) if cli else ()))
    with _alone(lab):
        hosts, state = current(lab), read_state(lab)
        if state and replace(state, network="") == made_of and is_healthy(lab, hosts):
            _let_in(lab, hosts)
            tell(f"{lab.title} is up already, with {count} hosts.")
            return hosts
        _take_down(lab, tell)
        if not image.path(suite).is_dir():
            tell(f"Building the base image of {suite} with debootstrap: about a minute, only this once…")
        image.build(suite)
        tell(f"Booting {count} hosts…")
        lab.folder.mkdir(parents=True, mode=0o700)
        hosts = machines(lab, _take_network(lab, made_of), count, made_of.claude)
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "jada lab", "-f", lab.key)
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "jada lab ca", "-f", lab.ca)
        machine.make_room()
        with ThreadPoolExecutor(count) as pool:
            list(pool.map(_make_disk, hosts))
        for host in hosts:
            machine.boot(host, _base(lab))
        _start_aws(lab, hosts)
        machine.wait_until_ready(hosts, BOOT_SECONDS + 10 * count, tell)
        _wait_for_aws(lab)
        _let_in(lab, hosts)
    return hosts


def down(lab: Lab, tell: Tell) -> bool:
    """Takes down whatever there is of a lab, whole, half-started or crashed. Returns True if there was anything."""
    require_lab_machine()
    with _alone(lab):
        return _take_down(lab, tell)


def power_on(host: Machine) -> None:
    """Boots a host of the lab again that was powered off, with the disk it had. Raises JadaError."""
    if cgroup.processes(host.group):
        raise JadaError(f"The lab host {host.name} is on already")
    machine.pull_the_plug(host)
    machine.boot(host, _base(host.lab))
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


def is_healthy(lab: Lab, hosts: Sequence[Machine]) -> bool:
    """True if every host is whole, and its agent and the emulated AWS endpoint answer."""
    # A host whose systemd-nspawn was killed runs on, but can't reboot and has no console.
    whole = bool(hosts) and all(cgroup.processes(f"{host.group}/supervisor") for host in hosts)
    return whole and endpoint(lab) is not None and all(machine.healthz(host) for host in hosts)


def endpoint(lab: Lab) -> str | None:
    """The URL of the lab's emulated AWS endpoint; None when it isn't running."""
    return lab.endpoint.read_text().strip() if cgroup.processes(_aws(lab)) and lab.endpoint.exists() else None


def login(host: Machine) -> list[str]:
    """The ssh command that opens a shell on a host; for Lightsail with a certificate signed on the spot."""
    key, known_hosts = host.lab.key, host.lab.known_hosts
    if host.cloud == "lightsail":
        # A pair for each process: several people may log in at once.
        key, known_hosts = host.folder / f"login-{os.getpid()}", host.folder / "known_hosts"
        for old in host.folder.glob(f"{key.name}*"):
            old.unlink()
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
        run("ssh-keygen", "-q", "-s", host.lab.ca, "-I", "jada lab ssh", "-n", host.login, "-V", "+10m", f"{key}.pub")
        write(known_hosts, "".join(f"{host.address} {line}\n" for line in host.host_keys()))
    options = ("LogLevel=ERROR", "IdentitiesOnly=yes", f"UserKnownHostsFile={known_hosts}", "StrictHostKeyChecking=yes")
    words = [word for option in options for word in ("-o", option)]
    return ["ssh", "-i", str(key), *words, f"{host.login}@{host.address}"]


def _take_network(lab: Lab, made_of: LabState) -> str:
    """Takes a network that nobody has, makes the lab's bridge in it, and remembers it. Raises JadaError."""
    with NETWORK_LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        network = free_network(lab)
        write(lab.state, json.dumps(asdict(replace(made_of, network=network))))
        machine.make_bridge(lab, network)
    return network


def _aws(lab: Lab) -> str:
    """The control group of the emulated endpoint; no host is named so."""
    return f"{lab.prefix}/aws"


def _start_aws(lab: Lab, hosts: Sequence[Machine]) -> None:
    """Starts the emulated endpoint, and writes what points at the lab: known_hosts and fleet.yml."""
    ec2, lightsail = (
        [
            {"name": host.name, "region": host.region, "address": host.address, "username": host.login,
             "tags": dict(host.tags), "state": "running", "host_keys": host.host_keys(),
             **({"group": host.group, "console": str(host.console)} if cloud == "ec2" else {})}
            for host in hosts
            if host.cloud == cloud
        ]
        for cloud in ("ec2", "lightsail")
    )  # fmt: skip
    eice = {
        "secret": SECRET,
        "regions": sorted({host.region for host in hosts}),
        "source": machine.endpoint_address(hosts[0].network),
    }
    instances = {"ec2": ec2, "lightsail": lightsail, "ssh_ca": str(lab.ca), "eice": eice}
    write(lab.folder / "instances.json", json.dumps(instances, indent=1))
    known = (f"{host.address} {key}\n" for host in hosts if host.cloud == "ec2" for key in host.host_keys())
    write(lab.known_hosts, "".join(known))
    write(lab.fleet_file, FLEET_YML.format(lab=lab, model_check="" if hosts[0].claude else MODEL_CHECK))
    argv = [sys.executable, "-m", "jada.inventory.lab.aws", "--state-dir", str(lab.folder)]
    cgroup.start(_aws(lab), argv, _aws_log(lab))


def _aws_log(lab: Lab) -> Path:
    return lab.folder / "aws.log"


def _wait_for_aws(lab: Lab) -> None:
    deadline = time.monotonic() + BOOT_SECONDS
    while not (url := endpoint(lab)):
        if not cgroup.processes(_aws(lab)) or time.monotonic() > deadline:
            raise JadaError("The emulated AWS endpoint did not start", f"its log is in {_aws_log(lab)}")
        time.sleep(0.1)
    authority = instance_connect.authority(lab.folder)
    write(lab.aws_config, AWS_CONFIG.format(endpoint=url, secret=SECRET, authority=authority))


def _let_in(lab: Lab, hosts: Sequence[Machine]) -> None:
    """Lets all read the files that point at the lab, root and whoever called sudo its key; the disks are root's own."""
    for file in (lab.fleet_file, lab.aws_config, lab.known_hosts):
        file.chmod(0o644)
    for host in hosts:
        host.folder.chmod(0o700)
    if caller := os.environ.get("SUDO_UID"):
        os.chown(lab.key, int(caller), -1)
    lab.folder.chmod(0o711)


def _take_down(lab: Lab, tell: Tell) -> bool:
    # Not as lab.json says: it may be lost, or be of less than there is.
    hosts = [host for host in machines(lab, "", MOST_HOSTS) if host.leaves_traces]
    bridge = lab.prefix in machine.links()
    if not (hosts or bridge or lab.folder.exists() or cgroup.exists(lab.prefix)):
        return False
    tell(f"Shutting down {len(hosts)} hosts…" if hosts else f"Clearing away what is left of {lab}…")
    with ThreadPoolExecutor(max(1, len(hosts))) as pool:
        list(pool.map(machine.power_off, hosts))
    cgroup.remove(lab.prefix)
    if bridge:
        run("ip", "link", "del", lab.prefix)
    run("rm", "-rf", "--one-file-system", lab.folder)
    return True


@contextlib.contextmanager
def _alone(lab: Lab) -> Iterator[None]:
    """Keeps a second `lab up` or `lab down` from working on the same lab; the kernel frees it when we die."""
    with lab.lock.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise JadaError(f"Another `jada lab` is bringing {lab} up or down", "wait for it, or stop it") from None
        yield


def _make_disk(host: Machine) -> None:
    authorized_key, ca = (key.with_suffix(".pub").read_text() for key in (host.lab.key, host.lab.ca))
    try:
        machine.make_disk(host, _base(host.lab), authorized_key, ca)
    except (OSError, JadaError) as error:
        raise JadaError(
            f"The disk of the lab host {host.name} can't be made: {error}", f"it is in {host.folder}"
        ) from None


def _base(lab: Lab) -> Path:
    """The image that the lab's disks were made on; a newer jada may build another. Raises JadaError."""
    state = read_state(lab)
    if not state:
        raise JadaError(f"{lab.title} is not up", lab.command("up"))
    return Path(state.base)
