"""The evaluation of a check: what counts as drift, what is accepted, what could not be known. Pure."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from jada import ConfigError, Exit, Host, HostError, HostKeyError, OtherMachineError, Tiers, attempt, natural
from jada.cli.records.model import AHEAD
from jada.cli.results import HostResults
from jada.inventory import models
from jada.inventory.suggest import did_you_mean
from jada.tasks import checks, codes, paths
from jada.tasks.checks import Finding
from jada.tasks.codes import CODES, Fix
from jada.tasks.evidence import Evidence, evidence_of
from jada.tasks.release import Release, ReleaseError, moment
from jada.tasks.state import State

if TYPE_CHECKING:
    from jada.inventory.fleet.accept import Acceptance
    from jada.inventory.fleet.config import Fleet

# Findings of a host that could not be checked, where there is more than a plain trouble.
WHY_NOT = {HostKeyError: codes.HOST_KEY_CHANGED, OtherMachineError: codes.OTHER_MACHINE}
UNCHECKED = (codes.NOT_CHECKED, *WHY_NOT.values())
# Findings by the word of fleet.yml, the catalogue and people, whatever the host's release is.
BESIDE = (codes.MODEL_RETIRES, codes.OPERATOR_LOCK, codes.MODEL_NOT_OF_FLEET, codes.ROLE_MIXED)
# No transaction lasts as long, and no host is begun after fleet.yml's deadline.
LONGEST_CHANGE = timedelta(hours=1)
HOLDER = re.compile(r".* since (\S+) for release \S+")


class Status(StrEnum):
    """The status of a host. Only IN_SYNC is fine; a host that is gone or just being changed was not checked.

    UNPROVEN is one in sync as far as jada's own table tells, of which nothing observed says which model it runs.
    """

    IN_SYNC = "in_sync"
    DRIFTED = "drifted"
    UNPROVEN = "unproven"
    NOT_CHECKED = "not_checked"
    CHANGING = "changing"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class EvaluatedFinding:
    """One finding. `acceptance` is the entry of fleet.yml that is about it, in force or, if `expired`, no more."""

    finding: Finding
    acceptance: Acceptance | None = None
    expired: bool = False

    @property
    def is_accepted(self) -> bool:
        return self.acceptance is not None and not self.expired

    @property
    def is_drift(self) -> bool:
        """True if it makes its host one that is not in sync."""
        return self.finding.is_drift and not self.is_accepted


@dataclass(frozen=True, slots=True)
class HostDrift:
    """One host, with the `evidence` of its model; why it could not be checked is a finding too."""

    host: str
    role: str
    status: Status
    findings: tuple[EvaluatedFinding, ...] = ()
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class DriftReport:
    """One check of a fleet at one moment. `whole` when it was about all its hosts."""

    fleet: str
    at: datetime
    hosts: tuple[HostDrift, ...]
    whole: bool = True

    def count(self, status: Status) -> int:
        return sum(host.status is status for host in self.hosts)

    @property
    def exit(self) -> Exit:
        if self.count(Status.NOT_CHECKED) or self.count(Status.UNPROVEN):
            return Exit.FAILED
        return Exit.DRIFT if self.count(Status.DRIFTED) else Exit.OK


def evaluate(
    fleet: Fleet,
    hosts: Sequence[Host],
    seen: Mapping[str, State | HostError],
    released: Mapping[str, str],
    at: datetime,
    whole: bool = True,
) -> DriftReport:
    """The drift of `hosts`, from one look at each; `released` is the last release the record knows for each host.

    Hosts that are gone can be told only in a check of the whole fleet. Raises ConfigError for an acceptance of a code
    that there isn't, or that can't be accepted.
    """
    accept = _usable(fleet)
    latest = max([*released.values(), *(state.release.id for state in _states(seen) if state.release)], default="")
    longest = timedelta(seconds=fleet.longest_rollout) + LONGEST_CHANGE
    usable = {name: _unless_hung(name, look, at, longest) for name, look in seen.items()}
    beside = _Beside(fleet, at.date(), latest, _models_of_roles(hosts, usable))
    rows = [_row(host, usable[host.name], released.get(host.name, ""), beside) for host in hosts]
    if whole:
        rows += _gone(hosts, seen, released)
    by_name = {host.name: host for host in hosts}
    evaluated = tuple(_accepted(row, by_name.get(row.host), accept, at.date()) for row in rows)
    return DriftReport(fleet.name, at, evaluated, whole)


def unmatched(fleet: Fleet, hosts: Sequence[Host], report: DriftReport) -> Iterator[str]:
    """Each pattern of fleet.yml's accepted findings that no host of the fleet has a name like, in words."""
    known = {host.name: host for host in hosts}
    for index, acceptance in enumerate(fleet.accept):
        for pattern in acceptance.hosts:
            if not any(_is_about(pattern, row, known.get(row.host)) for row in report.hosts):
                yield f"accept[{index}] ({acceptance.code}): no host has a Name or an id like {pattern}"


def explain(code: str) -> str:
    """The meaning of a code or of the name of a finding, as a few lines. Raises ConfigError."""
    by_name = {kind.name: kind for kind in CODES.values()} | CODES
    kind = by_name.get(code) or by_name.get(code.upper())
    if kind is None:
        raise ConfigError(
            f"There is no finding {code}{did_you_mean(code, by_name)}",
            "codes are " + ", ".join(CODES),
        )
    drift = "" if kind.severity != "note" else " (told, but not drift)"
    return f"{kind.code} {kind.name}: {kind.severity}{drift}\n{kind.meaning}\nFix: {kind.fix}"


def _states(seen: Mapping[str, State | HostError]) -> Iterable[State]:
    return HostResults(seen).ok.values()


def _unless_hung(name: str, seen: State | HostError, at: datetime, longest: timedelta) -> State | HostError:
    """The look as it is; an error under a lock that no change can hold any more, or yet: it may be held for ever."""
    if isinstance(seen, HostError) or -AHEAD <= _lasts(seen.running_transaction, at) <= longest:
        return seen
    return HostError(
        f"{name} can't be judged: being changed by {seen.running_transaction}, which no change is for so long, or "
        "ahead of its time",
        f"log in there and see what holds the lock, such as with: fuser -v {paths.HOME}/lock",
    )


def _lasts(lock: str, at: datetime) -> timedelta:
    """The age of a lock by what it says; no time where it says none that can be."""
    try:
        match = HOLDER.fullmatch(lock)
        return at - datetime.fromisoformat(moment(match[1])) if match else timedelta()
    except ReleaseError:
        return timedelta()


@dataclass(frozen=True, slots=True)
class _Beside:
    """All that a host is compared with beside its own release: fleet.yml and the catalogue on a day, the newest release
    of the fleet, and how many hosts of a role were released to which model.
    """

    fleet: Fleet
    today: date
    latest: str
    models: Mapping[str, Counter[str]]


def _row(host: Host, seen: State | HostError, known: str, beside: _Beside) -> HostDrift:
    """One host's row; a host that can't be judged is one that was not checked."""
    row = attempt(host.name, lambda: _host(host, seen, known, beside))
    return _host(host, row, known, beside) if isinstance(row, HostError) else row


def _host(host: Host, seen: State | HostError, known: str, beside: _Beside) -> HostDrift:
    if isinstance(seen, HostError):
        kind = next((kind for error, kind in WHY_NOT.items() if isinstance(seen, error)), codes.NOT_CHECKED)
        finding = Finding.of(kind, "an answer from the host", seen.message, seen.hint)
        return HostDrift(host.name, host.role, Status.NOT_CHECKED, (EvaluatedFinding(finding),))
    if change := checks.under_way(seen):
        return HostDrift(host.name, host.role, Status.CHANGING, (EvaluatedFinding(change),))
    membership = tuple(_membership(host, seen, known, beside.latest))
    own = (finding for finding in checks.drift(seen) if not (membership and finding.kind is codes.NO_RELEASE))
    unproven = checks.unproven(seen) if beside.fleet.service.proof == "observed" else None
    proof = (unproven,) if unproven else ()
    others = (*of_fleet(beside.fleet, host.role, seen, beside.today), *_mixed(host, seen, beside))
    found = tuple(map(EvaluatedFinding, (*membership, *own, *proof, *others)))
    return HostDrift(host.name, host.role, Status.IN_SYNC, found, evidence_of(seen))


def of_fleet(fleet: Fleet, role: str, state: State, today: date) -> Iterator[Finding]:
    """Findings by the word of people, fleet.yml and the catalogue, whatever the host's release says."""
    if state.operator_lock:
        yield Finding.of(codes.OPERATOR_LOCK, "no lock", f"locked by {state.operator_lock}")
    tiers = fleet.tiers_of(role)
    desired, released = tiers.model, state.release.desired.model if state.release else ""
    if state.release and state.release.role == role:
        yield from _not_of_fleet(tiers, state.release)
    listed = models.catalogue(fleet.models)
    other = state.release.desired.tiers if state.release else Tiers("")
    uses = (
        ("runs there", checks.running_model(state)),
        ("released there", released),
        *(("released there as a fallback", model) for model in other.fallback),
        ("released there for subagents", other.subagent_model),
        ("asked for by fleet.yml", desired),
    )
    for model in dict.fromkeys(used for _, used in uses if used):
        if retires := models.retirement(model, listed, today):
            why = ", ".join(use for use, used in uses if used == model)
            yield Finding.of(codes.MODEL_RETIRES, "a model that stays", f"{model} {retires} ({why})")


def _not_of_fleet(tiers: Tiers, release: Release) -> Iterator[Finding]:
    """Compares a release with what fleet.yml asks of its role; of what it says nothing, anything will do."""
    other = release.desired.tiers
    for what, desired, released in (
        ("", tiers.model, other.model),
        ("fallback ", ", ".join(tiers.fallback), ", ".join(other.fallback)),
        ("subagents on ", tiers.subagent_model, other.subagent_model),
    ):
        if desired and released != desired:
            yield Finding.of(
                codes.MODEL_NOT_OF_FLEET,
                f"{what}{desired}, as fleet.yml asks of role {release.role}",
                f"{what}{released or 'no model'} by release {release.id}",
            )


def _models_of_roles(hosts: Iterable[Host], seen: Mapping[str, State | HostError]) -> dict[str, Counter[str]]:
    """The number of hosts of each role that were released, for that role, to each model."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for host in hosts:
        state = seen[host.name]
        if isinstance(state, State) and state.release and state.release.role == host.role:
            counts[host.role][state.release.desired.model] += 1
    return counts


def _mixed(host: Host, state: State, beside: _Beside) -> Iterator[Finding]:
    """Compares the hosts of a role with each other, where fleet.yml names no model for it."""
    if not state.release or state.release.role != host.role or beside.fleet.model_of(host.role):
        return
    counts, model = beside.models[host.role], state.release.desired.model
    (_, most), *rest = counts.most_common()
    if rest and (counts[model] < most or rest[0][1] == most):
        split = ", ".join(f"{count} on {name or 'none'}" for name, count in counts.most_common())
        yield Finding.of(
            codes.ROLE_MIXED, f"one model for role {host.role or 'none'}", f"{model or 'none'}; of that role: {split}"
        )


def _membership(host: Host, state: State, known: str, latest: str) -> Iterator[Finding]:
    """Findings about the place of a host in the fleet, which it can't tell by itself."""
    if state.release is None:
        if known:
            seen = "no release on it: reinstalled, or another machine of the same name"
            yield Finding.of(codes.NO_RELEASE, f"release {known}, as recorded here", seen, codes.HEAL, Fix.HEAL)
        elif latest:
            yield Finding.of(
                codes.HOST_NEW, f"a release, as the rest of the fleet has (the last is {latest})", "none on this host"
            )
    elif state.release.role != host.role and not state.damage:
        now, then = host.role or "none", state.release.role or "none"
        yield Finding.of(
            codes.ROLE_CHANGED, f"released to for its role, {now}", f"release {state.release.id} for role {then}"
        )


def _gone(
    hosts: Iterable[Host], seen: Mapping[str, State | HostError], released: Mapping[str, str]
) -> Iterator[HostDrift]:
    """Hosts whose last release is no older than the oldest one that is current on a host: later ones are history."""
    # One that shares its Name with another now is called differently, but not gone.
    here = {name for host in hosts for name in (host.name, host.own_name)}
    oldest = min((state.release.id for state in _states(seen) if state.release), default="")
    for name, release in sorted(released.items(), key=lambda item: natural(item[0])):
        if name not in here and release >= oldest:
            finding = Finding.of(codes.HOST_GONE, f"a host, with release {release}", "not found by fleet.yml's sources")
            yield HostDrift(name, "", Status.GONE, (EvaluatedFinding(finding),))


def _accepted(row: HostDrift, host: Host | None, accept: Sequence[Acceptance], today: date) -> HostDrift:
    own = [acceptance for acceptance in accept if any(_is_about(pattern, row, host) for pattern in acceptance.hosts)]
    findings = tuple(_evaluate_finding(evaluated.finding, own, today) for evaluated in row.findings)
    status, drift = row.status, {evaluated.finding.kind for evaluated in findings if evaluated.is_drift}
    if status is Status.IN_SYNC and drift:
        status = Status.UNPROVEN if drift == {codes.MODEL_UNPROVEN} else Status.DRIFTED
    return replace(row, findings=findings, status=status)


def _is_about(pattern: str, row: HostDrift, host: Host | None) -> bool:
    """True if a pattern means a host; of one that is gone, no more is known than its name."""
    return host.is_called(pattern) if host else fnmatchcase(row.host, pattern)


def _evaluate_finding(finding: Finding, accept: Sequence[Acceptance], today: date) -> EvaluatedFinding:
    about = [acceptance for acceptance in accept if acceptance.code == finding.code]
    last = max(about, key=lambda acceptance: acceptance.until, default=None)
    return EvaluatedFinding(finding, last, expired=last is not None and last.until < today)


def _usable(fleet: Fleet) -> tuple[Acceptance, ...]:
    for index, acceptance in enumerate(fleet.accept):
        where = f"{fleet.path}:{acceptance.line}: accept[{index}].code"
        if acceptance.code not in CODES:
            raise ConfigError(
                f"{where} is no code of a finding: {acceptance.code}{did_you_mean(acceptance.code, CODES)}"
            )
        if CODES[acceptance.code] in UNCHECKED:
            raise ConfigError(
                f"{where} can't be {acceptance.code}: nothing is known of a host that was not checked",
                "take the host out of fleet.yml's sources, if it is meant to be away",
            )
        if CODES[acceptance.code] in codes.OF_NETWORK:
            raise ConfigError(
                f"{where} can't be {acceptance.code}: a rollout tells it, and it is no drift", "take it out of accept"
            )
    return fleet.accept
