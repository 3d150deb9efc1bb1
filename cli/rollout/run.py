"""A rollout: plans are shown, agreed to, carried out side by side, and the hosts looked at once more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext

from jada import Exit, HostError
from jada.cli import signals
from jada.cli.drift.asking import remember_answers
from jada.cli.records.model import HostOutcome
from jada.cli.records.sqlite import Records, best_effort, open_records
from jada.cli.results import HostResults, judge_each
from jada.cli.rollout.apply import Planner, apply_all
from jada.cli.rollout.as_json import as_json
from jada.cli.rollout.confirm import agree
from jada.cli.rollout.exclusive import LockedError, exclusive_rollout
from jada.cli.rollout.options import RolloutOptions
from jada.cli.rollout.outcome import HostResult, Plans, exit_code, model_now, without_change
from jada.cli.rollout.preflight import ask_first
from jada.cli.rollout.record import as_entry, as_host_entries
from jada.cli.rollout.show import on_models, show_plan, show_reports
from jada.cli.session import FleetSession
from jada.cli.ui.console import emit_json, err, escape, grouped, named, out
from jada.tasks.plan import Request
from jada.tasks.state import State


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
) -> Exit:
    """Looks at every host unless that was done just now (`seen`), shows the plan with what there is to say `about` it
    as a whole, carries it out once it was agreed to, and records what happened, in `records` if they are open already.
    """
    goes_on = options.yes and not options.dry_run and not session.engine.service.asks_first
    seen = seen or session.look(history=history, goes_on=goes_on)
    locked = _locked(seen, request, kind)
    if locked and not options.dry_run:
        raise locked
    plans = ask_first(session, judge_each(seen, planner), options.dry_run)
    todo = {name: plan for name, plan in plans.ok.items() if plan.transaction}
    notes = tuple(about(plans))
    if locked:
        notes = (*notes, f"{locked.message}: that would stop this here. To go on: {locked.hint}")
    if not options.as_json:
        show_plan(title, plans, notes)
    if not options.dry_run and todo and agree(session.fleet, todo, options):
        session = session.with_new_deadline()
    reports = {name: without_change(plan) for name, plan in plans.items() if name not in todo}
    if options.dry_run:
        reports |= {name: HostResult(HostOutcome.PLANNED, notes=plan.notes) for name, plan in todo.items()}
    elif any(report.outcome is not HostOutcome.UNCHANGED for report in reports.values()) or todo:
        # The way back needs no record and no lock of this machine.
        needed = kind != "rollback"
        with (
            signals.held(_tell_stopping),
            exclusive_rollout(session.fleet.name, request.holder, needed, request.force),
            nullcontext(records) if records else open_records(needed) as record,
        ):
            reports |= dict.fromkeys(todo, HostResult(HostOutcome.IN_PROGRESS))
            with best_effort(not needed):
                record.add(as_entry(request, kind, todo), as_host_entries(request, plans, reports))
            try:
                apply_all(session, todo, planner, history, options.verbose, reports)
            finally:
                # However it ends here, what is known of hosts by then is written down, or told if it can't be.
                with best_effort():
                    record.update(as_host_entries(request, plans, reports))
        remember_answers(session, {name: report.state for name, report in reports.items() if report.state})
    reports = {host.name: reports[host.name] for host in session.hosts}
    code = Exit.LOCKED if locked else exit_code(reports)
    models = {name: model_now(name, report, seen[name]) for name, report in reports.items()}
    if options.as_json:
        rows = as_json(reports, plans, {host.name: host.role for host in session.hosts})
        counts = Counter(filter(None, models.values()))
        facts = {"release": request.id, "dry_run": options.dry_run, "notes": list(notes)}
        emit_json(kind, session.fleet.name, code, {**facts, "models": counts, "hosts": rows})
    elif options.dry_run:
        out.print("Dry run: nothing was changed.")
    elif todo:
        show_reports(reports, options.verbose, request.id, on_models(models.values(), session.fleet))
    return code


def _tell_stopping() -> None:
    err.print(
        "[yellow]Stopping[/]: no other host is begun, those under way end first. Ctrl-C again leaves at once; they "
        "then finish or undo the change by themselves."
    )


def _locked(seen: Mapping[str, State | HostError], request: Request, kind: str) -> LockedError | None:
    """The error where people's locks on these hosts stop a rollout; where it is forced, that they don't is told."""
    locks = grouped((state.operator_lock, name) for name, state in HostResults(seen).ok.items() if state.operator_lock)
    if not locks:
        return None
    holders = "; ".join(f"{named(names)} by {by}" for by, names in sorted(locks.items()))
    if not request.force:
        forced = ", or in an incident: jada rollback --force" if kind == "rollback" else ""
        return LockedError(f"{request.fleet} is locked: {holders}", f"jada unlock{forced}")
    err.print(f"[yellow]Locked[/] {escape(holders)}; going on because of --force")
    return None
