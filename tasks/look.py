"""The composite fact: all that jada needs to know of a host, in one round trip."""

from __future__ import annotations

from pyinfra.api import FactBase

from jada.tasks.state import LookError, State, read
from jada.tasks.transaction import Service, as_root, look_script

NO_SUDO = "error=sudo asks for a password"


class Look(FactBase[State | LookError]):
    """One look at a host: settings, unit, process, limits, releases. Read-only; needs root or passwordless sudo."""

    _service: Service

    @staticmethod
    def default() -> State | LookError:
        return LookError("the look at the host did not finish")

    def command(self, service: Service, history: bool = False, evidence: bool = False) -> str:
        self._service = service
        return as_root(look_script(service, history, evidence), NO_SUDO)

    def process(self, output: list[str]) -> State | LookError:
        if output == [NO_SUDO]:
            return LookError("sudo asks for a password there; jada needs `NOPASSWD` for the ssh user, or root")
        try:
            return read_look(self._service, output)
        except LookError as error:
            return error


def read_look(service: Service, output: list[str]) -> State:
    """What a look at the service of a host printed. Raises LookError."""
    return read(service.unit, output, bool(service.health), bool(service.probe))
