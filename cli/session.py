"""The hosts that a command is about, and an engine that reaches them."""

from __future__ import annotations

import fnmatch
import getpass
import glob
import socket
import time
import traceback
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

import click

from jada import ConfigError, Host, HostError, UnforeseenError
from jada.cli import signals
from jada.cli.discovery import find_hosts
from jada.cli.options import ENGINE
from jada.cli.results import HostResults
from jada.cli.selection import LIMIT, choose, patterns
from jada.cli.ui.console import debugged, err, escape, progress, visible
from jada.cli.ui.run_id import run_id

if TYPE_CHECKING:
    from jada.inventory.fleet.config import Fleet
    from jada.inventory.lease import Lease
    from jada.tasks.engine import Connection, Engine
    from jada.tasks.engines.ssh import SshEngine
    from jada.tasks.engines.ssm import SsmEngine
    from jada.tasks.plan import Request
    from jada.tasks.state import State

T = TypeVar("T")

# Seconds for a look at a host where others wait for it: a busy host takes a few, and one that hangs any number.
PATIENCE = 20


class NotStartedError(HostError):
    """Nothing was done on a host, because the command had to end before its turn came."""


def not_started(name: str) -> NotStartedError:
    why = "jada was told to stop" if signals.stopped() else "fleet.yml's deadline had passed"
    return NotStartedError(f"{name} was not begun: {why}")


@dataclass(frozen=True, slots=True)
class FleetSession:
    """A fleet with its hosts found and an engine to reach them; after `deadline` (monotonic) no host is begun.

    Hosts are changed under the rollout `lease`, once that is had.
    """

    fleet: Fleet
    hosts: tuple[Host, ...]
    engine: Engine
    deadline: float
    lease: Lease | None = None

    def role(self, name: str) -> str:
        return next(host.role for host in self.hosts if host.name == name)

    def with_new_deadline(self, seconds: int | None = None) -> FleetSession:
        """The same with so many seconds from now on; without a number, all that fleet.yml gives a command."""
        return replace(self, deadline=time.monotonic() + (self.fleet.deadline if seconds is None else seconds))

    def look(
        self,
        text: str = "Looking at hosts",
        history: bool = False,
        goes_on: bool = False,
        ask: bool = False,
        within: float | None = None,
    ) -> HostResults[State]:
        """Looks at every host once, side by side; states in their order. It `goes_on` if changes follow at once, and
        asks the service's own CLI too if told to `ask`. A host that takes longer than `within` s gives a NoAnswerError.
        """

        def look(_: str, connection: Connection) -> State:
            return connection.look(history, goes_on=goes_on, ask=ask)

        return self.run_on_each(text, (host.name for host in self.hosts), look, within=within)

    def run_on_each(
        self,
        text: str,
        names: Iterable[str],
        act: Callable[[str, Connection], T],
        at_once: int | None = None,
        within: float | None = None,
    ) -> HostResults[T]:
        """Does one thing on each named host, `at_once` of them side by side, and shows how far it is. A host that takes
        longer than `within` s gives a NoAnswerError; only for what changes nothing.

        Past the fleet's deadline, or once Ctrl-C was pressed, no other host is begun: those give a NotStartedError.
        Raises KeyboardInterrupt for a Ctrl-C, but not while hosts are changed.
        """
        signals.check()
        todo = list(names)
        results: dict[str, T | HostError] = {}
        seconds: dict[str, float] = {}

        def is_over() -> bool:
            return signals.stopped() or time.monotonic() > self.deadline

        def in_time() -> Iterator[str]:
            for name in todo:
                if is_over():
                    return
                yield name

        def begin(name: str, connection: Connection) -> T:
            # It may have waited in line for others that go the same way.
            if is_over():
                raise not_started(name)
            began = time.monotonic()
            try:
                return act(name, connection)
            finally:
                seconds[name] = time.monotonic() - began

        with progress(text, len(todo)) as advance:
            for name, result in self.engine.imap(in_time(), begin, at_once, within):
                results[name] = result
                if isinstance(result, UnforeseenError) and debugged():
                    traceback.print_exception(result)
                advance()
        signals.check()
        found = HostResults((name, results[name] if name in results else not_started(name)) for name in todo)
        found.seconds = seconds
        return found

    def is_lost(self) -> bool:
        """True once another has the lease."""
        return self.why_not(goes_back=True) != ""

    def why_not(self, goes_back: bool = False) -> str:
        """The end of a sentence: why no host is to be changed any more; "" while the lease is held. What `goes_back`
        needs no lease, but where another has it, that one decides.
        """
        why = self.lease.why_not() if self.lease else ""
        return why if self.lease and (self.lease.is_lost or not goes_back) else ""

    def require_lease(self, name: str, goes_back: bool = False) -> None:
        """Raises NotStartedError for a host that is not to be changed any more, see why_not()."""
        if why := self.why_not(goes_back):
            raise NotStartedError(f"{name} was not begun: the rollout lease {why}")

    def request(
        self, *, restart: bool = False, reason: str = "", force: bool = False, moment: datetime | None = None
    ) -> Request:
        """A request of this operator, whose release has an id of that moment, by default of now."""
        from jada.tasks.plan import Request
        from jada.tasks.release import new_id

        now = datetime.now(UTC)
        at = now.isoformat(timespec="seconds")
        nofile = self.fleet.limits.nofile
        release = new_id(moment or now)
        return Request(release, self.fleet.name, operator(), at, nofile, restart, visible(reason), force, run_id())


def operator() -> str:
    """The person at this machine, as records and locks name them."""
    return visible(f"{getpass.getuser()}@{socket.gethostname()}")


def load(fleet_file: str | None, needs_all: bool = True) -> Fleet:
    """Reads the fleet.yml of a command about hosts; a rollback needs not all of it to be good."""
    from jada.cli.startup import patch_gevent

    patch_gevent()
    from jada.inventory.fleet import config

    fleet = config.load(fleet_file) if needs_all else config.load(fleet_file, tell=_tell_unneeded)
    context = click.get_current_context(silent=True)
    return replace(fleet, engine=context.meta.get(ENGINE) or "") if context else fleet


def _tell_unneeded(error: ConfigError) -> None:
    for problem in error.problems:
        err.print(f"[yellow]Not needed for a rollback, so left out[/]: {escape(problem.message)}")


@contextmanager
def open_session(
    fleet_file: str | None,
    role: str | None,
    limit: str | None,
    needs_all: bool = True,
    limit_by: str = LIMIT,
    notes: bool = True,
) -> Iterator[FleetSession]:
    """Reads fleet.yml, finds the hosts, and opens an engine to those that --role and --limit leave; without `notes` on
    fleet.yml where they were told before.
    """
    from jada.cli.startup import frozen_imports

    with frozen_imports():
        fleet = load(fleet_file, needs_all)
        hosts = find(fleet, role, limit, limit_by, notes, is_way_back=not needs_all)
    with open_hosts(fleet, hosts) as session:
        yield session


@contextmanager
def open_whole(fleet: Fleet, is_way_back: bool = False) -> Iterator[FleetSession]:
    """Finds all hosts of a fleet from load(), and opens an engine to them."""
    from jada.cli.startup import frozen_imports

    with frozen_imports():
        hosts = find(fleet, None, None, is_way_back=is_way_back)
    with open_hosts(fleet, hosts) as session:
        yield session


@contextmanager
def open_hosts(fleet: Fleet, hosts: tuple[Host, ...]) -> Iterator[FleetSession]:
    """Opens an engine to these hosts."""
    with open_engine(fleet, hosts) as engine:
        yield FleetSession(fleet, hosts, engine, time.monotonic() + fleet.deadline)


@contextmanager
def open_engine(fleet: Fleet, hosts: tuple[Host, ...]) -> Iterator[Engine]:
    """The engine that reaches these hosts, which is decided here alone: ssh, Systems Manager, or each for some."""
    over_ssh = tuple(host for host in hosts if host.engine == "ssh")
    managed = tuple(host for host in hosts if host.engine == "ssm")
    with signals.cleaned_up(), ExitStack() as stack:
        ssh = stack.enter_context(_ssh_engine(fleet, over_ssh)) if over_ssh or not managed else None
        ssm = stack.enter_context(_ssm_engine(fleet, managed)) if managed else None
        if ssh and ssm:
            from jada.tasks.engines.mixed import MixedEngine

            yield MixedEngine(ssh, ssm)
        elif engine := ssh or ssm:
            yield engine


@contextmanager
def _ssh_engine(fleet: Fleet, hosts: tuple[Host, ...]) -> Iterator[SshEngine]:
    from jada.cli.startup import frozen_imports

    with frozen_imports():
        from jada.inventory.access import login
        from jada.inventory.access.scratch import scratch
        from jada.tasks.engines.preconnect import AT_ONCE, preconnect

        direct = [host for host in hosts if host.via == "address"] if login.is_direct(fleet) else []
        first = [host for host in direct if not host.trouble][:AT_ONCE]
        socks = {host.name: preconnect(host.address, host.port) for host in first}
        from jada.cli.records.pins import RecordedPins

        # Half of what a command imports is what speaks ssh.
        from jada.tasks.engines.ssh import SshEngine

    with scratch() as folder:
        engine = SshEngine(login.ssh_data(fleet, hosts, folder, pins=RecordedPins()), fleet.service, socks)
        try:
            yield engine
        finally:
            engine.close()


@contextmanager
def _ssm_engine(fleet: Fleet, hosts: tuple[Host, ...]) -> Iterator[SsmEngine]:
    """The engine of hosts that are reached through Systems Manager. Raises ConfigError for what AWS would keep."""
    from jada.cli.startup import frozen_imports

    check_kept_by_aws("model_check", fleet.service.model_check.url, "model_check: {command: /usr/local/bin/…}")
    with frozen_imports():
        from jada.inventory.cloud.ssm import RunCommand
        from jada.tasks.engines.ssm import SsmEngine

    # One for each, for its commands are sent together.
    places = {place: RunCommand(*place) for place in {(host.aws, host.region) for host in hosts}}
    instances = {host.name: host.trouble or (host.instance, places[host.aws, host.region]) for host in hosts}
    engine = SsmEngine(instances, fleet.service)
    try:
        yield engine
    finally:
        engine.close()


def check_kept_by_aws(key: str, url: str, instead: str) -> None:
    """Raises ConfigError for the URL of this key of fleet.yml if it may hold a secret, which AWS would keep."""
    from jada.tasks.transaction import without_secrets

    if without_secrets(url) != url:
        raise ConfigError(
            f"{key}'s url has a user, a query or a fragment, and AWS keeps the text of each command of Systems "
            "Manager for 30 days",
            f"a command of your own, in a file on the hosts, can hold it: {instead}",
        )


def find(
    fleet: Fleet,
    role: str | None,
    limit: str | None,
    limit_by: str = LIMIT,
    notes: bool = True,
    is_way_back: bool = False,
) -> tuple[Host, ...]:
    """The hosts of a fleet from load() that match. Raises JadaError, ConfigError for options that match none.

    With --cached they are as AWS listed them last; on the way back they are so where AWS can't be asked, or left out.
    """
    from jada.inventory.roles import unmatched

    hosts = find_hosts(fleet, is_way_back)
    for note in unmatched(hosts, fleet.roles) if notes else ():
        err.print(f"[yellow]Note[/] {escape(note)}")
    return choose(fleet, hosts, role, limit, limit_by)


def choose_recorded(
    fleet: Fleet, recorded: Collection[str], role: str | None, limit: str | None, host: str | None = None
) -> set[str] | None:
    """The names that --role, --limit and --host leave, None for all, of the hosts that are recorded: some may be gone.

    A name of which nothing is recorded is looked for in the fleet. Raises JadaError, ConfigError for one of no host.
    """
    if role is None and limit is None and host is None:
        return None
    names = set(recorded)
    if role is not None:
        # Which role a host plays, its source alone knows.
        names = {match.name for match in find(fleet, role, limit)}
    elif limit is not None:
        limits = patterns(limit)
        if unknown := [pattern for pattern in limits if not fnmatch.filter(names, pattern)]:
            names |= {match.name for match in find(fleet, None, ",".join(unknown))}
        names = {name for name in names if any(fnmatch.fnmatchcase(name, pattern) for pattern in limits)}
    if host is not None:
        if host not in (*recorded, *names):
            find(fleet, None, glob.escape(host), "--host")
        names &= {host}
    return names
