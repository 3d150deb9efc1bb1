"""pyinfra's ssh connector, for hosts that nobody vouches for: an answer has an end and a size, and asks nothing."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import gevent
import paramiko.transport
from paramiko import Channel, SSHException, Transport
from paramiko.packet import Packetizer
from pyinfra.api import StringCommand
from pyinfra.connectors.ssh import SSHConnector
from pyinfra.connectors.util import CommandOutput, OutputLine, make_unix_command_for_host

from jada.tasks.frames import MOST_PACKED
from jada.tasks.transaction import BEGIN, FirstPart, answer, not_begun

if TYPE_CHECKING:
    from typing import Unpack

    from pyinfra.api.arguments import ConnectorArguments

CHUNK = 65536
# Bytes of a line that comes while one is waited for, which no journal's is.
MOST_OF_LINE = 65536
# Bytes of what comes before the key exchange (RFC 4253, 4.2), and of a packet: it allows 35000, and some send more.
MOST_GREETING = 65536
MOST_OF_PACKET = 2**18
# The words of a login shell before an answer, and the answer's first line.
FIRST_LINE = re.compile(rb"(?s:.{0,65536}?\n)?%s\n[^\n]*\n" % BEGIN.encode())
# Seconds for a word of farewell.
PARTING = 2
# Reads after which the other hosts get their turn, whatever this one still has to say.
TURN = 32


class BoundedConnector(SSHConnector):
    """Runs commands as pyinfra's own does, but for three things, each of which a host could turn against its operator.

    It takes no more than MOST_PACKED bytes of an answer; `_timeout` bounds all of it, the wait for the exit code too;
    and it never asks at the operator's terminal for a password, which pyinfra does when an answer looks like sudo's.
    """

    timed_out = False
    # A command that waits for the second part of its script, and what it said beyond the answer to the first.
    _waiting: tuple[Channel, bytes] | None = None
    _hear: Callable[[bytes], None] | None = None

    @contextmanager
    def heard(self, hear: Callable[[bytes], None]) -> Iterator[None]:
        """Lets somebody hear the answer of the next command while it comes."""
        self._hear = hear
        try:
            yield
        finally:
            self._hear = None

    def let_go(self) -> None:
        """Ends a command that waits for the second part of its script."""
        waiting, self._waiting = self._waiting, None
        # It may be in the middle of something that has no end.
        with suppress(EOFError, OSError, SSHException), gevent.Timeout(PARTING, False):  # type: ignore[arg-type]
            if waiting:
                waiting[0].close()

    @contextmanager
    def beside(self) -> Iterator[None]:
        """Lets other commands run beside one that waits for the second part of its script."""
        waiting, self._waiting = self._waiting, None
        try:
            yield
        finally:
            # Not where the connection was made anew.
            if waiting and self.client and waiting[0].get_transport() is self.client.get_transport():
                self._waiting = waiting

    def run_shell_command(
        self,
        command: StringCommand,
        print_output: bool = False,  # noqa: ARG002 - pyinfra's signature
        print_input: bool = False,  # noqa: ARG002
        **arguments: Unpack[ConnectorArguments],
    ) -> tuple[bool, CommandOutput]:
        """Runs a command; returns True if it succeeded, and its lines. Raises TimeoutError, OSError or SSHException.

        The script of a command after one whose script was a FirstPart goes to the process that runs already.
        """
        seconds, stdin = arguments.pop("_timeout", None), arguments.pop("_stdin", None)
        arguments.pop("_get_pty", None)
        arguments.pop("_success_exit_codes", None)
        line = make_unix_command_for_host(self.state, self.host, command, **arguments).get_raw_value()
        # Not TimeoutError, which paramiko takes for a socket's own and tries again.
        limit = gevent.Timeout(seconds)
        try:
            with limit:
                return self._run(line, stdin if isinstance(stdin, str) else "\n".join(stdin or ()))
        except gevent.Timeout as over:
            if over is not limit:
                raise
            self.timed_out = True
            raise TimeoutError from None

    def stream(self, line: str, stdin: str) -> Iterator[str]:
        """Yields the lines that a command says, until it ends or the link does; its stdin stays open until nobody wants
        more. Raises SSHException.
        """
        transport = self.client.get_transport() if self.client else None
        if transport is None:
            raise SSHException("there is no connection")
        channel, rest = _begun(transport, line), b""
        try:
            channel.sendall(stdin.encode())
            while chunk := channel.recv(CHUNK):
                *lines, rest = (rest + chunk).split(b"\n")
                if len(rest) > MOST_OF_LINE:
                    raise SSHException("it says a line that has no end")
                yield from (said.decode(errors="replace") for said in lines)
        finally:
            channel.close()

    def _run(self, line: str, stdin: str) -> tuple[bool, CommandOutput]:
        transport = self.client.get_transport() if self.client else None
        if transport is None:
            raise SSHException("there is no connection")
        waiting, self._waiting = self._waiting, None
        is_done = False
        try:
            channel, received = waiting or (_begun(transport, line), b"")
            out = bytearray(received)
            channel.sendall(stdin.encode())
            if isinstance(stdin, FirstPart) and (size := _read_line(channel, out)):
                self._waiting, code = (channel, f"{BEGIN}\n".encode() + out[size:]), 0
                del out[size:]
            else:
                channel.shutdown_write()
                hear = self._hear or (lambda _: None)
                hear(received)
                for chunk in _bounded(channel.recv, MOST_PACKED, channel):
                    hear(chunk)
                    out += chunk
                code = channel.recv_exit_status()
                channel.close()
            is_done = True
        except EOFError:
            # paramiko's word for a link that died; elsewhere it means that a person closed stdin.
            raise SSHException("the connection was lost") from None
        finally:
            if not is_done:
                # To close the channel alone would be to write to a host that may not read.
                transport.close()
        text = out.decode(errors="replace")
        lines = answer(text)
        if lines is None and code >= 0:
            # An answer, as sudo's refusal is: of a command that failed nobody reads the words. Without an exit code the
            # link died, and what was begun is not known.
            code, lines = 0, [not_begun(text)]
        return code == 0, CommandOutput([OutputLine("stdout", line) for line in lines or ()])


def _begun(transport: Transport, line: str) -> Channel:
    """A command that runs; its stderr is thrown away."""
    channel = transport.open_session()
    channel.exec_command(line)
    gevent.spawn(lambda: [None for _ in _bounded(channel.recv_stderr, 0)])
    return channel


def _read_line(channel: Channel, out: bytearray) -> int:
    """Receives into `out` until the first line of an answer has come; the size of all up to its end, 0 if it ended."""
    for chunk in _bounded(channel.recv, MOST_PACKED, channel):
        out += chunk
        if b"\n" in chunk and (match := FIRST_LINE.match(out)):
            return match.end()
    return 0


def _bounded(receive: Callable[[int], bytes], most: int, channel: Channel | None = None) -> Iterator[bytes]:
    """Yields the bytes received, up to `most`; the rest is thrown away, or with `channel` not waited for."""
    size = 0
    while chunk := receive(CHUNK):
        size += len(chunk)
        if size <= most:
            yield chunk
        elif channel:
            channel.close()
            return


class _Fair:
    """A socket whose reader lets others run now and then: gevent's does so only when there is nothing to read."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._reads = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def recv(self, size: int) -> bytes:
        self._reads += 1
        if self._reads % TURN == 0:
            gevent.sleep(0)
        return self._sock.recv(min(size, CHUNK))


class _BoundedPacketizer(Packetizer):
    """paramiko's reader of packets, with an end to the greeting and to a packet, which it lacks, and with turns."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(_Fair(sock))  # type: ignore[arg-type]
        self._greeting = MOST_GREETING

    def read_all(self, n: int, check_rekey: bool = False) -> bytes:
        if n > MOST_OF_PACKET:
            raise SSHException("it sends a packet that is longer than ssh has them")
        return super().read_all(n, check_rekey)

    def _read_timeout(self, timeout: float) -> bytes:
        # Only lines of the greeting are read this way.
        greeting: bytes = super()._read_timeout(timeout)  # type: ignore[misc]
        self._greeting -= len(greeting)
        if self._greeting < 0:
            raise SSHException("its greeting does not end")
        return greeting


# Whoever makes a Transport takes it from there: there is no other way to say which one is to be used.
paramiko.transport.Packetizer = _BoundedPacketizer  # type: ignore[attr-defined, assignment]
