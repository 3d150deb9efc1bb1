"""Each host's own control group: its systemd alone manages it, and it lists every process the host has.

A group is named by its path, such as jada-lab/specialist-1.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

from jada import JadaError

# Joins the groups given before "--", then becomes the command after it: so no child is ever outside them.
JOIN_AND_RUN = 'while [ "$1" != -- ]; do echo $$ >"$1/cgroup.procs" || exit 1; shift; done; shift; exec "$@"'


def hierarchies() -> list[Path]:
    """Returns the folders of systemd's groups: cgroup v2, the v1 hierarchy named systemd, or both. Raises JadaError."""
    mounts = (line.split() for line in Path("/proc/self/mounts").read_text().splitlines())
    folders = [
        Path(where)
        for _, where, kind, options, *_ in mounts
        if kind == "cgroup2" or (kind == "cgroup" and "name=systemd" in options.split(","))
    ]
    if not folders:
        raise JadaError("The lab needs control groups for systemd, and none are mounted",
                        "mount -t cgroup2 none /sys/fs/cgroup")  # fmt: skip
    return folders


def exists(name: str) -> bool:
    return any(group.is_dir() for group in _groups(name))


def start(name: str, argv: list[str], log: Path) -> None:
    """Starts a command in the group `name` and in its own session, so that it outlives us. Raises JadaError."""
    for group in _groups(name):
        try:
            group.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise JadaError(
                f"The lab can't make the control group {group}: {error.strerror}",
                "inside a container, it must be privileged, with /sys/fs/cgroup writable",
            ) from None
    with log.open("ab") as output:
        process = subprocess.Popen(
            ["sh", "-c", JOIN_AND_RUN, "sh", *map(str, _groups(name)), "--", *argv],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    # From here on an empty group means that the command has died.
    while not processes(name) and process.poll() is None:
        time.sleep(0.005)


def processes(name: str) -> list[int]:
    """The ids, on this machine, of all processes in the group and the groups below it."""
    group = _groups(name)[0]
    return [pid for part in (group, *_below(group)) for pid in _members(part)]


def init(name: str) -> int | None:
    """The host's PID 1, by its id on this machine, once it is systemd; None while the host is off or starting.

    Only a process that is PID 1 of a namespace below ours counts: never one of this machine's own.
    """
    for pid in _members(_groups(name)[0] / "payload/init.scope"):
        with contextlib.suppress(OSError):
            status = Path(f"/proc/{pid}/status").read_text()
            ids = next(line.split()[1:] for line in status.splitlines() if line.startswith("NSpid:"))
            if len(ids) > 1 and ids[-1] == "1":
                return pid
    return None


def remove(name: str, patience: float = 10) -> None:
    """Kills what is in the group, waits until it is gone (at most `patience` s), removes it. Raises JadaError."""
    deadline = time.monotonic() + patience
    while pids := processes(name):
        if time.monotonic() > deadline:
            raise JadaError(f"Processes of {name} can't be killed: {', '.join(map(str, pids))}",
                            "see what they wait for with: cat /proc/PID/stack")  # fmt: skip
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)
    for group in _groups(name):
        for part in (*reversed(_below(group)), group):
            with contextlib.suppress(OSError):
                part.rmdir()


def _groups(name: str) -> list[Path]:
    return [hierarchy / name for hierarchy in hierarchies()]


def _below(group: Path) -> list[Path]:
    """All groups below this one, parents first."""
    return [Path(folder) / child for folder, children, _ in os.walk(group) for child in children]


def _members(group: Path) -> list[int]:
    try:
        return [int(line) for line in (group / "cgroup.procs").read_text().split()]
    except OSError:
        return []
