"""The way to a host through a command, ssh's ProxyCommand: the words of a command that fails are told."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
from dataclasses import dataclass
from typing import Any

from paramiko import ProxyCommandFailure

# Characters of what a command says at its end.
MOST_WORDS = 500


@dataclass(frozen=True, slots=True)
class Proxy:
    """A command for a shell; handed to paramiko's connect() as the socket, it is begun anew for each connection."""

    command: str

    def to_json(self) -> str:
        """For pyinfra's `debug-inventory`, which makes JSON of all host data."""
        return self.command

    def begin(self) -> ProxySocket:
        return ProxySocket(self.command)


class ProxySocket:
    """The command's stdin and stdout as the socket of a connection.

    paramiko's own ProxyCommand reads through pipes, throws away what the command says, and runs it without a shell.
    """

    def __init__(self, command: str) -> None:
        self._command = command
        self._socket, theirs = socket.socketpair()
        self._words = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the socket
        with theirs:
            # gevent's sockets never block, and not every command can work with one that does not.
            os.set_blocking(theirs.fileno(), True)
            # In a session of its own: Ctrl-C is jada's, which ends what it has begun, and nothing asks at the terminal.
            self._process = subprocess.Popen(
                [_shell(), "-c", f"exec {command}"],
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=self._words,
                start_new_session=True,
            )
        self._is_new = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)

    def send(self, data: bytes) -> int:
        try:
            return self._socket.send(data)
        except ConnectionError:
            # It has ended, and recv tells why: of an error here, paramiko makes one without a reason.
            return len(data)

    def recv(self, size: int) -> bytes:
        try:
            data = self._socket.recv(size)
        except ConnectionError:
            # It ended without reading all of what it was sent.
            data = b""
        if self._is_new and not data:
            raise ProxyCommandFailure(self._command, self._last_words())
        self._is_new = False
        return data

    def close(self) -> None:
        self._socket.close()
        self._words.close()
        if self._process.poll() is None:
            self._process.terminate()

    def _last_words(self) -> str:
        try:
            code = self._process.wait(5)
        except subprocess.TimeoutExpired:
            return "it hung up"
        self._words.seek(0)
        words = " ".join(self._words.read().decode(errors="replace").split())
        return words[-MOST_WORDS:] or f"exit code {code}"


def _shell() -> str:
    """The operator's own, as with ssh; a user that is made for a service has one that runs nothing."""
    shell = os.environ.get("SHELL", "")
    return "/bin/sh" if shell.rpartition("/")[2] in ("", "nologin", "false") else shell
