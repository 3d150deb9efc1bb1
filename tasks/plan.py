"""What an upgrade or a rollback would do to one host, decided from one look. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from jada import LONG_CONTEXT
from jada.tasks import checks, effective, place, release
from jada.tasks.release import Release, ReleaseError, Wanted
from jada.tasks.settings import Splice, set_model
from jada.tasks.state import State
from jada.tasks.transaction import Service, Transaction

# How much of a long line (a settings.json on one line) a diff shows on each side of the change.
AROUND = 60


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody asked for: the id of one release, who wants it, and the open files limit to give."""

    id: str
    fleet: str
    who: str
    at: str
    nofile: int = 0
    restart: bool = False
    reason: str = ""
    force: bool = False

    @property
    def holder(self) -> str:
        return f"{self.who} since {self.at} for release {self.id}"

    def about(self, role: str) -> dict[str, str]:
        """What a release records of the request."""
        return {"fleet": self.fleet, "role": role, "who": self.who, "at": self.at, "reason": self.reason}


# One thing that changes, as lines of a diff; the same on many hosts it is shown once.
Diff = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """One host's part: a `transaction`, a `refusal` (a sentence), whose `lock` is in the way, or nothing to do."""

    transaction: Transaction | None = None
    refusal: str = ""
    lock: str = ""
    diff: tuple[Diff, ...] = ()
    notes: tuple[str, ...] = ()


def upgrade(request: Request, role: str, model: str, state: State, service: Service) -> Plan:
    """Brings a host to `model` and the limits asked for."""
    try:
        return _upgrade(request, role, model, state, service)
    except ReleaseError as error:
        return Plan(refusal=f"{error}; nothing was touched")


def _upgrade(request: Request, role: str, model: str, state: State, service: Service) -> Plan:
    given = min(request.nofile, state.capacity.service)
    wanted = Wanted(model, given, request.nofile)
    if state.lock:
        return Plan(lock=state.lock)
    if refusal := _refusal(state) or _unusable(state, wanted):
        return Plan(refusal=refusal)
    notes = (*_limit_notes(state, request.nofile), *_notes(state, wanted))
    current = state.release
    same = current is not None and current.wanted.is_like(wanted)
    if same and not request.restart and not any(finding.is_error for finding in checks.drift(state)):
        return Plan(notes=notes)
    made = release.upgrade(request.id, current, state.settings.model, wanted, **request.about(role))
    transaction = Transaction(made, state, service, request.holder)
    try:
        return Plan(transaction, diff=_upgrade_diff(transaction), notes=notes)
    except ReleaseError as error:
        return Plan(refusal=f"{error}; nothing was touched")


def rollback(request: Request, role: str, to: str, state: State, service: Service) -> Plan:
    """Puts a host back on what it had before its current release, or on the release or model `to`.

    `to` needs a state with history.
    """
    current = state.release
    if state.lock:
        return Plan(lock=state.lock)
    if refusal := _refusal(state):
        return Plan(refusal=refusal)
    if current is None:
        return Plan(refusal="it has no earlier release: jada never changed this host")
    if to and to in (current.wanted.release, current.wanted.model):
        return Plan()
    undone = _undone(state, to) if to else current
    if undone is None:
        kept = sorted({one for past in state.history for one in (past.release.before.release,) if one})
        return Plan(
            refusal=f"it keeps no snapshot of {to}; it keeps {', '.join(kept) or 'only what it had before jada'}"
        )
    made = release.rollback(request.id, current, undone, **request.about(role))
    transaction = Transaction(made, state, service, request.holder, force=request.force)
    again = undone.id == current.id and current.kind == "rollback"
    return Plan(transaction, diff=_rollback_diff(made, again), notes=_lost(state, current))


def _undone(state: State, to: str) -> Release | None:
    """The newest completed release before which the host ran `to`, a release id or a model id."""
    done = [past.release for past in state.history if not past.error]
    return next((one for one in reversed(done) if to in (one.before.release, one.before.model)), None)


def _refusal(state: State) -> str:
    if problem := checks.unusable(state):
        if problem.code == "J201":
            return f"systemd there knows no {state.unit.name}; set `service:` in fleet.yml, or install it"
        what = f"systemctl unmask {state.unit.name} there" if state.unit.load == "masked" else "mend that"
        return f"{problem.seen}; {what} first, nothing was touched"
    if unsafe := place.unsafe(state):
        return f"{unsafe}; nothing was touched"
    return ""


def _unusable(state: State, wanted: Wanted) -> str:
    """Why changing settings.json would not do what was asked for."""
    if error := state.settings.error:
        return f"{state.settings.path}: {error}; mend it first, nothing was touched"
    text = state.settings.text
    splice = None if text is None else set_model(text, wanted.model)
    written = json.dumps({"model": wanted.model}) if text is None else splice.apply(text) if splice else text
    # A change has systemd read the unit's files.
    changed = replace(state, settings=replace(state.settings, text=written), fresh=state.reloaded or state.fresh)
    for obstacle in checks.obstacles(changed, wanted):
        # What such a script set may be gone from it by now: the process still shows it.
        restart = (
            ", or restart the service if nothing sets it any more" if changed.fresh != effective.fresh(changed) else ""
        )
        return f"changing {state.settings.path} would not do: {obstacle.seen}; mend that first{restart}"
    return _unverifiable(state, wanted)


def _unverifiable(state: State, wanted: Wanted) -> str:
    """Why the service would not start again, or not be seen to run as it is wanted."""
    unit = state.unit
    for setting, path in unit.lacks:
        return (
            f"{unit.name} would not start again: {setting}={path} is not there; put it back, or take it out of the unit"
        )
    if later := checks.later_limit(state, wanted.nofile):
        return (
            f"{later.path} is read after jada's own 50-jada.conf and sets LimitNOFILE={later.value}, where "
            f"{wanted.nofile} is to be given; take the line out of it"
        )
    if unit.active == "active" and state.process is None:
        return (
            f"{unit.name} is active without a process (Type={unit.kind}), so nothing could be seen to run; have it "
            "start the agent itself, as Type=simple does"
        )
    for key, answer in (("health", state.health), ("probe", state.probe)):
        if answer.unable:
            return (
                f"what runs after the change could not be told: `{key}:` of fleet.yml, {answer.unable}; mend that first"
            )
    return ""


def _notes(state: State, wanted: Wanted) -> Iterator[str]:
    """What an operator should know beforehand of a change that can be made."""
    settings, unit = state.settings, state.unit
    if unit.active in ("inactive", "failed"):
        yield f"{unit.name} does not run now ({unit.active}, {unit.result}): this starts it"
    if settings.names > 1:
        yield (
            f"{settings.path} has {settings.names} names (hard links): a new file takes its place under this one, and "
            "the others keep the old text"
        )
    if settings.model.endswith(LONG_CONTEXT) and not wanted.model.endswith(LONG_CONTEXT):
        yield (
            f"settings.json asks for {settings.model}, with a context of a million tokens, and {wanted.model} is "
            f"asked for without; '{wanted.model}{LONG_CONTEXT}' would keep it, where that model has one"
        )


def _limit_notes(state: State, asked: int) -> tuple[str, ...]:
    why = state.capacity.why(asked)
    return (f"open files: {asked} asked, {state.capacity.service} given: {why}",) if why else ()


def _lost(state: State, current: Release) -> tuple[str, ...]:
    after = state.after.get("settings")
    if after is None or after.sha256 == state.settings.file.sha256:
        return ()
    return (
        f"settings.json was edited since release {current.id}; it goes back to the bytes before that release, "
        "and rolling back once more brings the edit back",
    )


def _upgrade_diff(transaction: Transaction) -> tuple[Diff, ...]:
    state, made, service = transaction.state, transaction.release, transaction.service
    diffs = [_settings_diff(service.settings, state.settings.text, transaction.splice)]
    # What stands there without a release behind it is not ours.
    ours = state.release is not None and state.release.wanted.release != ""
    known = state.release if ours and state.dropin.sha256 != "absent" else None
    old = _as_it_was(partial(release.dropin, known.wanted)) if known else ""
    diffs.append(_file_diff(f"{service.unit}.d/50-jada.conf", old, release.dropin(made.wanted)))
    nofile = min(made.wanted.nofile, state.capacity.login)
    old_nofile = min(state.release.wanted.nofile, state.capacity.login) if state.release else 0
    new = release.login_limits(state.user, nofile)
    if state.limits.sha256 == "absent" or nofile != old_nofile:
        are_known = ours and state.limits.sha256 != "absent"
        old = _as_it_was(partial(release.login_limits, state.user, old_nofile)) if are_known else ""
        diffs.append(_file_diff("/etc/security/limits.d/50-jada.conf", old, new))
    return (*filter(None, diffs), (f"restart {service.unit}",))


def _as_it_was(text: Callable[[], str]) -> str:
    """What a file of jada held by the manifest on the host; "" where that can't be right."""
    try:
        return text()
    except ReleaseError:
        return ""


def _rollback_diff(made: Release, again: bool) -> tuple[Diff, ...]:
    kind = "forward again to" if again else "back to"
    none = "as before jada"
    target = f"release {made.wanted.release}" if made.wanted.release else "what it had before jada"
    return (
        (
            f"{kind} {target}, byte for byte, and restart",
            f"-model {made.before.model or none}",
            f"+model {made.wanted.model or none}",
            f"-open files {made.before.nofile or none}",
            f"+open files {made.wanted.nofile or none}",
        ),
    )


def _settings_diff(path: str, text: str | None, splice: Splice) -> Diff:
    if text is None:
        return (f"--- {path} (new)", *(f"+{line}" for line in splice.insert.splitlines()))
    if not splice.length and not splice.insert:
        return ()
    start = text.rfind("\n", 0, splice.offset) + 1
    end = text.find("\n", splice.offset + splice.length)
    end = len(text) if end < 0 else end
    left, right = max(start, splice.offset - AROUND), min(end, splice.offset + splice.length + AROUND)
    before, after = text[left : splice.offset], text[splice.offset + splice.length : right]
    before, after = ("…" if left > start else "") + before, after.rstrip("\r") + ("…" if right < end else "")
    old = _shortened(text[splice.offset : splice.offset + splice.length])
    gone = f"{before}{old}{after}" if old else ""
    come = f"{before}{splice.insert}{after}"
    # The indentation is each file's own: without it, the same change on many hosts is one diff.
    return (
        f"--- {path}",
        *(f"-{line.lstrip()}" for line in gone.splitlines()),
        *(f"+{line.lstrip()}" for line in come.splitlines()),
    )


def _shortened(value: str) -> str:
    return value if len(value) <= 2 * AROUND else f"{value[:AROUND]}…{value[-AROUND:]}"


def _file_diff(path: str, old: str, new: str) -> Diff:
    before, after = old.splitlines(), new.splitlines()
    gone = [f"-{line}" for line in before if line not in after]
    come = [f"+{line}" for line in after if line not in before]
    return (f"--- {path}", *gone, *come) if gone or come else ()
