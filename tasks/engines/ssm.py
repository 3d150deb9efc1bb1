"""Scripts to hosts through AWS Systems Manager: what many of them wait for goes as one command. The edge to gevent.

See docs/decisions/0002-ssm.md.
"""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeAlias, TypeVar

import gevent
from gevent.event import AsyncResult, Event
from gevent.lock import BoundedSemaphore
from gevent.pool import Pool

from jada import (
    UNEXPECTED,
    Fence,
    HostError,
    JadaError,
    Probe,
    Service,
    SsmAgent,
    SsmInvocation,
    attempt,
    reason,
)
from jada.tasks.engine import OnStep
from jada.tasks.engines.host import HostConnection, act_within
from jada.tasks.engines.look import LONGEST, read_look
from jada.tasks.frames import LookError
from jada.tasks.journal import JournalQuery, LogLine
from jada.tasks.operator_lock import LockRequest
from jada.tasks.probe import Question
from jada.tasks.release import printable
from jada.tasks.run_command import (
    MOST_INSTANCES,
    MOST_TEXT,
    PART,
    Batch,
    Call,
    Head,
    batches,
    part_script,
    read_answer,
    read_head,
)
from jada.tasks.settings import Splices
from jada.tasks.state import State
from jada.tasks.transaction import (
    LONGEST_REASON,
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

# Seconds for which calls are gathered, at most: until every act waits for an answer, unless one is busy otherwise.
GATHERING = 1.0
# Calls of AWS's API side by side, and polls a second of all commands together.
ASKED_AT_ONCE, POLLS = 10, 20
# Seconds from poll to poll of one command, the first and the longest; each is half as long again as that before.
FIRST_WAIT, LONGEST_WAIT = 0.5, 5.0
# Seconds for which a command waits for a host's agent (30 is the least that AWS takes); and for which its end may come
# late to the lists, as all of them do.
DELIVERY, LATE = 60, 60
# Seconds for a cancellation, of the two that Ctrl-C leaves.
CANCELLING = 1.5
# Seconds that the host may take to give a part of a long answer.
PART_TIME = 30
# States of a command on a host, of StatusDetails: it may still end, or was never begun.
UNDER_WAY = {"Pending", "InProgress", "Delayed", "Cancelling"}
NEVER_BEGUN = {"DeliveryTimedOut", "Undeliverable", "Terminated", "InvalidPlatform", "AccessDenied"}
# Exit codes of timeout(1).
OUT_OF_TIME = (124, 137)

T = TypeVar("T")


class Commands(Protocol):
    """Run Command in one region. Every method raises JadaError."""

    def agents(self, instances: Sequence[str]) -> Mapping[str, SsmAgent]:
        """The agents of those of up to 50 instances that Systems Manager knows."""

    def send(self, instances: Sequence[str], text: str, token: str, delivery: int, longest: int) -> str | None:
        """Sends a command that waits `delivery` seconds for an agent and may run `longest`: its id, or None where AWS
        takes none for one of the instances.
        """

    def invocations(self, command: str) -> Sequence[SsmInvocation]:
        """The states of a command on its instances, those that the lists have yet."""

    def output(self, command: str, instance: str) -> str | None:
        """The first 24,000 characters that a command said, or None while nobody knows them yet."""

    def cancel(self, command: str) -> None: ...


class _NotBegunError(JadaError):
    """A call surely did not run on its host. After any other error it may have."""


@dataclass(frozen=True, slots=True)
class _Said:
    """The end of a command on a host, as the list of its invocations has it."""

    command: str
    token: str
    output: str


@dataclass(frozen=True, slots=True)
class _Running:
    """A command that was sent: the seconds that it may take, and whether it changes hosts."""

    command: str
    token: str
    longest: int
    changes: bool


_Result: TypeAlias = "AsyncResult[_Said]"


@dataclass(slots=True, eq=False)
class _Request:
    """A call that waits, and where its answer goes. Its script is made when it is sent: ten thousand fill a memory.

    It is not `wanted` any more where the act was given up that waited for it.
    """

    instance: str
    script: Callable[[], str]
    longest: int
    changes: bool
    result: _Result
    wanted: bool = True


class _Acts:
    """The acts that are busy with anything but waiting for an answer."""

    def __init__(self) -> None:
        self._busy = 0
        self.all_wait = Event()

    def begin(self) -> None:
        self._busy += 1
        self.all_wait.clear()

    def end(self) -> None:
        self._busy -= 1
        if not self._busy:
            self.all_wait.set()


class _Dispatcher:
    """The calls of one region: gathered, sent, and polled for."""

    def __init__(self, commands: Commands, acts: _Acts) -> None:
        self._commands, self._acts = commands, acts
        self._asking = BoundedSemaphore(ASKED_AT_ONCE)
        self._waiting: list[_Request] = []
        # Instances whose agents answered.
        self._online: set[str] = set()
        self._running: dict[str, _Running] = {}
        self._greenlets = Pool()

    def call(self, instance: str, script: Callable[[], str], longest: int, changes: bool) -> _Said:
        """Runs a script with whatever other hosts wait for the same; see Call. Raises JadaError."""
        request = _Request(instance, script, longest, changes, AsyncResult())
        if not self._waiting:
            self._greenlets.spawn(self._gather)
        self._waiting.append(request)
        # Whoever settles the result counts this act as busy again: so nobody believes meanwhile that all wait.
        self._acts.end()
        try:
            return request.result.get()  # type: ignore[return-value] # only without waiting is it None
        finally:
            if not request.result.ready():
                request.wanted = False
                self._acts.begin()

    def whole(self, said: _Said, instance: str) -> str:
        """As much as AWS keeps of what a command said; its list has less. Raises JadaError."""
        began, wait = time.monotonic(), FIRST_WAIT
        while (output := self._ask(partial(self._commands.output, said.command, instance))) is None:
            if time.monotonic() - began > LATE:
                raise JadaError("its answer did not come to be known to Systems Manager")
            gevent.sleep(wait)
            wait = min(wait * 1.5, LONGEST_WAIT)
        return output

    def close(self) -> None:
        """Cancels what runs and changes nothing: a host that is being changed finishes or undoes that by itself."""
        self._greenlets.kill(block=False)
        ids = [command for command, running in self._running.items() if not running.changes]
        cancelling = [gevent.spawn(attempt, command, partial(self._commands.cancel, command)) for command in ids]
        gevent.joinall(cancelling, timeout=CANCELLING)

    def _ask(self, ask: Callable[[], T]) -> T:
        with self._asking:
            return ask()

    def _gather(self) -> None:
        self._acts.all_wait.wait(GATHERING)
        gathered, self._waiting = [request for request in self._waiting if request.wanted], []
        unknown = [request.instance for request in gathered if request.instance not in self._online]
        troubles: dict[str, JadaError] = {}
        chunks = [unknown[start : start + MOST_INSTANCES] for start in range(0, len(unknown), MOST_INSTANCES)]
        gevent.joinall([self._greenlets.spawn(self._learn, chunk, troubles) for chunk in chunks])
        for request in gathered:
            if trouble := troubles.get(request.instance):
                self._fail(request, trouble)
        self._start([request for request in gathered if request.instance not in troubles])

    def _learn(self, instances: Sequence[str], troubles: dict[str, JadaError]) -> None:
        """Finds out which instances' agents answer; one that does not is asked about again at its next call."""
        try:
            agents = self._ask(partial(self._commands.agents, instances))
        except Exception as error:
            troubles.update(dict.fromkeys(instances, _not_begun(error)))
            return
        troubles |= {instance: trouble for instance in instances if (trouble := _trouble(agents.get(instance)))}
        self._online |= {instance for instance in instances if instance not in troubles}

    def _start(self, requests: Sequence[_Request]) -> None:
        left = {request.instance: request for request in requests}
        try:
            for batch in batches(self._calls(requests), lambda: secrets.token_hex(16)):
                self._greenlets.spawn(self._run, batch, {name: left.pop(name) for name in batch.instances})
                # It leaves while the next is made.
                gevent.sleep(0)
        except Exception as error:
            # Nobody else would wake those that wait.
            for request in left.values():
                self._fail(request, _not_begun(error))

    def _calls(self, requests: Iterable[_Request]) -> Iterator[Call]:
        for request in requests:
            try:
                script = request.script()
            except Exception as error:
                self._fail(request, _not_begun(error))
            else:
                yield Call(request.instance, script, request.longest, request.changes)

    def _run(self, batch: Batch, pending: dict[str, _Request]) -> None:
        try:
            running = self._sent(batch, pending)
            del batch
            if running:
                self._poll(running, pending)
        except Exception as error:
            for request in pending.values():
                self._fail(request, error)

    def _sent(self, batch: Batch, pending: Mapping[str, _Request]) -> _Running | None:
        """The command of a batch; None where AWS takes none for one of its hosts, and it goes on in halves. Raises
        JadaError.
        """
        if batch.is_too_long:
            raise _NotBegunError(
                f"its script has {len(batch.text)} characters, packed, and a command of Systems Manager {MOST_TEXT}",
                "reach it over ssh: --engine ssh",
            )
        instances = batch.instances
        send = partial(self._commands.send, instances, batch.text, batch.token, DELIVERY, batch.longest + LATE)
        if command := self._ask(send):
            return _Running(command, batch.token, batch.longest, batch.changes)
        self._online.difference_update(instances)
        if len(instances) == 1:
            raise _NotBegunError("Systems Manager takes no command for it", "its agent may have gone; look again")
        half = len(instances) // 2
        for part in (instances[:half], instances[half:]):
            self._start([pending[instance] for instance in part])
        return None

    def _poll(self, running: _Running, pending: dict[str, _Request]) -> None:
        self._running[running.command] = running
        began, wait = time.monotonic(), FIRST_WAIT
        try:
            while pending:
                gevent.sleep(max(wait, len(self._running) / POLLS))
                wait = min(wait * 1.5, LONGEST_WAIT)
                for invocation in self._ask(partial(self._commands.invocations, running.command)):
                    self._settle(running, invocation, pending)
                if pending and time.monotonic() - began > running.longest + DELIVERY + 2 * LATE:
                    raise JadaError("its answer did not come to be known to Systems Manager in time")
        finally:
            del self._running[running.command]

    def _settle(self, running: _Running, invocation: SsmInvocation, pending: dict[str, _Request]) -> None:
        status = invocation.status.replace(" ", "")
        if status in UNDER_WAY or (request := pending.pop(invocation.instance, None)) is None:
            return
        if status == "Success":
            self._wake(request)
            request.result.set(_Said(running.command, running.token, invocation.output))
        else:
            self._fail(request, _ended_badly(status, invocation.output))

    def _fail(self, request: _Request, error: Exception) -> None:
        if request.result.ready():
            return
        self._wake(request)
        request.result.set_exception(error)

    def _wake(self, request: _Request) -> None:
        if request.wanted:
            self._acts.begin()


def _not_begun(error: Exception) -> _NotBegunError:
    if isinstance(error, JadaError):
        return _NotBegunError(error.message, error.hint)
    return _NotBegunError(f"jada could not go on with it ({reason(error)})", UNEXPECTED)


def _trouble(agent: SsmAgent | None) -> _NotBegunError | None:
    if agent is None:
        return _NotBegunError(
            "Systems Manager does not know it",
            "it needs the agent, an instance profile with AmazonSSMManagedInstanceCore, and a way to AWS; "
            "--engine ssh reaches it otherwise",
        )
    if not agent.is_online:
        return _NotBegunError(
            f"its Systems Manager agent does not answer, and last did at {agent.last_ping}",
            "see that the instance runs, and amazon-ssm-agent on it; or reach it with --engine ssh",
        )
    return None


def _ended_badly(status: str, output: str) -> JadaError:
    if status in NEVER_BEGUN:
        return _NotBegunError(f"it did not take the command of Systems Manager ({status}); nothing was done there")
    words = printable(" ".join(output.split()), most=LONGEST_REASON)
    return JadaError(f"the command of Systems Manager ended as {printable(status)}" + (f": {words}" if words else ""))


class SsmConnection(HostConnection):
    """One host, by the id of its instance."""

    def __init__(self, name: str, service: Service, instance: str, dispatcher: _Dispatcher) -> None:
        super().__init__(name, service, instance)
        self._dispatcher = dispatcher

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
        except _NotBegunError as error:
            raise self._told(error) from None
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

    def _lines(self, script: Callable[[], str], longest: int, changes: bool, is_part: bool = False) -> list[str]:
        said = self._dispatcher.call(self._instance, script, longest, changes)
        try:
            head = read_head(said.output, said.token)
            if head.code in OUT_OF_TIME:
                raise LookError(f"it did not finish there, and was ended after {longest} s")
            packed = self._begun(said, head)
            return read_answer(head, packed if is_part else self._whole(said, head, packed))
        except LookError as error:
            raise JadaError(str(error)) from None

    def _begun(self, said: _Said, head: Head) -> str:
        """The beginning of what was said, packed: as much as the list has, or else as AWS keeps."""
        if len(head.begun) >= head.length:
            return head.begun[: head.length]
        return read_head(self._dispatcher.whole(said, self._instance), said.token).begun[: head.length]

    def _whole(self, said: _Said, head: Head, packed: str) -> str:
        """All of it: what is lacking comes in parts."""
        while len(packed) < head.length:
            is_last = len(packed) + PART >= head.length
            script = part_script(said.token, len(packed), is_last)
            # The last one takes the answer away, which can't be done twice.
            part = "".join(self._lines(lambda script=script: script, PART_TIME, is_last, is_part=True))  # type: ignore[misc]
            if len(part) != min(PART, head.length - len(packed)):
                raise LookError("the rest of its answer is not there any more")
            packed += part
        return packed


class SsmEngine:
    """The hosts of one command by their instances, each with the Run Command of its region, or why there is none."""

    def __init__(self, instances: Mapping[str, tuple[str, Commands] | HostError], service: Service) -> None:
        self.service = service
        self._acts = _Acts()
        self._troubles = {name: found for name, found in instances.items() if isinstance(found, HostError)}
        self._connections: dict[str, SsmConnection] = {}
        self._dispatchers: dict[int, _Dispatcher] = {}
        for name, found in instances.items():
            if not isinstance(found, HostError):
                instance, commands = found
                dispatcher = self._dispatchers.setdefault(id(commands), _Dispatcher(commands, self._acts))
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
        self._acts.begin()
        try:
            return act_within(name, lambda: act(name, self._connections[name]), within)
        finally:
            self._acts.end()

    def close(self) -> None:
        for dispatcher in self._dispatchers.values():
            dispatcher.close()
