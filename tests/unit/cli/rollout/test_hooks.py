"""The hooks of fleet.yml: what they are told, and that nothing they do changes a rollout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jada import Exit
from jada.cli.records.model import RolloutStatus
from jada.cli.rollout.events import Event, Kind
from jada.cli.rollout.hooks import hook_of, run_hook
from tests.forms import checked
from tests.unit.cli.conftest import Jada

UPGRADE = ("upgrade", "--to", "opus-5", "--yes", "--waves", "1,100%", "--no-bake")


def end(status: RolloutStatus, code: Exit) -> Event:
    return Event(kind=Kind.END, status=status, exit=code)


@pytest.mark.parametrize(
    ("event", "hook"),
    [
        (Event(kind=Kind.WAVE_PASSED, wave=1), "on_wave"),
        (Event(kind=Kind.WAVE_FAILED, wave=1), "on_wave"),
        (Event(kind=Kind.ROLLBACK), "on_rollback"),
        (end(RolloutStatus.PAUSED, Exit.PAUSED), "on_pause"),
        (end(RolloutStatus.PAUSED, Exit.STOPPED), "on_pause"),
        (end(RolloutStatus.DONE, Exit.OK), "on_done"),
        (end(RolloutStatus.DONE, Exit.FAILED), "on_fail"),
        (end(RolloutStatus.ROLLED_BACK, Exit.ROLLED_BACK), "on_fail"),
        (Event(kind=Kind.STEP, host="web-1", step="check"), ""),
        (Event(kind=Kind.BEGIN), ""),
    ],
)
def test_each_event_has_its_hook(event: Event, hook: str) -> None:
    assert hook_of(event) == hook


def hooks(jada: Jada, text: str) -> Path:
    """Gives the fleet these hooks; the folder that they run in."""
    file = jada.fleet_file
    file.write_text(file.read_text() + f"hooks:\n{text}")
    return file.parent


def told(file: Path) -> list[dict[str, Any]]:
    return [checked(line) for line in file.read_text().splitlines()]


def test_hooks_get_events_in_their_order(jada: Jada) -> None:
    folder = hooks(jada, "  on_wave: cat >>told\n  on_done: [sh, -c, 'cat >>told']\n  on_fail: cat >>failed\n")
    done = jada(*UPGRADE)
    assert (done.exit, "Warning" in done.err) == (Exit.OK, False)
    events = told(folder / "told")
    assert [event["event"] for event in events] == ["wave_passed", "wave_passed", "end"]
    assert [event["wave"] for event in events] == [1, 2, None]
    assert events[-1]["exit"] == Exit.OK
    assert not (folder / "failed").exists()


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("exit 3", "failed with exit code 3"),
        ("[./no-such-command]", "can't be run: No such file or directory"),
        ("sleep 99", "was ended: it took longer than 1 s"),
    ],
)
def test_a_hook_that_fails_is_told_and_changes_nothing(jada: Jada, command: str, why: str) -> None:
    hooks(jada, f"  on_done: {command}\n  timeout: 1s\n")
    done = jada(*UPGRADE)
    assert done.exit == Exit.OK
    assert f"Warning the hook on_done of fleet.yml {why}\n" in done.err


def test_words_of_a_list_are_for_no_shell(tmp_path: Path) -> None:
    assert run_hook(("touch", "$(id) a;b"), "", tmp_path, 9) == ""
    assert [file.name for file in tmp_path.iterdir()] == ["$(id) a;b"]


def test_a_hook_need_not_read_and_its_output_is_nobodys(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    text = json.dumps({"hosts": ["web-1"] * 50_000})
    assert run_hook(("sh", "-c", "exec 0<&-; yes | head -c 9999999; echo secret >&2"), text, tmp_path, 20) == ""
    assert capfd.readouterr() == ("", "")
