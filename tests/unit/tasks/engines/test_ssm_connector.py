"""pyinfra's connector over Systems Manager, against Run Command as a test says."""

from __future__ import annotations

import base64
import re
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import pytest
from pyinfra.api import Config, Inventory, State, StringCommand
from pyinfra.api.connectors import get_execution_connectors
from pyinfra.api.exceptions import ConnectError, InventoryError

from jada import Aws, JadaError
from jada.cli.ssm_connector import SsmConnector
from jada.inventory.cloud.ssm import RunCommand
from jada.tasks.engines import dispatcher, ssm_connector
from jada.tasks.engines.ssm_connector import ManagedConnector
from tests.unit.tasks.engines.test_ssm import FakeCommands, packed, scripts

ID = "i-0123456789abcdef0"


class Commands(FakeCommands):
    """FakeCommands that are the same wherever pyinfra hands out a copy of its data, as values of jada's are."""

    __hash__ = object.__hash__
    __eq__ = object.__eq__

    def __copy__(self) -> Commands:
        return self


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FIRST_WAIT", "LONGEST_WAIT"):
        monkeypatch.setattr(dispatcher, name, 0.001)
    monkeypatch.setattr(dispatcher, "POLLS", 1e9)


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What pyinfra's command line would show."""
    lines: list[str] = []
    monkeypatch.setattr(ssm_connector, "echo", lambda line, **_: lines.append(line))
    return lines


def host(commands: Commands, name: str = f"@ssm/{ID}", **data: Any) -> ManagedConnector:
    """A host of pyinfra, connected as its API does that."""
    inventory = Inventory(([(name, {"ssm_commands": commands, **data})], {}))
    state = State(inventory, Config())
    (found,) = inventory
    connector = found.connector
    assert isinstance(connector, ManagedConnector)
    found.state = connector.state = state
    connector.connect()
    return connector


def script(commands: Commands) -> str:
    """The last script that was sent."""
    return scripts(commands.texts[-1].replace("'", ""))


def test_pyinfra_finds_it_by_its_name_and_it_finds_run_command() -> None:
    assert get_execution_connectors()["ssm"] is SsmConnector
    connector = object.__new__(SsmConnector)
    assert connector.run_command("prod", "eu-west-1") == RunCommand(Aws("prod"), "eu-west-1")


def test_a_host_has_the_name_it_is_given_with_or_the_one_of_its_data() -> None:
    ((name, data, groups),) = ManagedConnector.make_names_data(ID)
    assert (name, data, groups) == (f"@ssm/{ID}", {"ssm_instance": ID}, ["@ssm"])
    ((name, data, _),) = ManagedConnector.make_names_data("web-1")
    assert (name, data) == ("web-1", {})
    with pytest.raises(InventoryError, match="needs the id of an instance"):
        next(ManagedConnector.make_names_data(""))
    commands = Commands(lines=["0"])
    assert host(commands, "@ssm/web-1", ssm_instance=ID).host.name == "web-1"
    assert commands.sent == [(ID,)]


@pytest.mark.parametrize("instance", ["", "web-1", "i-0123; reboot", "i-01234567\n"])
def test_nothing_but_an_id_is_an_instance(instance: str) -> None:
    with pytest.raises(ConnectError, match="no ssm_instance"):
        host(Commands(), "@ssm/web-1", ssm_instance=instance)


@pytest.mark.parametrize(
    ("commands", "why"),
    [
        (Commands(unknown=[ID]), "does not know it"),
        (Commands(offline=[ID]), "agent does not answer"),
        (Commands(fails={"send": JadaError("access denied", "ask for it")}), "access denied; ask for it"),
        (Commands(fails={"invocations": ValueError("x")}), "jada could not go on with it .ValueError."),
        (Commands(statuses={ID: "Failed"}), "ended as Failed"),
        (Commands(lines=["hello"]), "is no answer"),
    ],
)
def test_a_host_that_no_command_gets_to_is_not_connected(commands: Commands, why: str) -> None:
    with pytest.raises(ConnectError, match=why):
        host(commands)


def test_a_command_comes_with_its_code_and_both_streams(shown: list[str]) -> None:
    commands = Commands(lines=["0"])
    connector = host(commands)
    commands.lines = ["3", "oone", "e\x1b[2Jtwo"]
    is_done, output = connector.run_shell_command(
        StringCommand("x"), print_output=True, print_input=True, _sudo=True, _sudo_user="agent", _env={"A": "b"}
    )
    assert (is_done, output.stdout_lines, output.stderr_lines) == (False, ["one"], ["\x1b[2Jtwo"])
    assert "sudo -H -n -u agent sh -c" in script(commands)
    assert "CHANGES=yes" in commands.texts[-1]
    said, one, two = shown
    assert ">>> sudo -H -n -u agent" in said
    assert ("one" in one, "two" in two, "\x1b[2J" in two) == (True, True, False)
    assert connector.run_shell_command(StringCommand("x"), _success_exit_codes=[0, 3])[0]


@pytest.mark.parametrize("stdin", ["a\nb", ["a", "b\n"], StringIO("a\nb\n")])
def test_stdin_is_as_over_other_connectors(stdin: Any) -> None:
    commands = Commands(lines=["0"])
    host(commands).run_shell_command(StringCommand("cat"), _stdin=stdin)
    assert f"INPUT={base64.b64encode(b'a' + bytes([10]) + b'b' + bytes([10])).decode()}\n" in script(commands)


def test_no_password_of_sudo_is_sent_where_aws_keeps_it() -> None:
    commands = Commands(lines=["0"])
    host(commands).run_shell_command(
        StringCommand("x"), _sudo=True, _sudo_password="secret", _su_user="u", _su_password="secret"
    )
    assert not [text for text in commands.texts if "secret" in scripts(text.replace("'", ""))]


def test_what_ends_late_or_is_lost_is_an_error_that_pyinfra_takes_for_the_hosts() -> None:
    commands = Commands(lines=["0"])
    connector = host(commands)
    commands.lines = ["late"]
    with pytest.raises(TimeoutError):
        connector.run_shell_command(StringCommand("x"), _timeout=5)
    assert "LONGEST=5\n" in script(commands)
    commands.lines = ["flood"]
    with pytest.raises(OSError, match="more than"):
        connector.run_shell_command(StringCommand("x"))
    commands.statuses = {ID: "Cancelled"}
    with pytest.raises(OSError, match="ended as Cancelled"):
        connector.run_shell_command(StringCommand("x"))


def test_files_go_and_come(tmp_path: Path, shown: list[str]) -> None:
    commands = Commands(lines=["0"])
    connector = host(commands)
    (tmp_path / "up").write_bytes(b"\x00\xff")
    for file in (str(tmp_path / "up"), BytesIO(b"\x00\xff")):
        assert connector.put_file(file, "/srv/it's")
        assert re.search(r"INPUT=AP8=?\n", script(commands))
    commands.lines = ["0", "oAP", "o8="]
    into = BytesIO()
    assert connector.get_file("/srv/it", into)
    assert connector.get_file("/srv/it", str(tmp_path / "down"))
    assert into.getvalue() == (tmp_path / "down").read_bytes() == b"\x00\xff"
    commands.lines = ["0", "oA"]
    with pytest.raises(OSError, match="did not come whole"):
        connector.get_file("/srv/it", into)
    commands.lines = ["1", "eno\x1bwhere"]
    assert not connector.get_file("/srv/it", str(tmp_path / "none"))
    assert not connector.put_file(BytesIO(b""), "/srv/it")
    assert not (tmp_path / "none").exists()
    (why, _) = shown
    assert "/srv/it was not downloaded: no" in why
    assert "\x1bw" not in why


def test_hosts_of_a_region_share_its_commands() -> None:
    """Each waits in a greenlet of pyinfra's own, as those of jada's engine do."""
    commands, ids = Commands(lines=["0"]), [f"i-{number:017x}" for number in range(60)]
    inventory = Inventory(([(f"@ssm/{name}", {"ssm_commands": commands}) for name in ids], {}))
    state = State(inventory, Config(PARALLEL=60))
    from pyinfra.api.connect import connect_all

    connect_all(state)
    assert len(state.activated_hosts) == 60
    assert [len(sent) for sent in commands.sent] == [50, 10]


def test_an_answer_to_something_else_is_none() -> None:
    with pytest.raises(ConnectError, match="no answer to what was asked"):
        host(Commands(outputs={ID: lambda token: packed(token[::-1], ["0"])}))
