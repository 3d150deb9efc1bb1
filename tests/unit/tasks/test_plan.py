"""Plans of an upgrade and a rollback, decided from one look."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jada import ModelCheck, Service, Tiers
from jada.cli.rollout.confirm import question
from jada.inventory.fleet.config import Fleet
from jada.tasks import checks, plan, release
from jada.tasks.plan import Plan, Request
from jada.tasks.release import Desired
from jada.tasks.settings import apply, models_in, parse
from jada.tasks.state import Capacity, File, HistoryEntry, ModelReport, ProcessSpec, Settings, State, UnitSetting
from jada.tasks.transaction import Result, outcome
from tests.unit.conftest import back_alone

Host = Callable[..., State]
REQUEST = Request("20261124-130000-bbbb", "fleet", "ann@box", "2026-11-24T13:00:00+00:00", 2_147_483_646)
SERVICE = Service(model_check=ModelCheck(url="http://127.0.0.1:8787/healthz"), settle=5)
OPUS = "claude-opus-5"
DROPINS = "/etc/systemd/system/jada-agent.service.d"
# A service's environment by the script that starts it, as the look saw it.
WRAPPED = ProcessSpec(
    {"ANTHROPIC_MODEL": "x"},
    {"ANTHROPIC_MODEL": "the environment of process 301, which its unit does not set"},
    {},
    "/srv",
)


def test_nothing_to_do_on_a_host_that_runs_it(host: Host) -> None:
    planned = plan.upgrade(REQUEST, "r", Tiers("claude-sonnet-4.6"), host(), SERVICE)
    assert planned.transaction is None
    assert not planned.refusal


@pytest.mark.parametrize(
    "changes",
    [
        {"report": ModelReport("url", "x")},
        {"dropin": File()},
        {"process": {"soft": 1}},
        {"release": None},
        {"unit": {"active": "failed"}},
    ],
)
def test_a_host_that_lies_gets_a_release(host: Host, changes: dict[str, object]) -> None:
    assert plan.upgrade(REQUEST, "r", Tiers("claude-sonnet-4.6"), host(**changes), SERVICE).transaction


def test_an_upgrade_by_fleet_yml_says_what_it_takes_away(host: Host) -> None:
    """As after `jada upgrade --to`, or where somebody changed fleet.yml."""
    by = replace(host().release, who="ann@box", at="2026-11-24T12:00:00+00:00", reason="a try")  # type: ignore[type-var]
    state = host(release=by)
    warning = plan.of_the_file(plan.upgrade(REQUEST, "r", Tiers(OPUS), state, SERVICE), "r", state)
    assert warning == (
        "this takes claude-sonnet-4.6 away, which release 20261124-120000-aaaa (ann@box, 2026-11-24T12:00:00+00:00: "
        "a try) gave: fleet.yml asks for claude-opus-5 of role r. To keep it, name it there, or with --to"
    )
    assert plan.of_the_file(plan.upgrade(REQUEST, "r", Tiers("claude-sonnet-4.6"), state, SERVICE), "r", state) == ""
    new = host(release=None)
    assert plan.of_the_file(plan.upgrade(REQUEST, "r", Tiers(OPUS), new, SERVICE), "r", new) == ""


def test_restart_forces_a_release(host: Host) -> None:
    forced = replace(REQUEST, restart=True)
    assert plan.upgrade(forced, "r", Tiers("claude-sonnet-4.6"), host(), SERVICE).transaction


def test_the_diff_shows_the_change_and_no_secret(host: Host) -> None:
    one_line = '{"env":{"TOKEN":"' + "*" * 200 + '"},"model":"claude-haiku-4.5","z":"' + "*" * 200 + '"}'
    planned = plan.upgrade(REQUEST, "r", Tiers(OPUS), host(settings={"text": one_line}), SERVICE)
    old = [line for line in planned.diff[0] if line.startswith("-…")]
    new = [line for line in planned.diff[0] if line.startswith("+…")]
    assert len(old) == len(new) == 1
    assert old[0].replace("claude-haiku-4.5", OPUS)[1:] == new[0][1:]
    assert len(old[0]) < 200
    assert planned.diff[-1] == ("restart jada-agent.service",)


ODD_MODELS = (
    *('"\\ud800"', '"a\\nb"', '"\\u202e[/x]"', '"\\u0000"', '"' + "x" * 10_000 + '"'),
    *('{"id": ["\\ud800"]}', "[" * 500 + "]" * 500),
)


@pytest.mark.parametrize("model", ODD_MODELS)
def test_whatever_stands_for_the_model_a_host_can_be_upgraded(host: Host, model: str) -> None:
    state = host(release=None, settings={"text": f'{{"model": {model}}}'})
    planned = plan.upgrade(REQUEST, "r", Tiers(OPUS), state, SERVICE)
    assert planned.transaction
    assert planned.transaction.release.before == Desired("", 0)
    assert release.Release.from_json(planned.transaction.release.to_json()) == planned.transaction.release
    assert OPUS in planned.transaction.script()
    _, removed, added = planned.diff[0]
    assert len(removed) < 200
    assert removed.isascii() or "…" in removed
    assert added == f'+{{"model": "{OPUS}"}}'


def test_a_host_that_was_put_back_to_an_odd_model_is_in_sync(host: Host) -> None:
    text = '{"model": "\\ud800"}'
    up = plan.upgrade(REQUEST, "r", Tiers(OPUS), host(release=None, settings={"text": text}), SERVICE).transaction
    assert up
    back = back_alone(replace(REQUEST, id="20261124-140000-cccc"), host(release=up.release), SERVICE)
    assert back.transaction
    state = host(release=back.transaction.release, settings={"text": text})
    assert not [finding for finding in checks.drift(state) if finding.code in ("J102", "J105", "J106")]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"user": "x y"}, "the user 'x y' can't have limits"),
        ({"user": "0"}, "the user '0' can't have limits"),
        ({"capacity": Capacity(0, True, 1, 1)}, "nofile is 0"),
    ],
)
def test_what_can_be_written_nowhere_is_refused_for_that_host(
    host: Host, changes: dict[str, object], expected: str
) -> None:
    planned = plan.upgrade(REQUEST, "r", Tiers(OPUS), host(**changes), SERVICE)
    assert expected in planned.refusal
    assert planned.transaction is None
    assert back_alone(REQUEST, host(**changes), SERVICE).transaction


def test_a_limits_file_of_an_unknown_release_is_not_guessed_at(host: Host) -> None:
    planned = plan.upgrade(REQUEST, "r", Tiers(OPUS), host(release=None), SERVICE)
    (limits,) = [diff for diff in planned.diff if diff[0].startswith("--- /etc/security")]
    assert not [line for line in limits[1:] if line.startswith("-")]


ALL = Tiers("claude-sonnet-4.6", (OPUS,), "claude-haiku-4.5")


def test_one_transaction_has_the_edits_of_all_models(host: Host) -> None:
    state = host()
    planned = plan.upgrade(REQUEST, "r", ALL, state, SERVICE)
    assert planned.diff[0] == (
        "--- ~/.claude/settings.json",
        f'+"fallbackModel": ["{OPUS}"],',
        '-"env": {"TOKEN": "****"}',
        '+"env": {"CLAUDE_CODE_SUBAGENT_MODEL": "claude-haiku-4.5", "TOKEN": "****"}',
    )
    assert planned.transaction
    edited = apply(state.settings.text or "", planned.transaction.splices)
    assert models_in(parse(edited)) == ALL
    script = planned.transaction.script()
    assert f"SIZE={len(edited)}\n" in script
    assert "TOKEN" not in script
    done = host(release=planned.transaction.release, settings={"text": edited}, after={})
    assert plan.upgrade(REQUEST, "r", ALL, done, SERVICE).transaction is None
    # A release that asks for less leaves it as it stands.
    less = plan.upgrade(replace(REQUEST, id="20261124-140000-cccc"), "r", Tiers(ALL.model), done, SERVICE).transaction
    assert less
    assert less.splices == ()
    assert less.release.before.tiers == ALL


def test_a_way_back_says_which_other_models_it_takes_away(host: Host) -> None:
    up = plan.upgrade(REQUEST, "r", ALL, host(), SERVICE).transaction
    assert up
    back = back_alone(replace(REQUEST, id="20261124-140000-cccc"), host(release=up.release), SERVICE)
    assert back.diff[0][5:] == (
        f"-fallback {OPUS}",
        "+fallback not asked for",
        "-model of subagents claude-haiku-4.5",
        "+model of subagents not asked for",
    )


def test_edits_side_by_side_are_told_as_one(host: Host) -> None:
    text = '{"model":"x","fallbackModel":["y"],"z":"' + "*" * 100 + '","env":{"T":"**"}}'
    planned = plan.upgrade(REQUEST, "r", ALL, host(settings={"text": text}), SERVICE)
    assert [line[0] for line in planned.diff[0][1:]] == ["-", "+", "-", "+"]
    assert planned.diff[0][1].startswith('-{"model":"x","fallbackModel":["y"],"z":"***')
    assert planned.diff[0][2].startswith(f'+{{"model":"claude-sonnet-4.6","fallbackModel":["{OPUS}"],"z":"***')


def test_a_missing_file_is_made(host: Host) -> None:
    bare = host(settings=Settings("/home/agent/.claude/settings.json", real="/home/agent/.claude/settings.json"))
    planned = plan.upgrade(REQUEST, "r", Tiers(OPUS), bare, SERVICE)
    assert planned.transaction
    assert [splice.insert for splice in planned.transaction.splices] == ['{\n  "model": "claude-opus-5"\n}\n']
    assert "EXPECTED=absent" in planned.transaction.script()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"settings": {"text": '{\n "a": 1,\n}'}}, "/home/agent/.claude/settings.json: line 2, column 8"),
        ({"unit": {"loaded": False}}, "knows no jada-agent.service"),
        ({"settings": {"text": ""}}, "the file is empty"),
        (
            {"next_start": ProcessSpec({"ANTHROPIC_MODEL": "x"}, {"ANTHROPIC_MODEL": "/etc/default/a"})},
            "changing /home/agent/.claude/settings.json would not do: x from ANTHROPIC_MODEL in /etc/default/a",
        ),
        (
            {"next_start": ProcessSpec({"CLAUDE_CONFIG_DIR": "/srv"}, {"CLAUDE_CONFIG_DIR": "/etc/default/a"})},
            "CLAUDE_CONFIG_DIR=/srv in /etc/default/a",
        ),
        ({"settings": {"text": '{"availableModels": ["haiku"]}'}}, "not in availableModels"),
        # A trouble that the look shows is refused before anything is restarted.
        (
            {"unit": {"settings": (UnitSetting(f"{DROPINS}/override.conf", "LimitNOFILE", "4096"),)}},
            f"{DROPINS}/override.conf is read after jada's own 50-jada.conf and sets LimitNOFILE=4096, where 1048576",
        ),
        (
            {
                "unit": {
                    "settings": (UnitSetting("/run/systemd/system/service.d/60-x.conf", "LimitNOFILE", "1:infinity"),)
                }
            },
            "service.d/60-x.conf is read after",
        ),
        (
            {"report": ModelReport("url", error="x", unable="curl is not installed there")},
            "`model_check.url` of fleet.yml, curl is not",
        ),
        (
            {"report": ModelReport("command", error="x", unable="its command is not found there")},
            "`model_check.command` of fleet.yml, its command",
        ),
        ({"process": None, "unit": {"kind": "oneshot"}}, "active without a process (Type=oneshot)"),
        (
            {"unit": {"lacks": (("EnvironmentFile", "/etc/x"),)}},
            "would not start again: EnvironmentFile=/etc/x is not there",
        ),
        (
            {"unit": {"loaded": False, "load": "masked"}, "user": ""},
            "jada-agent.service is masked; systemctl unmask jada-agent.service there first, nothing was touched",
        ),
        (
            {"unit": {"loaded": False, "load": "bad-setting", "error": "Unit has a bad setting."}, "user": ""},
            "systemd calls it bad-setting: Unit has a bad setting.; fix that first",
        ),
        ({"unit": {"user": "ghost"}, "user": ""}, "User=ghost of jada-agent.service is no user of this host"),
        (
            {
                "reloaded": ProcessSpec(
                    {"ANTHROPIC_MODEL": "x"}, {"ANTHROPIC_MODEL": f"Environment= of {DROPINS}/60-x.conf"}
                )
            },
            f"would not do: x from ANTHROPIC_MODEL in Environment= of {DROPINS}/60-x.conf; fix that first",
        ),
        (
            {"process": {"respawn": WRAPPED}, "report": ModelReport()},
            "would not do: x from ANTHROPIC_MODEL in the environment of process 301, which its unit does not set; fix "
            "that first, or restart the service if nothing sets it any more",
        ),
    ],
)
def test_a_change_that_could_not_work_is_refused(host: Host, changes: dict[str, object], expected: str) -> None:
    planned = plan.upgrade(REQUEST, "r", Tiers(OPUS), host(**changes), SERVICE)
    assert planned.transaction is None
    assert expected in planned.refusal


@pytest.mark.parametrize(
    "changes",
    [
        # Ours is read after it; it gives what ours gives; it is clamped to that; systemd ignores it.
        {"unit": {"settings": (UnitSetting(f"{DROPINS}/40-x.conf", "LimitNOFILE", "4096"),)}},
        {"unit": {"settings": (UnitSetting("/etc/systemd/system/jada-agent.service", "LimitNOFILE", "4096"),)}},
        {"unit": {"settings": (UnitSetting(f"{DROPINS}/60-x.conf", "LimitNOFILE", "1048576:infinity"),)}},
        {"unit": {"settings": (UnitSetting(f"{DROPINS}/60-x.conf", "LimitNOFILE", "infinity"),)}},
        {"unit": {"settings": (UnitSetting(f"{DROPINS}/60-x.conf", "LimitNOFILE", ""),)}},
        {"unit": {"settings": (UnitSetting(f"{DROPINS}/60-x.conf", "LimitNOFILE", "5000:4000"),)}},
        # The service does not answer now, which a restart may fix.
        {"report": ModelReport("url", error="nothing accepts connections there")},
        # It says that it does not use what the script sets.
        {"process": {"spec": WRAPPED, "respawn": WRAPPED}},
    ],
    ids=str,
)
def test_a_change_that_may_work_is_not_refused(host: Host, changes: dict[str, Any]) -> None:
    planned = plan.upgrade(REQUEST, "r", Tiers(OPUS), host(**changes), SERVICE)
    assert planned.transaction is not None, planned.refusal


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"unit": {"active": "inactive", "result": "success"}, "process": None}, "this starts it"),
        ({"unit": {"active": "failed", "result": "exit-code"}, "process": None}, "failed, exit-code"),
        ({"settings": {"names": 2}}, "has 2 names (hard links)"),
    ],
)
def test_what_comes_with_a_change_is_told_beforehand(host: Host, changes: dict[str, Any], expected: str) -> None:
    planned = plan.upgrade(REQUEST, "r", Tiers(OPUS), host(**changes), SERVICE)
    assert planned.transaction is not None
    assert [note for note in planned.notes if expected in note]


def test_a_way_back_starts_a_stopped_service_too(host: Host) -> None:
    state = host(unit={"active": "inactive"}, process=None)
    assert (
        "jada-agent.service does not run now (inactive, success): this starts it"
        in back_alone(REQUEST, state, SERVICE).notes
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"capacity": {"nr_open": 10}},
        {"capacity": {"can_raise": False, "hard_pid1": 1023}},
        {"capacity": {"can_raise": False, "hard_login": 10}},
    ],
    ids=str,
)
def test_no_host_brings_its_limit_below_what_root_needs(host: Host, changes: dict[str, Any]) -> None:
    """Whatever it says of its kernel: with ten open files neither sudo nor jada's own look works there any more."""
    planned = plan.upgrade(REQUEST, "r", Tiers(OPUS), host(**changes), SERVICE)
    assert planned.transaction is None
    assert re.match("nofile is (10|1023): with fewer than 1024 open files", planned.refusal)
    assert planned.refusal.endswith("; nothing was touched")


def test_a_limit_that_a_manifest_asks_for_is_refused_where_it_is_too_small(host: Host) -> None:
    """`jada heal` takes what was asked for from there."""
    planned = plan.upgrade(replace(REQUEST, nofile=10), "r", Tiers(OPUS), host(), SERVICE)
    assert planned.transaction is None
    assert planned.refusal.startswith("nofile is 10: ")


@pytest.mark.parametrize("nofile", [0, 10])
def test_what_can_not_be_stands_in_the_way_of_no_upgrade(host: Host, nofile: int) -> None:
    """A limit that the manifest on the host tells: what is written next is good."""
    state = host(release=replace(host().release, desired=Desired(OPUS, nofile, 10, "20261124-120000-aaaa")))  # type: ignore[type-var]
    planned = plan.upgrade(REQUEST, "r", Tiers(OPUS), state, SERVICE)
    assert planned.transaction is not None
    assert "+LimitNOFILE=1048576" in [line for diff in planned.diff for line in diff]


@pytest.mark.parametrize(
    ("capacity", "service", "login", "why"),
    [
        ((1_048_576, True, 524_288, 524_288), 1_048_576, 1_048_576, "the kernel's fs.nr_open"),
        ((1_048_576, False, 20_000, 10_000), 20_000, 10_000, "systemd's hard limit"),
        ((2_147_483_584, True, 1, 1), 2_147_483_584, 2_147_483_584, "the kernel's fs.nr_open"),
    ],
)
def test_the_limit_is_the_most_the_host_can_give(
    host: Host, capacity: tuple[int, bool, int, int], service: int, login: int, why: str
) -> None:
    names = ("nr_open", "can_raise", "hard_pid1", "hard_login")
    before = {"desired": Desired("claude-sonnet-4.6", 4096, 4096, "20261124-120000-aaaa")}
    state = host(capacity=dict(zip(names, capacity, strict=True)), limits=File(), release=before)
    planned = plan.upgrade(REQUEST, "r", Tiers(OPUS), state, SERVICE)
    assert planned.transaction
    assert planned.transaction.release.desired == Desired(OPUS, service, 2_147_483_646, REQUEST.id)
    assert f"+agent soft nofile {login}" in planned.diff[2]
    assert planned.notes == (f"open files: {service}, the most that the host can give ({why})",)
    # A limit that the release before gave already is no news.
    known = {"desired": replace(planned.transaction.release.desired, model="x")}
    assert (
        plan.upgrade(REQUEST, "r", Tiers(OPUS), replace(state, release=host(release=known).release), SERVICE).notes
        == ()
    )


def test_an_upgrade_that_takes_the_long_context_away_says_so(host: Host) -> None:
    state = host(settings={"text": '{"model": "claude-sonnet-4-6[1m]"}'})
    notes = [note for note in plan.upgrade(REQUEST, "r", Tiers(OPUS), state, SERVICE).notes if "[1m]" in note]
    assert notes == [
        "settings.json asks for claude-sonnet-4-6[1m], with a context of a million tokens, and claude-opus-5 is "
        "asked for without; 'claude-opus-5[1m]' would keep it, where that model has one"
    ]
    planned = plan.upgrade(REQUEST, "r", Tiers(f"{OPUS}[1m]"), state, SERVICE)
    assert planned.transaction is not None
    assert planned.notes == plan.upgrade(REQUEST, "r", Tiers(OPUS), host(), SERVICE).notes
    assert f'+{{"model": "{OPUS}[1m]"}}' in planned.diff[0]
    assert any(f"JADA_MODEL={OPUS}[1m] " in line for line in planned.diff[1])


def test_rollback_goes_back_and_redo_forward_again(host: Host) -> None:
    first = back_alone(REQUEST, host(), SERVICE)
    assert first.transaction
    back = first.transaction.release
    assert (back.kind, back.desired.model, back.restores) == ("rollback", "claude-haiku-4.5", "20261124-120000-aaaa")
    assert "back to what it had before jada" in first.diff[0][0]
    again = replace(REQUEST, id="20261124-140000-cccc")
    state = host(release=back, settings={"text": '{"model": "claude-haiku-4.5"}'}, report={"model": "claude-haiku-4.5"})
    assert back_alone(again, state, SERVICE) == Plan(idle="already on claude-haiku-4.5")
    second = plan.redo(again, "r", host(release=back), SERVICE, back.change)
    assert second.transaction
    forward = second.transaction.release
    assert (forward.desired.model, forward.desired.release, forward.restores) == (
        "claude-sonnet-4.6",
        "20261124-120000-aaaa",
        REQUEST.id,
    )
    assert "forward again to release 20261124-120000-aaaa" in second.diff[0][0]


@pytest.mark.parametrize("later", ["20251124-140000-cccc", "20271124-140000-cccc"])
def test_a_wrong_clock_turns_no_direction(host: Host, later: str) -> None:
    """Undoing an upgrade goes back and undoing a rollback goes forward, whatever the ids say of the time."""
    older, newer = Desired("claude-haiku-4.5", 1, 1, "20261124-120000-aaaa"), Desired(OPUS, 1, 1, later)
    up = release.Release(later, "upgrade", newer, older)
    line = back_alone(REQUEST, host(release=up), SERVICE).diff[0][0]
    assert line.startswith("back to release 20261124-120000-aaaa,")
    back = release.Release(later, "rollback", older, newer)
    assert back_alone(REQUEST, host(release=back), SERVICE).transaction is None
    line = plan.redo(REQUEST, "r", host(release=back), SERVICE, later).diff[0][0]
    assert line.startswith(f"forward again to release {later},")


def test_what_lies_further_back_is_never_forward(host: Host) -> None:
    first, second = "20261121-120000-aaaa", "20261122-120000-bbbb"
    opus, haiku = Desired(OPUS, 1, 1, first), Desired("claude-haiku-4.5", 1, 1, second)
    back = release.Release("20261123-120000-cccc", "rollback", opus, haiku)
    current = release.Release("20261124-120000-dddd", "upgrade", Desired("x", 1, 1, "20261124-120000-dddd"), opus)
    state = host(release=current, history=(HistoryEntry(back, ""), HistoryEntry(current, "")))
    line = back_alone(REQUEST, state, SERVICE, second).diff[0][0]
    assert line.startswith(f"back to release {second},")


def test_rollback_names_a_host_jada_never_changed(host: Host) -> None:
    assert "never changed this host" in back_alone(REQUEST, host(release=None), SERVICE).refusal


def test_rollback_says_when_an_edit_would_go(host: Host) -> None:
    edited = host(settings={"file": File("1000:1000", "600", "9" * 64)})
    assert "was edited since" in back_alone(REQUEST, edited, SERVICE).notes[0]


def test_a_release_survives_its_manifest(host: Host) -> None:
    current = host().release
    assert current
    assert release.Release.from_json(current.to_json()) == current


def test_ids_sort_by_time() -> None:
    assert re.fullmatch(r"\d{8}-\d{6}-[0-9a-f]{4}", release.new_id())


def test_the_script_quotes_what_it_is_given(host: Host) -> None:
    nasty = host(settings={"path": "/home/a'; touch /tmp/x; '/.claude/settings.json"})
    transaction = plan.upgrade(REQUEST, "r", Tiers(OPUS), nasty, SERVICE).transaction
    assert transaction
    assert """SETTINGS='/home/a'"'"'; touch /tmp/x; '"'"'/.claude/settings.json'""" in transaction.script()


def test_outcomes() -> None:
    reported = outcome(["step check", "step snapshot", "result restored", "reason it crashed"])
    assert reported
    assert (reported.result, reported.reason, reported.steps) == (Result.RESTORED, "it crashed", ("check", "snapshot"))
    assert outcome(["step check"]) is None


def test_an_outcome_has_the_log_of_the_start_that_failed_and_no_more() -> None:
    reported = outcome(
        ["result restored", "reason it crashed", *(f"log line {n}\x1b" for n in range(30)), "reason other"]
    )
    assert reported
    assert (reported.reason, len(reported.log), reported.log[0]) == ("it crashed", 20, "line 0\\x1b")
    assert outcome(["log early", "result broken"]).log == ()  # type: ignore[union-attr]


def test_the_question_says_what_it_will_do(host: Host) -> None:
    fleet = Fleet("rehearsal", Path("fleet.yml"), (), ())

    def ask(model: str, *states: State) -> str:
        plans = {str(n): plan.upgrade(REQUEST, "r", Tiers(model), state, SERVICE) for n, state in enumerate(states)}
        return question(fleet, plans)

    one, other = host(), host(release={"desired": Desired("claude-haiku-4.5", 1, 1, "20261124-120000-aaaa")})
    assert ask(OPUS, one) == "Change 1 host of rehearsal from sonnet-4.6 to opus-5 and restart its agent?"
    assert ask(OPUS, one, other) == (
        "Change 2 hosts of rehearsal from haiku-4.5 and sonnet-4.6 to opus-5 and restart their agents?"
    )
    assert ask("claude-sonnet-4.6", host(process={"soft": 1})) == (
        "Change 1 host of rehearsal (the model stays sonnet-4.6) and restart its agent?"
    )
