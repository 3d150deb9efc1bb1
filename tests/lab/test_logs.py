"""`jada logs` of real hosts: as one, by time, with model and release, and followed until nobody reads any more."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jada import Exit
from tests.conftest import JADA, LAB, about_ssh, eventually

if TYPE_CHECKING:
    from tests.conftest import Lab

pytestmark = pytest.mark.lab
NEW = "claude-sonnet-4.6"
HOST, OTHER = "specialist-1", "orchestrator-1"


@contextmanager
def following(folder: Path, *argv: str) -> Iterator[subprocess.Popen[bytes]]:
    """`jada logs --follow --json`, whose lines go to the file `out` and words to `err` there."""
    with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
        command = [str(JADA), "logs", "--follow", "--json", *argv]
        environ = {**os.environ, "JADA_FLEET": str(LAB.fleet_file)}
        with subprocess.Popen(command, stdout=out, stderr=err, stdin=subprocess.DEVNULL, env=environ) as process:
            try:
                yield process
            finally:
                process.kill()


def hosts_that_said(folder: Path, words: str) -> set[str]:
    lines = (folder / "out").read_text().rpartition("\n")[0].splitlines()
    rows = [json.loads(line) for line in lines]
    return {row["host"] for row in rows if row["message"] and words in row["message"]}


def started_anew(lab: Lab, name: str) -> int:
    """Starts the agent anew, which tells its process in its first line."""
    return int(lab.run(name, "systemctl restart jada-agent; systemctl show -P MainPID jada-agent"))


def tells(folder: Path, name: str, pid: int) -> bool:
    return name in hosts_that_said(folder, f'"pid": {pid}}}')


def is_read(lab: Lab, name: str) -> bool:
    return bool(lab.run(name, "pgrep -x journalctl || :"))


def test_what_the_service_wrote_is_told_with_its_model_and_release(lab: Lab) -> None:
    release = lab.json("upgrade", "--to", "sonnet-4.6", "--yes")["release"]
    lines = [
        json.loads(line) for line in lab.jada("logs", "--release", release, "--since", "15m", "--json").splitlines()
    ]
    assert {line["host"] for line in lines} == {host.name for host in lab.hosts}
    assert {(line["model"], line["release"]) for line in lines} == {(NEW, release)}
    assert [line["at"] for line in lines] == sorted(line["at"] for line in lines)
    text = lab.jada("logs", HOST, "-n", "5")
    assert f"{NEW} {release} python3: " in text
    # Its model and release, as newer systemd tells them of its own lines too.
    assert "systemd: Started jada-agent.service" in text


@about_ssh("jada logs -f, a stream")
def test_following_goes_on_until_somebody_stops_it_and_leaves_nothing_behind(lab: Lab, tmp_path: Path) -> None:
    with following(tmp_path) as process:
        names = {host.name for host in lab.hosts}
        eventually(lambda: hosts_that_said(tmp_path, "start") == names, "the last lines of each did not come")
        for name in names:
            eventually(partial(tells, tmp_path, name, started_anew(lab, name)), "what came later did not come")
        assert all(is_read(lab, name) for name in names)
        process.send_signal(signal.SIGINT)
        assert process.wait() == Exit.STOPPED
    eventually(lambda: not any(is_read(lab, name) for name in names), "something still reads the journal")


@about_ssh("a stream that breaks")
def test_a_host_that_is_lost_is_told_and_the_others_go_on(lab: Lab, tmp_path: Path) -> None:
    with following(tmp_path, HOST, OTHER) as process:
        eventually(lambda: hosts_that_said(tmp_path, "start") == {HOST, OTHER}, "the last lines of both did not come")
        lab.run(HOST, f"pkill -KILL -f '[s]shd(-session)?: {lab[HOST].login}'")
        eventually(lambda: f"the connection to {HOST} was lost" in (tmp_path / "err").read_text(), "it is not told")
        eventually(lambda: not is_read(lab, HOST), "something still reads the journal there")
        eventually(partial(tells, tmp_path, OTHER, started_anew(lab, OTHER)), "the other does not go on")
        assert process.poll() is None
        lab.run(OTHER, f"pkill -KILL -f '[s]shd(-session)?: {lab[OTHER].login}'")
        assert process.wait() == Exit.FAILED


LONG = """python3 - <<E
import socket
for text in ("y " * 75000, "after it"):
    said = f"OBJECT_SYSTEMD_UNIT=jada-agent.service\\nSYSLOG_IDENTIFIER=long\\nMESSAGE={text}\\n".encode()
    socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(said, "/run/systemd/journal/socket")
E
journalctl --sync"""


@about_ssh("jada logs -f, a stream")
def test_a_long_entry_is_told_and_hides_no_later_one(lab: Lab, tmp_path: Path) -> None:
    lab.run(HOST, LONG)
    beginning, rest, after = lab.jada("logs", HOST, "-n", "2").splitlines()
    # Its name may stand behind what is read of it, as its time may.
    assert beginning.strip().endswith(" y y y")
    assert rest.endswith("… the rest of an entry of more than 100000 bytes was left out")
    assert after.endswith("long: after it")
    with following(tmp_path, HOST, "-n", "2"):
        eventually(lambda: hosts_that_said(tmp_path, "long: after it") == {HOST}, "the later one did not come")
    assert hosts_that_said(tmp_path, "long: … an entry of 4096 bytes or more was left out") == {HOST}
