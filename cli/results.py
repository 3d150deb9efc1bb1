"""Results of one action on many hosts: a value, or that host's trouble, for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Generic, TypeVar

from jada import Exit, HostError, attempt

S = TypeVar("S")
T = TypeVar("T")


class HostResults(dict[str, T | HostError], Generic[T]):
    """Results by the names of their hosts, in the order of the hosts, and the `seconds` of those that were begun."""

    seconds: Mapping[str, float] = MappingProxyType({})

    @property
    def ok(self) -> dict[str, T]:
        return {name: result for name, result in self.items() if not isinstance(result, HostError)}

    @property
    def failed(self) -> dict[str, HostError]:
        return {name: result for name, result in self.items() if isinstance(result, HostError)}


def judge_each(seen: Mapping[str, S | HostError], judge: Callable[[str, S], T]) -> HostResults[T]:
    """Judges each host that was seen; where `judge` fails, the result is that host's trouble."""
    return HostResults(
        (name, state if isinstance(state, HostError) else attempt(name, partial(judge, name, state)))
        for name, state in seen.items()
    )


def worst(codes: set[Exit]) -> Exit:
    """One exit code for many hosts: a failure says more than a rollback, that more than a lock."""
    return next((code for code in (Exit.FAILED, Exit.ROLLED_BACK, Exit.LOCKED, Exit.DRIFT) if code in codes), Exit.OK)
