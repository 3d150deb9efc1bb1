"""The checks: does what a host runs equal what was asked for? Pure: a State goes in, findings come out."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from jada import LONG_CONTEXT
from jada.tasks import codes, effective, paths
from jada.tasks.codes import ERROR, NOTE, SEVERITIES, FindingCode, Fix
from jada.tasks.evidence import (
    SAME_INSTANT,
    Evidence,
    Kind,
    disagreements,
    evidence_of,
    is_known,
    moment,
    speaks_for_process,
    started_by_current_release,
    strongest_evidence,
    word_of,
)
from jada.tasks.release import Desired
from jada.tasks.served import Fallbacks, Served, is_asked_for, is_same
from jada.tasks.state import NO_LIMIT, File, OpenSession, Process, State, UnitSetting

# A service that systemd started again less than a minute ago is not settled (Restart= with the usual RestartSec=).
JUST_RESTARTED = 60.0
# Requests that fail are told of where one in so many did.
LEAST_FAILING = 10
NO_MODEL = "an answer without a model"
# In the place of a model.
NOT_TOLD = "a model that nothing tells"
# systemd's words for a unit that is there, and yet is none (unit_load_state in its basic/unit-def.c).
LOAD_PROBLEMS = ("masked", "bad-setting", "error")
# Findings of what was not read; the rest is counted.
MOST_UNREAD = 20
# Processes that are told by their numbers.
MOST_LEFT = 10
# Findings of a service that does not run, or not for long.
NOT_RUNNING = frozenset({codes.SERVICE_MISSING, codes.SERVICE_NOT_RUNNING, codes.SERVICE_RESTARTING})
_OWNER = re.compile(r"[0-9]+:[0-9]+")
_MODE = re.compile(r"[0-7]{3,4}")
_COUNT = re.compile(r"[0-9]{1,19}")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it was asked for, and what an operator does about it: see fix_on."""

    kind: FindingCode
    expected: str
    actual: str
    fixed_by: Fix
    # With HOST in the place of the host's name.
    _fix: str

    @classmethod
    def of(cls, kind: FindingCode, expected: str, actual: str, fix: str = "", fixed_by: Fix | None = None) -> Finding:
        """The finding with what the catalogue says fixes it, unless `fix` says it better."""
        return cls(kind, expected, actual, fixed_by or kind.fixed_by, fix or kind.fix)

    def fix_on(self, host: str) -> str:
        """The fix as a command, to be pasted into a shell: a host's name is somebody's tag in the cloud."""
        return self._fix.replace("HOST", shlex.quote(host))

    def __str__(self) -> str:
        return f"{self.code} {self.name}: {self.difference}"

    @property
    def difference(self) -> str:
        """The expected and the actual value, on one line."""
        return f"expected {self.expected}, saw {self.actual}"

    @property
    def code(self) -> str:
        return self.kind.code

    @property
    def name(self) -> str:
        return self.kind.name

    @property
    def severity(self) -> str:
        return self.kind.severity

    @property
    def is_drift(self) -> bool:
        """True if it makes the host one that drifted; a note does not."""
        return self.severity != NOTE

    @property
    def is_error(self) -> bool:
        """True if the service itself does not run what was released."""
        return self.severity == ERROR


def findings(state: State, desired: Desired) -> tuple[Finding, ...]:
    """Everything in which the host differs from `desired`, the gravest first."""
    if problem := unusable(state):
        return (*_interrupted(state, desired), problem)
    of_user = () if state.unseen else (_settings, _model, _other_tiers, shadowing_findings, _hand_sessions)
    checks = (
        _interrupted, _damage, _service, *of_user, _running, _asked, _served, _fallbacks, _failing, _disagreeing,
        _left, _limit, _dropins, _files, _reload, _login_limit, _open_sessions, _start, _unseen, _unread,
    )  # fmt: skip
    found = (finding for check in checks for finding in check(state, desired))
    return tuple(sorted(found, key=lambda finding: SEVERITIES.index(finding.severity)))


def drift(state: State) -> tuple[Finding, ...]:
    """The findings against the host's current release; a host without one has drifted, for nobody released to it."""
    if state.release is not None:
        return findings(state, state.release.desired)
    unreleased = Finding.of(codes.NO_RELEASE, "a release made by jada", "none on this host")
    nothing = Desired("", 0)
    return (unreleased, *_interrupted(state, nothing), *_unreleased(state, nothing))


def unusable(state: State) -> Finding | None:
    """Says why nothing can be said of the service: systemd has no such unit, or can't tell whose it is."""
    unit = state.unit
    if unit.loaded and state.user:
        return None
    word = _word(unit.name)
    if unit.loaded:
        return Finding.of(
            codes.SERVICE_CANNOT_START,
            f"a user {unit.user}",
            f"User={unit.user} of {unit.name} is no user of this host",
        )
    if unit.load == "masked":
        fix = f"on HOST: systemctl unmask {word}; then: jada heal --limit HOST"
        return Finding.of(codes.SERVICE_NOT_LOADED, f"{unit.name} loaded", f"{unit.name} is masked", fix)
    if unit.load in LOAD_PROBLEMS:
        seen = f"systemd calls it {unit.load}: {unit.error}" if unit.error else f"systemd calls it {unit.load}"
        return Finding.of(
            codes.SERVICE_NOT_LOADED, f"{unit.name} loaded", seen, codes.SERVICE_NOT_LOADED.fix.replace("UNIT", word)
        )
    return Finding.of(codes.SERVICE_MISSING, f"{unit.name} installed", "unknown to systemd")


def _unreleased(state: State, nothing: Desired) -> Iterator[Finding]:
    if problem := unusable(state):
        yield problem
        return
    for check in (_service, _start, _unseen, _unread):
        yield from check(state, nothing)


def under_way(state: State) -> Finding | None:
    """The finding that a transaction runs on the host just now; while it does, nothing else can be judged there."""
    return (
        Finding.of(codes.CHANGE_UNDER_WAY, "no change under way", f"being changed by {state.running_transaction}")
        if state.running_transaction
        else None
    )


def unanswered(state: State) -> Iterator[Finding]:
    """Finds that the service does not report its model, though it is asked; whichever one that should be."""
    report = state.report
    if report.by and not report.model:
        yield Finding.of(codes.MODEL_RUNNING, "an answer that names a model", report.error or NO_MODEL)


def illness(state: State) -> Finding | None:
    """The finding that the service is ill; None where it is well, or was stopped."""
    found = (*_service(state, Desired("", 0)), *unanswered(state), *_failing(state, Desired("", 0)))
    kinds = {*NOT_RUNNING, codes.PROCESS_NOT_FOUND, codes.MODEL_RUNNING, codes.REQUESTS_FAILING}
    if state.unit.active == "inactive":
        return None
    return next((finding for finding in found if finding.kind in kinds), None)


def unproven(state: State) -> Finding | None:
    """The finding that nothing observed says which model runs: jada's own table of settings alone does."""
    strongest = strongest_evidence(state)
    is_asked_for = state.release and state.release.desired.model
    if not is_asked_for or strongest is None or strongest.is_proof:
        return None
    asked = state.asked
    why = "its CLI was not asked"
    if asked.error:
        why = f"its CLI could not be asked: {asked.error}"
    elif asked.model:
        why = f"its CLI {asked.version} would ask for {asked.model}, but does not run: its options are not known"
    return Finding.of(codes.MODEL_UNPROVEN, "a model that is observed", f"{strongest}; {why}")


def running_model(state: State) -> str:
    """The model the process really runs, by the strongest evidence; "" where nothing tells."""
    strongest = strongest_evidence(state)
    desired = state.release.desired.model if state.release else ""
    match strongest:
        case None:
            return ""
        case Evidence(kind=Kind.DERIVED):
            return _derived_model(state)
        case Evidence(kind=Kind.SERVED, model=model) if is_same(desired, model):
            return desired
        case Evidence(kind=Kind.REPORTED, model=model) if _answers(model, desired):
            return desired
        case Evidence(model=model):
            return model


def running_in_words(state: State) -> str:
    """The model that runs, and the evidence of it."""
    strongest, model = strongest_evidence(state), running_model(state)
    return str(replace(strongest, model=model)) if strongest and model else NOT_TOLD


def _derived_model(state: State) -> str:
    """The model of the running process by jada's table, "" where it can't tell what the process read."""
    process = state.process
    if process is None or _is_table_wrong(state):
        return ""
    now = effective.resolve(state, process.spec)
    if now.model == effective.UNKNOWN:
        return ""
    if now.pinned or (process.speaker and process.began + SAME_INSTANT >= now.changed):
        return now.model
    if state.release and started_by_current_release(state) and (state.release.kind != "rollback" or not now.outranks):
        return state.release.desired.model
    return now.model if process.began + SAME_INSTANT >= now.changed else ""


def shadowing_findings(state: State, desired: Desired) -> Iterator[Finding]:
    """Finds all that keeps a process that is started now from the model in the service's settings.json."""
    if not desired.model:
        return
    fresh = effective.resolve(state, effective.next_start(state))
    asked = asked_of_next_start(state)
    for layer in state.layers:
        # The service's own CLI started with such a file, where it answered.
        if not asked and layer.path.startswith(f"{paths.MANAGED}/") and layer.error:
            seen = f"{layer.path}: {layer.error}; {layer.effect}"
            yield Finding.of(codes.SETTINGS_UNREADABLE, "a JSON object", seen)
    if asked and is_asked_for(desired.model, asked):
        return
    if fresh.relocated_by:
        yield Finding.of(codes.SETTINGS_ELSEWHERE, f"settings read from {state.settings.path}", fresh.relocated_by)
    elif fresh.outranks and fresh.winner.model != desired.model:
        yield Finding.of(codes.MODEL_SHADOWED, desired.model, f"{fresh.winner.model} from {fresh.winner.where}")
    elif fresh.winner.model == desired.model and fresh.blocked_by:
        yield Finding.of(
            codes.MODEL_NOT_AVAILABLE, desired.model, f"{fresh.model}: not in availableModels of {fresh.blocked_by}"
        )
    elif fresh.winner.model == desired.model and fresh.replaced_by:
        yield Finding.of(
            codes.MODEL_OVERRIDDEN, desired.model, f"{fresh.model} by modelOverrides of {fresh.replaced_by}"
        )


def _interrupted(state: State, _: Desired) -> Iterator[Finding]:
    if state.unfinished_transaction and not state.running_transaction:
        yield Finding.of(
            codes.TRANSACTION_CUT_OFF,
            "no unfinished change",
            f"release {state.unfinished_transaction} was cut off half-way",
        )


def _damage(state: State, _: Desired) -> Iterator[Finding]:
    if state.damage:
        yield Finding.of(codes.RELEASE_UNREADABLE, "the manifest of the current release", state.damage)


def _unseen(state: State, _: Desired) -> Iterator[Finding]:
    if state.unseen:
        yield Finding.of(codes.USER_HALF_UNSEEN, "what the service's user owns looked at", f"not known: {state.unseen}")


def _service(state: State, _: Desired) -> Iterator[Finding]:
    unit = state.unit

    def finding(kind: FindingCode, expected: str, seen: str) -> Finding:
        return Finding.of(kind, expected, seen, kind.fix.replace("UNIT", _word(unit.name)))

    if unit.active != "active":
        yield finding(codes.SERVICE_NOT_RUNNING, "active", f"{unit.active} ({unit.sub}, {unit.result})")
    elif unit.restarts:
        settled = state.process is None or state.now - state.process.started >= JUST_RESTARTED
        seen = f"restarted {unit.restarts} times by systemd"
        yield finding(codes.SERVICE_RESTARTED if settled else codes.SERVICE_RESTARTING, "settled", seen)
    if unit.active == "active" and state.process is None:
        yield Finding.of(codes.PROCESS_NOT_FOUND, "a process", f"{unit.name} is active ({unit.sub}) without one")


def _start(state: State, _: Desired) -> Iterator[Finding]:
    for setting, path in state.unit.lacks:
        yield Finding.of(codes.SERVICE_CANNOT_START, f"{setting}={path}", "not there")


def _settings(state: State, _: Desired) -> Iterator[Finding]:
    settings = state.settings
    if settings.error:
        seen = f"{settings.path}: {settings.error}; {settings.effect}"
        yield Finding.of(codes.SETTINGS_UNREADABLE, "a JSON object", seen)


def _model(state: State, desired: Desired) -> Iterator[Finding]:
    if desired.model and not state.settings.error and state.settings.model != desired.model:
        seen = state.settings.model or "no model"
        yield Finding.of(codes.MODEL_ON_DISK, desired.model, f"{seen} in {state.settings.path}")


def _other_tiers(state: State, desired: Desired) -> Iterator[Finding]:
    """Finds another fallback or model of subagents on disk, where one is asked for."""
    if state.settings.error:
        return
    found, where = state.settings.tiers, state.settings.path
    if desired.fallback and found.fallback != desired.fallback:
        seen = ", ".join(found.fallback) or "none"
        yield Finding.of(codes.FALLBACK_CHANGED, ", ".join(desired.fallback), f"{seen} in {where}")
    if desired.subagent_model and found.subagent_model != desired.subagent_model:
        seen = found.subagent_model or "none"
        yield Finding.of(codes.SUBAGENT_MODEL_CHANGED, desired.subagent_model, f"{seen} in {where}")


def _running(state: State, desired: Desired) -> Iterator[Finding]:
    process, strongest = state.process, strongest_evidence(state)
    if process is None:
        return
    if strongest is None:
        own = f", which sees other files than the host has at {state.own_view[0]}" if state.own_view else ""
        yield Finding.of(
            codes.MODEL_UNKNOWN,
            desired.model or "a model that is known",
            f"nothing tells that of process {process.speaker or process.pid}{own}",
        )
    if not desired.model:
        return
    report = state.report
    if report.by and not _answers(report.model, desired.model):
        seen = report.model or report.error or NO_MODEL
        yield Finding.of(codes.MODEL_RUNNING, desired.model, f"{seen} (model_check.{report.by})")
    if report.by or state.unseen or strongest is None:
        return
    if speaks_for_process(state, process):
        if not is_asked_for(desired.model, state.asked.model):
            yield Finding.of(codes.MODEL_RUNNING, desired.model, f"{state.asked.model}, {word_of(state.asked)}")
        return
    # What was served is judged by itself: jada's table is no match for that.
    if strongest.is_proof:
        return
    model = _derived_model(state)
    if model == desired.model:
        return
    if model:
        where = effective.resolve(state, process.spec).winner.where
        yield Finding.of(codes.MODEL_RUNNING, desired.model, f"{model} from {where}")
    else:
        yield Finding.of(
            codes.PROCESS_STALE,
            "a process started after the files that decide its model changed",
            _older(process, effective.resolve(state, process.spec).changed),
        )


def _older(process: Process, changed: float) -> str:
    clis = [member for member in process.present if member.is_cli]
    older = [member for member in clis if member.started + SAME_INSTANT < changed]
    which = f"process {process.pid} is"
    if len(clis) > 1 and older:
        which = f"{len(older)} of {len(clis)} processes of the Claude CLI are"
    return f"{which} older than they are, and nothing tells which model was read"


def _left(state: State, _: Desired) -> Iterator[Finding]:
    """Finds processes that an earlier start of the service left behind: nothing tells what they run."""
    process = state.process
    if process is None or not process.left:
        return
    left, shown = process.left, " ".join(str(member.pid) for member in process.left[:MOST_LEFT])
    more = " …" if len(left) > MOST_LEFT else ""
    seen = (
        f"{len(left)} of {len(process.members)} began before it, the oldest at {moment(left[0].started)}: {shown}{more}"
    )
    fix = codes.PROCESS_LEFT.fix.replace("UNIT", _word(state.unit.name)).replace("PIDS", shown)
    yield Finding.of(codes.PROCESS_LEFT, f"processes of the present start of {state.unit.name} alone", seen, fix)


def _answers(reported: str, model: str) -> bool:
    """True if a service that reports this model uses `model`: a long context it may not know, for it is never sent."""
    return reported in (model, model.removesuffix(LONG_CONTEXT))


def evidence_of_next_start(state: State) -> Evidence | None:
    """The evidence of the model that a process started now would ask for; None where nothing tells."""
    if asked := asked_of_next_start(state):
        return Evidence(kind=Kind.ASKED, model=asked, version=state.asked.version)
    if _is_table_wrong(state):
        return None
    fresh = effective.resolve(state, effective.next_start(state))
    return Evidence(kind=Kind.DERIVED, model=fresh.model, by=fresh.winner.where)


def asked_of_next_start(state: State) -> str:
    """The model that the service's own CLI would ask for in a process that is started now as the present one was.

    It is "" where another one would be, or nothing is known of that.
    """
    process = state.process
    if process is None or not is_known(state):
        return ""
    start, runs = effective.next_start(state), process.spec
    # systemd gives the user's home to a process whose unit names none.
    home = {"HOME": state.home}
    is_alike = ({**home, **start.env}, start.argv, start.cwd) == ({**home, **runs.env}, runs.argv, runs.cwd)
    return state.asked.model if is_alike else ""


def _is_table_wrong(state: State) -> bool:
    """True if the service's own CLI was asked as the running process, and names another model than jada's table, or
    does not tell the one that it sends.
    """
    if state.process is None or not is_known(state):
        return state.asked.is_untold
    return effective.resolve(state, state.process.spec).model not in (effective.DEFAULT, state.asked.model)


def _asked(state: State, desired: Desired) -> Iterator[Finding]:
    """Finds that the service's own CLI would ask for another model, unless what it reads has been found to name it."""
    if not desired.model or not is_known(state) or is_asked_for(desired.model, state.asked.model):
        return
    if not any(True for check in (_model, shadowing_findings) for _ in check(state, desired)):
        seen = f"{state.asked.model}, {word_of(state.asked)}"
        yield Finding.of(codes.MODEL_SHADOWED, desired.model, seen)


def _served(state: State, desired: Desired) -> Iterator[Finding]:
    """Finds each model that answered in the place of the desired one, unless the CLI itself fell back to it."""
    served = state.served
    yield from _served_to_subagents(served, desired)
    fallen_back_to = {fallback.model for fallback in _chain(served, desired.model)}
    for answers in served.own:
        if not desired.model or is_same(desired.model, answers.model):
            continue
        if answers.requested in fallen_back_to:
            continue
        swapped = f", though it asked for {answers.requested}" if is_same(desired.model, answers.requested) else ""
        seen = f"{answers.model} in {answers.count} of {served.count} answers since {moment(served.since)}{swapped}"
        yield Finding.of(codes.MODEL_SERVED, desired.model, seen)


def _served_to_subagents(served: Served, desired: Desired) -> Iterator[Finding]:
    answers = [answers for answers in served.answers if answers.of_subagents]
    count = sum(each.count for each in answers)
    for each in answers:
        if desired.subagent_model and not is_same(desired.subagent_model, each.model):
            seen = f"{each.model} in {each.count} of {count} answers to subagents since {moment(served.since)}"
            yield Finding.of(codes.SUBAGENT_SERVED, desired.subagent_model, seen)


def _chain(served: Served, model: str) -> tuple[Fallbacks, ...]:
    """The fallbacks from a model, and from those on."""
    reached, found = [model], list[Fallbacks]()
    for original in reached:
        for fallback in served.fallbacks:
            if original and is_same(original, fallback.original) and fallback not in found:
                found.append(fallback)
                reached.append(fallback.model)
    return tuple(found)


def _fallbacks(state: State, desired: Desired) -> Iterator[Finding]:
    for fallback in _chain(state.served, desired.model):
        place = "its place" if is_same(desired.model, fallback.original) else f"the place of {fallback.original}"
        seen = f"{fallback.model} in {place} {fallback.count} times, last at {moment(fallback.last)}"
        fix = codes.MODEL_FALLBACK.fix.replace("UNIT", _word(state.unit.name))
        yield Finding.of(codes.MODEL_FALLBACK, desired.model, seen, fix)


def _failing(state: State, _: Desired) -> Iterator[Finding]:
    served = state.served
    if served.failed * LEAST_FAILING >= served.failed + served.count > 0:
        statuses = ", ".join(
            f"{failures.count} by HTTP {failures.status}" if failures.status else f"{failures.count} without an answer"
            for failures in served.failures
            if not failures.retried
        )
        seen = f"{served.failed} of {served.failed + served.count} failed since {moment(served.since)}: {statuses}"
        fix = codes.REQUESTS_FAILING.fix.replace("UNIT", _word(state.unit.name))
        yield Finding.of(codes.REQUESTS_FAILING, "requests that are answered", seen, fix)


def _disagreeing(state: State, _: Desired) -> Iterator[Finding]:
    for stronger, weaker in disagreements(evidence_of(state)):
        yield Finding.of(codes.EVIDENCE_DISAGREES, str(stronger), str(weaker))


def _limit(state: State, desired: Desired) -> Iterator[Finding]:
    process = state.process
    fewer = [member for member in process.present if member.soft < desired.nofile] if process else []
    if desired.nofile and process and (fewer or process.soft != desired.nofile):
        least = min(fewer, key=lambda member: member.soft) if process.soft == desired.nofile else process
        seen = f"{least.soft} in /proc/{least.pid}/limits"
        if len(process.present) > 1 and fewer:
            seen += f"; fewer than that in {len(fewer)} of {len(process.present)} processes"
        yield Finding.of(codes.LIMIT_IN_FORCE, f"{desired.nofile} open files", seen)
    most = min(desired.nofile_requested, state.capacity.service)
    if desired.nofile and most > desired.nofile:
        yield Finding.of(
            codes.LIMIT_RAISABLE,
            f"{most} open files, of {desired.nofile_requested} asked",
            f"{desired.nofile} released",
        )


def _dropins(state: State, desired: Desired) -> Iterator[Finding]:
    """The limit that a restart would give."""
    ours = f"LimitNOFILE={desired.nofile} in {_dropin(state)}"
    if desired.nofile and state.dropin.sha256 != "absent" and (later := later_limit(state, desired.nofile)):
        yield Finding.of(codes.DROPIN_OVERRIDDEN, ours, f"LimitNOFILE={later.value} in {later.path}")


def later_limit(state: State, nofile: int) -> UnitSetting | None:
    """The line of the unit's files that systemd reads after our drop-in and that would give another limit than ours."""
    name = _dropin(state).rpartition("/")[2]
    soft = -1
    for one in state.unit.settings:
        folder, _, file = one.path.rpartition("/")
        if one.name == "LimitNOFILE" and folder.endswith(".d") and file > name and (limit := _soft(one.value)) >= 0:
            soft, last = limit, one
    # A limit that this host can't give is clamped to the most it can, which is most often ours.
    return None if soft < 0 or min(soft, state.capacity.service) == nofile else last


def _soft(value: str) -> int:
    """The soft limit of LimitNOFILE= (systemd.exec(5)): a number, SOFT:HARD or infinity; -1 if systemd ignores it."""
    words = [
        NO_LIMIT if word == "infinity" else int(word) if _COUNT.fullmatch(word) else -1 for word in value.split(":")
    ]
    return words[0] if len(words) <= 2 and -1 < words[0] <= words[-1] else -1


def _login_limit(state: State, desired: Desired) -> Iterator[Finding]:
    expected = min(desired.nofile, state.capacity.login)
    if not desired.nofile:
        return
    if state.login.error:
        yield Finding.of(
            codes.LIMIT_AT_LOGIN, f"{expected} open files", f"no login of {state.user}: {state.login.error}"
        )
    elif state.login.nofile != expected:
        yield Finding.of(
            codes.LIMIT_AT_LOGIN, f"{expected} open files", f"{state.login.nofile} at a login of {state.user}"
        )


def _hand_sessions(state: State, desired: Desired) -> Iterator[Finding]:
    if not desired.model or state.settings.error or state.settings.model != desired.model:
        return
    # A trouble that the service has as well has been told.
    told = (desired.model, effective.resolve(state, effective.next_start(state)).model)
    for launch, one in effective.of_open_sessions(state):
        if one.model not in told:
            why = (
                f"from {one.winner.where}"
                if one.winner.model == one.model
                else f"by {one.blocked_by or one.replaced_by}"
            )
            yield Finding.of(codes.SESSION_MODEL, desired.model, f"{one.model} {why}, for a session in {launch.cwd}")


def _open_sessions(state: State, _: Desired) -> Iterator[Finding]:
    for session in stale_sessions(state):
        where = f"on {session.tty}" if session.tty else "without a terminal"
        age = f"open for {(state.now - session.started) / 3600:.1f} h"
        yield Finding.of(
            codes.SESSION_STALE,
            "sessions begun after the model changed",
            f"claude {session.pid} of {session.user} {where}, {age}",
        )


def stale_sessions(state: State) -> tuple[OpenSession, ...]:
    """The open sessions that began before the model last changed, as far as the host's last two releases tell.

    When the very process of the current release still runs, its birth is the moment of the change; otherwise it is
    when the release was asked for.
    """
    changed = 0.0
    for release in (state.previous, state.release):
        if release and release.desired.model != release.before.model:
            changed = datetime.fromisoformat(release.at).timestamp() if release.at else changed
            if release is state.release and started_by_current_release(state) and state.process:
                changed = state.process.started
    return tuple(session for session in state.sessions if session.started < changed)


def _files(state: State, desired: Desired) -> Iterator[Finding]:
    if state.release is None or state.release.desired != desired:
        return
    ours = {"dropin": _dropin(state), "limits": paths.LIMITS}
    for (name, path), seen in zip(ours.items(), (state.dropin, state.limits), strict=True):
        expected = state.after.get(name)
        if expected is not None and expected != seen:
            yield Finding.of(codes.FILE_CHANGED, f"{path}: {_tell(expected)}", _tell(seen))
    settings = None if state.unseen else state.after.get("settings")
    if settings and (settings.owner, settings.mode) != (state.settings.file.owner, state.settings.file.mode):
        yield Finding.of(
            codes.SETTINGS_OWNER,
            f"owner {settings.owner}, mode {settings.mode}",
            f"owner {state.settings.file.owner or 'none'}, mode {state.settings.file.mode or 'none'}",
            _give_back(settings, state.settings.real or state.settings.path),
        )


def _give_back(file: File, path: str) -> str:
    """The command that gives a file its owner and mode again, "" where one of the three is not to be put into a shell.

    Its folder is its user's, who may have put a link there by the time it is run: nothing that root does follows one.
    """
    if not (_OWNER.fullmatch(file.owner) and _MODE.fullmatch(file.mode) and path.isprintable()):
        return ""
    (user, group), word = file.owner.split(":"), _word(path)
    as_owner = f"setpriv --reuid={user} --regid={group} --clear-groups"
    return f"on HOST: chown {file.owner} --no-dereference {word}; {as_owner} chmod {file.mode} {word}"


def _word(text: str) -> str:
    """A host's own text as one word of a command that fixes, and never the place of the host's name (fix_on)."""
    return shlex.quote(text).replace("HOST", "HO''ST")


def _reload(state: State, _: Desired) -> Iterator[Finding]:
    # systemd 252 does not notice a drop-in whose folder is new to it: what it has loaded is in DropInPaths.
    if state.unit.needs_reload or (state.dropin.sha256 == "absent") == (_dropin(state) in state.unit.dropins):
        yield Finding.of(
            codes.DAEMON_RELOAD_NEEDED,
            f"the files of {state.unit.name} loaded",
            "changed on disk since systemd read them",
        )


def _unread(state: State, _: Desired) -> Iterator[Finding]:
    """A finding for each text, of which a host's user may have made thousands."""
    rest = len(state.unread) - MOST_UNREAD
    for text in (*state.unread[:MOST_UNREAD], *([f"{rest} more of the kind"] if rest > 0 else [])):
        yield Finding.of(codes.LOOK_INCOMPLETE, "all of it read", text)


def _dropin(state: State) -> str:
    return paths.dropin(state.unit.name)


def _tell(file: File) -> str:
    return "no file" if file.sha256 == "absent" else f"sha256 {file.sha256[:12]}…, owner {file.owner}, mode {file.mode}"
