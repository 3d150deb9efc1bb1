"""Runs a `jada` for each call of the Python API, and reads its report, or why there is none.

jada's ssh runs on gevent, which patches sockets, threads and signals of the whole process: in a notebook, or any
program that is not jada's own, nobody wants that, and without its patches hosts are looked at one after the other
(three of them in 1.2 s instead of 0.4 s). Besides, a change under way has to outlive whoever asked for it.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

from jada import ConfigError, Exit, JadaError

# Not the folder that happens to be the working one: what lies there is no module of anybody's.
JADA = (sys.executable, "-P", "-c", "from jada.cli.entry import main; main()")
LOGGER = logging.getLogger("jada")


@dataclass(frozen=True, slots=True)
class Answer:
    """The exit code of a command, and its report."""

    code: int
    report: Mapping[str, Any]


def run(argv: Sequence[str]) -> Answer:
    """Runs a command to its end. What it tells goes to the logger `jada`. Raises JadaError where it gives no report.

    Ctrl-C is for the command: it begins no other host, and those that are being changed come to their end. Then the
    KeyboardInterrupt is raised.
    """
    output: list[bytes] = []
    errors: list[str] = []
    # In a session of its own: nobody is there to be asked, and Ctrl-C comes once, from here.
    process = subprocess.Popen(
        [*JADA, *argv],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "JADA_LOG_FORMAT": "json"},
        start_new_session=True,
    )
    with process:
        assert process.stdout and process.stderr  # noqa: S101 - for the type checker
        readers = (
            threading.Thread(target=output.extend, args=(process.stdout,), daemon=True),
            threading.Thread(target=_log, args=(process.stderr, errors), daemon=True),
        )
        for reader in readers:
            reader.start()
        interrupt = _wait(process)
        for reader in readers:
            reader.join()
    if interrupt:
        raise interrupt
    report = _report(b"".join(output))
    if report is None:
        raise _error(process.returncode, errors)
    for error in errors:
        LOGGER.error("%s", error)
    return Answer(process.returncode, report)


def _wait(process: subprocess.Popen[bytes]) -> KeyboardInterrupt | None:
    """Waits for the end of a command, to which each Ctrl-C is passed on."""
    interrupt = None
    while True:
        try:
            process.wait()
            return interrupt
        except KeyboardInterrupt as error:
            interrupt = error
            process.send_signal(signal.SIGINT)


def _log(lines: IO[bytes], errors: list[str]) -> None:
    """Logs what a command tells, and keeps in `errors` what it ends by."""
    for line in lines:
        try:
            told = json.loads(line)
            is_end, text = told["level"] == "error", told["message"]
        except (ValueError, TypeError, KeyError):
            # Of Python itself, or of a library.
            is_end, text = False, line.decode(errors="backslashreplace").rstrip()
        if is_end:
            errors.append(text)
        elif text:
            LOGGER.info("%s", text)


def _report(output: bytes) -> Mapping[str, Any] | None:
    """The last object of what a command printed: the only one, or that of the last line."""
    for text in (output, output.rstrip().rpartition(b"\n")[2]):
        try:
            report = json.loads(text)
        except ValueError:
            continue
        return report if isinstance(report, dict) and "exit" in report else None
    return None


def _error(code: int, errors: Sequence[str]) -> JadaError:
    """The error of a command without a report, with its exit code."""
    if code < 0:
        return JadaError(f"jada was ended by {signal.Signals(-code).name}", "what became of hosts: jada status")
    text = errors[-1] if errors else f"jada ended with exit code {code}, and said nothing"
    if code == Exit.USAGE:
        return ConfigError(text)
    error = JadaError(text)
    error.exit_code = Exit(code) if code and code in tuple(Exit) else Exit.FAILED
    return error
