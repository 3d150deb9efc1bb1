"""The questions to a host before a change, and its answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from jada.tasks.frames import OF_PROBE, Fields, LookError
from jada.tasks.probe import Answer, Disk, Endpoint, Question, question, read_probe
from jada.tasks.state import INLINE, ProcessSpec, Settings, State
from tests.frames import Values, frames, packed

ASKED = Question(model="claude-opus-5")


def said(fields: Values) -> list[str]:
    return packed(frames(fields) + frames({}))


def test_the_settings_that_count_are_named_the_weakest_first(host: Callable[..., State]) -> None:
    spec = ProcessSpec(cwd="/srv", argv={"settings": "own.json"})
    layers = tuple(
        Settings(path, text="{}") for path in ("/etc/claude-code/managed-settings.json", "/srv/own.json", "/other.json")
    )
    state = host(process={"spec": spec}, layers=layers)
    assert question(state, "claude-opus-5[1m]") == Question(
        model="claude-opus-5",
        files=("/home/agent/.claude/settings.json", "/srv/own.json", "/etc/claude-code/managed-settings.json"),
    )


def test_a_helper_is_known_and_settings_on_the_command_line_can_not_be_read(host: Callable[..., State]) -> None:
    assert question(host(settings={"text": '{"apiKeyHelper": "****"}'}), "m").has_helper
    spec = ProcessSpec(argv={"settings": INLINE})
    inline = Settings(INLINE, text='{"env": {"ANTHROPIC_BASE_URL": "****"}}')
    asked = question(host(process={"spec": spec}, layers=(inline,)), "m")
    assert "command line" in asked.why_not
    assert asked.files == ("/home/agent/.claude/settings.json",)
    inline = Settings(INLINE, text='{"env": {"OTHER": "****"}}')
    assert question(host(process={"spec": spec}, layers=(inline,)), "m").why_not == ""


def test_what_a_host_answers() -> None:
    fields: Values = {"endpoint.answer": "404 0 yes\n", "disk+": ("/etc\n1000\n7\n9", "/p\n5\n0\n0")}
    probe = read_probe(said(fields), ASKED)
    assert probe.endpoint == Endpoint(status=404, names=True)
    assert probe.disks == (Disk(path="/etc", free=1000, inodes=7), Disk(path="/p", free=5, inodes=-1))


@pytest.mark.parametrize(
    ("code", "why"),
    [("80", "no curl"), ("83", "claude.ai"), ("50", "no process"), ("124", "30 s"), ("99", "ended with 99")],
)
def test_why_an_endpoint_was_not_asked(code: str, why: str) -> None:
    assert why in read_probe(said({"endpoint.code": code}), ASKED).endpoint.why_not


def test_what_was_not_asked_has_no_answer() -> None:
    asked = Question(model="m", why_not="nobody knows")
    assert read_probe(said({}), asked).endpoint == Endpoint(why_not="nobody knows")


@pytest.mark.parametrize(
    "fields",
    [
        {"endpoint.answer": "200 0 sk-ant-secret"},
        {"endpoint.answer": "200 0 yes\nmore"},
        {"endpoint.answer": ""},
        {"disk+": "/p\n1\n2"},
        {"disk+": "/p\n-1\n2\n3"},
        {"disk+": "/p\nmuch\n2\n3"},
        {"user": "agent"},
    ],
)
def test_nonsense_is_no_answer(fields: Values) -> None:
    with pytest.raises(LookError):
        read_probe(said({"endpoint.answer": "200 0 yes", **fields}), ASKED)


@pytest.mark.parametrize(
    ("fields", "answer"),
    [
        ({"request.answer": "served claude-haiku-4-5\n"}, Answer(served="claude-haiku-4-5")),
        ({"request.answer": "refused 404\n"}, Answer(status=404)),
        ({"request.answer": "served <synthetic>"}, Answer(why_not="what its CLI said is no answer")),
        ({"request.answer": ""}, Answer(why_not="what its CLI said is no answer")),
        ({"request.code": "76"}, Answer(why_not="the Claude CLI ended without an answer")),
    ],
)
def test_the_answer_to_a_request(fields: Values, answer: Answer) -> None:
    probe = read_probe(said({"endpoint.code": "80", **fields}), replace(ASKED, request=True))
    assert probe.request == answer
    assert read_probe(said({"endpoint.code": "80", **fields}), ASKED).request is None


def test_every_field_of_an_answer_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    read_fields = {"end", "over+"}
    for method in ("__contains__", "__getitem__", "get", "rows"):
        real = getattr(Fields, method)

        def ask(self: Fields, name: str, *rest: object, real: Callable[..., object] = real) -> object:
            read_fields.add(name)
            return real(self, name, *rest)

        monkeypatch.setattr(Fields, method, ask)
    read_probe(said({"endpoint.code": "80"}), ASKED)
    read_probe(said({"endpoint.answer": "200 0 yes", "request.answer": ""}), replace(ASKED, request=True))
    assert read_fields == set(OF_PROBE)
