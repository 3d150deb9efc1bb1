"""Those who look on while a rollout goes on: lines, scripts and logs, none of which changes it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.text import Text

from jada import HostError
from jada.cli.records.model import HostOutcome
from jada.cli.rollout import bake, observe, watch
from jada.cli.rollout.board import Board
from jada.cli.rollout.events import Event, Kind
from jada.cli.rollout.observe import observed
from jada.cli.ui.console import err
from jada.cli.ui.run_id import run_id
from jada.inventory.fleet.config import Fleet
from jada.tasks.plan import Request
from tests.fakes import Clock
from tests.forms import lines, schema
from tests.unit.cli.conftest import Jada

FLEET = Fleet("f", Path("fleet.yml"), (), ())
REQUEST = Request("20270101-120000-aaaa", "f", "ann@box", "2027-01-01T12:00:00+00:00", run="1a2b3c4d")
WAVES = (("web-1",), ("web-2", "web-3"))
UPGRADE = ("upgrade", "--to", "opus-5", "--yes")
END = Event(
    kind=Kind.HOST_END,
    host="web-1",
    outcome=HostOutcome.VERIFIED,
    why="x",
    text="verified: reported [by] \x1b its check",
)


def test_a_rollout_is_told_to_scripts_as_it_happens_and_its_report_comes_last(jada: Jada) -> None:
    done = jada(*UPGRADE, "--waves", "1,100%", "--no-bake", "--json")
    *events, report = lines(done.out)
    assert {event["schema"] for event in events} == {"jada.events/1"}
    assert report["schema"] == "jada.upgrade/1"
    assert (events[0]["event"], events[-1]["event"]) == ("begin", "end")
    assert events[0]["waves"] == report["waves"]
    assert (events[-1]["status"], events[-1]["exit"]) == ("done", done.exit)
    assert {event["release"] for event in events} == {report["release"]}
    assert {event["run"] for event in events} == {run_id()}
    kinds = [event["event"] for event in events if event["wave"]]
    assert kinds == ["wave_begin", "wave_passed"] * 2
    host = report["waves"][0][0]
    assert [(event["event"], event["step"]) for event in events if event["host"] == host] == [
        ("host_begin", None), ("step", "check"), ("step", "restart"), ("step", "settle"), ("host_end", None),
    ]  # fmt: skip


def test_what_probes_measure_is_told_while_a_wave_bakes(jada: Jada, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    for module in (bake, watch):
        monkeypatch.setattr(module, "time", clock)
    *events, report = lines(jada(*UPGRADE, "--waves", "1,100%", "--bake", "20s", "--json").out)
    readings = [event for event in events if event["event"] == "reading"]
    # Two looks at one host, then two at three of them.
    assert [event["host"] for event in readings if event["reading"]["probe"] == "requests"] == [
        "db-1", "db-1", *["db-1", "web-1", "web-2"] * 2,
    ]  # fmt: skip
    host = next(row for row in report["hosts"] if row["host"] == "db-1")
    assert [event["reading"] for event in readings if event["host"] == "db-1"][-2:] == host["probes"]


def test_a_rollback_is_told_so_too_and_a_dry_run_has_nothing_to_tell(jada: Jada) -> None:
    jada(*UPGRADE)
    assert len(lines(jada("rollback", "--dry-run", "--json").out)) == 1
    *events, report = lines(jada("rollback", "--yes", "--json").out)
    assert report["schema"] == "jada.rollback/1"
    assert sum(event["event"] == "host_end" for event in events) == 3


def test_without_a_terminal_each_host_has_a_line_when_it_begins_and_ends(jada: Jada) -> None:
    done = jada(*UPGRADE, "--waves", "1,100%", "--no-bake")
    assert untimed(done.err).splitlines()[:4] == [
        "Wave 1 of 2 (db-1): begins",
        "db-1: begins",
        "✓ db-1 verified: claude-opus-5 (reported)",
        "Wave 1 of 2 (db-1): passed",
    ]


def test_hosts_that_change_all_at_once_have_the_line_of_their_end_alone(jada: Jada) -> None:
    told = untimed(jada(*UPGRADE).err).splitlines()
    assert sorted(told) == [f"✓ {name} verified: claude-opus-5 (reported)" for name in ("db-1", "web-1", "web-2")]


def test_messages_are_json_for_whoever_collects_logs(jada: Jada) -> None:
    done = jada("--log-format", "json", *UPGRADE, "--waves", "1,100%", "--no-bake")
    messages = lines(done.err)
    assert {(message["run"], message["level"]) for message in messages} == {(run_id(), "info")}
    begin, host, *_ = messages
    assert begin["message"] == "Wave 1 of 2 (db-1): begins"
    assert (host["event"]["event"], host["event"]["host"]) == ("host_begin", "db-1")
    events = schema("events")
    for message in messages:
        events.validate({"schema": "jada.events/1", **message["event"]})


def test_the_error_that_ends_a_command_is_json_too(jada: Jada, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JADA_LOG_FORMAT", "json")
    (unknown,) = lines(jada("no-such-command").err)
    assert "There is no command no-such-command" in unknown["message"]
    (message,) = lines(jada("upgrade", "--to", "no-such-model", "--yes").err)
    assert message["level"] == "error"
    assert "no-such-model" in message["message"]
    (usage,) = lines(jada("upgrade", "--no-such-option").err)
    assert "no-such-option" in usage["message"]
    monkeypatch.delenv("JADA_LOG_FORMAT")
    assert jada("upgrade", "--to", "no-such-model", "--yes").err.startswith("Error: ")


def test_words_of_hosts_are_shown_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    with observed(FLEET, REQUEST, "upgrade", Board("r", WAVES, (0, 0), 5), as_json=True) as tell:
        tell(END)
    done = capsys.readouterr()
    assert done.err == "✓ web-1 verified: reported [by] \\x1b its check\n"
    assert json.loads(done.out)["why"] == END.why
    assert "\x1b" not in done.out + done.err


def test_one_who_looks_on_ends_no_change(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def emit(*_: object) -> None:
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr(observe, "emit_json_line", emit)
    with observed(FLEET, REQUEST, "upgrade", Board("r", WAVES, (0, 0), 5), as_json=True) as tell:
        tell(END)
        tell(END)
    told = capsys.readouterr().err
    assert told.count("Warning what goes on is not told in full: Broken pipe (BrokenPipeError)") == 1
    assert told.count("web-1 verified") == 2


def test_on_a_terminal_the_view_is_drawn_and_what_lasts_stays(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal(monkeypatch)
    with observed(FLEET, REQUEST, "upgrade", Board("r", WAVES, (0, 0), 5), as_json=False) as tell:
        tell(Event(kind=Kind.BEGIN, waves=WAVES))
        tell(END)
        tell(Event(kind=Kind.WAVE_PASSED, wave=1, hosts=("web-1",)))
        assert err.is_drawn_on
    told = capsys.readouterr().err
    assert "Wave 1 of 2 (web-1): passed\n" in told
    assert "web-1 verified: reported" in Text.from_ansi(told).plain
    assert "Release r | 1 of 3 hosts" in told
    assert not err.is_drawn_on


def untimed(text: str) -> str:
    """The text without how long each host took, which may be no time at all here."""
    return re.sub(r" in [0-9.]+ s:", ":", text)


def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """stderr is a terminal for this test."""
    from rich.console import Console

    monkeypatch.setattr(type(err), "is_terminal", property(lambda printer: printer is err))
    monkeypatch.setattr(err, "console", Console(stderr=True, force_terminal=True, width=80, height=24))


def test_a_host_that_could_not_be_reached_has_its_end_too(jada: Jada, host: Callable[..., Any]) -> None:
    jada.states["web-1"] = HostError("web-1 can't be reached")
    *events, report = lines(jada(*UPGRADE, "--json").out)
    assert {row["host"]: row["outcome"] for row in report["hosts"]}["web-1"] == "unreachable"
    # It had no turn.
    assert not [event for event in events if event["host"] == "web-1"]
