"""The checks of a host before a change: what was seen there goes in, checks come out. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from jada import Model
from jada.tasks import checks, measure
from jada.tasks.asked import Asked
from jada.tasks.measure import Judgement
from jada.tasks.probe import Answer, Disk, Endpoint
from jada.tasks.served import is_same
from jada.tasks.state import State

# Seconds that a host's clock may be off: TLS and the signatures of AWS take no more.
MOST_SKEW = 300
# Free bytes and inodes that a change has to have; it needs less, and so does whatever runs there meanwhile.
LEAST_BYTES = 8 * 2**20
LEAST_INODES = 200
# Exit codes of curl (curl(1)) that say that nobody could be reached; others may be of a certificate or a proxy, where
# the CLI may go another way.
_UNREACHABLE = {
    6: "its name can't be resolved",
    7: "nothing answers at its address",
    28: "it gave no answer in time",
    52: "it closed the connection without an answer",
}
# What an endpoint means by a status of HTTP.
_REFUSED = {
    401: "does not take the service's credentials",
    403: "does not let the service's credentials have {model}",
    404: "knows no model {model}",
}
GO_ON = "; --force changes it all the same"


class Verdict(StrEnum):
    """The result of a check; `unknown` is no failure."""

    PASSED = "passed"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class PreflightCheck:
    """One check before a change, and what was seen. Unless it only `warns`, a host that failed it is not changed."""

    name: str
    verdict: Verdict
    text: str
    warns: bool = False

    @property
    def is_failed(self) -> bool:
        return self.verdict is Verdict.FAILED

    @property
    def is_refusal(self) -> bool:
        return self.is_failed and not self.warns


def service(state: State) -> PreflightCheck:
    """Checks that the service is well; one that was stopped is, for the change starts it."""
    unit = state.unit
    if state.running_transaction:
        return PreflightCheck("service", Verdict.UNKNOWN, "a change is under way there")
    if state.unfinished_transaction:
        text = f"release {state.unfinished_transaction} was cut off half-way there, and is undone first"
        return PreflightCheck("service", Verdict.UNKNOWN, text)
    if illness := checks.illness(state):
        text = f"{unit.name} is ill before the change: {illness}; fix that first, or, where the change is what mends it"
        return PreflightCheck("service", Verdict.FAILED, f"{text}, go on with --force")
    seen = "runs" if unit.active == "active" else f"does not run now ({unit.active}): the change starts it"
    return PreflightCheck("service", Verdict.PASSED, f"{unit.name} {seen}")


def cli(model: Model, asked: Asked) -> PreflightCheck:
    """Checks that the service's own CLI is as new as the model needs it."""

    def check(verdict: Verdict, text: str) -> PreflightCheck:
        return PreflightCheck("cli", verdict, text)

    seen = f"its Claude CLI is {asked.version}"
    if not model.cli:
        known = f"{seen}; f" if asked.version else "f"
        return check(Verdict.UNKNOWN, f"{known}rom which version on {model.id} is taken is not in the catalogue")
    if not asked.version:
        why = asked.error or "the CLI was not asked"
        return check(Verdict.UNKNOWN, f"whether its Claude CLI is {model.cli} or newer, for {model.id}: {why}")
    if not asked.is_running:
        return check(Verdict.UNKNOWN, f"the Claude CLI found there is {asked.version}, but is not seen to be what runs")
    if _numbers(asked.version) >= _numbers(model.cli):
        return check(Verdict.PASSED, f"{seen}, and {model.id} needs {model.cli}")
    fix = "update it there, as by `claude update`, and restart the service"
    return check(
        Verdict.FAILED,
        f"{seen}, and {model.id} needs {model.cli} or newer: every request would be refused; {fix}. For a gateway that "
        f"takes older ones: `models: {{{model.name}: {{cli: …}}}}` in fleet.yml",
    )


def cloud(text: str, is_well: bool | None) -> PreflightCheck:
    """Checks what the cloud says of the machine; it may not know yet, or not be asked."""
    verdict = Verdict.UNKNOWN if is_well is None else Verdict.PASSED if is_well else Verdict.FAILED
    return PreflightCheck("cloud", verdict, text if is_well is not False else f"{text}{GO_ON}")


def alarm(judgement: Judgement) -> PreflightCheck:
    """Checks that an alarm which could undo the change is quiet before it: else it would tell nothing of that."""
    if judgement.verdict is measure.Verdict.INCONCLUSIVE:
        return PreflightCheck("alarm", Verdict.UNKNOWN, f"{judgement.probe}: its alarm has not enough data")
    is_quiet = judgement.verdict is measure.Verdict.PASSED
    return PreflightCheck(
        "alarm", Verdict.PASSED if is_quiet else Verdict.FAILED, f"{judgement}{'' if is_quiet else GO_ON}"
    )


def clock(now: float, earliest: float, latest: float) -> PreflightCheck:
    """Checks the host's clock, which was read there between two moments of this machine's."""
    off = now - latest if now > latest else now - earliest if now < earliest else 0.0
    if abs(off) <= MOST_SKEW:
        return PreflightCheck("clock", Verdict.PASSED, "its clock and this machine's agree", warns=True)
    way = "ahead of" if off > 0 else "behind"
    text = f"its clock is {abs(off) / 60:.0f} min {way} this machine's: TLS and requests to AWS may fail"
    return PreflightCheck("clock", Verdict.FAILED, text, warns=True)


def endpoint(model: str, answer: Endpoint) -> PreflightCheck:
    """Checks that the endpoint of the host's service knows the model, as the service asks it."""
    if answer.why_not:
        verdict, text = Verdict.UNKNOWN, answer.why_not
    elif not answer.status and answer.curl in _UNREACHABLE:
        why = f"its endpoint can't be reached from there: {_UNREACHABLE[answer.curl]}"
        verdict, text = (
            Verdict.FAILED,
            f"{why}. The service could not answer either; see its ANTHROPIC_BASE_URL{GO_ON}",
        )
    elif not answer.status:
        verdict, text = Verdict.UNKNOWN, f"curl could not ask it, and ended with {answer.curl}"
    elif answer.status == 200 and answer.names:
        verdict, text = Verdict.PASSED, f"its endpoint knows {model}"
    elif answer.status in _REFUSED and (answer.names or answer.status != 404):
        why = _REFUSED[answer.status].format(model=model)
        verdict, text = Verdict.FAILED, f"its endpoint {why} (HTTP {answer.status}){GO_ON}"
    else:
        of_models = " and tells of no models" if answer.status in (200, 404, 405, 501) else ""
        verdict, text = Verdict.UNKNOWN, f"it answers with HTTP {answer.status}{of_models}"
    subject = f"whether its endpoint knows {model}: " if verdict is Verdict.UNKNOWN else ""
    return PreflightCheck("endpoint", verdict, subject + text)


def request(model: str, answer: Answer) -> PreflightCheck:
    """Checks the answer to one real request for the model."""

    def check(verdict: Verdict, text: str) -> PreflightCheck:
        return PreflightCheck("request", verdict, text)

    if answer.served and is_same(model, answer.served):
        return check(Verdict.PASSED, f"a request for {model} was answered by {answer.served}")
    if answer.served:
        return check(Verdict.FAILED, f"a request for {model} was answered by {answer.served}{GO_ON}")
    if answer.status in (400, 401, 403, 404):
        return check(Verdict.FAILED, f"a request for {model} was refused with HTTP {answer.status}{GO_ON}")
    why = answer.why_not or f"it was put off with HTTP {answer.status}"
    return check(Verdict.UNKNOWN, f"whether a request for {model} is answered: {why}")


def disk(disks: Iterable[Disk]) -> PreflightCheck:
    """Checks that there is room for a change."""
    disks = tuple(disks)
    if not disks:
        return PreflightCheck("disk", Verdict.UNKNOWN, "what is free there: the host did not tell")
    for place in disks:
        if place.free < LEAST_BYTES:
            return PreflightCheck("disk", Verdict.FAILED, f"{place.free // 1024} KB are free below {place.path}{GO_ON}")
        if -1 < place.inodes < LEAST_INODES:
            return PreflightCheck("disk", Verdict.FAILED, f"{place.inodes} inodes are free below {place.path}{GO_ON}")
    least = min(disks, key=lambda place: place.free)
    return PreflightCheck("disk", Verdict.PASSED, f"{least.free // 2**20} MB are free below {least.path}, or more")


def _numbers(version: str) -> tuple[int, ...]:
    """The numbers that a version begins with, without zeros at their end; any text behind them makes no difference."""
    match = re.match(r"\d{1,9}(?:\.\d{1,9})*", version, re.ASCII)
    numbers = [int(number) for number in match[0].split(".")] if match else []
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)
