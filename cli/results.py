"""What came of one thing that was done on many hosts: a result, or that host's trouble, for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Generic, TypeVar

from jada import Exit, HostError, attempt

S = TypeVar("S")
T = TypeVar("T")


class HostResults(dict[str, T | HostError], Generic[T]):
    """Results by the names of their hosts, in the order of the hosts."""

    @property
    def ok(self) -> dict[str, T]:
        return {name: one for name, one in self.items() if not isinstance(one, HostError)}

    @property
    def failed(self) -> dict[str, HostError]:
        return {name: one for name, one in self.items() if isinstance(one, HostError)}


def each_judged(seen: Mapping[str, S | HostError], judge: Callable[[str, S], T]) -> HostResults[T]:
    """What `judge` makes of each host that was seen; where it fails, that host's trouble."""
    return HostResults(
        (name, state if isinstance(state, HostError) else attempt(name, partial(judge, name, state)))
        for name, state in seen.items()
    )


def worst(codes: set[Exit]) -> Exit:
    """One exit code for many hosts: a failure says more than a rollback, that more than a lock."""
    return next((code for code in (Exit.FAILED, Exit.ROLLED_BACK, Exit.LOCKED, Exit.DRIFT) if code in codes), Exit.OK)
