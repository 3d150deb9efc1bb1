"""Files that are written for others: in one step, and where the person said."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from jada import JadaError
from jada.cli.ui.console import write_file


def test_a_link_stays_a_link_to_the_file_that_is_written(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write_file(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


def test_a_pipe_is_written_to_and_stays(tmp_path: Path) -> None:
    """As /dev/stdout is one: run by root, another file in its place would be there for everybody."""
    os.mkfifo(tmp_path / "pipe")
    got: list[str] = []
    # Read and write, for then it opens with nobody at the other end.
    end = os.open(tmp_path / "pipe", os.O_RDWR)
    reader = threading.Thread(target=lambda: got.append(os.read(end, 100).decode()), daemon=True)
    reader.start()
    write_file(tmp_path / "pipe", "new")
    assert (tmp_path / "pipe").is_fifo()
    reader.join()
    os.close(end)
    assert got == ["new"]


@pytest.mark.parametrize(("asked", "mode"), [(0o644, 0o644), (0o600, 0o600), (None, 0o600)])
def test_a_file_has_its_mode_or_what_the_umask_leaves(tmp_path: Path, asked: int | None, mode: int) -> None:
    before = os.umask(0o077)
    try:
        write_file(tmp_path / "x", "text", asked)
    finally:
        os.umask(before)
    assert (tmp_path / "x").stat().st_mode & 0o777 == mode
    assert [file.name for file in tmp_path.iterdir()] == ["x"]


def test_what_can_not_be_written_is_told_and_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x/y").write_text("")
    with pytest.raises(JadaError, match="/x can't be written: Is a directory"):
        write_file(tmp_path / "x", "text")
    assert [file.name for file in tmp_path.iterdir()] == ["x"]


def test_what_others_laid_in_the_place_of_the_part_is_not_written_through(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.write_text("as it was")
    (tmp_path / f".x.{os.getpid()}").symlink_to(theirs)
    write_file(tmp_path / "x", "text")
    assert (theirs.read_text(), (tmp_path / "x").read_text()) == ("as it was", "text")
