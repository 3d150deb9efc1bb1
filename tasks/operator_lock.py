"""The lock that people put on a host (`jada lock`), as it lies there and as it is told. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from jada.tasks.release import REASON, told

# In place of a time: no line of the file is empty.
NEVER = "-"
# files/lock.sh and transaction.sh read the same as a time that can be.
_SECONDS = re.compile(r"[1-9][0-9]{0,11}")


@dataclass(frozen=True, slots=True, order=True)
class OperatorLock:
    """Who locked a host, since when, until when ("" for ever) and why; times are ISO 8601, as they who locked it told
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
    """What `jada lock` asks of each host: `lock` put on for `seconds` (0 for ever), or with no reason, taken off.

    One that another has put on stays, unless by `force`.
    """

    lock: OperatorLock
    seconds: int = 0
    force: bool = False


@dataclass(frozen=True, slots=True)
class LockAnswer:
    """What came of it: whether it was done, and the lock that was there before, of whomever."""

    done: bool
    before: OperatorLock | None = None


def read(text: str, now: float) -> OperatorLock | None:
    """The lock that a host's file tells, unless it has ended by the host's own clock, which shows `now`."""
    ends, *rest = text.removesuffix("\n").split("\n")
    if _SECONDS.fullmatch(ends) and int(ends) <= now:
        return None
    if len(rest) != 4:
        return OperatorLock("", "", "", told(" ".join(text.split()), most=REASON))
    who, since, until, reason = rest
    return OperatorLock(told(who), told(since), told("" if until == NEVER else until), told(reason, most=REASON))
