"""The doctor's checks of this machine and of fleet.yml, each well and not."""

from __future__ import annotations

import shutil
import sqlite3
from collections import namedtuple
from contextlib import closing
from dataclasses import replace
from datetime import date
from importlib import metadata
from pathlib import Path

import pytest

from jada.cli.doctor import machine
from jada.cli.doctor.result import Verdict
from jada.cli.records.migrations import VERSION
from jada.cli.records.model import RolloutEntry
from jada.cli.records.sqlite import open_records
from jada.inventory.fleet.notify import Notify, Webhook
from jada.inventory.roles import Role
from tests.fakes import FLEET

PASS, WARN, FAIL, SKIP = Verdict.PASS, Verdict.WARN, Verdict.FAIL, Verdict.SKIP
TOPIC = "arn:aws:sns:us-east-1:123456789012:jada"


def installed(**versions: str) -> dict[str, str]:
    return {"boto3": "1.44.8", "pyinfra": "3.10", "paramiko": "4.0.0", **versions}


@pytest.mark.parametrize(
    ("requirement", "version", "verdict", "text"),
    [
        ("pyinfra<4,>=3.10", "3.10", PASS, "pyinfra 3.10"),
        ("pyinfra<4,>=3.10", "3.9.2", FAIL, "pyinfra is 3.9.2, and jada needs >=3.10"),
        ("pyinfra<4,>=3.10", "4.1", FAIL, "pyinfra is 4.1, and jada needs <4"),
        ('moto[ec2]>=5.2.5; extra == "lab"', "", PASS, "jada "),
        ("rich>=14.0", "", FAIL, "rich is not installed"),
    ],
)
def test_versions(requirement: str, version: str, verdict: Verdict, text: str) -> None:
    there = installed(**({"pyinfra": version} if version else {}))

    def version_of(name: str) -> str:
        if name not in there:
            raise metadata.PackageNotFoundError
        return there[name]

    result = machine.versions([requirement], version_of)
    assert result.verdict is verdict
    assert text in result.text


def test_what_is_installed_here_is_what_jada_needs() -> None:
    assert machine.versions(metadata.requires("jada") or ()).verdict is PASS


@pytest.mark.parametrize(
    ("there", "is_needed", "verdict"), [(True, True, PASS), (False, False, WARN), (False, True, FAIL)]
)
def test_openssh(monkeypatch: pytest.MonkeyPatch, there: bool, is_needed: bool, verdict: Verdict) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: "/usr/bin/ssh" if there else None)
    assert machine.openssh(is_needed).verdict is verdict


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the record, which is not there yet."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "jada"


def test_a_record_that_is_not_there_yet_is_not_made(state: Path) -> None:
    result = machine.record()
    assert (result.verdict, result.text) == (PASS, f"none yet; it will be {state}/history.db")
    assert not state.exists()


def test_a_record_that_can_be_used(state: Path) -> None:
    with open_records():
        pass
    before = (state / "history.db").read_bytes()
    result = machine.record()
    assert (result.verdict, f"tables of version {VERSION}" in result.text) == (PASS, True)
    assert (state / "history.db").read_bytes() == before


def test_a_record_in_what_is_no_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    result = machine.record()
    assert (result.verdict, "can't be written" in result.text) == (FAIL, True)
    assert "XDG_STATE_HOME" in result.fix


def test_a_record_of_a_newer_jada_and_an_older_one(state: Path) -> None:
    state.mkdir()
    with sqlite3.connect(state / "history.db") as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    result = machine.record()
    assert (result.verdict, f"version {VERSION + 1}" in result.text) == (FAIL, True)
    with sqlite3.connect(state / "history.db") as connection:
        connection.execute("PRAGMA user_version = 1")
    result = machine.record()
    assert (result.verdict, f"brings to {VERSION}" in result.text) == (PASS, True)


def test_a_record_that_is_damaged(state: Path) -> None:
    state.mkdir()
    (state / "history.db").write_bytes(b"no database at all, " * 100)
    assert machine.record().verdict is FAIL
    assert "rebuild" in machine.record().fix


def test_a_record_on_a_full_disk(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(2048))
    assert (machine.record().verdict, "2 KB are free" in machine.record().text) == (WARN, True)
    assert not state.exists()


@pytest.mark.parametrize(
    ("today", "verdict"), [(date(2026, 9, 1), PASS), (date(2026, 11, 20), WARN), (date(2027, 1, 1), WARN)]
)
def test_models_that_retire(today: date, verdict: Verdict) -> None:
    fleet = replace(FLEET, roles=(Role("a", "opus-5"), Role("b", "opus-5", fallback=("sonnet-4.5",))))
    result = machine.retiring(fleet, today)
    assert result.verdict is verdict
    assert verdict is PASS or "2026-11-30" in result.text


def test_roles_without_models_have_none_that_retire() -> None:
    assert machine.retiring(replace(FLEET, roles=(Role("a"),)), date(2026, 9, 1)).verdict is SKIP


def test_whoever_is_told_of_drift(tmp_path: Path) -> None:
    def notify(given: Notify, **environ: str) -> tuple[Verdict, str]:
        result = machine.notify(replace(FLEET, notify=given), environ)
        return result.verdict, result.text

    assert notify(Notify())[0] is SKIP
    webhook = Notify(TOPIC, Webhook(variable="HOOK"))
    verdict, text = notify(webhook, HOOK="https://secret.example/T0")
    assert (verdict, TOPIC in text, "secret" in text) == (PASS, True, False)
    assert notify(webhook) == (
        FAIL,
        "the webhook of fleet.yml can't be told: the environment variable HOOK, which holds its URL, is not set",
    )
    assert notify(Notify(webhook=Webhook(file=tmp_path / "none")))[0] is FAIL


def entry(status: str) -> RolloutEntry:
    return RolloutEntry(
        release="20261126-080000-aaaa", fleet="f", status=status, why="web-1 gave no answer", wave=1, baking=0,
        values_json="{}", asked="", asked_by="", updated="2026-11-26T08:00:00+00:00",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("status", "verdict", "text"),
    [
        ("done", PASS, "none is open"),
        ("paused", WARN, "release 20261126-080000-aaaa is paused in wave 2: web-1 gave no answer"),
        ("running", WARN, "release 20261126-080000-aaaa is under way in wave 2, or was cut off there"),
    ],
)
def test_a_rollout_that_is_open(state: Path, status: str, verdict: Verdict, text: str) -> None:
    assert machine.rollout("f").verdict is PASS
    with open_records() as records:
        records.begin_rollout(entry(status))
    result = machine.rollout("f")
    assert (result.verdict, result.text) == (verdict, text)
    assert verdict is PASS or "jada resume" in result.fix
    assert machine.rollout("another").verdict is PASS
    with closing(sqlite3.connect(state / "history.db")) as older:
        older.execute("ALTER TABLE rollout DROP COLUMN measured_json")
    assert machine.rollout("f") == result
    (state / "history.db").write_bytes(b"x" * 5000)
    assert machine.rollout("f").verdict is SKIP
