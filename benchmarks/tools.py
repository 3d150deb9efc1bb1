"""Each way to do the job, as a command line for the same endpoints."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jada import ModelCheck, Service
from jada.inventory.lab import machine
from jada.inventory.lab.named import Lab

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent
# Of its own, so that nobody's rehearsal is in the figures, or taken down.
LAB = Lab("bench")
PEERS = HERE / ".venv/bin"
SERVICE = Service(model_check=ModelCheck(url=f"http://127.0.0.1:{machine.PORT}/healthz"), settle=0)
# Runs a script that comes on stdin, as jada's own does: an argument may have 128 KiB (MAX_ARG_STRLEN, execve(2)).
AS_ROOT = """sudo -n sh -c 'eval "$(cat)"'"""
# As many hosts side by side as jada visits.
AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address to log in at, as a host of its own."""

    name: str
    address: str
    port: int
    host_keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tool:
    """One way to do a job: the command to run for some endpoints, and what it reads from stdin."""

    name: str
    argv: tuple[str, ...]
    stdin: str = ""
    env: Mapping[str, str] = field(default_factory=dict)


class Setting:
    """The files that lead each tool to the same endpoints: fleet.yml, inventories and known_hosts."""

    def __init__(self, folder: Path, endpoints: Sequence[Endpoint]) -> None:
        folder.mkdir()
        self._folder = folder
        self._endpoints = endpoints
        known = "".join(
            f"{endpoint.address if endpoint.port == 22 else f'[{endpoint.address}]:{endpoint.port}'} {key}\n"
            for endpoint in endpoints
            for key in endpoint.host_keys
        )
        self._known_hosts = self._write("known_hosts", known)
        hosts = "".join(
            f"      {endpoint.name}: {{address: {endpoint.address}, port: {endpoint.port}}}\n" for endpoint in endpoints
        )
        self._fleet = self._write(
            "fleet.yml",
            f"fleet: bench\nsources:\n  - static:\n     hosts:\n{hosts}roles: {{agents: {{}}}}\n"
            f"model_check: {{url: {SERVICE.model_check.url}}}\nsettle: 0\nrollout: {{waves: [100%]}}\n"
            f"ssh: {{user: admin, key: {LAB.key}, known_hosts: {self._known_hosts}}}\n",
        )
        ssh = f"-o UserKnownHostsFile={self._known_hosts} -o StrictHostKeyChecking=yes -o IdentitiesOnly=yes"
        rows = "".join(
            f"{endpoint.name} ansible_host={endpoint.address} ansible_port={endpoint.port} ansible_user=admin "
            f"ansible_ssh_private_key_file={LAB.key} ansible_python_interpreter=/usr/bin/python3 "
            f"ansible_ssh_common_args='{ssh}'\n"
            for endpoint in endpoints
        )
        self._ansible = self._write("ansible.ini", rows)
        inventory = [
            (
                endpoint.name,
                {
                    "ssh_hostname": endpoint.address,
                    "ssh_port": endpoint.port,
                    "ssh_user": "admin",
                    "ssh_key": str(LAB.key),
                    "ssh_known_hosts_file": str(self._known_hosts),
                    "ssh_strict_host_key_checking": "yes",
                },
            )
            for endpoint in endpoints
        ]
        self._pyinfra = self._write("inventory.py", f"agents = {inventory!r}\n")

    def jada(self, *argv: str, name: str = "") -> Tool:
        env = {"JADA_FLEET": str(self._fleet), "XDG_STATE_HOME": str(self._folder)}
        return Tool(name or f"jada {argv[0]}", (str(BIN / "jada"), *argv), env=env)

    def openssh(self, scripts: Sequence[str]) -> Tool:
        """As many ssh processes side by side as there are hosts, at most 50, each with one exec: its host's script."""
        files = [self._write(f"script-{number}", script) for number, script in enumerate(scripts)]
        rows = "".join(
            f"{endpoint.port} {endpoint.address} {file}\n"
            for endpoint, file in zip(self._endpoints, files, strict=True)
        )
        options = f"-o LogLevel=ERROR -o IdentitiesOnly=yes -o BatchMode=yes -i {LAB.key}"
        script = (
            f"xargs -P 50 -L 1 sh -c 'ssh {options} -o UserKnownHostsFile={self._known_hosts} "
            f'-p "$1" "admin@$2" "$AS_ROOT" <"$3"\' sh'
        )
        return Tool("OpenSSH", ("sh", "-c", script), rows, {"AS_ROOT": AS_ROOT})

    def asyncssh(self, script: str, word: str, packed: bool = False) -> Tool:
        job = {
            "hosts": [[endpoint.address, endpoint.port] for endpoint in self._endpoints],
            "user": "admin",
            "key": str(LAB.key),
            "known_hosts": str(self._known_hosts),
            "command": AS_ROOT,
            "script": script,
            "packed": packed,
        }
        return Tool("asyncssh", (str(PEERS / "python"), str(HERE / "floor.py"), str(AT_ONCE), word), json.dumps(job))

    def pyinfra(self, model: str) -> Tool:
        argv = (str(BIN / "pyinfra"), "-y", str(self._pyinfra), str(HERE / "stock.py"), "--data", f"model={model}")
        return Tool("pyinfra, stock operations", argv)

    def ansible(self, model: str, playbook: str = "playbook.yml", mitogen: bool = False) -> Tool:
        argv = (str(PEERS / "ansible-playbook"), "-i", str(self._ansible), "-e", f"model={model}", "-e", "release=r1")
        env = {
            "ANSIBLE_PIPELINING": "true",
            "ANSIBLE_FORKS": "50",
            # On a busy machine a first connection may take more than the usual 10 s: that should not end it all.
            "ANSIBLE_TIMEOUT": "60",
            "ANSIBLE_HOME": str(self._folder / "ansible"),
            # A connection that an earlier run left open would be a head start.
            "ANSIBLE_SSH_CONTROL_PATH_DIR": tempfile.mkdtemp(dir=self._folder),
            "PATH": f"{PEERS}:{os.environ['PATH']}",
        }
        if mitogen:
            plugins = next(HERE.glob(".venv/lib/python*/site-packages/ansible_mitogen/plugins/strategy"))
            env |= {"ANSIBLE_STRATEGY_PLUGINS": str(plugins), "ANSIBLE_STRATEGY": "mitogen_linear"}
        return Tool("Mitogen for Ansible" if mitogen else "Ansible", (*argv, str(HERE / playbook)), env=env)

    def _write(self, name: str, text: str) -> Path:
        path = self._folder / name
        path.write_text(text)
        return path
