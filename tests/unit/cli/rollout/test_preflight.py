"""What the hosts' own CLIs say before a change: it counts, whatever jada's table of settings predicted."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest

from jada import Host, HostError
from jada.cli.results import HostResults
from jada.cli.rollout.preflight import run_preflight
from jada.cli.session import FleetSession
from jada.inventory.sources.source import Condition
from jada.tasks.asked import Asked
from jada.tasks.plan import Plan
from jada.tasks.probe import Answer, Disk, Endpoint, Probe
from jada.tasks.state import ModelReport, State
from tests.fakes import FLEET, FakeEngine
from tests.unit.cli.conftest import Jada
from tests.unit.conftest import NOW

OPUS = "claude-opus-5"
SPEC = {"env": {"ANTHROPIC_MODEL": "x"}, "where": {"ANTHROPIC_MODEL": "/etc/default/agent"}}


def asked(model: str) -> Asked:
    return Asked(model=model, version="2.1.332", is_running=True)


def test_a_dry_run_says_what_the_cli_of_each_host_would_ask_for(jada: Jada) -> None:
    jada.answers.update({"web-1": asked(OPUS), "web-2": Asked(error="no Claude CLI was found")})
    done = jada("upgrade", "--to", "opus-5", "--limit", "web-*", "--dry-run")
    assert done.exit == 0
    assert f"its own Claude CLI 2.1.332, asked as if that were done, asks for {OPUS}" in done.out
    assert "which model its own CLI would ask for then is not known: no Claude CLI was found (web-2)" in done.out
    assert jada.changed == []


def test_that_a_cli_can_not_be_asked_is_no_news_where_the_service_reports_its_model(jada: Jada) -> None:
    jada.fleet_file.write_text(jada.fleet_file.read_text() + "model_check: {command: which-model}\n")
    jada.answers["web-1"] = Asked(error="no Claude CLI was found")
    done = jada("upgrade", "--to", "opus-5", "--limit", "web-1", "--dry-run")
    assert "no Claude CLI" not in done.out


def test_a_change_that_would_not_take_is_refused_and_nothing_is_touched(jada: Jada, host: Callable[..., State]) -> None:
    jada.states["web-1"] = host(report=ModelReport())
    jada.answers["web-1"] = asked("claude-haiku-4.5")
    done = jada("upgrade", "--to", "opus-5", "--limit", "web-1", "--yes")
    assert done.exit == 1
    assert "would ask for claude-haiku-4.5 all the same" in done.out
    assert jada.changed == []


def test_a_refusal_by_the_table_gives_way_to_what_the_cli_says(jada: Jada, host: Callable[..., State]) -> None:
    jada.states["web-1"] = host(next_start=SPEC)
    argv = ("upgrade", "--to", "opus-5", "--limit", "web-1", "--dry-run")
    assert "would not do: x from ANTHROPIC_MODEL" in jada(*argv).out
    jada.answers["web-1"] = asked(OPUS)
    assert "would not do" not in jada(*argv).out
    jada.answers["web-1"] = asked("x")
    assert "would ask for x all the same, from ANTHROPIC_MODEL" in jada(*argv).out


def test_nobody_is_asked_where_fleet_yml_says_never(jada: Jada) -> None:
    jada.fleet_file.write_text(jada.fleet_file.read_text() + "ask: never\n")
    jada.answers["web-1"] = asked("x")
    assert "asked" not in jada("upgrade", "--to", "opus-5", "--limit", "web-1", "--dry-run").out


def test_nobody_is_asked_where_nothing_is_to_change(host: Callable[..., State]) -> None:
    plans: HostResults[Plan] = HostResults({"web-1": Plan(idle="runs it"), "web-2": HostError("off")})
    engine = FakeEngine({"web-1": host(), "web-2": HostError("off")})
    session = FleetSession(FLEET, (), engine, 0.0)
    assert run_preflight(session, {}, plans, None, is_dry_run=True, looked=(0, 0)).plans == plans
    assert engine.connections["web-1"].log == []


KNOWS = Probe(endpoint=Endpoint(status=200, names=True), disks=(Disk(path="/", free=2**30, inodes=9999),))
UNKNOWN_THERE = Probe(endpoint=Endpoint(status=404, names=True))
OLD = Asked(model="claude-opus-5-5", version="2.1.217", is_running=True)


def test_a_cli_that_is_too_old_for_the_model_is_refused_before_anything_is_touched(jada: Jada) -> None:
    jada.answers = {"web-1": OLD, "web-2": replace(OLD, version="2.1.300")}
    done = jada("upgrade", "--to", "opus-5.5", "--limit", "web-*", "--yes")
    assert done.exit == 1
    assert "Refused web-1: its Claude CLI is 2.1.217, and claude-opus-5-5 needs 2.1.280 or newer" in done.out
    assert jada.changed == ["web-2"]


def test_fleet_yml_may_know_better_from_which_version_a_model_is_taken(jada: Jada) -> None:
    jada.fleet_file.write_text(jada.fleet_file.read_text() + "models: {opus-5.5: {cli: 2.1.200}}\n")
    jada.answers = {"web-1": OLD}
    assert jada("upgrade", "--to", "opus-5.5", "--limit", "web-1", "--yes").exit == 0


def test_the_first_host_of_each_model_is_asked_for_its_endpoint(jada: Jada) -> None:
    jada("upgrade", "--yes", "--restart")
    assert [name for name, connection in jada.engines[0].connections.items() if connection.questions] == [
        "web-1", "db-1",
    ]  # fmt: skip
    assert [question.model for question in jada.engines[0].connections["db-1"].questions] == [OPUS]


def test_where_the_canary_fails_no_host_is_begun_that_is_to_get_the_model(jada: Jada) -> None:
    jada.probes = {"db-1": UNKNOWN_THERE, "web-1": UNKNOWN_THERE}
    report = jada("upgrade", "--to", "opus-5", "--yes", "--json").json()
    assert report["exit"] == 1
    details = {row["host"]: row["detail"] for row in report["hosts"]}
    assert {row["outcome"] for row in report["hosts"]} == {"rejected"}
    assert f"its endpoint knows no model {OPUS} (HTTP 404)" in details["db-1"]
    assert details["web-2"] == f"not begun, for db-1, the first to change to {OPUS}, failed its preflight"
    assert jada.changed == []
    del jada.probes["db-1"]
    assert jada("upgrade", "--yes", "--restart").exit == 1
    assert jada.changed == ["db-1"]


def test_one_may_go_on_all_the_same(jada: Jada, host: Callable[..., State]) -> None:
    jada.probes = {"web-1": UNKNOWN_THERE}
    jada.states["web-2"] = host(unit={"active": "failed"})
    done = jada("upgrade", "--to", "opus-5", "--limit", "web-*", "--yes", "--force")
    assert jada.changed == ["web-1", "web-2"]
    assert "Note going on with --force: its endpoint knows no model" in done.out
    assert "Note going on with --force: jada-agent.service is ill before the change" in done.out


def test_an_ill_host_is_refused_alone(jada: Jada, host: Callable[..., State]) -> None:
    jada.states["web-1"] = host(unit={"active": "failed"})
    done = jada("upgrade", "--to", "opus-5", "--limit", "web-*", "--yes")
    assert done.exit == 1
    assert "Refused web-1: jada-agent.service is ill before the change: J" in done.out
    assert "go on with --force" in done.out
    assert jada.changed == ["web-2"]


def test_an_ill_host_that_heal_or_a_rollback_is_for_is_never_refused(jada: Jada, host: Callable[..., State]) -> None:
    jada.states["web-1"] = host(unit={"active": "failed"})
    jada("heal", "--limit", "web-1", "--yes")
    assert jada.changed == ["web-1"]


def test_a_preflight_alone_asks_every_host_and_changes_nothing(jada: Jada, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: NOW)
    jada.probes = {"web-1": KNOWS, "web-2": KNOWS, "db-1": KNOWS}
    done = jada("upgrade", "--to", "opus-5", "--preflight-only")
    assert done.exit == 0
    assert f"✓ endpoint: its endpoint knows {OPUS} (db-1, web-1, web-2)" in done.out
    assert "✓ service: jada-agent.service runs (db-1, web-1, web-2)" in done.out
    assert "✓ disk: 1024 MB are free" in done.out
    assert "not known cli: from which version on claude-opus-5" in done.out
    assert done.out.endswith("Preflight only: nothing was changed.\n")
    assert jada.changed == []


def test_a_preflight_alone_fails_where_one_host_does(jada: Jada) -> None:
    jada.probes = {"db-1": UNKNOWN_THERE}
    report = jada("upgrade", "--preflight-only", "--json").json()
    assert report["exit"] == 1
    checks = {row["host"]: {each["check"]: each["verdict"] for each in row["preflight"]} for row in report["hosts"]}
    assert checks["db-1"]["endpoint"] == "failed"
    assert checks["web-1"] == {
        "sudo": "passed", "service": "passed", "clock": "failed", "cli": "unknown", "endpoint": "unknown",
        "disk": "unknown",
    }  # fmt: skip


def test_a_host_that_was_not_looked_at_has_no_checks(jada: Jada) -> None:
    jada.states["web-1"] = HostError("web-1 is off")
    report = jada("upgrade", "--to", "opus-5", "--dry-run", "--json").json()
    checks = {row["host"]: row["preflight"] for row in report["hosts"]}
    assert checks["web-1"] is None
    assert [each["check"] for each in checks["db-1"]] == ["sudo", "service", "clock", "cli", "endpoint", "disk"]
    assert [each["check"] for each in checks["web-2"]] == ["sudo", "service", "clock", "cli"]


def test_a_host_that_its_cloud_calls_ill_is_refused_and_only_those_that_change_are_asked_about(
    jada: Jada, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[set[str]] = []

    def conditions(hosts: Iterable[Host]) -> dict[str, Condition]:
        asked.append({host.name for host in hosts})
        return {"web-1": Condition("EC2's instance status check fails", is_well=False)}

    monkeypatch.setattr("jada.inventory.conditions.conditions", conditions)
    jada.states["web-2"] = HostError("web-2 is off")
    done = jada("upgrade", "--to", "opus-5", "--yes")
    assert "Refused web-1: EC2's instance status check fails; --force changes it all the same" in done.out
    assert jada.changed == ["db-1"]
    assert asked == [{"db-1", "web-1"}]


def test_one_real_request_is_made_where_it_is_asked_for_by_the_first_host_of_each_model(jada: Jada) -> None:
    jada.probes = {"db-1": replace(KNOWS, request=Answer(served="claude-haiku-4.5"))}
    done = jada("upgrade", "--preflight-only", "--try-request")
    asked = {name: each.questions[0].request for name, each in jada.engines[0].connections.items()}
    assert asked == {"db-1": True, "web-1": True, "web-2": False}
    assert f"✗ request: a request for {OPUS} was answered by claude-haiku-4.5" in done.out
    assert done.exit == 1
    jada("upgrade", "--yes")
    assert not jada.engines[1].connections["db-1"].questions[0].request
