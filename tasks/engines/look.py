"""The composite fact: all that jada needs to know of a host, in one round trip."""

from __future__ import annotations

from pyinfra.api import FactBase

from jada import Service
from jada.tasks.frames import LookError
from jada.tasks.look_reader import read
from jada.tasks.state import State
from jada.tasks.transaction import (
    ERROR,
    FirstPart,
    answer,
    as_root,
    failure,
    first_part,
    look_script,
    on_stdin,
)

# Seconds a look may take on the host: it is some forty small commands, and what the service's user can draw out, each
# with a limit of its own: a model check by URL of 3 s and by command of 25, a login of 8, and that user's half of 20.
LONGEST = 65


class Look(FactBase[State | LookError]):
    """One look at a host: settings, unit, process, limits, releases. Read-only; needs root or passwordless sudo.

    Its script goes by stdin: `host.get_fact(Look, service=service, _stdin=look_on_stdin(service))`. With the number of
    bytes of a script by `look_first`, the change that follows goes to the same process.
    """

    _service: Service

    @staticmethod
    def default() -> State | LookError:
        return LookError(f"the look at the host did not finish, or was ended after {LONGEST} s")

    def command(self, service: Service, first: int = 0) -> str:
        self._service = service
        return as_root(ERROR, 0 if first else LONGEST, first)

    def process(self, output: list[str]) -> State | LookError:
        # Between its marks still, where pyinfra by hand has run it.
        marked = answer("\n".join([*output, ""]))
        output = output if marked is None else marked
        if why := failure(output):
            return LookError(why)
        try:
            return read_look(self._service, output)
        except LookError as error:
            return error


def look_on_stdin(service: Service, history: bool = False, evidence: bool = False) -> str:
    """The script of a look, as it goes to the host on stdin."""
    return on_stdin(look_script(service, history, evidence))


def look_first(service: Service, history: bool = False) -> FirstPart:
    """The same, when a change is to follow."""
    return first_part(look_script(service, history), LONGEST)


def read_look(service: Service, output: list[str]) -> State:
    """Reads the state out of a look's output. Raises LookError."""
    return read(service.unit, output, service.model_check)
