"""The three standard streams as they may come: closed, full, broken off, or of a terminal that is not UTF-8."""

from __future__ import annotations

import codecs
import io
import os
import shutil
import sys
import textwrap
from typing import TextIO

# Our own signs where they can't be written; all else becomes an escape.
SIGNS = {"✓": "OK", "✗": "x", "…": "...", "–": "-", "•": "*", "→": "->"}


def prepare() -> None:
    """Makes all three streams such that writing any text to them works, as far as they take any."""
    codecs.register_error("jada", _in_signs)
    for fd, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            # The next file to be opened would get the number of a closed stream, and what is written to that.
            _occupy(fd)
            setattr(sys, name, open(fd, mode, encoding="utf-8", closefd=False))  # noqa: SIM115 - a number
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="ascii" if _is_ascii_locale() else None, errors="jada")


def is_utf8(stream: TextIO) -> bool:
    """True if a stream takes every character."""
    return (getattr(stream, "encoding", None) or "utf-8").lower().replace("-", "") == "utf8"


def fold(text: str) -> str:
    """A text for a terminal as lines that end between two words."""
    width = shutil.get_terminal_size().columns
    return textwrap.fill(text, width, break_long_words=False, break_on_hyphens=False)


def let_go() -> None:
    """Writes out what is left in the streams; what can't be is dropped, or Python would try, and tell, once more."""
    for fd, stream in ((1, sys.stdout), (2, sys.stderr)):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), fd)


def _occupy(fd: int) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    if null != fd:
        os.dup2(null, fd)
        os.close(null)


def _in_signs(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)  # noqa: S101 - for the type checker
    text = error.object[error.start : error.end]
    return "".join(SIGNS.get(char) or char.encode("unicode_escape").decode() for char in text), error.end


def _is_ascii_locale() -> bool:
    """True if the locale is C by name, where Python would write UTF-8 all the same, unless it was told which to write.

    No locale at all, as in cron or a container, says nothing of who reads, nor does one that this machine lacks.
    """
    chosen = os.environ.get("PYTHONIOENCODING") or os.environ.get("PYTHONUTF8")
    return not chosen and os.environ.get("LC_ALL") in ("C", "POSIX")
