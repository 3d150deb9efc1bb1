"""The base image of the lab's hosts: Debian with systemd and sshd, built once and cached."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path

from jada.inventory.lab.shell import mounts_below, run

CACHE = Path("/var/cache/jada-lab")
SUITE = "bookworm"
PACKAGES = ("systemd", "systemd-sysv", "dbus", "openssh-server", "sudo", "python3", "iproute2", "procps", "curl")
# Login users as on real clouds (Debian's EC2 images, Bitnami's Lightsail images), and one for the agent.
LOGINS = ("admin", "bitnami")
AGENT_USER = "agent"
# Units that only cost boot time in a container.
MASKED = ("apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "fstrim.timer",
          "console-getty.service", "getty.target", "systemd-networkd-wait-online.service")  # fmt: skip


def path() -> Path:
    """Where the base image is, or will be: the name changes with what it is made of."""
    recipe = "\n".join((SUITE, *PACKAGES, *LOGINS, AGENT_USER, *MASKED))
    return CACHE / f"base-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"


def build() -> Path:
    """The base image, built first if it isn't there (about a minute); a build that was cut off never counts."""
    if path().is_dir():
        return path()
    CACHE.mkdir(parents=True, exist_ok=True)
    for leftover in CACHE.glob("building-*"):
        # debootstrap mounts /proc and /sys in there, and leaves them when it is killed.
        for mount in mounts_below(leftover):
            run("umount", "--lazy", mount)
        run("rm", "-rf", "--one-file-system", leftover)
    root = Path(tempfile.mkdtemp(prefix="building-", dir=CACHE))
    run("debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", SUITE, root)
    for user in LOGINS:
        run("chroot", root, "useradd", "--create-home", "--shell", "/bin/bash", user)
        (root / "etc/sudoers.d" / user).write_text(f"{user} ALL=(ALL) NOPASSWD: ALL\n")
    run("chroot", root, "useradd", "--create-home", "--shell", "/bin/bash", AGENT_USER)
    for key in (root / "etc/ssh").glob("ssh_host_*"):
        key.unlink()
    for unit in MASKED:
        (root / "etc/systemd/system" / unit).symlink_to("/dev/null")
    (root / "etc/machine-id").write_text("")
    shutil.rmtree(root / "var/cache/apt", ignore_errors=True)
    root.chmod(0o755)
    return root.rename(path())
