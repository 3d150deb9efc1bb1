"""The files of jada's own that a release puts on a host: the unit's drop-in, and the limits of logins. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict
from urllib.parse import quote

from jada import LEAST_NOFILE
from jada.tasks.release import (
    Desired,
    ReleaseError,
    checked_id,
    checked_telemetry,
    model_id,
    quoted,
    whole_number,
)

NOTICE = "# Written by jada; `jada rollback` takes it back.\n"
# limits.conf(5) reads other names as groups, ranges of ids, everybody or a comment.
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,254}\$?")


def dropin(desired: Desired, role: str = "") -> str:
    """The unit's drop-in (systemd.exec(5)): the limit, both names on every line of the journal, and the telemetry.

    Raises ReleaseError for what systemd could read as more than a value.
    """
    requested, granted = whole_number(desired.nofile_requested, "nofile_requested"), _limit(desired.nofile)
    model, release = model_id(desired.model, "model"), checked_id(desired.release, "release")
    return (
        NOTICE
        + "[Service]\n"
        + (f"# {requested} was asked for; this is the most the host can give.\n" if granted != requested else "")
        + f"LimitNOFILE={granted}\n"
        + f"LogExtraFields=JADA_MODEL={model} JADA_RELEASE={release}\n"
        + "".join(_environment(desired, role))
    )


def _environment(desired: Desired, role: str) -> Iterator[str]:
    """The lines that have the Claude CLI send its telemetry, each piece of it with release, role and model
    (https://code.claude.com/docs/en/monitoring-usage).
    """
    telemetry = checked_telemetry(asdict(desired.telemetry), "telemetry")
    if not telemetry.exporter:
        return
    attributes = {"jada.release": desired.release, "jada.role": role, "jada.model": desired.model}
    variables = {
        "CLAUDE_CODE_ENABLE_TELEMETRY": "1",
        "OTEL_METRICS_EXPORTER": telemetry.exporter,
        "OTEL_LOGS_EXPORTER": telemetry.exporter,
        "OTEL_EXPORTER_OTLP_PROTOCOL": telemetry.protocol,
        "OTEL_EXPORTER_OTLP_ENDPOINT": telemetry.endpoint,
        # Percent-encoded, by OpenTelemetry's rule for them: nothing that it, or systemd, reads as more than a value.
        "OTEL_RESOURCE_ATTRIBUTES": ",".join(
            f"{name}={quote(value, safe='')}" for name, value in attributes.items() if value
        ),
    }
    for name, value in variables.items():
        if value:
            # A percent sign alone begins one of systemd's specifiers.
            yield f'Environment="{name}={value.replace("%", "%%")}"\n'


def login_limits(user: str, nofile: int) -> str:
    """The limits.d file for login shells of the service's user (limits.conf(5), read by pam_limits).

    Raises ReleaseError for what pam_limits could read as another user or line.
    """
    if not _USER.fullmatch(user):
        raise ReleaseError(f"the user {quoted(user)} can't have limits: letters, digits and _ . - only, no digit first")
    limit = _limit(nofile)
    return NOTICE + f"{user} soft nofile {limit}\n{user} hard nofile {limit}\n"


def _limit(nofile: int) -> int:
    if whole_number(nofile, "nofile") < LEAST_NOFILE:
        raise ReleaseError(
            f"nofile is {nofile}: with fewer than {LEAST_NOFILE} open files neither the service nor a login is sure to "
            "work"
        )
    return nofile
