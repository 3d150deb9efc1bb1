"""How far a rollout is, as the record keeps it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from jada.cli.records.model import HostOutcome, RolloutStatus
from jada.cli.records.sqlite import open_records
from jada.cli.rollout.outcome import HostResult
from jada.cli.rollout.progress import GONE, Progress, Values
from jada.cli.rollout.waves import Group
from jada.inventory.fleet.rollout import RolloutPolicy
from jada.tasks.plan import Plan, Request

REQUEST = Request("20270101-120000-aaaa", "f", "ann@box", "2027-01-01T12:00:00+00:00")
VALUES = Values(request=REQUEST, groups=(Group(RolloutPolicy(), (("a",), ("b",))),), tiers={})


def test_only_what_has_changed_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    written: list[list[str]] = []
    with open_records() as records:
        advance = records.advance

        def count(*argv: Any) -> None:
            *before, hosts, measured = argv
            entries = list(hosts)
            written.append([f"{entry.host} {entry.outcome}" for entry in entries])
            cast(Any, advance)(*before, entries, measured)

        monkeypatch.setattr(records, "advance", count)
        results = {name: HostResult(HostOutcome.NOT_STARTED) for name in "ab"}
        plans = dict.fromkeys("ab", Plan())
        progress = Progress(records=records, request=REQUEST, plans=plans, results=results, is_one=False)
        progress.begin(VALUES)
        progress.save(0, False)
        results["a"] = HostResult(HostOutcome.VERIFIED)
        progress.save(0, True)
        progress.save(0, True)
        assert {entry.host: entry.outcome for entry in records.hosts(REQUEST.id)} == {
            "a": "verified",
            "b": "not_started",
        }
    assert written == [["a not_started", "b not_started"], ["a verified"], []]


def test_somebodys_word_is_read_and_whether_another_has_ended_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with open_records() as records:
        progress = Progress(records=records, request=REQUEST, plans={}, results={}, is_one=False)
        assert progress.asked() == ("", "")
        progress.begin(VALUES)
        assert progress.asked() == ("", "")
        records.ask(REQUEST.id, "pause", "ann")
        assert progress.asked() == ("pause", "ann")
        records.end_rollouts("f", RolloutStatus.SUPERSEDED, "by release b")
        assert progress.asked() == (GONE, "superseded by release b")


def test_a_rollout_that_another_has_ended_bakes_no_longer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with open_records() as records:
        progress = Progress(records=records, request=REQUEST, plans={}, results={}, is_one=False)
        progress.begin(VALUES)
        progress.save(0, True)
        records.end_rollouts("f", RolloutStatus.ROLLED_BACK, "by release b")
        entry = records.rollout(REQUEST.id)
        assert entry is not None
        assert not entry.baking
