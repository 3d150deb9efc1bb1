"""The command line of OpenSSH's own client that logs in to a host the way jada does."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jada import Host, HostError, JadaError
from jada.inventory.access import login
from jada.inventory.access.ssh_config import arguments
from jada.inventory.access.temporary import access_details
from jada.inventory.fleet.ssh import Ssh
from jada.inventory.sources.source import Access

if TYPE_CHECKING:
    from jada.inventory.fleet.config import Fleet

# Seconds that an agent keeps a temporary key: as long as Lightsail's certificate is valid.
LIFETIME = 600
# Run within an agent. It ends the agent once its stdin ends, as it does however this process ends.
_HOLD = 'echo && cat >/dev/null; kill "$SSH_AGENT_PID"'


@contextmanager
def openssh(fleet: Fleet, host: Host, scratch: Path) -> Iterator[list[str]]:
    """ssh with all its options up to the host, to be run within the block. Raises JadaError.

    A temporary key is kept by an ssh-agent of our own: a secret never becomes a file.
    """
    details = access_details([host])
    data = login.ssh_data(fleet, [host], scratch, details)[host.name]
    if isinstance(data, HostError):
        raise data
    with ExitStack() as stack:
        access = details.get(host.name)
        temporary: tuple[str, ...] = ()
        if isinstance(access, Access):
            temporary = stack.enter_context(_agent(access.private_key, access.certificate, scratch))
        yield argv(fleet.ssh, host, {**data, **_known_hosts(data, scratch)}, temporary)


def argv(ssh: Ssh, host: Host, data: Mapping[str, Any], temporary: tuple[str, ...] = ()) -> list[str]:
    """The command line, by fleet.yml and the host data of pyinfra; ssh reads ~/.ssh/config by itself, where jada does
    too. Pure.
    """
    words, options = (
        ["ssh", *arguments()],
        [f"StrictHostKeyChecking={data['ssh_strict_host_key_checking']}", *temporary],
    )
    if ssh.jump:
        words = ["ssh", "-F", "none"]
    way = data["ssh_paramiko_connect_kwargs"].get("sock")
    if way and (ssh.jump or ssh.host_keys == "strict"):
        # An ssh configuration's own too: by itself ssh asks jump hosts for no more than that configuration does.
        options.append(f"ProxyCommand={way.command.replace('%', '%%')}")
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


def _known_hosts(data: Mapping[str, Any], scratch: Path) -> dict[str, str]:
    """Writes a known_hosts with all that vouches for a host, markers too: the one for paramiko has one key for all."""
    trust = data["ssh_paramiko_connect_kwargs"]["transport_factory"]
    if not trust.keys.vouching:
        return {}
    file = scratch / "@known_hosts"
    file.write_text(trust.keys.lines(trust.name), encoding="utf-8")
    return {"ssh_known_hosts_file": str(file)}


@contextmanager
def _agent(private: str, certificate: str, scratch: Path) -> Iterator[tuple[str, ...]]:
    """The options of a login with a key that an ssh-agent holds, whose certificate is no secret.

    The agent ends with this process, even one that is killed.
    """
    socket, file = scratch / "agent", scratch / "certificate"
    file.write_text(certificate)
    # In a session of its own: Ctrl-C at the terminal is for what runs on the host.
    agent = _begun("ssh-agent", "-t", str(LIFETIME), "-a", str(socket), "sh", "-c", _HOLD)
    with agent:
        # It listens once it runs what it is given.
        if agent.stdout is None or not agent.stdout.readline():
            raise JadaError("ssh-agent, which is to keep the temporary key, did not start")
        adding = _begun("ssh-add", "-q", "-", SSH_AUTH_SOCK=str(socket))
        adding.communicate(f"{private.strip()}\n")
        if adding.returncode:
            raise JadaError("ssh-add did not take the temporary key")
        yield (f"IdentityAgent={socket}", f"CertificateFile={file}", "IdentityFile=none")


def _begun(*argv: str, **environ: str) -> subprocess.Popen[str]:
    try:
        return subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, **environ},
            start_new_session=True,
        )
    except FileNotFoundError:
        raise JadaError(
            f"There is no {argv[0]} on this machine, which a temporary key needs", "install the OpenSSH client"
        ) from None
