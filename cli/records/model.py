"""The values of the record: releases, each host's part in them, people's locks, and the outcomes. Pure.

Part of them comes from hosts, or was written by an older jada, which believed every host: checked() lets nothing in, or
out, that no jada can have made.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from math import isfinite
from typing import Any, Self

from jada import Exit
from jada.tasks import release
from jada.tasks.asked import Asked
from jada.tasks.codes import CODES, NOTE
from jada.tasks.release import REASON, ReleaseError, began, moment, printable

# The kind of a rollback that went forward again, which hosts keep as a rollback that redoes a release.
REDO = "redo"
KINDS = (*release.KINDS, REDO)
# In place of a lock: jada's traces were taken off a host, and no release is on it since.
FORGET = "forget"
# As far as the clocks of two operators may be apart: a release of later than that was made by nobody.
AHEAD = timedelta(minutes=5)


class HostOutcome(StrEnum):
    """The outcome of a release on one host: its value for scripts and for the record, `label` for people."""

    # It stays so where jada was killed before it knew better.
    IN_PROGRESS = "in_progress"
    VERIFIED = "verified"
    UNCHANGED = "unchanged"
    PLANNED = "planned"
    UNPROVEN = "unproven"
    ROLLED_BACK = "rolled_back"
    ROLLBACK_FAILED = "rollback_failed"
    REJECTED = "rejected"
    LOCKED = "locked"
    UNREACHABLE = "unreachable"
    NOT_STARTED = "not_started"
    # Read back from the host, which alone says so.
    DONE = "done"

    @property
    def label(self) -> str:
        return _LABELS.get(self, self.value)

    @property
    def exit(self) -> Exit:
        """The exit code of a command for which this is the worst outcome."""
        if self.ok or self is HostOutcome.PLANNED:
            return Exit.OK
        return _EXITS.get(self, Exit.FAILED)

    @property
    def ok(self) -> bool:
        """True if nobody needs to do anything."""
        return self in (HostOutcome.VERIFIED, HostOutcome.UNCHANGED, HostOutcome.DONE)

    @property
    def stands(self) -> bool:
        """True if the release is on the host, as far as is known."""
        return self in (HostOutcome.VERIFIED, HostOutcome.UNPROVEN, HostOutcome.DONE)

    @property
    def was_tried(self) -> bool:
        """True if the host was changed, or may have been."""
        return self in (
            HostOutcome.IN_PROGRESS,
            HostOutcome.VERIFIED,
            HostOutcome.UNPROVEN,
            HostOutcome.ROLLED_BACK,
            HostOutcome.ROLLBACK_FAILED,
        )

    @property
    def is_untouched(self) -> bool:
        """True if the host runs what it ran when it was looked at."""
        return self in (
            HostOutcome.UNCHANGED,
            HostOutcome.PLANNED,
            HostOutcome.REJECTED,
            HostOutcome.LOCKED,
            HostOutcome.NOT_STARTED,
        )


class RolloutStatus(StrEnum):
    """The status of a rollout. One that is PAUSED waits for somebody to decide.

    One that is RUNNING may have been cut off, with the jada that carried it out.
    """

    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    ROLLED_BACK = "rolled_back"
    ABORTED = "aborted"
    # By a later change of the same fleet.
    SUPERSEDED = "superseded"

    @property
    def label(self) -> str:
        return self.value.replace("_", " ")


_LABELS = {
    HostOutcome.IN_PROGRESS: "in progress or cut off",
    HostOutcome.UNPROVEN: "changed but not seen to run",
    HostOutcome.ROLLED_BACK: "failed and rolled back",
    HostOutcome.ROLLBACK_FAILED: "failed and needs you",
    HostOutcome.REJECTED: "rejected and untouched",
    HostOutcome.NOT_STARTED: "not started",
}
_EXITS = {HostOutcome.ROLLED_BACK: Exit.ROLLED_BACK, HostOutcome.LOCKED: Exit.LOCKED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One upgrade, heal, rollback or redo: `at` ISO 8601 UTC, `who` user@machine, `model` "" if there were several."""

    id: str
    fleet: str
    kind: str
    at: str
    who: str
    reason: str
    model: str

    @classmethod
    def checked(cls, values: Mapping[str, Any]) -> Self:
        """An entry of whose values each can be right; where the time can't, it is the id's. Raises ReleaseError."""
        at = began(values["id"])
        with suppress(ReleaseError):
            at = moment(values["at"]) or at
        if values["kind"] not in KINDS:
            raise ReleaseError(f"kind is {ascii(values['kind'])[:80]}, which is nothing that jada does")
        return cls(
            id=str(values["id"]),
            fleet=printable(values["fleet"]),
            kind=str(values["kind"]),
            at=at,
            who=printable(values["who"]),
            reason=printable(values["reason"], most=REASON),
            model=printable(values["model"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class HostEntry:
    """One host's part of an entry; `detail` is a sentence about its outcome, if there is something to say."""

    release: str
    host: str
    outcome: HostOutcome
    detail: str = ""
    model_before: str = ""
    model_after: str = ""
    seconds: float = 0.0

    @classmethod
    def checked(cls, values: Mapping[str, Any]) -> Self:
        """A host's part of whose values each can be right. Raises ReleaseError."""
        began(values["release"])
        seconds = values["seconds"]
        return cls(
            release=str(values["release"]),
            host=printable(values["host"]),
            outcome=_outcome(values["outcome"]),
            detail=printable(values["detail"], most=REASON),
            model_before=printable(values["model_before"]),
            model_after=printable(values["model_after"]),
            seconds=seconds if isinstance(seconds, int | float) and isfinite(seconds) else 0.0,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkEntry:
    """A finding on the network of a host by its `code`: something that was other after a release than before it."""

    release: str
    host: str
    code: str
    expected: str
    actual: str

    @classmethod
    def checked(cls, values: Mapping[str, Any]) -> Self:
        """An entry of whose values each can be right. Raises ReleaseError."""
        began(values["release"])
        if values["code"] not in CODES:
            raise ReleaseError(f"code is {ascii(values['code'])[:80]}, which is that of no finding")
        return cls(
            release=str(values["release"]),
            host=printable(values["host"]),
            code=str(values["code"]),
            expected=printable(values["expected"], most=REASON),
            actual=printable(values["actual"], most=REASON),
        )

    def __str__(self) -> str:
        return f"{self.code} {self.name}: expected {self.expected}, saw {self.actual}"

    @property
    def name(self) -> str:
        return CODES[self.code].name

    @property
    def is_change(self) -> bool:
        """True if the network was changed; else that is not known."""
        return CODES[self.code].severity != NOTE


OPEN = (RolloutStatus.RUNNING, RolloutStatus.PAUSED)
# What somebody may want of a rollout that another jada carries out.
PAUSE, PROMOTE, ABORT = "pause", "promote", "abort"
# More waves than a fleet has hosts.
MOST_WAVES = 2**31


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutEntry:
    """A rollout in waves, and how far it is: in `wave`, from 0, and whether that bakes.

    `values_json` is all that is needed to go on with it, `measured_json` what probes measured last, and `networks_json`
    how the network of its hosts was before. `asked` is what `asked_by` wants of whoever carries it out: pause, promote,
    abort, or "". `updated` is ISO 8601 UTC.
    """

    release: str
    fleet: str
    status: str
    why: str
    wave: int
    baking: int
    values_json: str
    asked: str
    asked_by: str
    updated: str
    measured_json: str = "{}"
    networks_json: str = ""

    @property
    def is_open(self) -> bool:
        """True if it has not come to its end."""
        return self.status in OPEN

    @classmethod
    def checked(cls, values: Mapping[str, Any]) -> Self:
        """A rollout of whose values each can be right. Raises ReleaseError."""
        began(values["release"])
        numbers = [values[key] for key in ("wave", "baking")]
        texts = [values[key] for key in ("values_json", "measured_json")]
        texts += [networks] if (networks := values.get("networks_json", "")) else []
        if not all(isinstance(number, int) and 0 <= number < MOST_WAVES for number in numbers):
            raise ReleaseError("a number of the rollout can't be right")
        if not all(is_json(text) for text in texts):
            raise ReleaseError("a text of the rollout is no JSON of jada's")
        if values["status"] not in frozenset(RolloutStatus) or values["asked"] not in ("", PAUSE, PROMOTE, ABORT):
            raise ReleaseError("the rollout is in no way that jada knows")
        return cls(
            release=str(values["release"]),
            fleet=printable(values["fleet"]),
            status=str(values["status"]),
            why=printable(values["why"], most=REASON),
            wave=int(values["wave"]),
            baking=int(values["baking"]),
            values_json=values["values_json"],
            asked=str(values["asked"]),
            asked_by=printable(values["asked_by"]),
            updated=moment(values["updated"]),
            measured_json=values["measured_json"],
            networks_json=networks,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutWord:
    """The part of a rollout that is read again and again while it goes on; see RolloutEntry."""

    status: str
    why: str
    asked: str
    asked_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LockEntry:
    """One lock or unlock of a host from this machine, or that it was rid of jada: `kind` is lock, unlock or FORGET,
    `before` whose lock it had.
    """

    fleet: str
    at: str
    host: str
    kind: str
    who: str
    reason: str
    until: str
    before: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerEntry:
    """The last answer of a host's own CLI: `at` Unix seconds, and the `fingerprint` of what it was asked about."""

    fleet: str
    host: str
    at: float
    fingerprint: str
    model: str
    version: str
    is_running: bool
    error: str

    @classmethod
    def of(cls, fleet: str, host: str, at: float, fingerprint: str, asked: Asked) -> Self:
        """The entry of an answer that was given now."""
        return cls(
            fleet=fleet,
            host=host,
            at=at,
            fingerprint=fingerprint,
            model=asked.model,
            version=asked.version,
            is_running=asked.is_running,
            error=asked.error,
        )

    @property
    def asked(self) -> Asked:
        return Asked(
            model=self.model, version=self.version, is_running=bool(self.is_running), error=self.error, at=self.at
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonEntry:
    """A comparison of two arms, as it was set up before its first look: `at` ISO 8601 UTC, by `who`.

    Requests count since then, Unix seconds: both arms were there. 0 where one came after the other.
    """

    fleet: str
    subject: str
    alpha: float
    margin: float
    since: float
    at: str
    who: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedEntry:
    """What came of the requests of one process of a host's service, as far as looks have counted them: `counted_until`,
    Unix seconds, by its clock. `subject` is the comparison that they count for, "" where all since it began do.

    `model` is what it was to run. `cost` is USD by list prices, without the `unpriced` answers. `tasks` are those that
    the agent itself tells of, counted until `tasks_until`; of `durations`, cli/compare/quantiles.py has the form.
    """

    fleet: str
    subject: str
    host: str
    process: str
    release: str
    model: str
    counted_until: float
    requests: int = 0
    failed: int = 0
    fallbacks: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float = 0.0
    unpriced: int = 0
    tasks: int = 0
    tasks_failed: int = 0
    tasks_until: float = 0.0
    durations: str = "{}"


def is_json(text: Any) -> bool:
    """True for an object of JSON, as jada writes it."""
    try:
        return isinstance(text, str) and text.isascii() and isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _outcome(value: Any) -> HostOutcome:
    try:
        return HostOutcome(value)
    except ValueError:
        raise ReleaseError(f"outcome is {ascii(value)[:80]}, which is no way to end") from None
