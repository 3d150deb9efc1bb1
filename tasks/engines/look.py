"""The composite fact: all that jada needs to know of a host, in one round trip."""

from __future__ import annotations

from pyinfra.api import FactBase

from jada import Service
from jada.tasks.frames import LookError
from jada.tasks.look_reader import read
from jada.tasks.state import State
from jada.tasks.transaction import (
    ERROR,
    answer,
    as_root,
    failure,
)

# The beginning of the error of a host that lets nobody be root.
NO_ROOT = f"{ERROR}no root: "

# Seconds a look may take on the host. What the service and its user can draw out has limits of its own (files/look): a
# model check by URL 3 s or by command 26, its CLI 36, a login 6, that user's half 19, which makes 87. The rest is for
# some thirty small commands, and for systemd, on a host that is busy.
LONGEST = 100


class RefusedError(LookError):
    """The ssh user may not become root."""


class Look(FactBase[State | LookError]):
    """One look at a host: settings, unit, process, limits, releases. Read-only; needs root or passwordless sudo.

    Its script goes by stdin: `host.get_fact(Look, service=service, _stdin=on_stdin(look_script(service)))`. With the
    number of bytes of one by `first_part`, the change that follows goes to the same process.
    """

    _service: Service

    @staticmethod
    def default() -> State | LookError:
        return LookError(f"the look at the host did not finish, or was ended after {LONGEST} s")

    def command(self, service: Service, first: int = 0) -> str:
        self._service = service
        return as_root(NO_ROOT, 0 if first else LONGEST, first)

    def process(self, output: list[str]) -> State | LookError:
        # Between its marks still, where pyinfra by hand has run it.
        marked = answer("\n".join([*output, ""]))
        output = output if marked is None else marked
        if why := failure(output):
            is_refused = output[0].startswith(NO_ROOT)
            return RefusedError(why.removeprefix(NO_ROOT.removeprefix(ERROR))) if is_refused else LookError(why)
        try:
            return read_look(self._service, output)
        except LookError as error:
            return error


def read_look(service: Service, output: list[str]) -> State:
    """Reads the state out of a look's output. Raises LookError."""
    return read(service.unit, output, service.model_check)
