"""`jada plan` and `jada apply`: what was planned is done, nothing else is, and nothing where that is no longer sure."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from jada import Exit, HostError
from jada.cli.commands.apply import apply
from jada.cli.commands.plan import plan
from jada.cli.commands.upgrade import upgrade
from jada.cli.rollout import bake
from jada.cli.rollout.saved import PARTS, read
from jada.inventory.fleet.rollout import ALL, RolloutPolicy, Share
from jada.tasks import checks
from jada.tasks.state import File, State
from tests.fakes import Clock
from tests.forms import checked
from tests.unit.cli.conftest import Done, Jada

OPUS = "claude-opus-5"
ORDER = ["db-1", "web-1", "web-2"]
Change = Callable[[State], State]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "opus.plan"


def planned(jada: Jada, file: Path, *argv: str) -> Done:
    done = jada("plan", "--to", "opus-5", "-o", str(file), *argv)
    assert done.exit == Exit.OK, done.out + done.err
    assert jada.changed == []
    return done


def outcomes(done: Done) -> dict[str, tuple[str, str | None]]:
    return {row["host"]: (row["outcome"], row["detail"]) for row in done.json()["hosts"]}


def models(jada: Jada) -> dict[str, str]:
    return {name: checks.running_model(state) for name, state in jada.states.items() if isinstance(state, State)}


def change(jada: Jada, name: str, act: Change) -> None:
    state = jada.states[name]
    assert isinstance(state, State)
    jada.states[name] = act(state)


def test_a_plan_is_shown_as_a_dry_run_is(jada: Jada) -> None:
    shown, dry = jada("plan", "--to", "opus-5"), jada("upgrade", "--to", "opus-5", "--dry-run")
    assert shown.out.splitlines()[1:3] == dry.out.splitlines()[1:3]
    assert "nothing was changed" in shown.out
    report = jada("plan", "--to", "opus-5", "--json").json()
    assert {row["outcome"] for row in report["hosts"]} == {"planned"}
    assert jada.changed == []


def test_a_plan_may_come_from_a_pipe(jada: Jada, file: Path) -> None:
    planned(jada, file)
    reader, writer = os.pipe()
    try:
        os.write(writer, file.read_bytes())
        os.close(writer)
        assert jada("apply", f"/dev/fd/{reader}", "--yes").exit == Exit.OK
    finally:
        os.close(reader)


def test_what_was_planned_is_done_and_by_whom_is_told(jada: Jada, file: Path) -> None:
    done = planned(jada, file, "--reason", "opus for all")
    assert f"jada apply {file}" in done.err
    assert file.stat().st_mode & 0o777 == 0o600
    applied = jada("apply", str(file), "--yes")
    assert applied.exit == Exit.OK, applied.out + applied.err
    assert "opus for all" in applied.out
    assert set(models(jada).values()) == {OPUS}
    (entry,) = jada("history", "--json").json()["releases"]
    assert (entry["kind"], entry["reason"]) == ("upgrade", "opus for all")


def test_a_file_holds_no_text_of_a_settings_file(jada: Jada, file: Path) -> None:
    change(jada, "web-1", lambda state: replace(state, settings=replace(state.settings, text='{"env": {"A": "x1x"}}')))
    planned(jada, file)
    assert "x1x" not in file.read_text()
    assert "a" * 64 not in file.read_text()


CHANGES: dict[str, Change] = {
    "machine": lambda state: replace(state, instance="i-0bad"),
    "user": lambda state: replace(state, gid=1001),
    "unit": lambda state: replace(state, unit=replace(state.unit, dropins=("/etc/other.conf",))),
    "settings": lambda state: replace(state, settings=replace(state.settings, file=File("1000:1000", "600", "b" * 64))),
    "layers": lambda state: replace(state, layers=(replace(state.settings, path="/srv/.claude/settings.json"),)),
    "files": lambda state: replace(state, dropin=File("0:0", "644", "c" * 64)),
    "release": lambda state: replace(
        state, release=replace(state.release, id="20261125-120000-bbbb") if state.release else None
    ),
    "desired": lambda state: state,
}


@pytest.mark.parametrize("part", PARTS)
def test_a_host_that_has_changed_since_is_refused_and_the_others_go_on(jada: Jada, file: Path, part: str) -> None:
    planned(jada, file)
    change(jada, "web-1", CHANGES[part])
    if part == "desired":
        jada.fleet_file.write_text(jada.fleet_file.read_text() + "telemetry: {exporter: console}\n")
    applied = jada("apply", str(file), "--yes", "--json")
    assert applied.exit == Exit.FAILED
    found = outcomes(applied)
    outcome, detail = found["web-1"]
    assert outcome == "rejected"
    assert detail
    assert detail.startswith("changed since the plan was made: ")
    assert PARTS[part] in detail
    others = {"rejected"} if part == "desired" else {"verified"}
    assert {found[name][0] for name in ("web-2", "db-1")} == others
    assert jada.changed == [] if part == "desired" else sorted(jada.changed) == ["db-1", "web-2"]


def test_a_service_that_was_started_anew_is_no_other_host(jada: Jada, file: Path) -> None:
    planned(jada, file)

    def restarted(state: State) -> State:
        assert state.process
        process = replace(state.process, pid=301, ticks=state.process.ticks + 1)
        return replace(state, process=process, boot="boot-2", now=state.now + 9, result=("done", "301", "", "boot-2"))

    change(jada, "web-1", restarted)
    assert outcomes(jada("apply", str(file), "--yes", "--json"))["web-1"][0] == "verified"


def test_a_host_that_runs_what_was_planned_already_is_left_alone(jada: Jada, file: Path) -> None:
    planned(jada, file)
    assert jada("apply", str(file), "--yes").exit == Exit.OK
    again = jada("apply", str(file), "--yes", "--json")
    assert again.exit == Exit.OK
    assert {outcome for outcome, _ in outcomes(again).values()} == {"unchanged"}
    assert sorted(jada.changed) == ORDER


def test_hosts_that_were_not_in_the_plan_are_not_touched_and_new_ones_are_told(jada: Jada, file: Path) -> None:
    planned(jada, file, "--limit", "web-1,db-*")
    before = jada.fleet_file.read_text()
    jada.fleet_file.write_text(before.replace("        db-1:", "        db-2: {address: 192.0.2.9}\n        db-1:"))
    jada.states["db-2"] = jada.states["web-1"]
    applied = jada("apply", str(file), "--yes")
    assert applied.exit == Exit.OK, applied.out + applied.err
    assert "new since then, and left as they are: db-2" in applied.out
    assert "web-2" not in applied.out
    assert sorted(jada.changed) == ["db-1", "web-1"]


def test_a_host_that_is_gone_is_told_and_counts(jada: Jada, file: Path) -> None:
    planned(jada, file)
    text = jada.fleet_file.read_text()
    jada.fleet_file.write_text(text.replace("        web-2: {address: 192.0.2.2}\n", ""))
    gone = HostError("web-2 (static 192.0.2.2) was in the plan, and no source finds it any more")
    jada.states["web-2"] = gone
    applied = jada("apply", str(file), "--yes", "--json")
    assert applied.exit == Exit.FAILED
    assert outcomes(applied)["web-2"] == ("unreachable", gone.message)


def test_another_machine_of_the_same_name_is_refused(jada: Jada, file: Path) -> None:
    planned(jada, file)
    jada.fleet_file.write_text(jada.fleet_file.read_text().replace("192.0.2.1}", "192.0.2.77}"))
    outcome, detail = outcomes(jada("apply", str(file), "--yes", "--json"))["web-1"]
    assert outcome == "rejected"
    assert "the machine of that name, which was static 192.0.2.1" in (detail or "")


def test_a_host_that_plays_another_role_now_is_refused(jada: Jada, file: Path) -> None:
    planned(jada, file)
    jada.fleet_file.write_text(jada.fleet_file.read_text().replace('["db-*"]', '["web-1"]'))
    found = outcomes(jada("apply", str(file), "--yes", "--json"))
    assert "its role, which was r" in (found["web-1"][1] or "")
    assert "its role, which was keepers" in (found["db-1"][1] or "")
    assert found["web-2"][0] == "verified"


def test_waves_and_policy_are_those_of_the_plan(jada: Jada, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bake, "time", Clock())
    planned(jada, file, "--waves", "1,2,100%", "--bake", "90s", "--max-failures", "5%", "--on-failure", "pause")
    saved = read(file, "f")
    (group,) = saved.groups
    waves = (Share(1), Share(2), ALL)
    assert group.policy == RolloutPolicy(
        waves=waves,
        bake_time=90,
        final_bake_time=90,
        max_failures=Share(5, is_percent=True),
        on_failure="pause",
        deadline=3600,
    )
    assert jada("apply", str(file), "--dry-run", "--json").json()["waves"] == [["db-1"], ["web-1"], ["web-2"]]
    # The first of them is refused: the next is the canary.
    change(jada, "db-1", CHANGES["settings"])
    assert jada("apply", str(file), "--dry-run", "--json").json()["waves"] == [["web-1"], ["web-2"]]


def test_a_plan_that_changes_nothing_is_carried_out_all_the_same(jada: Jada, file: Path) -> None:
    done = jada("plan", "--to", "sonnet-4.6", "-o", str(file))
    assert done.exit == Exit.OK
    assert read(file, "f").others == ("db-1", "web-1", "web-2")
    assert jada("apply", str(file), "--yes", "--json").json()["hosts"] == []
    assert "it changes no host" in jada("apply", str(file)).out


def test_apply_without_a_file_brings_each_role_to_fleet_yml(jada: Jada) -> None:
    done = jada("apply", "--yes", "--reason", "as agreed", "--json")
    assert {name: outcome for name, (outcome, _) in outcomes(done).items()} == {
        "web-1": "unchanged", "web-2": "unchanged", "db-1": "verified",
    }  # fmt: skip
    assert models(jada) == {"web-1": "claude-sonnet-4.6", "web-2": "claude-sonnet-4.6", "db-1": OPUS}
    assert jada.changed == ["db-1"]


def forged(file: Path, act: Callable[[dict[str, Any]], object], *, is_signed: bool = True) -> None:
    """Another plan in the file, as somebody writes it who knows its form."""
    content = json.loads(file.read_text())
    del content["sha256"]
    act(content)
    digest = sha256(json.dumps(content, sort_keys=True).encode()).hexdigest() if is_signed else "0" * 64
    file.write_text(json.dumps({**content, "sha256": digest}))


def hosts_of(content: dict[str, Any]) -> dict[str, Any]:
    hosts: dict[str, Any] = content["groups"][0]["hosts"]
    return hosts


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda plan: plan.update(jada="9.9"), "its version is 9.9"),
        (lambda plan: plan.update(jada="0.0.1\x1b[2J"), "its version is 0.0.1\\x1b[2J"),
        (lambda plan: plan.pop("jada"), "its version is not known"),
        (lambda plan: plan.update(fleet="other"), "is for the fleet other"),
        (lambda plan: plan.pop("who"), "lacks the key who"),
        (lambda plan: plan.update(more=1), "is not a key jada knows"),
        (lambda plan: plan.update(at={}), "should be a text"),
        (lambda plan: plan.update(restart="yes"), "should be true or false"),
        (lambda plan: plan["roles"][0].update(model="x; rm -rf /"), "should be the id of a model"),
        (lambda plan: plan["roles"].clear(), "roles is an empty list"),
        (lambda plan: plan["roles"].pop(), "has hosts of a role without models"),
        (lambda plan: plan["roles"][0].pop("model"), "has hosts of a role without models"),
        (lambda plan: plan["roles"].append({"fallback": ["x"]}), "roles[2] lacks the key model"),
        (lambda plan: plan["groups"][0]["rollout"].update(waves=["1"]), "should end with 100%"),
        (lambda plan: plan["groups"][0]["rollout"].update(max_failures=-1), "should be a number of hosts"),
        (lambda plan: plan["groups"].append(plan["groups"][0]), "names a host twice"),
        (lambda plan: hosts_of(plan)["web-1"]["seen"].pop("unit"), "lacks the key unit"),
        (lambda plan: hosts_of(plan)["web-1"].pop("machine"), "lacks the key machine"),
        (lambda plan: hosts_of(plan).update({"a\x1bb": hosts_of(plan)["web-1"]}), "holds the control character"),
    ],
)
def test_a_forged_plan_is_refused_as_a_whole(
    jada: Jada, file: Path, act: Callable[[dict[str, Any]], object], message: str
) -> None:
    planned(jada, file)
    forged(file, act)
    done = jada("apply", str(file), "--yes")
    assert done.exit == Exit.USAGE
    assert message in done.err
    assert "\x1b" not in done.err
    assert jada.engines[1:] == []


def test_a_plan_that_somebody_has_edited_is_refused(jada: Jada, file: Path) -> None:
    planned(jada, file)
    forged(file, lambda plan: hosts_of(plan).pop("web-1"), is_signed=False)
    done = jada("apply", str(file), "--yes")
    assert done.exit == Exit.USAGE
    assert "somebody has changed it since" in done.err


@pytest.mark.parametrize("text", [None, "", "{", "[]", "1", "\x00", "fleet: f", '{"jada": ' * 10_000])
def test_what_is_no_plan_is_told(jada: Jada, file: Path, text: str | None) -> None:
    if text is not None:
        file.write_text(text)
    done = jada("apply", str(file), "--yes")
    assert done.exit == Exit.USAGE
    assert str(file) in done.err
    assert jada.engines == []


def test_a_torn_plan_is_refused_wherever_it_ends(jada: Jada, file: Path) -> None:
    planned(jada, file)
    whole = file.read_text()
    for end in range(0, len(whole) - 2, 97):
        file.write_text(whole[:end])
        assert jada("apply", str(file), "--yes").exit == Exit.USAGE
    assert jada.changed == []


def test_apply_tells_each_event_as_a_line_of_json(jada: Jada, file: Path) -> None:
    planned(jada, file)
    done = jada("apply", str(file), "--yes", "--json")
    *events, report = [checked(line) for line in done.out.splitlines()]
    assert report["schema"] == "jada.apply/1"
    assert {(event["schema"], event["command"]) for event in events} == {("jada.events/1", "apply")}
    assert {event["host"] for event in events if event["event"] == "host_end"} == set(ORDER)


@pytest.mark.parametrize("argv", [("--limit", "web-1"), ("--role", "r"), ("--waves", "1,100%"), ("--no-bake",)])
def test_a_plan_alone_says_which_hosts_and_in_which_waves(jada: Jada, file: Path, argv: tuple[str, ...]) -> None:
    planned(jada, file)
    done = jada("apply", str(file), "--yes", *argv)
    assert (done.exit, "A plan says itself which hosts" in done.err) == (Exit.USAGE, True)


def test_plan_and_apply_take_together_what_an_upgrade_takes() -> None:
    options = {
        command.name: {option.name for option in command.params if option.name != "file"}
        for command in (plan, apply, upgrade)
    }
    only_here = {"preflight_only", "try_request"}
    assert options["plan"] | options["apply"] == options["upgrade"] - only_here
    assert options["apply"] - options["plan"] == {"dry_run", "yes", "lock_wait", "verbose", "failed"}


def test_a_plan_that_can_not_be_written_is_no_plan(jada: Jada, tmp_path: Path) -> None:
    done = jada("plan", "--to", "opus-5", "-o", str(tmp_path / "gone" / "x"))
    assert done.exit == Exit.FAILED
    assert "can't be written" in done.err
