"""What the answers to `jada init` mean, and what it suggests."""

from __future__ import annotations

from pathlib import Path

import pytest

from jada import ConfigError, Host, ModelCheck
from jada.cli.init import answers
from jada.inventory.fleet.config import Fleet
from jada.inventory.roles import Role
from jada.inventory.sources.ec2 import Ec2Source
from jada.inventory.sources.lightsail import LightsailSource
from jada.inventory.sources.static import StaticHost

FLEET = Fleet("f", Path("fleet.yml"), (), ())


def host(name: str, **tags: str) -> Host:
    return Host(name, "192.0.2.1", "ec2", tags=tags)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("192.0.2.1", StaticHost("192.0.2.1", "192.0.2.1")),
        ("web-1.example.com", StaticHost("web-1", "web-1.example.com")),
        ("debian@web-1:2222", StaticHost("web-1", "web-1", "debian", 2222)),
        ("one=debian@192.0.2.1:22", StaticHost("one", "192.0.2.1", "debian", 22)),
        ("[2001:db8::1]:2222", StaticHost("2001:db8::1", "2001:db8::1", "", 2222)),
        ("2001:db8::1", StaticHost("2001:db8::1", "2001:db8::1")),
    ],
)
def test_hosts_are_named_as_behind_ssh(word: str, expected: StaticHost) -> None:
    assert answers.static_source([word]).hosts == (expected,)


@pytest.mark.parametrize("hosts", [[], [""], ["a b"], ["web@"], ["=x"], ["a:x"], ["a:123456"], ["x=1", "x=2"]])
def test_what_is_no_host_is_told(hosts: list[str]) -> None:
    with pytest.raises(ConfigError):
        answers.static_source(hosts)


def test_two_hosts_of_one_short_name_have_their_whole_addresses_for_names() -> None:
    source = answers.static_source(["web.a.example", "web.b.example", "db.a.example"])
    assert [host.name for host in source.hosts] == ["web.a.example", "web.b.example", "db"]


def test_instances_are_chosen_by_tags_and_by_patterns_for_names() -> None:
    words = ["jada=agent", "env=prod", "env=dev", "web-*"]
    tags = {"jada": ("agent",), "env": ("prod", "dev")}
    ec2 = answers.matching(Ec2Source(("all",)), words)
    assert ec2.tags == {**tags, "Name": ("web-*",)}
    lightsail = answers.matching(LightsailSource(("all",)), words)
    assert (lightsail.tags, getattr(lightsail, "names", None)) == (tags, ("web-*",))
    assert answers.matching(LightsailSource(("all",)), []) == LightsailSource(("all",))


def test_tags_are_suggested_the_most_common_first_and_not_those_of_aws() -> None:
    hosts = [host("a", jada="agent", Name="a"), host("b", jada="agent", **{"aws:x": "1"}), host("c", env="dev")]
    assert answers.tags_seen(hosts) == [("jada=agent", 2), ("env=dev", 1)]


def test_a_check_of_the_model_is_a_url_a_command_or_none() -> None:
    assert answers.model_check("http://127.0.0.1/x") == ModelCheck(url="http://127.0.0.1/x")
    assert answers.model_check("agent --model") == ModelCheck(command="agent --model")
    assert answers.model_check("-") == answers.model_check("") == ModelCheck()


def test_hosts_that_run_one_model_play_one_role() -> None:
    hosts = [host("a"), host("b")]
    running = {"a": "claude-opus-5", "b": "claude-opus-5"}
    assert answers.roles_of(hosts, running, FLEET) == (Role("agent", "opus-5"),)
    # Of a host that could not be tried, nothing is known.
    assert answers.roles_of(hosts, {"a": "claude-opus-5"}, FLEET)[-1].model in ("opus-5", "")
    assert answers.roles_of([], {}, FLEET) == (Role("agent"),)


def test_hosts_that_run_several_models_play_a_role_for_each_and_the_last_takes_the_rest() -> None:
    hosts = [host("a"), host("b"), host("c")]
    running = {"a": "claude-opus-5", "b": "claude-haiku-4.5", "c": "claude-opus-5"}
    assert answers.roles_of(hosts, running, FLEET) == (
        Role("haiku-4-5", "haiku-4.5", names=("b",)), Role("agent", "opus-5"),
    )  # fmt: skip


def test_hosts_with_a_tag_for_their_role_play_that() -> None:
    hosts = [host("a", role="planner"), host("b", role="worker"), host("c", role="worker"), host("d", role="0 no")]
    running = {"a": "claude-opus-5", "b": "claude-opus-5", "c": "claude-haiku-4.5", "d": "claude-haiku-4.5"}
    assert answers.roles_of(hosts, running, FLEET) == (
        Role("planner", "opus-5", tags={"role": ("planner",)}),
        # Two models run there: none is asked for.
        Role("worker", tags={"role": ("worker",)}),
        Role("agent", "haiku-4.5"),
    )


def test_a_model_that_the_catalogue_lacks_is_asked_of_no_role() -> None:
    running = {"a": "claude-next-9"}
    assert answers.roles_of([host("a")], running, FLEET) == (Role("agent"),)
    assert answers.unlisted(running, FLEET) == ("claude-next-9",)
