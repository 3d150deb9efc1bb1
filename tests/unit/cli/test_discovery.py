"""Hosts of fleet.yml itself: AWS is not asked for them, so no inventory is kept and none is taken."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from jada.cli.discovery import AGE, find_hosts
from jada.cli.options import CACHED
from jada.inventory.fleet import config


def test_hosts_of_fleet_yml_itself_are_never_of_another_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    file = tmp_path / "fleet.yml"
    file.write_text("fleet: f\nsources: [{static: {hosts: {s: {address: 192.0.2.1}}}}]\nroles: {r: {}}\n")
    with click.Context(click.Command("hosts")) as context:
        context.meta[CACHED] = True
        assert [host.name for host in find_hosts(config.load(str(file)))] == ["s"]
        assert AGE not in context.meta
    assert not (tmp_path / "state").exists()
