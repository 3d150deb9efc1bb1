"""A look at each host to judge it by, which asks the service's own CLI where its last answer no longer stands."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from jada import HostError, HostKeyError, JadaError, OtherMachineError
from jada.cli.records.model import AnswerEntry
from jada.cli.records.sqlite import BUSY_TIMEOUT_BACK, Records, open_store
from jada.cli.results import HostResults, judge_each
from jada.cli.session import FleetSession
from jada.tasks.asked import Asked
from jada.tasks.evidence import strongest_evidence
from jada.tasks.fingerprint import fingerprint
from jada.tasks.served import is_asked_for
from jada.tasks.state import State

if TYPE_CHECKING:
    from jada.inventory.fleet.config import Fleet
    from jada.tasks.engine import Connection

# Seconds for which an answer may stand: some of what decides it, no look sees.
LONGEST_KEPT = 24 * 3600


def check_hosts(
    session: FleetSession,
    text: str = "Checking hosts",
    names: Iterable[str] | None = None,
    within: float | None = None,
) -> HostResults[State]:
    """One look at every host, or at those named, side by side, with what the CLI of each says or, where that still
    stands, said; a host that takes longer than `within` s has failed.
    """
    service = session.engine.service
    kept = _kept(session.fleet) if service.ask == "on-change" else {}

    def look(name: str, connection: Connection) -> State:
        last = kept.get(name)
        state = connection.look(ask=service.asks and last is None)
        if last is None or state.process is None or state.running_transaction:
            return state
        return replace(state, asked=last.asked if stands(last, state, service.cli) else _ask(connection))

    chosen = (host.name for host in session.hosts) if names is None else names
    seen = session.run_on_each(text, chosen, look, within=within)
    remember_answers(session, seen)
    return seen


def stands(last: AnswerEntry, state: State, cli: str) -> bool:
    """True if nothing that decides the answer has changed since, as far as this look sees it, and it speaks for the
    host. One that speaks against it may have been put right where no look sees it, and a reason not to be asked may be
    gone: that one stands only where the model is proven without.
    """
    if last.fingerprint != fingerprint(state, cli):
        return False
    if last.model:
        desired = state.release.desired.model if state.release else ""
        return not desired or is_asked_for(desired, last.model)
    proof = strongest_evidence(state)
    return proof is not None and proof.is_proof


def remember_answers(session: FleetSession, seen: Mapping[str, State | HostError]) -> None:
    """Writes down what was answered just now; where that can't be written, it is asked again the next time."""
    now, fleet, cli = time.time(), session.fleet.name, session.engine.service.cli
    news = {name: state for name, state in HostResults(seen).ok.items() if _is_news(state)}
    entries = judge_each(
        news, lambda name, state: AnswerEntry.of(fleet, name, now, fingerprint(state, cli), state.asked)
    )
    if entries:
        with suppress(JadaError), open_store(session.fleet, timeout=BUSY_TIMEOUT_BACK) as store:
            Records(store).add_answers(entries.ok.values())


def _kept(fleet: Fleet) -> Mapping[str, AnswerEntry]:
    """The answers that may stand still; none where the record can't be read: to ask is cheap."""
    now = time.time()
    with suppress(JadaError), open_store(fleet, timeout=BUSY_TIMEOUT_BACK) as store:
        answers = Records(store).answers(fleet.name)
        # A time to come is one of a clock that was wrong.
        return {name: answer for name, answer in answers.items() if 0 <= now - answer.at <= LONGEST_KEPT}
    return {}


def _is_news(state: State) -> bool:
    """True if it was asked now, and about what the look saw: no file changed while it was under way."""
    times = (state.managed_changed, state.settings.changed, *(layer.changed for layer in state.layers))
    return state.asked != Asked() and not state.asked.at and max(times) < state.now


def _ask(connection: Connection) -> Asked:
    try:
        return connection.ask()
    except (HostKeyError, OtherMachineError):
        # Another machine answers there by now: nothing that was seen is to be told of it.
        raise
    except HostError:
        return Asked(error="the question to it, or its answer, was lost")
