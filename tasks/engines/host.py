"""One host by whichever way: what its answers to the scripts mean, and how a change ended whose answer was lost."""

from __future__ import annotations

import contextlib
import shlex
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

import gevent

from jada import Fence, HostError, NoAnswerError, OtherMachineError, Probe, Service
from jada.tasks import operator_lock
from jada.tasks.asked import Asked, read_asked
from jada.tasks.engine import OnStep, act_on
from jada.tasks.engines.look import read_look
from jada.tasks.forget import ForgetAnswer, ForgetRequest, read_forgotten
from jada.tasks.frames import LookError
from jada.tasks.journal import NOT_WHOLE, JournalQuery, LogLine, read_lines
from jada.tasks.measure import Sample
from jada.tasks.operator_lock import LockAnswer, LockRequest
from jada.tasks.outcomes import TaskOutcome, read_outcomes
from jada.tasks.probe import Probe as Answers
from jada.tasks.probe import Question, read_probe
from jada.tasks.release import printable
from jada.tasks.samples import read_samples
from jada.tasks.services import read_services
from jada.tasks.settings import Splices
from jada.tasks.state import State
from jada.tasks.transaction import (
    ERROR,
    LONGEST_REASON,
    Outcome,
    Result,
    Transaction,
    failure,
    look_script,
    outcome,
)

# Seconds for which a host may not answer while jada finds out how a transaction ended whose link died.
UNREACHABLE = 60

T = TypeVar("T")


def act_within(name: str, act: Callable[[], T], within: float | None) -> T | HostError:
    """As act_on(); a host that takes longer than `within` s gives a NoAnswerError."""
    limit = gevent.Timeout(within)
    try:
        with limit:
            return act_on(name, act)
    except gevent.Timeout as timeout:
        if timeout is not limit:
            return HostError(f"{name} gave no answer in time")
        return NoAnswerError(f"{name} gave no answer in {within:.0f} s")


class HostConnection(ABC):
    """A Connection (tasks/engine.py) but for the way of its scripts to the host, which those below it know."""

    def __init__(self, name: str, service: Service, instance: str) -> None:
        self.name = name
        self.service = service
        self._instance = instance
        # True once a change on this host has said anything.
        self._was_begun = False

    @abstractmethod
    def look(self, history: bool = False, status: bool = False, goes_on: bool = False, ask: bool = False) -> State: ...

    @abstractmethod
    def follow(self, query: JournalQuery) -> Iterator[LogLine]: ...

    @abstractmethod
    def close(self) -> None: ...

    @abstractmethod
    def _ask(self, splices: Splices) -> list[str]:
        """The lines that the script of this question printed, as those below. Raises HostError."""

    @abstractmethod
    def _probe(self, question: Question) -> list[str]: ...

    @abstractmethod
    def _measure(self, probes: Sequence[Probe], requests: int, longest: int) -> list[str]: ...

    @abstractmethod
    def _tasks(self, since: float) -> list[str]: ...

    @abstractmethod
    def _set_lock(self, request: LockRequest) -> list[str]: ...

    @abstractmethod
    def _raise_fence(self, fence: Fence, holder: str) -> list[str]: ...

    @abstractmethod
    def _services(self) -> list[str]: ...

    @abstractmethod
    def _forget(self, request: ForgetRequest) -> list[str]: ...

    @abstractmethod
    def _journal(self, query: JournalQuery) -> list[str]: ...

    @abstractmethod
    def _apply(self, transaction: Transaction, look: str, on_step: OnStep) -> list[str]:
        """The lines of the transaction and of the look after it, as many as came. Where they come one by one, the
        steps are told `on_step`.
        """

    def ask(self, splices: Splices = ()) -> Asked:
        """The answer of the service's own CLI, as if its settings.json had been changed so. Raises HostError."""
        lines = self._ask(splices)
        return self._read(lines, "can't ask its Claude CLI", lambda: read_asked(lines))

    def probe(self, question: Question) -> Answers:
        """The answers to the questions before a change, which change nothing. Raises HostError."""
        lines = self._probe(question)
        return self._read(lines, "can't be asked before the change", lambda: read_probe(lines, question))

    def measure(self, probes: Sequence[Probe], requests: int, longest: int) -> dict[str, Sample]:
        """What these probes of fleet.yml measure there in so many seconds, by their names. Raises HostError."""
        lines = self._measure(probes, requests, longest)
        return self._read(lines, "can't be measured", lambda: read_samples(lines, probes, requests))

    def tasks(self, since: float) -> list[TaskOutcome]:
        """The tasks that the service says it has done since then, Unix seconds. Raises HostError."""
        lines = self._tasks(since)
        return self._read(lines, "can't tell its tasks", lambda: read_outcomes(lines))

    def apply(
        self, transaction: Transaction, status: bool = False, ask: bool = False, on_step: OnStep = lambda _: None
    ) -> Outcome:
        """Runs the transaction and a look after it; when the link dies, connects again and sees how it ended.

        Raises HostError.
        """
        self._was_begun = False
        return self._change(transaction, status, ask, on_step) or self._recover_outcome(transaction)

    def set_lock(self, request: LockRequest) -> LockAnswer:
        """Locks the host, or frees it, unless another has locked it. Raises HostError."""
        *before, last = self._set_lock(request) or ["nothing was answered"]
        if last not in ("jada-held", "jada-refused"):
            raise HostError(f"{self.name} can't be locked or freed: {last.removeprefix(ERROR)}")
        return LockAnswer(last == "jada-held", operator_lock.read("\n".join(before), 0.0) if before else None)

    def services(self) -> tuple[str, ...]:
        """The services of the host that may be an agent, the likeliest first. Raises HostError."""
        lines = self._services()
        return self._read(lines, "can't tell its services", lambda: read_services(lines))

    def forget(self, request: ForgetRequest) -> ForgetAnswer:
        """Takes away what jada has left on the host, or only tells what that is. Raises HostError."""
        lines = self._forget(request)
        return self._read(lines, "can't be rid of jada", lambda: read_forgotten(lines))

    def raise_fence(self, fence: Fence, holder: str) -> None:
        """Has the host refuse the changes of earlier holders of the rollout lease. Raises HostError."""
        *_, last = self._raise_fence(fence, holder) or ["nothing was answered"]
        if last != "jada-fenced":
            why = printable(last.removeprefix(ERROR), most=LONGEST_REASON)
            raise HostError(f"{self.name} can't be told of the new holder of the rollout lease: {why}")

    def journal(self, query: JournalQuery) -> list[LogLine]:
        """Lines of the service's journal, with secrets masked. Raises HostError."""
        lines = self._journal(query)
        if why := failure(lines):
            raise HostError(f"{self.name} can't tell its journal: {why}")
        if lines and lines[-1] == NOT_WHOLE:
            raise HostError(
                f"{self.name} can't tell its journal: it was not read to its end in time",
                "ask for less of it, with -n or --since",
            )
        return list(read_lines(lines))

    def _read(self, lines: list[str], trouble: str, read: Callable[[], T]) -> T:
        """What `read` makes of an answer. Raises HostError with the words for the `trouble`, and why."""
        if why := failure(lines):
            raise HostError(f"{self.name} {trouble}: {why}")
        try:
            return read()
        except LookError as error:
            raise HostError(f"{self.name} {trouble}: {error}") from None

    def _change(
        self, transaction: Transaction, status: bool = False, ask: bool = False, on_step: OnStep = lambda _: None
    ) -> Outcome | None:
        lines = self._apply(transaction, look_script(self.service, status=status, ask=ask), on_step)
        if why := failure(lines):
            raise HostError(f"{self.name} can't be changed: {why}")
        self._was_begun = self._was_begun or any(lines)
        reported = outcome(lines)
        if reported and reported.result is Result.DONE:
            with contextlib.suppress(LookError):
                return replace(reported, seen=read_look(self.service, lines[-1:]))
        return reported

    def _of_this_machine(self, state: State) -> State:
        """The state, unless another EC2 instance says it. Raises OtherMachineError."""
        if machine := state.other_than(self._instance):
            raise OtherMachineError(
                f"{self.name} is {self._instance}, but {machine} answers at its address",
                "see whose address that is now, and which VPC ssh leads into; nothing was judged or changed",
            )
        return state

    def _recover_outcome(self, transaction: Transaction) -> Outcome:
        """Returns the outcome of a transaction whose answer was lost: the host knows."""
        began = answered = time.monotonic()
        while (left := min(began + transaction.longest, answered + UNREACHABLE) - time.monotonic()) > 0:
            self.close()
            try:
                with gevent.Timeout(left, HostError(f"{self.name} does not answer any more")):
                    state = self.look(history=True)
            except HostError:
                gevent.sleep(1)
                continue
            answered = time.monotonic()
            if state.running_transaction:
                gevent.sleep(1)
            elif state.unfinished_transaction:
                # It was killed there. The same transaction undoes that first, and then does no more.
                reported = self._change(transaction)
                if reported and reported.result is not Result.RECOVERED:
                    return reported
            elif state.release and state.release.id == transaction.release.id:
                return Outcome(Result.DONE, "", ())
            elif self._was_begun or any(past.release.id == transaction.release.id for past in state.history):
                return Outcome(Result.RESTORED, "it was cut off; the host is on its earlier release", ())
            elif reported := self._change(transaction):
                # It had said nothing, and the host knows of no such release: the link had died before it.
                return reported
        raise HostError(
            f"the connection to {self.name} was lost while it was being changed; the host finishes or undoes "
            "the change by itself",
            f"look at it with `jada status --limit {shlex.quote(self.name)}` once it answers again",
        )
