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
        yield argv(data, stack.enter_context(_agent(*key, scratch)) if key else ())


def argv(data: Mapping[str, Any], options: tuple[str, ...] = ()) -> list[str]:
    """The command line that does what the host data of pyinfra say. Pure."""
    words = ["ssh"]
    if "ssh_config_file" in data:
        words += ["-F", str(data["ssh_config_file"])]
    if "ssh_key" in data:
        words += ["-i", str(data["ssh_key"])]
    if "ssh_user" in data:
        words += ["-l", str(data["ssh_user"])]
    known = f"UserKnownHostsFile={data['ssh_known_hosts_file']}"
    strict = f"StrictHostKeyChecking={data['ssh_strict_host_key_checking']}"
    for option in (known, strict, *options):
        words += ["-o", option]
    return [*words, "-p", str(data["ssh_port"]), "--", str(data["ssh_hostname"])]


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
