"""Jada's traces on a host, and their end: the script (files/forget.sh), and what it says. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from jada import Fence
from jada.tasks import FILES, paths
from jada.tasks.frames import LookError
from jada.tasks.release import printable
from jada.tasks.transaction import LONGEST_REASON, assignments, passes_fence

# Bytes of a path.
LONGEST_PATH = 4096


class Forgotten(StrEnum):
    """The answer of a host, in the words of files/forget.sh; where it is LOCKED or REFUSED, nothing was touched, and
    where it FAILED, not all of it is gone.
    """

    DONE = "forgotten"
    FOUND = "found"
    LOCKED = "locked"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ForgetRequest:
    """A request to take away what jada has left for the service of that unit, or to tell it (`dry_run`). `fence` is the
    number of the lease that it is made under.
    """

    unit: str
    holder: str
    dry_run: bool = False
    fence: Fence | None = None


@dataclass(frozen=True, slots=True)
class ForgetAnswer:
    """The `traces` that went, or would go, and files in their places that are none of jada's; `why` where neither."""

    result: Forgotten
    traces: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    why: str = ""


def forget_script(request: ForgetRequest) -> str:
    """The script, as root."""
    values = {
        "UNIT": request.unit,
        "HOME_OF_JADA": paths.HOME,
        "LIMITS": paths.LIMITS,
        "HOLDER": request.holder,
        "DRY": "yes" if request.dry_run else "",
    }
    return assignments(values) + passes_fence(request.fence) + (FILES / "forget.sh").read_text()


def read_forgotten(lines: Sequence[str]) -> ForgetAnswer:
    """The answer that a host said. Raises LookError."""
    *told, last = lines or ("",)
    word, _, why = last.partition(" ")
    traces: list[str] = []
    kept: list[str] = []
    for line in told:
        kind, _, path = line.partition(" ")
        if kind not in ("trace", "kept") or not path.startswith("/"):
            raise LookError("it tells of its traces what can't be")
        (traces if kind == "trace" else kept).append(printable(path, most=LONGEST_PATH))
    try:
        result = Forgotten(word)
    except ValueError:
        raise LookError("what came of it is not told") from None
    return ForgetAnswer(result, tuple(traces), tuple(kept), printable(why, most=LONGEST_REASON))
