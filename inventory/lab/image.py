"""The base images of the lab's hosts, one a suite: Debian with systemd and sshd, built once and cached."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from jada.inventory.lab.shell import mounts_below, run

CACHE = Path("/var/cache/jada-lab")
PACKAGES = ("systemd", "systemd-sysv", "dbus", "openssh-server", "sudo", "python3", "iproute2", "procps", "curl")
# Login users as on real clouds (Debian's EC2 images, Bitnami's Lightsail images), and one for the agent.
LOGINS = ("admin", "bitnami")
AGENT_USER = "agent"
# Units that only cost boot time in a container.
MASKED = ("apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "fstrim.timer",
          "console-getty.service", "getty.target", "systemd-networkd-wait-online.service")  # fmt: skip
# What looks for disks, terminals and init scripts that a container has not: systemd runs all of them at its boot and at
# each daemon-reload, of which they are most of the cost.
MASKED_GENERATORS = tuple(
    f"systemd-{name}-generator"
    for name in ("cryptsetup", "debug", "fstab", "getty", "gpt-auto", "hibernate-resume", "integritysetup", "rc-local",
                 "run", "ssh", "system-update", "sysv", "tpm2", "veritysetup")
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Suite:
    """The system of a lab's hosts: a Debian release, and the tools that stand in its PATH before Debian's own."""

    release: str
    packages: tuple[str, ...] = ()
    first: tuple[str, ...] = ()
    # Tools that are busybox's, in the last folder of `first`.
    busybox: tuple[str, ...] = ()


SUITES = {
    "bullseye": Suite("bullseye"),
    "bookworm": Suite("bookworm"),
    "trixie": Suite("trixie"),
    # As on Ubuntu since 25.10, and further: GNU's tools, awk and sudo are others'. Commands of jada find these first;
    # commands of the lab itself find Debian's.
    "uutils": Suite(
        "trixie",
        packages=("rust-coreutils", "sudo-rs", "busybox"),
        first=("/usr/lib/cargo/bin/coreutils", "/usr/lib/cargo/bin", "/usr/local/lib/busybox"),
        busybox=("awk", "find", "grep", "gzip", "sed", "xargs"),
    ),
}
SUITE = "bookworm"


def path(suite: str = SUITE) -> Path:
    """Returns the path of a suite's base image, there or not: the name changes with all that it is made of."""
    system = SUITES[suite]
    recipe = "\n".join(
        (
            system.release,
            *PACKAGES,
            *system.packages,
            *LOGINS,
            AGENT_USER,
            *MASKED,
            *MASKED_GENERATORS,
            *system.first,
            *system.busybox,
        )
    )
    return CACHE / f"base-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"


def build(suite: str = SUITE) -> Path:
    """The base image, built first if it isn't there (about a minute); a build that was cut off never counts."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        # Another lab may want it too.
        fcntl.flock(lock, fcntl.LOCK_EX)
        return path(suite) if path(suite).is_dir() else _build(suite)


def _build(suite: str) -> Path:
    system = SUITES[suite]
    for leftover in CACHE.glob("building-*"):
        # debootstrap mounts /proc and /sys in there, and leaves them when it is killed.
        for mount in mounts_below(leftover):
            run("umount", "--lazy", mount)
        run("rm", "-rf", "--one-file-system", leftover)
    root = Path(tempfile.mkdtemp(prefix="building-", dir=CACHE))
    packages = ",".join((*PACKAGES, *system.packages))
    run("debootstrap", "--variant=minbase", f"--include={packages}", system.release, root)
    for user in LOGINS:
        run("chroot", root, "useradd", "--create-home", "--shell", "/bin/bash", user)
        (root / "etc/sudoers.d" / user).write_text(f"{user} ALL=(ALL) NOPASSWD: ALL\n")
    run("chroot", root, "useradd", "--create-home", "--shell", "/bin/bash", AGENT_USER)
    for key in (root / "etc/ssh").glob("ssh_host_*"):
        key.unlink()
    for unit in MASKED:
        (root / "etc/systemd/system" / unit).symlink_to("/dev/null")
    generators = root / "etc/systemd/system-generators"
    generators.mkdir()
    for generator in MASKED_GENERATORS:
        (generators / generator).symlink_to("/dev/null")
    if system.first:
        _put_first(root, system)
    (root / "etc/machine-id").write_text("")
    shutil.rmtree(root / "var/cache/apt", ignore_errors=True)
    root.chmod(0o755)
    return root.rename(path(suite))


def _put_first(root: Path, suite: Suite) -> None:
    """Lets logins, sudo and services find the suite's own tools before Debian's."""
    tools = root / suite.first[-1].lstrip("/")
    tools.mkdir(parents=True)
    for tool in suite.busybox:
        (tools / tool).symlink_to("/usr/bin/busybox")
    everywhere = ":".join((*suite.first, "/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"))
    (root / "etc/environment").write_text(f"PATH={everywhere}\n")
    (root / "etc/sudoers.d/path").write_text(f'Defaults secure_path="{everywhere}"\n')
    services = root / "etc/systemd/system.conf.d/path.conf"
    services.parent.mkdir(exist_ok=True)
    services.write_text(f"[Manager]\nDefaultEnvironment=PATH={everywhere}\n")
