"""One host of the lab: an overlay on the base image, a network namespace, and systemd booted in both."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from jada import JadaError
from jada.inventory.lab import agent
from jada.inventory.lab.shell import LAB, run

BRIDGE = "jada0"
GATEWAY = "10.77.0.1/16"
OLD_MODEL = "claude-sonnet-4-5-20250929"
PORT = 8787
UNIT = """\
[Unit]
Description=Stand-in for a Claude agent (jada lab)
After=network.target
StartLimitIntervalSec=0

[Service]
{user}EnvironmentFile=-/etc/default/jada-agent
ExecStart=/usr/bin/python3 /usr/local/bin/jada-agent
Restart=on-failure
RestartSec=1

[Install]
WantedBy=multi-user.target
"""
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class Machine:
    """What a lab host is: `cloud` "ec2" or "lightsail", `login` its ssh user, `user` the agent's ("" means root)."""

    number: int
    name: str
    cloud: str
    region: str
    login: str
    user: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return f"10.77.0.{10 + self.number}"

    @property
    def home(self) -> str:
        return f"/home/{self.user}" if self.user else "/root"

    @property
    def settings(self) -> str:
        return f"{self.home}/.claude/settings.json"

    @property
    def folder(self) -> Path:
        return LAB / "hosts" / self.name

    @property
    def root(self) -> Path:
        return self.folder / "root"

    @property
    def console(self) -> Path:
        return self.folder / "console.log"

    @property
    def namespace(self) -> str:
        return f"jada-{self.name}"

    @property
    def leader(self) -> int | None:
        """The process id, on this machine, of the host's PID 1; None when the host is off."""
        try:
            nspawn = int((self.folder / "pid").read_text())
            children = Path(f"/proc/{nspawn}/task/{nspawn}/children").read_text().split()
        except (OSError, ValueError):
            return None
        return int(children[0]) if children else None

    def host_keys(self) -> list[str]:
        """The host's public keys, as lines such as "ssh-ed25519 AAAA…"."""
        keys = sorted((self.folder / "upper/etc/ssh").glob("ssh_host_*_key.pub"))
        return [" ".join(key.read_text().split()[:2]) for key in keys]


def make_bridge() -> None:
    """The network all hosts share, with this machine as its gateway."""
    if run("ip", "link", "show", BRIDGE, check=False):
        return
    run("ip", "link", "add", BRIDGE, "type", "bridge")
    run("ip", "addr", "add", GATEWAY, "dev", BRIDGE)
    run("ip", "link", "set", BRIDGE, "up")


def make_disk(machine: Machine, base: Path, authorized_key: str, ca: str) -> None:
    """The host's own layer over `base`: keys, the agent and its settings."""
    upper = machine.folder / "upper"
    for folder in ("upper/etc/ssh/sshd_config.d", "upper/usr/local/bin", "upper/etc/systemd/system", "work", "root"):
        (machine.folder / folder).mkdir(parents=True, exist_ok=True)
    for kind in ("ed25519", "ecdsa"):
        key = upper / f"etc/ssh/ssh_host_{kind}_key"
        run("ssh-keygen", "-q", "-t", kind, "-N", "", "-C", machine.name, "-f", key)
    sshd = ["PasswordAuthentication no"]
    if machine.cloud == "lightsail":
        (upper / "etc/ssh/lab_ca.pub").write_text(ca)
        sshd.append("TrustedUserCAKeys /etc/ssh/lab_ca.pub")
    else:
        sshd.append("AuthorizedKeysFile /etc/ssh/authorized_keys")
        (upper / "etc/ssh/authorized_keys").write_text(authorized_key)
    (upper / "etc/ssh/sshd_config.d/lab.conf").write_text("\n".join(sshd) + "\n")
    (upper / "etc/hostname").write_text(machine.name + "\n")
    (upper / "etc/hosts").write_text(f"127.0.0.1 localhost\n127.0.1.1 {machine.name}\n")
    program = upper / "usr/local/bin/jada-agent"
    shutil.copyfile(agent.__file__, program)
    program.chmod(0o755)
    unit = upper / "etc/systemd/system/jada-agent.service"
    unit.write_text(UNIT.format(user=f"User={machine.user}\n" if machine.user else ""))
    wants = upper / "etc/systemd/system/multi-user.target.wants"
    wants.mkdir()
    for wanted, target in (("jada-agent.service", unit.name), ("ssh.service", "/lib/systemd/system/ssh.service")):
        (wants / wanted).symlink_to(f"/etc/systemd/system/{target}" if "/" not in target else target)
    _write_settings(machine, base)


def boot(machine: Machine, base: Path) -> None:
    """Mounts the host's disk, wires its network and starts its systemd; ready() tells when it is up."""
    lower, upper, work = base, machine.folder / "upper", machine.folder / "work"
    run("mount", "-t", "overlay", f"jada-{machine.name}", "-o",
        f"lowerdir={lower},upperdir={upper},workdir={work}", machine.root)  # fmt: skip
    link, space = f"jl{machine.number}", machine.namespace
    run("ip", "netns", "add", space)
    run("ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", space)
    run("ip", "link", "set", link, "master", BRIDGE, "up")
    run("ip", "-n", space, "link", "set", "lo", "up")
    run("ip", "-n", space, "addr", "add", f"{machine.address}/16", "dev", "eth0")
    run("ip", "-n", space, "link", "set", "eth0", "up")
    argv = ["systemd-nspawn", "--quiet", f"--directory={machine.root}", f"--machine={machine.namespace}",
            f"--network-namespace-path=/run/netns/{space}", "--register=no", "--keep-unit", "--boot",
            "--console=pipe"]  # fmt: skip
    with machine.console.open("ab") as console:
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=console, stderr=console, start_new_session=True
        )
    (machine.folder / "pid").write_text(str(process.pid))


def wait_until_ready(machine: Machine, seconds: float = 120) -> None:
    """Waits for the host's systemd to have started everything (so pam_nologin is gone) and the agent to answer."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if machine.leader is not None:
            state = inside(machine, "systemctl is-system-running --wait", check=False).stdout.strip()
            if state in ("running", "degraded") and healthz(machine):
                return
        elif not _alive(machine):
            break
        time.sleep(0.2)
    raise JadaError(f"The lab host {machine.name} did not come up", f"its console is in {machine.console}")


def inside(
    machine: Machine, command: str, check: bool = True, stdin: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs a shell command as root in the host's namespaces, without ssh."""
    leader = machine.leader
    if leader is None:
        raise JadaError(f"The lab host {machine.name} is off")
    argv = ["nsenter", "-t", str(leader), "-m", "-u", "-i", "-n", "-p", "-r", "-w", "--",
            "env", "-i", f"PATH={PATH}", "HOME=/root", "LC_ALL=C.UTF-8", "sh", "-c", command]  # fmt: skip
    done = subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise JadaError(f"`{command}` failed on {machine.name} ({done.returncode}): {done.stderr.strip()}")
    return done


def healthz(machine: Machine) -> dict[str, object]:
    """What the agent answers, {} when it doesn't."""
    answer = inside(machine, f"curl -fsS --max-time 3 http://127.0.0.1:{PORT}/healthz", check=False)
    return dict(json.loads(answer.stdout)) if answer.returncode == 0 else {}


def power_off(machine: Machine) -> None:
    """Shuts the host down and takes its mounts and network away; its disk stays."""
    if machine.leader is not None:
        inside(machine, "systemctl poweroff", check=False)
        deadline = time.monotonic() + 20
        while _alive(machine) and time.monotonic() < deadline:
            time.sleep(0.1)
    clean_up(machine.namespace, machine.folder, f"jl{machine.number}")


def clean_up(namespace: str, folder: Path, link: str) -> None:
    """Removes whatever is left of a host that was powered off, crashed or half-started."""
    for process in run("ip", "netns", "pids", namespace, check=False).split():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(process), signal.SIGKILL)
    with contextlib.suppress(OSError, ValueError):
        pid = int((folder / "pid").read_text())
        if "systemd-nspawn" in Path(f"/proc/{pid}/cmdline").read_text():
            os.kill(pid, signal.SIGKILL)
    (folder / "pid").unlink(missing_ok=True)
    while str(folder / "root") in Path("/proc/mounts").read_text():
        run("umount", "--lazy", folder / "root")
    run("ip", "netns", "del", namespace, check=False)
    run("ip", "link", "del", link, check=False)


def _alive(machine: Machine) -> bool:
    try:
        pid = int((machine.folder / "pid").read_text())
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (OSError, ValueError):
        return False
    return state != "Z"


def _write_settings(machine: Machine, base: Path) -> None:
    """settings.json in the style of the host's number: what people and tools really leave there."""
    secret = f"lab-secret-{machine.name}"
    plain = {
        "model": OLD_MODEL,
        "env": {"ANTHROPIC_API_KEY": f"sk-ant-{secret}", "DISABLE_TELEMETRY": "1"},
        "apiKeyHelper": f"/usr/bin/echo {secret}",
        "permissions": {"allow": ["Bash(git *)"], "deny": []},
    }
    unusual = (
        '{\n\t"$schema" : "https://json.schemastore.org/claude-code-settings.json",\n'
        '\t"env":{"ANTHROPIC_AUTH_TOKEN":"' + secret + '\\"\\u00e9\\\\", "GREETING":"Grüße, 世界 🚀"},\n'
        '\t"statusLine": { "type":"command","command":"x", "model":"not this one" },\n'
        f'\t"model"  :  "{OLD_MODEL}" ,\n\t"hooks" : {{ }}, "numbers":[1, 2.50 ,3e2]}}'
    )
    windows = "\ufeff" + json.dumps(plain, indent=4).replace("\n", "\r\n") + "\r\n"
    styles = {1: json.dumps(plain, indent=2) + "\n", 2: unusual, 3: windows}
    text = styles.get(machine.number, json.dumps(plain, separators=(",", ":")))
    file = machine.folder / "upper" / machine.settings.lstrip("/")
    file.parent.mkdir(parents=True)
    file.write_text(text, encoding="utf-8", newline="")
    file.chmod(0o600)
    if machine.user:
        uid, gid = _ids(base, machine.user)
        home = file.parent.parent
        home.chmod(0o755)
        for entry in (home, file.parent, file):
            os.chown(entry, uid, gid)
    else:
        file.parent.parent.chmod(0o700)


def _ids(base: Path, user: str) -> tuple[int, int]:
    lines = (base / "etc/passwd").read_text().splitlines()
    fields = next(line.split(":") for line in lines if line.startswith(f"{user}:"))
    return int(fields[2]), int(fields[3])
