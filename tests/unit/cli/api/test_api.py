"""jada from Python: a process of its own for each call, its report as frozen values, and its errors."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

import jada
from jada import ConfigError, Exit, Fleet, JadaError
from jada.cli.api import process, results
from tests.forms import SCHEMAS

STATIC = """
fleet: f
sources:
  - static: {hosts: {web-1: {address: 10.0.0.1, user: ops, tags: {role: web}}, odd-1: {address: 10.0.0.2}}}
roles: {web: {tags: {role: web}}}
"""
# As a notebook does it: in a running event loop, with threads and sockets that are everybody's.
NOTEBOOK = """
import asyncio, socket, sys, threading
before = socket.socket, threading.Thread.start
import jada
assert not [name for name in sys.modules if name.startswith("jada.")]
async def cell():
    host = jada.Fleet(sys.argv[1]).hosts(limit="web-*")[0]
    other = await asyncio.to_thread(jada.Fleet(sys.argv[1]).hosts, role="web")
    return host.name, host.user, other[0].name
print(asyncio.run(cell()))
assert before == (socket.socket, threading.Thread.start)
assert not [name for name in sys.modules if name.startswith(("gevent", "pyinfra", "boto3"))]
"""


def stand_in(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    monkeypatch.setattr(process, "JADA", (sys.executable, "-c", f"import os, signal, sys, time\n{code}"))


def properties(command: str, *path: str) -> dict[str, Any]:
    """What the form of a command has at a place."""
    form = whole = json.loads((SCHEMAS / f"{command}.json").read_text())
    for step in path:
        form = form["properties"][step] if step != "[]" else form["items"]
        if "oneOf" in form:
            form = form["oneOf"][-1]
        if "$ref" in form:
            form = whole["$defs"][form["$ref"].rpartition("/")[2]]
    properties: dict[str, Any] = form["properties"]
    return properties


@pytest.mark.parametrize(
    ("value", "keys"),
    [
        (results.HostStatus, properties("status", "hosts", "[]")),
        (results.Evidence, properties("status", "hosts", "[]", "evidence", "[]")),
        (results.OperatorLock, properties("status", "hosts", "[]", "operator_lock")),
        (results.DriftReport, properties("drift")),
        (results.HostDrift, properties("drift", "hosts", "[]")),
        (results.Finding, properties("drift", "hosts", "[]", "findings", "[]")),
        (results.Acceptance, properties("drift", "hosts", "[]", "findings", "[]", "acceptance")),
        (results.Rollout, properties("apply")),
        (results.Rollout, properties("plan")),
        (results.Rollout, properties("rollback")),
        (results.HostRollout, properties("apply", "hosts", "[]")),
    ],
)  # fmt: skip
def test_results_have_the_names_of_the_reports(value: Any, keys: dict[str, Any]) -> None:
    assert {field.name for field in fields(value)} == keys.keys() - {"schema"}


def test_a_notebook_keeps_its_sockets_threads_and_event_loop(tmp_path: Path) -> None:
    file = tmp_path / "fleet.yml"
    file.write_text(STATIC)
    # What lies in the working folder is no module of jada's.
    (tmp_path / "click.py").write_text("raise SystemExit('not this one')")
    output = subprocess.run(
        [sys.executable, "-P", "-c", NOTEBOOK, file], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert output.stdout == "('web-1', 'ops', 'web-1')\n", output.stderr


def test_what_somebody_wrote_wrong_is_a_config_error(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ConfigError, match=r"/none, which --fleet names, is not there") as raised:
        Fleet(tmp_path / "none").drift()
    assert raised.value.exit_code == Exit.USAGE
    assert not caplog.records
    # A variable that is not set chooses no hosts at all.
    with pytest.raises(ConfigError, match="it is empty; is a variable not set"):
        Fleet(tmp_path / "none").apply(limit="")
    with pytest.raises(ConfigError, match="it is empty; is a variable not set"):
        Fleet(tmp_path / "none").plan({})


def test_options_stay_values_whatever_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, "import json; print(json.dumps({'exit': 0, 'argv': sys.argv[1:]}))")
    argv = process.run(["plan", "--to=--yes", "--reason=\u202e\n-x"]).report["argv"]
    assert argv == ["plan", "--to=--yes", "--reason=\u202e\n-x"]


@pytest.mark.parametrize(
    ("code", "kind", "message", "exit_code"),
    [
        ("sys.stderr.write('{\"level\": \"error\", \"message\": \"it is locked\"}\\n'); sys.exit(5)",
         JadaError, "it is locked", Exit.LOCKED),
        ("sys.exit(1)", JadaError, "jada ended with exit code 1, and said nothing", Exit.FAILED),
        ("sys.exit(77)", JadaError, "jada ended with exit code 77, and said nothing", Exit.FAILED),
        ("os.kill(os.getpid(), signal.SIGKILL)", JadaError, "jada was ended by SIGKILL", Exit.FAILED),
        ("print('[1]'); print('{\"half\": ')", JadaError, "jada ended with exit code 0, and said nothing", Exit.FAILED),
    ],
)  # fmt: skip
def test_no_report_is_an_error_with_the_exit_code(
    monkeypatch: pytest.MonkeyPatch, code: str, kind: type[JadaError], message: str, exit_code: Exit
) -> None:
    stand_in(monkeypatch, code)
    with pytest.raises(kind) as raised:
        process.run(["status"])
    assert (raised.value.message, raised.value.exit_code) == (message, exit_code)


def test_the_report_is_the_last_object_and_the_rest_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "jada")
    stand_in(
        monkeypatch,
        """
print('{"schema": "jada.events/1"}'); print('{"exit": 0}')
print('{"level": "info", "message": "wave 1"}', 'no JSON', '', '[]', sep='\\n', file=sys.stderr)
print('{"level": "error", "message": "not kept"}', file=sys.stderr)
sys.exit(1)
""",
    )
    assert process.run(["apply"]) == process.Answer(1, {"exit": 0})
    told = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert told == [("INFO", "wave 1"), ("INFO", "no JSON"), ("INFO", "[]"), ("ERROR", "not kept")]


def test_ctrl_c_is_for_the_command_whose_end_is_waited_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    began, ended = tmp_path / "began", tmp_path / "ended"
    os.mkfifo(began)
    stand_in(
        monkeypatch,
        f"""
def stop(*_):
    open({str(ended)!r}, "w").write("by itself")
    sys.exit(130)
signal.signal(signal.SIGINT, stop)
assert os.getsid(0) == os.getpid()
open({str(began)!r}, "w").close()
time.sleep(600)
""",
    )

    def press() -> None:
        began.read_text()
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press).start()
    with pytest.raises(KeyboardInterrupt):
        process.run(["apply"])
    assert ended.read_text() == "by itself"


def test_only_the_fleet_is_there_beside_the_vocabulary() -> None:
    with pytest.raises(AttributeError, match=r"module 'jada' has no attribute 'Flet'"):
        jada.Flet  # type: ignore[attr-defined] # noqa: B018
