"""Connections that are begun before they are needed."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from jada.tasks.engines import preconnect


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


def test_a_connection_that_was_begun_carries_what_is_said(server: socket.socket) -> None:
    sock = preconnect.preconnect(*server.getsockname())
    assert sock is not None
    assert preconnect.is_connected(sock)
    peer, _ = server.accept()
    with sock, peer:
        peer.sendall(b"SSH-2.0")
        assert sock.recv(7) == b"SSH-2.0"


def test_names_are_not_connected_to() -> None:
    assert [preconnect.preconnect(name, 22) for name in ("localhost", "")] == [None, None]


def test_a_refused_connection_is_not_connected(server: socket.socket) -> None:
    address = server.getsockname()
    server.close()
    sock = preconnect.preconnect(*address)
    # The kernel may know at once.
    assert sock is None or not preconnect.is_connected(sock)


def test_a_connection_that_takes_too_long_is_given_up(server: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preconnect, "PATIENCE", 0)
    full = [socket.create_connection(server.getsockname()) for _ in range(1)]
    server.listen(0)
    socks = [preconnect.preconnect(*server.getsockname()) for _ in range(8)]
    # A queue that is full lets the others wait for an answer.
    assert not all(preconnect.is_connected(sock) for sock in socks if sock)
    for sock in (*full, *filter(None, socks)):
        sock.close()
