"""Running this machine's own tools for the lab."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import subprocess
from pathlib import Path

from jada import JadaError

TOOLS = {
    "systemd-nspawn": "systemd-container",
    "debootstrap": "debootstrap",
    "dbus-daemon": "dbus",
    "ip": "iproute2",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "nsenter": "util-linux",
    "mount": "mount",
}


class PackagesLackingError(JadaError):
    """Tools are missing on this machine; `install` is the command that brings them."""

    def __init__(self, packages: list[str]) -> None:
        self.install = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
        super().__init__(f"The lab lacks {', '.join(packages)} on this machine", " ".join(self.install))


def run(*argv: str | Path, check: bool = True, stdin: str | None = None) -> str:
    """Runs one command and returns its stdout. Raises JadaError with its last words when it fails."""
    process = subprocess.run([str(word) for word in argv], input=stdin, capture_output=True, text=True, check=False)
    if check and process.returncode:
        words = " ".join(str(word) for word in argv)
        lines = (process.stderr or process.stdout).strip().splitlines()
        raise JadaError(f"`{words}` failed ({process.returncode}): {lines[-1] if lines else 'it said nothing'}")
    return process.stdout


def write(path: Path, text: str) -> None:
    """Writes a file in one step: whoever reads it, even after a crash, finds the old or the new, never half of it."""
    part = path.with_name(path.name + ".part")
    part.write_text(text)
    part.replace(path)


def mounts_below(folder: Path) -> list[str]:
    """The mount points in a folder, the deepest first."""
    points = (line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines())
    return sorted((point for point in points if Path(point).is_relative_to(folder)), reverse=True)


def require_lab_machine() -> None:
    """Raises JadaError unless this is Linux, we are root, and the tools and kernel parts are there."""
    if platform.system() != "Linux":
        raise JadaError("The lab needs Linux: it boots systemd hosts in namespaces", "use a Debian or Ubuntu machine")
    if os.geteuid() != 0:
        raise JadaError("The lab needs root: it mounts file systems and makes network namespaces", "sudo jada lab …")
    if lacking := sorted({package for tool, package in TOOLS.items() if not shutil.which(tool)}):
        raise PackagesLackingError(lacking)
    if not importlib.util.find_spec("moto"):
        raise JadaError("The lab's emulated AWS endpoint needs moto, which is not installed", "pip install 'jada[lab]'")
    if not _kernel_has_overlay():
        raise JadaError("The lab needs overlayfs, and this kernel has none", "modprobe overlay")


def _kernel_has_overlay() -> bool:
    def has() -> bool:
        return "overlay" in Path("/proc/filesystems").read_text().split()

    if not has() and shutil.which("modprobe"):
        run("modprobe", "overlay", check=False)
    return has()
