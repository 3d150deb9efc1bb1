"""Discover, upgrade, verify, roll back, check drift: the jada command against real systemd hosts."""

from __future__ import annotations

import base64
import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jada.inventory.lab import machine
from jada.inventory.lab.machine import OLD_MODEL
from tests.conftest import LAB, about_ssh

if TYPE_CHECKING:
    from tests.conftest import Lab

pytestmark = pytest.mark.lab
NEW = "claude-sonnet-4.6"
HOST = "specialist-1"


def test_hosts_are_found_in_ec2_and_lightsail(lab: Lab) -> None:
    report: Any = lab.json("hosts")
    assert {(host["host"], host["address"]) for host in report["hosts"]} == {
        (host.name, host.address) for host in lab.hosts
    }
    assert {(host["provider"], host["region"]) for host in report["hosts"]} == {
        ("ec2", "us-east-1"),
        ("ec2", "eu-west-1"),
        ("lightsail", "us-east-1"),
    }
    assert {host["user"] for host in report["hosts"]} == {"admin", "bitnami"}


def test_upgrade_drift_rollback(lab: Lab) -> None:
    before = {host.name: lab.settings_sha(host.name) for host in lab.hosts}
    texts = {host.name: base64.b64decode(lab.settings(host.name)) for host in lab.hosts}

    output = lab.jada("upgrade", "--to", "sonnet-4.6", "--yes", "-v")
    assert lab.models() == {NEW}
    assert f"{len(lab.hosts)} verified" in output
    # The evidence from each host: what an operator would type, and what it says.
    assert output.count("Active: active (running)") == len(lab.hosts)
    assert output.count(f'"model": "{NEW}"') >= len(lab.hosts)
    for host in lab.hosts:
        # Every byte but the model's is what it was.
        assert base64.b64decode(lab.settings(host.name)) == texts[host.name].replace(OLD_MODEL.encode(), NEW.encode())
    lab.jada("drift")

    lab.run(HOST, f"sed -i s/{NEW}/claude-opus-5/ {lab[HOST].settings}")
    output = lab.jada("drift", exit_code=3)
    assert f"{HOST} J102 model-on-disk: expected {NEW}, saw claude-opus-5 in {lab[HOST].settings}" in output

    lab.jada("rollback", "--yes")
    assert {host.name: lab.settings_sha(host.name) for host in lab.hosts} == before
    assert lab.models() == {OLD_MODEL}
    for host in lab.hosts:
        assert lab.run(host.name, "ls /etc/systemd/system /etc/security/limits.d").find("50-jada") == -1
    # All is as it was, and not as fleet.yml asks.
    assert f"J422 model-not-of-fleet: expected {NEW}" in lab.jada("drift", exit_code=3)


def test_rolling_back_twice_changes_nothing_more_and_redo_goes_forward(lab: Lab) -> None:
    lab.jada("upgrade", "--to", "sonnet-4.6", "--yes")
    lab.jada("upgrade", "--to", "haiku-4.5", "--yes")
    released = {host.name: lab.settings_sha(host.name) for host in lab.hosts}
    assert "3 hosts: 3 verified; 3 on sonnet-4.6." in lab.jada("rollback", "--yes")
    assert lab.models() == {NEW}
    output = lab.jada("rollback", "--yes")
    assert "Nothing to undo: the last change" in output
    assert lab.models() == {NEW}
    output = lab.jada("rollback", "--redo", "--yes")
    assert "forward again to release" in output
    assert lab.models() == {"claude-haiku-4.5"}
    assert {host.name: lab.settings_sha(host.name) for host in lab.hosts} == released
    assert lab.jada("drift", exit_code=3).count("J422") == len(lab.hosts)


def test_nothing_to_do_restarts_nothing(lab: Lab) -> None:
    lab.jada("upgrade", "--to", "sonnet-4.6", "--yes")
    pids = {host.name: machine.healthz(host)["pid"] for host in lab.hosts}
    assert "Nothing to do" in lab.jada("upgrade", "--to", "sonnet-4.6", "--yes")
    assert {host.name: machine.healthz(host)["pid"] for host in lab.hosts} == pids
    lab.jada("upgrade", "--to", "sonnet-4.6", "--limit", HOST, "--restart", "--yes")
    assert machine.healthz(lab[HOST])["pid"] != pids[HOST]


def test_dry_run_changes_nothing(lab: Lab) -> None:
    before = {host.name: lab.settings_sha(host.name) for host in lab.hosts}
    output = lab.jada("upgrade", "--to", "sonnet-4.6", "--dry-run")
    assert f'"{NEW}"' in output
    assert {host.name: lab.settings_sha(host.name) for host in lab.hosts} == before
    assert lab.models() == {OLD_MODEL}
    assert "No such file" in machine.inside(lab[HOST], "ls /var/lib/jada", check=False).stderr


def test_without_a_terminal_it_asks_for_yes(lab: Lab) -> None:
    assert "--yes" in lab.jada("upgrade", "--to", "sonnet-4.6", exit_code=2)
    assert lab.models() == {OLD_MODEL}


@pytest.mark.parametrize(("answer", "expected"), [("y\n", NEW), ("n\n", OLD_MODEL)])
def test_on_a_terminal_it_asks(lab: Lab, monkeypatch: pytest.MonkeyPatch, answer: str, expected: str) -> None:
    def read(fd: int) -> bytes:
        data = os.read(fd, 4096)
        chunks.append(data)
        if b"[y/N]" in data:
            os.write(fd, answer.encode())
        return data

    chunks: list[bytes] = []
    monkeypatch.setenv("JADA_FLEET", str(LAB.fleet_file))
    jada = str(Path(sys.executable).with_name("jada"))
    pty.spawn([jada, "upgrade", "--to", "sonnet-4.6", "--limit", HOST], read)
    assert b"lab-secret" not in b"".join(chunks)
    assert lab.model(HOST) == expected


def test_only_the_chosen_hosts_change(lab: Lab) -> None:
    lab.jada("upgrade", "--to", "sonnet-4.6", "--role", "orchestrator", "--yes")
    assert {host.name for host in lab.hosts if lab.model(host.name) == NEW} == {"orchestrator-1"}


@pytest.mark.parametrize(
    "orders", [{"crash_after": 2}, {"crash_on_start": True}, {"refuse": True}], ids=lambda orders: next(iter(orders))
)
def test_an_agent_that_fails_on_the_new_model_is_put_back(lab: Lab, orders: dict[str, object]) -> None:
    before = lab.settings_sha(HOST)
    lab.misbehave(HOST, **orders, models=[NEW])
    output = lab.jada("upgrade", "--to", "sonnet-4.6", "--yes", exit_code=4)
    assert f"{HOST} failed, rolled back and runs {OLD_MODEL} again" in output
    assert "2 verified, 1 failed and rolled back; 2 on sonnet-4.6, 1 on opus-4.8." in output
    # Why: the end of that start's journal, and where all of it is.
    assert f'{{"event": "start", "model": "{NEW}"' in output
    assert "/log" in output
    assert lab.model(HOST) == OLD_MODEL
    assert lab.settings_sha(HOST) == before
    assert {lab.model(host.name) for host in lab.hosts if host.name != HOST} == {NEW}
    assert "active" in lab.run(HOST, "systemctl is-active jada-agent")


def test_a_host_that_was_put_back_is_judged_like_any_other(lab: Lab) -> None:
    lab.misbehave(HOST, crash_after=2)
    output = lab.jada("upgrade", "--to", "sonnet-4.6", "--limit", HOST, "--yes", exit_code=1)
    assert "rolled back, but jada-agent.service does NOT run on the old files either" in output


@about_ssh("jada ssh")
def test_logs_and_ssh_reach_a_host_as_jada_does(lab: Lab) -> None:
    for host in lab.hosts[0], lab[HOST]:
        assert lab.jada("ssh", host.name, "hostname").strip() == host.name
        lab.jada("ssh", host.name, "exit 7", exit_code=7)
        assert f'"model": "{OLD_MODEL}"' in lab.jada("logs", host.name)
    of_both = lab.jada("logs", "*-1")
    assert {line.split()[0] for line in of_both.splitlines()} == {"orchestrator-1", "specialist-1"}
    assert "name one of: orchestrator-1, specialist-1" in lab.jada("ssh", "*-1", exit_code=2)


def test_an_agent_that_is_slow_on_the_old_model_is_waited_for(lab: Lab) -> None:
    """Longer than it takes to settle: an incident is no time for "not seen to run" when it only wanted a moment."""
    lab.misbehave(HOST, slow=8, models=[OLD_MODEL])
    lab.jada("upgrade", "--to", "sonnet-4.6", "--limit", HOST, "--yes")
    assert f"{HOST} verified" in lab.jada("rollback", "--limit", HOST, "--yes")
    assert lab.model(HOST) == OLD_MODEL


@about_ssh("the login of an ssh user, who needs sudo")
def test_what_sudo_writes_to_the_journal_is_a_line(lab: Lab) -> None:
    """It writes the command line of every look, and used to write 30 KB of script each time."""
    count = "journalctl --sync; journalctl -t sudo -o cat --no-pager | wc -c"
    before = int(lab.run(HOST, count))
    lab.jada("status", "--limit", HOST)
    assert 0 < int(lab.run(HOST, count)) - before < 1000


def test_an_unreachable_host_is_not_counted_as_fine(lab: Lab) -> None:
    machine.power_off(lab[HOST])
    output = lab.jada("upgrade", "--to", "sonnet-4.6", "--yes", exit_code=1)
    assert f"{HOST} unreachable" in output
    assert {lab.model(host.name) for host in lab.hosts if host.name != HOST} == {NEW}
    assert "1 not checked" in lab.jada("drift", exit_code=1)
    assert "unreachable" in lab.jada("status", exit_code=1)
    assert f"{HOST} can't be reached" in lab.jada("explain", HOST, exit_code=1)


def test_a_broken_settings_file_is_left_alone(lab: Lab) -> None:
    path = lab[HOST].settings
    machine.inside(lab[HOST], f"cat >{path}", stdin='{\n  "env": {"TOKEN": "lab-secret-x"},\n}\n')
    before = lab.settings_sha(HOST)
    output = lab.jada("upgrade", "--to", "sonnet-4.6", "--limit", HOST, "--yes", exit_code=1)
    assert f"{path}: line 2, column 35: there is a comma after the last item" in output
    assert lab.settings_sha(HOST) == before


def test_no_host_matches(lab: Lab) -> None:
    output = lab.jada("upgrade", "--to", "sonnet-4.6", "--limit", "nope-*", "--yes", exit_code=2)
    assert "--limit nope-*" in output
    output = lab.jada("drift", "--role", "nope", exit_code=2)
    assert "orchestrator, specialist" in output


def test_the_limit_given_is_told_with_its_reason(lab: Lab) -> None:
    output = lab.jada("upgrade", "--to", "sonnet-4.6", "--yes")
    granted = int(lab.run(HOST, "grep 'Max open files' /proc/1/limits").split()[4])
    assert f"open files: {granted}, the most that the host can give" in output
    pid = machine.healthz(lab[HOST])["pid"]
    assert lab.run(HOST, f"grep 'Max open files' /proc/{pid}/limits").split()[3:5] == [str(granted)] * 2
    assert lab.run(HOST, "su - agent -c 'ulimit -n'").strip() == str(granted)


def test_every_journal_line_names_the_model(lab: Lab) -> None:
    lab.jada("upgrade", "--to", "sonnet-4.6", "--limit", HOST, "--yes")
    line = json.loads(lab.run(HOST, f"journalctl JADA_MODEL={NEW} -u jada-agent -o json -n1"))
    assert json.loads(line["MESSAGE"])["model"] == NEW


def test_a_rollback_leaves_hosts_that_were_not_changed(lab: Lab) -> None:
    never = "Refused jada-agent, orchestrator-1, specialist-1: it has no earlier release"
    assert never in lab.jada("rollback", "--yes", exit_code=1)
    lab.jada("upgrade", "--to", "sonnet-4.6", "--limit", HOST, "--yes")
    output = lab.jada("rollback", "--yes")
    assert "jada-agent, orchestrator-1 (never changed by jada)" in output
    assert lab.model(HOST) == OLD_MODEL


def test_unknown_models_are_refused(lab: Lab) -> None:
    assert "sonnet-4.6" in lab.jada("upgrade", "--to", "sonet-4.6", "--yes", exit_code=2)
    lab.jada("upgrade", "--to", "claude-next-9", "--limit", HOST, "--yes", exit_code=2)
    lab.jada("upgrade", "--to", "claude-next-9", "--allow-unlisted", "--limit", HOST, "--yes")
    assert lab.model(HOST) == "claude-next-9"


def test_a_shadowed_model_is_refused_and_named(lab: Lab) -> None:
    lab.run(HOST, "echo ANTHROPIC_MODEL=claude-opus-5 >/etc/default/jada-agent; systemctl restart jada-agent")
    output = lab.jada("upgrade", "--to", "sonnet-4.6", "--limit", HOST, "--yes", exit_code=1)
    assert "claude-opus-5 from ANTHROPIC_MODEL in /etc/default/jada-agent" in output
    assert lab.model(HOST) == "claude-opus-5"


def test_status_as_json(lab: Lab) -> None:
    lab.jada("upgrade", "--to", "sonnet-4.6", "--yes")
    rows: Any = lab.json("status")["hosts"]
    assert {(row["model_on_disk"], row["model_running"], row["state"]) for row in rows} == {(NEW, NEW, "active")}


def test_the_playbook_by_hand(lab: Lab) -> None:
    """`pyinfra inventory/aws.py deploy.py`: each role's model from fleet.yml."""
    root = Path(__file__).parents[2]
    process = subprocess.run(
        [Path(sys.executable).with_name("pyinfra"), "-y", "inventory/aws.py", "deploy.py"],
        cwd=root,
        env={**os.environ, "JADA_FLEET": str(LAB.fleet_file)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stdout + process.stderr
    assert "lab-secret" not in process.stdout + process.stderr
    assert lab.models() == {NEW}
    lab.jada("drift")
