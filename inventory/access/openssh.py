"""The command line of OpenSSH's own client that logs in to a host the way jada does."""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paramiko import SSHException

from jada import Host, HostError, JadaError
from jada.inventory.access import login
from jada.inventory.access.pins import NO_STORE, PinStore
from jada.inventory.access.ssh_config import arguments
from jada.inventory.fleet.ssh import Ssh

if TYPE_CHECKING:
    from jada.inventory.access.tunnel import Tunnel, TunnelSocket
    from jada.inventory.fleet.config import Fleet

# Seconds that an agent keeps a temporary key: as long as Lightsail's certificate is valid.
LIFETIME = 600
# Bytes that are carried at once.
CHUNK = 65536
# Hands ssh, for ProxyUseFdpass, a connection to the socket that it is given.
_HAND_OVER = (
    "import socket, sys; way = socket.socket(socket.AF_UNIX); way.connect(sys.argv[1]); "
    "socket.send_fds(socket.socket(fileno=1), [bytes(1)], [way.fileno()])"
)
# Run within an agent. It ends the agent once its stdin ends, as it does however this process ends.
_HOLD = 'echo && cat >/dev/null; kill "$SSH_AGENT_PID"'


@contextmanager
def openssh(fleet: Fleet, host: Host, scratch: Path, pins: PinStore = NO_STORE) -> Iterator[list[str]]:
    """ssh with all its options up to the host, to be run within the block. Raises JadaError.

    A temporary key is kept by an ssh-agent of our own: a secret never becomes a file.
    """
    data: dict[str, Any] | HostError = login.ssh_data(fleet, [host], scratch, pins)[host.name]
    if isinstance(data, HostError):
        raise data
    arguments = data["ssh_paramiko_connect_kwargs"]
    with ExitStack() as stack:
        own: tuple[str, ...] = ()
        if host.via == "eice":
            own = stack.enter_context(_served(arguments["sock"], scratch))
        temporary: tuple[str, ...] = ()
        if grant := arguments["auth_strategy"].grant:
            # Last, for a key that is pushed is let in for a minute.
            credential = grant.credential(data["ssh_user"])
            temporary = stack.enter_context(_agent(credential.private, credential.certificate, scratch))
        yield argv(fleet.ssh, host, {**data, **_known_hosts(data, scratch)}, temporary, own)


def argv(
    ssh: Ssh, host: Host, data: Mapping[str, Any], temporary: tuple[str, ...] = (), own_way: tuple[str, ...] = ()
) -> list[str]:
    """The command line, by fleet.yml and the host data of pyinfra; ssh reads ~/.ssh/config by itself, where jada does
    too. `temporary` are the options of a temporary key, `own_way` those of a tunnel. Pure.
    """
    words, options = (
        ["ssh", *arguments()],
        [f"StrictHostKeyChecking={data['ssh_strict_host_key_checking']}", *temporary, *own_way],
    )
    if ssh.jump:
        words = ["ssh", "-F", "none"]
    way = None if own_way else data["ssh_paramiko_connect_kwargs"].get("sock")
    if way and (ssh.jump or ssh.is_strict):
        # An ssh configuration's own too: by itself ssh asks jump hosts for no more than that configuration does.
        options.append(f"ProxyCommand={way.command.replace('%', '%%')}")
    if ssh.key and not temporary:
        words += ["-i", str(ssh.key)]
        options.append("IdentitiesOnly=yes")
    if own_way:
        # A connection that is open to the same private address may lead into another network.
        options.append("ControlPath=none")
    trust = data["ssh_paramiko_connect_kwargs"].get("transport_factory")
    if trust and trust.pinned:
        # By an address, that one might know another machine.
        options.append("GlobalKnownHostsFile=none")
    is_ours = temporary and data["ssh_known_hosts_file"] != str(Ssh().known_hosts)
    if is_ours or (trust and trust.pinned):
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
    address, file = scratch / "agent", scratch / "certificate"
    if certificate:
        file.write_text(certificate)
    # In a session of its own: Ctrl-C at the terminal is for what runs on the host.
    agent = _begun("ssh-agent", "-t", str(LIFETIME), "-a", str(address), "sh", "-c", _HOLD)
    with agent:
        # It listens once it runs what it is given.
        if agent.stdout is None or not agent.stdout.readline():
            raise JadaError("ssh-agent, which is to keep the temporary key, did not start")
        adding = _begun("ssh-add", "-q", "-", SSH_AUTH_SOCK=str(address))
        adding.communicate(f"{private.strip()}\n")
        if adding.returncode:
            raise JadaError("ssh-add did not take the temporary key")
        shown = (f"CertificateFile={file}",) if certificate else ()
        # ssh forwards the agent that it logs in by, where ~/.ssh/config has it forward any: it is for no host's root.
        yield (f"IdentityAgent={address}", *shown, "IdentityFile=none", "ForwardAgent=no")


@contextmanager
def _served(tunnel: Tunnel, scratch: Path) -> Iterator[tuple[str, ...]]:
    """The options by which ssh takes a tunnel that this process has opened: its URL is a secret, so no other opens it.

    Raises JadaError.
    """
    path = scratch / "tunnel"
    try:
        way = tunnel.begin()
    except OSError as error:
        raise JadaError(f"{tunnel.host.name} can't be reached: {error}") from None
    with closing(way), socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(1)
        threading.Thread(target=_pass_on, args=(listener, way), daemon=True).start()
        command = shlex.join((sys.executable, "-I", "-S", "-c", _HAND_OVER, str(path)))
        yield ("ProxyUseFdpass=yes", f"ProxyCommand={command.replace('%', '%%')}")


def _pass_on(listener: socket.socket, way: TunnelSocket) -> None:
    """Carries bytes both ways between the tunnel and whoever connects to the listener, until either ends."""
    with suppress(OSError):
        ssh, _ = listener.accept()
        threading.Thread(target=_copy, args=(ssh.recv, way.send), daemon=True).start()
        with ssh:
            _copy(way.recv, ssh.sendall)


def _copy(receive: Callable[[int], bytes], send: Callable[[bytes], object]) -> None:
    with suppress(OSError, SSHException):
        while data := receive(CHUNK):
            send(data)


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
