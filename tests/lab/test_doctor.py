"""`jada doctor` on real hosts: all well; and one that is off, one without sudo, one that is locked."""

from __future__ import annotations

from itertools import chain
from typing import Any

import pytest

from jada.inventory.lab import machine
from tests.conftest import ENGINE, Lab, about_ssh

pytestmark = pytest.mark.lab


def verdicts(form: dict[str, Any], verdict: str) -> dict[str, list[list[str]]]:
    """The hosts of each result with this verdict, by check."""
    found: dict[str, list[list[str]]] = {}
    for row in form["checks"]:
        if row["verdict"] == verdict:
            found.setdefault(row["check"], []).append(row["hosts"])
    return found


def test_a_lab_that_is_well(lab: Lab) -> None:
    before = [lab.run(host.name, "find /var/lib/jada /etc -newer /run/first-condition | sort") for host in lab.hosts]
    form = lab.json("doctor")
    assert not verdicts(form, "fail")
    assert not verdicts(form, "warn")
    hosts = sorted(host.name for host in lab.hosts)
    everywhere = {
        name for name, groups in verdicts(form, "pass").items() if sorted(chain.from_iterable(groups)) == hosts
    }
    over_ssh = {"host key", "ssh"}
    told = {"address", "sudo", "systemd", "service", "cloud", "clock", "disk", "evidence", "lock"}
    # Some calls are made only when something is changed, or goes wrong.
    skipped = {"notify", "instance", "cli", "endpoint", "state", "freeze", "permissions"}
    assert everywhere >= told | (over_ssh if ENGINE == "ssh" else set())
    assert set(verdicts(form, "skip")) == skipped | {"ssm"} | (set() if ENGINE == "ssh" else over_ssh)
    permissions = next(row["text"] for row in form["checks"] if row["check"] == "permissions")
    assert "lightsail:GetInstanceAccessDetails" in permissions
    after = [lab.run(host.name, "find /var/lib/jada /etc -newer /run/first-condition | sort") for host in lab.hosts]
    assert after == before


def test_hosts_in_trouble_are_each_told_with_a_fix(lab: Lab) -> None:
    lab.jada("lock", "--reason", "incident 4711", "--limit", "jada-agent")
    lab.run("orchestrator-1", "mv /etc/sudoers.d /etc/sudoers.off")
    machine.power_off(lab["specialist-1"])
    try:
        form = lab.json("doctor", exit_code=1)
        # The agent of Systems Manager is root and needs no sudo.
        needs_sudo = {"sudo": [["orchestrator-1"]]} if ENGINE == "ssh" else {}
        assert verdicts(form, "fail") == {ENGINE: [["specialist-1"]], **needs_sudo}
        assert verdicts(form, "warn") == {"lock": [["jada-agent"]]}
        assert all(row["fix"] for row in form["checks"] if row["verdict"] in ("fail", "warn"))
        troubles = {row["check"]: row["text"] for row in form["checks"] if row["verdict"] == "fail"}
        assert "jada needs sudo without a password" in troubles["sudo"] if needs_sudo else "sudo" not in troubles
        assert "jada-agent" in chain.from_iterable(verdicts(form, "pass")["service"])
    finally:
        lab.run("orchestrator-1", "mv /etc/sudoers.off /etc/sudoers.d")


@about_ssh("host keys")
def test_a_host_that_shows_another_key(lab: Lab) -> None:
    known = lab["orchestrator-1"].lab.known_hosts
    before = known.read_text()
    others = [line for line in before.splitlines() if not line.startswith(f"{lab['orchestrator-1'].address} ")]
    key = others[0].split(" ", 1)[1]
    try:
        known.write_text("\n".join([*others, f"{lab['orchestrator-1'].address} {key}", ""]))
        form = lab.json("doctor", exit_code=1)
        assert verdicts(form, "fail") == {"host key": [["orchestrator-1"]]}
        assert ["orchestrator-1"] in verdicts(form, "skip")["ssh"]
        known.write_text("\n".join([*others, ""]))
        assert "host key" in verdicts(lab.json("doctor", exit_code=1), "fail")
    finally:
        known.write_text(before)
