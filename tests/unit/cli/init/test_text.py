"""The fleet.yml that `jada init` writes: what is read of it is what was answered, within all that is shipped."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from jada import Aws, ModelCheck, Service
from jada.cli.init import text
from jada.inventory.fleet import config
from jada.inventory.fleet.config import Fleet
from jada.inventory.fleet.shipped import schema_file, shipped_file
from jada.inventory.fleet.ssh import Ssh
from jada.inventory.roles import Role
from jada.inventory.sources.ec2 import Ec2Source
from jada.inventory.sources.lightsail import LightsailSource
from jada.inventory.sources.static import StaticHost, StaticSource
from jada.inventory.yaml_values import of_text

PATH = Path("/nowhere/fleet.yml")
STATIC = StaticSource((StaticHost("web-1", "192.0.2.1", "debian", 2222), StaticHost("2001:db8::1", "2001:db8::1")))
EC2 = Ec2Source(("us-east-1", "eu-west-1"), tags={"jada": ("agent",), "a:b [c]": ("x", "no")}, address="public")
LIGHTSAIL = LightsailSource(("us-east-1",), names=("agent-*", "jada-?"))
LEAST = Fleet("agents", PATH, (STATIC,), (Role("agent", "opus-5"),))


@pytest.mark.parametrize(
    "fleet",
    [
        LEAST,
        replace(LEAST, sources=(Ec2Source(("all",)),)),
        replace(LEAST, name="no", sources=(EC2,), aws=Aws("prod: x"), roles=(Role("agent"),)),
        replace(LEAST, sources=(LIGHTSAIL,), roles=(Role("a", "sonnet-4.6[1m]", names=("w-*",)), Role("null"))),
        replace(LEAST, roles=(Role("planner", "opus-5", tags={"role": ("planner",)}), Role("agent", "haiku-4.5"))),
        replace(LEAST, ssh=Ssh(user="admin", key=Path("/home/a b/key"))),
        replace(
            LEAST,
            service=Service(
                unit="my@1.service",
                settings="~/other/settings.json",
                model_check=ModelCheck(command="say 'x: \"y\" #'"),
            ),
        ),
    ],
)  # fmt: skip
def test_what_is_read_of_it_is_the_same_fleet(fleet: Fleet) -> None:
    written = text.fleet_yml(fleet)
    assert config.parse_top(of_text(written, PATH)) == fleet
    assert yaml.safe_load(written)["fleet"] == fleet.name


def test_it_has_every_key_that_is_shipped_and_an_editor_finds_its_schema() -> None:
    first, *lines = text.fleet_yml(LEAST).splitlines()
    assert first == f"# yaml-language-server: $schema={schema_file()}"
    shipped = shipped_file().read_text(encoding="utf-8").splitlines()
    assert {line for line in shipped if line.startswith("#")} <= set(lines)
    # Examples of other sources, roles and hosts do not stay.
    assert not any("lightsail:" in line or "orchestrator" in line or "build-1" in line for line in lines)


def test_what_was_not_answered_stays_commented_out() -> None:
    assert "# model_check: " in text.fleet_yml(LEAST)
    checked = replace(LEAST, service=Service(model_check=ModelCheck(url="http://127.0.0.1:1/x")))
    assert '\nmodel_check: {url: "http://127.0.0.1:1/x"}\n' in text.fleet_yml(checked)
    assert "# model_check: " not in text.fleet_yml(checked)


@pytest.mark.parametrize(
    "word", ["yes", "null", "1.0", "0x1", "2026-01-01", "a: b", "#x", "*", "&a", "\u2028", '"', "\\"]
)
def test_no_text_is_read_as_anything_else(word: str) -> None:
    assert yaml.safe_load(f"a: {{b: {text.scalar(word)}}}") == {"a": {"b": word}}
