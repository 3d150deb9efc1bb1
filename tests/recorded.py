"""A look at a lab host, kept as data with the State that it is: `python -m tests.recorded HOST NAME [COMMAND]`."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Mapping, Set
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

from jada import ModelCheck, Service
from jada.tasks import look_reader
from jada.tasks.frames import LookError, read_frames
from jada.tasks.state import State
from jada.tasks.transaction import look_script
from tests.frames import Pair, framed, packed

LOOKS = Path(__file__).parent / "unit/tasks/looks"
# As the lab's fleet.yml has it.
SERVICE = Service(model_check=ModelCheck(url="http://127.0.0.1:8787/healthz"))


@dataclass(frozen=True)
class Recorded:
    """The output of both halves, in their order, for a jada that asked for these."""

    unit: str
    check: ModelCheck
    root: tuple[Pair, ...]
    user: tuple[Pair, ...]

    def output(self) -> list[str]:
        """The look as it left the host, but for the packing."""
        return packed(framed(self.root) + framed(self.user))

    def state(self) -> State:
        return look_reader.read(self.unit, self.output(), self.check)

    @staticmethod
    def load(file: Path) -> Recorded:
        look = json.loads(file.read_text())["look"]
        halves = {half: tuple((name, text) for name, text in look[half]) for half in ("root", "user")}
        return Recorded(look["unit"], ModelCheck(**look["check"]), **halves)

    def save(self, file: Path) -> None:
        look = {"unit": self.unit, "check": asdict(self.check), "root": self.root, "user": self.user}
        file.write_text(json.dumps({"look": look, "state": as_data(self.state())}, indent=1, ensure_ascii=False) + "\n")


def as_data(value: object) -> Any:
    """A value of the State as JSON has it."""
    if is_dataclass(value):
        return {item.name: as_data(getattr(value, item.name)) for item in fields(value) if item.compare}
    if isinstance(value, Mapping):
        return {str(key): as_data(item) for key, item in value.items()}
    if isinstance(value, Set):
        return sorted(value)
    if isinstance(value, tuple):
        return [as_data(item) for item in value]
    return "infinity" if value == math.inf else value


def record(host: str, name: str, command: str = "") -> None:
    """Looks at a host of the lab of JADA_LAB, as `jada history` would."""
    from jada.inventory.lab import fleet, machine
    from jada.inventory.lab.named import DEFAULT, Lab

    lab = Lab(os.environ.get("JADA_LAB") or DEFAULT)
    service = replace(SERVICE, model_check=ModelCheck(command=command)) if command else SERVICE
    (host_machine,) = (candidate for candidate in fleet.current(lab) if candidate.name == host)
    script = look_script(service, history=True, status=True, ask=True)
    output = machine.inside(host_machine, "sh", stdin=script).stdout
    root, user = read_frames(output.splitlines())
    if isinstance(user, LookError):
        raise user
    halves = [[(field, text) for field, values in half.values.items() if field != "end" for text in values]
              for half in (root, user)]  # fmt: skip
    Recorded(service.unit, service.model_check, tuple(halves[0]), tuple(halves[1])).save(LOOKS / f"{name}.json")


if __name__ == "__main__":
    record(*sys.argv[1:])
