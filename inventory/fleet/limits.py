"""fleet.yml's `limits`: the number of files that the service and logins may open."""

from __future__ import annotations

from dataclasses import dataclass

from jada import LEAST_NOFILE
from jada.inventory.yaml_values import Value

# The most a limit in systemd or pam_limits is ever asked for: one below 2^31 - 1.
NOFILE = 2147483646


@dataclass(frozen=True, slots=True)
class Limits:
    nofile: int = NOFILE


def read(value: Value) -> Limits:
    return Limits(**value.fields({"nofile": _nofile}))


def _nofile(value: Value) -> int:
    return value.integer(
        LEAST_NOFILE,
        NOFILE + 1,
        "with fewer open files neither the service nor a login is sure to work; leave it out, and each host gets the "
        "most that it has",
    )
