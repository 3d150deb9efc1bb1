"""Checks: the states that count as drift, and those that do not."""

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jada.cli.ui.findings import finding_as_json
from jada.tasks import FILES, checks
from jada.tasks.release import Release
from jada.tasks.settings import SUBAGENT_MODEL
from jada.tasks.state import (
    UNREADABLE,
    Agent,
    File,
    Login,
    ModelReport,
    OpenSession,
    ProcessSpec,
    Settings,
    State,
    UnitSetting,
)

Host = Callable[..., State]
MODEL, OPUS = "claude-sonnet-4.6", "claude-opus-5"
NOW = 1_800_000_000.0
MANAGED = "/etc/claude-code/managed-settings.json"
HOME = "/home/agent"
OURS = "/etc/systemd/system/jada-agent.service.d/50-jada.conf"
THEIRS = "/etc/systemd/system/jada-agent.service.d/60-theirs.conf"
UNASKED = {"report": ModelReport()}
# The process is not the one the release started: somebody restarted the service since.
RESTARTED = {"process": {"ticks": 6000}}
ENV = {"ANTHROPIC_MODEL": OPUS}
WHERE = {"ANTHROPIC_MODEL": "somewhere", "CLAUDE_CONFIG_DIR": "somewhere"}


def codes(state: State) -> list[str]:
    return [finding.code for finding in checks.drift(state)]


def fresh(env: dict[str, str] | None = None, argv: dict[str, str] | None = None, cwd: str = "/srv") -> ProcessSpec:
    return ProcessSpec(env or {}, WHERE, argv or {}, cwd)


def layer(path: str, text: str, changed: float = 0.0) -> tuple[Settings, ...]:
    return (Settings(path, text=text, changed=changed),)


def session(age: float, user: str = "bob") -> OpenSession:
    return OpenSession(900, NOW - age, 1, "pts/0", user, "")


def test_a_healthy_host_is_in_sync(host: Host) -> None:
    assert codes(host()) == []


def asking_for_tiers(host: Host) -> Release:
    release = host().release
    assert release
    desired = replace(release.desired, fallback=(OPUS, "claude-haiku-4.5"), subagent_model="claude-haiku-4.5")
    return replace(release, desired=desired)


@pytest.mark.parametrize(
    ("fallback", "env", "expected"),
    [
        (f'["{OPUS}", "claude-haiku-4.5"]', '"claude-haiku-4.5"', {}),
        (f'["claude-haiku-4.5", "{OPUS}"]', '"claude-haiku-4.5"', {"J124": f"claude-haiku-4.5, {OPUS}"}),
        ("[]", '"claude-haiku-4.5"', {"J124": "none"}),
        (f'["{OPUS}", "claude-haiku-4.5"]', '"****"', {"J125": "****"}),
        (f'["{OPUS}", "claude-haiku-4.5"]', "5", {"J125": "none"}),
    ],
)
def test_a_fallback_or_a_model_of_subagents_that_was_changed(
    host: Host, fallback: str, env: str, expected: dict[str, str]
) -> None:
    text = f'{{"model": "{MODEL}", "fallbackModel": {fallback}, "env": {{"{SUBAGENT_MODEL}": {env}}}}}'
    found = checks.drift(host(release=asking_for_tiers(host), settings={"text": text}))
    assert {finding.code: finding.actual for finding in found} == {
        code: f"{seen} in {HOME}/.claude/settings.json" for code, seen in expected.items()
    }
    assert all(finding.is_error for finding in found)
    # Where the release asks for none, anything will do.
    assert codes(host(settings={"text": text})) == []


def test_of_a_file_that_the_cli_drops_only_that_is_told(host: Host) -> None:
    found = codes(host(release=asking_for_tiers(host), settings={"text": '{"fallbackModel": "x"}'}))
    assert "J101" in found
    assert not {"J124", "J125"} & set(found)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"release": None}, ["J401"]),
        ({"unfinished_transaction": "r2"}, ["J402"]),
        ({"unit": {"loaded": False}}, ["J201"]),
        ({"unit": {"active": "failed"}}, ["J202"]),
        ({"unit": {"active": "activating", "sub": "auto-restart"}}, ["J202"]),
        ({"unit": {"restarts": 3}, "process": {"started": NOW - 5}}, ["J203"]),
        ({"unit": {"restarts": 3}}, ["J207"]),
        ({"unit": {"needs_reload": True}}, ["J205"]),
        ({"unit": {"lacks": (("EnvironmentFile", "/etc/x"),)}}, ["J209"]),
        ({"process": None}, ["J210"]),
        ({"process": None, "release": None}, ["J401", "J210"]),
        # A variable that a script sets each time it starts the service, as the process shows it.
        ({**UNASKED, "process": {"spec": fresh(env=ENV), "respawn": fresh(env=ENV)}}, ["J103", "J105"]),
        ({"process": {"respawn": fresh(env={"CLAUDE_CONFIG_DIR": "/srv/claude"})}}, ["J104"]),
        ({"settings": {"text": '{"model": "claude-sonnet-4.6",}'}}, ["J101"]),
        ({"settings": {"text": '{"model": "claude-sonnet-4.6", "env": []}'}}, ["J101"]),
        ({"settings": {"text": '{"model": "claude-sonnet-4.6", "availableModels": "x"}'}}, ["J101"]),
        ({"settings": {"problem": UNREADABLE}}, ["J101"]),
        ({"unread": ("agents: not all", "projects: more than 500")}, ["J410", "J410"]),
        ({"unread": ("agents: not all",), "release": None}, ["J401", "J410"]),
        ({"layers": layer(MANAGED, "{")}, ["J101"]),
        ({"settings": {"text": '{"model": "claude-haiku-4.5"}'}}, ["J102"]),
        ({"settings": {"text": "{}"}}, ["J102"]),
        ({"settings": {"text": '{"model": 5}'}}, ["J102"]),
        ({"settings": {"file": File("0:0", "644", "b" * 64)}}, ["J107"]),
        ({"layers": layer(MANAGED, '{"model": "claude-opus-5"}')}, ["J103"]),
        ({"layers": layer(MANAGED, '{"env": {"ANTHROPIC_MODEL": "x"}}')}, ["J103"]),
        ({"layers": layer("/srv/.claude/settings.json", '{"model": ""}')}, ["J103"]),
        ({"next_start": fresh(env=ENV)}, ["J103"]),
        ({"next_start": fresh(argv={"model": OPUS})}, ["J103"]),
        ({"next_start": fresh(env={"CLAUDE_CONFIG_DIR": "/srv/claude"})}, ["J104"]),
        (
            {"settings": {"text": '{"model": "claude-sonnet-4.6", "env": {"CLAUDE_CONFIG_DIR": "/srv/claude"}}'}},
            ["J104"],
        ),
        ({"settings": {"text": '{"model": "claude-sonnet-4.6", "availableModels": ["haiku"]}'}}, ["J108"]),
        ({"report": ModelReport("url", "claude-haiku-4.5")}, ["J105"]),
        ({"report": ModelReport("url", error="connection refused")}, ["J105"]),
        ({"report": ModelReport("command", "claude-haiku-4.5")}, ["J105"]),
        # The process has what the unit no longer gives.
        ({**UNASKED, "process": {"spec": fresh(env=ENV)}}, ["J105"]),
        ({**UNASKED, "process": {"spec": fresh(argv={"model": OPUS})}}, ["J105"]),
        # Restarted while a managed file was there that is gone now, or while the file said something else.
        ({**UNASKED, **RESTARTED, "managed_changed": NOW - 50}, ["J106"]),
        ({**UNASKED, "process": {"ticks": 6000}, "settings": {"changed": NOW - 50}}, ["J106"]),
        # Restarted with a managed file that is there still.
        ({**UNASKED, **RESTARTED, "layers": layer(MANAGED, '{"model": "x"}', NOW - 100)}, ["J103", "J105"]),
        ({"process": {"soft": 1024}}, ["J301"]),
        ({"login": Login(1024)}, ["J302"]),
        ({"login": Login(error="pam said no")}, ["J302"]),
        ({"dropin": File("0:0", "644", "f" * 64)}, ["J204"]),
        ({"limits": File()}, ["J204"]),
        (
            {
                "unit": {
                    "nofile": 512,
                    "settings": (
                        UnitSetting(OURS, "LimitNOFILE", "1048576"),
                        UnitSetting(THEIRS, "LimitNOFILE", "512"),
                    ),
                }
            },
            ["J206"],
        ),
        (
            {"layers": layer(f"{HOME}/Documents/repos/x/.claude/settings.json", '{"model": "claude-opus-5"}')},
            ["J110"],
        ),
        ({"login": Login(1_048_576, ENV)}, ["J110"]),
        ({"sessions": (session(age=600),)}, ["J111"]),
    ],
)
def test_each_lie_is_found(host: Host, changes: dict[str, Any], expected: list[str]) -> None:
    findings = checks.drift(host(**changes))
    assert [finding.code for finding in findings] == expected
    assert not any(word in finding.fix_on("web-1") for finding in findings for word in ("UNIT", "HOST"))
    assert not any("HOST" in finding_as_json(finding, "web-1")["fix"] for finding in findings)


@pytest.mark.parametrize(
    ("changes", "code", "fix"),
    [
        ({"unit": {"loaded": False, "load": "not-found"}}, "J201", "install the service on h"),
        (
            {"unit": {"loaded": False, "load": "masked"}},
            "J208",
            "on h: systemctl unmask jada-agent.service; then: jada heal --limit h",
        ),
        (
            {"unit": {"loaded": False, "load": "bad-setting", "error": "x"}},
            "J208",
            "see what is wrong with it on h: systemctl status jada-agent.service; then: jada heal --limit h",
        ),
        (
            {"unit": {"user": "ghost"}},
            "J209",
            "put it back on h, or take it out of the unit; then: jada heal --limit h",
        ),
    ],
)
@pytest.mark.parametrize("is_released", [True, False])
def test_of_a_unit_that_is_none_nothing_else_is_judged(
    host: Host, changes: dict[str, Any], code: str, fix: str, is_released: bool
) -> None:
    """Of such a one systemd tells no user: what would follow from that is no advice to give."""
    nothing = {"settings": Settings(""), "process": None, "dropin": File(), "user": "", "home": "", "uid": 2**32 - 1}
    findings = checks.drift(host(**changes, **nothing, **({} if is_released else {"release": None})))
    assert [finding.code for finding in findings] == [*([] if is_released else ["J401"]), code]
    assert findings[-1].fix_on("h") == fix


def test_a_process_that_the_main_one_started_later_has_read_the_files_then(host: Host) -> None:
    settings = {"text": '{"model": "claude-opus-5"}', "changed": NOW - 20}
    assert checks.running_model(host(settings=settings, **UNASKED)) == MODEL
    assert checks.running_model(host(settings=settings, process={"speaker": 301, "spoke": NOW - 10}, **UNASKED)) == OPUS
    assert (
        checks.running_model(host(settings=settings, process={"speaker": 301, "spoke": NOW - 30}, **UNASKED)) == MODEL
    )


def test_what_was_not_read_is_told_and_thousands_are_counted(host: Host) -> None:
    (finding,) = checks.drift(host(unread=("agents: not all",)))
    assert (finding.expected, finding.actual, finding.severity) == ("all of it read", "agents: not all", "warning")
    many = checks.drift(host(unread=tuple(f"agents: {number}" for number in range(5000))))
    assert len(many) == checks.MOST_UNREAD + 1
    assert many[-1].actual == "4980 more of the kind"


@pytest.mark.parametrize(
    ("changes", "effect"),
    [
        ({"problem": UNREADABLE}, "the Claude CLI then ignores the whole file"),
        ({"text": "{"}, "the Claude CLI then ignores the whole file"),
        ({"problem": "it is not a regular file"}, "what the Claude CLI makes of it is not known"),
        ({"problem": "it has 9000000 bytes, more than the 8388608 that jada reads"}, "makes of it is not known"),
        ({"path": MANAGED, "text": "{"}, "the Claude CLI then refuses to start"),
        ({"path": MANAGED, "problem": "it is not a regular file"}, "what the Claude CLI makes of it is not known"),
    ],
)
def test_what_a_bad_file_does_is_told_as_far_as_it_is_known(host: Host, changes: dict[str, str], effect: str) -> None:
    settings = host(settings=changes).settings
    findings = checks.drift(host(layers=(settings,)) if settings.path == MANAGED else host(settings=changes))
    assert [finding.code for finding in findings] == ["J101"]
    assert findings[0].actual.endswith(effect)
    assert findings[0].actual.startswith(f"{settings.path}: {settings.error}; ")


def test_a_look_says_it_in_the_words_that_are_known_here() -> None:
    assert f'"{UNREADABLE}"' in (FILES / "look" / "shared.sh").read_text()


def test_an_agent_outranks_the_environment(host: Host) -> None:
    agents = (Agent(f"{HOME}/.claude/agents/x.md", "reviewer", OPUS),)
    settings = {"text": '{"model": "claude-sonnet-4.6", "agent": "reviewer"}'}
    assert codes(host(agents=agents, settings=settings)) == ["J103"]
    quiet = (replace(agents[0], model="inherit"), Agent("/elsewhere/agents/x.md", "reviewer", OPUS))
    assert codes(host(agents=quiet, settings=settings)) == []


def test_an_override_counts_for_the_vendors_ids_alone(host: Host) -> None:
    def overridden(model: str) -> State:
        state = host(settings={"text": f'{{"model": "{model}", "modelOverrides": {{"{model}": "arn:x"}}}}'}, **UNASKED)
        assert state.release is not None
        return replace(state, release=replace(state.release, desired=replace(state.release.desired, model=model)))

    assert codes(overridden("claude-sonnet-4-6")) == ["J109"]
    assert codes(overridden("claude-sonnet-4.6")) == []


def test_the_host_can_give_more_by_now(host: Host) -> None:
    assert codes(host(capacity={"nr_open": 1_073_741_816}, login=Login(1_048_576))) == ["J303"]


@pytest.mark.parametrize(
    "changes",
    [
        # The Claude CLI rewrote the file after the release, and the model is still the same.
        {"settings": {"changed": NOW - 10, "file": File("1000:1000", "600", "c" * 64)}, **UNASKED},
        # The host rebooted since.
        {"boot": "boot-2", "process": {"ticks": 17}, **UNASKED},
        # A layer that asks for the same model.
        {"layers": layer(MANAGED, '{"model": "claude-sonnet-4.6"}')},
        # The settings of a project the service does not work in, which name no model.
        {"layers": layer(f"{HOME}/Documents/repos/x/.claude/settings.json", '{"env": {"X": "y"}}')},
        # A lower-ranking default.
        {"next_start": ProcessSpec({"ANTHROPIC_DEFAULT_MODEL": "x"}, {"ANTHROPIC_DEFAULT_MODEL": "somewhere"})},
        {"next_start": fresh(env={"CLAUDE_CONFIG_DIR": "/home/agent/.claude/"})},
        {"next_start": fresh(env={"ANTHROPIC_MODEL": ""})},
        # An agent's file that nothing chooses.
        {"agents": (Agent(f"{HOME}/.claude/agents/x.md", "reviewer", OPUS),)},
        {"settings": {"text": '{"model": "claude-sonnet-4.6", "availableModels": ["sonnet", "opus"]}'}},
        # More than the host can give is clamped to what was released.
        {
            "unit": {
                "nofile": 2_147_483_646,
                "settings": (
                    UnitSetting(OURS, "LimitNOFILE", "1048576"),
                    UnitSetting(THEIRS, "LimitNOFILE", "infinity"),
                ),
            }
        },
        {"sessions": (session(age=60),)},
        # A script sets it, and the service says that it runs another.
        {"process": {"spec": fresh(env=ENV), "respawn": fresh(env=ENV)}},
        # A script takes it away.
        {"next_start": fresh(env=ENV), "process": {"respawn": fresh()}},
        # A transaction is at work right now.
        {"unfinished_transaction": "r2", "running_transaction": "ann"},
    ],
)
def test_the_harmless_is_not_drift(host: Host, changes: dict[str, Any]) -> None:
    assert codes(host(**changes)) == []


def test_a_release_of_the_same_model_makes_no_session_stale(host: Host) -> None:
    release = host().release
    assert release is not None
    same = replace(release, before=replace(release.before, model=MODEL))
    assert codes(host(release=same, sessions=(session(age=600),))) == []


def test_notes_are_no_drift(host: Host) -> None:
    findings = checks.drift(host(sessions=(session(age=600),), unit={"restarts": 2}))
    assert {finding.severity for finding in findings} == {"note"}
    assert not any(finding.is_drift for finding in findings)


def test_the_gravest_comes_first(host: Host) -> None:
    findings = checks.drift(host(sessions=(session(age=600),), login=Login(1), process={"soft": 1}))
    assert [finding.severity for finding in findings] == ["error", "warning", "note"]


def test_running_model_is_known_only_from_what_runs(host: Host) -> None:
    assert checks.running_model(host()) == MODEL
    assert checks.running_model(host(process=None)) == ""
    stale = host(process={"started": 1.0, "ticks": 1}, **UNASKED)
    assert checks.running_model(stale) == ""
    shadowed = host(process={"spec": fresh(env=ENV)}, **UNASKED)
    assert checks.running_model(shadowed) == OPUS
    changed = host(settings={"text": '{"model": "x"}', "changed": NOW}, **UNASKED)
    assert checks.running_model(changed) == MODEL


@pytest.mark.parametrize(("answer", "expected"), [(OPUS, []), (f"{OPUS}[1m]", []), (MODEL, ["J105"])])
def test_a_long_context_is_not_seen_in_what_answers(host: Host, answer: str, expected: list[str]) -> None:
    long = f"{OPUS}[1m]"
    release = host().release
    assert release is not None
    state = host(
        release=replace(release, desired=replace(release.desired, model=long)),
        settings={"text": f'{{"model": "{long}"}}'},
        report=ModelReport("url", answer),
    )
    assert codes(state) == expected
    assert checks.running_model(state) == (MODEL if expected else long)


def test_a_long_context_that_nobody_asked_for_is_another_model(host: Host) -> None:
    assert codes(host(report=ModelReport("url", f"{MODEL}[1m]"))) == ["J105"]


HOSTILE = "/home/a b/$(id)`id`'\"; reboot #/HOST/settings.json"


def fix_of_owner(state: State, host: str) -> str:
    return next(finding.fix_on(host) for finding in checks.drift(state) if finding.code == "J107")


def test_the_command_that_gives_settings_back_is_safe_to_paste(host: Host, tmp_path: Path) -> None:
    """Read by a real shell, with the host's name and the file's path as an attacker would choose them."""
    state = host(settings={"path": HOSTILE, "real": HOSTILE, "file": File("0:0", "644", "a" * 64)})
    fix = fix_of_owner(state, "web'; touch owned; '")
    command = fix.partition(": chown ")[2]
    script = 'chown() { printf "%s\\n" "$@"; }; setpriv() { printf "%s\\n" "$@"; }; chown ' + command
    process = subprocess.run(["sh", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert process.stdout.splitlines() == [
        "1000:1000", "--no-dereference", HOSTILE,
        "--reuid=1000", "--regid=1000", "--clear-groups", "chmod", "600", HOSTILE,
    ]  # fmt: skip
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("file", "path"),
    [
        (File("0;reboot:0", "600"), "/a"),
        (File("0:0", "600;reboot"), "/a"),
        (File("0:0\n", "600"), "/a"),
        (File("agent:agent", "600"), "/a"),
        (File("0:0", "600"), "/a\nreboot"),
        (File("0:0", "600"), "/a\x1b[2J"),
    ],
)
def test_no_command_is_made_of_what_is_no_owner_mode_or_path(host: Host, file: File, path: str) -> None:
    state = host(after={"settings": file}, settings={"path": path, "real": path})
    assert fix_of_owner(state, "web-1") == "chown and chmod it on web-1"


def test_a_units_name_is_one_word_of_the_command_that_fixes(host: Host) -> None:
    state = host(unit={"name": "a\\x2db HOST.service", "active": "failed"})
    findings = next(finding for finding in checks.drift(state) if finding.code == "J202")
    assert "journalctl -u 'a\\x2db HO''ST.service' -n 50" in findings.fix_on("web-1")
