"""Logins that a cloud gives for some minutes: a key with its certificate, kept in memory, and the host's own keys.

The cloud's answer is checked here, where it becomes a key or the name of a user; a secret never becomes a file.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from jada import Host, HostError, JadaError
from jada.inventory.access.known_hosts import HostKey, host_key
from jada.inventory.concurrency import map_concurrently
from jada.inventory.sources.registry import SOURCES
from jada.inventory.sources.source import Access

if TYPE_CHECKING:
    from paramiko import PKey

# The clouds' answers by host name, or why there is no login to a host.
Details = Mapping[str, Access | HostError]

_USER = re.compile(r"\w[\w.@\\+-]*\$?")
_CERTIFICATE = re.compile(r"([\w@.-]+) ([A-Za-z0-9+/=]+)( [^\n\r]*)?", re.ASCII)


def access_details(hosts: Sequence[Host]) -> Details:
    """The logins to those of the hosts whose cloud gives one and that can be reached, asked for side by side."""
    logins = [(host, access) for host in hosts if not host.trouble and (access := SOURCES[host.provider].access)]
    answers = map_concurrently(lambda login: login[1](login[0].aws, login[0]), logins)
    return {host.name: _no_access(host, answer) if isinstance(answer, JadaError) else answer
            for (host, _), answer in zip(logins, answers, strict=True)}  # fmt: skip


def vouched(name: str, access: Access) -> tuple[HostKey, ...]:
    """The host keys that the cloud itself names for a host: nothing is left to trust on first use. Raises HostError."""
    keys = [host_key(algorithm, key) for algorithm, key in access.host_keys]
    if None in keys:
        raise HostError(f"{access.giver} names a host key of {name} that is none")
    return tuple(key for key in keys if key)


def user_and_key(name: str, access: Access) -> tuple[str, PKey]:
    """The user and the key to log in with, the key with its certificate. Raises HostError."""
    if not _USER.fullmatch(access.user):
        raise HostError(f"{access.giver} names a user of {name} that can't be used: {access.user!r}")
    try:
        return access.user, _certified(access.private_key, access.certificate)
    except Exception as error:
        # Whatever paramiko makes of it; its texts may quote the key.
        raise HostError(f"{access.giver}'s temporary key for {name} can't be used ({type(error).__name__})") from None


def _no_access(host: Host, error: JadaError) -> HostError:
    trouble = HostError(f"{host.name}: {host.source} gives no access to it: {error.message}", error.hint)
    trouble.__cause__ = error
    return trouble


def _certified(private: str, certificate: str) -> PKey:
    from jada.inventory.access.identity import private_key, with_certificate

    match = _CERTIFICATE.fullmatch(certificate.strip())
    if not match:
        raise ValueError("no certificate")
    return with_certificate(private_key(private), b64decode(match.group(2), validate=True))
