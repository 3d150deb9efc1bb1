"""The services of a host that may be an agent: the script that finds them, and what it says. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from jada.tasks import FILES
from jada.tasks.frames import LookError

# As files/services.sh ends, and as many as it tells.
END, MOST = "end", 20
# No name of a unit that systemd would need escapes for, and none that systemctl reads as an option.
_UNIT = re.compile(r"[A-Za-z0-9_:@][A-Za-z0-9_:.@\\-]{0,246}\.service", re.ASCII)


def services_script() -> str:
    """The script, as root, that prints them."""
    return (FILES / "services.sh").read_text()


def read_services(lines: Sequence[str]) -> tuple[str, ...]:
    """The names that a host said, without those that can't be units. Raises LookError."""
    *names, last = lines or ("",)
    if last != END or len(names) > MOST:
        raise LookError("the services that it tells of are not whole")
    return tuple(name for name in names if _UNIT.fullmatch(name))
