"""A team's record in S3, by the real commands of two machines against an emulator of AWS."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from jada import Exit, Host, HostError
from jada.cli import main, session
from jada.cli.records import shared
from jada.cli.records.sqlite import Records, open_records, read_shared
from jada.cli.rollout import network
from jada.inventory.cloud.calls import Purpose
from jada.inventory.cloud.session import clients_of
from jada.inventory.fleet.config import Fleet
from jada.inventory.permissions import calls_of
from jada.inventory.sources.network import Aspect, HostNetwork, facts_of
from jada.tasks.state import State
from tests.fakes import FakeEngine
from tests.forms import checked
from tests.protocol.lossy import lossy
from tests.unit.cli.records.test_records import ENTRY, HOST
from tests.unit.conftest import HEALTHY

if TYPE_CHECKING:
    from tests.protocol.conftest import Emulator

ROLES, WAVES = "{any: {model: haiku-4.5}}", "{waves: [1, 100%], bake_time: 0}"
# Of an upgrade in waves.
ROWS = {"release": 1, "result": 2, "rollout": 1}
SOURCES = "[{static: {hosts: {web-1: {address: 192.0.2.1}, web-2: {address: 192.0.2.2}}}}]"


def forget() -> None:
    """Begins as a process of its own does."""
    shared._health.clear()
    clients_of.cache_clear()


@dataclass
class Team:
    """`jada` as it is typed on one of several machines, about the same two hosts; of a fleet.yml with a `state`."""

    fleet: Fleet
    aws: Emulator
    folder: Path
    capsys: pytest.CaptureFixture[str]
    monkeypatch: pytest.MonkeyPatch
    states: dict[str, State | HostError] = field(default_factory=dict)

    def __call__(self, machine: str, *argv: str, code: Exit | None = Exit.OK) -> str:
        self.monkeypatch.setenv("XDG_STATE_HOME", str(self.folder / machine))
        forget()
        done = main.run(["--fleet", str(self.fleet.path), *argv])
        printed = self.capsys.readouterr()
        assert code is None or done == code, printed.out + printed.err
        return printed.out + printed.err

    def json(self, machine: str, *argv: str) -> dict[str, Any]:
        return checked(self(machine, *argv, "--json"))

    def fails(self, **fault: object) -> None:
        """From now on, all calls to S3 fail so."""
        self.aws.fails({call: {"*": fault} for call in ("GetObject", "PutObject", "ListObjectsV2") if fault})


@pytest.fixture
def team(
    aws: Emulator,
    fleet_of: Callable[..., Fleet],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> Team:
    bucket = f"jada-{uuid.uuid4().hex}"
    s3 = boto3.client("s3", "us-east-1", endpoint_url=aws.url, aws_access_key_id="a", aws_secret_access_key="b")
    s3.create_bucket(Bucket=bucket)
    fleet = fleet_of(SOURCES, state=f"s3://{bucket}/jada", roles=ROLES, rollout=WAVES)
    team = Team(fleet, aws, tmp_path, capsys, monkeypatch)

    @contextmanager
    def open_engine(fleet: Fleet, hosts: tuple[Host, ...]) -> Iterator[FakeEngine]:
        for host in hosts:
            team.states.setdefault(host.name, HEALTHY)
        yield FakeEngine(team.states, service=fleet.service)

    monkeypatch.setattr(session, "open_engine", open_engine)
    monkeypatch.chdir(tmp_path)
    return team


def releases(team: Team, machine: str) -> list[str]:
    return [entry["release"] for entry in team.json(machine, "history")["releases"]]


def test_a_colleague_sees_what_was_done_and_undoes_it(team: Team) -> None:
    team("ann", "upgrade", "--to", "opus-5", "--yes")
    team("ann", "lock", "--reason", "incident", "--for", "2h")
    [release] = releases(team, "ann")
    seen = team.json("bob", "history")
    assert [entry["release"] for entry in seen["releases"]] == [release]
    assert [lock["reason"] for lock in seen["locks"]] == ["incident"]
    assert release in team("bob", "show", release)
    team("bob", "unlock", "--force")
    team("bob", "rollback", "--yes")
    back, undone = releases(team, "ann")
    assert undone == release
    assert team.json("ann", "show", back)["kind"] == "rollback"


def test_a_colleague_sees_that_the_network_changed(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = iter(["in tcp 22 from 10.0.0.0/8", "in tcp 22 from 0.0.0.0/0"])

    def networks(hosts: list[Host]) -> dict[str, HostNetwork]:
        ports = facts_of(Aspect.PORTS, [next(seen)])
        return {host.name: ports for host in hosts}

    monkeypatch.setattr(network, "has_network", bool)
    monkeypatch.setattr(network, "networks", networks)
    assert "J502" in team("ann", "upgrade", "--to", "opus-5", "--yes", "--limit", "web-1")
    [release] = releases(team, "bob")
    assert [found["code"] for found in team.json("bob", "show", release)["network"]] == ["J502"]


def test_drift_is_found_once_by_the_team(team: Team) -> None:
    team("ann", "drift", code=Exit.DRIFT)
    team("bob", "drift", code=Exit.DRIFT)
    found = team.json("bob", "drift", "--since", "1d")
    assert found["checks"]
    assert len({(episode["host"], episode["code"]) for episode in found["episodes"]}) == len(found["episodes"])


def test_an_upgrade_touches_nothing_and_a_rollback_goes_on_while_s3_denies(team: Team) -> None:
    team("ann", "upgrade", "--to", "opus-5", "--yes")
    before = dict(team.states)
    team.fails(code="AccessDenied", status=403)
    told = " ".join(team("ann", "upgrade", "--to", "haiku-4.5", "--yes", code=Exit.FAILED).split())
    assert f"The rollout lease in {team.fleet.state} can't be had: access denied; " in told
    assert "the credentials of profile lab lack the permission s3:GetObject" in told
    assert team.states == before
    assert "s3:ListBucket" in " ".join(team("bob", "history", code=Exit.FAILED).split())
    told = " ".join(team("ann", "rollback", "--yes").split())
    assert "goes on with what is known of it here" in told
    assert "kept here" in told
    assert team.states != before
    team.fails()
    assert "were kept here are in the record" in " ".join(team("ann", "history").split())
    assert len(releases(team, "bob")) == 2


def test_who_may_read_alone_reads_and_is_told_what_it_may_not(team: Team) -> None:
    team("ann", "upgrade", "--to", "opus-5", "--yes")
    team.aws.fails({"PutObject": {"*": {"code": "AccessDenied", "status": 403}}})
    assert len(releases(team, "bob")) == 1
    before = dict(team.states)
    told = " ".join(team("bob", "upgrade", "--to", "haiku-4.5", "--yes", code=Exit.FAILED).split())
    assert f"The rollout lease in {team.fleet.state} can't be had: access denied; " in told
    assert "the credentials of profile lab lack the permission s3:PutObject" in told
    assert team.states == before


def test_a_record_is_taken_along_and_back_and_again(team: Team, fleet_of: Callable[..., Fleet]) -> None:
    place = team.fleet.state
    team.fleet = fleet_of(SOURCES, roles=ROLES, rollout=WAVES)
    team("ann", "upgrade", "--to", "opus-5", "--yes")
    team("bob", "rollback", "--yes")
    assert "names no place" in team("ann", "state", "migrate", code=Exit.USAGE)
    team.fleet = fleet_of(SOURCES, state=str(place), roles=ROLES, rollout=WAVES)
    dry = team.json("ann", "state", "migrate", "--dry-run")
    assert {row["table"]: row["added"] for row in dry["tables"] if row["added"]} == ROWS
    assert releases(team, "ann") == []
    done = team.json("ann", "state", "migrate")
    assert done["tables"] == dry["tables"]
    assert "would be added" in team("bob", "state", "migrate", "--dry-run")
    team("bob", "state", "migrate")
    again = team.json("ann", "state", "migrate")
    assert {row["table"]: row["same"] for row in again["tables"] if row["same"]} == ROWS
    assert not any(row["added"] or row["different"] for row in again["tables"])
    assert len(releases(team, "carl")) == 2
    assert "has all that" in team("ann", "state", "migrate")
    team("carl", "state", "migrate", "--back")
    team.fleet = fleet_of(SOURCES, roles=ROLES, rollout=WAVES)
    assert len(releases(team, "carl")) == 2


def test_the_doctor_reads_the_place_and_writes_nothing(team: Team) -> None:
    def check(machine: str, name: str) -> dict[str, Any]:
        form = checked(team(machine, "doctor", "--json", code=None))
        return next(result for result in form["checks"] if result["check"] == name)

    team("ann", "upgrade", "--to", "opus-5", "--yes")
    assert check("bob", "state")["verdict"] == "pass"
    assert not (team.folder / "bob").exists()
    team.fails(code="AccessDenied", status=403)
    failed = check("bob", "state")
    assert failed["verdict"] == "fail"
    assert "s3:ListBucket" in failed["text"]
    team("ann", "rollback", "--yes")
    team.fails()
    waiting = check("ann", "state")
    assert waiting["verdict"] == "warn"
    assert "kept here could not be written there yet" in waiting["text"]


def test_nothing_is_lost_or_doubled_where_a_third_of_the_answers_get_lost(
    team: Team, fleet_of: Callable[..., Fleet], monkeypatch: pytest.MonkeyPatch
) -> None:
    # What boto3 waits before it tries again.
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)
    entries = [replace(ENTRY, id=f"20261124-12{number:04}-aaaa", fleet="test") for number in range(20)]
    with lossy(team.aws.url, 30) as (url, lost):
        fleet = fleet_of(SOURCES, url=url, state=str(team.fleet.state))
        for number, entry in enumerate(entries):
            monkeypatch.setenv("XDG_STATE_HOME", str(team.folder / "ab"[number % 2]))
            forget()
            with open_records(fleet, needed=False) as records:
                records.add(entry, [replace(HOST, release=entry.id)])
    assert lost.count("PUT") > 2
    team.fleet = fleet_of(SOURCES, state=str(team.fleet.state), roles=ROLES)
    # What was kept there for later is written now.
    for machine in ("a", "b"):
        team(machine, "history")
    assert team.fleet.state
    with read_shared(team.fleet.state, team.fleet.aws) as store:
        assert store.last == len(entries)
        assert Records(store).entries("test", None, 99) == entries[::-1]


def test_the_permissions_of_a_place_are_its_own(team: Team) -> None:
    place = team.fleet.state
    assert place
    resources = {call.resource for call in calls_of(team.fleet, Purpose) if call.service == "s3"}
    assert resources == {f"arn:aws:s3:::{place.bucket}", f"arn:aws:s3:::{place.bucket}/jada/*"}
    assert json.loads(team("ann", "iam", "--command", "rollouts"))["Statement"] == [
        {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": f"arn:aws:s3:::{place.bucket}/jada/*"},
        {"Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": f"arn:aws:s3:::{place.bucket}"},
    ]
