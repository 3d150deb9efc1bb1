"""The models of a role beside its own, on real hosts: written, checked, healed and taken back."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from jada import Tiers
from jada.inventory.lab.machine import OLD_MODEL
from jada.tasks.settings import BOM, SUBAGENT_MODEL, apply, models_in, parse, set_models
from tests.conftest import LAB

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Lab

pytestmark = pytest.mark.lab
TIERS = Tiers("claude-opus-5", ("claude-sonnet-4.6", "claude-haiku-4.5"), "claude-haiku-4.5")
ROLES = "roles:\n  all-of-them: {model: opus-5, fallback: [sonnet-4.6, haiku-4.5], subagent_model: haiku-4.5}\n"
HOST = "specialist-1"


@pytest.fixture
def fleet(tmp_path: Path) -> dict[str, str]:
    """The environment in which jada knows the same hosts, in one role that says all its models."""
    before, _, rest = LAB.fleet_file.read_text().partition("roles:\n")
    file = tmp_path / "fleet.yml"
    file.write_text(before + ROLES + rest[rest.index("model_check:") :].replace("settle: 5", "settle: 1"))
    return {"JADA_FLEET": str(file)}


def settings(lab: Lab, name: str) -> str:
    """The file, a character for each byte."""
    return base64.b64decode(lab.settings(name)).decode("latin-1")


def test_all_models_of_a_role_are_written_checked_healed_and_taken_back(lab: Lab, fleet: dict[str, str]) -> None:
    first = {host.name: settings(lab, host.name) for host in lab.hosts}
    shas = {host.name: lab.settings_sha(host.name) for host in lab.hosts}
    assert {text.startswith(BOM) for text in first.values()} == {True, False}
    assert any("\r\n" in text for text in first.values())

    planned: Any = lab.json("upgrade", "--dry-run", env=fleet)
    assert {host["outcome"] for host in planned["hosts"]} == {"planned"}
    lab.jada("upgrade", "--yes", env=fleet)
    for host in lab.hosts:
        text = settings(lab, host.name)
        assert text == apply(first[host.name], set_models(first[host.name], TIERS))
        assert models_in(parse(text)) == TIERS
    lab.jada("drift", env=fleet)
    assert "Nothing to do" in lab.jada("upgrade", "--yes", env=fleet)

    path = lab[HOST].settings
    lab.run(HOST, f'sed -i -e \'s/"fallbackModel"/"other"/\' -e \'s/\\({SUBAGENT_MODEL}".*\\)haiku/\\1opus/\' {path}')
    output = lab.jada("drift", exit_code=3, env=fleet)
    assert f"J124 fallback-changed: expected claude-sonnet-4.6, claude-haiku-4.5, saw none in {path}" in output
    assert f"J125 subagent-model-changed: expected claude-haiku-4.5, saw claude-opus-4.5 in {path}" in output
    edited = settings(lab, HOST)
    lab.jada("heal", "--yes", env=fleet)
    assert settings(lab, HOST) == apply(edited, set_models(edited, TIERS))
    lab.jada("drift", env=fleet)

    lab.jada("rollback", "--to", OLD_MODEL, "--yes", env=fleet)
    assert {host.name: lab.settings_sha(host.name) for host in lab.hosts} == shas


def test_only_what_is_asked_for_is_touched(lab: Lab, fleet: dict[str, str]) -> None:
    """A fallback that was set by hand stays where the role says none; a secret beside the edits stays on the host."""
    path = lab[HOST].settings
    own = json.dumps(
        {"model": "x", "fallbackModel": ["claude-opus-4-8"], "env": {SUBAGENT_MODEL: "lab-secret at hand"}}
    )
    lab.run(HOST, f"printf %s '{own}' >{path}")
    lab.jada("upgrade", "--to", "sonnet-4.6", "--limit", HOST, "--yes")
    assert settings(lab, HOST) == own.replace('"x"', '"claude-sonnet-4.6"')
    lab.jada("drift", "--limit", HOST)
    lab.jada("upgrade", "--limit", HOST, "--yes", env=fleet)
    assert models_in(parse(settings(lab, HOST))) == TIERS
    lab.jada("rollback", "--limit", HOST, "--yes", env=fleet)
    assert settings(lab, HOST) == own.replace('"x"', '"claude-sonnet-4.6"')
