"""`jada doctor` as people type it: everything at once, whatever is broken."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from jada import ConfigError, Exit, HostError, NoRootError
from jada.cli.commands.doctor import doctor as command
from jada.cli.doctor.result import CHECKS
from jada.cli.ui.console import grouped, out
from jada.tasks.probe import Disk, Endpoint, Probe
from jada.tasks.state import State
from tests.unit.cli.conftest import Jada
from tests.unit.cli.doctor.test_hosts import KEY
from tests.unit.conftest import NOW

WELL = Probe(endpoint=Endpoint(status=200, names=True), disks=(Disk(path="/", free=2**30, inodes=9999),))


@pytest.fixture(autouse=True)
def _well(jada: Jada, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hosts whose keys are known, with room and an endpoint; their clock is this machine's."""
    known = "".join(f"192.0.2.{number} {KEY.kind} {KEY.text}\n" for number in (1, 2, 3))
    (jada.fleet_file.parent / "known_hosts").write_text(known)
    jada.probes = dict.fromkeys(jada.states, WELL)
    monkeypatch.setattr("jada.cli.doctor.run.time.time", lambda: NOW)


def rows(form: dict[str, Any], *verdicts: str) -> dict[str, list[dict[str, Any]]]:
    """The results with these verdicts, by check."""
    return grouped((row["check"], row) for row in form["checks"] if row["verdict"] in verdicts)


def test_a_fleet_that_is_well_passes(jada: Jada) -> None:
    done = jada("doctor", "--json")
    form = done.json()
    assert (done.exit, form["fleet"]) == (Exit.OK, "f")
    assert not rows(form, "warn", "fail")
    assert [row["check"] for row in form["checks"]] == sorted(
        (row["check"] for row in form["checks"]), key=CHECKS.index
    )
    assert {row["check"] for row in form["checks"]} == {*CHECKS}
    assert rows(form, "pass")["ssh"][0]["hosts"] == ["db-1", "web-1", "web-2"]


def test_nothing_is_changed_and_each_host_is_looked_at_once(jada: Jada) -> None:
    jada("doctor")
    (engine,) = jada.engines
    assert all(connection.log == ["look", "ask", "probe"] for connection in engine.connections.values())
    assert not (jada.fleet_file.parent / "state").exists()


def test_the_trouble_of_each_host_is_told_with_its_fix_and_the_others_pass(jada: Jada) -> None:
    jada.states["web-1"] = HostError("web-1 can't be reached: timed out")
    jada.states["db-1"] = NoRootError("db-1 can't be looked at: sudo: a password is required")
    done = jada("doctor", "--json")
    failures = rows(done.json(), "fail")
    assert done.exit == Exit.FAILED
    assert {check: [(row["hosts"], row["text"]) for row in found] for check, found in failures.items()} == {
        "ssh": [(["web-1"], "can't be reached: timed out")],
        "sudo": [(["db-1"], "can't be looked at: sudo: a password is required")],
    }
    assert all(row["fix"] for found in failures.values() for row in found)
    assert rows(done.json(), "pass")["service"][0]["hosts"] == ["web-2"]
    assert "web-1" in rows(done.json(), "skip")["service"][0]["hosts"]


def test_all_problems_of_fleet_yml_are_told_and_the_rest_is_skipped(jada: Jada) -> None:
    text = jada.fleet_file.read_text()
    jada.fleet_file.write_text(
        text.replace("192.0.2.1}", "'no address'}").replace("model: opus-5", "model: opsu-5") + "unti: x\n"
    )
    done = jada("doctor", "--json")
    form = done.json()
    assert (done.exit, form["fleet"]) == (Exit.USAGE, None)
    found = rows(form, "fail")
    assert found.keys() == {"fleet.yml"}
    told = [row["text"] for row in found["fleet.yml"]]
    assert len(told) == 3
    assert all(any(word in line for line in told) for word in ("unti is not a key", "no address", "opsu-5"))
    assert {row["check"] for row in form["checks"]} == {*CHECKS}
    assert {"versions", "record"} <= rows(form, "pass").keys()
    assert all(line in jada("status").err for line in told)


def test_a_fleet_yml_that_is_not_there(jada: Jada) -> None:
    done = jada("doctor", "--fleet", "/nosuch/fleet.yml")
    assert done.exit == Exit.USAGE
    assert "/nosuch/fleet.yml" in done.out


def test_hosts_whose_keys_are_not_known(jada: Jada) -> None:
    jada.fleet_file.write_text(jada.fleet_file.read_text().replace("ssh: {", "ssh: {host_keys: strict, "))
    (jada.fleet_file.parent / "known_hosts").write_text("")
    done = jada("doctor", "--json")
    assert done.exit == Exit.FAILED
    assert rows(done.json(), "fail")["host key"][0]["hosts"] == ["db-1", "web-1", "web-2"]


def test_a_name_of_a_role_that_fits_no_host_is_warned_of(jada: Jada) -> None:
    jada.fleet_file.write_text(jada.fleet_file.read_text().replace('"db-*"', '"bd-*"'))
    done = jada("doctor", "--json")
    assert done.exit == Exit.OK
    assert "bd-*" in rows(done.json(), "warn")["roles"][0]["text"]


def test_hosts_at_one_address_are_not_even_tried(jada: Jada) -> None:
    jada.fleet_file.write_text(jada.fleet_file.read_text().replace("192.0.2.2", "192.0.2.1"))
    for name in ("web-1", "web-2"):
        jada.states[name] = HostError(f"{name} has no address of its own")
    found = rows(jada("doctor", "--json").json(), "fail")
    assert found.keys() == {"address"}
    assert [row["hosts"] for row in found["address"]] == [["web-1"], ["web-2"]]


def test_only_hosts_that_are_meant(jada: Jada) -> None:
    jada.states["web-1"] = HostError("web-1 is off")
    assert jada("doctor", "--limit", "web-2").exit == Exit.OK
    done = jada("doctor", "--limit", "nosuch")
    assert (done.exit, done.out) == (Exit.USAGE, "")


def test_foreign_text_is_shown_escaped(jada: Jada) -> None:
    jada.states["web-1"] = HostError("web-1 can't be reached: \x1b[2J[red]x")
    shown = jada("doctor").out
    assert "\\x1b[2J[red]x" in shown
    assert "\x1b" not in shown


def test_people_see_failures_with_fixes_and_one_line_for_what_was_skipped(
    jada: Jada, monkeypatch: pytest.MonkeyPatch
) -> None:
    jada.states["web-1"] = HostError("web-1 can't be reached: timed out")
    state = jada.states["web-2"]
    assert isinstance(state, State)
    jada.states["web-2"] = replace(state, now=NOW + 4000)
    terminal = Console(width=80, highlight=False, soft_wrap=True, force_terminal=False)
    monkeypatch.setitem(out.__dict__, "console", terminal)
    done = jada("doctor")
    # But for paths, which are never broken.
    lines = [line for line in done.out.splitlines() if str(jada.fleet_file.parent) not in line]
    assert max(map(len, lines)) <= 80
    joined = " ".join(done.out.split())
    assert "FAIL ssh web-1: can't be reached: timed out Fix: see whether it runs" in joined
    assert "WARN clock web-2: its clock is 67 min ahead of this machine's" in joined
    assert "Fix: have it set by NTP: jada ssh web-2 timedatectl set-ntp true" in joined
    assert "SKIP 11 checks web-1: it could not be looked at (sudo, instance," in joined
    assert "1 warned, 1 failed" in joined


def test_an_engine_that_can_not_be_opened(jada: Jada, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise ConfigError("ssh.key in fleet.yml names /nosuch, which does not exist", "without it, the agent is used")

    monkeypatch.setattr("jada.cli.session.open_engine", refuse)
    done = jada("doctor", "--json")
    found = rows(done.json(), "fail")
    assert done.exit == Exit.FAILED
    assert [(row["text"], row["fix"]) for row in found.pop("login")] == [
        ("ssh.key in fleet.yml names /nosuch, which does not exist", "without it, the agent is used")
    ]
    assert not found
    assert {row["check"] for row in done.json()["checks"]} == {*CHECKS}


def test_help_says_which_exit_code_means_what() -> None:
    assert "Exit codes: 0 nothing failed" in (command.help or "")
