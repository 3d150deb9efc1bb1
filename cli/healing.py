"""Bringing drifted hosts back: what each is to run, the plan for it, and the rollout."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from jada import Exit, Host, HostError
from jada.cli.check import judged, show
from jada.cli.drift_report import HostDrift, Standing
from jada.cli.fleet import Opened, choose
from jada.cli.how import How
from jada.cli.records import HostEntry, open_records
from jada.cli.rollout import roll_out
from jada.tasks import plan
from jada.tasks.plan import Plan, Request
from jada.tasks.release import Release, Wanted
from jada.tasks.state import State
from jada.tasks.transaction import Service

if TYPE_CHECKING:
    from jada.inventory.fleet import Fleet


def bring_back(everything: Opened, role: str | None, limit: str | None, reason: str, how: How) -> Exit:
    """Heals the hosts of the fleet that --role and --limit leave."""
    opened = replace(everything, hosts=choose(everything.fleet, everything.hosts, role, limit))
    seen = opened.look("Checking hosts")
    known = {**seen, **_others(everything, opened, seen)}
    found = judged(opened, known, whole=False)
    rows = {row.host: row for row in found.hosts}
    hosts = {host.name: host for host in opened.hosts}
    peers = [one.release for one in known.values() if isinstance(one, State) and one.release]
    with open_records() as records:
        recorded = records.released(opened.fleet.name)
    request = opened.request(reason=reason, restart=True)

    def planner(name: str, state: State) -> Plan:
        # An unfinished change was undone first, and the host looked at again.
        now = rows if state is seen[name] else {row.host: row for row in _judged_again(opened, known, name, state)}
        wanted = wanted_on(hosts[name], state, peers, recorded.get(name), opened.fleet)
        return heal_plan(request, now[name], state, wanted, opened.session.service)

    if not how.as_json:
        show(found)
    if found.exit is Exit.OK and not how.as_json:
        return Exit.OK
    return roll_out(
        opened,
        request,
        planner,
        kind="heal",
        seen=seen,
        title=f"Heal {opened.fleet.name}, release {request.id}",
        how=how,
    )


def heal_plan(request: Request, row: HostDrift, state: State, wanted: Wanted | None, service: Service) -> Plan:
    """What brings one host back to `wanted`. Pure."""
    if state.lock:
        return Plan(lock=state.lock)
    if row.standing is Standing.IN_SYNC:
        return Plan()
    drift = [one.finding for one in row.findings if one.counts]
    # The catalogue, or the finding, says what mends it: where that is this command, a release does.
    if not any("jada heal" in one.mend for one in drift):
        told = "; ".join(f"{one.code} {one.name}: {one.mend_on(row.host)}" for one in drift)
        return Plan(refusal=f"no release mends this. {told}")
    if wanted is None:
        why = "neither a release nor its role in fleet.yml says which model it is to run"
        if state.release:
            why = "it was rolled back to what it had before jada"
        return Plan(refusal=f"{why}; jada upgrade --to MODEL --limit {shlex.quote(row.host)}")
    return plan.upgrade(replace(request, nofile=wanted.nofile_asked), row.role, wanted.model, state, service)


def wanted_on(
    host: Host, state: State, peers: Iterable[Release], recorded: HostEntry | None, fleet: Fleet
) -> Wanted | None:
    """What a host is to run: by its own release or, where that is gone or was for another role, by the newest of what
    the record says it ran and what its role runs on other hosts (`peers`), or by fleet.yml. Pure.
    """
    if state.release and not _is_stranger(host, state):
        return state.release.wanted if state.release.wanted.release else None
    from jada.inventory import models

    nofile = fleet.limits.nofile
    known = {release.id: release.wanted for release in peers if release.role == host.role and release.wanted.release}
    if recorded and recorded.model_after and not state.release:
        known.setdefault(recorded.release, Wanted(recorded.model_after, nofile, nofile))
    if known:
        return known[max(known)]
    model = next((role.model for role in fleet.roles if role.name == host.role), "")
    return Wanted(models.resolve(model, models.catalogue(fleet)).id, nofile, nofile) if model else None


def _others(
    everything: Opened, opened: Opened, seen: Mapping[str, State | HostError]
) -> Mapping[str, State | HostError]:
    """A look at the other hosts of a role, where a host has to be told what its role runs."""
    roles = {
        host.role for host in opened.hosts if isinstance(one := seen[host.name], State) and _is_stranger(host, one)
    }
    rest = tuple(host for host in everything.hosts if host.role in roles and host.name not in seen)
    return replace(everything, hosts=rest).look("Looking at what their role runs") if rest else {}


def _judged_again(
    opened: Opened, known: Mapping[str, State | HostError], name: str, state: State
) -> tuple[HostDrift, ...]:
    return judged(opened, {**known, name: state}, whole=False).hosts


def _is_stranger(host: Host, state: State) -> bool:
    """Whether the host itself can't tell what its role runs."""
    return state.release is None or state.release.role != host.role
