"""Faults for a transaction: where they strike, and what became of the host."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from jada.inventory.lab import fleet, machine
from jada.inventory.lab.machine import OLD_MODEL, Machine
from tests import warm
from tests.conftest import JADA, LAB, eventually, reset, short_fleet
from tests.forms import checked

NEW = "claude-sonnet-4.6"
DROPIN = "/etc/systemd/system/jada-agent.service.d/50-jada.conf"
LIMITS = "/etc/security/limits.d/50-jada.conf"
# In place of sh on a host, where sudo looks first: the real script, with a place to strike at in each step and before
# each flush to the disk (counted in a file, for some happen in a child of the shell). A fault is a script in
# /run/fault; $1 is the transaction's outer shell, $PPID the inner one.
SH = r"""#!/bin/bash
strike='strike() { [ ! -x "/run/fault/$1" ] || "/run/fault/$1" $$ 9>\&-; }; '
if [ "$1" = -c ] && [ "$2" = 'eval "$(cat)"' ]; then
    script=$(cat)
    # A look, or what runs a transaction and then a look.
    # Not as an argument, of which the kernel takes 128 KiB.
    [[ "$script" != $'{\nprintf '* && "$script" == *$'\nRELEASE='* ]] ||
        exec /bin/sh -c 'eval "$(cat)"' jada < <(printf '%s\n' "$script")
    script=$(printf '%s' "$script" | sed -e "s#^step() {.*#${strike}step() { say \"step \$1\"; strike \"\$1\"; }#" \
        -e 's#^flush() {#flush() { echo >>/run/fault/flushes; strike "flush$(wc -l </run/fault/flushes)"; #')
    exec /bin/sh -c "$script"
fi
exec /bin/sh "$@"
"""
# All shells of a transaction, which may begin with whether this is the right machine.
KILL_ALL = "pkill -KILL -f '^/bin/sh -c .[[:space:]](# .*[[:space:]])?RELEASE='"
STRUCK = "/run/fault-struck"
PAUSE = "touch /run/fault/reached; while [ -e /run/fault/reached ]; do sleep 0.05; done"
# The host's files, one line each: settings (with owner and mode), drop-in, limits; then all that is left over.
OBSERVE = """
for file in {settings} {dropin} {limits}; do
    [ -e "$file" ] && {{ sha256sum <"$file" | cut -c1-64; stat -c '%U %a' "$file"; }} || printf 'absent\\n-\\n'
done
systemctl is-active jada-agent
[ -e /var/lib/jada/transaction ] && echo unfinished || echo finished
find {home}/.claude /etc/systemd/system /etc/security/limits.d -name '*.jada-*'
"""

# Properties of a test's report on its cell of the matrix: its number, fault and step; and the end of the host.
CELL, ENDED = "cell", "ended"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints the matrix: the host was on the "old" or the "new" release, or jada "told" that it needs help."""
    reports = (report for reports in terminalreporter.stats.values() for report in reports)
    properties: Iterator[dict[str, Any]] = (
        dict(report.user_properties) for report in reports if isinstance(report, pytest.TestReport)
    )
    cells = sorted((*entry[CELL], entry.get(ENDED, "FAILED")) for entry in properties if CELL in entry)
    if not cells:
        return
    terminalreporter.section("faults and what became of the host")
    for fault in dict.fromkeys(fault for _, fault, _, _ in cells):
        row = ", ".join(f"{step} {ended}" for _, name, step, ended in cells if name == fault)
        terminalreporter.write_line(f"{fault}: {row}")
    terminalreporter.write_line(f"{sum(ended != 'FAILED' for *_, ended in cells)} of {len(cells)} cells whole")


@dataclass(frozen=True)
class Seen:
    """The state afterwards of the files ("old", "new" or "mixed"), the agent, and the transaction."""

    files: str
    model: object
    active: str
    unfinished: bool
    leftovers: tuple[str, ...]


class Rig:
    """One host to break, with a state folder of its own for jada."""

    def __init__(self, host: Machine, folder: Path) -> None:
        self.host = host
        self.folder = folder
        # One that Lightsail's API lets in can't be a static one.
        fleet_file = LAB.folder / ("faults-lightsail.yml" if host.cloud == "lightsail" else "faults.yml")
        self.env = {**os.environ, "JADA_FLEET": str(fleet_file), "XDG_STATE_HOME": str(folder / "state")}

    def run(self, command: str, check: bool = True) -> str:
        return machine.inside(self.host, command, check=check).stdout

    def fault(self, place: str, script: str) -> None:
        """From now on, `script` runs on the host whenever a transaction comes to `place`."""
        machine.inside(self.host, "cat >/usr/local/sbin/sh && chmod 755 /usr/local/sbin/sh", stdin=SH)
        text = f"#!/bin/sh\ntouch {STRUCK}\n{script}\n"
        command = f"mkdir -p /run/fault && cat >/run/fault/{place} && chmod 755 /run/fault/{place}"
        machine.inside(self.host, command, stdin=text)

    def mend(self) -> None:
        """Takes the fault away."""
        self.run(f"rm -rf /run/fault {STRUCK} /usr/local/sbin/sh")
        self.run(
            "cd /; for at in $(tac /etc/fault-mounts 2>/dev/null); do umount -l $at; done; rm -f /etc/fault-mounts"
        )

    def start(self, *argv: str, state: str = "state") -> subprocess.Popen[str]:
        env = {**self.env, "XDG_STATE_HOME": str(self.folder / state)}
        return subprocess.Popen(
            [JADA, *argv, "--limit", self.host.name],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=env,
            start_new_session=True,
        )

    def jada(self, *argv: str, state: str = "state") -> tuple[int, dict[str, Any], str]:
        """Runs jada with --json on this host; gives the exit code, what it reported, and all it printed."""
        env = {**self.env, "XDG_STATE_HOME": str(self.folder / state)}
        return judged(warm.run((*argv, "--json", "--limit", self.host.name), env))

    def upgrade(self) -> tuple[int, dict[str, Any], str]:
        return self.jada("upgrade", "--to", "sonnet-4.6", "--yes")

    def reached(self) -> None:
        """Waits until a transaction has come to a PAUSE."""
        eventually(lambda: bool(self.run("ls /run/fault/reached 2>/dev/null", check=False)), "the step was not reached")

    def go_on(self) -> None:
        self.run("rm -f /run/fault/reached")

    def wait_until_free(self) -> None:
        """Waits until no transaction runs."""
        free = "! [ -e /var/lib/jada/lock ] || flock -n /var/lib/jada/lock true"
        eventually(lambda: machine.inside(self.host, free, check=False).returncode == 0, "the lock is still held")

    def edit(self) -> str:
        """Somebody else's edit, as a command: one line more at the end."""
        return f"printf '\\n' >>{self.host.settings}"

    def observe(self, edited: bool = False) -> Seen:
        lines = self.run(
            OBSERVE.format(settings=self.host.settings, dropin=DROPIN, limits=LIMITS, home=self.host.home), check=False
        ).splitlines()
        sha, meta, dropin, dropin_meta, limits, limits_meta, active, unfinished, *leftovers = lines
        end = "\n" if edited else ""
        old, new = (sha_of(text + end) for text in texts(self.host))
        meta_is_right = meta == f"{self.host.user or 'root'} 600"
        if sha == old and meta_is_right and dropin == limits == "absent":
            files = "old"
        elif sha == new and meta_is_right and dropin_meta == limits_meta == "root 644":
            files = "new"
        else:
            files = "mixed"
        model = machine.healthz(self.host).get("model")
        return Seen(files, model, active, unfinished == "unfinished", tuple(leftovers))

    def record(self) -> str:
        """The outcome of the newest release for the host, by this machine's own record."""
        process = warm.run(("history", "--last", "1", "--json"), self.env)
        process.check_returncode()
        return str(next(iter(checked(process.stdout)["releases"][0]["outcomes"])))

    def outcomes(self) -> set[str]:
        """The outcomes of all releases for the host, by this machine's own record."""
        process = warm.run(("history", "--json"), self.env)
        process.check_returncode()
        return {outcome for release in checked(process.stdout)["releases"] for outcome in release["outcomes"]}


def texts(host: Machine) -> tuple[str, str]:
    """The host's settings.json before and after the upgrade."""
    return host.first_settings, host.first_settings.replace(OLD_MODEL, NEW)


def sha_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def finish(process: subprocess.Popen[str]) -> tuple[int, dict[str, Any], str]:
    out, err = process.communicate(timeout=300)
    return judged(subprocess.CompletedProcess(process.args, process.returncode, out, err))


def judged(ended: subprocess.CompletedProcess[str]) -> tuple[int, dict[str, Any], str]:
    """The exit code of a jada that has ended, what it reported, and all it printed."""
    out, err = ended.stdout, ended.stderr
    assert "lab-secret" not in out + err
    assert "Traceback" not in out + err, err
    report = checked(out) if out.startswith("{") else {}
    # One that was killed told no more than what it had come to.
    report = {} if report.get("schema") == "jada.events/1" else report
    return ended.returncode, report, out + err


@contextmanager
def rigged(host: Machine, folder: Path) -> Iterator[Rig]:
    """The host in its first condition; afterwards it is on, and without a fault."""
    reset(host)
    rig = Rig(host, folder)
    try:
        yield rig
    finally:
        if host.leader is None:
            fleet.power_on(host)
        rig.mend()


@pytest.fixture(scope="session")
def fault_fleet(whole_lab: object) -> None:
    (LAB.folder / "faults.yml").write_text(short_fleet())
    (LAB.folder / "faults-lightsail.yml").write_text(short_fleet(is_static=False))


@pytest.fixture
def rig(whole_lab: Any, fault_fleet: None, tmp_path: Path) -> Iterator[Rig]:
    """The last host of the lab, whose agent has a user of its own."""
    with rigged(whole_lab.hosts[-1], tmp_path) as rigged_host:
        yield rigged_host
