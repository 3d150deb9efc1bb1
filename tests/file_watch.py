"""A watch over folders and over the command lines of all processes, which tells what it has missed."""

from __future__ import annotations

import ctypes
import os
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

IN_MODIFY, IN_MOVED_TO, IN_CREATE, IN_ISDIR, IN_Q_OVERFLOW = 0x2, 0x80, 0x100, 0x40000000, 0x4000
EVENT = struct.Struct("iIII")
# The beginnings of private keys, as PEM has them and, in base64, OpenSSH; and what opens a tunnel for a minute.
SECRETS = (b"PRIVATE KEY", b"b3BlbnNzaC1rZXktdjE", b"X-Amz-Signature", b"X-Amz-Security-Token")


@dataclass
class Watch:
    """The files that were written in some folders, kept open so that they can be read when they are deleted; names of
    those that were `gone` before; and the command lines that hold a secret.
    """

    files: dict[str, int] = field(default_factory=dict)
    gone: list[str] = field(default_factory=list)
    told: list[bytes] = field(default_factory=list)
    # Those of a secret.
    words: tuple[bytes, ...] = SECRETS
    _folders: dict[int, str] = field(default_factory=dict)
    _over: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._inotify = self._libc.inotify_init1(os.O_NONBLOCK)

    def secrets(self) -> list[str]:
        """The files that hold a secret."""
        found = []
        for name, descriptor in self.files.items():
            text = os.pread(descriptor, 1 << 24, 0)
            found += [f"{name}: {secret.decode()}" for secret in self.words if secret in text]
        return found

    def add(self, folder: str) -> None:
        number = self._libc.inotify_add_watch(self._inotify, folder.encode(), IN_MODIFY | IN_MOVED_TO | IN_CREATE)
        if number < 0:
            self.gone.append(folder)
            return
        self._folders[number] = folder
        # Those that came before the watch did.
        for entry in os.scandir(folder):
            self.add(entry.path) if entry.is_dir(follow_symlinks=False) else self._keep(entry.path)

    def _keep(self, path: str) -> None:
        with suppress(FileNotFoundError):
            if not Path(path).is_file():
                return
            if path in self.files and os.fstat(self.files[path]).st_ino == Path(path).stat().st_ino:
                return
            self.files[f"{path}#{len(self.files)}" if path in self.files else path] = os.open(path, os.O_RDONLY)
            return
        self.gone.append(path)

    def run(self) -> None:
        while not self._over.wait(0.002):
            self._read_events()
            self._read_command_lines()
        self._read_events()

    def end(self) -> None:
        self._over.set()

    def _read_events(self) -> None:
        with suppress(BlockingIOError):
            while data := os.read(self._inotify, 1 << 16):
                at = 0
                while at < len(data):
                    number, mask, _, size = EVENT.unpack_from(data, at)
                    name = data[at + EVENT.size : at + EVENT.size + size].rstrip(b"\0").decode()
                    at += EVENT.size + size
                    assert not mask & IN_Q_OVERFLOW
                    path = f"{self._folders[number]}/{name}"
                    self.add(path) if mask & IN_ISDIR else self._keep(path)

    def _read_command_lines(self) -> None:
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                line = (process / "cmdline").read_bytes()
                self.told += [line] if any(secret in line for secret in self.words) else []


@contextmanager
def watched(*folders: Path, words: tuple[bytes, ...] = SECRETS) -> Iterator[Watch]:
    """Watches these folders, and all that are made in them, within the block."""
    watch = Watch(words=words)
    for folder in folders:
        watch.add(str(folder))
    thread = threading.Thread(target=watch.run)
    thread.start()
    try:
        yield watch
    finally:
        watch.end()
        thread.join()
