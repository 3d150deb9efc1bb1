"""A rollout: plans are shown, agreed to, carried out side by side, and the hosts looked at once more."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import replace

from jada import Exit, HostError, NoAnswerError, Tiers
from jada.cli import signals
from jada.cli.discovery import of_known_hosts
from jada.cli.drift import notices
from jada.cli.drift.asking import remember_answers
from jada.cli.records.model import HostOutcome, RolloutEntry, RolloutStatus
from jada.cli.records.sqlite import Records, best_effort, open_records
from jada.cli.results import HostResults, judge_each
from jada.cli.rollout.apply import Planner, host_end
from jada.cli.rollout.as_json import as_json
from jada.cli.rollout.board import Board
from jada.cli.rollout.carry_out import End, Rollout, carry_out
from jada.cli.rollout.confirm import agree
from jada.cli.rollout.events import Event, Kind
from jada.cli.rollout.exclusive import LockedError
from jada.cli.rollout.leased import holder_for, leased
from jada.cli.rollout.network import Found, NetworkWatch
from jada.cli.rollout.next_steps import DECIDE, next_steps
from jada.cli.rollout.observe import observed
from jada.cli.rollout.options import RolloutOptions
from jada.cli.rollout.outcome import HostResult, Plans, exit_code, model_now, without_change
from jada.cli.rollout.preflight import Preflight, PreflightOptions, run_preflight
from jada.cli.rollout.prices import with_prices
from jada.cli.rollout.progress import Progress, Values
from jada.cli.rollout.record import as_entry, as_host_entries, as_network_entries
from jada.cli.rollout.show import on_models, show_end, show_network, show_plan, show_reports
from jada.cli.rollout.watch import Watch, baselines, watched_by
from jada.cli.rollout.waves import (
    Division,
    Groups,
    Waves,
    all_at_once,
    bakes,
    baking,
    in_words,
    is_one,
    own_deadline,
    together,
)
from jada.cli.session import FleetSession
from jada.cli.ui.console import emit_json, err, escape, grouped, named, out
from jada.cli.ui.duration import local_times
from jada.cli.ui.next_steps import show_next
from jada.tasks.plan import Plan, Request
from jada.tasks.state import State

# Rollouts of which people are told, and so of the network too: they may be in waves, and nobody may look on.
NOTIFIED = ("upgrade", "apply", "resume")
# Keeps the plans of a dry run, and the waves in which they would be carried out.
Save = Callable[[Request, Plans, Groups], None]


def run_rollout(
    session: FleetSession,
    request: Request,
    planner: Planner,
    *,
    kind: str,
    title: str,
    options: RolloutOptions,
    history: bool = False,
    seen: Mapping[str, State | HostError] | None = None,
    about: Callable[[Plans], Iterable[str]] = lambda _: (),
    records: Records | None = None,
    division: Division = all_at_once,
    preflight: PreflightOptions | None = None,
    command: str = "",
    save: Save | None = None,
) -> Exit:
    """Looks at every host unless that was done just now (`seen`), shows the plan with what there is to say `about` it
    as a whole, carries it out by the `division` once it was agreed to, and records what happened, in `records` if they
    are open already. An upgrade has a `preflight` before it. It is told as of the `command`, where that is not its
    kind; `save` gets what a dry run has come to.
    """
    network = None if options.dry_run else NetworkWatch.begin(session, is_back=kind == "rollback")
    goes_on = options.yes and not options.dry_run and not session.engine.service.asks_first
    began = time.time()
    seen = seen or session.look(history=history, goes_on=goes_on)
    looked = began, time.time()
    locked = _locked(seen, request, kind)
    if locked and not options.dry_run:
        raise locked
    checked = run_preflight(session, seen, judge_each(seen, planner), preflight, options.dry_run, looked)
    plans = with_prices(checked.plans, session.fleet)
    todo = {name: plan for name, plan in plans.ok.items() if plan.transaction}
    # The others don't wait for them, and nobody has to agree to what is done there.
    is_now = kind == "rollback" and options.yes and not options.dry_run
    late = [name for name, plan in plans.items() if is_now and isinstance(plan, NoAnswerError)]
    notes = tuple(about(plans))
    if locked:
        notes = (*notes, f"{locked.message}: that would stop this here. To go on: {locked.hint}")
    groups = division([host for host in session.hosts if host.name in (*todo, *late)])
    waves, seconds = together(groups), own_deadline(groups)
    if baking(groups) and (watched := watched_by(session)):
        notes = (*notes, watched)
    if not options.as_json:
        show_plan(
            title,
            plans,
            notes,
            in_words(session.fleet.name, groups),
            checked.checks or {} if options.dry_run else {},
        )
    if not options.dry_run and todo and agree(session.fleet, todo, options):
        # However late the answer came.
        session = session.with_new_deadline(seconds)
    elif seconds is not None:
        session = replace(session, deadline=session.deadline + seconds - session.fleet.deadline)
    if bake_time := baking(groups):
        session = replace(session, deadline=session.deadline + bake_time)
    if save:
        save(request, plans, groups)
    reports = {name: without_change(plan) for name, plan in plans.items() if name not in todo}
    end = End(RolloutStatus.DONE)
    if options.dry_run:
        reports |= {name: HostResult(HostOutcome.PLANNED, notes=plan.notes) for name, plan in todo.items()}
    elif any(report.outcome is not HostOutcome.UNCHANGED for report in reports.values()) or todo:
        board = Board(request.id, waves, bakes(groups), session.engine.service.settle)
        with (
            opened(session, request, kind, board, records) as (session, record),
            observed(session.fleet, request, command or kind, board, options.as_json) as observe,
        ):
            reports |= dict.fromkeys((*todo, *late), HostResult(HostOutcome.NOT_STARTED))
            reports |= dict.fromkeys(waves[0] if waves else (), HostResult(HostOutcome.IN_PROGRESS))
            progress = Progress(
                records=record, request=request, plans=plans, results=reports, is_one=is_one(groups),
                is_others=session.is_lost, network=network,
            )  # fmt: skip
            before = (
                {}
                if progress.is_one
                else baselines(session, {name: state for name, state in HostResults(seen).ok.items() if name in todo})
            )
            values = Values(
                request=request, groups=groups, tiers=_tiers(todo), baselines=before,
                force=preflight is not None and preflight.force,
            )  # fmt: skip
            _write_down(progress, kind, todo, values)
            rollout = Rollout(
                session=session, request=request, planner=planner, groups=groups, plans=plans,
                todo={*todo, *late}, results=reports, verbose=options.verbose, history=history, progress=progress,
                observe=observe, watch=Watch(session, before),
            )  # fmt: skip
            end = finished(rollout, carry_out)
    reports = {host.name: reports[host.name] for host in session.hosts}
    code = Exit.LOCKED if locked else exit_code(reports, end.status)
    code = of_known_hosts(Exit.FAILED if checked.has_failed else code)
    tell(command or kind, session, request, options, code, plans, reports, seen, waves, end, network, notes, checked)
    return code


def _write_down(progress: Progress, kind: str, todo: Mapping[str, Plan], values: Values) -> None:
    """Writes a rollout down before anything is touched; of a way back, as well as that can be done."""
    records, request = progress.records, progress.request
    with records.best_effort(kind == "rollback"):
        records.add(as_entry(request, kind, todo), as_host_entries(request, progress.plans, progress.results))
        if kind != "heal":
            status = RolloutStatus.ROLLED_BACK if kind == "rollback" else RolloutStatus.SUPERSEDED
            records.end_rollouts(request.fleet, status, f"by release {request.id}")
        if not progress.is_one:
            progress.begin(values)


def tell(
    kind: str,
    session: FleetSession,
    request: Request,
    options: RolloutOptions,
    code: Exit,
    plans: Plans,
    reports: Mapping[str, HostResult],
    seen: Mapping[str, State | HostError],
    waves: Waves,
    end: End,
    network: NetworkWatch | None,
    notes: Iterable[str] = (),
    checked: Preflight | None = None,
) -> None:
    """Tells people, or scripts, how a rollout ended, and then whether the network of its hosts is as it was before."""
    if network:
        network.end([name for name, report in reports.items() if report.outcome.was_tried])
    models = {name: model_now(name, report, seen[name]) for name, report in reports.items()}
    if options.as_json:
        found = _network_told(network, kind, session, request)
        roles = {host.name: host.role for host in session.hosts}
        facts = {
            "release": request.id,
            "dry_run": options.dry_run,
            "notes": list(notes),
            "waves": [list(wave) for wave in waves],
            "status": None if options.dry_run else end.status,
            "why": end.why or None,
            "models": Counter(filter(None, models.values())),
            "hosts": as_json(reports, plans, roles, checked.checks if checked else None, found),
        }
        # The last line of those that told what happened.
        emit_json(kind, session.fleet.name, code, facts, indent=None)
    elif options.dry_run:
        out.print(f"{escape(checked.name if checked else 'Dry run')}: nothing was changed.")
    elif waves:
        # Whoever sees both streams has read the line of each already.
        told = {name for wave in waves for name in wave} if err.is_terminal and out.is_terminal else ()
        show_reports(reports, options.verbose, request.id, on_models(models.values(), session.fleet), told)
        show_end(end.status, end.why)
        show_network(_network_told(network, kind, session, request))
        show_next(next_steps(kind, reports, request.id, end.status))


def _network_told(network: NetworkWatch | None, kind: str, session: FleetSession, request: Request) -> Found:
    """What was other in the network after a rollout, once that is written down, and told those whom fleet.yml names."""
    found = network.findings() if network else {}
    # What a rollout that is gone on with found earlier may be put right by now.
    if not any(found.values()) and kind != "resume":
        return found
    with best_effort(), open_records(session.fleet, needed=False) as records:
        records.add_network(request.id, as_network_entries(request, found))
    changes = {name: [finding for finding in findings if finding.is_drift] for name, findings in found.items()}
    if kind in NOTIFIED and (hosts := [name for name in found if changes[name]]):
        texts = dict.fromkeys(str(finding) for name in hosts for finding in changes[name])
        subject = f"jada: {session.fleet.name}: the network of {named(hosts)} changed during rollout {request.id}"
        notices.tell(session.fleet, subject, "; ".join(texts))
    return found


@contextmanager
def opened(
    session: FleetSession, request: Request, kind: str, board: Board, records: Records | None = None
) -> Iterator[tuple[FleetSession, Records]]:
    """The session and the record, opened, while hosts are changed: nobody else changes the fleet under its rollout
    lease, and Ctrl-C ends it gently.
    """
    # The way back needs no record and no lock of this machine; a rollout that is under way comes to its end by it.
    needed = kind != "rollback"
    force = request.force or (not needed and records is not None and _is_in_waves(records, request.fleet))
    with (
        leased(session, holder_for(request, kind), needed, force) as under_lease,
        signals.held(lambda: err.print(f"[yellow]Stopping[/]: {escape(board.on_ctrl_c())}")),
        nullcontext(records) if records else open_records(session.fleet, needed) as record,
    ):
        yield under_lease, record


def finished(rollout: Rollout, act: Callable[[Rollout], End]) -> End:
    """Carries a rollout out by `act` and gives its end; whatever that is, what is known of hosts by then is written
    down.
    """
    rollout.observe(Event(kind=Kind.BEGIN, waves=rollout.waves))
    for name in rollout.touched(len(rollout.waves) - 1):
        # Of one that is gone on with.
        if name not in rollout.todo:
            rollout.observe(host_end(name, rollout.results[name]))
    end = End(RolloutStatus.PAUSED, "it was cut off")
    try:
        end = act(rollout)
    finally:
        rollout.progress.end(end.status, end.why)
    code = exit_code(rollout.results, end.status)
    rollout.observe(Event(kind=Kind.END, status=end.status, exit=code, why=end.why))
    remember_answers(rollout.session, {name: result.state for name, result in rollout.results.items() if result.state})
    if not rollout.progress.is_one:
        _notify(rollout, end)
    return end


def _notify(rollout: Rollout, end: End) -> None:
    """Tells those whom fleet.yml names how a rollout in waves ended."""
    fleet, request = rollout.session.fleet, rollout.request
    subject = f"jada: {fleet.name}: rollout {request.id} is {end.status.label}"
    decide = f". To decide: {DECIDE}" if end.status is RolloutStatus.PAUSED else ""
    why = f" because {end.why}" if end.why else ""
    notices.tell(fleet, subject, f"By {request.who}, {request.reason or 'no reason given'}{why}{decide}")


def _is_in_waves(records: Records, fleet: str) -> bool:
    """True if a rollout of the fleet is open, as far as the record can be read."""
    entries: list[RolloutEntry] = []
    with best_effort():
        entries = records.rollouts(fleet, 1)
    return any(entry.is_open for entry in entries)


def _tiers(todo: Mapping[str, Plan]) -> dict[str, Tiers]:
    return {name: plan.transaction.release.desired.tiers for name, plan in todo.items() if plan.transaction}


def _locked(seen: Mapping[str, State | HostError], request: Request, kind: str) -> LockedError | None:
    """The error where people's locks on these hosts stop a rollout; where it is forced, that they don't is told."""
    locks = grouped((state.operator_lock, name) for name, state in HostResults(seen).ok.items() if state.operator_lock)
    if not locks:
        return None
    holders = local_times("; ".join(f"{named(names)} by {by}" for by, names in sorted(locks.items())))
    if not request.force:
        forced = ", or in an incident: jada rollback --force" if kind == "rollback" else ""
        return LockedError(f"{request.fleet} is locked: {holders}", f"jada unlock{forced}")
    err.print(f"[yellow]Locked[/] {escape(holders)}; going on because of --force")
    return None
