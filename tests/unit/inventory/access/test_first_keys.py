"""The host keys of hosts that nobody knows: as they show them, and kept where ssh looks for them."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest
from paramiko import ECDSAKey, ServerInterface, Transport

from jada import HostError, JadaError
from jada.inventory.access import first_keys
from jada.inventory.access.first_keys import FirstKey, keep, shown
from jada.inventory.access.known_hosts import host_keys, of_blob
from jada.inventory.access.ssh_config import Options

KEY = ECDSAKey.generate()


def options(file: Path, port: int, proxy: str = "") -> Options:
    return Options("127.0.0.1", port, "ann", (), (file,), proxy=proxy)


def serve(listening: socket.socket) -> None:
    sock, _ = listening.accept()
    transport = Transport(sock)
    transport.add_server_key(KEY)
    transport.start_server(event=threading.Event(), server=ServerInterface())
    transport.join(10)


def test_a_host_shows_its_key_and_it_is_kept_by_the_name_that_ssh_looks_for(tmp_path: Path) -> None:
    file = tmp_path / "ssh/known_hosts"
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        threading.Thread(target=serve, args=(listening,), daemon=True).start()
        first = shown({"web-1": options(file, port)})["web-1"]
    assert isinstance(first, FirstKey)
    assert first.key.blob == KEY.asbytes()
    # What is there, without a line end, stays a line of its own.
    file.parent.mkdir()
    file.write_text("# mine")
    keep(first)
    assert file.read_text().startswith("# mine\n")
    name = f"[127.0.0.1]:{port}"
    assert host_keys(file.read_text(), [name])[name].own == (of_blob(KEY.asbytes()),)


def test_a_known_hosts_that_is_made_is_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "ssh/known_hosts"
    keep(FirstKey(of_blob(KEY.asbytes()), "web-1", file))
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_who_is_not_there_or_behind_others_shows_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_keys, "PATIENCE", 5)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    answers = shown({"off": options(tmp_path, port), "far": options(tmp_path, 22, proxy="ssh -W %h:%p bastion")})
    assert isinstance(answers["off"], HostError)
    assert "refused" in str(answers["off"])
    assert isinstance(answers["far"], JadaError)
    assert "by way of others" in str(answers["far"])
