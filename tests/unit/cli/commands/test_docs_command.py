"""jada docs, and errors of fleet.yml that name it: all of them, in the order of the file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.shell_completion import CompletionItem, ShellComplete

from jada import Exit
from jada.cli import main
from jada.cli.commands.docs import docs as command
from jada.cli.main import MOST_PROBLEMS
from jada.inventory.fleet import shipped

LEAST = "fleet: f\nsources: [{static: {hosts: {a: {address: 192.0.2.1}}}}]\nroles: {r: {}}\n"


def printed(capsys: pytest.CaptureFixture[str], *argv: str, code: Exit = Exit.OK) -> str:
    """What a command printed: on stdout where it did well, else on stderr."""
    assert main.run(argv) == code
    output = capsys.readouterr()
    return output.err if code else output.out


def test_without_a_key_the_whole_file_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, "docs") == shipped.shipped_file().read_text(encoding="utf-8")


def test_a_key_is_shown_with_what_is_said_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, "docs", "settle") == (
        "# Seconds that a restarted service has to stay up before it counts as running.\n# settle: 5\n"
    )
    assert printed(capsys, "docs", "rollout.waves").splitlines()[0] == "# rollout:"


def test_the_schema_is_named_as_it_is_installed(capsys: pytest.CaptureFixture[str]) -> None:
    path = printed(capsys, "docs", "--schema").removesuffix("\n")
    assert "ssh" in json.loads(Path(path).read_text(encoding="utf-8"))["properties"]


@pytest.mark.parametrize(
    ("argv", "error"),
    [
        (["sshh"], "fleet.yml has no key sshh; did you mean ssh?"),
        (["rollout.wave"], "did you mean rollout.waves?"),
        (["\x1b[2Jx"], "fleet.yml has no key"),
        ([""], "it is empty; is a variable not set?"),
        (["ssh", "--schema"], "--schema is about the whole of fleet.yml: leave the key out"),
    ],
)
def test_what_there_is_not_is_wrong_usage(argv: list[str], error: str, capsys: pytest.CaptureFixture[str]) -> None:
    told = printed(capsys, "docs", *argv, code=Exit.USAGE)
    assert error in told and "\x1b" not in told


def offered(incomplete: str) -> Sequence[CompletionItem]:
    return ShellComplete(command, {}, "jada docs", "_JADA_COMPLETE").get_completions([], incomplete)


def test_keys_are_completed_level_by_level_with_what_they_are_for() -> None:
    assert [item.value for item in offered("ss")] == ["ssh"]
    assert [item.value for item in offered("ssh")][:3] == ["ssh", "ssh.user", "ssh.key"]
    waves, *_ = offered("rollout.w")
    assert (waves.value, waves.help) == (
        "rollout.waves", "how many hosts are changed by the end of each, as numbers or shares",
    )  # fmt: skip
    assert {item.value for item in offered("")} == {line.keys[0] for line in shipped.lines() if line.keys}


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    return tmp_path / "fleet.yml"


def test_all_that_is_wrong_with_fleet_yml_is_told_at_once(fleet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fleet.write_text(f"{LEAST}ssh: [a]\nsettle: 5.5\nnosuch: 1\n")
    lines = printed(capsys, "hosts", "--fleet", str(fleet), code=Exit.USAGE).splitlines()
    assert [line.partition("fleet.yml:")[2] for line in lines if line.startswith("Error:")] == [
        "4: ssh should be a mapping (key: value), not a list",
        "5: settle should be a whole number from 0 to 600, not 5.5",
        "6: nosuch is not a key jada knows",
    ]
    assert lines[1:5] == [
        "Try: `jada docs ssh` shows what goes there, such as:",
        "     ssh:",
        "       user: admin",
        "       key: ~/.ssh/id_ed25519",
    ]


def test_what_helps_with_several_is_told_once(fleet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fleet.write_text(f"{LEAST}guard:\n  intervl: 1m\n  lukes: 2\n")
    told = printed(capsys, "hosts", "--fleet", str(fleet), code=Exit.USAGE)
    assert [line.split(" ")[0] for line in told.splitlines()] == ["Error:", "Error:", "Try:"]


def test_as_json_each_of_them_is_a_message(fleet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fleet.write_text(f"{LEAST}ssh: [a]\nsettle: 5.5\n")
    told = printed(capsys, "--log-format", "json", "hosts", "--fleet", str(fleet), code=Exit.USAGE)
    messages = [json.loads(line)["message"] for line in told.splitlines()]
    assert [message.partition("; ")[2] for message in messages] == [
        "`jada docs ssh` shows what goes there",
        "`jada docs settle` shows what goes there",
    ]


def test_of_very_many_the_first_are_told(fleet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fleet.write_text(LEAST + "".join(f"x{number}: 1\n" for number in range(MOST_PROBLEMS + 5)))
    told = printed(capsys, "hosts", "--fleet", str(fleet), code=Exit.USAGE)
    assert told.count("is not a key jada knows") == MOST_PROBLEMS
    assert told.endswith("Error: There are 5 more problems\nTry: correct these first\n")
