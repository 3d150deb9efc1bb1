"""The way to each host: as its source says, or as --engine does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jada import ConfigError, Exit, Host, HostError, ModelCheck, Service, attempt
from jada.cli import signals
from jada.cli.commands import ssh
from jada.cli.session import FleetSession, NotStartedError, open_engine
from jada.inventory.discover import with_trouble
from jada.inventory.fleet import config
from jada.inventory.fleet.config import Fleet
from jada.tasks.engine import Connection
from jada.tasks.engines.mixed import MixedEngine
from jada.tasks.engines.ssh import SshConnection, SshEngine
from jada.tasks.engines.ssm import SsmConnection, SsmEngine
from tests.unit.cli.conftest import Jada

FLEET = "fleet: f\nroles: {r: {}}\nssh: {host_keys: accept-new}\nsources:\n"
OVER_SSH = Host("a", "192.0.2.1", "ec2", id="i-a", region="us-east-1", instance="i-a", user="u")
MANAGED = Host("b", "", "ec2", id="i-b", region="us-east-1", instance="i-b", engine="ssm")


def fleet(folder: Path, source: str = "  - ec2: {regions: [us-east-1]}\n") -> Fleet:
    (folder / "fleet.yml").write_text(FLEET + source)
    return config.load(str(folder / "fleet.yml"))


def kind(_: str, connection: Connection) -> type:
    return type(connection)


def ways(fleet: Fleet, *hosts: Host) -> tuple[type, Mapping[str, type | HostError]]:
    with open_engine(fleet, hosts) as engine:
        return type(engine), dict(engine.imap([host.name for host in hosts], kind))


def test_each_host_is_reached_by_its_own_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    own = fleet(tmp_path)
    assert ways(own, OVER_SSH) == (SshEngine, {"a": SshConnection})
    assert ways(own, MANAGED) == (SsmEngine, {"b": SsmConnection})
    assert ways(own, OVER_SSH, MANAGED) == (MixedEngine, {"a": SshConnection, "b": SsmConnection})


def test_a_url_that_aws_would_have_to_keep_is_refused(tmp_path: Path) -> None:
    check = ModelCheck(url="http://me:secret@127.0.0.1/")
    own = replace(fleet(tmp_path), service=Service(model_check=check))
    with pytest.raises(ConfigError, match="AWS keeps the text") as caught, open_engine(own, (MANAGED,)):
        pass
    assert "secret" not in caught.value.message + caught.value.hint


def test_systems_manager_reaches_instances_whatever_their_address_and_nothing_else() -> None:
    twins = [MANAGED, Host("c", "", "ec2", instance="i-c", engine="ssm")]
    other = Host("d", "192.0.2.4", "lightsail", id="d", engine="ssm")
    # A host that is reached otherwise is not where another is.
    beside = Host("e", "192.0.2.4", "static")
    troubles = {host.name: host.trouble for host in with_trouble([*twins, other, beside])}
    error = troubles.pop("d")
    assert troubles == {"b": None, "c": None, "e": None}
    assert error
    assert ("is no EC2 instance" in error.message, "--engine ssh" in error.hint) == (True, True)


def test_a_source_says_how_its_hosts_are_reached(tmp_path: Path) -> None:
    (source,) = fleet(tmp_path, "  - ec2: {regions: [us-east-1], engine: ssm}\n").sources
    assert getattr(source, "engine", "") == "ssm"
    with pytest.raises(ConfigError, match="engine"):
        fleet(tmp_path, "  - ec2: {regions: [us-east-1], engine: telnet}\n")


def test_a_source_says_how_its_hosts_are_logged_in_to_and_by_which_way(tmp_path: Path) -> None:
    (source,) = fleet(tmp_path, "  - ec2: {regions: [us-east-1], login: instance-connect, via: eice}\n").sources
    assert (getattr(source, "login", ""), getattr(source, "via", "")) == ("instance-connect", "eice")
    (source,) = fleet(tmp_path).sources
    assert (getattr(source, "login", ""), getattr(source, "via", "")) == ("keys", "address")
    for key in ("login: password", "via: tunnel"):
        with pytest.raises(ConfigError, match=key.partition(":")[0]):
            fleet(tmp_path, f"  - ec2: {{regions: [us-east-1], {key}}}\n")


def test_one_address_in_two_vpcs_is_two_places_for_those_that_are_reached_from_within() -> None:
    first = replace(OVER_SSH, via="eice", vpc="vpc-1")
    second = replace(first, name="c", id="i-c", instance="i-c", vpc="vpc-2")
    assert [host.trouble for host in with_trouble([first, second])] == [None, None]
    for twin in (replace(second, vpc="vpc-1"), replace(second, via="address")):
        troubles = [host.trouble for host in with_trouble([first, twin, replace(twin, name="d", id="i-d")])]
        assert troubles[1]
        assert troubles[2]


class OneAfterAnother:
    """An engine whose hosts wait in line: the first begins a long time after all of them were told to."""

    def imap(
        self, names: Iterable[str], act: Callable[[str, None], str], *_: float | None
    ) -> Iterator[tuple[str, str | HostError]]:
        for name in [*names]:
            yield name, attempt(name, lambda name=name: act(name, None))  # type: ignore[misc]


def test_a_host_that_waited_in_line_until_the_command_was_over_is_not_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []

    def act(name: str, _: object) -> str:
        begun.append(name)
        monkeypatch.setattr(signals, "stopped", lambda: True)
        return name

    engine: Any = OneAfterAnother()
    session = FleetSession(fleet(tmp_path), (), engine, time.monotonic() + 1000)
    results = session.run_on_each("Doing", ["a", "b"], act)
    assert begun == ["a"]
    assert results["a"] == "a"
    assert isinstance(results["b"], NotStartedError)


def test_the_option_is_for_all_hosts_of_one_command(jada: Jada) -> None:
    done = jada("hosts", "--engine", "ssm")
    assert "is no EC2 instance" in done.out + done.err
    assert "is no EC2 instance" not in jada("hosts").out
    assert jada("hosts", "--engine", "telnet").exit == Exit.USAGE


def test_no_shell_is_opened_through_systems_manager(jada: Jada, monkeypatch: pytest.MonkeyPatch) -> None:
    done = jada("ssh", "--engine", "ssm", "web-1")
    assert (done.exit, "is no EC2 instance" in done.err) == (Exit.FAILED, True)
    monkeypatch.setattr(ssh, "find", lambda *_: (MANAGED,))
    done = jada("ssh", "web-1")
    assert (done.exit, "aws ssm start-session --target i-b --region us-east-1" in done.err) == (Exit.FAILED, True)
