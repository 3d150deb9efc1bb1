"""fleet.yml's `telemetry`: where the Claude CLI of the service sends its metrics and logs by OpenTelemetry."""

from __future__ import annotations

from jada import EXPORTERS, OTLP_ENDPOINT, OTLP_PROTOCOLS, Telemetry
from jada.inventory.yaml_values import Fields, Readers, Value


def read(value: Value) -> Telemetry:
    sent: Readers = {"endpoint": _endpoint, "protocol": lambda protocol: protocol.choice(OTLP_PROTOCOLS)}
    kinds = {"otlp": Fields(sent, required=("endpoint",)), **dict.fromkeys(EXPORTERS[1:], Fields({}))}
    fields = value.variant("exporter", kinds)
    return Telemetry(**{"protocol": OTLP_PROTOCOLS[0] if "endpoint" in fields else "", **fields})


def _endpoint(value: Value) -> str:
    """The URL itself, which may hold a password, never gets into an error."""
    return value.matching(
        OTLP_ENDPOINT,
        "a URL such as https://collector.example.com:4318, without a user, password or query",
        "every user of the host can read the unit; a secret header goes into an EnvironmentFile= of its own, as "
        "OTEL_EXPORTER_OTLP_HEADERS",
        is_secret=True,
    )
