"""Scripts to instances through AWS Systems Manager: what many of them wait for goes as one command. The edge to gevent.

See docs/decisions/0002-ssm.md.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeAlias, TypeVar

import gevent
from gevent.event import AsyncResult, Event
from gevent.lock import BoundedSemaphore
from gevent.pool import Pool

from jada import UNEXPECTED, JadaError, NotBegunError, SsmAgent, SsmInvocation, attempt, reason
from jada.tasks.frames import LookError
from jada.tasks.release import printable
from jada.tasks.run_command import (
    MOST_INSTANCES,
    MOST_SCRIPT,
    PART,
    Batch,
    Call,
    Head,
    batches,
    part_script,
    read_head,
    unpacked,
)
from jada.tasks.transaction import LONGEST_REASON

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
# Parts of a long script that are on their way to one host side by side: an agent runs five commands at once.
PARTS_AT_ONCE = 5
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


class Acts:
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

    @contextmanager
    def busy(self) -> Iterator[None]:
        """An act, from its beginning to its end."""
        self.begin()
        try:
            yield
        finally:
            self.end()


class Dispatcher:
    """The calls of one region: gathered, sent, and polled for."""

    def __init__(self, commands: Commands, acts: Acts) -> None:
        self.acts = acts
        self._commands = commands
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
        self.acts.end()
        try:
            return request.result.get()  # type: ignore[return-value] # only without waiting is it None
        finally:
            if not request.result.ready():
                request.wanted = False
                self.acts.begin()

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
        self.acts.all_wait.wait(GATHERING)
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
            for batch in batches(self._calls(requests), _new_token):
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
            self._lay_down(batch)
            running = self._sent(batch, pending)
            del batch
            if running:
                self._poll(running, pending)
        except Exception as error:
            for request in pending.values():
                self._fail(request, error)

    def _lay_down(self, batch: Batch) -> None:
        """Has the parts of a script on its host that fits into no command. Raises NotBegunError: it runs after that."""
        if batch.is_too_long:
            raise NotBegunError(
                f"its script has {len(batch.text)} characters, packed, more than {MOST_SCRIPT}: too much for Systems "
                "Manager",
                "reach it over ssh: --engine ssh",
            )
        laying = Pool(PARTS_AT_ONCE)
        try:
            for _ in laying.imap_unordered(partial(self._lay_part, batch.instances[0]), batch.parts):
                pass
        except Exception as error:
            raise _not_begun(error) from None
        finally:
            laying.kill()

    def _lay_part(self, instance: str, script: str) -> None:
        (batch,) = batches([Call(instance, script, PART_TIME)], _new_token)
        # No act waits for it: that of the whole script does.
        request = _Request(instance, lambda: script, PART_TIME, False, AsyncResult(), wanted=False)
        self._run(batch, {instance: request})
        said: _Said = request.result.get()  # type: ignore[assignment] # only without waiting is it None
        if read_head(said.output, said.token).code:
            raise JadaError("a part of its script could not be laid down there", "see that /run there has room")

    def _sent(self, batch: Batch, pending: Mapping[str, _Request]) -> _Running | None:
        """The command of a batch; None where AWS takes none for one of its hosts, and it goes on in halves. Raises
        JadaError.
        """
        instances = batch.instances
        send = partial(self._commands.send, instances, batch.text, batch.token, DELIVERY, batch.longest + LATE)
        if command := self._ask(send):
            return _Running(command, batch.token, batch.longest, batch.changes)
        self._online.difference_update(instances)
        if len(instances) == 1:
            raise NotBegunError("Systems Manager takes no command for it", "its agent may have gone; look again")
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
            self.acts.begin()


def _new_token() -> str:
    return secrets.token_hex(16)


def _not_begun(error: Exception) -> NotBegunError:
    if isinstance(error, JadaError):
        return NotBegunError(error.message, error.hint)
    return NotBegunError(f"jada could not go on with it ({reason(error)})", UNEXPECTED)


def _trouble(agent: SsmAgent | None) -> NotBegunError | None:
    if agent is None:
        return NotBegunError(
            "Systems Manager does not know it",
            "it needs the agent, an instance profile with AmazonSSMManagedInstanceCore, and a way to AWS; "
            "--engine ssh reaches it otherwise",
        )
    if not agent.is_online:
        return NotBegunError(
            f"its Systems Manager agent does not answer, and last did at {agent.last_ping}",
            "see that the instance runs, and amazon-ssm-agent on it; or reach it with --engine ssh",
        )
    return None


def _ended_badly(status: str, output: str) -> JadaError:
    if status in NEVER_BEGUN:
        return NotBegunError(f"it did not take the command of Systems Manager ({status}); nothing was done there")
    words = printable(" ".join(output.split()), most=LONGEST_REASON)
    return JadaError(f"the command of Systems Manager ended as {printable(status)}" + (f": {words}" if words else ""))


class Managed:
    """An instance that is reached through the dispatcher of its region."""

    def __init__(self, dispatcher: Dispatcher, instance: str) -> None:
        self._dispatcher, self._instance = dispatcher, instance
        self.acts = dispatcher.acts

    def run(self, script: Callable[[], str], longest: int, changes: bool, is_part: bool = False) -> str:
        """All that a script prints, without the end of its last line. Raises JadaError: NotBegunError if it surely did
        not run.
        """
        said = self._dispatcher.call(self._instance, script, longest, changes)
        try:
            head = read_head(said.output, said.token)
            if head.code in OUT_OF_TIME:
                raise LookError(f"it did not finish there, and was ended after {longest} s")
            packed = self._begun(said, head)
            return unpacked(head, packed if is_part else self._whole(said, head, packed))
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
            part = self.run(lambda script=script: script, PART_TIME, is_last, is_part=True)  # type: ignore[misc]
            if len(part) != min(PART, head.length - len(packed)):
                raise LookError("the rest of its answer is not there any more")
            packed += part
        return packed
