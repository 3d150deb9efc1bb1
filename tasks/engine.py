"""The engine: the way of a command to its hosts. The rest of jada knows these protocols alone, not ssh."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol, TypeVar

from jada import Fence, HostError, JadaError, Probe, Service, attempt
from jada.tasks.asked import Asked
from jada.tasks.forget import ForgetAnswer, ForgetRequest
from jada.tasks.journal import JournalQuery, LogLine
from jada.tasks.measure import Sample
from jada.tasks.operator_lock import LockAnswer, LockRequest
from jada.tasks.outcomes import TaskOutcome
from jada.tasks.probe import Probe as Answers
from jada.tasks.probe import Question
from jada.tasks.settings import Splices
from jada.tasks.state import State
from jada.tasks.transaction import Outcome, Transaction

T = TypeVar("T")
# Gets the name of a step that a change of a host has come to.
OnStep = Callable[[str], None]


class Connection(Protocol):
    """One host. Every method but close() raises HostError for trouble with it."""

    def look(self, history: bool = False, status: bool = False, goes_on: bool = False, ask: bool = False) -> State:
        """One look, with the releases the host remembers, what systemctl tells people and what the service's own CLI
        says, if asked. Where it `goes_on`, an `apply` follows at once.
        """

    def ask(self, splices: Splices = ()) -> Asked:
        """The answer of the service's own CLI, as if its settings.json had been changed so; see Asked."""

    def probe(self, question: Question) -> Answers:
        """The answers to the questions before a change, which change nothing; see tasks/probe.py."""

    def measure(self, probes: Sequence[Probe], requests: int, longest: int) -> dict[str, Sample]:
        """What these probes of fleet.yml measure there, by their names, with so many requests for each of http; what
        its user's processes have not said after `longest` s is left out.
        """

    def apply(
        self, transaction: Transaction, status: bool = False, ask: bool = False, on_step: OnStep = lambda _: None
    ) -> Outcome:
        """Runs the transaction and such a look after it; an outcome that was lost on the way is found out. Each of its
        STEPS is told `on_step` when it begins there.
        """

    def set_lock(self, request: LockRequest) -> LockAnswer:
        """Puts the operator lock on the host or takes it off, unless another has locked it."""

    def services(self) -> tuple[str, ...]:
        """The services of the host that may be an agent, the likeliest first."""

    def forget(self, request: ForgetRequest) -> ForgetAnswer:
        """Takes away what jada has left on the host, or only tells what that is; see files/forget.sh."""

    def raise_fence(self, fence: Fence, holder: str) -> None:
        """Has the host refuse the changes of all who held the rollout lease before this holder of it."""

    def journal(self, query: JournalQuery) -> list[LogLine]:
        """Lines of the service's journal, with secrets masked."""

    def tasks(self, since: float) -> list[TaskOutcome]:
        """The tasks that the service says it has done since then, Unix seconds; the newest of many."""

    def follow(self, query: JournalQuery) -> Iterator[LogLine]:
        """The same, and then those that come, until the host is lost."""

    def close(self) -> None:
        """Lets the host go; the next call reaches it anew."""


class Engine(Protocol):
    """The hosts of one command, and the service that it is about."""

    @property
    def service(self) -> Service: ...

    def imap(
        self,
        names: Iterable[str],
        act: Callable[[str, Connection], T],
        at_once: int | None = None,
        within: float | None = None,
    ) -> Iterator[tuple[str, T | HostError]]:
        """Runs `act` for the named hosts, no more than `at_once` side by side, and yields each result as it comes.

        A name is taken only when its turn has come. Whatever trouble one host makes is its result, a NoAnswerError
        too where it gave none `within` so many seconds: only for what leaves a host as it is.
        """

    def follow(
        self, names: Iterable[str], act: Callable[[str, Connection], Iterator[T]]
    ) -> Iterator[tuple[str, T | HostError] | None]:
        """Runs `act` for all the named hosts side by side, and yields what each gives as it comes, its trouble too; and
        None where nothing came for a moment.
        """

    def close(self) -> None:
        """Lets all hosts go."""


def act_on(name: str, act: Callable[[], T]) -> T | HostError:
    """Returns the result of `act`, or whatever trouble it came to as this host's: the others go on."""
    try:
        return attempt(name, act, "go on with it")
    except JadaError as error:
        return HostError(f"{name}: {error.message}", error.hint)
