"""`jada` from a process that has imported all of it, for tests that are about something else than its start.

Two thirds of the processor time of a short command are Python's imports. The process of `python warm.py` makes them
once, as jada does, and becomes the command in a fork of its own for each line on stdin, which is an Order as JSON. What
is to be killed, to get signals or to have stdin is started with JADA instead, as people do.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from threading import Lock
from typing import NoReturn

JADA = Path(sys.executable).with_name("jada")
# Read when Python starts, so a fork of one that has started can't be told.
OF_PYTHON = ("PYTHON", "LC_", "LANG")
# Without the rehearsal fleet, which is no part of what a command imports.
ROOMS = ("jada.cli", "jada.tasks", "jada.inventory.access", "jada.inventory.cloud", "jada.inventory.fleet")


@dataclass(frozen=True)
class Order:
    """A command, and the folder for its exit `code`, once it has ended; without a terminal its `out` and `err` too."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: str
    umask: int
    folder: str
    terminal: str


def run(argv: Sequence[str], env: Mapping[str, str], terminal: str = "") -> subprocess.CompletedProcess[str]:
    """Runs jada to its end, with all that it printed; where it has a terminal, by its path, that is there."""
    return _warm().run(argv, env, terminal)


class Warm:
    """The process that has imported jada; it ends with the one that started it. Several threads may use it at once."""

    def __init__(self) -> None:
        self._environ = dict(os.environ)
        self._process = subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE)
        self._turn = Lock()

    def run(self, argv: Sequence[str], env: Mapping[str, str], terminal: str) -> subprocess.CompletedProcess[str]:
        if _of_python(env) != _of_python(self._environ):
            return subprocess.run(
                [JADA, *argv], capture_output=True, text=True, env=env, check=False, stdin=subprocess.DEVNULL
            )
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            assert self._process.stdin
            with self._turn:
                umask = os.umask(0o077)
                os.umask(umask)
                order = json.dumps(asdict(Order(tuple(argv), env, str(Path.cwd()), umask, name, terminal))) + "\n"
                self._process.stdin.write(order.encode())
                self._process.stdin.flush()
            while not (folder / "code").exists():
                assert self._process.poll() is None, "the process that has imported jada is gone"
                time.sleep(0.01)
            code = int((folder / "code").read_text())
            out, err = ("" if terminal else (folder / stream).read_text() for stream in ("out", "err"))
            return subprocess.CompletedProcess([str(JADA), *argv], code, out, err)


@cache
def _warm() -> Warm:
    return Warm()


def _of_python(env: Mapping[str, str]) -> dict[str, str]:
    return {name: env[name] for name in env if name.startswith(OF_PYTHON)}


def _import_all() -> None:
    """Imports what any command may, in the order in which jada does: gevent's patches first."""
    import importlib
    import pkgutil

    from jada.cli import signals, startup

    cooperate, signals.cooperate = signals.cooperate, lambda: None
    startup.patch_gevent()
    signals.cooperate = cooperate
    for room in ROOMS:
        for module in pkgutil.walk_packages(importlib.import_module(room).__path__, f"{room}."):
            importlib.import_module(module.name)
    import boto3

    # Most of boto3 is imported by its first client.
    boto3.session.Session("a", "b", region_name="us-east-1").client("sts")
    gc.collect()
    gc.freeze()


def _orders() -> Iterator[Order]:
    """The orders of stdin, whose reader may not be one of gevent's."""
    rest = b""
    while part := os.read(0, 1 << 20):
        *lines, rest = (rest + part).split(b"\n")
        for line in lines:
            order = json.loads(line)
            yield Order(**{**order, "argv": tuple(order["argv"])})


def _become(order: Order) -> None:
    """Makes of this process one that was started for the command."""
    import gevent

    gevent.reinit()
    os.chdir(order.cwd)
    os.umask(order.umask)
    os.environ.clear()
    os.environ.update(order.env)
    time.tzset()
    sys.argv = [str(JADA), *order.argv]
    files = ((os.devnull, os.O_RDONLY), (f"{order.folder}/out", os.O_WRONLY), (f"{order.folder}/err", os.O_WRONLY))
    for number, (name, flags) in enumerate([(order.terminal, os.O_RDWR)] * 3 if order.terminal else files):
        opened = os.open(name, flags | os.O_CREAT)
        os.dup2(opened, number)
        os.close(opened)
    if order.terminal:
        # Those of this process know of the file that they were of that it can be sought in.
        sys.stdin = os.fdopen(0, closefd=False)
        sys.stdout, sys.stderr = (os.fdopen(number, "w", buffering=1, closefd=False) for number in (1, 2))


def _end(command: Callable[[], None]) -> NoReturn:
    """Runs the command, and leaves as Python does but for taking to pieces all that it has imported."""
    code: object = None
    try:
        command()
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
        code = 1
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    assert code is None or isinstance(code, int)
    os._exit(code or 0)


def main() -> None:
    _import_all()
    from gevent.monkey import get_original

    from jada.cli import entry

    fork, waitpid = get_original("os", "fork"), get_original("os", "waitpid")
    for order in _orders():
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        if fork():
            continue
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        if not (command := fork()):
            _become(order)
            _end(entry.main)
        code = Path(order.folder, "code")
        part = code.with_suffix(".part")
        part.write_text(str(os.waitstatus_to_exitcode(waitpid(command, 0)[1])))
        part.replace(code)
        os._exit(0)


if __name__ == "__main__":
    main()
