"""Hashes of what a look sees of a host: of all that decides the answer of its CLI, or the plan for it. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import replace

from jada.tasks.state import Settings, State
from jada.tasks.transaction import Transaction


def fingerprint(state: State, cli: str) -> str:
    """A hash that differs where asking the CLI anew could bring another answer: over the service, its process, its next
    start, its settings and agents, its release, and fleet.yml's `cli`. What a look does not see is not in it.
    """
    return _digest(_inputs(state, cli))


def parts(transaction: Transaction) -> dict[str, str]:
    """A hash of each part of a host that a change was planned for, and of what it is to become: where one differs, the
    change may be another one. When the service was started is not in them.
    """
    state, unit, desired = transaction.state, transaction.state.unit, transaction.release.desired
    seen: dict[str, tuple[object, ...]] = {
        "machine": (state.instance, state.capacity),
        "user": (state.user, state.uid, state.gid, state.home, state.home_real),
        "unit": (unit.name, unit.load, unit.user, unit.kind, unit.settings, sorted(unit.dropins), unit.lacks,
                 state.next_start, state.reloaded),
        "settings": (state.settings.path, state.settings.real, state.settings.file, state.settings.problem, state.way),
        "layers": (*((layer.path, layer.real, layer.text, layer.problem) for layer in state.layers), state.agents),
        "files": (state.dropin, state.limits),
        "release": (state.release and state.release.id, state.damage, state.unfinished_transaction),
        "desired": (replace(desired, release=""),),
    }  # fmt: skip
    return {name: _digest(values)[:32] for name, values in seen.items()}


def _digest(values: Iterable[object]) -> str:
    digest = hashlib.sha256()
    for value in values:
        # The length before it, so that no two lists of values are one text.
        text = repr(value).encode(errors="backslashreplace")
        digest.update(b"%d:%b" % (len(text), text))
    return digest.hexdigest()


def _inputs(state: State, cli: str) -> Iterator[object]:
    process = state.process
    yield cli, state.unit.name, state.user, state.uid, state.gid, state.home, state.home_real, state.boot, state.unseen
    # By the kernel's own clock: times of day differ by what the look itself takes.
    yield process and (process.pid, process.ticks, process.speaker, process.spoke_ticks, process.spec, process.respawn)
    yield state.next_start, state.reloaded
    yield state.release and state.release.id
    yield state.managed_changed, state.agents
    # Of the service's own file, the hash is that of its text with all secrets; of the others, a time tells of those.
    yield _seen(state.settings)
    for layer in state.layers:
        yield _seen(layer), layer.text


def _seen(settings: Settings) -> tuple[object, ...]:
    return settings.path, settings.real, settings.file, settings.changed, settings.problem
