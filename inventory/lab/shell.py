"""Running this machine's own tools for the lab."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path

from jada import JadaError

LAB = Path("/var/lib/jada-lab")
TOOLS = {
    "systemd-nspawn": "systemd-container",
    "debootstrap": "debootstrap",
    "dbus-daemon": "dbus",
    "ip": "iproute2",
    "ssh-keygen": "openssh-client",
    "nsenter": "util-linux",
    "mount": "mount",
}


def run(*argv: str | Path, check: bool = True, stdin: str | None = None) -> str:
    """Runs one command and returns its stdout. Raises JadaError with its last words when it fails."""
    done = subprocess.run([str(word) for word in argv], input=stdin, capture_output=True, text=True, check=False)
    if check and done.returncode:
        words = " ".join(str(word) for word in argv)
        told = (done.stderr or done.stdout).strip().splitlines()
        raise JadaError(f"`{words}` failed ({done.returncode}): {told[-1] if told else 'it said nothing'}")
    return done.stdout


def require_lab_machine() -> None:
    """Raises JadaError unless this is Linux, we are root, and the tools are there."""
    if platform.system() != "Linux":
        raise JadaError("The lab needs Linux: it boots systemd hosts in namespaces", "use a Debian or Ubuntu machine")
    if os.geteuid() != 0:
        raise JadaError("The lab needs root: it mounts file systems and makes network namespaces", "sudo jada lab …")
    lacking = sorted({package for tool, package in TOOLS.items() if not shutil.which(tool)})
    if lacking:
        raise JadaError(
            f"The lab lacks {', '.join(lacking)}", f"apt-get install -y --no-install-recommends {' '.join(lacking)}"
        )
