"""`jada compare` on real hosts, whose service's user keeps transcripts as the Claude CLI does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jada.inventory.lab import machine
from jada.inventory.lab.machine import OLD_MODEL
from tests import setups

if TYPE_CHECKING:
    from tests.conftest import Lab

pytestmark = pytest.mark.lab
NEW = "claude-sonnet-4.6"
MODELS = ("--model", OLD_MODEL, "--model", NEW)


@pytest.fixture(autouse=True)
def _own_record(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def write(lab: Lab, name: str, model: str, answered: int, failed: int = 0) -> None:
    setups.transcripts(lab[name], model, answered, failed)


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


# Writes entries into the journal as one of the service's own processes would.
TASKS = """
import os, socket, sys, time
group = sys.argv[1]
for top in ("", "/systemd", "/unified"):
    if os.path.exists(f"/sys/fs/cgroup{top}{group}/cgroup.procs"):
        open(f"/sys/fs/cgroup{top}{group}/cgroup.procs", "w").write(str(os.getpid()))
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
    journal.connect("/run/systemd/journal/socket")
    for number in range(int(sys.argv[2])):
        seconds = float(sys.argv[3]) * (1 + number % 10 / 100)
        outcome = "failure" if number % 50 == 0 else "success"
        text = f"MESSAGE=task: {outcome}\\nJADA_TASK_OUTCOME={outcome}\\nJADA_TASK_SECONDS={seconds:.3f}\\n"
        journal.send(text.encode())
        # A field with a line break has its length before it.
        journal.send(b"MESSAGE=x\\nJADA_TASK_OUTCOME\\n" + (9).to_bytes(8, "little") + b"success\\nx\\n")
time.sleep(1)
"""


def does_tasks(lab: Lab, name: str, count: int, seconds: float) -> None:
    group = lab.run(name, "systemctl show -P ControlGroup jada-agent").strip()
    machine.inside(lab[name], f"python3 - {group} {count} {seconds}", stdin=TASKS)


def test_tasks_that_agents_tell_of_are_compared(lab: Lab) -> None:
    lab.jada("upgrade", "--to", "sonnet-4.6", "--limit", "specialist-1", "--yes")
    does_tasks(lab, "orchestrator-1", 200, 10.0)
    does_tasks(lab, "specialist-1", 200, 20.0)
    form = lab.json("compare", *MODELS, exit_code=3)
    assert [(arm["tasks"], arm["tasks_failed"]) for arm in form["arms"]] == [(200, 4), (200, 4)]
    assert [round(arm["p95_seconds"]) for arm in form["arms"]] == [11, 22]
    verdicts = {measure["measure"]: measure["verdict"] for measure in form["measures"]}
    assert (verdicts["p95_seconds"], verdicts["tasks_failed"]) == ("worse", "not_enough_data")
    # Each counts once.
    assert [arm["tasks"] for arm in lab.json("compare", *MODELS, exit_code=3)["arms"]] == [200, 200]
