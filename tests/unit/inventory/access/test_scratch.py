"""The folder for what ssh reads from files: nobody else's, and gone however jada ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from jada import JadaError
from jada.inventory.access.scratch import PREFIX, scratch, sweep

# A command that is at its work, in one of the ways it can be when a signal comes.
WORK = """
import sys
from jada.cli.startup import patch_gevent
patch_gevent()
import gevent
from jada.cli.signals import cleaned_up
from jada.inventory.access.scratch import scratch

def guarded():
    # A net for one host's trouble, with the signal in the middle of it.
    while True:
        try:
            gevent.sleep(0)
            sum(range(1000))
        except BaseException as error:
            if isinstance(error, gevent.GreenletExit):
                raise

def wait_for_hosts():
    from gevent.pool import Pool
    list(Pool(2).imap_unordered(lambda _: guarded(), range(2)))

def compute():
    while True:
        sum(range(1000))

with cleaned_up(), scratch() as folder:
    (folder / "known_hosts").write_text("x")
    print(folder, flush=True)
    {"sleep": lambda: gevent.sleep(600), "prompt": input, "hosts": wait_for_hosts, "compute": compute}[sys.argv[1]]()
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path


def started(how: str, *prefix: str) -> tuple[subprocess.Popen[str], Path]:
    """A command at its work, and its folder."""
    words = [*prefix, sys.executable, "-c", WORK, how]
    running = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert running.stdout is not None
    folder = Path(running.stdout.readline().strip())
    assert (folder / "known_hosts").exists()
    return running, folder


@pytest.mark.parametrize("how", ["sleep", "prompt", "hosts", "compute"])
@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGHUP])
def test_nothing_is_left_behind_by_a_command_that_is_told_to_end(place: Path, sent: signal.Signals, how: str) -> None:
    running, folder = started(how)
    assert (folder.parent, folder.stat().st_mode & 0o777) == (place, 0o700)
    running.send_signal(sent)
    _, output = running.communicate()
    assert (running.returncode, output) == (128 + sent, "")
    assert list(place.iterdir()) == []


def test_what_a_killed_command_left_is_removed_by_the_next_one_and_what_runs_is_not(place: Path) -> None:
    killed, left = started("sleep")
    killed.kill()
    killed.communicate()
    assert left.exists()
    running, kept = started("sleep")
    assert not left.exists()
    with scratch():
        assert (kept / "known_hosts").exists()
    running.terminate()
    running.communicate()
    assert list(place.iterdir()) == []


def test_a_command_under_nohup_goes_on(place: Path) -> None:
    running, folder = started("prompt", "nohup")
    running.send_signal(signal.SIGHUP)
    assert running.poll() is None
    _, output = running.communicate("go on\n")
    assert running.returncode == 0, output
    assert not folder.exists()


def test_only_own_folders_of_that_name_are_swept(place: Path) -> None:
    target = place / "kept"
    target.mkdir()
    (target / "file").touch()
    (place / f"{PREFIX}link").symlink_to(target)
    (place / f"{PREFIX}file").touch()
    stranger = place / f"{PREFIX}stranger"
    stranger.mkdir()
    if os.geteuid() == 0:
        os.chown(stranger, 65534, 65534)
    sweep(place)
    assert (target / "file").exists()
    assert (place / f"{PREFIX}link").is_symlink()
    assert (place / f"{PREFIX}file").exists()
    assert stranger.exists() == (os.geteuid() == 0)


@pytest.mark.parametrize("trouble", ["missing", "a file", "another's", "open to all"])
def test_a_place_that_somebody_else_can_reach_into_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    second.mkdir()
    if trouble == "a file":
        first.touch()
    elif trouble != "missing":
        first.mkdir()
    if trouble == "open to all":
        first.chmod(0o777)
    if trouble == "another's":
        if os.geteuid() != 0:
            pytest.skip("only root can give a folder away")
        os.chown(first, 65534, 65534)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(first))
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(second))
    with scratch() as folder:
        assert folder.parent == second
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(first))
    with pytest.raises(JadaError, match="No folder for temporary files"), scratch():
        pass
