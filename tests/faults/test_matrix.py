"""Each fault at every step of the transaction: the host ends on the old release or the new one, whole, and it is told.

JADA_ALL_FAULTS asks for all cells; otherwise each fault strikes at the steps of FEW only.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jada.inventory.lab import fleet, machine
from jada.inventory.lab.machine import OLD_MODEL
from tests.faults.conftest import CELL, ENDED, KILL_ALL, NEW, PAUSE, STRUCK, Rig, Seen, finish, rigged

if TYPE_CHECKING:
    from tests.conftest import Lab

pytestmark = pytest.mark.lab
STEPS = ("check", "snapshot", "settings", "dropin", "limits", "reload", "restart", "settle", "verify", "commit", "tidy")
# Before each of these the first transaction of a host flushes something to the disk, as root.
FLUSHES = tuple(f"flush{number}" for number in range(1, 14))
# As on a host that jada never changed: later ones find the unit that undoes a change at the next boot in its place.
FIRST = "rm -f /etc/systemd/system/jada-recover.service /etc/systemd/system/*.wants/jada-recover.service"
FEW = ("snapshot", "dropin", "settle", "flush7")

# Everything jada writes to, on one small file system of its own, which can then be filled or made read-only.
SMALL = """
set -e
mkdir -p /srv/small /var/lib/jada
mount -t tmpfs -o size=2m tmpfs /srv/small
echo /srv/small >/etc/fault-mounts
for at in /var/lib/jada {home}/.claude /etc/systemd/system /etc/security/limits.d; do
    mkdir -p /srv/small$at
    cp -aT $at /srv/small$at
    mount --bind /srv/small$at $at
    echo $at >>/etc/fault-mounts
done
"""
FILL = "dd if=/dev/zero of=/srv/small/fill bs=4k 2>/dev/null; true"
# A file system goes read-only under a program that has files open; a plain remount would be refused.
READ_ONLY = """
for at in /var/lib/jada {home}/.claude /etc/systemd/system /etc/security/limits.d; do
    mount --bind $at $at && mount -o remount,bind,ro $at && echo $at >>/etc/fault-mounts
done 2>/dev/null
# The list of mounts itself may lie on none of them.
true
"""
# Over the real one, for a shell remembers where it found a command.
NO_SYSTEMCTL = "mount --bind /bin/false /usr/bin/systemctl && echo /usr/bin/systemctl >>/etc/fault-mounts"


@dataclass(frozen=True)
class Expected:
    """`files` is old or new ("" where the fault itself keeps them from being put back), `outcome` what jada reports.

    Both are "" where either will do, if only they agree.
    """

    files: str
    outcome: str


OLD_ROLLED_BACK = Expected("old", "rolled_back")
OLD_REJECTED = Expected("old", "rejected")
NEW_VERIFIED = Expected("new", "verified")
TOLD = Expected("", "rollback_failed")


def stopped(step: str) -> Expected:
    return {"check": OLD_ROLLED_BACK, "snapshot": OLD_REJECTED, "tidy": NEW_VERIFIED}.get(step, OLD_ROLLED_BACK)


def killed(step: str) -> Expected:
    return NEW_VERIFIED if step == "tidy" else OLD_ROLLED_BACK


def either(_: str) -> Expected:
    return Expected("", "")


def out_of_space(step: str) -> Expected:
    return {"check": OLD_REJECTED, "snapshot": OLD_REJECTED, "tidy": NEW_VERIFIED}.get(step, OLD_ROLLED_BACK)


def read_only(step: str) -> Expected:
    early = {"check": OLD_REJECTED, "snapshot": OLD_REJECTED, "settings": OLD_ROLLED_BACK}
    return early.get(step, Expected("new", "unproven") if step == "tidy" else TOLD)


def without_systemctl(step: str) -> Expected:
    if step == "check":
        return OLD_REJECTED
    if step in ("commit", "tidy"):
        return Expected("new", "unproven")
    # All is back where it is not needed for that, but nobody can see it.
    return (
        Expected("old", "rollback_failed") if step in ("snapshot", "settings", "dropin", "limits", "reload") else TOLD
    )


def edited(step: str) -> Expected:
    if step == "check":
        return OLD_REJECTED
    return OLD_ROLLED_BACK if step in ("snapshot", "settings") else NEW_VERIFIED


def goes_on(_: str) -> Expected:
    return NEW_VERIFIED


def kill_jada(_: Rig, process: subprocess.Popen[str]) -> None:
    os.killpg(process.pid, signal.SIGKILL)


def cut_link(rig: Rig, _: subprocess.Popen[str]) -> None:
    rig.run(f"pkill -KILL -f '[s]shd(-session)?: {rig.host.login}'")


def pull_the_plug(rig: Rig, _: subprocess.Popen[str]) -> None:
    machine.pull_the_plug(rig.host)
    fleet.power_on(rig.host)


def second_operator(rig: Rig, _: subprocess.Popen[str]) -> None:
    code, _report, output = rig.jada("upgrade", "--to", "haiku-4.5", "--yes", state="other")
    assert code == 5, output
    assert "@" in output
    assert " for release " in output


@dataclass(frozen=True)
class Fault:
    """A fault: a `hook` on the host, or an `act` from outside while the transaction waits there."""

    expected: Callable[[str], Expected]
    hook: str = PAUSE
    act: Callable[[Rig, subprocess.Popen[str]], None] | None = None
    prepare: str = ""
    steps: tuple[str, ...] = STEPS


FAULTS: Mapping[str, Fault] = {
    "jada killed": Fault(goes_on, act=kill_jada),
    "link cut": Fault(goes_on, act=cut_link),
    "second operator": Fault(goes_on, act=second_operator),
    "stopped by a signal": Fault(stopped, "kill -TERM $1 $PPID"),
    "child killed": Fault(killed, "kill -KILL $PPID"),
    "all killed": Fault(killed, KILL_ALL),
    "all killed at a flush": Fault(either, KILL_ALL, steps=FLUSHES),
    "power failure": Fault(killed, act=pull_the_plug),
    "disk full": Fault(out_of_space, FILL, prepare=SMALL),
    "read-only disk": Fault(read_only, READ_ONLY, prepare=SMALL),
    "no systemctl": Fault(without_systemctl, NO_SYSTEMCTL),
    "edited meanwhile": Fault(edited),
}
CELLS = [(name, step) for name, fault in FAULTS.items() for step in fault.steps]
if not os.environ.get("JADA_ALL_FAULTS"):
    CELLS = [(name, step) for name, step in CELLS if step in FEW]


@dataclass(frozen=True)
class Outcome:
    """The outcome of one cell. `reported` is jada's own ("killed": it can't tell), `after` the next one's exit code."""

    seen: Seen
    reported: str
    record: str
    edit_is_kept: bool
    after: int
    finally_seen: Seen
    output: str


def strike(rig: Rig, name: str, step: str) -> Outcome:
    """Upgrades the host while the fault strikes at the step, sees what became of it, mends it and upgrades again."""
    fault, host = FAULTS[name], rig.host
    rig.run(FIRST)
    rig.run(fault.prepare.format(home=host.home))
    is_edit = name == "edited meanwhile"
    rig.fault(step, rig.edit() if is_edit else fault.hook.format(home=host.home))
    # Some of the faults' small disks have less room than a preflight wants.
    process = rig.start("upgrade", "--to", "sonnet-4.6", "--yes", "--json", "--force")
    if fault.act:
        rig.reached()
        fault.act(rig, process)
        if host.leader is not None:
            rig.go_on()
    _code, report, output = finish(process)
    reported = report["hosts"][0]["outcome"] if report else "killed"
    rig.wait_until_free()
    assert fault.act or rig.run(f"ls {STRUCK}", check=False), f"{name} did not strike at {step}"
    rig.run("umount -l /usr/bin/systemctl", check=False)
    seen = rig.observe(edited=is_edit)
    is_kept = not is_edit or seen.files != "mixed"
    record = rig.record()
    rig.mend()
    after, _, again = rig.upgrade()
    if record == "in_progress":
        assert rig.jada("history", "--rebuild")[0] == 0
        assert "in_progress" not in rig.outcomes()
    return Outcome(seen, reported, record, is_kept, after, rig.observe(edited=is_edit), output + again)


@pytest.mark.parametrize("cell", CELLS, ids=" at ".join)
def test_the_host_is_whole(
    whole_lab: Lab, fault_fleet: None, tmp_path: Path, request: pytest.FixtureRequest, cell: tuple[str, str]
) -> None:
    name, step = cell
    number = CELLS.index(cell)
    request.node.user_properties.append((CELL, (number, name, step)))
    # On each of the lab's hosts in turn, for they are of several kinds.
    with rigged(whole_lab.hosts[number % len(whole_lab.hosts)], tmp_path) as rig:
        outcome = strike(rig, name, step)
    expected = FAULTS[name].expected(step)
    if not expected.outcome:
        expected = NEW_VERIFIED if outcome.seen.files == "new" else OLD_ROLLED_BACK
    if name == "jada killed":
        assert (outcome.reported, outcome.record) == ("killed", "in_progress"), outcome.output
    else:
        assert outcome.reported == outcome.record == expected.outcome, outcome.output
    if expected.files:
        assert outcome.seen.files == expected.files, outcome
        assert outcome.seen.model == (NEW if expected.files == "new" else OLD_MODEL), outcome
    assert outcome.seen.active == "active", outcome
    assert outcome.edit_is_kept, outcome
    if expected.outcome in ("verified", "rolled_back") and name != "read-only disk":
        assert not outcome.seen.unfinished, outcome
        assert outcome.seen.leftovers == (), outcome
    # The next upgrade needs nobody's help.
    assert outcome.after == 0, outcome.output
    assert (outcome.finally_seen.files, outcome.finally_seen.model) == ("new", NEW), outcome
    assert (outcome.finally_seen.unfinished, outcome.finally_seen.leftovers) == (False, ()), outcome
    request.node.user_properties.append((ENDED, expected.files or "told"))
