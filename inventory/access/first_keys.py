"""The ssh host keys that hosts show which nobody knows yet: to be compared by a person, and kept in known_hosts."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from paramiko import SSHException, Transport

from jada import HostError, JadaError, reason
from jada.inventory.access.known_hosts import KINDS, HostKey, HostKeys, of_blob
from jada.inventory.access.login import known_as
from jada.inventory.access.ssh_config import Options
from jada.inventory.concurrency import map_concurrently

# Seconds for a connection, and for the key exchange.
PATIENCE = 10


@dataclass(frozen=True, slots=True)
class FirstKey:
    """The key that a host shows: by which name, and in which file, it would be known."""

    key: HostKey
    name: str
    file: Path


def shown(options: Mapping[str, Options]) -> dict[str, FirstKey | JadaError]:
    """The key of each of these hosts, side by side, or why there is none. Nothing is trusted, and nobody logs in."""
    answers = map_concurrently(lambda named: _shown(*named), list(options.items()))
    return dict(zip(options, answers, strict=True))


def keep(first: FirstKey) -> None:
    """Adds a key to the known_hosts where it is missing. Raises JadaError."""
    file, line = first.file, HostKeys(own=(first.key,)).lines(first.name)
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.touch(mode=0o600)
        before = file.read_bytes()
        with file.open("a", encoding="utf-8") as known_hosts:
            known_hosts.write(line if before.endswith(b"\n") or not before else f"\n{line}")
    except OSError as error:
        raise JadaError(f"{file} can't be written: {error.strerror}") from None


def _shown(host: str, options: Options) -> FirstKey:
    if options.proxy:
        raise HostError(
            f"{host} is reached by way of others, as the ssh configuration says, and its key is not asked for there",
            f"log in once and compare it: ssh {options.hostname}",
        )
    try:
        with socket.create_connection((options.hostname, options.port), PATIENCE) as sock:
            transport = Transport(sock)
            try:
                transport.start_client(timeout=PATIENCE)
                key = of_blob(transport.get_remote_server_key().asbytes())
            finally:
                transport.close()
    except (OSError, EOFError, SSHException, ValueError) as error:
        raise HostError(
            f"{host} can't be reached at {options.hostname}, port {options.port}: {reason(error)}",
            "see whether it runs, and whether address and port are right",
        ) from None
    if key.kind not in KINDS:
        raise HostError(f"{host} shows an ssh host key of a kind that jada does not check")
    return FirstKey(key, known_as(options), options.known_hosts[0])
