"""Plans that are kept, on real hosts: what was planned is done, and a host that changed meanwhile is refused."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jada import Tiers
from jada.inventory.lab.machine import OLD_MODEL
from jada.tasks.settings import models_in, parse
from tests.conftest import LAB

if TYPE_CHECKING:
    from tests.conftest import Lab

pytestmark = pytest.mark.lab
NEW, OPUS, HAIKU = "claude-sonnet-4.6", "claude-opus-5", "claude-haiku-4.5"
HOST, ORCHESTRATOR = "specialist-1", "orchestrator-1"


@pytest.fixture(autouse=True)
def _own_record(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def outcomes(report: dict[str, object]) -> dict[str, str]:
    hosts = report["hosts"]
    assert isinstance(hosts, list)
    return {row["host"]: row["outcome"] for row in hosts}


def test_a_plan_is_carried_out_but_for_the_host_that_changed_behind_its_back(lab: Lab, tmp_path: Path) -> None:
    file = tmp_path / "sonnet.plan"
    first = {host.name: lab.settings_sha(host.name) for host in lab.hosts}
    lab.jada("plan", "--to", "sonnet-4.6", "-o", str(file), "--reason", "as agreed")
    assert file.stat().st_mode & 0o777 == 0o600
    assert "lab-secret" not in file.read_text()
    assert {host.name: lab.settings_sha(host.name) for host in lab.hosts} == first

    # That its services were started anew meanwhile is no change; what somebody writes is.
    for host in lab.hosts:
        lab.run(host.name, "systemctl restart jada-agent")
    lab.run(HOST, f"printf ' ' >>{lab[HOST].settings}")
    edited = lab.settings_sha(HOST)
    report = lab.json("apply", str(file), "--yes", exit_code=1)
    expected = {host.name: "verified" for host in lab.hosts} | {HOST: "rejected"}
    assert outcomes(report) == expected
    (detail,) = [row["detail"] for row in report["hosts"] if row["host"] == HOST]
    assert detail == "changed since the plan was made: its settings.json"
    assert (lab.settings_sha(HOST), lab.model(HOST)) == (edited, OLD_MODEL)
    assert {lab.model(host.name) for host in lab.hosts if host.name != HOST} == {NEW}

    # Those that run it already stay as they are.
    again = lab.json("apply", str(file), "--yes", exit_code=1)
    assert outcomes(again) == {host.name: "unchanged" for host in lab.hosts} | {HOST: "rejected"}


def test_apply_without_a_file_brings_each_role_all_its_models(lab: Lab, tmp_path: Path) -> None:
    before, _, rest = LAB.fleet_file.read_text().partition("roles:\n")
    roles = (
        "roles:\n  orchestrator: {model: opus-5, fallback: [sonnet-4.6], tags: {role: orchestrator}}\n"
        "  specialist: {model: haiku-4.5, subagent_model: haiku-4.5}\n"
    )
    fleet_file = tmp_path / "fleet.yml"
    fleet_file.write_text(before + roles + rest[rest.index("model_check:") :])
    env = {"JADA_FLEET": str(fleet_file)}
    lab.jada("apply", "--yes", env=env)
    for host in lab.hosts:
        text = base64.b64decode(lab.settings(host.name)).decode("latin-1")
        tiers = Tiers(OPUS, (NEW,)) if host.name == ORCHESTRATOR else Tiers(HAIKU, (), HAIKU)
        assert models_in(parse(text)) == tiers
    lab.jada("drift", env=env)
    assert set(outcomes(lab.json("apply", "--yes", env=env)).values()) == {"unchanged"}
    lab.jada("upgrade", "--to", "specialist=sonnet-4.6", "--yes", env=env)
    assert {lab.model(host.name) for host in lab.hosts if host.name != ORCHESTRATOR} == {NEW}
