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
    folder, held = _made(base)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(held)


def sweep(base: Path) -> None:
    """Removes this user's folders that no process holds any more: the kernel frees a lock, however its holder ended."""
    for folder in base.glob(f"{PREFIX}*"):
        held = _open(folder)
        if held is not None:
            if _is_locked(held):
                shutil.rmtree(folder, ignore_errors=True)
            os.close(held)


def _made(base: Path) -> tuple[Path, int]:
    """The folder and the file descriptor that holds its lock."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=base))
        held = _open(folder)
        if held is not None and _is_locked(held) and folder.exists():
            return folder, held
        # Somebody swept it before it was locked.
        if held is not None:
            os.close(held)


def _open(folder: Path) -> int | None:
    """A descriptor of the folder, None where it is gone, a link, or another user's."""
    try:
        held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    if os.fstat(held).st_uid == os.geteuid():
        return held
    os.close(held)
    return None


def _is_locked(held: int) -> bool:
    """Takes the lock; False where another has it."""
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _base() -> Path:
    """$XDG_RUNTIME_DIR or the folder for temporary files: the first where nobody else can exchange what is in there."""
    places = [Path(one) for one in (os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir()) if one]
    for place in places:
        if _is_safe(place):
            return place
    raise JadaError(
        f"No folder for temporary files can be written, or it is another user's: {', '.join(map(str, places))}",
        "name one of your own with TMPDIR",
    )


def _is_safe(place: Path) -> bool:
    try:
        seen = place.stat()
    except OSError:
        return False
    is_shared = bool(seen.st_mode & (stat.S_IWGRP | stat.S_IWOTH)) and not seen.st_mode & stat.S_ISVTX
    return seen.st_uid in (0, os.geteuid()) and not is_shared and os.access(place, os.W_OK | os.X_OK)
