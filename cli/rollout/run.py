"""From plans to hosts that run them: shown, agreed to, carried out side by side, and looked at once more."""

from __future__ import annotations

import shlex
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import click

from jada import Exit, HostError, UnforeseenError, attempt
from jada.cli import signals
from jada.cli.records.model import REDO, Entry, HostEntry, HostOutcome
from jada.cli.records.sqlite import Records, open_records, told_only
from jada.cli.rollout.exclusive import LockedError, alone
from jada.cli.rollout.options import How
from jada.cli.session import NotBegunError, Opened, each_judged, worst
from jada.cli.ui.ask import confirm
from jada.cli.ui.console import all_visible, emit_json, err, escape, named, out, plural, print_diff, visible
from jada.cli.ui.findings import finding_as_json
from jada.tasks import checks, codes
from jada.tasks.checks import Finding
from jada.tasks.plan import Plan, Request
from jada.tasks.release import RELEASES
from jada.tasks.settings import Member, SettingsError, members
from jada.tasks.state import State
from jada.tasks.transaction import Outcome, Result

if TYPE_CHECKING:
    from jada.inventory.fleet.config import Fleet
    from jada.tasks.engine import Connection

K = TypeVar("K")
V = TypeVar("V")
Plans = Mapping[str, Plan | HostError]
Planner = Callable[[str, State], Plan]


# Of these, the end of the service's journal tells more.
FAILED_THERE = (HostOutcome.ROLLED_BACK, HostOutcome.ROLLBACK_FAILED)
OUTCOMES = {
    Result.RESTORED: HostOutcome.ROLLED_BACK,
    Result.RECOVERED: HostOutcome.ROLLED_BACK,
    Result.BROKEN: HostOutcome.ROLLBACK_FAILED,
    Result.REFUSED: HostOutcome.REJECTED,
    Result.LOCKED: HostOutcome.LOCKED,
}


@dataclass(frozen=True, slots=True)
class Report:
    """One host's part in a rollout. `state` is what the last look saw, if there was one."""

    outcome: HostOutcome
    detail: str = ""
    state: State | None = None
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    log: tuple[str, ...] = ()


def roll_out(
    opened: Opened,
    request: Request,
    planner: Planner,
    *,
    kind: str,
    title: str,
    how: How,
    history: bool = False,
    seen: Mapping[str, State | HostError] | None = None,
    about: Callable[[Plans], Iterable[str]] = lambda _: (),
    records: Records | None = None,
) -> Exit:
    """Looks at every host unless that was done just now (`seen`), shows the plan with what there is to say `about` it
    as a whole, carries it out once it was agreed to, and records what happened, in `records` if they are open already.
    """
    seen = seen or opened.look(history=history, goes_on=how.yes and not how.dry_run)
    locked = _locked(seen, request, kind)
    if locked and not how.dry_run:
        raise locked
    plans = each_judged(seen, planner)
    todo = {name: plan for name, plan in plans.items() if isinstance(plan, Plan) and plan.transaction}
    notes = tuple(about(plans))
    if locked:
        notes = (*notes, f"{locked.message}: that would stop this here. To go on: {locked.hint}")
    if not how.as_json:
        show_plan(title, plans, notes)
    if not how.dry_run and todo and _agree(opened.fleet, todo, how):
        opened = opened.begun_anew()
    reports = {name: _without_change(plan) for name, plan in plans.items() if name not in todo}
    if how.dry_run:
        reports |= {name: Report(HostOutcome.PLANNED, notes=plan.notes) for name, plan in todo.items()}
    elif any(report.outcome is not HostOutcome.UNCHANGED for report in reports.values()) or todo:
        # The way back needs no record and no lock of this machine.
        needed = kind != "rollback"
        with (
            signals.held(_tell_stopping),
            alone(opened.fleet.name, request.holder, needed, request.force),
            nullcontext(records) if records else open_records(needed) as record,
        ):
            reports |= dict.fromkeys(todo, Report(HostOutcome.IN_PROGRESS))
            with told_only(not needed):
                record.add(_entry(request, kind, todo), _host_entries(request, plans, reports))
            try:
                _carry_out(opened, todo, planner, history, how.verbose, reports)
            finally:
                # However it ends here, what is known of hosts by then is written down, or told if it can't be.
                with told_only():
                    record.update(_host_entries(request, plans, reports))
    reports = {host.name: reports[host.name] for host in opened.hosts}
    code = Exit.LOCKED if locked else _exit(reports)
    models = {name: _runs(name, report, seen[name]) for name, report in reports.items()}
    if how.as_json:
        rows = _as_json(reports, plans)
        counts = Counter(filter(None, models.values()))
        facts = {"release": request.id, "dry_run": how.dry_run, "exit": int(code), "notes": list(notes)}
        emit_json(kind, {**facts, "models": counts, "hosts": rows})
    elif how.dry_run:
        out.print("Dry run: nothing was changed.")
    elif todo:
        show_reports(reports, how.verbose, request.id, on_models(models.values(), opened.fleet))
    return code


def _exit(reports: Mapping[str, Report]) -> Exit:
    """One code for all: that hosts were not begun because of Ctrl-C comes first, whatever became of the others."""
    outcomes = {report.outcome for report in reports.values()}
    if signals.stopped() and HostOutcome.NOT_STARTED in outcomes:
        return Exit.STOPPED
    return worst({outcome.exit for outcome in outcomes})


def _tell_stopping() -> None:
    err.print(
        "[yellow]Stopping[/]: no other host is begun, those under way end first. Ctrl-C again leaves at once; they "
        "then finish or undo the change by themselves."
    )


def show_plan(title: str, plans: Plans, notes: Iterable[str] = ()) -> None:
    """Prints each distinct change once, with the hosts it is for, then what can't be or needn't be changed."""
    out.print(f"[bold]{escape(title)}[/]")
    for note in notes:
        out.print(f"\n  [yellow]Note[/] {escape(note)}")
    made = {name: plan for name, plan in plans.items() if isinstance(plan, Plan)}
    usable = {name: plan for name, plan in made.items() if not (plan.refusal or plan.lock)}
    _show_changes(usable)
    for why, names in _grouped((plan.idle, name) for name, plan in usable.items() if not plan.transaction).items():
        told = f"Nothing to do on {plural(len(names), 'host')}: {', '.join(names)}{f' ({why})' if why else ''}"
        out.print(f"\n  {escape(told)}")
    for note, names in _grouped((note, name) for name, plan in usable.items() for note in plan.notes).items():
        out.print(f"\n  [yellow]Note[/] {escape(note)} ({escape(named(names))})")
    for plan in plans.values():
        if isinstance(plan, HostError):
            out.print(f"\n  [red]Unreachable[/] {escape(plan.message)}")
    for why, names in _grouped((plan.refusal, name) for name, plan in made.items() if plan.refusal).items():
        out.print(f"\n  [red]Refused[/] {escape(', '.join(names))}: {escape(why)}")
    for by, names in _grouped((plan.lock, name) for name, plan in made.items() if plan.lock).items():
        out.print(f"\n  [red]Locked[/] {escape(', '.join(names))} by {escape(by)}")
    out.print()


def show_reports(reports: Mapping[str, Report], verbose: bool, release: str, models: str) -> None:
    """Prints one line for each host, with what was seen running, and a line that counts them and their models."""
    for name, report in reports.items():
        lines = attempt(name, partial(_lines, name, report, verbose, release), "show what it saw there")
        if isinstance(lines, HostError):
            lines = [f"{report.outcome.label}: {escape(lines.message)}"]
        mark = "[green]✓[/]" if report.outcome.ok else "[red]✗[/]"
        out.print(f"{mark} [bold]{escape(name)}[/] " + "\n".join(lines))
    counts = {one: sum(report.outcome is one for report in reports.values()) for one in HostOutcome}
    told = ", ".join(f"{count} {outcome.label}" for outcome, count in counts.items() if count)
    out.print(f"\n{plural(len(reports), 'host')}: {told}; {escape(models)}.")
    if broken := [name for name, report in reports.items() if report.outcome is HostOutcome.ROLLBACK_FAILED]:
        out.print(f"[red]Needs you[/]: {escape(named(broken))}")


def on_models(models: Iterable[str], fleet: Fleet) -> str:
    """How many hosts are on which model, by its short name: "3 on opus-5, 1 on sonnet-4.6"."""
    from jada.inventory.models import catalogue

    short = {model.id: model.name for model in catalogue(fleet.models)}
    counts = Counter(short.get(model, model) or "a model that is not known" for model in models)
    return ", ".join(f"{count} on {model}" for model, count in counts.most_common())


def _lines(name: str, report: Report, verbose: bool, release: str) -> list[str]:
    told = _seen_running(report.state) if report.outcome.ok and report.state else report.detail
    outcome = _rolled_back(report) if report.outcome is HostOutcome.ROLLED_BACK else report.outcome.label
    return [
        f"{escape(outcome)}: {escape(told)}" if told else escape(outcome),
        *(f"    {escape(str(finding))}" for finding in report.findings),
        *(_log(name, report.log, release) if report.outcome in FAILED_THERE else ()),
        *(_evidence(report.state) if verbose and report.state else ()),
    ]


def _rolled_back(report: Report) -> str:
    model = checks.running_model(report.state) if report.state else ""
    return f"failed, rolled back and runs {f'{model} again' if model else 'again'}"


def _log(name: str, log: Iterable[str], release: str) -> Iterator[str]:
    more = escape(f"jada logs {shlex.quote(name)}")
    if lines := [f"      {escape(line)}" for line in log]:
        yield f"    The end of that start's journal, with secrets masked; more: {more}"
        yield from lines
    yield f"    What was done there, step by step: {escape(f'{RELEASES}/{release}/log')}"


def _runs(name: str, report: Report, seen: State | HostError) -> str:
    """The model a host runs by the last look at it, "" where that is not known."""
    before = seen if isinstance(seen, State) and report.outcome.is_untouched else None
    return _running(name, replace(report, state=report.state or before))


def _show_changes(plans: Mapping[str, Plan]) -> None:
    """Changes of the same hosts stand together under one heading."""
    hosts_of = _grouped((diff, name) for name, plan in plans.items() for diff in plan.diff)
    for hosts, diffs in _grouped((tuple(names), diff) for diff, names in hosts_of.items()).items():
        out.print(f"\n  [bold]{plural(len(hosts), 'host')}[/]: {escape(', '.join(hosts))}")
        for diff in diffs:
            print_diff(diff)


def _grouped(pairs: Iterable[tuple[K, V]]) -> dict[K, list[V]]:
    groups: dict[K, list[V]] = defaultdict(list)
    for key, value in pairs:
        groups[key].append(value)
    return groups


def _carry_out(
    opened: Opened,
    todo: Mapping[str, Plan],
    planner: Planner,
    history: bool,
    evidence: bool,
    reports: dict[str, Report],
) -> None:
    """Changes the hosts, and puts into `reports` how it ended for each as soon as it has."""

    def change(name: str, connection: Connection) -> Report:
        began = time.monotonic()
        plan = todo[name]
        _stop_here(name)
        told = _apply(name, connection, plan, evidence)
        if isinstance(told, Outcome) and told.result is Result.RECOVERED:
            # The host was put back from an earlier, unfinished change: the plan was made for the half-changed host.
            plan = planner(name, connection.look(history))
            _stop_here(name)
            if plan.refusal or plan.lock:
                return _without_change(plan)
            done = Outcome(Result.DONE, "", ())
            told = _apply(name, connection, plan, evidence) if plan.transaction else done
        report = _judge(name, connection, plan, told, evidence)
        return replace(report, notes=plan.notes, seconds=round(time.monotonic() - began, 3))

    def keep(name: str, connection: Connection) -> Report:
        reports[name] = change(name, connection)
        return reports[name]

    done = opened.visit("Changing hosts", todo, keep) if todo else {}
    reports.update({name: _without_change(one) if isinstance(one, HostError) else one for name, one in done.items()})


def _stop_here(name: str) -> None:
    if signals.stopped():
        raise NotBegunError(f"{name} was not begun: jada was told to stop")


def _apply(name: str, connection: Connection, plan: Plan, evidence: bool) -> Outcome | HostError:
    """What came of the change; an error when nobody knows. Raises HostError where that is sure to be nothing."""
    transaction = plan.transaction
    assert transaction is not None  # noqa: S101 - for the type checker
    told = attempt(name, lambda: connection.apply(transaction, evidence), "tell how its change ended")
    if isinstance(told, HostError) and not isinstance(told, UnforeseenError):
        raise told
    return told


def _judge(name: str, connection: Connection, plan: Plan, told: Outcome | HostError, evidence: bool) -> Report:
    """A transaction that says "done" is believed only after a look, which tells too where nothing was said."""
    if isinstance(told, HostError):
        connection.close()
        report = _judge(name, connection, plan, Outcome(Result.DONE, "", ()), evidence)
        return report if report.outcome is HostOutcome.VERIFIED else replace(report, detail=told.message)
    if OUTCOMES.get(told.result) is HostOutcome.ROLLED_BACK:
        return _judge_restored(name, connection, plan, told, evidence)
    if told.result is not Result.DONE:
        reason = f"by {told.reason}" if told.result is Result.LOCKED else told.reason
        return Report(OUTCOMES[told.result], reason, log=told.log)
    look = partial(connection.look, evidence=evidence)
    seen: State | HostError = told.seen if told.seen else attempt(name, look, "look at it again")
    judged = each_judged({name: seen}, lambda _, state: (state, _found(plan, state)))[name]
    if isinstance(judged, HostError):
        return Report(HostOutcome.UNPROVEN, f"the host says that it is done, but {judged.message}")
    state, found = judged
    if any(finding.is_error for finding in found):
        why = "what runs is not known" if state.unseen and not state.told else "what runs is not what was asked for"
        return Report(HostOutcome.UNPROVEN, why, state, found)
    return Report(HostOutcome.VERIFIED, state=state, findings=found)


def _judge_restored(name: str, connection: Connection, plan: Plan, told: Outcome, evidence: bool) -> Report:
    """A host that went back is looked at and judged like any other: what it ran before may crash too."""
    seen = attempt(name, partial(connection.look, evidence=evidence), "look at it again")
    judged = each_judged({name: seen}, lambda _, state: (state, _not_running(plan, state)))[name]
    if isinstance(judged, HostError):
        detail = f"{told.reason}; it says that it rolled back, but {judged.message}"
        return Report(HostOutcome.ROLLBACK_FAILED, detail, log=told.log)
    state, found = judged
    if found:
        detail = f"rolled back, but it does NOT run. {told.reason}"
        return Report(HostOutcome.ROLLBACK_FAILED, detail, state, found, log=told.log)
    return Report(HostOutcome.ROLLED_BACK, told.reason, state, log=told.log)


def _not_running(plan: Plan, state: State) -> tuple[Finding, ...]:
    """Why a service does not run as it did before the change; what was wrong with its files then is no news."""
    before = plan.transaction.state if plan.transaction else state
    was_stopped = before.unit.active in ("inactive", "failed")
    news = checks.NOT_RUNNING - {codes.SERVICE_NOT_RUNNING} if was_stopped else checks.NOT_RUNNING
    known = {finding.kind for finding in checks.drift(before)} - news
    found = [one for one in checks.drift(state) if one.is_error and one.kind not in known]
    if state.release is None:
        found += checks.unanswered(state)
    return tuple(found)


def _found(plan: Plan, state: State) -> tuple[Finding, ...]:
    found = checks.drift(state)
    wanted = plan.transaction.release.id if plan.transaction else None
    if wanted and (state.release is None or state.release.id != wanted):
        seen = state.release.id if state.release else "none"
        return (Finding.of(codes.OTHER_RELEASE, wanted, seen), *found)
    return found


def _without_change(plan: Plan | HostError) -> Report:
    if isinstance(plan, HostError):
        outcome = HostOutcome.NOT_STARTED if isinstance(plan, NotBegunError) else HostOutcome.UNREACHABLE
        return Report(outcome, f"{plan.message}; {plan.hint}" if plan.hint else plan.message)
    if plan.lock:
        return Report(HostOutcome.LOCKED, f"by {plan.lock}")
    if plan.refusal:
        return Report(HostOutcome.REJECTED, plan.refusal)
    return Report(HostOutcome.UNCHANGED, plan.idle or "it runs what was asked for already", notes=plan.notes)


def _locked(seen: Mapping[str, State | HostError], request: Request, kind: str) -> LockedError | None:
    """Why people's locks on these hosts stop a rollout, if they do; where it is forced, that they don't is told."""
    held = _grouped((state.held, name) for name, state in seen.items() if isinstance(state, State) and state.held)
    if not held:
        return None
    told = "; ".join(f"{named(names)} by {by}" for by, names in sorted(held.items()))
    if not request.force:
        forced = ", or in an incident: jada rollback --force" if kind == "rollback" else ""
        return LockedError(f"{request.fleet} is locked: {told}", f"jada unlock{forced}")
    err.print(f"[yellow]Locked[/] {escape(told)}; going on because of --force")
    return None


def _entry(request: Request, kind: str, todo: Mapping[str, Plan]) -> Entry:
    transactions = [plan.transaction for plan in todo.values() if plan.transaction]
    models = {one.release.wanted.model for one in transactions}
    model = models.pop() if len(models) == 1 else ""
    # A change that was cut off is undone first, whatever comes then.
    forward = {bool(one.release.redoes) for one in transactions if not one.state.interrupted}
    return Entry(
        id=request.id,
        fleet=request.fleet,
        kind=REDO if forward == {True} else kind,
        at=request.at,
        who=request.who,
        reason=request.reason,
        model=model,
    )


def _host_entries(
    request: Request, plans: Mapping[str, Plan | HostError], reports: Mapping[str, Report]
) -> list[HostEntry]:
    entries = []
    for name, report in reports.items():
        plan = plans[name]
        before = plan.transaction.state.settings.model if isinstance(plan, Plan) and plan.transaction else ""
        entry = HostEntry(
            release=request.id,
            host=name,
            outcome=report.outcome,
            detail=report.detail,
            model_before=before,
            model_after=_running(name, report),
            seconds=report.seconds,
        )
        entries.append(all_visible(entry))
    return entries


def _running(name: str, report: Report) -> str:
    state = report.state
    model = attempt(name, lambda: checks.running_model(state)) if state else ""
    return "" if isinstance(model, HostError) else model


def question(fleet: Fleet, todo: Mapping[str, Plan]) -> str:
    """What is asked before hosts are changed: what it will do to how many of them. Pure."""
    from jada.inventory import models

    names = {model.id: model.name for model in models.catalogue(fleet.models)}
    made = [plan.transaction.release for plan in todo.values() if plan.transaction]

    def told(ids: Iterable[str]) -> str:
        return visible(" and ".join(sorted({names.get(one, one) or "no model of their own" for one in ids})))

    before, after = told(one.before.model for one in made), told(one.wanted.model for one in made)
    what = f"from {before} to {after}" if before != after else f"(the model stays {after})"
    agents = "restart its agent" if len(todo) == 1 else "restart their agents"
    return f"Change {plural(len(todo), 'host')} of {visible(fleet.name)} {what} and {agents}?"


def _agree(fleet: Fleet, todo: Mapping[str, Plan], how: How) -> bool:
    """Goes on where somebody said so; True where that was asked for here. Raises click.Abort, click.UsageError."""
    if how.yes:
        return False
    if how.as_json or not sys.stdin.isatty():
        raise click.UsageError("there is no terminal to ask at: add --yes to go on, or --dry-run to look only")
    confirm(question(fleet, todo))
    return True


def _seen_running(state: State) -> str:
    process = state.process
    if process is None:
        return "no process"
    model = checks.running_model(state) or "model unknown"
    asked_by = "health check" if state.health.model else "probe"
    how = f"says its {asked_by}" if state.told else f"in {state.settings.path}, older than the process"
    age = max(0, state.now - process.started)
    return f"runs {model} ({how}); pid {process.pid}, {state.unit.active} for {age:.0f} s; open files {process.soft}"


def _evidence(state: State) -> Iterator[str]:
    yield f"    $ grep -n '\"model\"' {escape(state.settings.path)}"
    for line in model_lines(state.settings.text or ""):
        yield f"      {escape(line)}"
    yield f"    $ systemctl status {escape(state.unit.name)}"
    for line in state.unit.status.splitlines():
        yield f"      {escape(line.strip())}"


def model_lines(text: str) -> list[str]:
    """The lines of a settings file that name its model, with their numbers, and of each no more than that."""
    try:
        found = [one for one in members(text) if one.key == "model"] if text else []
    except SettingsError:
        # Which key is whose can't be told, nor what of such a line may be shown.
        return []
    return [_model_line(text, one) for one in found]


def _model_line(text: str, model: Member) -> str:
    rest = text[model.end :].partition("\n")[0].strip()
    begun = text[: model.key_start].rpartition("\n")[2].strip()
    value = text[model.key_start : model.end] if isinstance(model.value, str) else '"model": …'
    number = text.count("\n", 0, model.key_start) + 1
    return f"{number}:{'… ' if begun else ''}{value}{rest if rest in ('', ',') else ' …'}"


def _as_json(reports: Mapping[str, Report], plans: Mapping[str, Plan | HostError]) -> list[dict[str, Any]]:
    rows = []
    for name, report in reports.items():
        plan = plans[name]
        state = report.state
        made = plan.transaction.release if isinstance(plan, Plan) and plan.transaction else None
        rows.append(
            {
                "host": name,
                "outcome": report.outcome,
                "detail": report.detail,
                "model_before": made.before.model if made else None,
                "model_wanted": made.wanted.model if made else None,
                "model_running": _running(name, report) if state else None,
                "open_files": state.process.soft if state and state.process else None,
                "findings": [finding_as_json(finding, name) for finding in report.findings],
                "notes": list(report.notes),
                "seconds": report.seconds,
                "log": list(report.log),
            }
        )
    return rows
