"""One host of the lab: an overlay on the base image, a network namespace, and systemd booted in both."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from jada import JadaError
from jada.inventory.lab import agent, cgroup, claude, instance_connect, messages, session
from jada.inventory.lab.named import Lab, labs
from jada.inventory.lab.settings import first_settings
from jada.inventory.lab.shell import mounts_below, run

OLD_MODEL = "claude-opus-4-8"
PORT = 8787
# The words of systemctl is-system-running when the boot is over; "degraded" is with a unit that failed.
UP = ("running", "degraded")
UNIT = """\
[Unit]
Description=Stand-in for a Claude agent (jada lab)
After=network.target
StartLimitIntervalSec=0

[Service]
Type=simple
{user}EnvironmentFile=-/etc/default/jada-agent
ExecStart=/usr/bin/python3 /usr/local/bin/jada-agent
Restart=on-failure
RestartSec=1

[Install]
WantedBy=multi-user.target
"""
# Prints what cloud-init does at an instance's first boot, and at no later one.
KEYS_TO_CONSOLE = """\
#!/bin/sh
mkdir /var/lib/keys-to-console 2>/dev/null || exit 0
exec >/dev/console 2>/dev/null
{
    echo '#############################################################'
    echo '-----BEGIN SSH HOST KEY FINGERPRINTS-----'
    for key in /etc/ssh/ssh_host_*_key.pub; do ssh-keygen -l -f "$key"; done
    echo '-----END SSH HOST KEY FINGERPRINTS-----'
    echo '#############################################################'
} | sed "s/^/<14>$(LC_ALL=C date '+%b %e %T') cloud-init: /"
echo '-----BEGIN SSH HOST KEY KEYS-----'
cat /etc/ssh/ssh_host_*_key.pub
echo '-----END SSH HOST KEY KEYS-----'
"""
CONSOLE_UNIT = """\
[Unit]
Description=Host keys on the console, as by cloud-init (jada lab)

[Service]
Type=oneshot
ExecStart=/usr/local/sbin/keys-to-console
"""
INOTIFY_INSTANCES = 20
# Where systemd-nspawn, since 256, mounts a folder for each host. One that is killed leaves it, and the next refuses to
# start.
EXPORTS = Path("/run/systemd/nspawn/unix-export")
# setns(2), which Python has from 3.12 on.
LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000
# An agent that takes longer does not answer.
ANSWER_SECONDS = 3
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Machine:
    """A host of `lab`: `cloud` is "ec2" or "lightsail", `login` its ssh user, `user` the agent's ("" means root).

    `network` is the first half of its address; "" when it is not known, for a lab that is only to be taken down.
    `claude` is the Claude CLI, on this machine, that is its agent; "" for the stand-in.
    """

    lab: Lab
    network: str
    number: int
    name: str
    cloud: str
    region: str
    login: str
    user: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    claude: str = ""

    @property
    def address(self) -> str:
        return f"{self.network}.0.{10 + self.number}"

    @property
    def home(self) -> str:
        return f"/home/{self.user}" if self.user else "/root"

    @property
    def settings(self) -> str:
        return f"{self.home}/.claude/settings.json"

    @property
    def folder(self) -> Path:
        return self.lab.folder / "hosts" / self.name

    @property
    def root(self) -> Path:
        return self.folder / "root"

    @property
    def console(self) -> Path:
        return self.folder / "console.log"

    @property
    def namespace(self) -> str:
        return f"{self.lab.prefix}-{self.name}"

    @property
    def group(self) -> str:
        """Its control group."""
        return f"{self.lab.prefix}/{self.name}"

    @property
    def link(self) -> str:
        """The end of the host's network cable on this machine."""
        return self.lab.link(self.number)

    @property
    def first_settings(self) -> str:
        """The text of the settings.json that the host has at first."""
        return first_settings(self.number, self.name, OLD_MODEL)

    @property
    def leader(self) -> int | None:
        """The process id, on this machine, of the host's PID 1; None when the host is off."""
        return cgroup.init(self.group)

    @property
    def leaves_traces(self) -> bool:
        """True if anything of the host is here: running, powered off, crashed or half-started."""
        traces = (self.folder, Path("/run/netns", self.namespace))
        return cgroup.exists(self.group) or any(trace.exists() for trace in traces) or self.link in links()

    def host_keys(self) -> list[str]:
        """The host's public keys, as lines such as "ssh-ed25519 AAAA…"."""
        keys = sorted((self.folder / "upper/etc/ssh").glob("ssh_host_*_key.pub"))
        return [" ".join(key.read_text().split()[:2]) for key in keys]


def links() -> set[str]:
    """The network links of this machine; in /sys are those of the network that it was mounted in."""
    return {name for _, name in socket.if_nameindex()}


def make_room() -> None:
    """Lets the systemds of all labs watch their files: each takes some ten inotify instances, of 128 root has at first.

    A systemd that gets none hangs half-way through its boot.
    """
    limit = Path("/proc/sys/fs/inotify/max_user_instances")
    needed = 128 + INOTIFY_INSTANCES * sum(state.hosts for _, state in labs())
    if int(limit.read_text()) < needed:
        limit.write_text(str(needed))


def endpoint_address(network: str) -> str:
    """The address from which an EC2 Instance Connect Endpoint connects to the hosts; this machine has it too."""
    return f"{network}.0.2"


def make_bridge(lab: Lab, network: str) -> None:
    """The network that the lab's hosts share, with this machine as its gateway."""
    run("ip", "link", "add", lab.prefix, "type", "bridge")
    run("ip", "addr", "add", f"{network}.0.1/16", "dev", lab.prefix)
    run("ip", "addr", "add", endpoint_address(network) + "/16", "dev", lab.prefix)
    run("ip", "link", "set", lab.prefix, "up")


def make_disk(machine: Machine, base: Path, authorized_key: str, ca: str) -> None:
    """The host's own layer over `base`: keys, the agent and its settings. Host keys that exist are kept."""
    upper = machine.folder / "upper"
    for folder in ("upper/etc/ssh/sshd_config.d", "upper/usr/local/bin", "upper/etc/systemd/system", "work", "root"):
        (machine.folder / folder).mkdir(parents=True, exist_ok=True)
    for kind in ("ed25519", "ecdsa"):
        key = upper / f"etc/ssh/ssh_host_{kind}_key"
        if not key.exists():
            run("ssh-keygen", "-q", "-t", kind, "-N", "", "-C", machine.name, "-f", key)
    sshd = ["PasswordAuthentication no"]
    if machine.cloud == "lightsail":
        (upper / "etc/ssh/lab_ca.pub").write_text(ca)
        sshd.append("TrustedUserCAKeys /etc/ssh/lab_ca.pub")
    else:
        _write_in_home(machine, base, machine.login, ".ssh/authorized_keys", authorized_key)
        _install_keys_to_console(upper)
        sshd.append(instance_connect.SSHD)
        command = upper / instance_connect.COMMAND.lstrip("/")
        command.write_text(instance_connect.COMMAND_TEXT)
        command.chmod(0o755)
    (upper / "etc/ssh/sshd_config.d/lab.conf").write_text("\n".join(sshd) + "\n")
    (upper / "etc/hostname").write_text(machine.name + "\n")
    (upper / "etc/hosts").write_text(f"127.0.0.1 localhost\n127.0.1.1 {machine.name}\n")
    _install_agent(machine, upper)
    wants = upper / "etc/systemd/system/multi-user.target.wants"
    wants.mkdir(exist_ok=True)
    (wants / "jada-agent.service").symlink_to("/etc/systemd/system/jada-agent.service")
    (wants / "ssh.service").symlink_to("/lib/systemd/system/ssh.service")
    _write_in_home(machine, base, machine.user or "root", ".claude/settings.json", machine.first_settings)


def boot(machine: Machine, base: Path) -> None:
    """Mounts the host's disk, wires its network and starts its systemd; see wait_until_ready. Raises JadaError."""
    lower, upper, work = base, machine.folder / "upper", machine.folder / "work"
    link, space = machine.link, machine.namespace
    argv = ["systemd-nspawn", "--quiet", f"--directory={machine.root}", f"--machine={space}",
            f"--network-namespace-path=/run/netns/{space}", "--register=no", "--keep-unit", "--boot",
            "--console=read-only"]  # fmt: skip
    if machine.claude:
        argv.append(f"--bind-ro={machine.claude}:{claude.PROGRAM}")
    try:
        run("mount", "-t", "overlay", space, "-o", f"lowerdir={lower},upperdir={upper},workdir={work}", machine.root)
        run("ip", "netns", "add", space)
        run("ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", space)
        run("ip", "link", "set", link, "master", machine.lab.prefix, "up")
        run("ip", "-n", space, "link", "set", "lo", "up")
        run("ip", "-n", space, "addr", "add", f"{machine.address}/16", "dev", "eth0")
        run("ip", "-n", space, "link", "set", "eth0", "up")
        cgroup.start(machine.group, argv, machine.console)
    except JadaError as error:
        raise JadaError(f"The lab host {machine.name} can't be started: {error.message}", error.hint) from None


def wait_until_ready(machines: Machine | Sequence[Machine], seconds: float = 120, tell: Tell = lambda _: None) -> None:
    """Waits until each host's systemd has started everything (so pam_nologin is gone) and its agent answers.

    Raises JadaError, naming the host and its console, when one dies or isn't ready after `seconds`.
    """
    waiting = [machines] if isinstance(machines, Machine) else list(machines)
    total, deadline = len(waiting), time.monotonic() + seconds
    # In one thread, so that Ctrl-C ends it at once.
    while waiting:
        for machine in tuple(waiting):
            if is_ready(machine):
                waiting.remove(machine)
                tell(f"{total - len(waiting)} of {total} hosts are up: {machine.name}")
            elif not cgroup.processes(machine.group):
                raise JadaError(f"The lab host {machine.name} died while it booted", f"its console: {machine.console}")
            elif time.monotonic() > deadline:
                missing = "its agent does not answer" if _state(machine) in UP else f"systemd says {_state(machine)!r}"
                raise JadaError(
                    f"The lab host {machine.name} was not ready after {seconds:.0f} s: {missing}",
                    f"its console: {machine.console}; look inside with: {machine.lab.command('ssh')} {machine.name}",
                )
        time.sleep(0.1 if waiting else 0)


def is_ready(machine: Machine) -> bool:
    """True if the host has booted to the end and its agent answers."""
    return _state(machine) in UP and bool(healthz(machine))


def inside(
    machine: Machine, command: str, check: bool = True, stdin: str | None = None, timeout: float | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs a shell command as root in the host's namespaces, without ssh. Raises JadaError, TimeoutExpired."""
    leader = machine.leader
    if leader is None:
        raise JadaError(f"The lab host {machine.name} is off")
    argv = ["nsenter", "-t", str(leader), "-m", "-u", "-i", "-n", "-p", "-r", "-w", "--",
            "env", "-i", f"PATH={PATH}", "HOME=/root", "LC_ALL=C.UTF-8", "sh", "-c", command]  # fmt: skip
    process = subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False, timeout=timeout)
    if check and process.returncode:
        raise JadaError(f"`{command}` failed on {machine.name} ({process.returncode}): {process.stderr.strip()}")
    return process


def healthz(machine: Machine) -> dict[str, object]:
    """Returns the agent's answer, {} when there is none or the host is off."""
    try:
        with closing(HTTPConnection("127.0.0.1", PORT)) as connection:
            connection.sock = _socket_inside(machine)
            connection.sock.settimeout(ANSWER_SECONDS)
            connection.sock.connect((connection.host, connection.port))
            connection.request("GET", "/healthz")
            answer = connection.getresponse()
            return dict(json.load(answer)) if answer.status == HTTPStatus.OK else {}
    except (OSError, HTTPException):
        return {}


def add_addresses(machine: Machine, count: int) -> list[str]:
    """Gives a running host up to 250 more addresses, until it is powered off: one host stands in for many endpoints."""
    addresses = [f"{machine.network}.{100 + machine.number}.{last}" for last in range(1, count + 1)]
    commands = "".join(f"addr add {address}/16 dev eth0\n" for address in addresses)
    run("ip", "-n", machine.namespace, "-batch", "-", stdin=commands)
    return addresses


def power_off(machine: Machine) -> None:
    """Shuts the host down and takes its mounts and network away; its disk stays."""
    # A systemd that has only just begun to boot doesn't take the request: then there is nothing to wait for.
    deadline = time.monotonic() + (20 if _asked_to_power_off(machine) else 0)
    while cgroup.processes(machine.group) and time.monotonic() < deadline:
        time.sleep(0.05)
    pull_the_plug(machine)


def pull_the_plug(machine: Machine) -> None:
    """Stops the host as a power failure would, and removes what there is of it but its disk, whatever its condition."""
    cgroup.remove(machine.group)
    for mount in (*mounts_below(machine.root), *mounts_below(EXPORTS / machine.namespace)):
        _unmount(mount)
    # The link first, and it may be gone by now: the kernel takes it away, some time after, with the namespace.
    run("ip", "link", "del", machine.link, check=False)
    if Path("/run/netns", machine.namespace).exists():
        run("ip", "netns", "del", machine.namespace)
    # The next boot gives it a new network card: packets must not go on to the old one, for most of a minute.
    run("ip", "neigh", "flush", "dev", machine.lab.prefix, check=False)


def _socket_inside(machine: Machine) -> socket.socket:
    """A socket of the host's network; a thread of its own goes there to make it. Raises OSError.

    A process for it takes ten times as much of the processor, and healthz() is what is asked all the time.
    """

    def make() -> socket.socket:
        with Path("/run/netns", machine.namespace).open() as network:
            if LIBC.setns(network.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), f"the network of {machine.name} can't be entered")
            return socket.socket()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(make).result()


def _state(machine: Machine) -> str:
    """Returns the state by the host's systemd; "off" when there is none to ask, "silent" when it doesn't answer."""
    try:
        return inside(machine, "systemctl is-system-running", check=False, timeout=10).stdout.strip()
    except JadaError:
        return "off"
    except subprocess.TimeoutExpired:
        return "silent"


def _asked_to_power_off(machine: Machine) -> bool:
    try:
        return inside(machine, "systemctl poweroff", check=False, timeout=10).returncode == 0
    except (JadaError, subprocess.TimeoutExpired):
        return False


def _unmount(mount: str) -> None:
    """Lazily only when somebody's shell or a process that is still dying keeps it busy for a second."""
    for _ in range(20):
        if subprocess.run(["umount", mount], capture_output=True, check=False).returncode == 0:
            return
        time.sleep(0.05)
    run("umount", "--lazy", mount)


def _install_keys_to_console(upper: Path) -> None:
    """Has the host write its own keys to its console when it first boots."""
    program = upper / "usr/local/sbin/keys-to-console"
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(KEYS_TO_CONSOLE)
    program.chmod(0o755)
    units = upper / "etc/systemd/system"
    (units / "keys-to-console.service").write_text(CONSOLE_UNIT)
    (units / "multi-user.target.wants").mkdir(exist_ok=True)
    (units / "multi-user.target.wants/keys-to-console.service").symlink_to("../keys-to-console.service")


def _install_agent(machine: Machine, upper: Path) -> None:
    """The stand-in for an agent, or a session of the Claude CLI and the stand-in for the API that it asks."""
    user = f"User={machine.user}\n" if machine.user else ""
    programs = {"jada-agent": agent.__file__}
    units = {"jada-agent": UNIT.format(user=user)}
    if machine.claude:
        programs = {"jada-agent": session.__file__, "jada-messages": messages.__file__}
        units = {"jada-agent": claude.SESSION_UNIT.format(user=user), "jada-messages": claude.API_UNIT}
    for name, source in programs.items():
        program = upper / "usr/local/bin" / name
        shutil.copyfile(source, program)
        program.chmod(0o755)
    for name, text in units.items():
        (upper / f"etc/systemd/system/{name}.service").write_text(text)


def _write_in_home(machine: Machine, base: Path, user: str, path: str, text: str) -> None:
    """A file that only its owner may read, in a folder of that user's home; the home itself is as on the base image."""
    line = next(line for line in (base / "etc/passwd").read_text().splitlines() if line.startswith(f"{user}:"))
    _, _, uid, gid, _, home, _ = line.split(":")
    place = machine.folder / "upper" / home.lstrip("/")
    file = place / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8", newline="")
    for entry, mode in ((place, (base / home.lstrip("/")).stat().st_mode), (file.parent, 0o755), (file, 0o600)):
        entry.chmod(mode & 0o7777)
        os.chown(entry, int(uid), int(gid))
