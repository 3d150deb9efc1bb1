"""The releases that fail on hosts that are watched, and where those hosts may go. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from jada import HostError, Service, Tiers
from jada.cli.results import HostResults, judge_each
from jada.cli.rollout.bake import judge_baking
from jada.cli.rollout.outcome import HostResult
from jada.cli.rollout.watch import Watched
from jada.cli.ui.console import grouped, named, plural
from jada.inventory.fleet.guard import FALLBACK, PREVIOUS
from jada.inventory.fleet.rollout import Share
from jada.tasks import plan
from jada.tasks.plan import Plan, Request
from jada.tasks.served import is_asked_for
from jada.tasks.state import State

# The beginning of the reason of each release that the guard made, by which the record and hosts know them, and of one
# that tries a host again.
BY_GUARD, TRIAL = "guard: ", "guard tries again: "
# The way of a host that goes back.
BACK = ""
# Of hosts by name: the model that each goes to, or BACK.
Ways = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Failing:
    """A release of which more hosts fail than may: those that do, all that are on it, and what failed on the first."""

    release: str
    failed: tuple[str, ...]
    hosts: tuple[str, ...]
    detail: str = ""

    @property
    def why(self) -> str:
        hosts = f"{plural(len(self.failed), 'host')} of {len(self.hosts)} on release {self.release}"
        return f"{hosts} failed ({named(self.failed)}{self.detail and f': {self.detail}'})"


def results_of(
    before: Mapping[str, State], seen: Mapping[str, Watched | HostError], service: Service
) -> dict[str, HostResult]:
    """The result for each host that can be judged on the release it is on, by this look and the one before."""

    def judge(name: str, watched: Watched) -> HostResult | None:
        state = watched.state
        if state.release is None or state.running_transaction or not state.release.desired.base:
            return None
        earlier = before.get(name)
        is_same = earlier is not None and earlier.release is not None and earlier.release.id == state.release.id
        return judge_baking(state.release.id, earlier if is_same else None, state, service, watched.judgements)

    return {name: result for name, result in judge_each(seen, judge).ok.items() if result}


def failing_releases(seen: HostResults[State], failed: Mapping[str, str], most: Share) -> Iterator[Failing]:
    """The releases of which more of the hosts have failed than may, by name and why, the newest first."""
    hosts_of = grouped((state.release.id, name) for name, state in seen.ok.items() if state.release)
    for release in sorted(hosts_of, reverse=True):
        hosts = hosts_of[release]
        bad = tuple(name for name in hosts if name in failed)
        if bad and most.is_passed(len(bad), len(hosts)):
            yield Failing(release, bad, tuple(hosts), failed[bad[0]])


def ways(failing: Failing, seen: Mapping[str, State], to: str, tiers: Callable[[str], Tiers]) -> Ways:
    """The ways of the hosts on a failing release, by the guard's policy and the models of each host's role.

    A host without a model to go to, or that fails on that very one, goes back. It has no way where it came there by a
    way back, or by a guard: what it ran before has failed too.
    """
    found = {}
    for name in failing.hosts:
        release = seen[name].release
        assert release is not None  # noqa: S101 - for the type checker
        fallback = next(iter(tiers(name).fallback), BACK)
        model = {PREVIOUS: BACK, FALLBACK: fallback}.get(to, to)
        if model and not is_asked_for(model, release.desired.model):
            found[name] = model
        elif not release.is_undo and not release.reason.startswith(BY_GUARD):
            found[name] = BACK
    return found


def change_plan(
    request: Request, role: str, model: str, tiers: Tiers, state: State, service: Service, release: str
) -> Plan:
    """The plan that brings a host from the failing release to a model, or BACK; where it is on that no longer, none."""
    if state.running_transaction:
        return Plan(lock=state.running_transaction)
    if state.release is None or state.release.id != release:
        return Plan(idle="somebody has changed it since")
    if model == BACK:
        return plan.rollback(request, role, "", state, service, state.release.desired.base)
    return plan.upgrade(request, role, replace(tiers, model=model), state, service)


def trial_plan(request: Request, role: str, state: State, service: Service, act: str) -> Plan:
    """The plan that brings a host, which the guard's release `act` changed, to the models that it had before that."""
    if state.release is None or state.release.id != act:
        return Plan(idle="somebody has changed it since")
    left = state.release.before.base
    tiers = next((past.release.desired.tiers for past in state.history if past.release.id == left), None)
    if tiers is None:
        return Plan(refusal=f"it keeps nothing of release {left}")
    return plan.upgrade(request, role, tiers, state, service)
