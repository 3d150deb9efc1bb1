"""TCP connections that are begun before there is anything to say: the network takes its time while modules load."""

from __future__ import annotations

import errno
import ipaddress
import select
import socket

# A controller has 2 cores to spare, not 500: more hosts side by side than this only queue up for the CPU.
AT_ONCE = 100
# Seconds a connection still gets once it is wanted; after that a new one is tried, which has time to say what is wrong.
PATIENCE = 1


def preconnect(address: str, port: int) -> socket.socket | None:
    """Begins to connect; None for a name, whose lookup would have to be waited for, and where it fails at once."""
    try:
        is_v6 = ipaddress.ip_address(address).version == 6
    except ValueError:
        return None
    sock = socket.socket(socket.AF_INET6 if is_v6 else socket.AF_INET)
    sock.setblocking(False)
    if sock.connect_ex((address, port)) not in (0, errno.EINPROGRESS):
        sock.close()
        return None
    return sock


def is_connected(sock: socket.socket) -> bool:
    """True if the connection is there, or comes within PATIENCE seconds; from then on it blocks, as any socket does."""
    _, ready, _ = select.select([], [sock], [], PATIENCE)
    if not ready or sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
        return False
    sock.setblocking(True)
    return True
