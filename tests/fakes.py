"""A fleet that answers as a test says, through the rule that the real engine has for one host's trouble."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar, cast

from jada import Fence, Host, HostError, ModelCheck, NoAnswerError, Service
from jada import Probe as FleetProbe
from jada.cli.session import FleetSession
from jada.inventory.fleet.config import Fleet
from jada.tasks.asked import Asked
from jada.tasks.engine import Connection, OnStep, act_on
from jada.tasks.forget import ForgetAnswer, ForgetRequest, Forgotten
from jada.tasks.journal import JournalQuery, LogLine
from jada.tasks.measure import Sample
from jada.tasks.operator_lock import LockAnswer, LockRequest
from jada.tasks.outcomes import TaskOutcome
from jada.tasks.probe import Endpoint, Probe, Question
from jada.tasks.settings import Splices
from jada.tasks.state import HistoryEntry, State
from jada.tasks.transaction import Outcome, Result, Transaction

T = TypeVar("T")
# The result of a look at a host; an exception is raised.
Seen = State | BaseException
TRACES = ("/var/lib/jada", "/etc/systemd/system/jada-agent.service.d/50-jada.conf")
DONE = Outcome(Result.DONE, "", ())
PROBE = Probe(endpoint=Endpoint(why_not="there is no curl on the host"))
SERVICE = Service(model_check=ModelCheck(url="http://127.0.0.1:8787/healthz"))
FLEET = Fleet("f", Path("fleet.yml"), (), ())


def changed(state: State, transaction: Transaction) -> State:
    """The host once the transaction is done: it runs what the release asks for."""
    release = transaction.release
    model = release.desired.model
    return replace(
        state,
        release=release,
        history=(*state.history, HistoryEntry(release, "")),
        settings=replace(state.settings, text=json.dumps({"model": model})),
        report=replace(state.report, model=model),
    )


class Clock:
    """Time that passes only where somebody waits."""

    def __init__(self) -> None:
        self.now, self.began = time.monotonic(), time.time()
        self.slept = 0.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.began + self.slept

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept += seconds


class FakeConnection:
    """One host: its looks see what `states` has for it, which its changes put there. `outcomes` are what these come to,
    one after the other, and `after` is what is seen once one was tried; without them the host does as it is told. Its
    CLI says `answer` when it is asked about a change, and the host `probe` to what is asked before one.
    """

    def __init__(
        self,
        name: str,
        states: MutableMapping[str, Any],
        outcomes: Iterable[Outcome | BaseException] = (),
        after: Seen | None = None,
        answer: Asked | None = None,
        probe: Probe = PROBE,
    ) -> None:
        self._answer, self._probe = answer, probe
        self.questions: list[Question] = []
        self.lines = [
            LogLine(at=1_800_000_000 + at, model="claude-opus-5", release=release, text=text)
            for at, release, text in ((0, "", "one line"), (10, "20261124-120000-aaaa", f"another of {name}"))
        ]
        self.log: list[str] = []
        # What probes measure there, by their names.
        self.samples: dict[str, Sample] = {}
        # What may be an agent there.
        self.found_services: tuple[str, ...] = ()
        self._name, self._states = name, states
        self._outcomes, self._after = list(outcomes), after

    def look(self, history: bool = False, status: bool = False, goes_on: bool = False, ask: bool = False) -> State:
        self.log += ["look", "ask"] if ask else ["look"]
        state = self._state()
        return state if ask else replace(state, asked=Asked())

    def ask(self, splices: Splices = ()) -> Asked:
        self.log.append("ask alone")
        return self._answer or self._state().asked

    def probe(self, question: Question) -> Probe:
        self.log.append("probe")
        self._state()
        self.questions.append(question)
        return self._probe

    def measure(self, probes: Sequence[FleetProbe], requests: int, longest: int) -> dict[str, Sample]:
        self.log.append("measure")
        self._state()
        return {probe.name: self.samples[probe.name] for probe in probes}

    def apply(
        self, transaction: Transaction, status: bool = False, ask: bool = False, on_step: OnStep = lambda _: None
    ) -> Outcome:
        self.log.append("apply")
        for step in ("check", "restart", "settle"):
            on_step(step)
        outcome = self._outcomes.pop(0) if self._outcomes else DONE
        if self._after is not None:
            self._states[self._name] = self._after
        elif outcome is DONE:
            self._states[self._name] = changed(self._state(), transaction)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def set_lock(self, request: LockRequest) -> LockAnswer:
        self.log.append("set_lock")
        state = self._state()
        may = request.force or state.operator_lock is None or state.operator_lock.who == request.lock.who
        if may:
            self._states[self._name] = replace(state, operator_lock=request.lock if request.lock.reason else None)
        return LockAnswer(may, state.operator_lock)

    def services(self) -> tuple[str, ...]:
        self.log.append("services")
        self._state()
        return self.found_services

    def forget(self, request: ForgetRequest) -> ForgetAnswer:
        self.log.append("forget dry" if request.dry_run else "forget")
        state = self._state()
        if state.running_transaction or state.operator_lock:
            return ForgetAnswer(Forgotten.LOCKED, why=state.running_transaction or f"locked by {state.operator_lock}")
        traces = TRACES if state.release else ()
        if request.dry_run:
            return ForgetAnswer(Forgotten.FOUND, traces)
        self._states[self._name] = replace(state, release=None, history=())
        return ForgetAnswer(Forgotten.DONE, traces)

    def raise_fence(self, fence: Fence, holder: str) -> None:
        self.log.append(f"raise_fence {fence.number} {holder}")
        self._state()

    def journal(self, query: JournalQuery) -> list[LogLine]:
        self.log.append("journal")
        self._state()
        lines = [line for line in self.lines if query.release in ("", line.release)]
        return lines[-query.count :]

    def tasks(self, since: float) -> list[TaskOutcome]:
        self.log.append("tasks")
        self._state()
        return []

    def follow(self, query: JournalQuery) -> Iterator[LogLine]:
        yield from self.journal(query)
        raise HostError(f"the connection to {self._name} was lost")

    def close(self) -> None:
        self.log.append("close")

    def _state(self) -> State:
        state = self._states[self._name]
        if isinstance(state, BaseException):
            raise state
        return cast(State, state)


class FakeEngine:
    """Hosts that are reached one after the other; `states`, `outcomes`, `after`, `answers` of the CLI and
    `probes` by name. Those of `slow` answer within no time that is given.
    """

    def __init__(
        self,
        states: MutableMapping[str, Any],
        outcomes: Mapping[str, Sequence[Outcome | BaseException]] | None = None,
        after: Mapping[str, Seen] | None = None,
        service: Service = SERVICE,
        answers: Mapping[str, Asked] | None = None,
        probes: Mapping[str, Probe] | None = None,
        slow: Collection[str] = (),
    ) -> None:
        self.service, self._slow = service, slow
        outcomes, after = outcomes or {}, after or {}
        self.connections = {
            name: FakeConnection(
                name, states, outcomes.get(name, ()), after.get(name), (answers or {}).get(name),
                (probes or {}).get(name, PROBE),
            )
            for name in states
        }  # fmt: skip
        self.is_closed = False

    @property
    def changed(self) -> list[str]:
        """The hosts on which a change was tried."""
        return [name for name, connection in self.connections.items() if "apply" in connection.log]

    def imap(
        self,
        names: Iterable[str],
        act: Callable[[str, Connection], T],
        at_once: int | None = None,
        within: float | None = None,
    ) -> Iterator[tuple[str, T | HostError]]:
        for name in names:
            if within is not None and name in self._slow:
                yield name, NoAnswerError(f"{name} gave no answer in {within:.0f} s")
                continue
            yield name, act_on(name, lambda name=name: act(name, self.connections[name]))  # type: ignore[misc]

    def follow(
        self, names: Iterable[str], act: Callable[[str, Connection], Iterator[T]]
    ) -> Iterator[tuple[str, T | HostError] | None]:
        for name in names:
            try:
                for each in act(name, self.connections[name]):
                    yield name, each
            except HostError as error:
                yield name, error
        yield None

    def close(self) -> None:
        self.is_closed = True


def fake_session(
    states: MutableMapping[str, Any], fleet: Fleet = FLEET, engine: FakeEngine | None = None
) -> FleetSession:
    """The fleet with these hosts, as open_session() gives it."""
    hosts = tuple(Host(name, "192.0.2.1", "static", role="r") for name in states)
    return FleetSession(fleet, hosts, engine or FakeEngine(states, service=fleet.service), time.monotonic() + 1000)
