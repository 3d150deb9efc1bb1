"""The way back for drifted hosts: the model that each is to run, the plan for it, and the rollout."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from operator import attrgetter
from typing import TYPE_CHECKING

from jada import Exit, Host, HostError, Service
from jada.cli.drift.asking import check_hosts
from jada.cli.drift.check import evaluate_fleet, show
from jada.cli.drift.evaluate import BESIDE, HostDrift, Status
from jada.cli.records.model import AHEAD, HostEntry, HostOutcome
from jada.cli.records.sqlite import open_records
from jada.cli.results import HostResults
from jada.cli.rollout.freeze import freeze_notes, require_unfrozen
from jada.cli.rollout.options import RolloutOptions
from jada.cli.rollout.run import run_rollout
from jada.cli.selection import choose
from jada.cli.session import FleetSession
from jada.inventory import models
from jada.tasks import plan
from jada.tasks.plan import Plan, Request
from jada.tasks.release import Desired, Release, first_id
from jada.tasks.state import State

if TYPE_CHECKING:
    from jada.inventory.fleet.config import Fleet


def heal_hosts(
    whole_fleet: FleetSession, role: str | None, limit: str | None, reason: str, options: RolloutOptions
) -> Exit:
    """Heals the hosts of the fleet that --role and --limit leave."""
    if not options.dry_run:
        require_unfrozen(whole_fleet.fleet)
    session = replace(whole_fleet, hosts=choose(whole_fleet.fleet, whole_fleet.hosts, role, limit))
    seen = check_hosts(session)
    known = {**seen, **_others(whole_fleet, session, seen)}
    report = evaluate_fleet(session, known, whole=False)
    rows = {row.host: row for row in report.hosts}
    hosts = {host.name: host for host in session.hosts}
    peers = peers_of(whole_fleet.hosts, known)
    with open_records(session.fleet) as records:
        recorded = records.released(session.fleet.name)
        moment = records.next_moment(session.fleet.name, datetime.now(UTC))
    request = session.request(reason=reason, restart=True, moment=moment)

    def planner(name: str, state: State) -> Plan:
        # An unfinished change was undone first, and the host looked at again.
        now = rows if state is seen[name] else {row.host: row for row in _evaluate_again(session, known, name, state)}
        desired = desired_for(hosts[name], state, peers, recorded, session.fleet, datetime.now(UTC))
        return heal_plan(request, now[name], state, desired, session.engine.service)

    if not options.as_json:
        show(report)
    if report.exit is Exit.OK and not options.as_json:
        return Exit.LOCKED if report.count(Status.CHANGING) else Exit.OK
    return run_rollout(
        session,
        request,
        planner,
        kind="heal",
        seen=seen,
        title=f"Heal {session.fleet.name}, release {request.id}",
        options=options,
        about=lambda _: freeze_notes(session.fleet),
    )


def heal_plan(request: Request, row: HostDrift, state: State, desired: Desired | None, service: Service) -> Plan:
    """The plan that brings one host back to `desired`. Pure."""
    if state.running_transaction:
        return Plan(lock=state.running_transaction)
    drifted = (evaluated.finding for evaluated in row.findings if evaluated.is_drift)
    drift = [finding for finding in drifted if finding.kind not in BESIDE]
    # All that its release is about is in sync; what fleet.yml asks besides is for `jada upgrade`.
    if row.status in (Status.IN_SYNC, Status.UNPROVEN) or (row.status is Status.DRIFTED and not drift):
        return Plan()
    if not any(finding.fixed_by.is_by_heal for finding in drift):
        fixes = "; ".join(f"{finding.code} {finding.name}: {finding.fix_on(row.host)}" for finding in drift)
        return Plan(refusal=f"to release the same again would fix nothing here. {fixes}")
    if desired is None:
        why = "neither a release nor its role in fleet.yml says which model it is to run"
        if state.release:
            why = "it was rolled back to what it had before jada"
        return Plan(refusal=f"{why}; jada upgrade --to MODEL --limit {shlex.quote(row.host)}")
    # A manifest may lack what was asked for.
    nofile = desired.nofile_requested or request.nofile
    request, service = replace(request, nofile=nofile), replace(service, telemetry=desired.telemetry)
    return plan.upgrade(request, row.role, desired.tiers, state, service, kind="heal")


def peers_of(hosts: Iterable[Host], known: Mapping[str, State | HostError]) -> dict[str, Release]:
    """The releases of hosts that can speak for their role: the one that fleet.yml gives them now, whatever other one a
    manifest names. Pure.
    """
    roles = {host.name: host.role for host in hosts}
    releases = {name: state.release for name, state in HostResults(known).ok.items() if state.release}
    return {name: release for name, release in releases.items() if release.role == roles.get(name)}


def desired_for(
    host: Host,
    state: State,
    peers: Mapping[str, Release],
    recorded: Mapping[str, HostEntry],
    fleet: Fleet,
    now: datetime,
) -> Desired | None:
    """The models and limits that a host is to run, by its own release or, where that is gone or was for another role,
    by this machine's record, else by fleet.yml, and only then by what other hosts (`peers`) say: root there decides for
    no other host. Pure.
    """
    if state.release and not _is_stranger(host, state):
        return state.release.desired if state.release.desired.base and state.release.desired.model else None
    of_role = {name: release for name, release in peers.items() if release.role == host.role and release.desired.base}
    mine = {name: entry for name, entry in recorded.items() if name == host.name and _is_own(entry, state)}
    seconded = {name: recorded[name] for name, release in of_role.items() if _is_recorded(release, recorded.get(name))}
    tiers = fleet.tiers_of(host.role)
    model = _newest({**seconded, **mine}.values()) or tiers.model
    model = model or _model_of_peers(of_role.values(), recorded.values(), fleet, now)
    nofile = fleet.limits.nofile
    if not model:
        return None
    return Desired(model, nofile, nofile, "", "", tiers.fallback, tiers.subagent_model, fleet.service.telemetry)


def _is_own(entry: HostEntry, state: State) -> bool:
    """True if the record knows by this machine's own rollout what a host without a release ran."""
    # DONE was read back from a host, which may have named another fleet than its own.
    return (state.release is None or state.damage != "") and entry.outcome is not HostOutcome.DONE


def _is_recorded(release: Release, entry: HostEntry | None) -> bool:
    """True if this machine saw the very thing that a host tells of its release."""
    seen = entry and entry.outcome is HostOutcome.VERIFIED and (entry.release, entry.model_after)
    return seen == (release.id, release.desired.model)


def _newest(entries: Iterable[HostEntry]) -> str:
    """The model of the newest of these entries of the record that a fleet may be pinned to, or ""."""
    usable = [entry for entry in entries if entry.model_after and not models.why_rejected(entry.model_after)]
    return max(usable, key=attrgetter("release")).model_after if usable else ""


def _model_of_peers(peers: Iterable[Release], recorded: Iterable[HostEntry], fleet: Fleet, now: datetime) -> str:
    """The model of the newest release that other hosts tell of, of those that can be: a known model, and not from the
    future; or "".
    """
    known = {model.id for model in models.catalogue(fleet.models)}
    known |= {entry.model_after for entry in recorded if entry.outcome is HostOutcome.VERIFIED}
    future = first_id(now + AHEAD)
    usable = [release for release in peers if release.id < future and release.desired.model in known]
    return max(usable, key=attrgetter("id")).desired.model if usable else ""


def _others(
    whole_fleet: FleetSession, session: FleetSession, seen: Mapping[str, State | HostError]
) -> Mapping[str, State | HostError]:
    """Looks at the other hosts of a role, where a host has to be told what its role runs."""
    states = HostResults(seen).ok
    roles = {host.role for host in session.hosts if host.name in states and _is_stranger(host, states[host.name])}
    rest = tuple(host for host in whole_fleet.hosts if host.role in roles and host.name not in seen)
    return replace(whole_fleet, hosts=rest).look("Looking at what their role runs") if rest else {}


def _evaluate_again(
    session: FleetSession, known: Mapping[str, State | HostError], name: str, state: State
) -> tuple[HostDrift, ...]:
    return evaluate_fleet(session, {**known, name: state}, whole=False).hosts


def _is_stranger(host: Host, state: State) -> bool:
    """True if the host itself can't tell what its role runs."""
    return state.release is None or state.damage != "" or state.release.role != host.role
