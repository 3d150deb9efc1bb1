"""The command line of OpenSSH's own client that logs in to a host the way jada does."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from jada import Host, HostError, JadaError
from jada.inventory import access
from jada.inventory.fleet import Ssh
from jada.inventory.ssh_config import Options, arguments

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
    way = access.ways(fleet, [host], scratch)[host.name]
    with ExitStack() as stack:
        options: tuple[str, ...] = ()
        if key := access.temporary_key(fleet, host):
            known = f"UserKnownHostsFile={data['ssh_known_hosts_file']}"
            options = (known, *stack.enter_context(_agent(*key, scratch)))
            way = replace(way, user=str(data["ssh_user"]))
        yield argv(fleet.ssh, host.address, way, options)


def argv(ssh: Ssh, address: str, way: Options, temporary: tuple[str, ...] = ()) -> list[str]:
    """The command line that goes the way to a host: what the ssh configuration says of it, ssh reads itself. Pure.

    `temporary` are the options of a login with a key that is good for this one.
    """
    options = [f"StrictHostKeyChecking={access.STRICTNESS[ssh.host_keys]}", *temporary]
    if not temporary and ssh.key:
        options += [f'IdentityFile="{ssh.key}"', "IdentitiesOnly=yes"]
    if not temporary and ssh.known_hosts != Ssh().known_hosts:
        options += [f'UserKnownHostsFile="{ssh.known_hosts}"']
    if ssh.jump:
        options += [f"ProxyCommand={way.proxy}"]
    words = [word for option in options for word in ("-o", option)]
    return ["ssh", *arguments(), *words, "-l", way.user, "-p", str(way.port), "--", address]


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
