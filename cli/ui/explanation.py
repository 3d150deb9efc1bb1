"""The explanation of the model that a host runs, for people and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jada.cli.ui.console import escape, plural, since, visible
from jada.cli.ui.duration import iso
from jada.cli.ui.evidence import evidence_as_json
from jada.cli.ui.findings import finding_as_json
from jada.tasks import checks, effective
from jada.tasks.checks import Finding
from jada.tasks.effective import Effective
from jada.tasks.evidence import evidence_of, is_known
from jada.tasks.release import Desired
from jada.tasks.state import State

# Of one host in JSON; each is null where it could not be looked at.
FACTS = ("release", "model_desired", "next_start", "running", "open_files", "restarts", "sessions", "findings")
# A longer model moves its own line alone.
WIDEST = 60


def explanation_dict(name: str, state: State) -> dict[str, Any]:
    """The facts of `jada explain --json` about one host."""
    fresh, running = _both(state)
    following = checks.evidence_of_next_start(state)
    stale = checks.stale_sessions(state)
    process = state.process
    return {
        "release": state.release.id if state.release else None,
        "model_desired": (state.release.desired.model or None) if state.release else None,
        "next_start": {
            **_effect(fresh),
            "model": following.model if following else None,
            "evidence": following.kind if following else None,
        },
        "running": {
            "model": checks.running_model(state) or None,
            "evidence": evidence_as_json(evidence_of(state)),
            "pid": process.pid,
            "started_at": iso(process.started),
            "uptime_seconds": max(0.0, state.now - process.started),
            "chain": _effect(running)["chain"],
        }
        if process and running
        else None,
        "open_files": _limits(state),
        "restarts": state.unit.restarts,
        "sessions": [
            {
                "pid": session.pid,
                "user": session.user,
                "tty": session.tty or None,
                "started_at": iso(session.started),
                "stale": session in stale,
            }
            for session in state.sessions
        ],
        "findings": [finding_as_json(finding, name) for finding in _findings(state)],
    }


def lines(name: str, state: State) -> Iterator[str]:
    """The lines of `jada explain` about one host, as markup."""
    release = state.release
    asked = f"release {release.id} asks for {_asked_for(release.desired)}" if release else "it has no release"
    yield f"[bold]{escape(name)}[/]: {escape(asked)}"
    if not checks.unusable(state):
        yield from _what_runs(state)
    for finding in _findings(state):
        mark = "[red]✗[/]" if finding.is_drift else "[yellow]•[/]"
        yield f"  {mark} {escape(str(finding))}"
        yield f"    Fix: {escape(finding.fix_on(name))}"
    yield ""


def _asked_for(desired: Desired) -> str:
    fallback = f", {', '.join(desired.fallback)} where that can't answer" if desired.fallback else ""
    subagents = f", {desired.subagent_model} for subagents" if desired.subagent_model else ""
    return f"{desired.model or 'no model'}{fallback}{subagents}"


def _findings(state: State) -> Iterator[Finding]:
    """All that `jada drift` may say of the host itself, also where a fleet lives with what is unproven."""
    yield from checks.drift(state)
    if unproven := checks.unproven(state):
        yield unproven


def _what_runs(state: State) -> Iterator[str]:
    fresh, running = _both(state)
    following = checks.evidence_of_next_start(state) or checks.NOT_TOLD
    yield from _chain(f"A process started now would ask for {following}", fresh)
    process = state.process
    if process is None:
        yield "\n  No process runs."
    else:
        began = since(process.started, state.now)
        title = f"Process {process.pid}, running for {began}, uses {checks.running_in_words(state)}"
        if running is None or running.chain == fresh.chain:
            yield f"\n  {escape(title)}."
        else:
            again = state.asked.model if is_known(state) else f"{running.model} (derived)"
            yield from _chain(f"{title}; started again as it was, it would ask for {again}", running)
    limits = ", ".join(f"{'not known' if count is None else count} {what}" for what, count in _limits(state).items())
    yield f"\n  Open files: {escape(limits.replace('_', ' '))}."
    if state.login.error:
        yield f"  A login of {escape(state.user)} could not be measured: {escape(state.login.error)}."
    if state.unit.restarts:
        yield f"  systemd started it again {plural(state.unit.restarts, 'time')} since its last start by hand."
    stale = checks.stale_sessions(state)
    for session in state.sessions:
        old = ", from before the model changed" if session in stale else ""
        yield (
            f"  A claude session of {escape(session.user)} is open: {session.pid}, {session.tty or 'no terminal'}, "
            f"for {since(session.started, state.now)}{old}."
        )


def _chain(title: str, effect: Effective) -> Iterator[str]:
    yield f"\n  {escape(title)}:"
    width = min(max(len(visible(origin.model)) for origin in effect.chain), WIDEST)
    for origin in effect.chain:
        mark = "[green]→[/]" if not origin.rejected_because else " "
        why = f"  ({escape(origin.rejected_because)})" if origin.rejected_because else ""
        yield f"  {mark} {escape(visible(origin.model).ljust(width))}  {escape(origin.where)}{why}"
    if effect.blocked_by:
        yield f"    but availableModels of {escape(effect.blocked_by)} leaves {escape(effect.winner.model)} out"
    if effect.replaced_by:
        yield f"    but modelOverrides of {escape(effect.replaced_by)} sends {escape(effect.model)} in its place"


def _both(state: State) -> tuple[Effective, Effective | None]:
    """The effect of a start now, and that on the process that runs, were it to read the files again."""
    running = effective.resolve(state, state.process.spec) if state.process else None
    return effective.resolve(state, effective.next_start(state)), running


def _limits(state: State) -> dict[str, int | None]:
    desired = state.release.desired if state.release else None
    return {
        "requested": desired.nofile_requested if desired else None,
        "released": desired.nofile if desired else None,
        "set_in_unit": state.unit.nofile,
        "in_force": state.process.soft if state.process else None,
        "at_login": None if state.login.error else state.login.nofile,
    }


def _effect(effect: Effective) -> dict[str, Any]:
    return {
        "model": effect.model,
        "barred_by": effect.blocked_by or None,
        "overridden_by": effect.replaced_by or None,
        "chain": [
            {
                "model": origin.model,
                "where": origin.where,
                "wins": not origin.rejected_because,
                "reason": origin.rejected_because or None,
            }
            for origin in effect.chain
        ],
    }
