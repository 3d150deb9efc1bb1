"""The command itself, with streams, locales and folders as they come: an answer or a sentence, never a traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

JADA = str(Path(sys.executable).with_name("jada"))
FLEET = """\
fleet: f
sources: [{static: {hosts: {a: {address: a.invalid}}}}]
roles: {rest: {model: haiku-4.5}}
ssh: {host_keys: accept-new, known_hosts: known_hosts}
"""
# Commands that look at no host, with their exit codes.
READS = {"models": 0, "hosts --json": 0, "history": 0, "show x": 1, "drift --explain J102": 0, "nosuch": 2}


class Box:
    """A folder with a fleet.yml of one host that can't be reached, and a way to run jada in it by a shell."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "fleet.yml").write_text(FLEET)

    def run(
        self, command: str, shell: str = "", stdout: int = subprocess.PIPE, **environ: str
    ) -> subprocess.CompletedProcess[bytes]:
        env = {name: value for name, value in os.environ.items() if name not in ("LC_ALL", "LANG", "PYTHONIOENCODING")}
        env |= {"JADA_FLEET": str(self.folder / "fleet.yml"), "XDG_STATE_HOME": str(self.folder / "state"), **environ}
        script = (shell or "{}").format(f"{JADA} {command}")
        done = subprocess.run(
            ["bash", "-c", script], stdout=stdout, stderr=subprocess.PIPE, check=False, cwd=self.folder, env=env
        )
        assert b"Traceback" not in done.stderr, done.stderr.decode()
        assert b"Exception ignored" not in done.stderr, done.stderr.decode()
        return done


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


@pytest.mark.parametrize("command", READS)
@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_changes_no_exit_code(box: Box, command: str, closed: str) -> None:
    assert box.run(command, f"{{}} {closed}").returncode == READS[command]


def test_a_closed_stream_is_no_file_that_is_opened_later(box: Box) -> None:
    """Else what is told on stderr would land in the record, which got its number."""
    box.run("upgrade --yes", "{} <&- >&- 2>&-")
    assert b"1 unreachable" in box.run("history").stdout


@pytest.mark.parametrize("command", ["models", "hosts --json", "drift --github", "history"])
def test_a_full_disk_behind_stdout_is_told(box: Box, command: str) -> None:
    done = box.run(command, "{} >/dev/full")
    assert done.returncode == 1
    assert b"stdout can't be written: No space left on device" in done.stderr


@pytest.mark.parametrize("command", READS)
def test_a_full_disk_behind_stderr_changes_no_exit_code(box: Box, command: str) -> None:
    assert box.run(command, "{} 2>/dev/full").returncode == READS[command]


@pytest.mark.parametrize("command", ["models", "history --json", "--help"])
def test_whoever_has_read_enough_hears_nothing_more(box: Box, command: str) -> None:
    """The reader is gone before anything is written."""
    reading, writing = os.pipe()
    os.close(reading)
    done = box.run(command, stdout=writing)
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, b"")


def test_a_rollout_whose_words_nobody_hears_is_recorded(box: Box) -> None:
    box.run("upgrade --yes --json", "{} | true")
    assert b"1 unreachable" in box.run("history").stdout


GONE = "mkdir gone; cd gone; rmdir ../gone; {}"


@pytest.mark.parametrize("command", READS)
def test_a_working_folder_that_is_gone_is_not_missed(box: Box, command: str) -> None:
    assert box.run(command, GONE).returncode == READS[command]


@pytest.mark.parametrize(
    ("command", "environ", "message"),
    [
        ("hosts", {"JADA_FLEET": "fleet.yml"}, b"Error: fleet.yml, which $JADA_FLEET names, is not there\n"),
        ("hosts", {"JADA_FLEET": ""}, b"Error: There is no fleet.yml: looked at"),
        ("drift --sarif x.sarif", {}, b"Error: The working folder is gone\n"),
    ],
)
def test_a_working_folder_that_is_gone_is_told_where_it_is_needed(
    box: Box, command: str, environ: dict[str, Any], message: bytes
) -> None:
    done = box.run(command, GONE, HOME=str(box.folder), **environ)
    assert done.returncode in (1, 2)
    assert message in done.stderr


@pytest.mark.parametrize("zone", ["nonsense", ":/x"])
def test_no_time_zone_is_too_odd(box: Box, zone: str) -> None:
    for command in ("history", "drift --since 1d", "models"):
        assert box.run(command, TZ=zone).returncode == 0
    assert box.run("report --html x.html", TZ=zone).returncode == 1


@pytest.mark.parametrize("environ", [{"LC_ALL": "C"}, {"LC_ALL": "POSIX"}, {"PYTHONIOENCODING": "ascii"}])
def test_a_terminal_that_is_not_utf8_gets_ascii_signs(box: Box, environ: dict[str, Any]) -> None:
    (box.folder / "fleet.yml").write_text(FLEET.replace("fleet: f", "fleet: Grüße"))
    assert "  -\n" in box.run("models", **environ).stdout.decode("ascii")
    assert "Gr\\xfc\\xdfe" in box.run("hosts", **environ).stdout.decode("ascii")
    assert json.loads(box.run("hosts --json", **environ).stdout.decode("ascii"))["fleet"] == "Grüße"


@pytest.mark.parametrize("environ", [{}, {"LC_ALL": "C.UTF-8"}, {"LC_ALL": "C", "PYTHONIOENCODING": "utf-8"}])
def test_all_others_get_what_jada_writes(box: Box, environ: dict[str, Any]) -> None:
    assert "  –\n" in box.run("models", **environ).stdout.decode()


def test_a_host_that_failed_is_marked_in_ascii(box: Box) -> None:
    assert "x a can't be reached" in box.run("status", LC_ALL="C").stdout.decode("ascii")


def test_words_that_are_not_utf8_are_shown_and_recorded_as_escapes(box: Box) -> None:
    assert box.run("upgrade --yes --reason $'\\xff\\e[31m\\n::error::x'").returncode == 1
    assert rb"\udcff\x1b[31m\n::error::x" in box.run("history").stdout
    json.loads(box.run("history --json").stdout.decode())
    for option in ("--limit", "--role"):
        done = box.run(f"hosts {option} $'\\xff\\n::error::x'")
        assert done.returncode in (1, 2)
        assert rb"\udcff\n::error::x" in done.stderr
    assert box.run("show $'\\xff'").returncode == 1
    assert box.run("--fleet $'\\xff' status").returncode == 2


def python(program: str, **environ: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, **environ}
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, env=env)


BROKEN = """
from jada.cli.commands import models
from jada.cli.main import COMMANDS, main
def catalogue(_): raise {}
import jada.inventory.models
jada.inventory.models.catalogue = catalogue
main(["models"])
"""


@pytest.mark.parametrize(
    ("error", "message"),
    [
        ("ValueError('the-secret')", "ValueError"),
        ("RecursionError('the-secret')", "RecursionError"),
        ("MemoryError()", "MemoryError"),
        ("EOFError('the-secret')", "EOFError"),
        ("OSError(28, 'No space left on device', 'the-secret')", "No space left on device (OSError)"),
    ],
)
def test_what_nobody_foresaw_is_one_sentence_without_values(error: str, message: str) -> None:
    done = python(BROKEN.format(error))
    assert done.returncode == 1
    # click ends the line in which a person might have typed.
    assert done.stderr.lstrip("\n") == (
        f"Error: jada can't go on: {message}\nTry: JADA_DEBUG=1 shows the traceback; please report it\n"
    )
    assert "Traceback" in python(BROKEN.format(error), JADA_DEBUG="1").stderr


def test_the_end_of_a_connection_is_not_taken_for_the_users_stop() -> None:
    assert "Stopped." not in python(BROKEN.format("EOFError()")).stderr
    assert python(BROKEN.format("KeyboardInterrupt()")).stderr.strip() == "Stopped."


def test_an_error_of_ours_begins_no_line_and_moves_no_cursor() -> None:
    from_jada = "__import__('jada').JadaError('a\\n::error::x\\x1b[2J', 'b\\r\\u202e\\ud800')"
    done = python(BROKEN.format(from_jada))
    assert done.stderr == "Error: a\\n::error::x\\x1b[2J\nTry: b\\r\\u202e\\ud800\n"
