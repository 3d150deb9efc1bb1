"""The results of the doctor's checks, folded where hosts have the same one, and the exit code that they make. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import chain

from jada import ENGINES, Exit
from jada.cli.ui.console import grouped

# Checks of this machine and of fleet.yml; of AWS; and of each host. All that there are, in the order they are told.
FLEET_YML = "fleet.yml"
OF_MACHINE = ("versions", "openssh", "record")
OF_FLEET = ("models", "notify", "state", "rollout", "lease", "freeze")
OF_AWS = ("credentials", "identity", "regions", "permissions")
OF_HOSTS = ("hosts", "roles", "login")
OF_HOST = (
    "address", "host key", *ENGINES, "sudo", "instance", "systemd", "service", "cloud", "clock", "disk", "cli",
    "endpoint", "evidence", "change", "lock",
)  # fmt: skip
CHECKS = (*OF_MACHINE, FLEET_YML, *OF_FLEET, *OF_AWS, *OF_HOSTS, *OF_HOST)


class Verdict(StrEnum):
    """The verdict of a check: SKIP where it could not be made, or nothing is to be checked."""

    PASS = "pass"  # noqa: S105 - no password
    WARN = "warn"
    FAIL = "fail"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of one check of CHECKS: what was seen, and the `fix` of what is not well; of all `hosts` that have
    this same one, or of none.
    """

    check: str
    verdict: Verdict
    text: str
    fix: str = ""
    hosts: tuple[str, ...] = ()

    def of(self, host: str) -> CheckResult:
        """The same as the result of a host. A text that begins with its name leaves that out."""
        text = self.text.removeprefix(f"{host}: ").removeprefix(f"{host} ")
        return replace(self, text=text, hosts=(host,))


def passed(check: str, text: str) -> CheckResult:
    return CheckResult(check, Verdict.PASS, text)


def warned(check: str, text: str, fix: str) -> CheckResult:
    return CheckResult(check, Verdict.WARN, text, fix)


def failed(check: str, text: str, fix: str) -> CheckResult:
    return CheckResult(check, Verdict.FAIL, text, fix)


def skipped(check: str, why: str) -> CheckResult:
    return CheckResult(check, Verdict.SKIP, why)


def folded(results: Iterable[CheckResult]) -> tuple[CheckResult, ...]:
    """The results in the order of CHECKS, with all hosts that have the same one in it; HOST in a fix is the name of one
    that is alone.
    """
    groups = grouped((replace(result, hosts=()), result.hosts) for result in results)
    one_each = (_of_all(result, tuple(chain.from_iterable(hosts))) for result, hosts in groups.items())
    return tuple(sorted(one_each, key=lambda result: CHECKS.index(result.check)))


def _of_all(result: CheckResult, hosts: tuple[str, ...]) -> CheckResult:
    fix = result.fix.replace("HOST", shlex.quote(hosts[0])) if len(hosts) == 1 else result.fix
    return replace(result, fix=fix, hosts=hosts)


def exit_code(results: Sequence[CheckResult]) -> Exit:
    """USAGE where fleet.yml can't be used, FAILED where another check failed; warnings and skips are no failure."""
    failures = {result.check for result in results if result.verdict is Verdict.FAIL}
    return Exit.USAGE if FLEET_YML in failures else Exit.FAILED if failures else Exit.OK
