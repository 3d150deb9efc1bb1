"""A rollout for people: its plan as a diff, and the result of each host with what was seen there."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING

from jada import HostError, attempt
from jada.cli.records.model import HostOutcome, RolloutStatus
from jada.cli.results import HostResults
from jada.cli.rollout.outcome import HostResult, Plans, in_short
from jada.cli.ui.console import escape, grouped, named, out, plural, print_diff, since
from jada.cli.ui.costs import cost_lines, total_line
from jada.tasks import checks
from jada.tasks.checks import Finding
from jada.tasks.paths import RELEASES
from jada.tasks.plan import Plan
from jada.tasks.preflight import PreflightCheck, Verdict
from jada.tasks.settings import Member, SettingsError, top_level_members
from jada.tasks.state import State

if TYPE_CHECKING:
    from jada.inventory.fleet.config import Fleet

# Of these, the end of the service's journal tells more.
MARKS = {Verdict.PASSED: "[green]✓[/]", Verdict.FAILED: "[red]✗[/]", Verdict.UNKNOWN: "[yellow]not known[/]"}
FAILED_THERE = (HostOutcome.ROLLED_BACK, HostOutcome.ROLLBACK_FAILED)


def show_plan(
    title: str,
    plans: Plans,
    notes: Iterable[str] = (),
    waves: str = "",
    checks: Mapping[str, Iterable[PreflightCheck]] = MappingProxyType({}),
) -> None:
    """Prints each distinct change once, with the hosts it is for, then what can't be or needn't be changed, the waves
    in which the hosts follow, and the results of the `checks` before it.
    """
    out.print(f"[bold]{escape(title)}[/]")
    for note in notes:
        out.print(f"\n  [yellow]Note[/] {escape(note)}")
    planned = HostResults(plans).ok
    usable = {name: plan for name, plan in planned.items() if not (plan.refusal or plan.lock)}
    _show_changes(usable)
    for why, names in grouped((plan.idle, name) for name, plan in usable.items() if not plan.transaction).items():
        text = f"Nothing to do on {plural(len(names), 'host')}: {', '.join(names)}{f' ({why})' if why else ''}"
        out.print(f"\n  {escape(text)}")
    for price, names in grouped(
        (text, name) for name, plan in usable.items() for text in cost_lines(plan.costs)
    ).items():
        out.print(f"\n  [bold]Price[/] {escape(price)} ({escape(named(names))})")
    if total := total_line(plan.costs for plan in usable.values()):
        out.print(f"\n  [bold]Price[/] {escape(total)}")
    for note, names in grouped((note, name) for name, plan in usable.items() for note in plan.notes).items():
        out.print(f"\n  [yellow]Note[/] {escape(note)} ({escape(named(names))})")
    for error in HostResults(plans).failed.values():
        out.print(f"\n  [red]Unreachable[/] {escape(error.message)}")
    for why, names in grouped((plan.refusal, name) for name, plan in planned.items() if plan.refusal).items():
        out.print(f"\n  [red]Refused[/] {escape(', '.join(names))}: {escape(why)}")
    for by, names in grouped((plan.lock, name) for name, plan in planned.items() if plan.lock).items():
        out.print(f"\n  [red]Locked[/] {escape(', '.join(names))} by {escape(by)}")
    if waves:
        out.print(f"\n  {escape(waves)}")
    out.print()
    _show_checks(checks)


def host_line(name: str, is_ok: bool, text: str) -> str:
    """The line that a host's turn leaves, as markup."""
    return f"{'[green]✓[/]' if is_ok else '[red]✗[/]'} [bold]{escape(name)}[/] {escape(text)}"


def show_reports(
    reports: Mapping[str, HostResult], verbose: bool, release: str, models: str, told: Collection[str] = ()
) -> None:
    """Prints one line for each host, with what was seen running, and a line that counts them and their models. Of hosts
    whose line was `told` as it came, only those with more to say have it again.
    """
    for name, report in reports.items():
        more = attempt(name, partial(_more, name, report, verbose, release), "show what it saw there")
        lines = [f"    {escape(more.message)}"] if isinstance(more, HostError) else more
        if lines or not report.outcome.ok or name not in told:
            out.print("\n".join((host_line(name, report.outcome.ok, in_short(name, report)), *lines)))
    counts = {outcome: sum(report.outcome is outcome for report in reports.values()) for outcome in HostOutcome}
    tally = ", ".join(f"{count} {outcome.label}" for outcome, count in counts.items() if count)
    out.print(f"\n{plural(len(reports), 'host')}: {tally}; {escape(models)}.")
    if broken := [name for name, report in reports.items() if report.outcome is HostOutcome.ROLLBACK_FAILED]:
        out.print(f"[red]Needs you[/]: {escape(named(broken))}")


def show_end(status: RolloutStatus, why: str) -> None:
    """Prints why a rollout did not come to its end, where it did not."""
    if why:
        out.print(f"The rollout is {escape(status.label)}: {escape(why)}.")


def show_network(found: Mapping[str, Iterable[Finding]]) -> None:
    """Prints each thing in which the network of hosts is not as before, or not known to be, once, with its hosts."""
    for finding, names in grouped((finding, name) for name, findings in found.items() for finding in findings).items():
        mark = "[yellow]Network[/]" if finding.is_drift else "[dim]Network[/]"
        out.print(f"{mark} {escape(str(finding))} ({escape(named(names))})")


def on_models(models: Iterable[str], fleet: Fleet) -> str:
    """The number of hosts on each model, by its short name: "3 on opus-5, 1 on sonnet-4.6"."""
    from jada.inventory.models import catalogue

    short = {model.id: model.name for model in catalogue(fleet.models)}
    counts = Counter(short.get(model, model) or "a model that is not known" for model in models)
    return ", ".join(f"{count} on {model}" for model, count in counts.most_common())


def _show_changes(plans: Mapping[str, Plan]) -> None:
    """Prints changes, those of the same hosts together under one heading."""
    hosts_of = grouped((diff, name) for name, plan in plans.items() for diff in plan.diff)
    for hosts, diffs in grouped((tuple(names), diff) for diff, names in hosts_of.items()).items():
        out.print(f"\n  [bold]{plural(len(hosts), 'host')}[/]: {escape(', '.join(hosts))}")
        for diff in diffs:
            print_diff(diff)


def _show_checks(checks: Mapping[str, Iterable[PreflightCheck]]) -> None:
    """Prints each distinct result of each check once, with its hosts."""
    results = grouped((check, name) for name, found in checks.items() for check in found)
    for same in grouped((check.name, check) for check in results).values():
        for check in same:
            mark, text = MARKS[check.verdict], f"{check.name}: {check.text} ({named(results[check])})"
            out.print(f"  {mark} {escape(text)}")
    if results:
        out.print()


def _more(name: str, report: HostResult, verbose: bool, release: str) -> list[str]:
    return [
        *(f"    {escape(str(finding))}" for finding in report.findings),
        *(f"    Probe {escape(str(probe))}" for probe in report.probes if probe.counts or verbose),
        *(_log(name, report.log, release) if report.outcome in FAILED_THERE else ()),
        *(_evidence(report.state) if verbose and report.state else ()),
    ]


def _log(name: str, log: Iterable[str], release: str) -> Iterator[str]:
    more = escape(f"jada logs {shlex.quote(name)}")
    if lines := [f"      {escape(line)}" for line in log]:
        yield f"    The end of that start's journal, with secrets masked; more: {more}"
        yield from lines
    yield f"    What was done there, step by step: {escape(f'{RELEASES}/{release}/log')}"


def _evidence(state: State) -> Iterator[str]:
    if process := state.process:
        yield f"    Runs {escape(checks.running_in_words(state))}."
        age = since(process.started, state.now)
        yield f"    Process {process.pid}, {escape(state.unit.active)} for {age}; open files {process.soft}."
    yield f"    $ grep -n '\"model\"' {escape(state.settings.path)}"
    for line in model_lines(state.settings.text or ""):
        yield f"      {escape(line)}"
    yield f"    $ systemctl status {escape(state.unit.name)}"
    for line in state.unit.status.splitlines():
        yield f"      {escape(line.strip())}"


def model_lines(text: str) -> list[str]:
    """The lines of a settings file that name its model, with their numbers, and of each no more than that."""
    try:
        members = [member for member in top_level_members(text) if member.key == "model"] if text else []
    except SettingsError:
        # Which key is whose can't be told, nor what of such a line may be shown.
        return []
    return [_model_line(text, member) for member in members]


def _model_line(text: str, model: Member) -> str:
    rest = text[model.end :].partition("\n")[0].strip()
    begun = text[: model.key_start].rpartition("\n")[2].strip()
    value = text[model.key_start : model.end] if isinstance(model.value, str) else '"model": …'
    number = text.count("\n", 0, model.key_start) + 1
    return f"{number}:{'… ' if begun else ''}{value}{rest if rest in ('', ',') else ' …'}"
