"""Questions to the hosts before a change: what would it do there, and what would it meet? Nothing is touched."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain

from jada import HostError, Model
from jada.cli.results import HostResults, judge_each
from jada.cli.rollout.watch import alarm_checks
from jada.cli.rollout.waves import Division, all_at_once, together
from jada.cli.session import FleetSession
from jada.tasks import preflight, probe
from jada.tasks.asked import Asked
from jada.tasks.plan import Plan, with_answer
from jada.tasks.preflight import PreflightCheck, Verdict
from jada.tasks.settings import Splices
from jada.tasks.state import State

Checks = dict[str, tuple[PreflightCheck, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PreflightOptions:
    """The options of a preflight: the `models` that hosts are to get, by their names; `force` goes on where it failed.

    With `only`, all hosts are asked all there is to ask, and nothing is changed. With `try_request`, the canaries make
    one real request each.
    """

    models: Mapping[str, Model]
    force: bool = False
    only: bool = False
    try_request: bool = False
    division: Division = all_at_once


@dataclass(frozen=True, slots=True, kw_only=True)
class Preflight:
    """The plans after a preflight, which may refuse some, and its checks by host: none where there was no look; None
    where no checks belong to the change.

    `only` says that this was all there was to do.
    """

    plans: HostResults[Plan]
    checks: Mapping[str, tuple[PreflightCheck, ...]] | None = None
    only: bool = False

    @property
    def name(self) -> str:
        """The word for what was done in place of a change."""
        return "Preflight only" if self.only else "Dry run"

    @property
    def has_failed(self) -> bool:
        """True if it was all there was to do, and a host failed a check."""
        return self.only and any(check.is_failed for found in (self.checks or {}).values() for check in found)


def run_preflight(
    session: FleetSession,
    seen: Mapping[str, State | HostError],
    plans: HostResults[Plan],
    options: PreflightOptions | None,
    is_dry_run: bool,
    looked: tuple[float, float],
) -> Preflight:
    """The plans, with the answers of the hosts' own CLIs, asked as if the changes had been made; and, with `options`,
    checked by what was seen between the two moments of the look, and by what the canaries are asked, the first hosts
    for each model.

    The CLIs are asked where that is all that will prove the model, where jada's own table stands in the way of the
    change, and in a dry run.
    """
    questions = _questions(session, plans, is_dry_run)
    if options is None:
        return Preflight(plans=_answered(session, plans, _answers(session, questions)))
    questions |= _about_versions(session, plans, options)
    answers = _answers(session, questions)
    plans = _answered(session, plans, answers)
    found = _found(seen, HostResults(answers).ok, options, looked)
    plans = HostResults({**plans, **found.failed})
    conditions = _in_cloud(session, found.ok if options.only else _changing(plans))
    well = found.ok
    found = HostResults({**found, **{name: (*well[name], check) for name, check in conditions.items()}})
    alarms = alarm_checks(session)
    found = HostResults({**found, **{name: (*checks, *alarms) for name, checks in found.ok.items()}})
    plans = _refused(plans, found.ok, options)
    canaries = _canaries(session, plans, options)
    probed = _probe(session, {name: seen[name] for name in (found.ok if options.only else canaries)}, canaries, options)
    checks = {name: (*checks, *probed.get(name, ())) for name, checks in found.ok.items()}
    return Preflight(plans=_refused_with_canary(plans, probed, options), checks=checks, only=options.only)


def _found(
    seen: Mapping[str, State | HostError],
    answers: Mapping[str, Asked],
    options: PreflightOptions,
    looked: tuple[float, float],
) -> HostResults[tuple[PreflightCheck, ...]]:
    """The checks of what the look and the answer of its CLI tell of each host."""

    def checks(name: str, state: State) -> tuple[PreflightCheck, ...]:
        return (
            PreflightCheck("sudo", Verdict.PASSED, "the look at it ran as root"),
            preflight.service(state),
            preflight.clock(state.now, *looked),
            preflight.cli(options.models[name], answers.get(name, state.asked)),
        )

    return judge_each(seen, checks)


def _in_cloud(session: FleetSession, names: Collection[str]) -> dict[str, PreflightCheck]:
    """The checks of what a cloud says of these hosts; none of one that is in no cloud."""
    # A fleet of static hosts needs nothing of boto3.
    from jada.inventory.conditions import conditions

    answers = conditions([host for host in session.hosts if host.name in names])
    return {name: preflight.cloud(answer.text, answer.is_well) for name, answer in answers.items()}


def _changing(plans: HostResults[Plan]) -> dict[str, Plan]:
    """The plans of hosts that are to be changed."""
    return {name: plan for name, plan in plans.ok.items() if plan.transaction}


def _canaries(session: FleetSession, plans: HostResults[Plan], options: PreflightOptions) -> dict[str, Plan]:
    """The first host that is to be changed to each model, in the order of the waves; or is on it already."""
    first: dict[str, str] = {}
    changing = _changing(plans)
    waves = together(options.division([host for host in session.hosts if host.name in changing]))
    for name in (*chain.from_iterable(waves), *(plans.ok if options.only else ())):
        first.setdefault(options.models[name].id, name)
    return {name: plans.ok[name] for name in first.values()}


def _questions(session: FleetSession, plans: HostResults[Plan], is_dry_run: bool) -> dict[str, Splices]:
    service = session.engine.service
    needed = is_dry_run or service.asks_first
    return {
        name: plan.question
        for name, plan in plans.ok.items()
        if plan.question is not None and service.asks and (needed or plan.despite)
    }


def _about_versions(session: FleetSession, plans: HostResults[Plan], options: PreflightOptions) -> dict[str, Splices]:
    """The same questions to hosts that are asked for the version of their CLI alone: no other evidence tells that."""
    if not session.engine.service.asks:
        return {}
    names = plans.ok if options.only else _canaries(session, plans, options)
    return {name: plans.ok[name].question or () for name in names if options.models[name].cli}


def _answers(session: FleetSession, questions: Mapping[str, Splices]) -> Mapping[str, Asked | HostError]:
    if not questions:
        return {}
    return session.run_on_each(
        "Asking the hosts' own Claude CLIs", questions, lambda name, connection: connection.ask(questions[name])
    )


def _answered(
    session: FleetSession, plans: HostResults[Plan], answers: Mapping[str, Asked | HostError]
) -> HostResults[Plan]:
    def answered(name: str, plan: Plan) -> Plan | HostError:
        answer = answers[name]
        if isinstance(answer, HostError):
            return answer
        # Where the service itself will say what it runs, it is no news that its CLI can't.
        return with_answer(plan, answer) if answer.model or session.engine.service.asks_first else plan

    planned = plans.ok
    return HostResults({**plans, **{name: answered(name, planned[name]) for name in answers}})


def _probe(
    session: FleetSession,
    seen: Mapping[str, State | HostError],
    canaries: Collection[str],
    options: PreflightOptions,
) -> Checks:
    """The checks of what these hosts are asked; none of one that could not be asked, which its change will tell."""

    def question(name: str, state: State) -> probe.Question:
        return probe.question(state, options.models[name].id, options.try_request and name in canaries)

    questions = judge_each(seen, question).ok
    if not questions:
        return {}
    answers = session.run_on_each(
        "Asking what the change would meet", questions, lambda name, connection: connection.probe(questions[name])
    )
    return {name: tuple(_probed(questions[name].model, answer)) for name, answer in answers.ok.items()}


def _probed(model: str, answer: probe.Probe) -> Iterator[PreflightCheck]:
    yield preflight.endpoint(model, answer.endpoint)
    yield preflight.disk(answer.disks)
    if answer.request:
        yield preflight.request(model, answer.request)


def _refused(plans: HostResults[Plan], checks: Checks, options: PreflightOptions) -> HostResults[Plan]:
    """The plans, but refused where the host failed a check that is more than a warning; forced, with a note of it."""

    def judged(name: str, plan: Plan) -> Plan:
        if plan.transaction is None:
            return plan
        found = checks.get(name, ())
        warnings = tuple(check.text for check in found if check.is_failed and check.warns)
        failures = tuple(check.text for check in found if check.is_refusal)
        if failures and not options.force:
            return Plan(refusal="; ".join(failures))
        return replace(plan, notes=(*plan.notes, *warnings, *(f"going on with --force: {text}" for text in failures)))

    return _with(plans, judged)


def _refused_with_canary(plans: HostResults[Plan], probed: Checks, options: PreflightOptions) -> HostResults[Plan]:
    """The plans, but refused for all hosts of a model whose canary failed: that was asked for them too."""
    failed = (
        {} if options.force else {name: found for name, found in probed.items() if any(c.is_refusal for c in found)}
    )
    canaries = {options.models[name].id: name for name in reversed(failed)}

    def judged(name: str, plan: Plan) -> Plan:
        canary = canaries.get(options.models[name].id)
        if plan.transaction is None or canary is None or name in probed:
            return plan
        model = options.models[name].id
        return Plan(refusal=f"not begun, for {canary}, the first to change to {model}, failed its preflight")

    return _with(_refused(plans, probed, options), judged)


def _with(plans: HostResults[Plan], judge: Callable[[str, Plan], Plan]) -> HostResults[Plan]:
    return HostResults({**plans, **{name: judge(name, plan) for name, plan in plans.ok.items()}})
