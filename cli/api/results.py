"""The results of the Python API: frozen values, with the names that `--json` and docs/schemas/ have for them.

For annotations: `from jada.cli.api.results import HostStatus`; `Host`, `Exit` and the errors are in `jada` itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from jada import Exit, Host, HostError
from jada.cli.records.model import HostOutcome, RolloutStatus

# A row of a report.
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One piece of evidence of the model that a host runs. Its kind is served, reported, asked or derived, of which the
    last proves nothing.
    """

    kind: str
    model: str
    count: int | None
    answers: int | None
    since: datetime | None
    cli_version: str | None
    by: str | None
    asked_at: datetime | None

    @classmethod
    def of(cls, row: Row) -> Evidence:
        return cls(**{**row, "since": _time(row["since"]), "asked_at": _time(row["asked_at"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorLock:
    """The lock of a person on a host (`jada lock`)."""

    who: str | None
    locked_at: str | None
    until: str | None
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HostStatus:
    """One look at a host. Where there is an `error`, it could not be looked at, and the rest is None."""

    host: str
    role: str | None
    provider: str
    region: str | None
    error: str | None
    state: str | None
    changing_by: str | None
    model_on_disk: str | None
    model_running: str | None
    evidence: tuple[Evidence, ...] | None
    open_files_in_force: int | None
    open_files_requested: int | None
    release: str | None
    started_at: datetime | None
    uptime_seconds: float | None
    drift: tuple[str, ...] | None
    operator_lock: OperatorLock | None
    notes: tuple[str, ...]

    @classmethod
    def of(cls, row: Row) -> HostStatus:
        read = {
            "evidence": None if row["evidence"] is None else _evidence(row["evidence"]),
            "started_at": _time(row["started_at"]),
            "drift": None if row["drift"] is None else tuple(row["drift"]),
            "operator_lock": row["operator_lock"] and OperatorLock(**row["operator_lock"]),
            "notes": tuple(row["notes"]),
        }
        return cls(**{**row, **read})


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """The entry of fleet.yml's `accept` that is about a finding."""

    reason: str
    until: str
    expired: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A finding of docs/findings.md on a host, and how to fix it."""

    code: str
    name: str
    severity: str
    expected: str
    actual: str
    fix: str
    is_drift: bool | None = None
    acceptance: Acceptance | None = None

    @classmethod
    def of(cls, row: Row) -> Finding:
        acceptance = row.get("acceptance")
        return cls(**{**row, "acceptance": Acceptance(**acceptance) if acceptance else None})


@dataclass(frozen=True, slots=True, kw_only=True)
class HostDrift:
    """One host of a check. `in_sync` is None where nobody knows."""

    host: str
    role: str | None
    status: str
    in_sync: bool | None
    error: str | None
    evidence: tuple[Evidence, ...]
    findings: tuple[Finding, ...]

    @classmethod
    def of(cls, row: Row) -> HostDrift:
        return cls(**{**row, "evidence": _evidence(row["evidence"]), "findings": _findings(row["findings"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftReport:
    """One check for drift. `exit` is the command's: OK is all in sync, DRIFT is drift, and FAILED that a host could not
    be checked, or that not all could be written down.
    """

    fleet: str
    at: datetime
    exit: Exit
    hosts: tuple[HostDrift, ...]

    @classmethod
    def of(cls, report: Row, code: int) -> DriftReport:
        hosts = tuple(map(HostDrift.of, report["hosts"]))
        return cls(fleet=report["fleet"], at=datetime.fromisoformat(report["at"]), exit=Exit(code), hosts=hosts)

    def __iter__(self) -> Iterator[HostDrift]:
        return iter(self.hosts)


@dataclass(frozen=True, slots=True, kw_only=True)
class HostRollout:
    """One host's part in a rollout. The rows of `price_changes`, `probes` and `preflight` are as docs/schemas/ has
    them.
    """

    host: str
    role: str | None
    outcome: HostOutcome
    detail: str | None
    model_before: str | None
    model_desired: str | None
    model_after: str | None
    price_changes: tuple[Row, ...]
    cost_per_day_usd: Row | None
    evidence: tuple[Evidence, ...] | None
    open_files_in_force: int | None
    findings: tuple[Finding, ...]
    network: tuple[Finding, ...] | None
    probes: tuple[Row, ...]
    notes: tuple[str, ...]
    duration_seconds: float | None
    log: tuple[str, ...]
    diff: tuple[str, ...]
    preflight: tuple[Row, ...] | None = None

    @classmethod
    def of(cls, row: Row) -> HostRollout:
        read = {
            "outcome": HostOutcome(row["outcome"]),
            "evidence": None if row["evidence"] is None else _evidence(row["evidence"]),
            "findings": _findings(row["findings"]),
            "network": None if row["network"] is None else _findings(row["network"]),
            "preflight": None if row.get("preflight") is None else tuple(row["preflight"]),
        }
        lists = {key: tuple(row[key]) for key in ("price_changes", "probes", "notes", "log", "diff")}
        return cls(**{**row, **lists, **read})


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """The result of a change, or of a plan of one. `exit` is the command's, of which OK alone is done and verified."""

    fleet: str
    at: datetime
    exit: Exit
    release: str
    dry_run: bool
    notes: tuple[str, ...]
    waves: tuple[tuple[str, ...], ...]
    status: RolloutStatus | None
    why: str | None
    models: Mapping[str, int]
    hosts: tuple[HostRollout, ...]

    @classmethod
    def of(cls, report: Row, code: int) -> Rollout:
        read = {
            "at": datetime.fromisoformat(report["at"]),
            "exit": Exit(code),
            "notes": tuple(report["notes"]),
            "waves": tuple(map(tuple, report["waves"])),
            "status": report["status"] and RolloutStatus(report["status"]),
            "hosts": tuple(map(HostRollout.of, report["hosts"])),
        }
        return cls(**{**{key: value for key, value in report.items() if key != "schema"}, **read})

    def __iter__(self) -> Iterator[HostRollout]:
        return iter(self.hosts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A plan, which Fleet.apply() carries out, and the `rollout` as it would be."""

    rollout: Rollout
    saved: str = field(repr=False)

    def __iter__(self) -> Iterator[HostRollout]:
        return iter(self.rollout.hosts)


def host(row: Row) -> Host:
    """A host of `jada hosts --json`; where it can't be reached, `trouble` says why."""
    return Host(
        name=row["host"],
        address=row["address"] or "",
        provider=row["provider"],
        id=row["id"] or "",
        region=row["region"] or "",
        user=row["user"] or "",
        port=row["port"],
        tags=row["tags"],
        role=row["role"] or "",
        account=row["account"] or "",
        trouble=HostError(row["error"]) if row["error"] else None,
    )


def _evidence(rows: list[Row]) -> tuple[Evidence, ...]:
    return tuple(map(Evidence.of, rows))


def _findings(rows: list[Row]) -> tuple[Finding, ...]:
    return tuple(map(Finding.of, rows))


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
