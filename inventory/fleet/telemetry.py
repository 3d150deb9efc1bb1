"""fleet.yml's `telemetry`: where the Claude CLI of the service sends its metrics and logs by OpenTelemetry."""

from __future__ import annotations

from jada import EXPORTERS, OTLP_ENDPOINT, OTLP_PROTOCOLS, Telemetry
from jada.inventory.yaml_values import Value


def read(value: Value) -> Telemetry:
    fields = value.fields(
        {
            "exporter": lambda exporter: exporter.choice(EXPORTERS),
            "endpoint": _endpoint,
            "protocol": lambda protocol: protocol.choice(OTLP_PROTOCOLS),
        },
        required=("exporter",),
    )
    is_sent = fields["exporter"] == "otlp"
    if is_sent and "endpoint" not in fields:
        raise value.error("says no `endpoint`", "exporter: otlp sends to one, such as http://127.0.0.1:4318")
    if not is_sent and len(fields) > 1:
        raise value.error(f"has an endpoint or a protocol, which exporter: {fields['exporter']} does not use")
    return Telemetry(**{"protocol": OTLP_PROTOCOLS[0] if is_sent else "", **fields})


def _endpoint(value: Value) -> str:
    """The URL itself, which may hold a password, never gets into an error."""
    if not OTLP_ENDPOINT.fullmatch(value.text()):
        raise value.error(
            "should be a URL such as https://collector.example.com:4318, without a user, password or query",
            "every user of the host can read the unit; a secret header goes into an EnvironmentFile= of its own, as "
            "OTEL_EXPORTER_OTLP_HEADERS",
        )
    return value.text()
