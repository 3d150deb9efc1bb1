"""Logins that a cloud gives for some minutes: a key with its certificate, kept in memory, and the host's own keys; and
those by a key of our own that a cloud lets in for a minute.

The cloud's answer is checked here, where it becomes a key or the name of a user; a secret never becomes a file.
"""

from __future__ import annotations

import re
import time
from base64 import b64decode
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from jada import Host, HostError, JadaError
from jada.inventory.access.known_hosts import HostKey, host_key
from jada.inventory.concurrency import map_concurrently
from jada.inventory.sources.registry import SOURCES
from jada.inventory.sources.source import Access

if TYPE_CHECKING:
    from jada.inventory.access.identity import Credential

# The clouds' answers by host name, or why there is no login to a host.
Details = Mapping[str, Access | HostError]

# Seconds before its end at which a login is asked for anew: more than a handshake takes.
MARGIN = 60
_USER = re.compile(r"\w[\w.@\\+-]*\$?")
# A user as EC2 Instance Connect takes one.
_OS_USER = re.compile(r"(?=.{1,32}$)[0-9]*[A-Za-z@._][A-Za-z0-9@._-]*\$?", re.ASCII)
_CERTIFICATE = re.compile(r"([\w@.-]+) ([A-Za-z0-9+/=]+)( [^\n\r]*)?", re.ASCII)


def access_details(hosts: Sequence[Host]) -> Details:
    """The logins to those of the hosts whose cloud gives one and that can be reached, asked for side by side."""
    logins = [(host, access) for host in hosts if not host.trouble and (access := SOURCES[host.provider].access)]
    answers = map_concurrently(lambda login: login[1](login[0].aws, login[0]), logins)
    return {host.name: _no_access(host, answer) if isinstance(answer, JadaError) else answer
            for (host, _), answer in zip(logins, answers, strict=True)}  # fmt: skip


def vouched(name: str, access: Access) -> tuple[HostKey, ...]:
    """The host keys that the cloud itself names for a host: nothing is left to trust on first use. Raises HostError."""
    keys = [host_key(key.kind, key.text) for key in access.host_keys]
    if None in keys:
        raise HostError(f"{access.giver} names a host key of {name} that is none")
    return tuple(key for key in keys if key)


class LentLogin:
    """A Grant of the key and certificate that a cloud gave, asked for again before they expire. Raises HostError."""

    label = "the key that AWS gave"
    hint = ""

    def __init__(self, host: Host, access: Access) -> None:
        self._host = host
        self._take(access)

    @property
    def user(self) -> str:
        return self._access.user

    def credential(self, user: str) -> Credential:
        if time.time() > self._access.expires - MARGIN:
            access = access_details([self._host])[self._host.name]
            if isinstance(access, HostError):
                raise access
            if access.user != user:
                raise HostError(f"{access.giver} names another user of {self._host.name} than before: {access.user!r}")
            self._take(access)
        return self._credential

    def _take(self, access: Access) -> None:
        name = self._host.name
        if not _USER.fullmatch(access.user):
            raise HostError(f"{access.giver} names a user of {name} that can't be used: {access.user!r}")
        try:
            self._credential = _credential(access.private_key, access.certificate)
        except Exception as error:
            # Whatever paramiko makes of it; its texts may quote the key.
            why = type(error).__name__
            raise HostError(f"{access.giver}'s temporary key for {name} can't be used ({why})") from None
        self._access = access


class PushedLogin:
    """A Grant by a key of this run, which EC2 Instance Connect lets in for 60 s: it is pushed anew for each login."""

    label = "the key that EC2 Instance Connect was given"
    hint = (
        "see whether the package ec2-instance-connect is installed there: sshd's AuthorizedKeysCommand asks the "
        "instance's metadata for the key"
    )

    def __init__(self, host: Host, credential: Credential) -> None:
        self._host = host
        self._credential = credential

    def credential(self, user: str) -> Credential:
        """The key of this run, once AWS has it. Raises HostError."""
        from jada.inventory.cloud import instance_connect

        host = self._host
        if not _OS_USER.fullmatch(user):
            raise HostError(
                f"{host.name}: EC2 Instance Connect takes no user such as {user!r}",
                "it takes up to 32 letters, digits and . _ - @; name another with `user` of the source in fleet.yml",
            )
        key = self._credential.key
        try:
            public = f"{key.get_name()} {key.get_base64()}"
            instance_connect.send_key(host.aws, host.region, host.instance, user, public)
        except JadaError as error:
            trouble = HostError(f"{host.name}: EC2 Instance Connect does not take its key: {error.message}", error.hint)
            raise trouble from error
        return self._credential


def fresh_key() -> Credential:
    """A new ed25519 key, which is nowhere but in memory."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    from jada.inventory.access.identity import Credential, private_key

    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    return Credential(private_key(pem), pem)


def _no_access(host: Host, error: JadaError) -> HostError:
    trouble = HostError(f"{host.name}: {host.source} gives no access to it: {error.message}", error.hint)
    trouble.__cause__ = error
    return trouble


def _credential(private: str, certificate: str) -> Credential:
    from jada.inventory.access.identity import Credential, private_key, with_certificate

    match = _CERTIFICATE.fullmatch(certificate.strip())
    if not match:
        raise ValueError("no certificate")
    key = with_certificate(private_key(private), b64decode(match.group(2), validate=True))
    return Credential(key, private, certificate)
