"""The engine over AWS Systems Manager: the hosts of one command by the ids of their instances.

See docs/decisions/0002-ssm.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from gevent.pool import Pool

from jada import Fence, HostError, JadaError, NotBegunError, Probe, Service
from jada.tasks.engine import OnStep
from jada.tasks.engines.dispatcher import Acts, Commands, Dispatcher, Managed
from jada.tasks.engines.host import HostConnection, act_within
from jada.tasks.engines.look import LONGEST, read_look
from jada.tasks.forget import ForgetRequest, forget_script
from jada.tasks.journal import JournalQuery, LogLine
from jada.tasks.operator_lock import LockRequest
from jada.tasks.probe import Question
from jada.tasks.run_command import lines_of
from jada.tasks.services import services_script
from jada.tasks.settings import Splices
from jada.tasks.state import State
from jada.tasks.transaction import (
    Transaction,
    ask_script,
    fence_script,
    journal_script,
    lock_script,
    look_script,
    measure_script,
    on_stdin,
    only_on,
    probe_script,
    tasks_script,
    without_secrets,
)

T = TypeVar("T")


class SsmConnection(HostConnection):
    """One host, by the id of its instance."""

    def __init__(self, name: str, service: Service, instance: str, dispatcher: Dispatcher) -> None:
        super().__init__(name, service, instance)
        self._managed = Managed(dispatcher, instance)

    def look(
        self,
        history: bool = False,
        status: bool = False,
        goes_on: bool = False,  # noqa: ARG002 - each script goes by itself
        ask: bool = False,
    ) -> State:
        """One look, with the releases the host remembers, what systemctl tells people and what the service's own CLI
        says, if asked. Raises HostError.
        """
        lines = self._say(lambda: look_script(self.service, history, status, ask))
        return self._of_this_machine(self._read(lines, "can't be looked at", lambda: read_look(self.service, lines)))

    def follow(self, query: JournalQuery) -> Iterator[LogLine]:  # noqa: ARG002
        """Raises HostError: nothing streams through Systems Manager."""
        raise HostError(
            f"{self.name} can't be followed through Systems Manager, which gives no stream",
            "`jada logs` without -f shows the end of its journal; --engine ssh follows it",
        )

    def close(self) -> None:
        """Nothing is kept."""

    def _ask(self, splices: Splices) -> list[str]:
        return self._say(lambda: only_on(self._instance, ask_script(self.service, splices)))

    def _probe(self, question: Question) -> list[str]:
        return self._say(lambda: only_on(self._instance, probe_script(self.service, question)))

    def _measure(self, probes: Sequence[Probe], requests: int, longest: int) -> list[str]:
        if kept := next((probe.name for probe in probes if without_secrets(probe.url) != probe.url), ""):
            raise HostError(f"{self.name} is not asked {kept}: AWS would keep its URL, which may hold a password")
        return self._say(lambda: only_on(self._instance, measure_script(self.service, probes, requests, longest)))

    def _tasks(self, since: float) -> list[str]:
        return self._say(lambda: only_on(self._instance, tasks_script(self.service, since)))

    def _set_lock(self, request: LockRequest) -> list[str]:
        return self._say(lambda: only_on(self._instance, lock_script(request)), changes=True)

    def _services(self) -> list[str]:
        return self._say(lambda: only_on(self._instance, services_script()))

    def _forget(self, request: ForgetRequest) -> list[str]:
        return self._say(lambda: only_on(self._instance, forget_script(request)), changes=not request.dry_run)

    def _raise_fence(self, fence: Fence, holder: str) -> list[str]:
        return self._say(lambda: only_on(self._instance, fence_script(fence, holder)), changes=True)

    def _journal(self, query: JournalQuery) -> list[str]:
        state = self.look()
        return self._say(lambda: journal_script(state, self.service, query))

    def _apply(self, transaction: Transaction, look: str, on_step: OnStep) -> list[str]:  # noqa: ARG002
        longest = math.ceil(transaction.longest) + LONGEST
        try:
            return self._lines(
                lambda: on_stdin(only_on(self._instance, transaction.script()), look, LONGEST), longest, changes=True
            )
        except NotBegunError as error:
            raise HostError(f"{self.name} was not touched: {error.message}", error.hint) from None
        except JadaError:
            return []

    def _say(self, script: Callable[[], str], changes: bool = False) -> list[str]:
        """The lines that a script prints. Raises HostError."""
        try:
            return self._lines(script, LONGEST, changes)
        except JadaError as error:
            raise self._told(error) from None

    def _told(self, error: JadaError) -> HostError:
        return HostError(f"{self.name} can't be reached through Systems Manager: {error.message}", error.hint)

    def _lines(self, script: Callable[[], str], longest: int, changes: bool) -> list[str]:
        return lines_of(self._managed.run(script, longest, changes))


class SsmEngine:
    """The hosts of one command by their instances, each with the Run Command of its region, or why there is none."""

    def __init__(self, instances: Mapping[str, tuple[str, Commands] | HostError], service: Service) -> None:
        self.service = service
        self._acts = Acts()
        self._troubles = {name: found for name, found in instances.items() if isinstance(found, HostError)}
        self._connections: dict[str, SsmConnection] = {}
        self._dispatchers: dict[int, Dispatcher] = {}
        for name, found in instances.items():
            if not isinstance(found, HostError):
                instance, commands = found
                dispatcher = self._dispatchers.setdefault(id(commands), Dispatcher(commands, self._acts))
                self._connections[name] = SsmConnection(name, service, instance, dispatcher)

    def __len__(self) -> int:
        return len(self._connections)

    def __contains__(self, name: str) -> bool:
        return name in self._connections or name in self._troubles

    def imap(
        self,
        names: Iterable[str],
        act: Callable[[str, SsmConnection], T],
        at_once: int | None = None,
        within: float | None = None,
    ) -> Iterator[tuple[str, T | HostError]]:
        """Runs `act` for the named hosts, all of them or so many side by side, and yields each result as it comes.

        Whatever trouble one host makes is its result.
        """
        pool = Pool(at_once or len(self._connections) or 1)
        yield from pool.imap_unordered(lambda name: (name, self.act(name, act, within)), names)

    def follow(
        self, names: Iterable[str], act: Callable[[str, SsmConnection], Iterator[T]]
    ) -> Iterator[tuple[str, T | HostError] | None]:
        """Yields each host's error: nothing can be followed."""
        for name in names:
            yield name, self.act(name, lambda name, connection: next(act(name, connection)))

    def act(self, name: str, act: Callable[[str, SsmConnection], T], within: float | None = None) -> T | HostError:
        """The result of `act` for one host, or its trouble."""
        if name in self._troubles:
            return self._troubles[name]
        with self._acts.busy():
            return act_within(name, lambda: act(name, self._connections[name]), within)

    def close(self) -> None:
        for dispatcher in self._dispatchers.values():
            dispatcher.close()
