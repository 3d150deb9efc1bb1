"""The models that answered the service, as the transcripts of its Claude CLI tell (files/look/transcripts.awk). Pure.

All of it is the word of the service's user, whose files they are.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from operator import add

from jada import EXACT_ID, LONG_CONTEXT
from jada.tasks.frames import LookError, whole

# Columns of a row, and its kinds.
COLUMNS = 9
_TOKENS = ("tokens_in", "written_to_cache", "read_from_cache", "tokens_out")
KINDS = ("answer", "fallback", "failed", "retried")
# Seconds: the Claude CLI takes longer to its first answer. What comes sooner is of the process before it:
# a look tells births by two clocks, which it reads one after the other.
FIRST_ANSWER = 0.25
_DATE = re.compile(r"-20\d{6}$")
_OF_CLOUD = re.compile(r"^(?:.*[./])?anthropic\.|-v\d+(?::\d+)?$|@.*$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """So many answers by `model` to requests for `requested` ("" where the transcript does not say), from `first` to
    `last`, Unix seconds; those of subagents are told apart, and so are tokens of the input that were written to the
    vendor's cache or read from it.
    """

    model: str
    requested: str
    of_subagents: bool
    count: int
    first: float
    last: float
    tokens_in: int
    written_to_cache: int
    read_from_cache: int
    tokens_out: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Fallbacks:
    """So many times that the CLI fell back from one model to another, the last time at `last`, Unix seconds."""

    original: str
    model: str
    count: int
    last: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Failures:
    """So many requests that failed for good with this status of HTTP, 0 where there was none; or were `retried`."""

    status: int
    retried: bool
    count: int
    last: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What came of the service's requests since its process began, as far as the newest transcripts tell.

    `rows` are what it was counted of.
    """

    since: float = 0.0
    answers: tuple[Answers, ...] = ()
    fallbacks: tuple[Fallbacks, ...] = ()
    failures: tuple[Failures, ...] = ()
    rows: tuple[tuple[str, ...], ...] = field(default=(), repr=False, compare=False)

    @property
    def own(self) -> tuple[Answers, ...]:
        """The answers to the service itself, not to its subagents."""
        return tuple(answers for answers in self.answers if not answers.of_subagents)

    @property
    def count(self) -> int:
        return sum(answers.count for answers in self.own)

    @property
    def failed(self) -> int:
        return sum(failures.count for failures in self.failures if not failures.retried)

    @property
    def last(self) -> float:
        """The time of the last of all that was counted, Unix seconds, or 0."""
        counted: tuple[Answers | Fallbacks | Failures, ...] = (*self.answers, *self.fallbacks, *self.failures)
        return max((each.last for each in counted), default=0.0)

    def between(self, after: float, until: float) -> Served:
        """What came of the requests later than `after` and no later than `until`, Unix seconds."""
        return tally((row for row in self.rows if after < _seconds(row[1]) <= until), self.since)


@dataclass(slots=True)
class _Sum:
    first: float = field(default=float("inf"))
    last: float = 0.0
    tokens: tuple[int, ...] = (0, 0, 0, 0)


def tally(rows: Iterable[tuple[str, ...]], since: float) -> Served:
    """The rows of a look, counted, of a process that began at `since`. Raises LookError."""
    counts: Counter[tuple[str, ...]] = Counter()
    sums: dict[tuple[str, ...], _Sum] = {}
    counted: list[tuple[str, ...]] = []
    for row in rows:
        kind, time, side, one, other, *tokens = row
        at = _seconds(time)
        _check(kind, one, other)
        if at < since + FIRST_ANSWER:
            continue
        counted.append(row)
        key = (kind, side, one, other)
        counts[key] += 1
        total = sums.setdefault(key, _Sum())
        total.first, total.last = min(total.first, at), max(total.last, at)
        more = (whole(count, "transcript+") for count in tokens)
        total.tokens = tuple(map(add, total.tokens, more))
    return Served(
        since=since,
        answers=tuple(
            Answers(
                model=other, requested=one, of_subagents=side == "side", count=count, first=sums[key].first,
                last=sums[key].last, **dict(zip(_TOKENS, sums[key].tokens, strict=True)),
            )
            for key, count in counts.most_common()
            for kind, side, one, other in [key]
            if kind == "answer"
        ),
        fallbacks=tuple(
            Fallbacks(original=one, model=other, count=count, last=sums[key].last)
            for key, count in counts.most_common()
            for kind, _, one, other in [key]
            if kind == "fallback"
        ),
        failures=_failures(counts, sums),
        rows=tuple(counted),
    )  # fmt: skip


def _failures(counts: Counter[tuple[str, ...]], sums: dict[tuple[str, ...], _Sum]) -> tuple[Failures, ...]:
    """Those of one status together, whichever model they were for."""
    of_status: Counter[tuple[bool, int]] = Counter()
    last: dict[tuple[bool, int], float] = {}
    for key, count in counts.items():
        kind, _, status, _ = key
        if kind in ("failed", "retried"):
            which = kind == "retried", whole(status, "transcript+", 999)
            of_status[which] += count
            last[which] = max(last.get(which, 0.0), sums[key].last)
    return tuple(
        Failures(status=status, retried=retried, count=count, last=last[retried, status])
        for (retried, status), count in of_status.most_common()
    )


def _check(kind: str, one: str, other: str) -> None:
    """Raises LookError for what no row says."""
    if kind not in KINDS:
        raise LookError("a row of a transcript is of no kind that there is")
    models = {"answer": (one, other), "fallback": (one, other), "failed": (other,)}.get(kind, ())
    if not all(EXACT_ID.fullmatch(model) for model in models if model):
        raise LookError("a transcript names what can't be the id of a model")


def _seconds(time: str) -> float:
    try:
        return datetime.fromisoformat(time).timestamp()
    except ValueError:
        raise LookError("a transcript has a time that is none") from None


def is_same(asked: str, answered: str) -> bool:
    """True if a model that answered is the one that was asked for, as vendors and gateways spell them.

    The API answers with the dated id of an undated one, and without what asks for a long context; clouds put their own
    words around it. What hides behind the ARN of an inference profile is not known.
    """
    return asked.startswith("arn:") or _plain(asked) == _plain(answered)


def is_asked_for(desired: str, asked: str) -> bool:
    """True if the model that a CLI asks for is the desired one: it tells the very id, long context and all."""
    if desired.startswith("arn:") or desired.endswith(LONG_CONTEXT) != asked.endswith(LONG_CONTEXT):
        return desired == asked
    return is_same(desired, asked)


def _plain(model: str) -> str:
    return _DATE.sub("", _OF_CLOUD.sub("", model.removesuffix(LONG_CONTEXT))).lower().replace(".", "-")
