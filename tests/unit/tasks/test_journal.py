"""A line of a journal, as it comes from a host."""

from __future__ import annotations

import pytest

from jada.tasks.frames import LookError
from jada.tasks.journal import LogLine, read_line, read_lines

RELEASE = "20261124-120000-aaaa"


def test_what_a_line_says() -> None:
    line = read_line(f"1795668210821494 claude-opus-5 {RELEASE} agent: hello  world ")
    assert line == LogLine(at=1795668210.821494, model="claude-opus-5", release=RELEASE, text="agent: hello  world ")


@pytest.mark.parametrize("text", ["- -", "$(reboot) ../..", "\x1b[2J 1"])
def test_what_can_be_neither_a_model_nor_a_release_is_none(text: str) -> None:
    line = read_line(f"1 {text} x")
    assert (line.model, line.release) == ("", "")


def test_a_line_whose_time_is_not_known() -> None:
    assert read_line("- - - x") == LogLine(at=0, model="", release="", text="x")


@pytest.mark.parametrize("line", ["", "x", "1 a b", "-1 a b c", "99999999999999999 a b c", "1" + " a" * 700 + "b"[:0]])
def test_what_is_no_line(line: str) -> None:
    if line.startswith("1 a a"):
        line = f"1 {'a' * 601} b c"
    with pytest.raises(LookError):
        read_line(line)


def test_a_message_is_one_line_and_has_an_end() -> None:
    text = read_line("1 - - a\tb\x1b[2J\n" + "x" * 3000).text
    assert text.startswith("a\\tb\\x1b[2J\\n")
    assert len(text) <= 2000


def test_a_line_that_is_none_takes_no_other_away() -> None:
    before, none, after = read_lines(["5000000 - - a", f"6000000 {'x' * 601} - b", "7000000 - - c"])
    assert [before.text, after.text] == ["a", "c"]
    assert none.text.startswith("… left out: a line of its journal begins with no time: 6000000 xxx")
    assert none == LogLine(at=before.at, model="", release="", text=none.text)
