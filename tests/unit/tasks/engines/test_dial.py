"""Connections that are begun before they are wanted."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from jada.tasks.engines import dial


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


def test_a_line_that_was_dialed_carries_what_is_said(server: socket.socket) -> None:
    line = dial.dial(*server.getsockname())
    assert line is not None
    assert dial.is_connected(line)
    there, _ = server.accept()
    with line, there:
        there.sendall(b"SSH-2.0")
        assert line.recv(7) == b"SSH-2.0"


def test_names_are_not_dialed() -> None:
    assert [dial.dial(name, 22) for name in ("localhost", "")] == [None, None]


def test_a_refused_line_is_not_connected(server: socket.socket) -> None:
    address = server.getsockname()
    server.close()
    line = dial.dial(*address)
    # The kernel may know at once.
    assert line is None or not dial.is_connected(line)


def test_a_line_that_takes_too_long_is_given_up(server: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dial, "PATIENCE", 0)
    full = [socket.create_connection(server.getsockname()) for _ in range(1)]
    server.listen(0)
    lines = [dial.dial(*server.getsockname()) for _ in range(8)]
    # A queue that is full lets the others wait for an answer.
    assert not all(dial.is_connected(line) for line in lines if line)
    for one in (*full, *filter(None, lines)):
        one.close()
