"""`jada report` of a fleet."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from lxml import html

from jada import Exit, HostError
from jada.cli.commands import report
from jada.cli.records.model import Entry, HostEntry, HostOutcome
from jada.cli.records.sqlite import open_records
from jada.cli.rollout import exclusive
from jada.cli.rollout.exclusive import exclusive_rollout
from jada.inventory.fleet.config import Fleet, load
from jada.inventory.lease import Holder
from jada.tasks.state import State
from tests.unit.cli.conftest import Jada
from tests.unit.cli.report.conftest import release_id, rollout


def test_the_page_is_written_also_of_hosts_that_are_off(jada: Jada, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    jada.states["web-1"] = HostError("web-1 is off")
    done = jada("report", "--html", str(file))
    assert done.exit == Exit.FAILED
    assert done.out.startswith(f"Wrote {file}. 3 hosts:")
    assert "web-1 is off" in file.read_text()


def sections(file: Path) -> dict[str, str]:
    """The words of each part of the page by the id of its heading."""
    parts = html.document_fromstring(file.read_text()).xpath("//section")
    return {part.get("aria-labelledby"): " ".join(part.text_content().split()) for part in parts}


def record(days: float, model: str, *hosts: str) -> Entry:
    """An upgrade of these hosts, so many days ago."""
    at = datetime.now(UTC) - timedelta(days=days)
    entry = Entry(
        id=release_id(at), fleet="f", kind="upgrade", at=at.isoformat(timespec="seconds"), who="ann@ops", reason="",
        model=model,
    )  # fmt: skip
    with open_records() as records:
        records.add(entry, [HostEntry(release=entry.id, host=host, outcome=HostOutcome.VERIFIED) for host in hosts])
    return entry


def test_the_page_knows_what_the_record_and_the_lease_know(jada: Jada, tmp_path: Path) -> None:
    """A release before the time that is shown, one in it, a rollout that was paused, and who holds the fleet now."""
    file = tmp_path / "page.html"
    record(40, "claude-haiku-4.5", "web-1", "web-2")
    entry = record(3, "claude-sonnet-4.6", "web-1")
    with open_records() as records:
        records.begin_rollout(
            rollout(datetime.fromisoformat(entry.at), ("web-1",), {}, status="paused", why="ann@ops paused it")
        )
    fleet = load(str(jada.fleet_file))
    with exclusive_rollout(fleet, Holder("bob@ci", "2026-11-26T10:00:00+00:00", "jada upgrade")):
        jada("report", "--html", str(file))
    shown = sections(file)
    assert "Rollout leasebob@ci, since 2026-11-26 " in shown["needs"]
    assert "waits for you: ann@ops paused it" in shown["needs"]
    assert "earlier ones20 " in shown["chart"]
    assert f"{entry.id}11" in shown["chart"]
    assert "1 of 1, is here" in shown["rollouts"]
    assert shown["timeline"].count("◆ upgrade") == 1
    jada("report", "--html", str(file), "--since", "1h")
    # A rollout that is open is on it, however long ago it began.
    assert "1 of 1, is here" in sections(file)["rollouts"]
    jada("report", "--html", str(file), "--limit", "web-2")
    shown = sections(file)
    assert "rollouts" not in shown
    assert "Now: 1 on haiku-4.5" in file.read_text()


def test_a_lease_that_nobody_can_know_of_is_told_as_that(
    jada: Jada, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(_: Fleet) -> None:
        raise exclusive.NotKnownError("s3://b gives no answer within 5 s")

    monkeypatch.setattr(exclusive, "holder_now", unknown)
    jada("report", "--html", str(tmp_path / "page.html"))
    assert "not known who holds it: s3://b gives no answer within 5 s" in sections(tmp_path / "page.html")["needs"]


def test_wrong_uses_write_no_page(jada: Jada, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    assert jada("report").exit == Exit.USAGE
    assert jada("report", "--html", str(file), "--since", "long ago").exit == Exit.USAGE
    assert jada("report", "--html", str(file), "--limit", "nosuch").exit == Exit.USAGE
    assert not file.exists()


def test_a_state_of_which_nothing_can_be_told_is_its_hosts_trouble(jada: Jada) -> None:
    state = jada.states["web-1"]
    assert isinstance(state, State)
    assert report._explainable("web-1", state) is state
