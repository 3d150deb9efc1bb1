"""The answer of the service's own CLI, which its user can have say anything (tasks/asked.py)."""

from __future__ import annotations

import json

import pytest

from jada.tasks.asked import Asked, read_answer, read_asked
from jada.tasks.frames import Fields, LookError
from tests.frames import frames, packed

ANSWER = {"type": "******", "model": "claude-sonnet-4-6", "claude_code_version": "2.1.332"}


def said(text: str, by: str = "process") -> dict[str, str]:
    return {"asked.by": by, "asked.size": str(len(text)), "asked.masked": f'{text}"'}


def read(root: dict[str, str]) -> Asked:
    return read_answer(Fields({name: (value,) for name, value in root.items()}))


def test_a_model_and_a_version() -> None:
    asked = Asked(model="claude-sonnet-4-6", version="2.1.332", is_running=True)
    assert read(said(json.dumps(ANSWER))) == asked
    assert not read(said(json.dumps(ANSWER), by="path")).is_running
    assert not read(said(json.dumps(ANSWER), by="\x1b[31mprocess")).is_running
    assert read({}) == Asked()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        "null",
        "[" * 100000,
        json.dumps({"model": "m"}),
        json.dumps({**ANSWER, "model": ""}),
        json.dumps({**ANSWER, "model": 1}),
        json.dumps({**ANSWER, "model": "m\x1b[31m"}),
        json.dumps({**ANSWER, "model": "m" * 257}),
        json.dumps({**ANSWER, "claude_code_version": "2.1\n"}),
        json.dumps({**ANSWER, "claude_code_version": "9" * 65}),
        json.dumps({**ANSWER, "claude_code_version": None}),
    ],
)
def test_an_answer_that_is_none(text: str) -> None:
    asked = read(said(text))
    assert asked.error.startswith("its answer ")
    assert (asked.model, asked.version) == ("", "")


def test_why_it_was_not_asked() -> None:
    assert read({"asked.code": "71"}).error.startswith("the service runs as root, and others")
    assert read({"asked.code": "1"}).error == "asking it ended with 1"
    assert read({"asked.code": "\x1b[31m"}).error == "no answer that could be read"


def test_a_model_that_it_does_not_tell() -> None:
    """It sends one all the same: jada's table, which has another, is no word for it either."""
    assert read({"asked.code": "72"}).is_untold
    assert not read({"asked.code": "75"}).is_untold
    assert read(said(json.dumps({**ANSWER, "model": ""}))).is_untold
    assert not read(said(json.dumps({**ANSWER, "model": ""}), by="path")).is_untold


def test_the_question_alone() -> None:
    text = json.dumps(ANSWER)
    assert read_asked(packed(frames(said(text)) + frames({}))).version == "2.1.332"
    with pytest.raises(LookError, match="does not say"):
        read_asked(packed(frames({}) + frames({})))
