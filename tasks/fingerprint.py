"""The fingerprint of all that decides what a service's own CLI answers, as far as a look sees it. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from jada.tasks.state import Settings, State


def fingerprint(state: State, cli: str) -> str:
    """A hash that differs where asking the CLI anew could bring another answer: over the service, its process, its next
    start, its settings and agents, its release, and fleet.yml's `cli`. What a look does not see is not in it.
    """
    digest = hashlib.sha256()
    for value in _inputs(state, cli):
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
