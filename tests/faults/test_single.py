"""Faults that have no step to strike at: the agent, the machine around it, the files there were, the people at it."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from jada.inventory.lab import machine
from jada.inventory.lab.machine import OLD_MODEL
from jada.inventory.lab.shell import run
from jada.tasks.operator_lock import LockRequest, OperatorLock
from jada.tasks.transaction import lock_script
from tests import warm
from tests.conftest import JADA, LAB
from tests.faults.conftest import NEW, PAUSE, Rig, Seen, finish

if TYPE_CHECKING:
    from tests.conftest import Lab

pytestmark = pytest.mark.lab
OLD = Seen("old", OLD_MODEL, "active", unfinished=False, leftovers=())
DONE = Seen("new", NEW, "active", unfinished=False, leftovers=())


def outcome(report: dict[str, Any]) -> tuple[str, str]:
    (host,) = report["hosts"]
    return host["outcome"], host["detail"]


def test_a_restart_that_hangs_is_given_up_and_put_back(rig: Rig) -> None:
    drop_in = f"""[Service]
TimeoutStartSec=2
ExecStartPre=/bin/sh -c 'if grep -q {NEW} {rig.host.settings}; then sleep 60; fi'
"""
    rig.run("mkdir -p /etc/systemd/system/jada-agent.service.d")
    machine.inside(rig.host, "cat >/etc/systemd/system/jada-agent.service.d/10-slow.conf", stdin=drop_in)
    rig.run("systemctl daemon-reload")
    code, report, output = rig.upgrade()
    assert code == 4, output
    assert outcome(report)[1].startswith("systemctl restart jada-agent.service failed")
    assert rig.observe() == OLD


def test_a_host_whose_sudo_asks_for_a_password_is_told(rig: Rig) -> None:
    login = rig.host.login
    rig.run(f"echo '{login} ALL=(ALL) ALL' >/etc/sudoers.d/{login}")
    try:
        code, report, output = rig.upgrade()
    finally:
        rig.run(f"echo '{login} ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/{login}")
    assert code == 1, output
    # In the words of sudo, or of sudo-rs.
    words = "sudo(-rs)?: (a password|interactive authentication) is required; jada needs sudo without a password"
    assert re.search(words, outcome(report)[1]), output
    assert rig.observe() == OLD


@pytest.mark.parametrize("skew", ["-2d", "+2d"])
def test_an_operator_whose_clock_is_wrong(rig: Rig, skew: str) -> None:
    """Ids from a wrong clock sort wrongly; what is current, and the way back, hang on links and not on ids."""
    assert shutil.which("faketime"), "make tools installs faketime"
    command = [str(JADA), "upgrade", "--to", "haiku-4.5", "--yes", "--limit", rig.host.name]
    process = subprocess.run(
        ["faketime", "-f", skew, *command],
        env={**rig.env, "DONT_FAKE_MONOTONIC": "1"}, capture_output=True, text=True, check=False)  # fmt: skip
    assert process.returncode == 0, process.stdout + process.stderr
    assert rig.upgrade()[0] == 0
    code, report, output = rig.jada("rollback", "--yes")
    assert code == 0, output
    assert report["hosts"][0]["model_after"] == "claude-haiku-4.5"
    code, report, output = rig.jada("rollback", "--redo", "--yes")
    assert code == 0, output
    assert rig.observe() == DONE
    assert rig.jada("drift")[0] == 0


def test_a_host_whose_clock_jumps_back_is_not_drift(rig: Rig) -> None:
    rig.upgrade()
    rig.run(f"touch -d '+2 hours' {rig.host.settings}")
    code, _report, output = rig.jada("drift")
    assert code == 0, output


# Things instead of an ordinary settings.json, as commands in the folder ~/.claude, and the outcome of the upgrade.
PLACES = {
    "symlink": ("mv settings.json ../real.json; ln -s ../real.json settings.json", "verified"),
    "symlink to nowhere": ("rm -f settings.json ../real.json; ln -s ../real.json settings.json", "rejected"),
    "missing": ("rm settings.json", "verified"),
    "missing folder": ("cd ..; rm -r .claude", "verified"),
    "empty": (": >settings.json", "rejected"),
    "empty object": ("printf '{}' >settings.json", "verified"),
    "5 MB": (
        "python3 -c 'import json; print(json.dumps("
        """{"model": "x", "env": {f"K{n}": "s" * 90 for n in range(50000)}}))' >settings.json""",
        "verified",
    ),
    # The lab's agent can't read it, and says so in its answer to the model check.
    "not UTF-8": ("""printf '{"note": "caf\\351", "model": "x"}' >settings.json""", "rolled_back"),
    "UTF-16": ("""printf '{"model": "x"}' | iconv -t UTF-16 >settings.json""", "rejected"),
    "of another user": ("chown root:root settings.json; chmod 644 settings.json", "verified"),
    "of root, in a folder of root": ("chown root:root . settings.json; chmod 644 settings.json", "verified"),
    "of a group that the user is not in": ("chgrp daemon settings.json", "verified"),
    "of another user, unreadable": ("chown root:root settings.json", "rejected"),
    "read-only": ("chmod 400 settings.json", "verified"),
}


@pytest.mark.parametrize(("command", "expected"), PLACES.values(), ids=PLACES)
def test_unusual_settings_are_changed_or_refused_and_come_back_byte_for_byte(
    rig: Rig, command: str, expected: str
) -> None:
    home = rig.host.home
    rig.run(f"cd {home}/.claude; {command}; systemctl restart jada-agent")
    picture = (
        f"cd {home}; find .claude real.json 2>/dev/null | sort | while read -r f; do stat -c '%N %U:%G %a %F' $f; "
        "[ ! -f $f ] || sha256sum <$f; done"
    )
    before = rig.run(picture)
    code, report, output = rig.upgrade()
    assert outcome(report)[0] == expected, output
    if expected == "verified":
        assert code == 0
        assert machine.healthz(rig.host)["model"] == NEW
        assert rig.run(picture) != before
        code, report, output = rig.jada("rollback", "--yes")
        assert outcome(report)[0] == "verified", output
    assert rig.run(picture) == before
    assert rig.run("systemctl is-active jada-agent") == "active\n"


def test_a_pulled_cable_is_noticed_and_the_end_is_found_out(rig: Rig) -> None:
    """Nothing closes the connection: it only goes silent."""
    rig.fault("settle", PAUSE)
    process = rig.start("upgrade", "--to", "sonnet-4.6", "--yes", "--json")
    rig.reached()
    run("ip", "link", "set", rig.host.link, "down")
    rig.go_on()
    rig.wait_until_free()
    time.sleep(25)
    assert process.poll() is None
    run("ip", "link", "set", rig.host.link, "up")
    code, report, output = finish(process)
    assert code == 0, output
    assert outcome(report)[0] == "verified"
    assert rig.observe() == DONE


def wait_for_word(process: subprocess.Popen[str], word: str) -> None:
    """Waits until jada has said that on stderr."""
    assert process.stderr
    assert any(word in line for line in process.stderr), f"it ended without a word of {word}"


def test_the_first_ctrl_c_lets_a_running_change_end(rig: Rig) -> None:
    rig.fault("settle", PAUSE)
    process = rig.start("upgrade", "--to", "sonnet-4.6", "--yes", "--json")
    rig.reached()
    process.send_signal(signal.SIGINT)
    wait_for_word(process, "Stopping")
    assert process.poll() is None
    rig.go_on()
    code, report, output = finish(process)
    assert (code, outcome(report)[0]) == (0, "verified"), output
    assert rig.observe() == DONE


def test_the_second_ctrl_c_leaves_at_once_and_the_host_ends_by_itself(rig: Rig) -> None:
    rig.fault("settle", PAUSE)
    process = rig.start("upgrade", "--to", "sonnet-4.6", "--yes")
    rig.reached()
    process.send_signal(signal.SIGINT)
    # Two at once would be one to a process that had no time for the first.
    wait_for_word(process, "Stopping")
    process.send_signal(signal.SIGINT)
    code, _report, output = finish(process)
    assert code == 130
    assert "Stopped." in output
    assert rig.record() == "in_progress"
    rig.go_on()
    rig.wait_until_free()
    assert rig.observe() == DONE
    assert rig.jada("history", "--rebuild")[0] == 0
    assert rig.record() == "done"


def test_past_the_deadline_no_host_is_begun(rig: Rig) -> None:
    late = LAB.folder / "late.yml"
    late.write_text((LAB.folder / "faults.yml").read_text() + "deadline: 1\n")
    rig.env["JADA_FLEET"] = str(late)
    # The look alone takes longer: it waits for a model check that does not answer.
    rig.run("systemctl kill -s STOP jada-agent")
    try:
        # Such a host is changed by force alone.
        code, report, output = rig.jada("upgrade", "--to", "sonnet-4.6", "--yes", "--force")
    finally:
        rig.run("systemctl kill -s CONT jada-agent")
    assert (code, outcome(report)[0]) == (1, "not_started"), output
    assert rig.observe() == OLD


def both(lab: Lab, rig: Rig, states: tuple[str, str]) -> list[tuple[int, str, str]]:
    """Two upgrades of the whole lab to different models, started in the same moment."""
    models = ("sonnet-4.6", "haiku-4.5")
    processes = [
        subprocess.Popen(
            [str(JADA), "upgrade", "--to", model, "--yes", "--json"],
            env={**rig.env, "XDG_STATE_HOME": str(rig.folder / state)},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for model, state in zip(models, states, strict=True)
    ]  # fmt: skip
    ends = [finish(process) for process in processes]
    return [(code, f"claude-{model}", output) for (code, _, output), model in zip(ends, models, strict=True)]


def models(lab: Lab) -> set[object]:
    """The models that the hosts of faults.yml say they run."""
    return {lab.model(host.name) for host in lab.hosts if host.cloud == "ec2"}


def test_two_upgrades_in_the_same_second_one_wins(lab: Lab, rig: Rig) -> None:
    ends = both(lab, rig, ("state", "state"))
    assert sorted(code for code, _, _ in ends) == [0, 5], ends
    winner = next(model for code, model, _ in ends if code == 0)
    assert models(lab) == {winner}
    assert "is locked by" in next(output for code, _, output in ends if code == 5)
    assert rig.jada("drift")[0] == 0


def test_two_operators_on_two_machines_never_mix_a_host(lab: Lab, rig: Rig) -> None:
    """Between machines only each host's own lock holds: who comes second to a host is told so, and changes nothing."""
    ends = both(lab, rig, ("here", "there"))
    assert {code for code, _, _ in ends} <= {0, 1, 5}
    assert any(code for code, _, _ in ends)
    assert "locked" in ends[0][2] + ends[1][2] or "another release was made" in ends[0][2] + ends[1][2]
    assert models(lab) <= {NEW, "claude-haiku-4.5"}
    assert rig.jada("drift")[0] == 0


def test_old_releases_are_pruned_but_never_the_current_or_the_one_before(rig: Rig) -> None:
    few = LAB.folder / "few.yml"
    few.write_text((LAB.folder / "faults.yml").read_text() + "keep: 2\n")
    rig.env["JADA_FLEET"] = str(few)
    for _ in range(2):
        for model in ("sonnet-4.6", "haiku-4.5"):
            assert rig.jada("upgrade", "--to", model, "--yes")[0] == 0
    releases = rig.run("ls /var/lib/jada/releases").split()
    links = {rig.run(f"cat /var/lib/jada/{link}").strip() for link in ("current", "previous")}
    assert set(releases) == links
    code, report, output = rig.jada("rollback", "--yes")
    assert code == 0, output
    assert report["hosts"][0]["model_after"] == NEW


def test_a_lost_record_is_read_back_from_the_hosts(rig: Rig) -> None:
    rig.jada("upgrade", "--to", "sonnet-4.6", "--reason", "incident 4711", "--yes")
    rig.run("systemctl stop jada-agent")
    rig.jada("heal", "--yes")
    rig.jada("rollback", "--yes")
    before = history(rig)
    assert [entry[1] for entry in before] == ["rollback", "heal", "upgrade"]
    shutil.rmtree(rig.folder / "state")
    assert history(rig) == []
    code, _report, output = rig.jada("history", "--rebuild")
    assert code == 0, output
    assert history(rig) == before
    assert [entry[4] for entry in before] == [None, None, "incident 4711"]


def history(rig: Rig) -> list[tuple[str | None, ...]]:
    process = warm.run(("history", "--json"), rig.env)
    process.check_returncode()
    keys = ("release", "kind", "made_at", "who", "reason", "model")
    return [tuple(entry[key] for key in keys) for entry in json.loads(process.stdout)["releases"]]


def test_peoples_lock_stops_upgrades_and_a_rollback_only_without_force(rig: Rig) -> None:
    rig.upgrade()
    assert finish(rig.start("lock", "--reason", "incident 4711"))[0] == 0
    for argv in (("upgrade", "--to", "haiku-4.5", "--yes"), ("rollback", "--yes")):
        code, _report, output = rig.jada(*argv)
        assert code == 5, output
        assert "incident 4711" in output
    assert "incident 4711" in finish(rig.start("upgrade", "--to", "haiku-4.5", "--dry-run"))[2]
    assert rig.observe() == DONE
    code, _report, output = rig.jada("rollback", "--force", "--yes")
    assert code == 0, output
    assert rig.observe() == OLD
    assert "incident 4711" in finish(rig.start("unlock"))[2]
    assert rig.upgrade()[0] == 0


def test_of_two_who_lock_at_once_one_is_told_of_the_other(rig: Rig) -> None:
    locks = [OperatorLock(who, "2026-11-25T10:00:00+00:00", "", "incident 4711") for who in ("ann@ops", "bob@ops")]
    first, second = (shlex.quote(lock_script(LockRequest(lock))) for lock in locks)
    at_once = f"sh -c {first} >/run/first & sh -c {second} >/run/second; wait; tail -qn1 /run/first /run/second"
    output = rig.run(f"for n in $(seq 30); do rm -f /var/lib/jada/held; {at_once}; done; rm -f /var/lib/jada/held")
    assert sorted(output.split()) == ["jada-held"] * 30 + ["jada-refused"] * 30


def test_a_record_that_cannot_be_written_stops_a_change_before_it_begins(rig: Rig) -> None:
    (rig.folder / "state").write_text("no folder")
    code, _report, output = rig.upgrade()
    assert code == 1
    assert "XDG_STATE_HOME" in output
    assert rig.observe() == OLD


@pytest.fixture
def many_addresses(rig: Rig) -> Iterator[list[str]]:
    """Sixty addresses of one host, so that sixty connections meet one sshd with its default MaxStartups 10:30:100."""
    addresses = machine.add_addresses(rig.host, 60)
    yield addresses
    for address in addresses:
        run("ip", "-n", rig.host.namespace, "addr", "del", f"{address}/16", "dev", "eth0")


def test_sixty_at_once_get_through_a_default_sshd(rig: Rig, many_addresses: list[str]) -> None:
    assert "maxstartups 10:30:100" in rig.run("sshd -T 2>/dev/null")
    rig.upgrade()
    key = rig.host.host_keys()[-1]
    (rig.folder / "known").write_text("".join(f"{address} {key}\n" for address in many_addresses))
    hosts = "".join(f"        e{n}: {{address: {address}}}\n" for n, address in enumerate(many_addresses))
    (rig.folder / "many.yml").write_text(
        f"fleet: many\nsources:\n  - static:\n      hosts:\n{hosts}roles: {{specialist: {{}}}}\n"
        f"ssh: {{user: admin, key: {LAB.key}, known_hosts: known}}\n"
        "model_check: {url: 'http://127.0.0.1:8787/healthz'}\n"
    )
    env = {**os.environ, "JADA_FLEET": str(rig.folder / "many.yml")}
    process = warm.run(("drift", "--json"), env)
    assert process.returncode == 0, process.stdout + process.stderr
    assert len(json.loads(process.stdout)["hosts"]) == 60
    dropped = rig.run(
        "journalctl -u ssh --since -2min --no-pager | grep -ci 'drop connection\\|beginning MaxStartups'", False
    )
    assert int(dropped) > 0, "sshd dropped nothing: this test proves nothing"
