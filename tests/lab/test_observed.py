"""A rollout on real hosts as it is told: steps while they come, a line in each host's journal, and hooks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import LAB, about_ssh, eventually
from tests.forms import lines

if TYPE_CHECKING:
    from tests.conftest import Lab

pytestmark = pytest.mark.lab
UPGRADE = ("upgrade", "--to", "sonnet-4.6", "--yes", "--waves", "1,100%", "--no-bake", "--json")
# In the order that files/change/transaction.sh goes through them.
STEPS = ["check", "snapshot", "settings", "dropin", "limits", "reload", "restart", "settle", "verify", "commit", "tidy"]
BACK = ["check", "snapshot", "files", "reload", "restart", "settle", "verify", "commit", "tidy"]


def printed(lab: Lab, *argv: str, exit_code: int = 0, fleet_file: Path = LAB.fleet_file) -> list[dict[str, object]]:
    """The events of a command, and its report."""
    output = lab.jada(*argv, exit_code=exit_code, env={"JADA_FLEET": str(fleet_file)})
    return lines("\n".join(line for line in output.splitlines() if line.startswith("{")))


def steps(events: list[dict[str, object]], host: str) -> list[object]:
    return [event["step"] for event in events if event["event"] == "step" and event["host"] == host]


def journal(lab: Lab, host: str, word: str) -> list[str]:
    """The lines of jada's in a host's journal that have this word; nobody waited for them to be written."""
    found: list[str] = []

    def has_come() -> bool:
        said = lab.run(host, "journalctl -t jada -o cat --no-pager").splitlines()
        found[:] = [line for line in said if word in line]
        return bool(found)

    eventually(has_come, f"no line of {word} came")
    return found


@about_ssh("the steps of a change while it runs, which come with its answer otherwise")
def test_a_change_is_told_step_by_step_and_each_host_keeps_a_line_of_it(lab: Lab, tmp_path: Path) -> None:
    file = tmp_path / "fleet.yml"
    file.write_text(LAB.fleet_file.read_text() + "hooks:\n  on_wave: cat >>told\n  on_done: cat >>told\n")
    *events, report = printed(lab, *UPGRADE, fleet_file=file)
    assert report["status"] == "done"
    (run,) = {event["run"] for event in events}
    for host in lab.hosts:
        assert steps(events, host.name) == STEPS
        (line,) = journal(lab, host.name, f"(run {run})")
        assert line.startswith("upgrade to claude-sonnet-4.6, ")
        assert line.endswith(f"for release {report['release']}: done")
    told = [json.loads(line) for line in (tmp_path / "told").read_text().splitlines()]
    assert [event["event"] for event in told] == ["wave_passed", "wave_passed", "end"]
    *events, report = printed(lab, "rollback", "--yes", "--json")
    assert all(steps(events, host.name) == BACK for host in lab.hosts)
    assert journal(lab, lab.hosts[0].name, str(report["release"]))[0].startswith("rollback to ")


def test_a_change_that_fails_is_seen_to_go_back(lab: Lab) -> None:
    for host in lab.hosts:
        lab.misbehave(host.name, refuse=True, models=["claude-sonnet-4.6"])
    *events, report = printed(lab, *UPGRADE, exit_code=4)
    first = events[0]["waves"][0][0]  # type: ignore[index]
    assert steps(events, first)[-1] == "restore"
    # It put itself back: no other host is to go back.
    assert [event["event"] for event in events if event["wave"] or event["event"] == "rollback"] == [
        "wave_begin", "wave_failed",
    ]  # fmt: skip
    assert report["status"] == "rolled_back"
    assert journal(lab, first, str(report["release"]))[0].endswith(": restored")
