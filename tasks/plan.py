"""The plan of an upgrade or a rollback for one host, decided from one look. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from math import inf
from operator import attrgetter

from jada import LONG_CONTEXT, Model, Service, Telemetry, Tiers
from jada.tasks import checks, codes, effective, paths, place, release
from jada.tasks.asked import Asked
from jada.tasks.costs import Costs, costs_of
from jada.tasks.dropin import dropin, login_limits
from jada.tasks.evidence import is_known
from jada.tasks.release import Desired, Release, ReleaseError
from jada.tasks.served import is_asked_for
from jada.tasks.settings import Splice, Splices, apply, set_models
from jada.tasks.state import USUAL_TIMEOUT, State
from jada.tasks.transaction import Transaction

# Characters of a long line (a settings.json on one line) that a diff shows on each side of the change.
AROUND = 60
NEVER = "never changed by jada"


@dataclass(frozen=True, slots=True)
class Request:
    """A request for one release: its id, who wants it, the open files limit to give, and the run of jada that does."""

    id: str
    fleet: str
    who: str
    at: str
    nofile: int = 0
    restart: bool = False
    reason: str = ""
    force: bool = False
    run: str = ""

    @property
    def holder(self) -> str:
        """Whose change it is, and of which run of jada, as a host's lock and its journal say it."""
        run = f" (run {self.run})" if self.run else ""
        return f"{self.who}{run} since {self.at} for release {self.id}"

    def about(self, role: str) -> dict[str, str]:
        """Returns the part of the request that a release records."""
        return {"fleet": self.fleet, "role": role, "who": self.who, "at": self.at, "reason": self.reason}


# One thing that changes, as lines of a diff; the same on many hosts it is shown once.
Diff = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """One host's part: a `transaction`, a `refusal` (a sentence), whose `lock` is in the way, or nothing to do.

    `idle` says why there is nothing to do, where that is not that it runs what was asked for. `despite` is the plan in
    whose way a refusal stands by jada's table of settings alone: the host's own CLI may know better.
    """

    transaction: Transaction | None = None
    refusal: str = ""
    lock: str = ""
    diff: tuple[Diff, ...] = ()
    notes: tuple[str, ...] = ()
    idle: str = ""
    despite: Plan | None = None
    costs: Costs = field(default_factory=Costs)

    @property
    def question(self) -> Splices | None:
        """The edits of which the host's own CLI can be asked what it would make of them; None where it can't be."""
        made = (self.despite or self).transaction
        return made.splices if made and made.release.kind != "rollback" else None


def with_costs(plan: Plan, catalogue: Sequence[Model]) -> Plan:
    """The plan with the price of its change, by the catalogue and what the host's transcripts tell."""
    if plan.transaction is None:
        return plan
    state, new = plan.transaction.state, plan.transaction.release
    goes_back = new.kind == "rollback"
    return replace(plan, costs=costs_of(state, new.before.tiers, new.desired.tiers, catalogue, goes_back))


def with_answer(plan: Plan, answer: Asked) -> Plan:
    """The plan with the answer of the host's own CLI to its question: that counts, whatever jada's table predicted."""
    made = plan.despite or plan
    if made.transaction is None or answer == Asked():
        return plan
    state, desired = made.transaction.state, made.transaction.release.desired
    if not is_known(replace(state, asked=answer)):
        why = answer.error or f"its CLI {answer.version} is not seen to run, so nobody knows with which options"
        unknown = f"which model its own CLI would ask for then is not known: {why}"
        return plan if plan.refusal else replace(plan, notes=(*plan.notes, unknown))
    if is_asked_for(desired.model, answer.model):
        told = f"its own Claude CLI {answer.version}, asked as if that were done, asks for {answer.model}"
        return replace(made, diff=(*made.diff, (told,)))
    changed = _as_changed(state, desired)
    now = effective.resolve(changed, effective.next_start(changed))
    why = f"from {now.winner.where}; fix that first" if is_asked_for(now.model, answer.model) else "see jada explain"
    refusal = f"its own Claude CLI {answer.version} would ask for {answer.model} all the same, {why}"
    return Plan(refusal=f"changing {state.settings.path} would not do: {refusal}")


def upgrade(request: Request, role: str, tiers: Tiers, state: State, service: Service, kind: str = "upgrade") -> Plan:
    """Brings a host to these models and the limits asked for, by a release of that kind: upgrade or heal."""
    try:
        return _upgrade(request, role, tiers, state, service, kind)
    except ReleaseError as error:
        return Plan(refusal=f"{error}; nothing was touched")


def of_the_file(plan: Plan, role: str, state: State) -> str:
    """Warns that an upgrade to the model of fleet.yml takes another one away, which the host's release gave; or ""."""
    current, new = state.release, plan.transaction.release.desired.model if plan.transaction else ""
    if current is None or not current.desired.base or current.desired.model in ("", new) or not new:
        return ""
    origin = ", ".join(filter(None, (current.who, current.at)))
    note = f" ({origin}{f': {current.reason}' if current.reason else ''})" if origin else ""
    return (
        f"this takes {current.desired.model} away, which release {current.desired.base}{note} gave: fleet.yml asks for "
        f"{new} of role {role}. To keep it, name it there, or with --to"
    )


def _upgrade(request: Request, role: str, tiers: Tiers, state: State, service: Service, kind: str) -> Plan:
    desired = Desired(
        tiers.model,
        min(request.nofile, state.capacity.service),
        request.nofile,
        fallback=tiers.fallback,
        subagent_model=tiers.subagent_model,
        telemetry=service.telemetry,
    )
    if state.running_transaction:
        return Plan(lock=state.running_transaction)
    if refusal := _refusal(state) or _unsafe(state) or _unreadable(state) or _unverifiable(state, desired):
        return Plan(refusal=refusal)
    notes = (*_limit_notes(state, desired), *_slow(state), *_starts(state), *_notes(state, desired))
    current = state.release
    same = current is not None and current.desired.is_like(desired)
    if same and not request.restart and not any(finding.is_error for finding in checks.drift(state)):
        return Plan(notes=notes)
    new_release = release.upgrade(request.id, _found(state), desired, kind, **request.about(role))
    transaction = Transaction(new_release, state, service, request.holder)
    try:
        plan = Plan(transaction, diff=_upgrade_diff(transaction), notes=notes)
    except ReleaseError as error:
        return Plan(refusal=f"{error}; nothing was touched")
    predicted = _shadowed(state, desired)
    return Plan(refusal=predicted, despite=plan) if predicted else plan


def last_release(states: Iterable[State], future: str) -> Release | None:
    """The newest release of these hosts: one that stands, or one that failed and was undone.

    None was made in the `future` (an id): hosts that say so are believed only where all do, by a clock that was wrong.
    """
    states = list(states)
    known = [state for state in states if state.release and state.release.id < future] or states
    failed = [past.release for state in known for past in state.history if past.error]
    releases = [*failed, *(state.release for state in known if state.release)]
    return max(
        [entry for entry in releases if entry.id < future or known is states], key=attrgetter("id"), default=None
    )


def rollback(request: Request, role: str, to: str, state: State, service: Service, change: str) -> Plan:
    """Puts a host back on what it had before the `change` (the id of a release), if it is still on it; or on the
    release or model `to`.

    Both need a state with history, and of that nothing that the service's user says: by root's own records alone.
    """
    current = state.release
    if hindrance := _hindrance(state) or _half_way(request, role, state, service):
        return hindrance
    if current is None:
        refused = to or not change
        return Plan(refusal="it has no earlier release: jada never changed this host") if refused else Plan(idle=NEVER)
    if to and to in (current.desired.base, current.desired.model):
        return _idle(state, f"already on {to}")
    if not to and (not change or current.desired.base != change):
        return _idle(state, _elsewhere(state, current, change))
    undone = _undone(state, to) if to else _made(state, current, change)
    if undone is None:
        return Plan(refusal=f"it keeps no snapshot of {to or f'before release {change}'}; it keeps {_kept(state)}")
    way = _by_a_whole_snapshot if undone is current and state.damage else _way_back
    return way(request, role, state, current, undone, service)


def redo(request: Request, role: str, state: State, service: Service, change: str) -> Plan:
    """Puts a host from which the `change` was taken back by a rollback on it again."""
    current = state.release
    if hindrance := _hindrance(state) or _half_way(request, role, state, service):
        return hindrance
    if current is None:
        return Plan(idle=NEVER)
    if not (change and current.is_undo and current.change == change):
        return _idle(state, _elsewhere(state, current, change))
    return _way_back(request, role, state, current, current, service)


def _kept(state: State) -> str:
    """The releases that a rollback can go back to, the newest first, each with its model and when it was made."""
    models = {past.release.before.release: past.release.before.model for past in state.history if not past.error}
    entries = (
        f"{release_id} ({models[release_id]}, {release.began(release_id).replace('T', ' ').removesuffix('+00:00')}Z)"
        for release_id in sorted(filter(None, models), reverse=True)
    )
    return ", ".join(entries) or "only what it had before jada"


def _hindrance(state: State) -> Plan | None:
    if state.running_transaction:
        return Plan(lock=state.running_transaction)
    if refusal := _refusal(state):
        return Plan(refusal=refusal)
    return None


def _half_way(request: Request, role: str, state: State, service: Service) -> Plan | None:
    """Plans to undo a change that was cut off: any transaction does that first, and the rest is planned anew."""
    if not state.unfinished_transaction:
        return None
    unfinished = next(
        (past.release for past in state.history if past.release.id == state.unfinished_transaction), state.release
    )
    if unfinished is None:
        return Plan(
            refusal=f"release {state.unfinished_transaction} was cut off half-way there; jada upgrade undoes it first"
        )
    transaction = _restoring(request, role, state, unfinished, service)
    if odd := place.odd(_path(transaction.kept)):
        return Plan(refusal=f"{odd}; nothing was touched")
    undoes = f"undo release {state.unfinished_transaction}, which was cut off half-way, and plan the rest anew"
    return Plan(transaction, diff=((undoes,),))


def _idle(state: State, why: str) -> Plan:
    """Nothing to do, unless the host does not run what it is said to be on: then this is no way back."""
    wrong = next((finding for finding in checks.drift(state) if finding.is_error), None)
    if wrong is None:
        return Plan(idle=why)
    base = state.release.before if state.release else Desired("", 0)
    back = f", or jada rollback --to {target}" if (target := base.release or base.model) else ""
    return Plan(refusal=f"{why}, but {wrong}. With --limit for this host: jada heal{back}")


def _by_a_whole_snapshot(
    request: Request, role: str, state: State, current: Release, undone: Release, service: Service
) -> Plan:
    """The way back from a release whose manifest can't be read, by its snapshot or the next older one that is whole."""
    older = [past.release for past in state.history if not past.error and past.release.id < undone.id]
    whole = [
        snapshot
        for snapshot in (undone, *sorted(older, key=attrgetter("id"), reverse=True))
        if snapshot.id in state.whole
    ]
    if not whole:
        why = f"{state.damage}, and no snapshot in {paths.RELEASES} is whole"
        return Plan(refusal=f"{why}: jada upgrade puts a release in its place")
    plan = _way_back(request, role, state, current, whole[0], service)
    note = f"its snapshot, of before release {undone.id}, is whole and goes back"
    if whole[0] is not undone:
        note = f"nor is its snapshot whole: the next older one goes back, of before release {whole[0].id}"
    return replace(plan, notes=(f"{state.damage}; {note}", *plan.notes))


def _way_back(request: Request, role: str, state: State, current: Release, undone: Release, service: Service) -> Plan:
    redoes = undone.change if undone is current and undone.is_undo else ""
    transaction = _restoring(request, role, state, undone, service, redoes)
    if elsewhere := _of_other_place(transaction, undone):
        return Plan(refusal=elsewhere)
    notes = (*_unseen(transaction), *_lost(state, current), *_slow(state), *_starts(state))
    return Plan(transaction, diff=_rollback_diff(transaction.release), notes=notes)


def _restoring(
    request: Request, role: str, state: State, undone: Release, service: Service, redoes: str = ""
) -> Transaction:
    """Returns the transaction that puts the snapshot of a release back where it was taken."""
    new = replace(release.rollback(request.id, _found(state), undone, **request.about(role)), redoes=redoes)
    is_current = state.release is not None and undone.id == state.release.id
    past = next((entry.place for entry in state.history if entry.release.id == undone.id), ())
    kept = (state.place if is_current else past) or place.by_root(state, service.unit)
    return Transaction(new, state, service, request.holder, force=request.force, kept=kept)


def _elsewhere(state: State, current: Release, change: str) -> str:
    """Says why the last change of the fleet is not this host's."""
    on = f"on {current.desired.model or 'what it had before jada'}"
    if any(past.error and past.release.id == change for past in state.history):
        return f"{on} again already: release {change} failed there and was undone"
    return f"already {on}"


def _undone(state: State, to: str) -> Release | None:
    """The newest completed release before which the host ran `to`, a release id or a model id."""
    completed = [past.release for past in state.history if not past.error]
    return next(
        (
            entry
            for entry in reversed(completed)
            if to in (entry.before.release, entry.before.edited, entry.before.model)
        ),
        None,
    )


def _found(state: State) -> Desired:
    files = {"settings": state.settings.file, "dropin": state.dropin, "limits": state.limits}
    if state.unseen:
        files["settings"] = state.after.get("settings", state.settings.file)
    after = {name: state.after.get(name, file) for name, file in files.items()}
    is_edited = {name: after[name].sha256 != file.sha256 for name, file in files.items()}
    return release.present(state.release, state.settings.tiers, is_edited)


def _of_other_place(transaction: Transaction, undone: Release) -> str:
    """Says why the snapshot taken before `undone` is not of the files that the service reads now: it goes nowhere else.

    The target of a link when it was taken is root's record; its target now is the user's word.
    """
    kept, now = transaction.kept, place.by_root(transaction.state, transaction.service.unit)
    if odd := place.odd(_path(kept)):
        return f"{odd}; nothing was touched"
    if kept == now or (kept[3] and kept[:3] == now[:3]):
        return ""
    copy = f"{paths.RELEASES}/{undone.id}/before/settings"
    return (
        f"its snapshot is of {_whose(kept)}, and the service now reads {_whose(now)}: nothing was touched; the copy is "
        f"{copy}"
    )


def _whose(at: tuple[str, ...]) -> str:
    return f"{_path(at)} of user {at[0]}, for {at[2]}"


def _path(at: tuple[str, ...]) -> str:
    return f"{at[4].rstrip('/')}/{at[5]}"


def _unseen(transaction: Transaction) -> Iterator[str]:
    """Notes on a way back that goes by root's records: the service's user could not be seen, or says another place."""
    state, kept = transaction.state, _path(transaction.kept)
    if state.unseen:
        yield (
            f"what {state.user} owns could not be seen ({state.unseen}): this goes by root's own records, and what "
            "runs then is proven only where the service is asked (`model_check:`)"
        )
    elif state.settings.real != kept:
        yield f"{state.settings.path} now leads to {release.printable(state.settings.real)}; the snapshot is of {kept}"


def _slow(state: State) -> tuple[str, ...]:
    """Notes that a restart may take longer than systemd gives any service that says nothing else."""
    slow = [
        f"{name}={'infinity' if seconds == inf else f'{seconds:.0f}'}"
        for name, seconds in (("TimeoutStopSec", state.unit.stop), ("TimeoutStartSec", state.unit.start))
        if seconds > USUAL_TIMEOUT and (name == "TimeoutStopSec" or seconds != inf)
    ]
    if not slow:
        return ()
    return (f"a restart may take up to {state.unit.restart:.0f} s: {' and '.join(slow)} in {state.unit.name}",)


def _made(state: State, current: Release, change: str) -> Release | None:
    """The release by which the host came to `change`; a rollback to it from a later one is not that."""
    if not current.is_undo:
        return current
    return next((past.release for past in state.history if past.release.id == change and not past.error), None)


def _refusal(state: State) -> str:
    if problem := checks.unusable(state):
        if problem.kind is codes.SERVICE_MISSING:
            return f"systemd there knows no {state.unit.name}; set `service:` in fleet.yml, or install it"
        remedy = f"systemctl unmask {state.unit.name} there" if state.unit.load == "masked" else "fix that"
        return f"{problem.actual}; {remedy} first, nothing was touched"
    return ""


def _unsafe(state: State) -> str:
    """Says why nothing is written where the service's user says that settings.json is."""
    if state.unseen:
        return (
            f"what {state.user} owns could not be seen ({state.unseen}), so nothing tells what would run; see what "
            "that user does to its processes; nothing was touched"
        )
    unsafe = place.unsafe(state)
    return f"{unsafe}; nothing was touched" if unsafe else ""


def _unreadable(state: State) -> str:
    """The refusal of a change of a settings.json that can't be used as it stands."""
    if error := state.settings.error:
        back, current = "", state.release
        if current and (target := current.before.release or current.before.model):
            back = f", or put back what stood there before release {current.id}: jada rollback --to {target} --limit …"
        return f"{state.settings.path}: {error}; nothing was touched; fix it first{back}"
    return ""


def _as_changed(state: State, desired: Desired) -> State:
    """The state with the models in settings.json; a change has systemd read the unit's files too."""
    text = state.settings.text
    settings = replace(state.settings, text=apply(text or "", set_models(text, desired.tiers)))
    return replace(state, settings=settings, next_start=state.reloaded or state.next_start, asked=Asked())


def _shadowed(state: State, desired: Desired) -> str:
    """The refusal of a change that would not do what was asked for, by jada's table of settings."""
    changed = _as_changed(state, desired)
    for obstacle in checks.shadowing_findings(changed, desired):
        # A variable may be gone from such a script by now: the process still shows it.
        is_script = changed.next_start != effective.next_start(changed)
        restart = ", or restart the service if nothing sets it any more" if is_script else ""
        return f"changing {state.settings.path} would not do: {obstacle.actual}; fix that first{restart}"
    return ""


def _unverifiable(state: State, desired: Desired) -> str:
    """Says why the service would not start again, or not be seen to run as it is wanted."""
    unit = state.unit
    for setting, path in unit.lacks:
        return (
            f"{unit.name} would not start again: {setting}={path} is not there; put it back, or take it out of the unit"
        )
    if later := checks.later_limit(state, desired.nofile):
        return (
            f"{later.path} is read after jada's own {paths.OURS} and sets LimitNOFILE={later.value}, where "
            f"{desired.nofile} is to be given; take the line out of it"
        )
    if unit.active == "active" and state.process is None:
        return (
            f"{unit.name} is active without a process (Type={unit.kind}), so nothing could be seen to run; have it "
            "start the agent itself, as Type=simple does"
        )
    if state.report.unable:
        check = f"`model_check.{state.report.by}` of fleet.yml, {state.report.unable}"
        return f"what runs after the change could not be told: {check}; fix that first"
    return ""


def _starts(state: State) -> tuple[str, ...]:
    unit = state.unit
    if unit.active not in ("inactive", "failed"):
        return ()
    return (f"{unit.name} does not run now ({unit.active}, {unit.result}): this starts it",)


def _notes(state: State, desired: Desired) -> Iterator[str]:
    """Notes for the operator, beforehand, on a change that can be made."""
    settings = state.settings
    if settings.names > 1:
        yield (
            f"{settings.path} has {settings.names} names (hard links): a new file takes its place under this one, and "
            "the others keep the old text"
        )
    if settings.model.endswith(LONG_CONTEXT) and not desired.model.endswith(LONG_CONTEXT):
        yield (
            f"settings.json asks for {settings.model}, with a context of a million tokens, and {desired.model} is "
            f"asked for without; '{desired.model}{LONG_CONTEXT}' would keep it, where that model has one"
        )


def _limit_notes(state: State, desired: Desired) -> tuple[str, ...]:
    """Notes that the host gives fewer open files than were asked for, where that is news."""
    known = state.release and (state.release.desired.nofile, state.release.desired.nofile_requested)
    if desired.nofile == desired.nofile_requested or known == (desired.nofile, desired.nofile_requested):
        return ()
    return (f"open files: {desired.nofile}, the most that the host can give ({state.capacity.bound})",)


def _lost(state: State, current: Release) -> tuple[str, ...]:
    after = state.after.get("settings")
    if after is None or state.unseen or after.sha256 == state.settings.file.sha256:
        return ()
    return (
        f"settings.json was edited since release {current.id}; it goes back to the bytes before that release, "
        "and `jada rollback --redo` brings the edit back",
    )


def _upgrade_diff(transaction: Transaction) -> tuple[Diff, ...]:
    state, new_release, service = transaction.state, transaction.release, transaction.service
    diffs = [_settings_diff(service.settings, state.settings.text, transaction.splices)]
    # A file that stands there without a release behind it is not ours.
    ours = state.release is not None and state.release.desired.base != ""
    known = state.release if ours and state.dropin.sha256 != "absent" else None
    old = _as_it_was(partial(dropin, known.desired, known.role)) if known else ""
    diffs.append(_file_diff(f"{service.unit}.d/{paths.OURS}", old, dropin(new_release.desired, new_release.role)))
    nofile = min(new_release.desired.nofile, state.capacity.login)
    old_nofile = min(state.release.desired.nofile, state.capacity.login) if state.release else 0
    new = login_limits(state.user, nofile)
    if state.limits.sha256 == "absent" or nofile != old_nofile:
        are_known = ours and state.limits.sha256 != "absent"
        old = _as_it_was(partial(login_limits, state.user, old_nofile)) if are_known else ""
        diffs.append(_file_diff(paths.LIMITS, old, new))
    return (*filter(None, diffs), (f"restart {service.unit}",))


def _as_it_was(text: Callable[[], str]) -> str:
    """Returns the text of a file of jada by the manifest on the host; "" where that can't be right."""
    try:
        return text()
    except ReleaseError:
        return ""


def _rollback_diff(new: Release) -> tuple[Diff, ...]:
    kind = "forward again to" if new.redoes else "back to"
    target = f"release {new.desired.release}" if new.desired.release else "what it had before jada"
    if new.desired.edited:
        target = f"release {new.desired.edited} as it was edited by hand before release {new.restores}"
    return (
        (
            f"{kind} {target}, byte for byte, and restart",
            f"-model {new.before.model or _unsaid(new.before)}",
            f"+model {new.desired.model or _unsaid(new.desired)}",
            f"-open files {new.before.nofile or _unsaid(new.before)}",
            f"+open files {new.desired.nofile or _unsaid(new.desired)}",
            *_if_changed("fallback", ", ".join(new.before.fallback), ", ".join(new.desired.fallback)),
            *_if_changed("model of subagents", new.before.subagent_model, new.desired.subagent_model),
            *_if_changed("telemetry", _told(new.before.telemetry), _told(new.desired.telemetry)),
        ),
    )


def _told(telemetry: Telemetry) -> str:
    return " ".join(filter(None, (telemetry.exporter, telemetry.endpoint, telemetry.protocol)))


def _if_changed(what: str, before: str, after: str) -> Diff:
    """The lines of what few releases ask for."""
    return (f"-{what} {before or 'not asked for'}", f"+{what} {after or 'not asked for'}") if before != after else ()


def _unsaid(desired: Desired) -> str:
    """The words in place of a model or limit that nobody asked for by jada."""
    return "as edited by hand" if desired.edited else "as before jada"


def _settings_diff(path: str, text: str | None, splices: Splices) -> Diff:
    if text is None:
        return (f"--- {path} (new)", *(f"+{line}" for splice in splices for line in splice.insert.splitlines()))
    shown: list[Splice] = []
    for splice in splices:
        between = text[shown[-1].end : splice.offset] if shown else "\n"
        # Those that are close to each other on one line are told as one.
        if "\n" in between or len(between) > AROUND:
            shown.append(splice)
        else:
            before = shown.pop()
            length = splice.end - before.offset
            shown.append(Splice(before.offset, length, before.insert + between + splice.insert))
    lines = [line for splice in shown for line in _edit_diff(text, splice)]
    return (f"--- {path}", *lines) if lines else ()


def _edit_diff(text: str, splice: Splice) -> Iterator[str]:
    start = text.rfind("\n", 0, splice.offset) + 1
    end = text.find("\n", splice.end)
    end = len(text) if end < 0 else end
    left, right = max(start, splice.offset - AROUND), min(end, splice.end + AROUND)
    before, after = text[left : splice.offset], text[splice.end : right]
    before, after = ("…" if left > start else "") + before, after.rstrip("\r") + ("…" if right < end else "")
    removed = f"{before}{_shortened(text[splice.offset : splice.end])}{after}"
    # The indentation is each file's own: without it, the same change on many hosts is one diff.
    old = [line.lstrip() for line in removed.splitlines()]
    new = [line.lstrip() for line in f"{before}{splice.insert}{after}".splitlines()]
    yield from (f"-{line}" for line in old if line not in new)
    yield from (f"+{line}" for line in new if line not in old)


def _shortened(value: str) -> str:
    return value if len(value) <= 2 * AROUND else f"{value[:AROUND]}…{value[-AROUND:]}"


def _file_diff(path: str, old: str, new: str) -> Diff:
    before, after = old.splitlines(), new.splitlines()
    removed = [f"-{line}" for line in before if line not in after]
    added = [f"+{line}" for line in after if line not in before]
    return (f"--- {path}", *removed, *added) if removed or added else ()
