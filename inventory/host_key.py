"""Host keys that are refused, whatever else known_hosts says of them: paramiko knows no @revoked."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from paramiko import SSHException, Transport

from jada import HostKeyError


class RevokedKeyError(HostKeyError, SSHException):
    """A host showed a key that known_hosts revokes. pyinfra, by hand, tells it as any trouble of ssh."""


def refusing(revoked: frozenset[bytes], host: str, where: str) -> Callable[..., Transport]:
    """The transport_factory of paramiko's connect() that ends before the login when the host shows one of the keys."""

    class Refusing(Transport):
        def start_client(self, event: threading.Event | None = None, timeout: float | None = None) -> None:
            super().start_client(event, timeout)
            key = self.get_remote_server_key()
            if key.asbytes() in revoked:
                self.close()
                raise RevokedKeyError(
                    f"{host} shows an ssh host key that {where} revokes: {key.fingerprint}",
                    "whoever has that key can pose as the host: give the host new keys and take them into known_hosts",
                )

    def make(*sock: Any, **arguments: Any) -> Transport:
        return Refusing(*sock, **arguments)

    return make
