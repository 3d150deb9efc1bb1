"""`jada logs` of one host and of many."""

from __future__ import annotations

import json

import pytest

from jada import Exit, HostError
from jada.cli import logs
from jada.cli.commands.logs import MOST
from jada.tasks.journal import LogLine
from tests import fakes
from tests.forms import checked
from tests.unit.cli.conftest import Jada

RELEASE = "20261124-120000-aaaa"
FIRST = "2027-01-15 08:00:00+00:00 claude-opus-5 - one line"
SECOND = f"2027-01-15 08:00:10+00:00 claude-opus-5 {RELEASE} another of"


def test_the_end_of_the_journal_is_printed(jada: Jada) -> None:
    assert jada("logs", "web-1").out == f"web-1 {FIRST}\nweb-1 {SECOND} web-1\n"
    assert jada("logs", "web-1", "-n", "1").out == f"web-1 {SECOND} web-1\n"


@pytest.mark.parametrize("lines", ["0", str(MOST + 1), "many"])
def test_no_other_number_of_lines_is_taken(jada: Jada, lines: str) -> None:
    assert jada("logs", "web-1", "-n", lines).exit == Exit.USAGE


def test_lines_of_several_hosts_come_by_their_time(jada: Jada) -> None:
    hosts = ("db-1 ", "web-1", "web-2")
    expected = [f"{host} {FIRST}" for host in hosts] + [f"{host} {SECOND} {host.strip()}" for host in hosts]
    assert jada("logs").out.splitlines() == expected
    assert jada("logs", "--role", "keepers").out.splitlines() == [f"db-1 {FIRST}", f"db-1 {SECOND} db-1"]
    assert len(jada("logs", "web-1", "db-*").out.splitlines()) == 4


def test_lines_of_one_release(jada: Jada) -> None:
    assert jada("logs", "web-1", "--release", RELEASE).out == f"web-1 {SECOND} web-1\n"
    assert jada("logs", "web-1", "--release", "x; reboot").exit == Exit.USAGE


def test_since_when(jada: Jada) -> None:
    assert jada("logs", "web-1", "--since", "15m").exit == Exit.OK
    done = jada("logs", "web-1", "--since", "yesterday")
    assert (done.exit, "such as 15m, 6h or 7d" in done.err) == (Exit.USAGE, True)


@pytest.mark.parametrize("follow", [(), ("-f",)])
def test_json_has_an_object_on_each_line(jada: Jada, follow: tuple[str, ...]) -> None:
    lines = [checked(line) for line in jada("logs", "web-1", "--json", *follow).out.splitlines()]
    assert [line["message"] for line in lines] == ["one line", "another of web-1"]
    assert lines[0] == {
        "schema": "jada.logs/1", "fleet": "f", "host": "web-1", "at": "2027-01-15T08:00:00+00:00",
        "model": "claude-opus-5", "release": None, "message": "one line",
    }  # fmt: skip


def test_one_host_that_is_off(jada: Jada) -> None:
    jada.states["web-1"] = HostError("web-1 is off", "see whether it runs")
    done = jada("logs", "web-1")
    assert (done.exit, done.out, done.err) == (Exit.FAILED, "", "Error: web-1 is off\nTry: see whether it runs\n")


def test_of_many_hosts_one_that_is_off_is_told_beside_the_others(jada: Jada) -> None:
    jada.states["web-1"] = HostError("web-1 is off", "see whether it runs")
    done = jada("logs", "web-*")
    assert (done.exit, len(done.out.splitlines())) == (Exit.FAILED, 2)
    assert done.err == "Unreachable web-1 is off; see whether it runs\n"


def test_a_host_that_is_lost_while_it_is_followed_is_told_and_the_others_go_on(jada: Jada) -> None:
    done = jada("logs", "web-*", "--follow")
    assert done.exit == Exit.FAILED
    assert len(done.out.splitlines()) == 4
    assert done.err.splitlines() == [f"Unreachable the connection to web-{number} was lost" for number in (1, 2)]


def test_foreign_text_is_shown_escaped(jada: Jada, monkeypatch: pytest.MonkeyPatch) -> None:
    line = LogLine(at=0, model="", release="", text="[red]\u202e\x1b[2J")
    monkeypatch.setattr(fakes.FakeConnection, "journal", lambda *_: [line])
    assert jada("logs", "web-1").out == "web-1 - - - [red]\\u202e\\x1b[2J\n"
    assert json.loads(jada("logs", "web-1", "--json").out)["message"] == "[red]\u202e\x1b[2J"
    assert checked(jada("logs", "web-1", "--json").out)["at"] is None


def test_lines_of_one_time_stay_in_the_order_of_their_host() -> None:
    first, second, later = (
        LogLine(at=at, model="", release="", text=text) for at, text in ((1, "a"), (1, "b"), (2, ""))
    )
    rows = logs.by_time({"x": [first, second], "y": [later, first]})
    assert [(name, line.text) for name, line in rows] == [("x", "a"), ("x", "b"), ("y", "a"), ("y", "")]


def test_of_a_flood_only_so_many_lines_wait_for_their_order(jada: Jada, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[int] = []
    monkeypatch.setattr(logs, "MOST_WAITING", 2)
    monkeypatch.setattr(logs, "_show", lambda _, rows, __: shown.append(len(list(rows))))
    line = LogLine(at=0, model="", release="", text="x")
    monkeypatch.setattr(fakes.FakeConnection, "journal", lambda *_: [line] * 5)
    jada("logs", "web-1", "-f")
    assert max(shown) == 2
    assert sum(shown) == 5
