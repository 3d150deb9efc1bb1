"""One ssh connection to each host of a command, kept from the first look to the last. The edge to pyinfra."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar, cast

import gevent
from gevent.pool import Pool
from pyinfra.api import Config, Inventory
from pyinfra.api import State as Pyinfra
from pyinfra.api.exceptions import ConnectError, PyinfraError
from pyinfra.api.facts import get_fact
from pyinfra.api.host import Host as PyinfraHost
from pyinfra.api.operation import OperationMeta
from pyinfra.api.operations import run_host_op
from pyinfra.connectors.ssh import SSHConnector
from pyinfra.context import ctx_host, ctx_state

from jada import JadaError
from jada.tasks.change import change, hold
from jada.tasks.look import Look
from jada.tasks.state import LookError, State
from jada.tasks.transaction import Outcome, Result, Service, Transaction, outcome

# Seconds for the TCP connection and for sshd's banner; a host across the world answers in under one.
CONNECT_TIMEOUT = 10
# Seconds a look may take: it is some forty small commands and one HTTP request with a limit of 3 s.
LOOK_TIMEOUT = 60
# A controller has 2 cores to spare, not 500: more greenlets than this only queue up for the CPU.
AT_ONCE = 100

T = TypeVar("T")


class HostError(JadaError):
    """One host could not be reached, looked at or changed; the others go on."""


class Connection:
    """One host, by its ssh connection."""

    def __init__(self, state: Pyinfra, host: PyinfraHost, service: Service) -> None:
        self._state = state
        self._host = host
        self.service = service

    def connect(self) -> None:
        """Opens the connection unless it is open. Raises HostError."""
        try:
            self._host.connect(show_errors=False, raise_exceptions=True)
        except (ConnectError, PyinfraError) as error:
            raise HostError(f"{self._host.name} can't be reached: {error}") from None

    def look(self, history: bool = False) -> State:
        """One look, with the releases the host remembers if asked. Raises HostError."""
        self.connect()
        with ctx_host.use(self._host):
            seen = get_fact(
                self._state,
                self._host,
                Look,
                kwargs={"service": self.service, "history": history, "_timeout": LOOK_TIMEOUT, "_ignore_errors": True},
                apply_failed_hosts=False,
            )
        if isinstance(seen, LookError):
            raise HostError(f"{self._host.name} can't be looked at: {seen}")
        return cast(State, seen)

    def apply(self, transaction: Transaction) -> Outcome:
        """Runs the transaction; when the link dies in it, connects again and sees how it ended. Raises HostError."""
        meta = self._run(change, transaction=transaction, name=f"release {transaction.release.id}")
        return outcome(meta.stdout_lines) or self._find_out(transaction)

    def hold(self, held: str) -> str:
        """Locks the host for `held`, or frees it (""); returns what held it before. Raises HostError."""
        *before, last = self._run(hold, held=held, name="lock").stdout_lines or ["nothing was answered"]
        if last != "jada-held":
            raise HostError(f"{self._host.name} can't be locked or freed: {last}")
        return "\n".join(before)

    def _run(self, operation: Callable[..., OperationMeta], **arguments: object) -> OperationMeta:
        self.connect()
        with ctx_host.use(self._host):
            meta = operation(**arguments, _ignore_errors=True)
            run_host_op(self._state, self._host, meta._hash)
        return meta

    def close(self) -> None:
        if client := cast(SSHConnector, self._host.connector).client:
            client.close()
        self._host.connected = False

    def _find_out(self, transaction: Transaction) -> Outcome:
        """How a transaction ended whose output was cut off: the host knows."""
        release = transaction.release.id
        for _ in range(30):
            gevent.sleep(2)
            try:
                self.close()
                state = self.look()
            except HostError:
                continue
            if state.release and state.release.id == release:
                return Outcome(Result.DONE, "", ())
            if state.interrupted and state.busy:
                continue
            return Outcome(Result.RESTORED, "the connection was lost; the host is on its earlier release", ())
        raise HostError(
            f"the connection to {self._host.name} was lost while it was being changed; the host finishes or undoes "
            "the change by itself",
            f"look at it with `jada status --limit {self._host.name}` once it answers again",
        )


class Session:
    """Connections to the hosts of one command. `data` is pyinfra's host data by host name."""

    def __init__(self, data: Mapping[str, Mapping[str, object]], service: Service) -> None:
        # pyinfra tells its own story of each host through this logger; ours is told by cli/.
        logging.getLogger("pyinfra").addHandler(logging.NullHandler())
        logging.getLogger("pyinfra").propagate = False
        logging.getLogger("paramiko").addHandler(logging.NullHandler())
        logging.getLogger("paramiko").propagate = False
        self.service = service
        inventory = Inventory(([(name, dict(values)) for name, values in data.items()], {}))
        self._state = Pyinfra(inventory, Config(CONNECT_TIMEOUT=CONNECT_TIMEOUT))
        self._connections = {name: Connection(self._state, inventory.get_host(name), service) for name in data}

    def each(
        self, names: Iterable[str], visit: Callable[[str, Connection], T], at_once: int = AT_ONCE
    ) -> Iterator[tuple[str, T | HostError]]:
        """Runs `visit` for the named hosts, `at_once` of them side by side, and yields each result as it comes."""

        def run(name: str) -> tuple[str, T | HostError]:
            try:
                return name, visit(name, self._connections[name])
            except HostError as error:
                return name, error

        with ctx_state.use(self._state):
            yield from Pool(at_once).imap_unordered(run, names)

    def close(self) -> None:
        for connection in self._connections.values():
            connection.close()
