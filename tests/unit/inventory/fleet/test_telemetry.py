"""fleet.yml's `telemetry` (inventory/fleet/telemetry.py)."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from jada import ConfigError, Service, Telemetry
from jada.inventory.fleet import config

FLEET = "fleet: f\nsources: [static: {hosts: {a: {address: 192.0.2.1}}}]\nroles: {r: {}}\n"


def read(tmp_path: Path, text: str) -> Service:
    file = tmp_path / "fleet.yml"
    file.write_text(f"{FLEET}{text}")
    return config.parse(file).service


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Telemetry()),
        (
            "telemetry: {exporter: otlp, endpoint: 'http://[::1]:4318'}",
            Telemetry(exporter="otlp", endpoint="http://[::1]:4318", protocol="http/protobuf"),
        ),
        (
            "telemetry: {exporter: otlp, endpoint: 'https://c.example.com/v1', protocol: grpc}",
            Telemetry(exporter="otlp", endpoint="https://c.example.com/v1", protocol="grpc"),
        ),
        ("telemetry: {exporter: none}", Telemetry(exporter="none")),
    ],
)
def test_what_it_says(tmp_path: Path, text: str, expected: Telemetry) -> None:
    service = read(tmp_path, text)
    assert service.telemetry == expected
    assert Service.of(asdict(service)) == service


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{endpoint: 'http://a'}", "lacks exporter|exporter"),
        ("{exporter: otel}", "telemetry.exporter should be otlp or console or none, not otel; did you mean otlp"),
        ("{exporter: otlp}", "telemetry lacks the key endpoint"),
        ("{exporter: console, protocol: grpc}", "telemetry.protocol does not go with exporter: console"),
        ("{exporter: otlp, endpoint: 'http://a', protocol: http}", "telemetry.protocol should be"),
        ("{exporter: otlp, endpoint: 'a:4318'}", "telemetry.endpoint should be a URL"),
        ("{exporter: otlp, endpoint: 'http://ann:s3cret@a'}", "telemetry.endpoint should be a URL"),
        ("{exporter: otlp, endpoint: 'http://a/?token=s3cret'}", "telemetry.endpoint should be a URL"),
    ],
)
def test_what_it_can_not_say(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem) as caught:
        read(tmp_path, f"telemetry: {text}")
    assert "s3cret" not in caught.value.message + caught.value.hint
