"""The resolver answers as the Claude CLI 2.1.331 did when each was tried for real (docs/model-precedence.md)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from unittest.mock import Mock

import pytest

from jada.tasks import effective
from jada.tasks.effective import DEFAULT, Effective
from jada.tasks.state import INLINE, UNREADABLE, Agent, ProcessSpec, Settings, State

USER = "/home/agent/.claude/settings.json"
PROJECT, LOCAL = "/srv/.claude/settings.json", "/srv/.claude/settings.local.json"
MANAGED = "/etc/claude-code/managed-settings.json"
D1, D2 = "/etc/claude-code/managed-settings.d/10-a.json", "/etc/claude-code/managed-settings.d/20-b.json"
ELSEWHERE = "/srv/c/settings.json"
AGENTS = (
    Agent("/home/agent/.claude/agents/x.md", "rev", "m-agent"),
    Agent("/home/agent/.claude/agents/y.md", "inherits", "inherit"),
    Agent("/home/agent/.claude/agents/z.md", "oth", "m-other"),
    Agent("/home/agent/.claude/agents/sub/s.md", "deep", "m-deep"),
)
ENV = {"ANTHROPIC_MODEL": "m-env"}


@dataclass(frozen=True)
class Case:
    """Files by path, the environment, the command line; and the model the CLI asked for."""

    model: str
    files: Mapping[str, Any]
    env: Mapping[str, str] = field(default_factory=dict)
    argv: Mapping[str, str] = field(default_factory=dict)
    agents: tuple[Agent, ...] = AGENTS
    cwd: str = "/srv"


def env(name: str, value: str) -> dict[str, dict[str, str]]:
    return {"env": {name: value}}


MODEL = {"model": "m-user"}
MEASURED = {
    "nothing": Case(DEFAULT, {}),
    "user": Case("m-user", {USER: MODEL}),
    "default from the environment": Case("m-d", {}, {"ANTHROPIC_DEFAULT_MODEL": "m-d"}),
    "default from an env block": Case("m-d", {USER: env("ANTHROPIC_DEFAULT_MODEL", "m-d")}),
    "local before project before user": Case("m-l", {USER: MODEL, PROJECT: {"model": "m-p"}, LOCAL: {"model": "m-l"}}),
    "project before user": Case("m-p", {USER: MODEL, PROJECT: {"model": "m-p"}}),
    "another project": Case("m-user", {USER: MODEL, "/srv/sub/.claude/settings.json": {"model": "m-p"}}),
    "a parent's project": Case("m-user", {USER: MODEL, PROJECT: {"model": "m-p"}}, cwd="/srv/sub"),
    "managed before --settings": Case("m-m", {USER: MODEL, MANAGED: {"model": "m-m"}, INLINE: {"model": "m-s"}},
                                      argv={"settings": INLINE}),
    "--settings before local": Case("m-s", {USER: MODEL, LOCAL: {"model": "m-l"}, INLINE: {"model": "m-s"}},
                                    argv={"settings": INLINE}),
    "--settings with a relative file": Case("m-s", {LOCAL: {"model": "m-l"}, "/srv/s.json": {"model": "m-s"}},
                                            argv={"settings": "s.json"}),
    "managed: later names win": Case("m-2", {MANAGED: {"model": "m-m"}, D1: {"model": "m-1"}, D2: {"model": "m-2"}}),
    "env block before the environment": Case("m-e", {USER: env("ANTHROPIC_MODEL", "m-e")}, ENV),
    "the environment before managed": Case("m-env", {MANAGED: {"model": "m-m"}}, ENV),
    "env block of the user before managed": Case("m-e", {USER: env("ANTHROPIC_MODEL", "m-e"), MANAGED: {"model": "m"}}),
    "env blocks: project before user": Case("m-p", {USER: env("ANTHROPIC_MODEL", "m-e"),
                                                    PROJECT: env("ANTHROPIC_MODEL", "m-p")}),
    "env blocks: managed before all": Case("m-m", {INLINE: env("ANTHROPIC_MODEL", "m-e"),
                                                   MANAGED: env("ANTHROPIC_MODEL", "m-m")}, argv={"settings": INLINE}),
    "an empty env block hides the environment": Case("m-user", {USER: {**MODEL, **env("ANTHROPIC_MODEL", "")}}, ENV),
    "an empty variable": Case("m-user", {USER: MODEL}, {"ANTHROPIC_MODEL": ""}),
    "an empty model in the project": Case(DEFAULT, {USER: MODEL, PROJECT: {"model": ""}}),
    "an empty model, and a default": Case("m-d", {USER: {"model": ""}}, {"ANTHROPIC_DEFAULT_MODEL": "m-d"}),
    "a model of null in the project": Case("m-user", {USER: MODEL, PROJECT: {"model": None}}),
    "--model": Case("m-f", {USER: {**MODEL, "agent": "rev"}}, ENV, {"model": "m-f"}),
    "agent": Case("m-agent", {USER: {**MODEL, "agent": "rev"}}),
    "agent before the environment": Case("m-agent", {USER: {**MODEL, "agent": "rev"}}, ENV),
    "agent before managed": Case("m-agent", {USER: {**MODEL, "agent": "rev"}, MANAGED: {"model": "m-m"}}),
    "agent that inherits": Case("m-user", {USER: {**MODEL, "agent": "inherits"}}),
    "agent that is missing": Case("m-user", {USER: {**MODEL, "agent": "nope"}}),
    "agent in a folder of agents": Case("m-deep", {USER: {"agent": "deep"}}),
    "agent chosen by the project": Case("m-agent", {USER: MODEL, PROJECT: {"agent": "rev"}}),
    "agent: managed chooses": Case("m-other", {USER: {**MODEL, "agent": "rev"}, MANAGED: {"agent": "oth"}}),
    "--agent": Case("m-other", {USER: {**MODEL, "agent": "rev"}}, argv={"agent": "oth"}),
    "agent of the project": Case("m-pa", {USER: {**MODEL, "agent": "rev"}},
                                 agents=(*AGENTS, Agent("/srv/.claude/agents/x.md", "rev", "m-pa"))),
    "agent of the administrator": Case("m-ma", {USER: {**MODEL, "agent": "rev"}},
                                       agents=(*AGENTS, Agent("/etc/claude-code/.claude/agents/x.md", "rev", "m-ma"))),
    "CLAUDE_CONFIG_DIR": Case("m-c", {USER: MODEL, ELSEWHERE: {"model": "m-c"}}, {"CLAUDE_CONFIG_DIR": "/srv/c"}),
    "CLAUDE_CONFIG_DIR moves agents": Case("m-c", {USER: MODEL, ELSEWHERE: {"model": "m-c", "agent": "rev"}},
                                           {"CLAUDE_CONFIG_DIR": "/srv/c"}),
    "CLAUDE_CONFIG_DIR in an env block": Case("m-c", {USER: {**MODEL, **env("CLAUDE_CONFIG_DIR", "/srv/c")},
                                                      ELSEWHERE: {"model": "m-c"}}),
    "HOME": Case("m-h", {USER: MODEL, "/srv/h/.claude/settings.json": {"model": "m-h"}}, {"HOME": "/srv/h"}),
    "--setting-sources user": Case("m-user", {USER: MODEL, PROJECT: {"model": "m-p"}},
                                   argv={"setting-sources": "user"}),
    "--setting-sources project": Case("m-p", {USER: MODEL, PROJECT: {"model": "m-p"}, LOCAL: {"model": "m-l"}},
                                      argv={"setting-sources": "project"}),
    "--setting-sources does not stop managed": Case("m-m", {USER: MODEL, MANAGED: {"model": "m-m"}},
                                                    argv={"setting-sources": "project"}),
    "--setting-sources=": Case(DEFAULT, {USER: MODEL, PROJECT: {"model": "m-p"}}, argv={"setting-sources": ""}),
    "dropped whole: a comma": Case(DEFAULT, {USER: '{"model": "m-user",}'}),
    "dropped whole: a comment": Case(DEFAULT, {USER: '{"model": "m-user" /* x */}'}),
    "dropped whole: env is a list": Case(DEFAULT, {USER: {**MODEL, "env": []}}),
    "dropped whole: agent is a number": Case(DEFAULT, {USER: {**MODEL, "agent": 5}}),
    "dropped whole: model is a number": Case(DEFAULT, {USER: {"model": 5}}),
    "dropped whole: permissions is a string": Case(DEFAULT, {USER: {**MODEL, "permissions": "x"}}),
    "dropped whole: availableModels is a string": Case(DEFAULT, {USER: {**MODEL, "availableModels": "m-user"}}),
    "dropped whole: a number in availableModels": Case(DEFAULT, {USER: {**MODEL, "availableModels": [5]}}),
    "dropped whole: a number in modelOverrides": Case(DEFAULT, {USER: {**MODEL, "modelOverrides": {"x": 1}}}),
    "a project's file dropped whole": Case("m-user", {USER: MODEL, PROJECT: {"model": "m-p", "env": "x"}}),
    "a managed file is not dropped for a wrong type": Case("m-m", {USER: MODEL, MANAGED: {"model": "m-m", "env": "x"}}),
    "a BOM": Case("m-user", {USER: '\xef\xbb\xbf{"model": "m-user"}'}),
    "duplicate keys": Case("m-user", {USER: '{"model": "m-1", "model": "m-user"}'}),
}  # fmt: skip
# model, its availableModels, and whether the CLI used it
AVAILABLE = [
    ("claude-sonnet-4-6", ["claude-haiku-4-5"], False),
    ("claude-sonnet-4-6", ["claude-sonnet-4-6"], True),
    ("claude-sonnet-4.6", ["claude-sonnet-4.6"], True),
    ("claude-sonnet-4.6", ["Claude-Sonnet-4.6"], True),
    ("claude-sonnet-4.6", ["sonnet"], True),
    ("claude-sonnet-4-6", ["sonnet"], True),
    ("claude-sonnet-4-6", ["sonnet", "claude-sonnet-4-5"], False),
    ("claude-sonnet-4-5-20250929", ["claude-sonnet-4-5"], True),
    ("claude-sonnet-4-6", ["sonnet-4-6"], True),
    ("claude-sonnet-4.6", ["sonnet-4.6"], True),
    ("claude-sonnet-4.6", ["claude-sonnet"], True),
    ("claude-sonnet-4-6", ["claude-sonnet-4"], True),
    ("claude-sonnet-4.6", ["claude-sonnet-4"], False),
    ("claude-sonnet-4-6", ["claude-sonnet-4.6"], False),
    ("m-user-x", ["m-user"], True),
    ("m-user-x", ["m-us"], False),
    ("claude-sonnet-4-6", [], False),
]
# model, the key of modelOverrides, and whether the CLI sent the override
OVERRIDES = [
    ("claude-sonnet-4-6", "claude-sonnet-4-6", True),
    ("claude-sonnet-4.6", "claude-sonnet-4.6", False),
    ("m-user", "m-user", False),
    ("claude-haiku-4-5-20251001", "claude-haiku-4-5-20251001", True),
    ("claude-haiku-4-5", "claude-haiku-4-5-20251001", False),
    ("claude-haiku-4-5-20251001", "claude-haiku-4-5", False),
]


Resolve = Callable[[Case], Effective]


@pytest.fixture
def with_files(host: Callable[..., State]) -> Callable[[Case], State]:
    """A host with the files of a case."""

    def make(case: Case) -> State:
        texts = {path: data if isinstance(data, str) else json.dumps(data) for path, data in case.files.items()}
        layers = tuple(Settings(path, text=text) for path, text in texts.items() if path != USER)
        return host(settings={"text": texts.get(USER)}, layers=layers, agents=case.agents)

    return make


@pytest.fixture
def resolve(with_files: Callable[[Case], State]) -> Resolve:
    def resolved(case: Case) -> Effective:
        where = dict.fromkeys(case.env, "the unit")
        return effective.resolve(with_files(case), ProcessSpec(case.env, where, case.argv, case.cwd))

    return resolved


@pytest.mark.parametrize("case", MEASURED.values(), ids=MEASURED)
def test_it_answers_as_the_cli_did(resolve: Resolve, case: Case) -> None:
    resolved = resolve(case)
    assert resolved.model == case.model
    assert [origin.model for origin in resolved.chain if not origin.rejected_because] == [case.model]


@pytest.mark.parametrize(("model", "listed", "used"), AVAILABLE)
def test_available_models(resolve: Resolve, model: str, listed: list[str], used: bool) -> None:
    resolved = resolve(Case("", {USER: {"model": model, "availableModels": listed}}))
    assert (resolved.model, resolved.blocked_by) == ((model, "") if used else (DEFAULT, USER))


def test_available_models_of_the_administrator_stand_alone(resolve: Resolve) -> None:
    mine = {"model": "claude-sonnet-4-6", "availableModels": ["claude-sonnet-4-6"]}
    resolved = resolve(Case("", {USER: mine, MANAGED: {"availableModels": ["claude-haiku-4-5"]}}))
    assert (resolved.model, resolved.blocked_by) == (DEFAULT, MANAGED)
    # The lists of the user and the project are put together.
    resolved = resolve(Case("", {USER: mine, PROJECT: {"availableModels": ["claude-haiku-4-5"]}}))
    assert resolved.model == "claude-sonnet-4-6"


@pytest.mark.parametrize(("model", "key", "sent"), OVERRIDES)
def test_model_overrides(resolve: Resolve, model: str, key: str, sent: bool) -> None:
    resolved = resolve(Case("", {USER: {"model": model, "modelOverrides": {key: "arn:x"}}}))
    assert (resolved.model, resolved.replaced_by) == (("arn:x", USER) if sent else (model, ""))


def test_the_strongest_override_wins(resolve: Resolve) -> None:
    files = {path: {"modelOverrides": {"claude-sonnet-4-6": path}} for path in (USER, PROJECT)}
    files[USER]["model"] = "claude-sonnet-4-6"  # type: ignore[assignment]
    assert resolve(Case("", files)).model == PROJECT


def test_the_chain_says_why_each_lost(resolve: Resolve) -> None:
    files = {USER: MODEL, MANAGED: {"model": "m-m"}, PROJECT: '{"model": "m-p",}', LOCAL: env("ANTHROPIC_MODEL", "")}
    assert [(origin.model, origin.rejected_because) for origin in resolve(Case("", files, ENV)).chain] == [
        ("m-env", f"hidden by the empty ANTHROPIC_MODEL in the env of {LOCAL}"),
        ("m-m", ""),
        ("m-user", "outranked"),
        (DEFAULT, "outranked"),
        ("?", "dropped whole: line 1, column 16: there is a comma after the last item"),
    ]


@pytest.mark.parametrize(
    ("problem", "reason"),
    [
        (UNREADABLE, f"dropped whole: {UNREADABLE}"),
        ("it is not a regular file", "not known: it is not a regular file"),
    ],
)
def test_of_a_file_that_jada_could_not_read_it_does_not_say_what_becomes(
    with_files: Callable[[Case], State], problem: str, reason: str
) -> None:
    state = with_files(Case("", {USER: MODEL}))
    state = replace(state, settings=replace(state.settings, text="", problem=problem))
    assert effective.resolve(state, state.next_start).chain[-1].rejected_because == reason


def test_settings_that_are_not_read_are_told(resolve: Resolve) -> None:
    resolved = resolve(Case("", {USER: MODEL}, argv={"setting-sources": "project"}))
    assert resolved.chain[-1].rejected_because == "not read: --setting-sources on the command line"
    resolved = resolve(Case("", {USER: MODEL}, {"CLAUDE_CONFIG_DIR": "/srv/c"}))
    assert (
        resolved.chain[-1].rejected_because
        == f"not read: {resolved.relocated_by}"
        == "not read: CLAUDE_CONFIG_DIR=/srv/c in the unit"
    )


def test_sessions_by_hand_are_at_home_and_in_projects(with_files: Callable[[Case], State]) -> None:
    paths = [
        "/home/agent/repos/one/.claude/settings.json",
        "/home/agent/repos/.claude/settings.local.json",
        PROJECT,
        MANAGED,
    ]
    sessions = effective.of_open_sessions(with_files(Case("", {path: {} for path in paths})))
    # Not where the service itself works.
    assert [launch.cwd for launch, _ in sessions] == ["/home/agent", "/home/agent/repos", "/home/agent/repos/one"]


@pytest.mark.parametrize("count", [1, 100])
def test_the_files_of_a_host_are_gathered_once_however_many_projects_there_are(
    with_files: Callable[[Case], State], count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = with_files(Case("", {f"/home/agent/{number}/.claude/settings.json": MODEL for number in range(count)}))
    gather = Mock(wraps=effective._known)
    monkeypatch.setattr(effective, "_known", gather)
    assert len(list(effective.of_open_sessions(state))) == count + 1
    assert gather.call_count == 1


def test_a_list_of_models_that_says_one_a_thousand_times_is_compared_once(
    resolve: Resolve, monkeypatch: pytest.MonkeyPatch
) -> None:
    compare = Mock(return_value=True)
    monkeypatch.setattr(effective, "_listed", compare)
    resolve(Case("", {USER: {**MODEL, "availableModels": ["opus", "Opus"] * 1000}}))
    compare.assert_called_once_with("m-user", ["opus"])


def test_how_a_service_would_start_is_worked_out_once_for_a_look(
    host: Callable[..., State], monkeypatch: pytest.MonkeyPatch
) -> None:
    """To judge a host, and to tell of it, asks for that many times."""
    again = ProcessSpec(cwd="/srv", env={"X": "y"}, where={"X": "the unit"})
    state, other = host(process={"respawn": again}), host(process={"respawn": again})
    assert effective.next_start(state) is again
    work = Mock(wraps=effective._resolve)
    monkeypatch.setattr(effective, "_resolve", work)
    list(effective.of_open_sessions(state))
    assert effective.next_start(state) is again
    assert not [call for call in work.call_args_list if call.args[1] is state.process.spec]  # type: ignore[union-attr]
    # Of another look nothing is known, though it saw the same.
    effective.next_start(other)
    assert work.call_args.args[0] is other
