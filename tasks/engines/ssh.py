"""One ssh connection to each host of a command, kept from the first look to the last. The edge to pyinfra."""

from __future__ import annotations

import contextlib
import logging
import random
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import dropwhile
from typing import TypeVar, cast

import gevent
from gevent.pool import Pool
from gevent.queue import Empty, Queue
from paramiko import SSHException, Transport
from paramiko.ssh_exception import NoValidConnectionsError
from pyinfra.api import Config, Inventory
from pyinfra.api import State as Pyinfra
from pyinfra.api.exceptions import ConnectError, PyinfraError
from pyinfra.api.facts import get_fact
from pyinfra.api.host import Host as PyinfraHost
from pyinfra.api.operation import OperationMeta
from pyinfra.api.operations import run_host_op
from pyinfra.context import ctx_host, ctx_state

from jada import (
    Fence,
    HostError,
    NoAnswerError,
    NoRootError,
    Probe,
    Service,
    SharedWay,
    UnforeseenError,
    attempt,
    reason,
)
from jada.tasks.engine import OnStep
from jada.tasks.engines.change import (
    ask,
    change,
    forget,
    journal,
    measure,
    probe,
    raise_fence,
    services,
    set_lock,
    tasks,
)
from jada.tasks.engines.connector import BoundedConnector
from jada.tasks.engines.host import HostConnection, act_within
from jada.tasks.engines.look import LONGEST, Look, RefusedError
from jada.tasks.engines.preconnect import AT_ONCE, is_connected
from jada.tasks.engines.turns import Turns
from jada.tasks.forget import ForgetRequest
from jada.tasks.frames import LookError
from jada.tasks.journal import JournalQuery, LogLine, read_lines
from jada.tasks.operator_lock import LockRequest
from jada.tasks.probe import Question
from jada.tasks.settings import Splices
from jada.tasks.state import State
from jada.tasks.transaction import (
    BEGIN,
    END,
    ERROR,
    StepReader,
    Transaction,
    as_root,
    failure,
    first_part,
    journal_script,
    look_script,
    on_stdin,
)

# Seconds for the TCP connection and for sshd's banner; a host across the world answers in under one.
CONNECT_TIMEOUT = 10
# Seconds for all attempts to connect together, whatever a host does to draw them out.
CONNECT_DEADLINE = 90
# Seconds for the answer of a look, which ends by itself before that.
LOOK_TIMEOUT = LONGEST + 15
# sshd drops connections at random while many come at once (MaxStartups 10:30:100), and a host that is coming up refuses
# them: six attempts, with random waits of up to so many seconds between them.
WAITS = (0.25, 0.5, 1, 2, 4)
# Seconds after which a link that has gone silent counts as dead: TCP alone would hope for a quarter of an hour.
KEEPALIVE = 5
DEAD_LINK = 20
# Seconds from pause to pause of what is followed, and lines that come meanwhile.
IDLE = 0.3
MOST_WAITING = 1000

T = TypeVar("T")


class SshConnection(HostConnection):
    """One host, by its ssh connection. Its data may name the EC2 instance that it is (`jada_instance`)."""

    def __init__(self, state: Pyinfra, host: PyinfraHost, service: Service, sock: socket.socket | None = None) -> None:
        super().__init__(host.name, service, host.data.get("jada_instance") or "")
        self._state = state
        self._host = host
        self._sock = sock
        self._arguments = cast(BoundedConnector, host.connector).data["ssh_paramiko_connect_kwargs"] or {}

    def connect(self) -> None:
        """Opens the connection unless it is open; tries again where that may help. Raises HostError."""
        if self._host.connected and not ((transport := self._transport()) and transport.is_active()):
            self.close()
        late = HostError(f"{self.name} can't be reached: no connection came about in {CONNECT_DEADLINE} s")
        with gevent.Timeout(CONNECT_DEADLINE, late):
            self._connect()

    def _connect(self) -> None:
        for wait in (*WAITS, None):
            self._take_socket()
            try:
                self._host.connect(show_errors=False, raise_exceptions=True)
                break
            except (ConnectError, PyinfraError) as error:
                # Of trust and of keys: it says itself what is wrong.
                if isinstance(refused := error.__context__, HostError):
                    raise refused from refused.__cause__
                if wait is None or not _is_transient(error):
                    raise HostError(f"{self.name} can't be reached: {error}") from None
                gevent.sleep(random.uniform(0, wait))  # noqa: S311 - no secret
        if transport := self._transport():
            transport.set_keepalive(KEEPALIVE)
            # Linux' own option, and not there through a jump host, where the socket is a channel.
            if hasattr(socket, "TCP_USER_TIMEOUT") and isinstance(transport.sock, socket.socket):
                transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, DEAD_LINK * 1000)

    def _take_socket(self) -> None:
        """Hands pyinfra the TCP connection that was begun for this host, once; later ones it makes itself."""
        sock, self._sock = self._sock, None
        arguments: dict[str, object] = {**self._arguments}
        if sock and not self._host.connected:
            if is_connected(sock):
                arguments["sock"] = sock
            else:
                sock.close()
        self._connector.data["ssh_paramiko_connect_kwargs"] = arguments

    def look(self, history: bool = False, status: bool = False, goes_on: bool = False, ask: bool = False) -> State:
        """One look, with the releases the host remembers, what systemctl tells people and what the service's own CLI
        says, if asked; a second one if the link dies. Where it `goes_on`, an `apply` soon after it takes no other
        command. Raises HostError.
        """
        script = look_script(self.service, history, status, ask)
        try:
            return self._look(script, goes_on)
        except HostError:
            if self._connector.timed_out or (transport := self._transport()) is None or transport.is_active():
                raise
        self.close()
        return self._look(script, goes_on)

    def _look(self, look: str, goes_on: bool) -> State:
        self.connect()
        self._connector.let_go()
        script = first_part(look, LONGEST) if goes_on else on_stdin(look)
        with ctx_host.use(self._host):
            result = get_fact(
                self._state,
                self._host,
                Look,
                kwargs={
                    "service": self.service,
                    "first": len(script.encode()) if goes_on else 0,
                    "_stdin": script,
                    "_timeout": LOOK_TIMEOUT,
                    "_ignore_errors": True,
                },
                apply_failed_hosts=False,
            )
        if isinstance(result, LookError):
            kind = NoRootError if isinstance(result, RefusedError) else HostError
            raise kind(f"{self.name} can't be looked at: {result}")
        return self._of_this_machine(cast(State, result))

    def _ask(self, splices: Splices) -> list[str]:
        self._connector.let_go()
        return self._run(ask, service=self.service, splices=splices, instance=self._instance, name="ask").stdout_lines

    def _probe(self, question: Question) -> list[str]:
        with self._connector.beside():
            arguments = {"service": self.service, "question": question, "instance": self._instance}
            return self._run(probe, **arguments, name="probe").stdout_lines

    def _measure(self, probes: Sequence[Probe], requests: int, longest: int) -> list[str]:
        self._connector.let_go()
        arguments = {"service": self.service, "probes": probes, "requests": requests, "longest": longest}
        return self._run(measure, **arguments, instance=self._instance, name="measure").stdout_lines

    def _tasks(self, since: float) -> list[str]:
        arguments = {"service": self.service, "since": since, "instance": self._instance}
        return self._run(tasks, **arguments, name="tasks").stdout_lines

    def _set_lock(self, request: LockRequest) -> list[str]:
        return self._run(set_lock, request=request, instance=self._instance, name="lock").stdout_lines

    def _services(self) -> list[str]:
        return self._run(services, instance=self._instance, name="services").stdout_lines

    def _forget(self, request: ForgetRequest) -> list[str]:
        return self._run(forget, request=request, instance=self._instance, name="forget").stdout_lines

    def _raise_fence(self, fence: Fence, holder: str) -> list[str]:
        arguments = {"fence": fence, "holder": holder, "instance": self._instance}
        return self._run(raise_fence, **arguments, name="fence").stdout_lines

    def _journal(self, query: JournalQuery) -> list[str]:
        return self._run(journal, state=self.look(), service=self.service, query=query, name="journal").stdout_lines

    def _apply(self, transaction: Transaction, look: str, on_step: OnStep) -> list[str]:
        name, longest = f"release {transaction.release.id}", transaction.longest
        arguments = {"transaction": transaction, "look": look, "instance": self._instance}
        with self._connector.heard(StepReader(on_step).feed):
            return self._run(change, **arguments, name=name, _timeout=longest + LONGEST).stdout_lines

    def follow(self, query: JournalQuery) -> Iterator[LogLine]:
        """The same, and then those that come, until the host is lost. Raises HostError."""
        script = on_stdin(journal_script(self.look(), self.service, query, follow=True))
        self._connector.let_go()
        lines = self._connector.stream(as_root(ERROR, first=len(script.encode())), script)
        yield from read_lines(self._followed(lines))
        raise HostError(f"the connection to {self.name} was lost")

    def _followed(self, lines: Iterator[str]) -> Iterator[str]:
        for line in dropwhile(BEGIN.__ne__, lines):
            if line.startswith(ERROR):
                raise HostError(f"{self.name} can't tell its journal: {failure([line])}")
            if line == END:
                raise HostError(f"{self.name} can't tell its journal any more: what read it there has ended")
            if line not in ("", BEGIN):
                yield line

    def _run(self, operation: Callable[..., OperationMeta], **arguments: object) -> OperationMeta:
        self.connect()
        with ctx_host.use(self._host):
            meta = operation(**{"_timeout": LOOK_TIMEOUT, "_ignore_errors": True, **arguments})
            run_host_op(self._state, self._host, meta._hash)
        return meta

    @property
    def _connector(self) -> BoundedConnector:
        return cast(BoundedConnector, self._host.connector)

    def _transport(self) -> Transport | None:
        client = self._connector.client
        return client.get_transport() if client else None

    def close(self) -> None:
        if self._sock:
            self._sock.close()
        self._connector.let_go()
        if client := self._connector.client:
            client.close()
        self._host.connected = False


def _is_transient(error: BaseException) -> bool:
    """True if connecting may go better in a moment: not so with a silent host, a wrong key or a refused login."""
    cause = error.__context__
    return isinstance(error, ConnectError) and (
        isinstance(cause, (EOFError, ConnectionError, NoValidConnectionsError))
        # sshd hung up before or in the middle of the handshake; paramiko has no class of its own for that.
        or (
            isinstance(cause, SSHException)
            and any(word in str(cause) for word in ("banner", "EOF", "reset by peer", "closed by remote"))
        )
    )


class SshEngine:
    """Connections to the hosts of one command. `data` is pyinfra's host data by host name, or why there is none, and
    `socks` the connections that are begun.
    """

    def __init__(
        self,
        data: Mapping[str, Mapping[str, object] | HostError],
        service: Service,
        socks: Mapping[str, socket.socket | None],
    ) -> None:
        # pyinfra tells its own story of each host through this logger; ours is told by cli/.
        logging.getLogger("pyinfra").addHandler(logging.NullHandler())
        logging.getLogger("pyinfra").propagate = False
        logging.getLogger("paramiko").addHandler(logging.NullHandler())
        logging.getLogger("paramiko").propagate = False
        self.service = service
        self._troubles = {name: trouble for name, trouble in data.items() if isinstance(trouble, HostError)}
        usable = {name: values for name, values in data.items() if not isinstance(values, HostError)}
        inventory = Inventory(([(name, dict(values)) for name, values in usable.items()], {}))
        for host in inventory:
            host.connector_cls = BoundedConnector
        self._state = Pyinfra(inventory, Config(CONNECT_TIMEOUT=CONNECT_TIMEOUT))
        self._connections = {
            name: SshConnection(self._state, inventory.get_host(name), service, socks.get(name)) for name in usable
        }
        shared = {name: way for name, values in usable.items() if isinstance(way := values.get("jada_way"), SharedWay)}
        turns = {way: Turns(way) for way in set(shared.values())}
        self._turns = {name: turns[way] for name, way in shared.items()}

    def imap(
        self,
        names: Iterable[str],
        act: Callable[[str, SshConnection], T],
        at_once: int | None = None,
        within: float | None = None,
    ) -> Iterator[tuple[str, T | HostError]]:
        """Runs `act` for the named hosts, so many of them side by side, and yields each result as it comes.

        Whatever trouble one host makes is its result.
        """

        def run(name: str) -> tuple[str, T | HostError]:
            return name, self.act(name, act, within)

        with self.in_use():
            yield from Pool(at_once or AT_ONCE).imap_unordered(run, names)

    def follow(
        self, names: Iterable[str], act: Callable[[str, SshConnection], Iterator[T]]
    ) -> Iterator[tuple[str, T | HostError] | None]:
        """Runs `act` for all the named hosts side by side, and yields what each gives as it comes, its trouble too; and
        None once in a moment, whatever still comes: then all of it can be shown that came together.
        """
        came: Queue[tuple[str, T | HostError]] = Queue(MOST_WAITING)

        def pass_on(name: str, connection: SshConnection) -> None:
            for each in act(name, connection):
                came.put((name, each))

        def run(name: str) -> None:
            if (trouble := self.act(name, pass_on, waits=False)) is not None:
                came.put((name, trouble))

        with self.in_use():
            running = [gevent.spawn(run, name) for name in names]
            paused = time.monotonic()
            try:
                while came.qsize() or not all(greenlet.dead for greenlet in running):
                    with contextlib.suppress(Empty):
                        yield came.get(timeout=IDLE)
                    if time.monotonic() - paused >= IDLE:
                        yield None
                        paused = time.monotonic()
            finally:
                gevent.killall(running, block=False)

    @contextlib.contextmanager
    def in_use(self) -> Iterator[None]:
        """Has pyinfra know its hosts meanwhile."""
        with ctx_state.use(self._state):
            yield

    def act(
        self, name: str, act: Callable[[str, SshConnection], T], within: float | None = None, waits: bool = True
    ) -> T | HostError:
        """The result for one host; a link that died since the last one is made anew, and one that is let go of while
        the host still owes an answer.

        A host whose way is shared waits for its turn, unless told not to; that counts for nothing else.
        """
        if name in self._troubles:
            return self._troubles[name]
        connection = self._connections[name]
        if not (turns := self._turns.get(name)):
            return self._act(name, connection, act, within)
        if not turns.take(connection, waits):
            why = f"{turns.way.name} has {turns.way.most} connections at once, and all are in use"
            return HostError(f"{name} can't be reached: {why}", "choose fewer hosts with --limit")
        try:
            return self._act(name, connection, act, within)
        finally:
            turns.leave(connection)

    def _act(
        self, name: str, connection: SshConnection, act: Callable[[str, SshConnection], T], within: float | None
    ) -> T | HostError:

        def run_act() -> T:
            if (transport := connection._transport()) and not transport.is_active():
                connection.close()
            try:
                return act(name, connection)
            except HostError:
                # Some are paramiko's errors too, so that pyinfra takes them for trouble of ssh.
                raise
            except (EOFError, SSHException) as error:
                why = f"the connection to {name} was lost ({reason(error)})"
                raise UnforeseenError(why, f"look again: jada status --limit {name}") from error

        result = act_within(name, run_act, within)
        if isinstance(result, NoAnswerError):
            attempt(name, connection.close)
        return result

    def close(self) -> None:
        for name, connection in self._connections.items():
            attempt(name, connection.close)
