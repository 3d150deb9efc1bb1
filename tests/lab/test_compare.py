"""`jada compare` on real hosts, whose service's user keeps transcripts as the Claude CLI does."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jada.inventory.lab import machine
from jada.inventory.lab.machine import OLD_MODEL

if TYPE_CHECKING:
    from tests.conftest import Lab

pytestmark = pytest.mark.lab
NEW = "claude-sonnet-4.6"
MODELS = ("--model", OLD_MODEL, "--model", NEW)


@pytest.fixture(autouse=True)
def _own_record(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def write(lab: Lab, name: str, model: str, answered: int, failed: int = 0) -> None:
    """Has the service's user write down so many answers and failures of the last half second."""
    host = lab[name]
    folder = lab.run(name, "readlink /proc/$(systemctl show -P MainPID jada-agent)/cwd").strip()
    first = datetime.now(UTC) - timedelta(seconds=0.5)

    def line(number: int) -> dict[str, Any]:
        at = (first + timedelta(milliseconds=number)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        about = {"type": "assistant", "timestamp": at, "cwd": folder, "requestId": f"{at}-{number}"}
        usage = {"input_tokens": 100, "output_tokens": 10}
        if number < failed:
            return {**about, "isApiErrorMessage": True, "apiErrorStatus": 529, "message": {"model": "<synthetic>"}}
        return {**about, "requestedModel": model, "message": {"model": model, "usage": usage}}

    text = "".join(json.dumps(line(number)) + "\n" for number in range(answered + failed))
    path = f"{host.home}/.claude/projects/p/s.jsonl"
    machine.inside(host, f"runuser -u {host.user} -- sh -c 'mkdir -p {Path(path).parent}; cat >>{path}'", stdin=text)


def arms(form: dict[str, Any]) -> list[tuple[int, int, int]]:
    """The hosts, requests and failures of each arm."""
    return [(len(arm["hosts"]), arm["requests"], arm["failed"]) for arm in form["arms"]]


def test_a_model_that_fails_more_often_is_worse(lab: Lab) -> None:
    lab.jada("upgrade", "--to", "sonnet-4.6", "--limit", "specialist-1", "--yes")
    write(lab, "orchestrator-1", OLD_MODEL, answered=60)
    write(lab, "specialist-1", NEW, answered=54, failed=6)
    first = lab.json("compare", *MODELS, exit_code=1)
    assert (first["design"], first["verdict"], arms(first)) == (
        "same_time",
        "not_enough_data",
        [(2, 60, 0), (1, 60, 6)],
    )
    # What was counted is not counted again; what is new is.
    assert arms(lab.json("compare", *MODELS, exit_code=1)) == arms(first)
    write(lab, "orchestrator-1", OLD_MODEL, answered=60)
    write(lab, "specialist-1", NEW, answered=0, failed=60)
    worse = lab.json("compare", *MODELS, exit_code=3)
    assert (worse["verdict"], arms(worse)) == ("worse", [(2, 120, 0), (1, 120, 66)])
    assert [arm["tokens_in"] for arm in worse["arms"]] == [12_000, 5_400]
    assert "B is worse: more of its requests fail (120 requests in the smaller arm)." in lab.jada(
        "compare", *MODELS, exit_code=3
    )


def test_what_was_counted_before_an_upgrade_is_known_after_it(lab: Lab) -> None:
    lab.jada("upgrade", "--to", "sonnet-4.6", "--yes")
    old = released(lab)
    write(lab, "specialist-1", NEW, answered=50)
    assert "Nothing is known of model claude-opus-5" in lab.jada(
        "compare", "--model", "sonnet-4.6", "--model", "opus-5", exit_code=1
    )
    lab.jada("upgrade", "--to", "opus-5", "--yes")
    write(lab, "specialist-1", "claude-opus-5", answered=40)
    form = lab.json("compare", old, released(lab), exit_code=1)
    assert (form["design"], arms(form)) == ("before_after", [(3, 50, 0), (3, 40, 0)])


def released(lab: Lab) -> str:
    return str(lab.json("history", "--last", "1")["releases"][0]["release"])
