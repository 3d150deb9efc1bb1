"""The doctor's checks of each host, by one look at it, what it answers to the questions of a preflight, and the keys by
which it is known. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from jada import ENGINES, Host, HostError, HostKeyError, Model, NoRootError, OtherMachineError, Service, UnknownKeyError
from jada.cli.doctor.result import CheckResult, Verdict, failed, passed, skipped, warned
from jada.inventory.access.known_hosts import HostKeys
from jada.inventory.access.pin import Pin
from jada.inventory.fleet.ssh import PINNED, Ssh
from jada.inventory.sources.source import Condition
from jada.tasks import preflight
from jada.tasks.evidence import evidence_of
from jada.tasks.preflight import PreflightCheck
from jada.tasks.probe import Probe
from jada.tasks.state import State

# Checks that need a look at the host, and those of its answers to the preflight.
OF_LOOK = ("instance", "systemd", "service", "clock", "cli", "evidence", "change", "lock")
OF_PROBE = ("disk", "endpoint")
FIXES = {
    "service": "see why: jada logs HOST; jada explain HOST",
    "clock": "have it set by NTP: jada ssh HOST timedatectl set-ntp true",
    "disk": "make room there: jada ssh HOST df -h",
    "cli": "update it there, as by `claude update`, and restart the service",
    "endpoint": "see ANTHROPIC_BASE_URL and the key of the service: jada explain HOST",
    "cloud": "see its page in the console of its cloud",
}
SUDO = "let its ssh user `sudo` without a password, or log in as root (ssh.user in fleet.yml)"


@dataclass(frozen=True, slots=True)
class Seen:
    """One look at a host between two moments of this machine's clock, Unix seconds, and the model that it is to run,
    None where nobody asks for one.
    """

    state: State
    service: Service
    model: Model | None
    earliest: float
    latest: float


def address(host: Host) -> CheckResult:
    """Checks that a connection to its address can only lead to this host."""
    if host.trouble:
        return failed("address", host.trouble.message, host.trouble.hint)
    return passed("address", "each has an address of its own")


def host_key(keys: HostKeys, ssh: Ssh, giver: str, seen: State | HostError, pin: Pin | None = None) -> CheckResult:
    """Checks by what its ssh host key is trusted: the `giver` is the cloud that gives its keys with a login, or ""."""
    if isinstance(seen, HostKeyError | UnknownKeyError):
        return failed("host key", seen.message, seen.hint)
    if by := f"pinned, from {pin.source}" if pin else giver and f"as {giver}'s API names it":
        return _unseen("host key") if _silence(seen) else passed("host key", by)
    if keys.own:
        return passed("host key", "known")
    if keys.authorities:
        return passed("host key", "vouched for by an authority that is known (@cert-authority)")
    if ssh.is_strict:
        return failed(
            "host key",
            f"not in {ssh.known_hosts}, and no key is trusted unseen (ssh.host_keys: {ssh.host_keys})",
            f"compare the key that ssh-keyscan shows with the console of the host, and add it to {ssh.known_hosts}",
        )
    return warned(
        "host key",
        "not known before: whatever key it showed first is trusted (ssh.host_keys: accept-new)",
        f"compare it with the console of the host, and set ssh.host_keys: {PINNED}",
    )


def reached(engine: str, seen: State | HostError) -> CheckResult:
    """Checks that a look came back over this engine."""
    if isinstance(seen, HostKeyError | UnknownKeyError):
        return skipped(engine, "not logged in, for its host key")
    if silent := _silence(seen):
        hint = "see whether it runs, and whether port and user are right: jada ssh HOST"
        return failed(engine, silent.message, silent.hint or hint)
    return passed(engine, "reached")


def other_engines(engine: str) -> Iterator[CheckResult]:
    """The checks of engines that do not reach the host; who reaches it without ssh needs no key of it."""
    for other in ENGINES:
        if other != engine:
            yield skipped(other, f"reached by {engine}")
    if engine != "ssh":
        yield skipped("host key", "not reached by ssh")


def sudo(seen: State | HostError) -> CheckResult:
    """Checks that the look ran as root."""
    if isinstance(seen, NoRootError):
        return failed("sudo", seen.message, SUDO)
    if _silence(seen):
        return _unseen("sudo")
    return passed("sudo", "the look at it ran as root")


def unseen(seen: HostError) -> Iterator[CheckResult]:
    """The checks of a host that could not be looked at."""
    for check in (*OF_LOOK, *OF_PROBE):
        if check == "instance" and isinstance(seen, OtherMachineError):
            yield failed(check, seen.message, seen.hint)
        else:
            yield _unseen(check)


def looked_at(host: Host, seen: Seen) -> Iterator[CheckResult]:
    """The checks of what one look tells."""
    state = seen.state
    yield instance(host, state)
    yield systemd(state)
    yield _of(preflight.service(state)) if state.unit.loaded else skipped("service", "systemd has not loaded it")
    yield _of(preflight.clock(state.now, seen.earliest, seen.latest))
    yield cli(seen)
    yield evidence(state, seen.service)
    yield change(state)
    yield lock(state)


def instance(host: Host, state: State) -> CheckResult:
    """Checks that the machine says it is the instance that is meant; another one is no look at all."""
    if host.instance and state.instance:
        return passed("instance", "the one that is meant")
    why = "the machine does not say which one it is" if host.instance else "its source names no instance"
    return skipped("instance", why)


def systemd(state: State) -> CheckResult:
    """Checks that systemd has loaded the service, and that its user is there."""
    unit = state.unit
    if not unit.loaded:
        why = f": {unit.error}" if unit.error else ""
        return failed(
            "systemd",
            f"{unit.name} is {unit.load}{why}",
            f"see `service` in fleet.yml, or install the service there: jada ssh HOST systemctl status {unit.name}",
        )
    if not state.user:
        return failed(
            "systemd",
            f"the user of {unit.name}, {unit.user}, is not known there",
            f"see User= of the service: jada ssh HOST systemctl cat {unit.name}",
        )
    return passed("systemd", f"{unit.name} is loaded, and runs as {state.user}")


def cli(seen: Seen) -> CheckResult:
    """Checks that the Claude CLI is as new as the model of the role needs it."""
    asked = seen.state.asked
    if seen.model is None:
        version = f"its Claude CLI is {asked.version}; " if asked.version else ""
        return skipped("cli", f"{version}its role asks for no model")
    return _of(preflight.cli(seen.model, asked))


def evidence(state: State, service: Service) -> CheckResult:
    """Checks that something observed says which model runs."""
    pieces = evidence_of(state)
    kinds = ", ".join(dict.fromkeys(str(piece.kind) for piece in pieces))
    if any(piece.is_proof for piece in pieces):
        return passed("evidence", kinds)
    if state.process is None:
        return skipped("evidence", "the service does not run")
    if pieces and service.proof == "derived":
        return passed("evidence", f"{kinds}, which is enough for `proof: derived`")
    why = f"; its CLI could not be asked: {state.asked.error}" if state.asked.error else ""
    return warned(
        "evidence",
        f"nothing observed says which model runs ({kinds or 'no evidence'}){why}",
        "have the service report it (`model_check:` in fleet.yml), or name its Claude CLI (`cli:`)",
    )


def change(state: State) -> CheckResult:
    """Checks that no change is under way there, or was cut off half-way."""
    if state.running_transaction:
        return warned("change", f"being changed by {state.running_transaction}", "wait until it has ended: jada status")
    if state.unfinished_transaction:
        return warned(
            "change",
            f"release {state.unfinished_transaction} was cut off half-way",
            "jada rollback --limit HOST undoes it, and so does the next change",
        )
    return passed("change", "none is under way")


def lock(state: State) -> CheckResult:
    """Checks that nobody has locked the host."""
    if state.operator_lock:
        return warned("lock", f"locked by {state.operator_lock}", "ask whoever locked it; then: jada unlock")
    return passed("lock", "not locked")


def cloud(condition: Condition | None) -> CheckResult:
    """Checks what its cloud says of the machine."""
    if condition is None:
        return skipped("cloud", "it is in none that jada asks")
    return _of(preflight.cloud(condition.text, condition.is_well))


def probed(probe: Probe | HostError, model: str) -> Iterator[CheckResult]:
    """The checks of the answers to the questions before a change to `model`, or "" where nobody asks for one."""
    if isinstance(probe, HostError):
        for check in OF_PROBE:
            yield skipped(check, probe.message)
        return
    disk = preflight.disk(probe.disks)
    # However much there is on each.
    yield passed("disk", "room for a change") if disk.verdict is preflight.Verdict.PASSED else _of(disk)
    yield _of(preflight.endpoint(model, probe.endpoint)) if model else skipped("endpoint", "its role asks for no model")


def _silence(seen: State | HostError) -> HostError | None:
    """The trouble of a host from which no answer came; None where one came, though it may be no look."""
    return seen if isinstance(seen, HostError) and not isinstance(seen, NoRootError | OtherMachineError) else None


def _unseen(check: str) -> CheckResult:
    return skipped(check, "it could not be looked at")


def _of(check: PreflightCheck) -> CheckResult:
    """A check of the preflight as one of the doctor's."""
    text = check.text.removesuffix(preflight.GO_ON)
    if check.verdict is preflight.Verdict.PASSED:
        return passed(check.name, text)
    if check.verdict is preflight.Verdict.UNKNOWN:
        return skipped(check.name, text)
    return CheckResult(check.name, Verdict.WARN if check.warns else Verdict.FAIL, text, FIXES[check.name])
