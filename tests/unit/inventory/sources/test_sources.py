"""Sources of hosts: a new one is a file and a line of the registry; and what of AWS's refusals people are told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
from botocore.exceptions import ClientError

from jada import Aws, ConfigError, Host, HostError, JadaError
from jada.inventory.access.temporary import access_details
from jada.inventory.cloud.errors import failure, in_words
from jada.inventory.discover import discover
from jada.inventory.fleet import config
from jada.inventory.fleet.config import Fleet
from jada.inventory.sources import registry
from jada.inventory.sources.source import Access, Provider
from jada.inventory.yaml_values import Value


@dataclass(frozen=True, slots=True)
class RackSource:
    """Made up: machines in racks. A rack that is called "dark" can't be asked."""

    provider: ClassVar[str] = "rack"
    is_own: ClassVar[bool] = False
    racks: tuple[str, ...]

    def credentials(self, _aws: Aws, /) -> None:
        """Nobody is asked."""

    def searched_regions(self, _aws: Aws, /) -> tuple[str, ...]:
        return self.racks

    def find(self, _aws: Aws, region: str, /) -> list[Host]:
        if region.startswith("dark"):
            raise JadaError("nobody answers", "switch it on")
        address = f"192.0.2.{len(region)}"
        return [Host(f"{region}-1", address, self.provider, id=f"{region}/1", region=region, port=0)]

    def describe(self) -> str:
        return f"racks {' and '.join(self.racks)}"


def read(value: Value) -> RackSource:
    return RackSource(**value.fields({"racks": Value.texts}, required=("racks",)))


def access(_: Aws, host: Host) -> Access:
    if host.region == "east":
        raise JadaError("no key today", "ask again")
    return Access("The rack", "ann", "private", "certificate")


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.SOURCES, "rack", Provider(read, access))


def load(tmp_path: Path, racks: str) -> Fleet:
    file = tmp_path / "fleet.yml"
    file.write_text(
        f"fleet: f\nsources: [{{rack: {{racks: {racks}}}}}, {{static: {{hosts: {{s: {{address: 192.0.2.99}}}}}}}}]\n"
        "roles: {east: {names: [east/*]}, rest: {}}\nssh: {user: me, port: 2222}\n"
    )
    return config.load(str(file))


def test_a_new_source_is_read_searched_and_logged_in_to(tmp_path: Path) -> None:
    fleet = load(tmp_path, "[east, west-2]")
    assert fleet.sources[0] == RackSource(("east", "west-2"))
    hosts = discover(fleet)
    assert [(host.name, host.source, host.role) for host in hosts] == [
        ("east-1", "rack east", "east"),
        ("s", "static", "rest"),
        ("west-2-1", "rack west-2", "rest"),
    ]
    assert {(host.user, host.port) for host in hosts} == {("me", 2222)}
    details = access_details(hosts)
    assert set(details) == {"east-1", "west-2-1"}
    refused, granted = details["east-1"], details["west-2-1"]
    assert isinstance(refused, HostError)
    assert (refused.message, refused.hint) == ("east-1: rack east gives no access to it: no key today", "ask again")
    assert granted == Access("The rack", "ann", "private", "certificate")
    assert "private" not in repr(granted)


def test_what_is_wrong_with_a_new_source_is_told_as_of_any(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"fleet.yml:2: sources\[0\].rack.racks is an empty list"):
        load(tmp_path, "[]")
    with pytest.raises(JadaError) as caught:
        discover(load(tmp_path, "[dark-1, east, dark-2]"))
    assert caught.value.message == "The fleet can't be listed: rack dark-1, rack dark-2: nobody answers"
    assert caught.value.hint == "switch it on; `jada doctor` tells what can be asked there, and what not"


def refusal(operation: str) -> ClientError:
    return ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, operation)


@pytest.mark.parametrize(
    ("service", "operation", "permission"),
    [
        ("ec2", "DescribeInstances", "ec2:DescribeInstances"),
        ("sns", "Publish", "sns:Publish"),
        ("ec2", "AssumeRole", "sts:AssumeRole"),
        ("lightsail", "GetRoleCredentials", "sso:GetRoleCredentials"),
    ],
)
def test_a_refusal_names_the_permission_of_the_service_that_was_asked(
    service: str, operation: str, permission: str
) -> None:
    assert f"lack the permission {permission} " in failure(refusal(operation), service).message


def test_what_is_an_error_of_ours_already_stays_as_it_is() -> None:
    error = ConfigError("no such profile")
    with pytest.raises(ConfigError) as caught, in_words("ec2"):
        raise error
    assert caught.value is error
