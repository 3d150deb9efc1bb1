"""Commands that read take the inventory of the last search with --cached, and only the way back takes it by itself."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jada import Aws, Exit, Host, JadaError
from jada.cli import discovery, main, session
from jada.cli.records.changes import Put
from jada.cli.records.model import RolloutStatus
from jada.cli.records.sqlite import Records, open_store
from jada.inventory.cloud.client import _silent, client
from jada.inventory.cloud.session import clients_of
from jada.inventory.fleet.config import Fleet
from jada.inventory.sources.ec2 import Ec2Source
from tests.fakes import FakeEngine
from tests.forms import checked
from tests.unit.conftest import HEALTHY

if TYPE_CHECKING:
    from tests.protocol.conftest import Emulator

BOTH = "[{ec2: {regions: [us-east-1, eu-west-1], tags: {jada: agent}}}, {static: {hosts: {s: {address: 192.0.2.1}}}}]"
Jada = Callable[..., tuple[int, str, str]]


@pytest.fixture
def jada(
    fleet_of: Callable[..., Fleet], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Jada:
    """`jada` on hosts that look healthy: its exit code, stdout and stderr."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    fleet = fleet_of(BOTH)

    @contextmanager
    def open_engine(fleet: Fleet, hosts: tuple[Host, ...]) -> Iterator[FakeEngine]:
        yield FakeEngine({host.name: HEALTHY for host in hosts}, service=fleet.service)

    monkeypatch.setattr(session, "open_engine", open_engine)

    def run(*argv: str) -> tuple[int, str, str]:
        clients_of.cache_clear()
        code = main.run([argv[0], "--fleet", str(fleet.path), *argv[1:]])
        output = capsys.readouterr()
        return code, output.out, output.err

    return run


def down(aws: Emulator, region: str = "*") -> None:
    aws.fails({"DescribeInstances": {region: {"code": "UnauthorizedOperation", "status": 403}}})


@pytest.mark.parametrize("command", ["hosts", "status"])
def test_a_command_that_reads_takes_the_last_inventory_and_tells_its_age(
    jada: Jada, aws: Emulator, command: str
) -> None:
    assert jada(command, "--cached")[0] == Exit.FAILED
    _, fresh, _ = jada(command, "--json")
    down(aws)
    assert jada(command)[0] == Exit.FAILED
    code, cached, told = jada(command, "--json", "--cached")
    assert code == Exit.OK, told
    assert "AWS was not asked: these are the hosts that it listed" in told
    before, after = checked(fresh), checked(cached)
    assert [host["host"] for host in before["hosts"]] == [host["host"] for host in after["hosts"]]
    assert before["inventory_age_seconds"] is None
    assert after["inventory_age_seconds"] >= 0


def test_a_failed_search_keeps_the_inventory_of_the_last_whole_one(jada: Jada, aws: Emulator) -> None:
    jada("hosts")
    down(aws, "eu-west-1")
    jada("hosts")
    assert "spec-1" in jada("hosts", "--cached")[1]


@pytest.mark.parametrize("command", ["upgrade", "rollback", "heal", "drift", "plan", "lock"])
def test_a_command_that_changes_or_judges_takes_no_cached_inventory(jada: Jada, command: str) -> None:
    code, _, told = jada(command, "--cached")
    assert code == Exit.USAGE
    assert f"jada {command} asks AWS which hosts there are" in told
    assert "--cached" not in jada(command, "--help")[1]


def test_the_way_back_takes_the_hosts_of_regions_that_can_not_be_asked_as_they_were(jada: Jada, aws: Emulator) -> None:
    jada("hosts")
    down(aws, "eu-west-1")
    _, shown, told = jada("rollback", "--dry-run")
    assert "ec2 eu-west-1 can't be listed: access denied" in told
    assert "The way back needs no AWS" in told
    assert "spec-1" in shown
    assert "orch-1" in shown
    # No other command goes on with hosts that AWS does not list.
    assert jada("upgrade", "--to", "opus-5", "--dry-run")[0] == Exit.FAILED


def test_the_way_back_does_not_wait_for_a_region_that_hangs(jada: Jada, monkeypatch: pytest.MonkeyPatch) -> None:
    jada("hosts")
    hangs, find = threading.Event(), Ec2Source.find

    def find_or_hang(source: Ec2Source, aws: Aws, region: str) -> list[Host]:
        if region == "eu-west-1":
            hangs.wait()
        return find(source, aws, region)

    monkeypatch.setattr(Ec2Source, "find", find_or_hang)
    monkeypatch.setattr(discovery, "PATIENCE", 10)
    _, shown, told = jada("rollback", "--dry-run")
    assert "ec2 eu-west-1 can't be listed: there was no answer within 10 s" in told
    assert "us-east-1 can't" not in told
    assert {name for name in ("orch-1", "spec-1") if name in shown} == {"orch-1", "spec-1"}
    # What else would be asked there is not waited for either.
    (aws,) = (each for each, _, _ in _silent)
    with pytest.raises(JadaError, match="no answer within"), client(aws, "ec2", "eu-west-1"):
        pass
    with client(aws, "ec2", "us-east-1"):
        hangs.set()


def test_the_way_back_needs_no_credentials(jada: Jada, tmp_path: Path) -> None:
    jada("hosts")
    (tmp_path / "aws-config").write_text("[profile lab]\nregion = us-east-1\n")
    _, shown, told = jada("rollback", "--dry-run")
    assert "There are no AWS credentials" in told
    assert "spec-1" in shown


def test_without_an_inventory_the_way_back_goes_on_with_the_hosts_that_are_found(jada: Jada, aws: Emulator) -> None:
    down(aws, "eu-west-1")
    code, shown, told = jada("rollback", "--dry-run")
    assert code == Exit.FAILED
    assert "this machine has none of this fleet.yml yet" in told
    assert "ec2 eu-west-1 can't be listed: access denied" in told
    assert "The way back goes on without the hosts there" in told
    assert "spec-1" not in shown
    assert "orch-1" in shown
    code, printed, _ = jada("rollback", "--dry-run", "--json")
    assert checked(printed)["exit"] == code == Exit.FAILED


def test_without_credentials_and_inventory_the_way_back_goes_on_with_hosts_of_fleet_yml(
    jada: Jada, tmp_path: Path
) -> None:
    (tmp_path / "aws-config").write_text("[profile lab]\nregion = us-east-1\n")
    code, shown, told = jada("rollback", "--dry-run")
    assert code == Exit.FAILED
    assert "ec2 can't be listed: There are no AWS credentials" in told
    assert "static can't be listed" not in told
    assert "1 host: s" in shown


def test_where_no_host_is_known_the_way_back_says_why_it_can_not_go(
    jada: Jada, aws: Emulator, fleet_of: Callable[..., Fleet]
) -> None:
    fleet_of("[{ec2: {regions: [us-east-1], tags: {jada: agent}}}]")
    down(aws)
    code, _, told = jada("rollback", "--dry-run")
    assert code == Exit.FAILED
    assert "this machine has none of this fleet.yml yet" in told
    assert "The fleet can't be listed" in told


def test_an_abort_is_a_way_back_too(jada: Jada, aws: Emulator, fleet_of: Callable[..., Fleet]) -> None:
    fleet_of(BOTH, rollout="{waves: [1, 100%], bake_time: 0}")
    jada("upgrade", "--to", "opus-5", "--yes")
    with open_store() as store:
        (entry,) = Records(store).rollouts("test", 1)
        store.write(lambda _: [Put("rollout", (replace(entry, status=RolloutStatus.PAUSED),))])
    down(aws)
    assert "The fleet can't be listed" in jada("resume")[2]
    told = jada("abort")[2]
    assert "The way back needs no AWS" in told
    with open_store() as store:
        assert Records(store).rollouts("test", 1)[0].status == RolloutStatus.ABORTED


def test_a_key_can_be_taken_on_the_way_back_where_aws_can_not_be_asked(jada: Jada, aws: Emulator) -> None:
    """That is what a rollback tells to do about a host that was given new keys."""
    key = " ".join(aws.host_key.split()[:2])
    taking = ("host-keys", "--pin", key, "--limit", "spec-1")
    assert jada("hosts")[0] == Exit.OK
    down(aws)
    code, output, told = jada(*taking)
    assert (code, "pinned 2" in output) == (Exit.OK, True)
    assert "The way back needs no AWS" in told
