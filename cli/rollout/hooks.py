"""The hooks of fleet.yml, run beside a rollout: one after the other, in the order of their events."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from jada import Exit
from jada.cli.records.model import RolloutStatus
from jada.cli.rollout.events import Event, Kind, as_row
from jada.cli.ui.console import err, escape, json_text
from jada.tasks.plan import Request

if TYPE_CHECKING:
    from pathlib import Path

    from jada.inventory.fleet.config import Fleet


def hook_of(event: Event) -> str:
    """The name of the hook that an event is for, or "". Pure."""
    match event.kind:
        case Kind.WAVE_PASSED | Kind.WAVE_FAILED:
            return "on_wave"
        case Kind.ROLLBACK:
            return "on_rollback"
        case Kind.END if event.status is RolloutStatus.PAUSED:
            return "on_pause"
        case Kind.END:
            return "on_done" if event.exit is Exit.OK else "on_fail"
        case _:
            return ""


class Hooked:
    """Runs the hooks of a fleet for the events that it is told; what becomes of them changes nothing."""

    def __init__(self, fleet: Fleet, request: Request, command: str) -> None:
        self._hooks, self._folder, self._request, self._command = (
            fleet.hooks, fleet.path.absolute().parent, request, command,
        )  # fmt: skip
        self._last: Any = None

    def __call__(self, event: Event) -> None:
        import gevent

        name = hook_of(event)
        if words := self._hooks.commands.get(name):
            row = as_row(event, self._request, self._command, datetime.now(UTC).isoformat())
            text = json_text({"schema": "jada.events/1", **row}, indent=None)
            self._last = gevent.spawn(self._run_after, self._last, name, words, f"{text}\n")

    def close(self) -> None:
        """Waits for the hooks that were begun."""
        if self._last is not None:
            self._last.join()

    def _run_after(self, last: Any, name: str, words: tuple[str, ...], text: str) -> None:
        if last is not None:
            last.join()
        if why := run_hook(words, text, self._folder, self._hooks.timeout):
            shown = escape(f"the hook {name} of fleet.yml {why}")
            err.print(f"[yellow]Warning[/] {shown}")


def run_hook(words: tuple[str, ...], text: str, folder: Path, timeout: int) -> str:
    """Runs a command in a folder with the text on its stdin; says how it failed, or "".

    Nothing of its output is kept: it may hold anything.
    """
    import gevent
    from gevent import subprocess

    try:
        process = subprocess.Popen(
            words, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        return f"can't be run: {error.strerror}"
    with gevent.Timeout(timeout, False):  # type: ignore[arg-type]
        process.communicate(text.encode())
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return f"was ended: it took longer than {timeout} s"
    return f"failed with exit code {process.returncode}" if process.returncode else ""
