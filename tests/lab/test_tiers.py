"""The models of a role beside its own, on real hosts: written, checked, healed and taken back."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jada import Tiers
from jada.inventory.lab.machine import OLD_MODEL
from jada.tasks.settings import BOM, SUBAGENT_MODEL, apply, models_in, parse, set_models
from tests.conftest import LAB

if TYPE_CHECKING:
    from tests.conftest import Lab

pytestmark = pytest.mark.lab
TIERS = Tiers("claude-opus-5", ("claude-sonnet-4.6", "claude-haiku-4.5"), "claude-haiku-4.5")
ROLES = "roles:\n  every: {model: opus-5, fallback: [sonnet-4.6, haiku-4.5], subagent_model: haiku-4.5}\n"
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


def test_the_agent_has_the_telemetry_that_fleet_yml_asks_for(lab: Lab, fleet: dict[str, str]) -> None:
    """Each process with the release, the role and the model that it belongs to; nothing of it is left by a rollback."""
    file = Path(fleet["JADA_FLEET"])
    plain = file.read_text()
    file.write_text(plain + "telemetry: {exporter: otlp, endpoint: 'http://127.0.0.1:4318', protocol: http/json}\n")
    dropin = "/etc/systemd/system/jada-agent.service.d/50-jada.conf"

    def environment(name: str) -> dict[str, str]:
        pid = lab.run(name, "systemctl show -P MainPID jada-agent").strip()
        words = lab.run(name, f"tr '\\0' '\\n' </proc/{pid}/environ").splitlines()
        return {
            key: value for key, _, value in (word.partition("=") for word in words) if "OTEL" in key or "TELEM" in key
        }

    before = {host.name: environment(host.name) for host in lab.hosts}
    release = lab.json("upgrade", "--to", "opus-5[1m]", "--yes", env=fleet, exit_code=None)["release"]
    for host in lab.hosts:
        assert environment(host.name) == before[host.name] | {
            "CLAUDE_CODE_ENABLE_TELEMETRY": "1",
            "OTEL_METRICS_EXPORTER": "otlp",
            "OTEL_LOGS_EXPORTER": "otlp",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json",
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318",
            "OTEL_RESOURCE_ATTRIBUTES": f"jada.release={release},jada.role=every,jada.model=claude-opus-5%5B1m%5D",
        }
    found = {code for host in lab.json("drift", env=fleet, exit_code=None)["hosts"] for code in codes(host)}
    # fleet.yml asks for the model without its long context.
    assert found == {"J422"}

    lab.run(HOST, f"sed -i /OTEL_LOGS/d {dropin}; systemctl daemon-reload")
    assert f"J204 file-changed: expected {dropin}" in lab.jada("drift", exit_code=3, env=fleet)
    # A heal gives back what the release asked for, whatever fleet.yml says by then.
    file.write_text(plain)
    lab.jada("heal", "--limit", HOST, "--yes", env=fleet)
    assert "OTEL_LOGS_EXPORTER" in environment(HOST)
    lab.jada("rollback", "--to", OLD_MODEL, "--yes", env=fleet)
    assert {host.name: environment(host.name) for host in lab.hosts} == before
    assert "50-jada" not in lab.run(HOST, "ls /etc/systemd/system")


def codes(host: dict[str, Any]) -> list[str]:
    return [finding["code"] for finding in host["findings"]]
