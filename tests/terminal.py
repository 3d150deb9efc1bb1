"""A terminal of 80 columns for a command, and a picture of what it shows in the end."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import select
import struct
import termios
import threading
from collections.abc import Callable, Iterator, Sequence

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

COLUMNS, ROWS = 80, 50
# What a console of rich may say beside text: a line up, this line empty, hide the cursor; colours are left to rich.
_CONTROL = re.compile(r"\x1b\[(\?25[lh]|\d*[AK]|0?K|2K)|\r|\n|\x07")
_QUESTION = re.compile(rb"\[y/N\][^\n]*: $|: $")
# Without fonts from elsewhere, and with no more than rich's own drawing needs.
_SVG = """\
<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{
font-family: "DejaVu Sans Mono", "Liberation Mono", Menlo, Consolas, monospace;
font-size: {char_height}px; line-height: {line_height}px;
}}
.{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal"><rect width="{terminal_width}" height="{terminal_height}"/></clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def run(command: Callable[[str], int], answers: Sequence[bytes] = ()) -> tuple[int, str]:
    """The exit code of a command that has the terminal of this path, and all that came from it.

    Each answer is typed at a question.
    """
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(command(os.ttyname(slave))))
    thread.start()
    written, waiting, since = b"", list(answers), 0
    try:
        while True:
            is_over = not thread.is_alive()
            if select.select([master], [], [], 0 if is_over else 0.05)[0]:
                written += os.read(master, 1 << 16)
            elif is_over:
                break
            if waiting and _QUESTION.search(written[since:]):
                since = len(written)
                os.write(master, waiting.pop(0) + b"\n")
    finally:
        thread.join()
        os.close(slave)
        os.close(master)
    assert codes, "the command did not begin"
    return codes[0], written.decode(errors="replace")


def shown(written: str) -> list[Text]:
    """The lines that a terminal shows in the end, with their styles: what was drawn and taken away is not."""
    lines, row = [""], 0
    for control, text in _parts(written):
        lines[row] += text
        if control == "\n":
            row += 1
            if row == len(lines):
                lines.append("")
        elif control.endswith("A"):
            row = max(0, row - int(control[2:-1] or 1))
        elif control.endswith("K"):
            lines[row] = ""
    styled = [Text.from_ansi(line) for line in lines]
    for line in styled:
        line.rstrip()
    while styled and not styled[-1].plain:
        styled.pop()
    return styled


def _parts(written: str) -> Iterator[tuple[str, str]]:
    """Each control, with the text before it."""
    end = 0
    for match in _CONTROL.finditer(written):
        yield match[0], written[end : match.start()]
        end = match.end()
    yield "", written[end:]


def picture(name: str, title: str, lines: Sequence[Text]) -> str:
    """The lines as SVG, with the same bytes whenever they are the same."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    for line in lines:
        console.print(line, overflow="fold", highlight=False)
    return console.export_svg(title=title, theme=MONOKAI, code_format=_SVG, unique_id=name)
