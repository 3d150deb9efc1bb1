"""No change is called verified on a host whose CLI then asks for another model: with each of the most telling
configurations, the real `jada upgrade` and then `jada rollback`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from jada.inventory.lab.machine import Machine
from tests.claude import hosts
from tests.claude.configurations import CONFIGURATIONS
from tests.claude.conftest import Asked, ClaudeLab, chosen
from tests.claude.hosts import Configuration
from tests.claude.test_configurations import each
from tests.conftest import eventually

pytestmark = pytest.mark.claude
NEW = "claude-opus-5"
TELLING = tuple(configuration for configuration in CONFIGURATIONS if configuration.telling)


@dataclass(frozen=True, slots=True)
class Change:
    """What jada said came of a change to a host, and the model that was asked for last, None where none was since."""

    outcome: str
    asked: str | None


@dataclass(frozen=True, slots=True)
class Changes:
    before: Asked
    upgrade: Change
    rollback: Change


@pytest.fixture(scope="session")
def changes(claude_lab: ClaudeLab, request: pytest.FixtureRequest) -> dict[str, Changes | BaseException]:
    found: dict[str, Changes | BaseException] = {}
    for side_by_side in claude_lab.rounds(chosen(request, "changes")):
        laid = claude_lab.lay(side_by_side)
        names = ",".join(host.name for host in side_by_side.values())
        upgrade = change(claude_lab, side_by_side, "upgrade", "--to", NEW, "--limit", names)
        rollback = change(claude_lab, side_by_side, "rollback", "--limit", names)
        for configuration, asked in laid.items():
            host = side_by_side[configuration].name
            found[configuration.name] = (
                asked if isinstance(asked, BaseException) else Changes(asked, upgrade[host], rollback[host])
            )
    return found


def change(lab: ClaudeLab, side_by_side: Mapping[Configuration, Machine], *argv: str) -> dict[str, Change]:
    """Runs jada, and waits for what each host then asks for, where it is said to run something."""
    moment = time.time()
    told = json.loads(lab.jada(*argv, "--yes", "--json"))
    outcomes = {row["host"]: str(row["outcome"]) for row in told["hosts"]}
    return {host.name: _change(host, outcomes.get(host.name, "none"), moment) for host in side_by_side.values()}


def _change(host: Machine, outcome: str, moment: float) -> Change:
    if outcome == "verified":
        eventually(lambda: bool(hosts.asked_since(host, moment)), f"{host.name} is verified, and asks for nothing")
    asked = hosts.asked_since(host, moment)
    return Change(outcome, asked[-1] if asked else None)


def of(changes: dict[str, Any], configuration: Configuration) -> Changes:
    found = changes[configuration.name]
    if isinstance(found, BaseException):
        raise found
    assert isinstance(found, Changes)
    return found


@each({}, TELLING)
def test_no_upgrade_is_verified_that_asks_for_another_model(
    changes: dict[str, Changes | BaseException], configuration: Configuration
) -> None:
    upgrade = of(changes, configuration).upgrade
    assert upgrade.outcome != "verified" or upgrade.asked == NEW


@each({}, TELLING)
def test_a_rollback_leads_to_what_was_asked_for_before(
    changes: dict[str, Changes | BaseException], configuration: Configuration
) -> None:
    found = of(changes, configuration)
    if found.rollback.outcome == "verified":
        assert found.rollback.asked == found.before[0]
