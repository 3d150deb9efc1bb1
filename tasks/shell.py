"""Somebody's own shell command as a script, and all that it said there. Pure; see files/shell-command.sh."""

from __future__ import annotations

import base64
from dataclasses import dataclass

from jada.tasks import FILES
from jada.tasks.frames import LookError
from jada.tasks.transaction import assignments, failure

# Bytes of each of a command's two streams; and lines of both, each of which takes a hundred times its length here.
MOST_OUTPUT = 4 * 2**20
MOST_LINES = 500_000
STREAMS = {"o": "stdout", "e": "stderr"}


class LateError(Exception):
    """A command did not end in the seconds that it had, and was ended."""


@dataclass(frozen=True, slots=True)
class Said:
    """The end of a command: its exit code, and its lines, each with the stream that it came by."""

    code: int
    lines: tuple[tuple[str, str], ...]


def script(command: str, stdin: bytes, longest: int) -> str:
    """The script, as root, that runs a shell command for `longest` s at most with this on its stdin."""
    values = {
        "COMMAND": command,
        "INPUT": base64.b64encode(stdin).decode(),
        "LONGEST": str(longest),
        "MOST_OUTPUT": str(MOST_OUTPUT),
    }
    return assignments(values) + (FILES / "shell-command.sh").read_text()


def read(text: str) -> Said:
    """What a command came to. Raises LateError, and LookError for what is no answer, or not all of one."""
    code, *lines = text.split("\n", MOST_LINES + 1)
    if why := failure([code, *lines]):
        raise LookError(why)
    if code == "late":
        raise LateError
    if code == "flood":
        raise LookError(f"it says more than {MOST_OUTPUT} bytes, and was not heard to its end")
    if len(lines) > MOST_LINES:
        raise LookError(f"it says more than {MOST_LINES} lines")
    if not (code.isascii() and code.isdecimal() and len(code) <= 3):
        raise LookError("what came of the command is no answer")
    if any(line[:1] not in STREAMS for line in lines):
        raise LookError("what came of the command is no answer")
    return Said(int(code), tuple((STREAMS[line[:1]], line[1:]) for line in lines))
