"""A folder for what ssh reads from files: known hosts and a configuration, never a secret."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jada import JadaError

PREFIX = "jada-ssh-"


@contextmanager
def scratch() -> Iterator[Path]:
    """A new folder, 0700, that goes with the block; those of processes that were killed go now."""
    base = _base()
    sweep(base)
    folder, descriptor = _made(base)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def sweep(base: Path) -> None:
    """Removes this user's folders that no process holds any more: the kernel frees a lock, however its holder ended."""
    for folder in base.glob(f"{PREFIX}*"):
        descriptor = _open(folder)
        if descriptor is not None:
            if _is_locked(descriptor):
                shutil.rmtree(folder, ignore_errors=True)
            os.close(descriptor)


def _made(base: Path) -> tuple[Path, int]:
    """The folder and the file descriptor that holds its lock."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=base))
        descriptor = _open(folder)
        if descriptor is not None and _is_locked(descriptor) and folder.exists():
            return folder, descriptor
        # Somebody swept it before it was locked.
        if descriptor is not None:
            os.close(descriptor)


def _open(folder: Path) -> int | None:
    """A descriptor of the folder, None where it is gone, a link, or another user's."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    if os.fstat(descriptor).st_uid == os.geteuid():
        return descriptor
    os.close(descriptor)
    return None


def _is_locked(descriptor: int) -> bool:
    """Takes the lock; False where another has it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _base() -> Path:
    """$XDG_RUNTIME_DIR or the folder for temporary files: the first where nobody else can exchange what is in there."""
    places = [Path(folder) for folder in (os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir()) if folder]
    for place in places:
        if _is_safe(place):
            return place
    raise JadaError(
        f"No folder for temporary files can be written, or it is another user's: {', '.join(map(str, places))}",
        "name one of your own with TMPDIR",
    )


def _is_safe(place: Path) -> bool:
    try:
        status = place.stat()
    except OSError:
        return False
    is_shared = bool(status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)) and not status.st_mode & stat.S_ISVTX
    return status.st_uid in (0, os.geteuid()) and not is_shared and os.access(place, os.W_OK | os.X_OK)
