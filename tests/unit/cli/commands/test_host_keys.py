"""`jada host-keys`: pinned keys are shown, taken and forgotten, and no host is connected to."""

from __future__ import annotations

import base64
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from jada import Exit, Host
from jada.cli.commands import host_keys as command
from jada.cli.records.pins import RecordedPins
from jada.cli.records.sqlite import open_records
from jada.cli.selection import choose
from jada.inventory.access.known_hosts import HostKey
from jada.inventory.access.pin import Pin, machine_of
from jada.inventory.fleet.config import Fleet
from tests.unit.cli.conftest import Jada

NAME = b"ssh-ed25519"
A, B = (
    HostKey(
        NAME.decode(),
        base64.b64encode(len(NAME).to_bytes(4, "big") + NAME + (32).to_bytes(4, "big") + bytes([number]) * 32).decode(),
    )
    for number in (1, 2)
)
WEB = Host("web-1", "192.0.2.1", "ec2", id="i-1", region="eu-west-1", account="123", role="r")
HOSTS = (WEB, replace(WEB, name="web-2", id="i-2"), Host("db-1", "192.0.2.3", "static", role="keepers"))
PIN = Pin.of(machine_of(WEB), [A], "EC2's console output", "2026-11-26T10:00:00+00:00")


@pytest.fixture
def hosts(jada: Jada, monkeypatch: pytest.MonkeyPatch) -> Jada:
    """The command of a fleet with two instances, one of them pinned, and a static host."""

    def find(fleet: Fleet, role: str | None, limit: str | None, *, is_way_back: bool) -> tuple[Host, ...]:
        assert is_way_back
        return choose(fleet, HOSTS, role, limit)

    monkeypatch.setattr(command, "find", find)
    RecordedPins().keep([PIN])
    return jada


def pinned(jada: Jada) -> dict[str, list[str] | None]:
    rows = jada("host-keys", "--json").json()["hosts"]
    return {row["host"]: row["pinned"] and [key["key"] for key in row["pinned"]["keys"]] for row in rows}


def test_pins_are_shown_with_where_they_came_from_and_when(hosts: Jada) -> None:
    output = " ".join(hosts("host-keys").out.split())
    assert f"web-1 (ec2 eu-west-1, i-1) pinned {PIN.at} from EC2's console output, as it was {PIN.seen}" in output
    assert f"ssh-ed25519 {A.fingerprint}" in output
    assert "web-2 (ec2 eu-west-1, i-2) nothing is pinned: it goes by known_hosts" in output
    assert "db-1 (static) nothing is pinned" in output
    assert pinned(hosts) == {"web-1": [A.text], "web-2": None, "db-1": None}
    assert not hosts.engines


def test_a_key_is_taken_in_place_of_those_that_are_pinned(hosts: Jada) -> None:
    assert hosts("host-keys", "--limit", "web-1", "--pin", f"{B.kind} {B.text} root@web-1").exit == Exit.OK
    assert pinned(hosts) == {"web-1": [B.text], "web-2": None, "db-1": None}
    row = hosts("host-keys", "--json", "--limit", "web-1").json()["hosts"][0]
    assert "@" in row["pinned"]["source"]
    assert row["pinned"]["seen"] is None
    # What the cloud says is for a host that has none.
    RecordedPins().keep([PIN])
    assert pinned(hosts)["web-1"] == [B.text]


def test_keys_are_forgotten(hosts: Jada) -> None:
    assert hosts("host-keys", "--forget", "--limit", "web-2").exit == Exit.OK
    assert pinned(hosts)["web-1"] == [A.text]
    assert hosts("host-keys", "--forget", "--role", "r").exit == Exit.OK
    assert pinned(hosts)["web-1"] is None


@pytest.mark.parametrize(
    ("argv", "exit_code", "told"),
    [
        (("--forget",), Exit.USAGE, "--forget goes with --limit or --role"),
        (("--forget", "--pin", f"{B.kind} {B.text}", "--limit", "web-1"), Exit.USAGE, "not with --pin"),
        (("--pin", f"{B.kind} {B.text}"), Exit.USAGE, "--pin is for one host, and 3 hosts are left"),
        (("--pin", "ssh-ed25519", "--limit", "web-1"), Exit.USAGE, "no public key of a host"),
        (("--pin", f"ssh-rsa {B.text}", "--limit", "web-1"), Exit.USAGE, "no public key of a host"),
        (("--pin", B.fingerprint, "--limit", "web-1"), Exit.USAGE, "no public key of a host"),
        (("--pin", f"{B.kind} {B.text}", "--limit", "db-1"), Exit.FAILED, "nothing to pin a key to"),
    ],
)
def test_wrong_uses_change_nothing(hosts: Jada, argv: tuple[str, ...], exit_code: Exit, told: str) -> None:
    done = hosts("host-keys", *argv)
    assert (done.exit, told in " ".join(done.err.split())) == (exit_code, True), done.err
    assert pinned(hosts) == {"web-1": [A.text], "web-2": None, "db-1": None}


def test_a_fleet_that_goes_by_known_hosts_alone_says_so(hosts: Jada) -> None:
    file = hosts.fleet_file
    file.write_text(file.read_text().replace("ssh: {", "ssh: {host_keys: known_hosts, "))
    assert "Pinned keys do not count: ssh.host_keys is known_hosts" in " ".join(hosts("host-keys").out.split())
    done = hosts("host-keys", "--limit", "web-1", "--pin", f"{B.kind} {B.text}")
    assert (done.exit, "Pinned keys do not count for this fleet" in done.err) == (Exit.FAILED, True)


def test_a_record_that_can_not_be_used_is_told_and_stops_nothing(
    jada: Jada, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    RecordedPins().keep([PIN])
    file = tmp_path / "state/jada/history.db"
    file.write_bytes(b"no database at all, for longer than its header would be" * 9)
    assert RecordedPins().read({machine_of(WEB)}) == []
    RecordedPins().keep([PIN])
    told = " ".join(capsys.readouterr().err.split())
    assert told.count("Pinned host keys can't be had here: The record history.db can't be read or written") == 2
    assert "Hosts go by known_hosts, and by what their clouds name now." in told


@pytest.mark.parametrize("harm", ["PRAGMA user_version = 99", "ALTER TABLE pin ADD COLUMN more TEXT"])
def test_pins_are_read_from_a_record_that_this_jada_can_not_write(
    jada: Jada, tmp_path: Path, harm: str, capsys: pytest.CaptureFixture[str]
) -> None:
    RecordedPins().keep([PIN])
    with closing(sqlite3.connect(tmp_path / "state/jada/history.db")) as connection:
        connection.execute(harm)
    assert RecordedPins().read({machine_of(WEB)}) == [PIN]
    assert capsys.readouterr().err == ""


def test_pins_are_read_where_the_disk_is_full(jada: Jada, tmp_path: Path) -> None:
    """As it is at an incident: no byte can be written to any file, and the way back needs its hosts' keys."""
    RecordedPins().keep([PIN])
    code = (
        "import resource, signal, sys\n"
        "from jada.cli.records.pins import RecordedPins\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n"
        "print(*(pin.instance for pin in RecordedPins().read({tuple(sys.argv[1:])})))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *machine_of(WEB)], capture_output=True, text=True, check=True, env={**os.environ}
    )
    assert (done.stdout, done.stderr) == ("i-1\n", "")


def test_a_record_of_before_there_were_pins_has_none_and_stays_as_it_is(
    jada: Jada, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "state/jada/history.db"
    file.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE old (id TEXT)")
    before = file.read_bytes()
    assert RecordedPins().read({machine_of(WEB)}) == []
    assert (file.read_bytes(), capsys.readouterr().err) == (before, "")


def test_pins_of_a_newer_jada_that_are_others_are_told(
    jada: Jada, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    RecordedPins().keep([PIN])
    with closing(sqlite3.connect(tmp_path / "state/jada/history.db")) as connection:
        connection.execute("ALTER TABLE pin RENAME COLUMN keys TO host_keys")
    assert RecordedPins().read({machine_of(WEB)}) == []
    assert "was written by a newer jada. Hosts go by known_hosts" in " ".join(capsys.readouterr().err.split())


def test_pins_are_of_one_machine(jada: Jada) -> None:
    twin = Pin.of(("ec2", "123", "us-east-1", "i-1"), [B], "a test")
    RecordedPins().keep([PIN, twin])
    assert RecordedPins().read({machine_of(WEB)}) == [PIN]
    with open_records() as records:
        records.unpin([PIN])
        assert records.pins({PIN.machine, twin.machine}) == [twin]
