"""Sixty real hosts, each with an sshd as Debian ships it: all upgraded, none lost."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jada.inventory.lab import machine
from jada.inventory.lab.machine import Machine
from tests.conftest import JADA, LAB, bring_up
from tests.faults.conftest import NEW
from tests.forms import checked

if TYPE_CHECKING:
    from tests.conftest import Lab

pytestmark = pytest.mark.lab


@pytest.fixture
def sixty(whole_lab: Lab) -> Iterator[tuple[Machine, ...]]:
    yield bring_up(60)
    bring_up()


@pytest.mark.skipif(not os.environ.get("JADA_ALL_FAULTS"), reason="takes minutes: make test-faults")
def test_sixty_hosts_are_upgraded_and_none_is_lost(sixty: tuple[Machine, ...], tmp_path: Path) -> None:
    env = {**os.environ, "JADA_FLEET": str(LAB.fleet_file), "XDG_STATE_HOME": str(tmp_path)}
    process = subprocess.run(
        [JADA, "upgrade", "--to", "sonnet-4.6", "--yes", "--json"], env=env, capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stdout + process.stderr
    assert [host["outcome"] for host in checked(process.stdout)["hosts"]] == ["verified"] * 60
    assert {machine.healthz(host)["model"] for host in sixty} == {NEW}
