"""Steps that have to come before pyinfra: gevent's patches, and those that make all its imports take less time."""

from __future__ import annotations

import functools
import gc
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import metadata
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import LazyLoader
from types import ModuleType

from jada.cli import signals


class LazyInvokeFinder:
    """Finds invoke, and lets it be run when it is first used: paramiko imports it for `Match exec` of an ssh config,
    which pyinfra answers by itself. It takes as long as four connections.
    """

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != "invoke" or (spec := PathFinder.find_spec(name, path, target)) is None or spec.loader is None:
            return None
        spec.loader = LazyLoader(spec.loader)
        return spec


@contextmanager
def frozen_imports() -> Iterator[None]:
    """Keeps the garbage collector off all that is imported meanwhile, now and later: it is in use to the end."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def patch_gevent() -> None:
    """Applies gevent's patches, for pyinfra's ssh runs on it: before boto3, ssl or threading are used."""
    from gevent import monkey

    if LazyInvokeFinder not in sys.meta_path:
        sys.meta_path.insert(0, LazyInvokeFinder)
    # gevent asks all installed packages for plugins 25 times while it patches, and pyinfra for connectors: what they
    # have is read once.
    metadata.entry_points = functools.cache(metadata.entry_points().select)  # type: ignore[assignment]
    monkey.patch_all()
    signals.cooperate()
