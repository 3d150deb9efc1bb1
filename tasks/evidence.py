"""The evidence of the model that a service runs: what was observed of it, the strongest first. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from jada import LONG_CONTEXT
from jada.tasks import effective
from jada.tasks.state import State

# A file written in the same instant as the process started is no news to it: ticks are 10 ms, the look samples twice.
SAME_INSTANT = 0.05


class Kind(StrEnum):
    """The kinds of evidence, the strongest first: all but DERIVED were observed.

    DERIVED is jada's own table of where the Claude CLI takes its model from, which is never complete: it explains, and
    proves nothing.
    """

    REPORTED = "reported"
    ASKED = "asked"
    DERIVED = "derived"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One piece of evidence that a service runs `model`. `source` is what said so: a model check or a CLI's version."""

    kind: Kind
    model: str
    source: str = ""

    @property
    def proves(self) -> bool:
        return self.kind is not Kind.DERIVED

    @property
    def text(self) -> str:
        """The evidence in words that stand behind the name of a model."""
        return {
            Kind.REPORTED: f"reported by its model_check.{self.source}",
            Kind.ASKED: f"its CLI {self.source} asks for it",
            Kind.DERIVED: "derived from settings and environment, not observed",
        }[self.kind]


def evidence_of(state: State) -> tuple[Evidence, ...]:
    """All evidence of the model that the process of the service runs, the strongest first; none where it has none."""
    return tuple(_evidence_of(state)) if state.process else ()


def running_model(state: State) -> str:
    """The model of the process, by the strongest evidence; "" where there is none.

    One that is known without what is sent to nobody is told as it was released.
    """
    strongest = next(iter(evidence_of(state)), None)
    if strongest is None:
        return ""
    desired = state.release.desired.model if state.release else ""
    return desired if desired and is_same(strongest.model, desired) else strongest.model


def is_same(seen: str, model: str) -> bool:
    """True if a service of which `seen` is known uses `model`: of a long context it may know nothing, for nothing of it
    is sent.
    """
    return seen in (model, model.removesuffix(LONG_CONTEXT))


def started_by_current_release(state: State) -> bool:
    """True if the process is the very one that the current release started, which was seen to run its model then.

    So it does not matter that the CLI rewrites the file at times. A process that came later, by a crash or by hand, may
    have read anything that was there in between.
    """
    if state.process is None or len(state.result) != 4:
        return False
    done, _, ticks, boot = state.result
    return (done, boot, ticks) == ("done", state.boot, str(state.process.ticks))


def _evidence_of(state: State) -> Iterator[Evidence]:
    if state.report.model:
        yield Evidence(kind=Kind.REPORTED, model=state.report.model, source=state.report.by)
    if state.asked.model and _tells_of_what_runs(state):
        yield Evidence(kind=Kind.ASKED, model=state.asked.model, source=state.asked.version)
    if model := _derived(state):
        yield Evidence(kind=Kind.DERIVED, model=model)


def _tells_of_what_runs(state: State) -> bool:
    """True if what the CLI would ask for now is what the process asks for too: it read the same, as far as is known.

    The CLI rewrites its files at times; that a release started the process with this very model then outweighs it.
    """
    process, release = state.process, state.release
    assert process is not None  # noqa: S101 - for the type checker
    if release and started_by_current_release(state) and is_same(state.asked.model, release.desired.model):
        return True
    changed = effective.resolve(state, process.spec).changed
    return (process.spoke or process.started) + SAME_INSTANT >= changed


def _derived(state: State) -> str:
    """The model by what is known of the files that decide it; "" where a process is older than they are."""
    process = state.process
    if process is None or state.unseen:
        return ""
    now = effective.resolve(state, process.spec)
    if now.pinned or (process.speaker and process.spoke + SAME_INSTANT >= now.changed):
        return now.model
    release = state.release
    if release and started_by_current_release(state) and (release.kind != "rollback" or not now.outranks):
        return release.desired.model
    return now.model if process.started + SAME_INSTANT >= now.changed else ""
