"""Hosts of one command that are reached over ssh, and others through Systems Manager."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from gevent.lock import BoundedSemaphore
from gevent.pool import Pool

from jada import HostError
from jada.tasks.engine import Connection
from jada.tasks.engines.preconnect import AT_ONCE
from jada.tasks.engines.ssh import SshEngine
from jada.tasks.engines.ssm import SsmEngine

T = TypeVar("T")


class MixedEngine:
    """Each host by the engine that has it."""

    def __init__(self, ssh: SshEngine, ssm: SsmEngine) -> None:
        self.service = ssh.service
        self._ssh, self._ssm = ssh, ssm
        self._connecting = BoundedSemaphore(AT_ONCE)

    def imap(
        self,
        names: Iterable[str],
        act: Callable[[str, Connection], T],
        at_once: int | None = None,
        within: float | None = None,
    ) -> Iterator[tuple[str, T | HostError]]:
        """Runs `act` for the named hosts, so many of them side by side, and yields each result as it comes."""
        with self._ssh.in_use():
            pool = Pool(at_once or AT_ONCE + len(self._ssm))
            yield from pool.imap_unordered(lambda name: (name, self._act(name, act, within)), names)

    def follow(
        self, names: Iterable[str], act: Callable[[str, Connection], Iterator[T]]
    ) -> Iterator[tuple[str, T | HostError] | None]:
        """Yields what each host gives as it comes: of those of Systems Manager, that they can't be followed."""
        named = list(names)
        yield from self._ssm.follow([name for name in named if name in self._ssm], act)
        yield from self._ssh.follow([name for name in named if name not in self._ssm], act)

    def close(self) -> None:
        self._ssm.close()
        self._ssh.close()

    def _act(self, name: str, act: Callable[[str, Connection], T], within: float | None) -> T | HostError:
        if name in self._ssm:
            return self._ssm.act(name, act, within)
        with self._connecting:
            return self._ssh.act(name, act, within)
