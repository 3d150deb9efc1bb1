"""Probes on real hosts: what a worse model does there sends it back, and what nobody knows is left to a person."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jada.inventory.lab import machine
from jada.inventory.lab.machine import OLD_MODEL
from tests.conftest import ENGINE, eventually, short_fleet

if TYPE_CHECKING:
    from tests.conftest import Lab

pytestmark = pytest.mark.lab
NEW = "claude-sonnet-4.6"
HOSTS = ("orchestrator-1", "specialist-1")
URL = "http://127.0.0.1:8787/healthz"
Upgrade = Callable[..., dict[str, Any]]


@pytest.fixture
def upgrade(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Upgrade:
    """upgrade("probe: {…}", exit_code=4): an upgrade of two hosts in two waves with this in fleet.yml's probes."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    file = tmp_path / "fleet.yml"

    def run(*probes: str, exit_code: int, deadline: int = 3600, bake: str = "40s") -> dict[str, Any]:
        lines = "".join(f"  {probe}\n" for probe in probes)
        file.write_text(f"{short_fleet()}deadline: {deadline}\n" + (f"probes:\n{lines}" if probes else ""))
        argv = ("upgrade", "--to", "sonnet-4.6", "--yes", "--waves", "1,100%", "--bake", bake)
        return lab.json(*argv, exit_code=exit_code, env={"JADA_FLEET": str(file)})

    return run


def behave(lab: Lab, **orders: dict[str, object]) -> None:
    """Has the agents behave so on the old model and on the new one, and starts them anew with that."""
    models = {"old": OLD_MODEL, "new": NEW}
    text = json.dumps([{**order, "models": [models[name]]} for name, order in orders.items()])
    for name in HOSTS:
        machine.inside(lab[name], "cat >/etc/jada-agent.json && systemctl restart jada-agent", stdin=text)
    eventually(lambda: {lab.model(name) for name in HOSTS} == {OLD_MODEL}, "an agent did not come back")


def requests(lab: Lab, name: str) -> int:
    """The lines of the agent's transcript."""
    return int(lab.run(name, f"cat {lab[name].home}/.claude/projects/*/* 2>/dev/null | wc -l"))


def went_back(lab: Lab, report: dict[str, Any]) -> str:
    """Holds that one host was touched and is back; returns why."""
    assert report["status"] == "rolled_back"
    assert sorted(row["outcome"] for row in report["hosts"]) == ["not_started", "rolled_back"]
    assert {lab.model(name) for name in HOSTS} == {OLD_MODEL}
    return str(report["why"])


def test_a_model_that_fails_ten_times_as_often_goes_back(lab: Lab, upgrade: Upgrade) -> None:
    behave(lab, old={"requests": 40, "failing": 0.01}, new={"requests": 40, "failing": 0.099})
    eventually(lambda: min(requests(lab, name) for name in HOSTS) > 200, "no requests were made")
    report = upgrade("failing: {kind: requests, above: 3x, min_sample: 100, interval: 2s}", exit_code=4)

    why = went_back(lab, report)
    assert "failing: requests failed" in why
    assert "3x what it was" in why
    (probe,) = (probe for row in report["hosts"] for probe in row["probes"] if probe["probe"] == "failing")
    assert probe["count"] >= 100
    assert probe["measured"] > probe["threshold"] > 1


def test_a_model_that_is_slower_goes_back(lab: Lab, upgrade: Upgrade) -> None:
    behave(lab, old={"delay": 0.05}, new={"delay": 0.2})
    report = upgrade(f'slow: {{kind: http, url: "{URL}", measure: p95, above: 2x, interval: 2s}}', exit_code=4)
    assert "slow: http requests p95" in went_back(lab, report)


def test_a_model_that_answers_by_a_fallback_goes_back(lab: Lab, upgrade: Upgrade) -> None:
    """No probe of fleet.yml is needed for that."""
    behave(lab, new={"requests": 20, "fallback": OLD_MODEL})
    assert "in its place" in went_back(lab, upgrade(exit_code=4))


def test_without_traffic_a_person_decides_and_nothing_goes_back(lab: Lab, upgrade: Upgrade, tmp_path: Path) -> None:
    probe = "failing: {kind: requests, above: 5%, interval: 2s}"
    report = upgrade(probe, exit_code=6, deadline=15, bake="3s")
    assert "failing: 0 requests, and 20 are needed" in report["why"]
    assert sorted(str(lab.model(name)) for name in HOSTS) == sorted((OLD_MODEL, NEW))
    env = {"JADA_FLEET": str(tmp_path / "fleet.yml")}
    # The last wave bakes too, and is no more known then.
    lab.jada("promote", exit_code=6, env=env)
    lab.jada("promote", env=env)
    assert {lab.model(name) for name in HOSTS} == {NEW}


def test_a_healthy_model_passes_all_probes_and_what_they_measured_is_kept(
    lab: Lab, upgrade: Upgrade, tmp_path: Path
) -> None:
    behave(lab, old={"requests": 20}, new={"requests": 20})
    upgrade(
        "failing: {kind: requests, above: 5%, interval: 2s}",
        f'slow: {{kind: http, url: "{URL}", measure: p95, above: 2s, interval: 2s}}',
        "busy: {kind: cpu, above: 90%, interval: 2s}",
        "errors: {kind: journal, priority: err, above: 1/m, interval: 2s}",
        'told: {kind: journal, measure: count, pattern: \'"event": "start"\', above: 1, interval: 2s}',
        "whose: {kind: command, command: id -u, above: 2000, interval: 2s}",
        "odd: {kind: command, command: echo nan, above: 1, interval: 2s, mode: observe}",
        exit_code=0,
        bake="8s",
    )
    assert {lab.model(name) for name in HOSTS} == {NEW}
    kept = lab.json("rollouts", env={"JADA_FLEET": str(tmp_path / "fleet.yml")})["rollouts"][0]["probes"]
    assert kept.keys() == set(HOSTS)
    for name in HOSTS:
        probes = {probe["probe"]: probe for probe in kept[name]}
        verdicts = {probe: probes[probe]["verdict"] for probe in probes}
        assert {verdicts.pop("odd"), *verdicts.values()} == {"error", "passed"}
        assert probes["whose"]["measured"] == int(lab.run(name, f"id -u {lab[name].user}"))
        assert probes["told"]["measured"] == 1
        assert probes["busy"]["measured"] >= 0
        assert probes["slow"]["count"] >= 20


def test_commands_that_flood_or_hold_on_hold_up_nobody(lab: Lab, upgrade: Upgrade) -> None:
    password = "lab-secret-of-a-url"
    # Through Systems Manager such a URL is refused: AWS would keep it.
    with_password = (
        f'asks: {{kind: http, url: "http://u:{password}@127.0.0.1:8787/healthz", above: 50%, interval: 2s}}',
        "told: {kind: command, command: 'ps -eo args | grep -c [l]ab-secret; :', above: 0, interval: 2s}",
    )
    report = upgrade(
        "floods: {kind: command, command: 'yes; :', above: 1, mode: observe, interval: 2s}",
        "holds: {kind: command, command: '(sleep 60 &); echo 1', above: 1, interval: 2s}",
        *(with_password if ENGINE == "ssh" else ()),
        exit_code=0,
        bake="8s",
    )
    for row in report["hosts"]:
        probes = {probe["probe"]: probe for probe in row["probes"]}
        assert probes["floods"]["text"] == "its command printed more than a number"
        assert probes["holds"]["measured"] == 1
        assert ENGINE != "ssh" or probes["asks"]["measured"] == 0
