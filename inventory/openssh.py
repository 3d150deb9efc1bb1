"""The command line of OpenSSH's own client that logs in to a host the way jada does."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jada import Host, HostError, JadaError
from jada.inventory import access
from jada.inventory.fleet import Ssh
from jada.inventory.ssh_config import arguments

if TYPE_CHECKING:
    from jada.inventory.fleet import Fleet


@contextmanager
def openssh(fleet: Fleet, host: Host, scratch: Path) -> Iterator[list[str]]:
    """ssh with all its options up to the host, to be run within the block. Raises JadaError.

    A temporary key is kept by an ssh-agent of our own: a secret never becomes a file.
    """
    data = access.ssh_data(fleet, [host], scratch)[host.name]
    if isinstance(data, HostError):
        raise data
    with ExitStack() as stack:
        key = access.temporary_key(fleet, host)
        yield argv(fleet.ssh, host, data, stack.enter_context(_agent(*key, scratch)) if key else ())


def argv(ssh: Ssh, host: Host, data: Mapping[str, Any], temporary: tuple[str, ...] = ()) -> list[str]:
    """The command line, by fleet.yml and the host data of pyinfra; ssh reads ~/.ssh/config by itself, where jada does
    too. Pure.
    """
    words, options = (
        ["ssh", *arguments()],
        [f"StrictHostKeyChecking={data['ssh_strict_host_key_checking']}", *temporary],
    )
    if ssh.jump:
        command = data["ssh_paramiko_connect_kwargs"]["sock"].command
        words = ["ssh", "-F", "none"]
        options.append(f"ProxyCommand={command.replace('%', '%%')}")
    if ssh.key and not temporary:
        words += ["-i", str(ssh.key)]
        options.append("IdentitiesOnly=yes")
    if temporary:
        options.append(f'UserKnownHostsFile="{data["ssh_known_hosts_file"]}"')
    elif ssh.known_hosts != Ssh().known_hosts:
        options.append(f'UserKnownHostsFile="{ssh.known_hosts}"')
    if user := data["ssh_user"] if temporary else host.user:
        words += ["-l", str(user)]
    if host.port != 22:
        words += ["-p", str(host.port)]
    for option in options:
        words += ["-o", option]
    return [*words, "--", host.address]


@contextmanager
def _agent(private: str, certificate: str, scratch: Path) -> Iterator[tuple[str, ...]]:
    """The options of a login with a key that an ssh-agent holds, whose certificate is no secret."""
    socket, file = scratch / "agent", scratch / "certificate"
    file.write_text(certificate)
    with subprocess.Popen(["ssh-agent", "-D", "-a", socket], stdout=subprocess.PIPE, text=True) as agent:
        try:
            # It says where it listens once it does.
            if agent.stdout is None or not agent.stdout.readline():
                raise JadaError("ssh-agent, which is to keep the temporary key, did not start")
            env = {**os.environ, "SSH_AUTH_SOCK": str(socket)}
            added = subprocess.run(
                ["ssh-add", "-q", "-"],
                input=f"{private.strip()}\n",
                text=True,
                capture_output=True,
                env=env,
                check=False,
            )
            if added.returncode:
                raise JadaError("ssh-add did not take the temporary key")
            yield (f"IdentityAgent={socket}", f"CertificateFile={file}", "IdentityFile=none")
        finally:
            agent.terminate()
