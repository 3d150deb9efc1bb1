"""The lock that people put on a host (`jada lock`), as it lies there and as it is told. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from jada.tasks.release import REASON, printable

# In place of a time: no line of the file is empty.
NEVER = "-"
# files/lock.sh and transaction.sh read the same as a time that can be.
_SECONDS = re.compile(r"[1-9][0-9]{0,11}")


@dataclass(frozen=True, slots=True, order=True)
class OperatorLock:
    """A lock on a host: who put it on, since when, until when ("" for ever) and why; times are ISO 8601, as they gave
    them. `who` is "" where the file on the host is none of jada's.
    """

    who: str
    since: str
    until: str
    reason: str

    def __str__(self) -> str:
        until = f" until {self.until}" if self.until else ""
        return f"{self.who} since {self.since}{until}: {self.reason}" if self.who else self.reason or "somebody"


@dataclass(frozen=True, slots=True)
class LockRequest:
    """A request of `jada lock` to each host: put `lock` on for `seconds` (0 for ever), or with no reason, take it off.

    One that another has put on stays, unless by `force`.
    """

    lock: OperatorLock
    seconds: int = 0
    force: bool = False


@dataclass(frozen=True, slots=True)
class LockAnswer:
    """The answer of a host: whether it was done, and the lock that was there before, of whomever."""

    done: bool
    before: OperatorLock | None = None


def read(text: str, now: float) -> OperatorLock | None:
    """The lock that a host's file tells, unless it has ended by the host's own clock, which shows `now`."""
    ends, *rest = text.removesuffix("\n").split("\n")
    if _SECONDS.fullmatch(ends) and int(ends) <= now:
        return None
    if len(rest) != 4:
        return OperatorLock("", "", "", printable(" ".join(text.split()), most=REASON))
    who, since, until, reason = rest
    return OperatorLock(
        printable(who), printable(since), printable("" if until == NEVER else until), printable(reason, most=REASON)
    )
