"""What the hosts' own CLIs say before a change: it counts, whatever jada's table of settings predicted."""

from __future__ import annotations

from collections.abc import Callable

from jada import HostError
from jada.cli.results import HostResults
from jada.cli.rollout.preflight import ask_first
from jada.cli.session import FleetSession
from jada.tasks.asked import Asked
from jada.tasks.plan import Plan
from jada.tasks.state import ModelReport, State
from tests.fakes import FLEET, FakeEngine
from tests.unit.cli.conftest import Jada

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
    assert ask_first(session, plans, is_dry_run=True) == plans
    assert engine.connections["web-1"].log == []
