"""The way back on real hosts: it needs nothing of the present file, and ends where the snapshot says."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from jada.inventory.lab import machine
from tests.conftest import LAB, short_fleet

if TYPE_CHECKING:
    from tests.conftest import Lab

pytestmark = pytest.mark.lab
HOST = "specialist-1"
DROPINS = "/etc/systemd/system/jada-agent.service.d"
# Texts that settings.json became, as printf(1) writes them.
BECAME = (
    ("torn", r'{\n  "model": "claude-son'),
    ("empty", ""),
    ("a list", "[]"),
    ("with comments", r'{\n  // mine\n  "model": "claude-opus-5"\n}\n'),
    ("UTF-16", r"\377\376{\000}\000"),
    ("cut in a string", r'{"env": {"A": "b\n'),
)


@pytest.fixture
def quick(lab: Lab) -> dict[str, str]:
    """The environment with a fleet.yml whose services settle in a second."""
    file = LAB.folder / "way-back.yml"
    file.write_text(short_fleet(is_static=False))
    return {"JADA_FLEET": str(file)}


@pytest.mark.parametrize("cases", [BECAME[:3], BECAME[3:]], ids=["broken", "odd"])
def test_whatever_became_of_the_file_it_is_put_back(
    lab: Lab, quick: dict[str, str], cases: tuple[tuple[str, str], ...]
) -> None:
    before = {host.name: lab.settings_sha(host.name) for host in lab.hosts}
    lab.jada("upgrade", "--to", "sonnet-4.6", "--yes", env=quick)
    laid = {}
    for host, (_, text) in zip(lab.hosts, cases, strict=True):
        laid[host.name] = lab.run(host.name, f"printf '{text}' >{host.settings}; sha256sum <{host.settings}")
    output = lab.jada("upgrade", "--to", "opus-5", "--dry-run", env=quick, exit_code=None)
    assert output.count("Refused") == len(cases), output
    assert " ".join(output.split()).count("put back what stood there before release") == len(cases), output
    lab.jada("rollback", "--yes", env=quick)
    assert {host.name: lab.settings_sha(host.name) for host in lab.hosts} == before
    # The text that it had become is the snapshot of the way back.
    for name, text in laid.items():
        assert lab.run(name, 'sha256sum <"/var/lib/jada/releases/$(cat /var/lib/jada/current)/before/settings"') == text
    assert "in progress" not in lab.jada("history", env=quick)


def test_a_hand_edit_before_an_upgrade_is_what_comes_back(lab: Lab, quick: dict[str, str]) -> None:
    host = lab[HOST]
    lab.jada("upgrade", "--to", "sonnet-4.6", "--yes", "--limit", HOST, env=quick)
    lab.run(HOST, f"sed -i s/claude-sonnet-4.6/claude-haiku-4-5/ {host.settings}; systemctl restart jada-agent")
    edited = lab.settings_sha(HOST)
    lab.jada("upgrade", "--to", "opus-5", "--yes", "--limit", HOST, env=quick)
    output = lab.jada("rollback", "--yes", "--limit", HOST, env=quick)
    assert "as it was edited by hand before release" in output
    assert lab.settings_sha(HOST) == edited
    assert lab.model(HOST) == "claude-haiku-4-5"
    lab.jada("drift", "--limit", HOST, env=quick)


def test_a_service_of_another_user_gets_no_snapshot(lab: Lab, quick: dict[str, str]) -> None:
    """Neither in the plan nor on the host: its file is another one."""
    host = lab[HOST]
    lab.jada("upgrade", "--to", "sonnet-4.6", "--yes", "--limit", HOST, env=quick)
    mine = "/home/admin/.claude/settings.json"
    lab.run(HOST, f"install -d -o admin -g admin {mine.rpartition('/')[0]}; echo '{{}}' >{mine}; chown admin: {mine}")
    lab.run(HOST, "printf '[Service]\\nUser=admin\\n' >/etc/systemd/system/jada-agent.service.d/60-user.conf")
    lab.run(HOST, "systemctl daemon-reload; systemctl restart jada-agent")
    checksums = f"sha256sum {mine} {host.settings}"
    before = lab.run(HOST, checksums)
    for argv in (["--dry-run"], ["--yes"]):
        output = lab.jada("rollback", *argv, "--limit", HOST, env=quick, exit_code=None)
        assert f"its snapshot is of {host.settings} of user" in " ".join(output.split()), output
        assert lab.run(HOST, checksums) == before
    lab.run(HOST, "rm -rf /home/admin/.claude")


def test_a_service_that_does_not_run_goes_back_all_the_same(lab: Lab, quick: dict[str, str]) -> None:
    before = lab.settings_sha(HOST)
    lab.jada("upgrade", "--to", "sonnet-4.6", "--yes", "--limit", HOST, env=quick)
    lab.run(HOST, f"printf '[Service]\\nExecStartPre=/bin/false\\n' >{DROPINS}/60-broken.conf; systemctl daemon-reload")
    lab.run(HOST, "systemctl restart jada-agent || :")
    output = lab.jada("rollback", "--yes", "--limit", HOST, env=quick, exit_code=1)
    assert lab.settings_sha(HOST) == before, output
    assert "J202" in output
    # Nothing is left over that would undo it, or what comes next.
    lab.run(HOST, f"[ ! -e /var/lib/jada/transaction ]; rm {DROPINS}/60-broken.conf; systemctl daemon-reload")
    lab.jada("upgrade", "--to", "opus-5", "--yes", "--force", "--limit", HOST, env=quick)


def test_files_that_are_back_are_not_put_back_once_more(lab: Lab, quick: dict[str, str]) -> None:
    """A host whose old model does not run either needs people: their next step stands."""
    broken = f"printf '[Service]\\nExecStartPre=/bin/false\\n' >{DROPINS}/60-broken.conf"
    lab.run(HOST, f"mkdir -p {DROPINS}; {broken}")
    output = lab.jada("upgrade", "--to", "sonnet-4.6", "--yes", "--limit", HOST, env=quick, exit_code=1)
    assert "does NOT run" in output
    lab.run(HOST, f"[ ! -e /var/lib/jada/transaction ]; rm {DROPINS}/60-broken.conf; systemctl daemon-reload")
    lab.jada("upgrade", "--to", "opus-5", "--yes", "--force", "--limit", HOST, env=quick)
    assert lab.model(HOST) == "claude-opus-5"


@pytest.mark.skipif(not os.environ.get("JADA_ALL_FAULTS"), reason="takes minutes: make test-faults")
def test_a_service_that_takes_its_time_to_stop_is_waited_for(lab: Lab, quick: dict[str, str]) -> None:
    slow = "[Service]\\nExecStop=/bin/sleep 130\\nTimeoutStopSec=150\\n"
    lab.run(HOST, f"mkdir -p {DROPINS}; printf '{slow}' >{DROPINS}/60-slow.conf; systemctl daemon-reload")
    output = lab.jada("upgrade", "--to", "sonnet-4.6", "--yes", "--limit", HOST, env=quick)
    assert "TimeoutStopSec=150" in output
    assert machine.healthz(lab[HOST])["model"] == "claude-sonnet-4.6"
