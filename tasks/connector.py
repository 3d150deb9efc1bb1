"""pyinfra's ssh connector, for hosts that nobody vouches for: an answer has an end and a size, and asks nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import gevent
from paramiko import Channel, SSHException
from pyinfra.api import StringCommand
from pyinfra.connectors.ssh import SSHConnector
from pyinfra.connectors.util import CommandOutput, OutputLine, make_unix_command_for_host

from jada.tasks.frames import MOST_PACKED

if TYPE_CHECKING:
    from typing import Unpack

    from pyinfra.api.arguments import ConnectorArguments

CHUNK = 65536
# Bytes of what a host says on stderr; nothing of it is read but by people who debug.
MOST_ERRORS = 65536


class BoundedConnector(SSHConnector):
    """Runs commands as pyinfra's own does, but for three things, each of which a host could turn against its operator.

    It takes no more than MOST_PACKED bytes of an answer; `_timeout` bounds all of it, the wait for the exit code too;
    and it never asks at the operator's terminal for a password, which pyinfra does when an answer looks like sudo's.
    """

    def run_shell_command(
        self,
        command: StringCommand,
        print_output: bool = False,  # noqa: ARG002 - pyinfra's signature
        print_input: bool = False,  # noqa: ARG002
        **arguments: Unpack[ConnectorArguments],
    ) -> tuple[bool, CommandOutput]:
        """Whether the command succeeded, and its lines. Raises TimeoutError, OSError or SSHException."""
        timeout, stdin = arguments.pop("_timeout", None), arguments.pop("_stdin", None)
        arguments.pop("_get_pty", None)
        arguments.pop("_success_exit_codes", None)
        line = make_unix_command_for_host(self.state, self.host, command, **arguments).get_raw_value()
        with gevent.Timeout(timeout, TimeoutError):
            return self._run(line, stdin if isinstance(stdin, str) else "\n".join(stdin or ()))

    def _run(self, line: str, stdin: str) -> tuple[bool, CommandOutput]:
        transport = self.client.get_transport() if self.client else None
        if transport is None:
            raise SSHException("there is no connection")
        try:
            channel = transport.open_session()
            try:
                channel.exec_command(line)
                errors = gevent.spawn(lambda: list(_bounded(channel.recv_stderr, MOST_ERRORS)))
                channel.sendall(stdin.encode())
                channel.shutdown_write()
                out = b"".join(_bounded(channel.recv, MOST_PACKED, channel))
                errors.join()
                code = channel.recv_exit_status()
            finally:
                channel.close()
        except EOFError:
            # paramiko's word for a link that died; elsewhere it means that a person closed stdin.
            raise SSHException("the connection was lost") from None
        lines = [OutputLine("stdout", text) for text in out.decode(errors="replace").split("\n")]
        return code == 0, CommandOutput(lines[:-1] if not lines[-1].line else lines)


def _bounded(receive: Callable[[int], bytes], most: int, channel: Channel | None = None) -> Iterator[bytes]:
    """What is received, up to `most` bytes; the rest is thrown away, or with `channel` not waited for."""
    size = 0
    while chunk := receive(CHUNK):
        size += len(chunk)
        if size <= most:
            yield chunk
        elif channel:
            channel.close()
            return
