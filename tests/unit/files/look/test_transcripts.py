"""files/look/transcripts.awk and .sh: which models answered, and nothing of what was said."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import jada

if TYPE_CHECKING:
    from tests.unit.files.look.conftest import Tree

PROGRAMS = Path(jada.__file__).parent / "files" / "look"
PROGRAM = "".join((PROGRAMS / f"{name}.awk").read_text() for name in ("say", "transcripts"))
AWKS = [awk for awk in (["mawk"], ["gawk"], ["busybox", "awk"], ["original-awk"]) if shutil.which(awk[0])]
ENV = {**os.environ, "LC_ALL": "C", "FOLDER": "/srv/agent", "HOME_OF_USER": "/home/agent"}
WHERE = {"cwd": "/srv/agent", "entrypoint": "sdk-cli"}
AT = "2026-11-26T02:03:57.419Z"
MODEL = "claude-sonnet-4-6"
HAIKU = "claude-haiku-4-5"


def line(value: object) -> str:
    return json.dumps(value, separators=(",", ":")) + "\n"


def answer(request: str = "req_1", model: str = MODEL, requested: str = MODEL, **more: Any) -> dict[str, Any]:
    """An answer as the CLI 2.1.332 writes it."""
    usage = {
        "input_tokens": 10, "cache_creation_input_tokens": 5, "cache_read_input_tokens": 100, "output_tokens": 7,
        "cache_creation": {"ephemeral_1h_input_tokens": 3},
    }  # fmt: skip
    content = more.pop("content", [{"type": "text", "text": "Yes."}])
    return {
        "parentUuid": "e8676c45", "isSidechain": False,
        "message": {"id": f"msg_{request}", "type": "message", "role": "assistant", "model": model,
                    "content": content, "usage": more.pop("usage", usage)},
        "requestId": request, "requestedModel": requested, "type": "assistant", "timestamp": AT, "version": "2.1.332",
        **WHERE, **more,
    }  # fmt: skip


def row(kind: str, one: str, other: str = "", tokens: str = "0 0 0 0", side: str = "", at: str = AT) -> list[str]:
    return [kind, at, side, one, other, *tokens.split()]


ANSWERED = row("answer", MODEL, MODEL, "10 5 100 7")
FALLBACK = {
    "type": "system",
    "subtype": "model_fallback",
    "originalModel": MODEL,
    "fallbackModel": HAIKU,
    **WHERE,
    "timestamp": AT,
}
RETRY = {
    "type": "system",
    "subtype": "api_error",
    "error": {"status": 529, "type": "overloaded"},
    **WHERE,
    "timestamp": AT,
}
FAILED = answer(model="<synthetic>", isApiErrorMessage=True, apiErrorStatus=404)
TALK = line(answer())[:-1]


def without(value: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: one for key, one in value.items() if key not in keys}


CASES: dict[str, tuple[str, list[list[str]]]] = {
    "an answer": (line(answer()), [ANSWERED]),
    "two answers": (line(answer()) + line(answer("req_2")), [ANSWERED, ANSWERED]),
    "an answer of several lines": (
        line(answer(usage={"output_tokens": 1})) + line(answer(usage={"output_tokens": 9})),
        [row("answer", MODEL, MODEL, "0 0 0 9")],
    ),
    "another model answered": (line(answer(model=HAIKU)), [row("answer", MODEL, HAIKU, "10 5 100 7")]),
    "an answer by a CLI that does not say what it asked for": (
        line(without(answer(), "requestedModel")),
        [row("answer", "", MODEL, "10 5 100 7")],
    ),
    "an answer without the id of a request": (line(without(answer(), "requestId")) * 2, [ANSWERED]),
    "answers without any id": (line({**without(answer(), "requestId"), "message": {"model": MODEL}}) * 2,
                               [row("answer", MODEL, MODEL)] * 2),
    "a subagent's": (line(answer(isSidechain=True)), [row("answer", MODEL, MODEL, "10 5 100 7", "side")]),
    "a fallback": (line(FALLBACK) + line(answer(model=HAIKU, requested=HAIKU)),
                   [row("fallback", MODEL, HAIKU), row("answer", HAIKU, HAIKU, "10 5 100 7")]),
    "an error that is tried again": (line(RETRY), [row("retried", "529")]),
    "errors of the network": (line({**RETRY, "error": {"cause": "ECONNREFUSED"}}), [row("retried", "0")]),
    "a call that failed for good": (line(FAILED), [row("failed", "404", MODEL)]),
    "a failure without a status": (line(without(FAILED, "apiErrorStatus")), [row("failed", "0", MODEL)]),
    "a message of the CLI's own": (line(answer(model="<synthetic>")), []),
    "with spaces": (json.dumps(answer()) + "\n", [ANSWERED]),
    "with CRLF": (line(answer()).replace("\n", "\r\n"), [ANSWERED]),
    "a person's session": (line(answer(entrypoint="cli")), []),
    "work elsewhere": (line(answer(cwd="/home/agent/repo")) + line(answer(cwd="/srv/agent2")), []),
    "work below": (line(answer(cwd="/srv/agent/job")), [ANSWERED]),
    "work nowhere": (line(without(answer(), "cwd")), []),
    "an empty file": ("", []),
    "not JSON": ('{"type":"assistant"\n"type":"assistant"}\nnull\n[]\n', []),
    "a list": (f"[{TALK}]\n", []),
    "cut off at its end": (line(answer()) + TALK[:-1], [ANSWERED]),
    "cut off at its beginning": (TALK[1:] + "\n" + line(answer()), [ANSWERED]),
    "cut off in the middle of a line": (TALK[: len(TALK) // 2] + "\n" + line(answer()), [ANSWERED]),
    "two on one line": (TALK + TALK + "\n", []),
    "one behind the end of another": (TALK + "}\n", []),
    "no time": (line(without(answer(), "timestamp")), []),
    "a time that is none": (line(answer(timestamp="yesterday")), []),
    "a model that is none": (line(answer(model="a model\u001b[31m")), []),
    "a model that is too long": (line(answer(model="m" * 400)), []),
    "a model that is a list": (line({**answer(), "message": {"model": [MODEL]}}), []),
    "tokens that are none": (line(answer(usage={"input_tokens": -1, "output_tokens": "7"})),
                             [row("answer", MODEL, MODEL)]),
    "a conversation about transcripts": (line({"type": "user", "timestamp": AT, "message": {"content": TALK}}), []),
    "an answer about transcripts": (line(answer(content=[{"type": "text", "text": f"{TALK}\n{TALK}"}])), [ANSWERED]),
    "a tool's values that look like an answer's": (
        line(answer(content=[{"type": "tool_use", "input": answer(model=HAIKU, requested=HAIKU, isSidechain=True)}])),
        [ANSWERED],
    ),
    "keys with quotes in them": (line({'requestedModel":"x': HAIKU, "a\\": 1, **answer()}), [ANSWERED]),
    "a key twice": (TALK[:-1] + f',"requestedModel":"{HAIKU}"}}\n', [row("answer", HAIKU, MODEL, "10 5 100 7")]),
    "backslashes at the end": (line(answer(content=[{"text": "\\"}, {"text": 'a\\"'}, {"text": "\\\\"}])), [ANSWERED]),
    "a line of a megabyte": (line(answer(content=[{"text": 'a "quote" \n' * 80000}])), [ANSWERED]),
    "deep": (line(answer(content=json.loads("[" * 400 + "]" * 400))), [ANSWERED]),
    "deeper than anything is": (line(answer(content=json.loads("[" * 600 + "]" * 600))), []),
    "bytes that are no text": (TALK.replace("Yes.", "\udcff\udcfe") + "\n", [ANSWERED]),
    "a NUL": (TALK.replace("Yes.", "\\u0000") + "\n", [ANSWERED]),
    "numbers of all kinds": (line(answer(durations=[1, -2.5, 1e300, None, True])), [ANSWERED]),
}  # fmt: skip


def rows(data: bytes) -> list[list[str]]:
    found: list[list[str]] = []
    while data:
        head, _, data = data.partition(b"\n")
        name, size = head.decode().split()
        assert name == "transcript+"
        found.append(data[: int(size)].decode().split("\n"))
        data = data[int(size) + 1 :]
    return found


def run(awk: list[str], text: str, most: int = 100, folder: str = "/srv/agent") -> bytes:
    words = [*awk, "-v", f"most={most}", PROGRAM]
    done = subprocess.run(
        words,
        input=text.encode("utf-8", "surrogateescape"),
        capture_output=True,
        check=False,
        env={**ENV, "FOLDER": folder},
    )
    assert not done.stderr, done.stderr.decode()
    return done.stdout


@pytest.mark.parametrize("awk", AWKS, ids=" ".join)
@pytest.mark.parametrize("name", CASES)
def test_what_a_transcript_tells(awk: list[str], name: str) -> None:
    text, expected = CASES[name]
    assert rows(run(awk, text)) == expected


@pytest.mark.parametrize("awk", AWKS, ids=" ".join)
def test_the_newest_come_first_and_the_rest_is_not_said(awk: list[str]) -> None:
    """A sample is not something that was left out."""
    text = "".join(line(answer(f"req_{number}", requested=f"m{number}")) for number in range(5))
    assert [value[3] for value in rows(run(awk, text, most=3))] == ["m0", "m1", "m2"]


def look(tree: Tree, *configs: str) -> list[tuple[str, str]]:
    folders = "".join(f"\n{tree.root}/{config}" for config in configs)
    values = {"configs": folders, "home": f"{tree.root}/home", "works_in": "/srv/agent"}
    return tree.frames("transcripts", half="user", **values)


def test_the_newest_files_of_each_folder(tree: Tree) -> None:
    for number in range(9):
        file = tree.file(
            f"home/.claude/projects/-srv/{number}.jsonl", line(answer(f"a{number}", requested=f"m{number}"))
        )
        os.utime(file, (1000 + number, 1000 + number))
    deep = tree.file("cfg/projects/-x/session/subagents/agent-1.jsonl", line(answer("d", isSidechain=True)))
    os.utime(deep, (2000, 2000))
    asked = [value.split("\n")[3] for name, value in look(tree, "home/.claude", "cfg") if name == "transcript+"]
    assert asked == [MODEL, "m8", "m7", "m6", "m5", "m4"]


def test_the_end_of_a_large_file(tree: Tree) -> None:
    text = line(answer("old", requested="old")) + line({"type": "user", "text": "x" * 300000}) + line(answer())
    tree.file("home/.claude/projects/-srv/1.jsonl", text)
    assert [value.split("\n") for _, value in look(tree, "home/.claude")] == [ANSWERED]


def test_files_whose_last_line_is_torn_do_not_run_into_each_other(tree: Tree) -> None:
    for number in (1, 2):
        tree.file(f"home/.claude/projects/-srv/{number}.jsonl", line(answer(f"a{number}")) + TALK[:100])
    assert len(look(tree, "home/.claude")) == 2


def test_an_answer_that_a_session_which_goes_on_has_as_well_counts_once(tree: Tree) -> None:
    """`--fork-session` and `--resume` copy what was said before."""
    tree.file("home/.claude/projects/-srv/1.jsonl", line(answer("a")) + line(answer("b")))
    tree.file("home/.claude/projects/-srv/2.jsonl", line(answer("a")) + line(answer("b")) + line(answer("c")))
    assert len(look(tree, "home/.claude")) == 3


def test_what_was_rotated_away_does_not_count(tree: Tree) -> None:
    tree.file("home/.claude/projects/-srv/1.jsonl", line(answer("b")))
    for name in ("1.jsonl.1", "1.jsonl.gz", "1.jsonl~", "1.json"):
        tree.file(f"home/.claude/projects/-srv/{name}", line(answer(name)))
    assert [value.split("\n") for _, value in look(tree, "home/.claude")] == [ANSWERED]


def test_odd_names_are_left_out(tree: Tree) -> None:
    tree.file("home/.claude/projects/a\nb/1.jsonl", line(answer()))
    tree.file("home/.claude/projects/-srv/-n.jsonl", line(answer("b")))
    (tree.root / "home/.claude/projects/-srv/link.jsonl").symlink_to("/etc/passwd")
    os.mkfifo(tree.root / "home/.claude/projects/-srv/pipe.jsonl")
    assert len(look(tree, "home/.claude")) == 1


def test_without_transcripts_or_a_service_no_process_is_started(tree: Tree) -> None:
    tree.file("home/.claude/settings.json", "{}")
    values = {"configs": f"\n{tree.root}/home/.claude", "home": "", "works_in": "/srv/agent"}
    assert tree.frames("PATH=/nowhere; transcripts", half="user", **values) == []
    tree.file("home/.claude/projects/-srv/1.jsonl", line(answer()))
    assert tree.frames("PATH=/nowhere; transcripts", half="user", **{**values, "works_in": ""}) == []


@pytest.mark.parametrize("folder", ["/", "/home/agent"])
@pytest.mark.parametrize("awk", AWKS, ids=" ".join)
def test_below_such_a_folder_is_everybody_s_work(awk: list[str], folder: str) -> None:
    text = line(answer(cwd=folder)) + line(answer("other", cwd=f"{folder.rstrip('/')}/repo"))
    assert rows(run(awk, text, folder=folder)) == [ANSWERED]
