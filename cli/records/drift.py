"""The rows of the history of drift. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """One finding on one host from when it was found to when it was no more; times are ISO 8601 UTC.

    While it is open, `closed_at` and `resolution` are ""; then the latter is "resolved", "accepted" or, with its host,
    "gone". A code that was found several times on a host at once is one episode.
    """

    fleet: str
    host: str
    code: str
    opened_at: str
    closed_at: str = ""
    resolution: str = ""
    severity: str
    expected: str
    actual: str
    fix: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check of the fleet: when, and the number of hosts by status."""

    fleet: str
    at: str
    in_sync: int
    drifted: int
    not_checked: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeEntry:
    """A notice that a target has still to get: of an episode, that it is new or resolved."""

    target: str
    fleet: str
    host: str
    code: str
    opened_at: str
    event: str
